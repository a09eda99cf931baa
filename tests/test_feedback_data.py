"""The exported feedback, as the trainers read it."""

import json
from pathlib import Path
from typing import Any

import pytest

from indexing.types import BadInput, Document, Hit, NotFound, Passage
from models.types import Candidate, Conversation, Quote, Turn
from rewards.feedback import draft_of, parse_row, rankings_from, read_feedback, rule_examples_from
from rewards.readings import draft

SAID = {
    "text": "It steered by hand.",
    "short": "by hand",
    "kind": "statement",
    "origin": "extractive",
    "log_prob": -0.4,
    "quotes": ["It steered by hand."],
    "evidence": [{"title": "Lander", "text": "It steered by hand."}],
    "preference": 0.3,
    "support": 0.9,
    "score": 0.5,
}
OTHER = {**SAID, "text": "A computer did it.", "origin": "generative"}


def row(**fields: Any) -> dict[str, Any]:
    """A complete row."""
    base: dict[str, Any] = {
        "schema": "passerine.feedback/1",
        "id": "f-01",
        "at": "2026-01-31T09:30:00+00:00",
        "kind": "pair",
        "consent": True,
        "conversation_id": "c-01",
        "answer_id": "a-01",
        "dialogue": [{"role": "user", "text": "Who steered the lander?"}],
        "verdict": "answered",
        "candidate": None,
        "a": SAID,
        "b": OTHER,
        "label": 1.0,
        "choice": "a",
        "rule": None,
        "reason": None,
        "text": None,
        "comment": None,
    }
    return {**base, **fields}


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(each) for each in rows) + "\n", encoding="utf-8")
    return path


def test_a_pair_becomes_a_ranking(tmp_path: Path) -> None:
    rows = list(read_feedback(written(tmp_path / "f.jsonl", row())))
    (ranking,) = rankings_from(rows)
    assert ranking.pairs == ((0, 1, 1.0),)
    assert ranking.drafts[0].answer == "Lander: It steered by hand."
    assert ranking.drafts[0].evidence == ""
    assert ranking.drafts[1].evidence == "It steered by hand."


def test_an_edit_is_better_than_what_it_mends(tmp_path: Path) -> None:
    fields = {"kind": "edit", "a": None, "b": None, "label": None, "candidate": OTHER, "text": "A pilot did."}
    (ranking,) = rankings_from(read_feedback(written(tmp_path / "f.jsonl", row(**fields))))
    assert (ranking.drafts[0].answer, ranking.demonstration) == ("A pilot did.", 0)


def test_a_rule_report_labels_one_rule(tmp_path: Path) -> None:
    fields = {"kind": "rule", "a": None, "b": None, "candidate": SAID, "rule": "no-insults", "label": 0.0}
    (example,) = rule_examples_from(read_feedback(written(tmp_path / "f.jsonl", row(**fields))))
    assert example.labels == {"no-insults": 0.0}


def test_rows_without_consent_are_not_trained_on(tmp_path: Path) -> None:
    path = written(tmp_path / "f.jsonl", row(), row(id="f-02", consent=False))
    assert [each.id for each in read_feedback(path)] == ["f-01"]
    assert [each.id for each in read_feedback(path, consented=False)] == ["f-01", "f-02"]


def test_unknown_fields_are_let_pass() -> None:
    assert parse_row(json.dumps(row(weather="fine"))).id == "f-01"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"schema": "passerine.feedback/2"}, "schema"),
        ({"kind": "shrug"}, "shrug"),
        ({"label": 7}, "label"),
        ({"label": None}, "label"),
        ({"a": None}, "pair"),
        ({"dialogue": [{"role": "king", "text": "hm"}]}, "king"),
        ({"at": "yesterday"}, "yesterday"),
    ],
)
def test_a_row_of_another_shape_is_named_with_its_line(tmp_path: Path, fields: dict[str, Any], word: str) -> None:
    path = written(tmp_path / "f.jsonl", row(), row(**fields))
    with pytest.raises(BadInput) as caught:
        list(read_feedback(path))
    assert "f.jsonl, line 2" in caught.value.message
    assert word in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        list(read_feedback(tmp_path / "none.jsonl"))


def test_a_candidate_is_read_in_training_as_it_is_when_it_is_drafted() -> None:
    text = "The lander was steered by hand."
    found = Hit(Passage("p", "d", 0, 0, len(text), text), Document("d", "", "The_lander", text), 0.9)
    asked = Conversation((Turn("user", "Who steered the lander?"),))
    for words in (text, f"By hand. “{text}”", "A computer did it."):
        candidate = Candidate(words, "by hand", (found,), (Quote("d", 0, len(text), text),), -0.1)
        evidence = [{"title": "The_lander", "text": text, "score": 0.9}]
        exported = {**SAID, "text": words, "quotes": [text], "evidence": evidence}
        read = parse_row(json.dumps(row(a=exported)))
        assert read.a is not None
        assert draft_of(read, read.a) == draft(asked, candidate)
