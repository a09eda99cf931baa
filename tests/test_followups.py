"""Follow-ups are measured against what a person would have asked instead."""

import gzip
import json
import re
from pathlib import Path

import pytest

from eval.datasets import Entry
from eval.followups import COLLECTIONS, follow_ups, queries_of, recalls, word_overlap
from indexing.types import BadInput, Encoder, Query
from models.types import Conversation, Plan
from tests.evaluation_data import seal


class Scripted:
    """Rewrites every turn to the same text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def plan(self, conversation: Conversation) -> Plan:
        return Plan(1.0, (Query(self.text, "rewrite"),), "")


@pytest.mark.parametrize("language", list(COLLECTIONS))
def test_every_follow_up_ends_with_the_user_and_has_another_rewrite(language: str) -> None:
    asked = follow_ups(language)
    assert len(asked) >= 300
    for one in asked:
        roles = [turn.role for turn in one.conversation.turns]
        assert set(roles[::2]) == {"user"}
        assert len(roles) % 2 == 1
        assert len(roles) > 1
        assert one.rewrite.strip() != one.conversation.question.strip()
        assert bool(re.search(r"[\u4e00-\u9fff]", one.rewrite)) == (language == "zh")
    assert [one.id for one in follow_ups(language, 5)] == [one.id for one in asked[:5]]


def test_a_right_rewrite_finds_what_the_raw_turn_does_not(encoder: Encoder) -> None:
    asked = follow_ups("en", 1)
    right = Entry(asked[0].passage_id, "", f"{asked[0].rewrite} The answer stands here.", "en")
    others = [Entry(f"x{n}", "", f"Text number {n} speaks of tea and of rain.", "en") for n in range(12)]
    values = recalls(asked, [right, *others], Scripted(asked[0].rewrite), encoder, None)
    assert values["rewrite"] == values["human rewrite"] == values["both queries"] == [1.0]
    with pytest.raises(BadInput):
        recalls(asked, others, Scripted("tea"), encoder, None)


def test_a_plan_without_queries_finds_nothing() -> None:
    one = follow_ups("en", 1)[0]
    assert queries_of(one, Plan(0.0, (), ""))["rewrite"] == []


def test_words_are_compared_with_the_human_rewrite(tmp_path: Path) -> None:
    rows = [
        {"history": [], "question": "What is tea?", "rewrite": "What is tea?"},
        {"history": ["What is tea?"], "question": "Who drinks it?", "rewrite": "Who drinks tea?"},
    ]
    path = tmp_path / "rewrite" / "cast2019.test.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    scores = word_overlap(seal(tmp_path), Scripted("Who drinks tea?"), None)
    assert scores["rewrite"] == [1.0]
    assert 0 < scores["raw turn"][0] < 1
