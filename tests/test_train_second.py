"""The judges for evaluation only: English, apart from what the product's judges learnt, and measured rule by rule."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.fit import fold
from models.reader_rows import read_rows
from rewards.preference_data import pair_rankings
from rewards.readings import Draft
from rewards.rule_data import RuleExample, harmless
from rewards.support_data import held_out, reading_examples
from rewards.train_second import english, rule_rows
from tests.evaluation_data import lines, put


@pytest.mark.parametrize(
    ("question", "answer", "reads"),
    [("When?", "In 1791.", True), ("什么时候？", "In 1791.", False), ("When?", "1791年。", False), ("", "", True)],
)
def test_only_english_is_read(question: str, answer: str, reads: bool) -> None:
    assert english(Draft(question, answer)) is reads


def test_each_rule_is_measured_on_the_lines_that_know_it() -> None:
    def line(text: str, **labels: float) -> RuleExample:
        named = {name.replace("_", "-"): value for name, value in labels.items()}
        return RuleExample(Draft("", text), named, "written no-hate", "test", "en", text)

    test = [line(f"line {n}", no_hate=float(n % 2), no_threats=1.0) for n in range(8)]
    right = np.array([[0.9 if n % 2 else 0.1, 0.5] for n in range(8)])
    rows = rule_rows(right, np.full((8, 2), 0.5), test, ("no-hate", "no-threats"))
    assert [row[0] for row in rows] == ["rule", "no-hate", "mean"], "a rule that no line breaks has no figure"
    assert rows[1][1].startswith("1.000")
    assert rows[1][2].startswith("0.500")
    assert rows[2][1] == "1.000"


def test_the_lines_of_a_topic_are_drawn_together() -> None:
    test = [
        RuleExample(Draft("", f"line {n}"), {"no-hate": float(n % 2)}, "written no-hate", "test", "en", f"{n // 20}")
        for n in range(120)
    ]
    said = np.array([[float(n % 2) if n % 60 < 40 else 0.5] for n in range(120)])
    grouped, alone = (
        rule_rows(said, said, lines, ("no-hate",))[1][1]
        for lines in (test, [replace(one, group=one.draft.answer) for one in test])
    )
    assert width(grouped) > 1.5 * width(alone)


def width(cell: str) -> float:
    """Of the interval in a cell."""
    low, high = cell.partition("[")[2].partition("]")[0].split(", ")
    return float(high) - float(low)


def test_a_dialogue_and_a_passage_are_on_one_side_for_every_trainer(tmp_path: Path) -> None:
    asked = "Is it wrong to keep a purse that one has found, and what would you do with the money? "
    begins = [f"{number} {asked * 2}" for number in range(60)]
    dialogues = [
        {"dialogue": [{"text": text}], "a": "Yes.", "b": "No.", "label": "a", "evidence": ""} for text in begins
    ]
    put(tmp_path, "preference/hh-harmless.train.jsonl.gz", lines(dialogues))
    sides = {one.draft.question: one.part == "dev" for one in harmless(tmp_path)}
    ranked = {one.drafts[0].question: held_out(one.group) for one in pair_rankings(dialogues, "hh-harmless")}
    assert sides == ranked
    assert set(sides.values()) == {True, False}

    context = "A long passage without a title about a purse that was found beside number {}."
    texts = [context.format(number) for number in range(60)]
    rows = [
        {"title": "", "context": text, "question": "What was found?", "answers": ["a purse"], "id": text, "lang": "en",
         "answerable": True}
        for text in texts
    ]  # fmt: skip
    put(tmp_path, "qa/qamr.train.jsonl.gz", lines(rows))
    learnt = {row.context: fold(row.article) == 0 for row in read_rows(tmp_path / "qa" / "qamr.train.jsonl.gz")}
    judged = {one.group.partition(":")[2]: held_out(one.group) for one in reading_examples(rows, "qamr", 0)}
    assert judged == learnt
