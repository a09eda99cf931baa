"""Questions about made-up tables: every answer stands where it is said to, and what is lacking is not there."""

import json
from pathlib import Path

import pytest

from indexing.types import BadInput
from models.table_questions import schemas, table_questions
from models.table_rows import rows

SHOP = {
    "title": "Tools for hire",
    "key": "Tool",
    "rows": ["Drill", "Drill, large", "Saw", "Sander", "Pump"],
    "called": {"Pump": ["water pump"]},
    "columns": [
        {"name": "Day", "values": ["£5", "£6"], "ask": ["what do i pay for the {row} till tomorrow"]},
        {"name": "Week", "values": ["£20", "£25"], "ask": ["{row} for seven days?"]},
        {"name": "Deposit", "values": ["£50", "none"], "ask": ["What do you hold back for the {row}?"]},
        {"name": "Shelf", "values": ["A1", "B2"], "ask": ["where is the {row}"]},
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "en.jsonl").write_text(json.dumps(SHOP) + "\n", encoding="utf-8")
    return tmp_path


def test_answers_stand_in_their_cells(folder: Path) -> None:
    made = table_questions(schemas(folder), 20, 0)
    answered = [row for row in made if row.answers]
    assert len(answered) == 60
    for row in answered:
        assert row.start is not None
        assert row.context[row.start :].startswith(row.answers[0])
        [table] = rows(row.context)
        cells = {cell.bounds[0]: cell.column for _, line in table for cell in line}
        assert cells[row.start] in {"Day", "Week", "Deposit", "Shelf"}


def test_a_table_lacks_what_is_asked_for_without_an_answer(folder: Path) -> None:
    lacking = [row for row in table_questions(schemas(folder), 20, 0) if not row.answers]
    assert lacking
    column = {"till tomorrow": "Day", "seven days": "Week", "hold back": "Deposit", "where is": "Shelf"}
    tools = ["drill, large", "drill", "saw", "sander", "pump"]
    for row in lacking:
        asked = next(name for words, name in column.items() if words in row.question.lower())
        tool = next(name for name in tools if name in row.question.lower())
        lines = [line.lower() for line in row.context.split("\n")]
        assert not any(line.startswith(f"tool: {tool};") and f"{asked.lower()}: " in line for line in lines)


def test_the_same_seed_draws_the_same_questions(folder: Path) -> None:
    known = schemas(folder)
    assert table_questions(known, 3, 1) == table_questions(known, 3, 1)
    assert table_questions(known, 3, 1) != table_questions(known, 3, 2)


def test_a_pattern_without_its_row_is_refused(tmp_path: Path) -> None:
    wrong = {**SHOP, "columns": [{"name": "Day", "values": ["1"], "ask": ["how much"]}]}
    (tmp_path / "en.jsonl").write_text(json.dumps(wrong) + "\n", encoding="utf-8")
    with pytest.raises(BadInput, match="has a pattern without"):
        schemas(tmp_path)
