"""Rows of tables: which of them a question is about."""

import pytest

from models.spans import Span, fitting
from models.table_rows import asked_cells, other_rows, rows

HIRE = (
    "Rates\n\nModel: Mini loader ZX-7; Day: £85; Week: £340.\nModel: Tower lamp TL-2; Day: £22; Week: £88.\n\nAsk us."
)
LEAVE = "假别：婚假；天数：13 天；所需材料：结婚证复印件。\n假别：病假；天数：按医嘱；所需材料：病假条、病历。"
LEVELS = "Severity: SEV1; First response: 15 minutes.\nSeverity: SEV2; First response: 30 minutes."
ROTA = (
    "Date: 2026-05-01; Day: Friday; On call: Ann Reed.\nDate: 2026-05-09; Day: Saturday; On call: Bo Lind.\n"
    "Date: 2026-05-19; Day: Tuesday; On call: Cy Marsh."
)
ROOMS = "Room: Surgery 1; Air changes: 10.\nRoom: Surgery 3; Air changes: 6."
LIMITS = "City: London; Hotel limit: £165; Meals: £38.\nOther towns in the UK; Hotel limit: £95; Meals: £30."


@pytest.mark.parametrize(
    ("question", "passage", "left"),
    [
        ("weekly price of the zx-7", HIRE, ["Tower lamp TL-2"]),
        ("deposit tower lamp", HIRE, ["Mini loader ZX-7"]),
        ("what does a day cost", HIRE, []),
        ("zx-7 or tl-2, which is dearer", HIRE, []),
        ("病假需要什么材料？", LEAVE, ["婚假"]),
        ("年假有几天？", LEAVE, []),
        ("hotel limit in manchester", LIMITS, []),
        ("Weight: 12 kg. What is it?", "Weight: 12 kg.\nLength: 2 m.", []),
    ],
)
def test_rows_that_the_question_names_less_of_are_others(question: str, passage: str, left: list[str]) -> None:
    found = [passage[slice(*bounds)] for bounds in other_rows(question, passage)]
    assert len(found) == len(left)
    assert all(name in line for name, line in zip(left, found, strict=True))


def test_tables_of_other_columns_are_apart() -> None:
    assert [len(table) for table in rows(HIRE + "\n" + LIMITS)] == [2, 2]
    assert rows("City: London; a fine town.\nIt rains; it pours.") == []


def test_the_answer_is_read_in_the_row_that_the_question_names() -> None:
    spans = [Span(HIRE.index("£88"), HIRE.index("£88") + 3, 0.7), Span(HIRE.index("£340"), HIRE.index("£340") + 4, 0.1)]
    assert fitting("weekly price of the zx-7", HIRE, spans) == spans[1:]
    assert fitting("how much for the tower lamp a week", HIRE, spans) == spans[:1]
    assert fitting("how much for a week", HIRE, spans) == spans


@pytest.mark.parametrize(
    ("question", "passage", "cell"),
    [
        ("what can i spend on meals in london", LIMITS, ["£38"]),
        ("hotel limit london?", LIMITS, ["£165"]),
        ("which city has meals for £38", LIMITS, []),
        ("meals", LIMITS, []),
        ("london", LIMITS, []),
        ("price of the tower lamp for a week", HIRE, ["£88"]),
        ("病假需要什么所需材料？", LEAVE, ["病假条、病历"]),
        ("婚假的天数", LEAVE, ["13 天"]),
        ("how fast must we respond to a sev1", LEVELS, ["15 minutes"]),
        ("who is on call on 9 may", ROTA, ["Bo Lind"]),
        ("who is on call on may 19th", ROTA, ["Cy Marsh"]),
        ("who is on call on 20 may", ROTA, []),
        ("air changes in surgery three", ROOMS, ["6"]),
        ("air changes in the other one", ROOMS, []),
        ("Who wrote it?", "Nothing here is a table.", []),
    ],
)
def test_the_cell_where_row_and_column_cross(question: str, passage: str, cell: list[str]) -> None:
    assert [passage[slice(*bounds)] for bounds in asked_cells(question, passage)] == cell


def test_the_crossing_cell_comes_before_all_others() -> None:
    intro = "Limits for one night with breakfast:\n\n" + LIMITS
    wrong = Span(intro.index("breakfast"), intro.index("breakfast") + 9, 0.8)
    best = fitting("what can i spend on meals in london", intro, [wrong])
    assert [intro[span.start : span.end] for span in best] == ["£38", "breakfast"]
    assert [span.probability for span in best] == [0.8, 0.4]
