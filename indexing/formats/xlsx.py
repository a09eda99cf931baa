"""Excel workbooks: the tables of each sheet, with values as they are shown."""

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from indexing.formats.dates import as_utc
from indexing.formats.draft import Draft, TextBuilder
from indexing.formats.office import ZIP_ERRORS, Office
from indexing.formats.tables import Cell, cells
from indexing.types import ExtractFailed

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

_EXCEL = Office("Excel", "Excel workbook", ".xlsx")
_CELL = 10
"""Bytes of the size limit that each cell takes, also an empty one: a sheet of one cell can be a billion wide."""

_HIDDEN = re.compile(r'"|\\|[_*].|\[(?!\$)[^\]]*\]|\[\$|(?<=[^\d\]])-[0-9A-Fa-f]+\]|\]')
"""What a number format has around its words: quotation marks, widths, colours, the country of a currency."""

_FORMAT = re.compile(r"(?P<before>[^#0?.,]*)(?P<places>[#0?,]+)(?:\.(?P<decimals>0+))?(?P<after>[^#0?.,]*)")


def read_xlsx(data: bytes, name: str, limit: int) -> Draft:
    """Text of a .xlsx file, a heading for each sheet where there are several.

    Raises ExtractFailed for one that is broken, protected or grows beyond measure.
    """
    import openpyxl

    _EXCEL.check(data, name, limit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions that hold no words
        try:
            with closing(openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)) as book:
                sheets = [(sheet.title, _rows(sheet, name, limit)) for sheet in book.worksheets]
                modified = as_utc(book.properties.modified)
        except (KeyError, ValueError, IndexError, AttributeError, TypeError, SyntaxError, *ZIP_ERRORS) as error:
            raise _EXCEL.broken(name) from error
    sheets = [(title, rows) for title, rows in sheets if rows]
    builder = TextBuilder()
    for title, rows in sheets:
        if len(sheets) > 1:
            builder.heading(1, title)
        for block in _blocks(rows):
            builder.table(block)
    return Draft(text=builder.text(), marks=tuple(builder.marks), published_at=modified)


def _rows(sheet: "ReadOnlyWorksheet", name: str, limit: int) -> list[list[Cell]]:
    """The rows of a sheet, a gap between them as an empty one; none where the sheet is hidden."""
    rows: list[list[Cell]] = []
    if sheet.sheet_state != "visible":
        return rows
    sheet.reset_dimensions()  # what a sheet says of its size need not be so
    taken = 0
    for row in sheet.iter_rows():
        texts = ["" if cell.value is None else shown(cell.value, cell.number_format) for cell in row]
        taken += _CELL + sum(max(_CELL, len(text)) for text in texts)
        if taken > limit:
            raise ExtractFailed(
                f"The sheet {sheet.title} of {name} has more cells than are read.",
                "Split it, or raise the size limit.",
            )
        if any(texts):
            rows.append(cells(texts))
        elif rows and rows[-1]:
            rows.append([])
    return rows


def _blocks(rows: Iterable[list[Cell]]) -> Iterator[list[list[Cell]]]:
    """The rows between empty ones: a title, a table, a note below it."""
    block: list[list[Cell]] = []
    for row in rows:
        if row:
            block.append(row)
        elif block:
            yield block
            block = []
    if block:
        yield block


def shown(value: object, form: str = "General") -> str:
    """The value of a cell as Excel shows it in a number format; a format that is not understood shows the number.

    >>> shown(0.125, "0.0%"), shown(1260, '"£"#,##0'), shown(12.0), shown(datetime(2026, 1, 31))
    ('12.5%', '£1,260', '12', '2026-01-31')
    """
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, time):
        return value.isoformat("minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes = round(value.total_seconds() / 60)
        return f"{minutes // 60}:{minutes % 60:02}"
    return _number(value, form) if isinstance(value, int | float) else str(value)


def _number(value: float, form: str) -> str:
    found = _FORMAT.fullmatch(_HIDDEN.sub("", (form or "General").split(";")[0]))
    if found is None:
        return str(int(value)) if float(value).is_integer() else f"{value:.12g}"
    value = value * 100 if "%" in found["after"] else value
    comma = "," if "," in found["places"] else ""
    whole, _, decimals = f"{abs(value):{comma}.{len(found['decimals'] or '')}f}".partition(".")
    digits = whole.zfill(found["places"].count("0")) + (f".{decimals}" if decimals else "")
    return f"{'-' if value < 0 else ''}{found['before']}{digits}{found['after']}".strip()
