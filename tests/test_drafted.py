"""The support judge learns from what the policy itself drafts, right and wrong."""

import gzip
import json
from pathlib import Path

import pytest

from models.reader import Reader
from rewards.drafted import Drafted, drafted_examples, is_right

BRIDGES = {
    "Halden bridge": "The Halden bridge crosses the river Orne. It was designed by Marta Lindqvist and opened in 1934.",
    "Tarn bridge": "The Tarn bridge was designed by Olaf Berg. Floods closed it for three weeks in 1952.",
    "Mill bridge": "The Mill bridge is made of oak. Its third arch fell into the river Saar in 1871.",
    "Frogs": "Tree frogs have discs on their toes. They hunt at night and sleep on leaves by day.",
}


def row(number: int, title: str, question: str, answer: str = "") -> dict[str, object]:
    return {
        "id": str(number), "lang": "en", "title": title, "context": BRIDGES[title], "question": question,
        "answers": [answer] if answer else [], "answerable": bool(answer), "answer_starts": [],
    }  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    squad = [
        row(1, "Halden bridge", "Who designed the Halden bridge?", "Marta Lindqvist"),
        row(2, "Halden bridge", "Who painted the Halden bridge?"),
        row(3, "Tarn bridge", "Who designed the Tarn bridge?", "Olaf Berg"),
        row(4, "Mill bridge", "What is the Mill bridge made of?", "oak"),
        row(5, "Frogs", "When do tree frogs hunt?", "at night"),
    ]
    (tmp_path / "qa").mkdir()
    for name, rows in (("squad", squad), ("drcd", []), ("cmrc", [])):
        text = "".join(json.dumps(one) + "\n" for one in rows)
        (tmp_path / "qa" / f"{name}.test.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    return tmp_path


def test_drafts_are_of_the_own_passage_and_of_others_and_each_has_its_label(data: Path, reader: Reader) -> None:
    made = drafted_examples(data, "test", reader, data / "kept.jsonl")
    right = [one for one in made if one.label == 1.0]
    assert {"Marta Lindqvist", "Olaf Berg"} <= {one.draft.short for one in right}
    assert all(one.kind == "own-passage" for one in right)
    assert {one.kind for one in made} >= {"own-passage", "other-passage", "unanswerable-own-passage"}
    assert all(one.label == 0.0 for one in made if one.draft.question == "Who painted the Halden bridge?")


def test_a_killed_run_goes_on_from_what_it_kept(data: Path, reader: Reader) -> None:
    kept = data / "kept.jsonl"
    whole = drafted_examples(data, "test", reader, kept)
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[:2]) + lines[2][:20])
    assert drafted_examples(data, "test", reader, kept) == whole
    assert drafted_examples(data, "test", reader, kept) == whole


def test_a_draft_is_right_when_its_quote_holds_an_answer_and_its_bare_answer_says_one() -> None:
    def draft(short: str, quote: str) -> Drafted:
        return Drafted("", f"{short}. “{quote}”", short, (quote,), -1.0)

    quote = "It was designed by Marta Lindqvist in 1931."
    assert is_right(draft("Marta Lindqvist", quote), ["Lindqvist"])
    assert is_right(draft("", quote), ["Lindqvist"])
    assert not is_right(draft("1931", quote), ["Lindqvist"])
    assert not is_right(draft("Lindqvist", "Lindqvist was born in Halden."), ["1931"])
