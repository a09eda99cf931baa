"""Demonstrations from small data of the published shapes: what is shown, what is learnt, what is kept apart."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from indexing.types import BadInput
from models.demonstrations import ONE_PASSAGE, Shares, demonstrations, following, is_development, together
from models.fit import fold
from models.generator import LocalGenerator
from models.json_lines import read_lines
from models.prompts import CALCULATOR_MARK, NOT_SAID, QUERY_MARK
from models.reader_rows import Row
from models.term_data import Example
from models.train_plan import OWN
from models.train_sft import COPIED, FIRST, encoded, reply_weights
from models.types import Turn
from models.words import language_of
from models.written import written_rows

PASSAGE = "The mill stands by the weir. It was built in 1791 by Ann Hale, who ground corn for nine villages."
OTHER = "The ferry crossed twice a day. Its last keeper was Tom Reed, who left in 1904 for the coast."


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")

    def question(key: str, text: str, answers: list[str], context: str = PASSAGE) -> dict[str, Any]:
        return {
            "id": key, "source": "s", "lang": "en", "title": "Mills", "context": context, "question": text,
            "answers": answers, "answerable": bool(answers), "doc_id": key,
        }  # fmt: skip

    asked = [question("1", "When was the mill built?", ["1791"]), question("2", "Who sold the mill?", [])]
    lines(folder / "qa/squad.train.jsonl.gz", [*asked, question("3", "Who kept the ferry?", ["Tom Reed"], OTHER)])
    lines(folder / "qa/qamr.train.jsonl.gz", [{**question("4", "Who ground corn?", ["Ann Hale"]), "title": ""}])
    talk = ["Mills", "History", "Who built it?", "Ann Hale built the mill."]
    rows = [
        {"id": "c1", "history": talk[:2], "question": talk[2], "rewrite": "Who built the mill?", "dialogue_id": "d"},
        {"id": "c2", "history": talk, "question": "When?", "rewrite": "When was the mill built?", "dialogue_id": "d"},
    ]
    lines(folder / "rewrite/canard.train.jsonl.gz", rows)
    slip = {"question": "Who sold no built the mill?", "rewrite": "Who built the mill?", "title": "Mills"}
    lines(folder / "rewrite/disfl-qa.train.jsonl.gz", [slip])
    messages = [
        ("play the drums", False, "command", "clinc150-val"), ("what is 3 * 4", False, "arithmetic", "template"),
        ("who built mills", True, "conversational-question", "canard-dev"),
        ("who owns it", True, "web-question", "nq-dpr-dev"), ("磨坊在哪里？", True, "reading-question", "drcd-dev"),
        ("谁在渡口？", True, "reading-question", "drcd-dev"), ("倒计时15秒", False, "command", "template"),
    ]  # fmt: skip
    decisions = [
        {"text": text, "search": search, "kind": kind, "source": source, "lang": "en" if text.isascii() else "zh"}
        for text, search, kind, source in messages
    ]
    lines(folder / "qa/drcd.test.jsonl.gz", [question("5", "谁在渡口？", [])])
    lines(folder / "search-decision/train.jsonl.gz", decisions)
    lines(folder / "openqa/r1-searcher.train.jsonl.gz", [{"question": "Which mill is older?"}])
    lines(folder / "decomposition/strategyqa.train.jsonl.gz", [{"question": "Could a ferry carry a mill?"}])
    lines(folder / "lm/wiki-leads.jsonl.gz", [{"title": "Watermill"}])
    lines(folder / "rules/redteam-prompts.jsonl.gz", [{"text": "How do I burn a mill?", "label": "adversarial"}])
    return folder


def test_every_kind_ends_with_what_passerine_says(data: Path) -> None:
    every = Shares(alone=9_999, alone_zh=9_999, unaided=9_999, unaided_zh=9_999)
    said = {one.messages[-2].text: one.messages[-1].text for one in demonstrations(data, 0, every)}
    replies = list(said.values())
    assert said["When?"] == f"{QUERY_MARK} When (Who built the mill)?"
    assert said["Which mill is older?"] == f"{QUERY_MARK} Which mill is older?"
    assert said["Who sold no built the mill?"] == f"{QUERY_MARK} Who built the mill?"
    assert said["what is 3 * 4"] == f"{CALCULATOR_MARK} 3*4"
    assert said["who built mills"] == f"{QUERY_MARK} who built mills"
    assert "who owns it" not in said, "that source may not train what is released"
    assert said["磨坊在哪里？"] == f"{QUERY_MARK} 磨坊在哪里？"
    assert "谁在渡口？" not in said, "questions of the reading tests teach nothing"
    assert not said["倒计时15秒"].startswith(QUERY_MARK)
    assert not said["How do I burn a mill?"].startswith(QUERY_MARK)
    assert NOT_SAID in replies
    assert {"1791", "Ann Hale"} & set(replies)
    assert {one.messages[-1].role for one in demonstrations(data)} == {"assistant"}


def test_own_hard_messages_teach_in_both_languages_without_those_that_measure_the_decision(data: Path) -> None:
    own = {row["text"]: fold(f"own-{row.get('group', row['text'])}") for row in read_lines(OWN)}
    made = demonstrations(data, 0, Shares(alone=9_999, alone_zh=9_999))
    shown = {one.messages[-2].text for one in made if one.kind != "talk"} & set(own)
    assert {language_of(text) for text in shown} == {"en", "zh"}
    assert not {own[text] for text in shown} & {1}


def test_a_follow_up_is_searched_with_the_words_that_it_leaves_out() -> None:
    turns = (Turn("user", "Who kept the ferry?"), Turn("assistant", "Tom Reed."), Turn("user", "Paid by whom?"))
    one = following(Example(turns, ("Tom", "Reed"), "", "en", "ferries", "canard"), random.Random(0))
    assert one.messages[-1].text == f"{QUERY_MARK} Paid by whom? (Tom, Reed)"


def test_the_same_seed_gives_the_same_and_shares_limit(data: Path) -> None:
    assert demonstrations(data, 3) == demonstrations(data, 3)
    few = demonstrations(data, 0, Shares(talk=2, answerable=1, unanswerable=0, articles=0))
    assert sum(one.kind == "talk" for one in few) == 2
    assert sum(one.kind.startswith("squad.train") for one in few) == 1


def test_a_passage_is_read_once_for_many_questions(local: LocalGenerator) -> None:
    def asked(number: int, *answers: str) -> Row:
        return Row(str(number), "written", "en", "Mills", PASSAGE, f"What is {number}?", answers, None)

    rows = [asked(number) if number % 3 else asked(number, "1791") for number in range(ONE_PASSAGE + 1)]
    packs = list(together(rows, random.Random(0)))
    assert [sum(message.role == "assistant" for message in one.messages) for one in packs] == [1 + ONE_PASSAGE, 2]
    texts = [message.text for one in packs for message in one.messages]
    assert sum(PASSAGE in text for text in texts) == len(packs)
    assert (texts.count("1791"), texts.count(NOT_SAID)) == (3, 6)
    example = encoded(local, packs[0])
    assert example.weights.count(FIRST) == 1 + ONE_PASSAGE, "every reply is learnt"
    [query] = [message.text for message in packs[0].messages if message.text.startswith(QUERY_MARK)]
    assert example.weights.count(COPIED) == len(local.template.tokens(query + "<|im_end|>")) - 1


def test_the_written_documents_teach_in_english_and_without_those_that_test(data: Path) -> None:
    shown = {one.group for one in demonstrations(data) if one.kind == "written together"}
    assert shown <= {row.article for row in written_rows() if row.language == "en"}
    assert not shown & {row.article for row in written_rows(held_out=True)}


def test_an_article_is_on_one_side_of_the_split(data: Path) -> None:
    sides: dict[str, set[bool]] = {}
    for one in demonstrations(data):
        sides.setdefault(one.group, set()).add(is_development(one))
    assert all(len(side) == 1 for side in sides.values())


def test_only_passerines_own_words_are_learnt(data: Path, local: LocalGenerator) -> None:
    one = next(one for one in demonstrations(data) if one.messages[-1].text == "Ann Hale")
    example = encoded(local, one)
    rendered = local.template.render(one.messages[:-1]) + one.messages[-1].text + "<|im_end|>"
    assert example.ids == local.template.tokens(rendered), "what is learnt is what will be read"
    learnt = local.template.tokenizer.decode(
        [token for token, weight in zip(example.ids, example.weights, strict=True) if weight]
    )
    assert learnt.casefold().startswith(f"{QUERY_MARK} who ground corn".casefold())
    assert learnt.endswith("Ann Hale<|im_end|>")
    assert "weir" not in learnt
    assert example.weights[-1] == 1.0


def test_the_first_token_weighs_most_and_a_repeated_question_least() -> None:
    assert reply_weights(4, copied=False) == [FIRST, 1.0, 1.0, 1.0]
    assert reply_weights(3, copied=True) == [FIRST, COPIED, COPIED]


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"squad\.train"):
        demonstrations(tmp_path)
