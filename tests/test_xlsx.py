"""Excel workbooks: what a person sees of their sheets, and one clear reason for each that fails."""

import io
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import openpyxl
import pytest

from indexing.extract import Extracted, extract_page
from indexing.formats.xlsx import shown
from indexing.types import ExtractFailed

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def read(data: bytes, limit: int = 1 << 22) -> Extracted:
    (found,) = extract_page(data, "https://example.org/prices.xlsx", "s", "k", NOON, kind="xlsx", limit=limit)
    return found


def workbook(**sheets: list[list[Any]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    return book


def saved(book: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def changed(data: bytes, part: str, old: str, new: str) -> bytes:
    """A workbook with something else in one of its parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, content.replace(old.encode(), new.encode()) if name == part else content)
    return file.getvalue()


def test_a_sheet_is_its_tables_and_what_stands_around_them() -> None:
    rows = [["Prices 2026"], [], ["Machine", "Day", "From"], ["Lift", 92.0, date(2026, 1, 31)], [], ["Without VAT."]]
    found = read(saved(workbook(Prices=rows, Empty=[])))
    assert found.document.text == "Prices 2026\n\nMachine: Lift; Day: 92; From: 2026-01-31.\n\nWithout VAT."
    assert found.marks == ()
    assert found.document.metadata["type"] == "xlsx"


def test_several_sheets_have_headings_and_hidden_ones_are_left_out() -> None:
    rows = [["Part", "Kilograms"], ["Helmet", 4]]
    book = workbook(Suits=rows, Draft=rows, Pumps=rows)
    book["Draft"].sheet_state = "hidden"
    found = read(saved(book))
    assert found.document.text == "Suits\n\nPart: Helmet; Kilograms: 4.\n\nPumps\n\nPart: Helmet; Kilograms: 4."
    assert [mark.heading for mark in found.marks] == ["Suits", "Pumps"]


def test_cells_are_read_with_their_formats() -> None:
    book = workbook(Prices=[["Machine", "Price", "Discount"], ["Lift", 1260, 0.125]])
    book["Prices"]["B2"].number_format, book["Prices"]["C2"].number_format = '"£"#,##0.00', "0.0%"
    assert read(saved(book)).document.text == "Machine: Lift; Price: £1,260.00; Discount: 12.5%."


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        (12.0, "General", "12"),
        (0.1 + 0.2, "General", "0.3"),
        (0.2, "0%", "20%"),
        (-5, '_-"£"* #,##0.00_-', "-£5.00"),
        (1260.5, "[$£-809]#,##0.00;[Red]-[$£-809]#,##0.00", "£1,260.50"),
        (1260.5, "#,##0.00\\ [$€-407]", "1,260.50 €"),
        (5, '0 "kg"', "5 kg"),
        (7, "000", "007"),
        (1.5, "# ?/?", "1.5"),
        (float("nan"), "General", "nan"),
        (True, "General", "TRUE"),
        (datetime(2026, 1, 31), "dd/mm/yy", "2026-01-31"),
        (datetime(2026, 1, 31, 9, 30), "dd/mm/yy", "2026-01-31 09:30"),
        (time(9, 30), "hh:mm", "09:30"),
        (timedelta(hours=30), "[h]:mm", "30:00"),
    ],
)
def test_values_are_shown_as_a_person_sees_them(value: object, form: str, expected: str) -> None:
    assert shown(value, form) == expected


def test_what_is_wrong_with_a_workbook_is_said() -> None:
    good = saved(workbook(Prices=[["Part", "kg"], ["Helmet", 4]]))
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    cases = {
        "damaged Excel": [
            b"no workbook",
            good[: len(good) // 2],
            changed(good, "xl/worksheets/sheet1.xml", "<row", "<"),
        ],
        "password": [old + "EncryptedPackage".encode("utf-16-le")],
        "before 2007": [old],
        "no text of its own": [saved(workbook(Empty=[]))],
        "empty": [b" "],
    }
    for reason, files in cases.items():
        for data in files:
            with pytest.raises(ExtractFailed, match=reason) as caught:
                read(data)
            assert "prices.xlsx" in caught.value.message
            assert caught.value.hint


@pytest.mark.parametrize(("row", "cell"), [("1", "XFD1"), ("99999999999", "A99999999999")])
def test_a_sheet_that_is_wide_or_long_beyond_measure_is_refused(row: str, cell: str) -> None:
    good = saved(workbook(Prices=[[1]] * 300))
    wide = changed(good, "xl/worksheets/sheet1.xml", '<row r="1"', f'<row r="{row}"')
    wide = changed(wide, "xl/worksheets/sheet1.xml", '<c r="A', f'<c r="{cell}')
    with pytest.raises(ExtractFailed, match="more cells than are read"):
        read(wide)


def test_a_workbook_that_unpacks_to_more_than_is_read_is_refused() -> None:
    good = saved(workbook(Prices=[["Part", "kg"], ["Helmet", 4]]))
    with pytest.raises(ExtractFailed, match="unpack"):
        read(changed(good, "xl/worksheets/sheet1.xml", "Helmet", "H" * 5_000_000), limit=1 << 20)
