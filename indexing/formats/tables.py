"""A table -> lines of text, one for each row: every cell with the name of its column, where the names are known."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

LABEL = 100
"""Characters of the longest cell that is given again in each row it spans: a label tells of each, a text of all."""

ROOM = 50_000_000
"""Characters that the names of columns may take: a table of one digit a cell grows fiftyfold with them."""

_NAME = 60
"""Characters of the longest cell of a first row that is taken for the names of the columns."""

_LONG = 40
"""A second of two cells that is longer is a text about the first, not the name of a column."""

_NUMERIC = 2 / 3
"""Share of the rows of two columns that have a figure in the second where the first row names them: a form has some."""

_HEADER = 5
"""Rows of the highest header."""

_SPAN = 50
"""Columns under one cell that take their names from it."""

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_DIGIT = re.compile(r"\d")
_ASKED = re.compile(r"[?？!！.。…]$")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_VALUE = re.compile(
    rf"(?:[^\w\s]|[A-Z]{{3}}|{_MONTH})*\s*\d(?:[\d\s.,:/–—-]|{_MONTH}|[年月日])*(?:[^\W\d_]{{1,3}}|[^\w\s]+)?",
    re.IGNORECASE,
)
"""A number, a date or an amount with nothing beside it but a sign, a currency or a unit."""


class Cell(NamedTuple):
    """The text of a cell on one line, the column that it begins in, and how many it spans."""

    text: str
    column: int
    span: int = 1


Row = Sequence[Cell]


def cells(texts: Iterable[str]) -> list[Cell]:
    """A row of cells that stand side by side."""
    return [Cell(" ".join(text.split()), column) for column, text in enumerate(texts)]


def is_chinese(text: str) -> bool:
    return len(_HAN.findall(text)) > len(_LATIN.findall(text))


def labelled(name: str, text: str, chinese: bool) -> str:
    """A name and what it says, with the colon of its language; a question needs none.

    >>> labelled("City", "London", False), labelled("城市：", "伦敦", True), labelled("How old?", "21.", False)
    ('City: London', '城市：伦敦', 'How old? 21.')
    """
    name = name.rstrip(":： ")
    colon = "" if _ASKED.search(name) else "：" if chinese else ":"
    return f"{name}{colon}{'' if chinese else ' '}{text}" if name else text


def lines(rows: Sequence[Row], header: int = 0, keyed: bool = False, room: int = ROOM) -> list[str]:
    """The rows that hold anything, a line each.

    `header` is the number of first rows that are known to name the columns, blank where they have no names; where it
    is 0, the cells decide. `keyed` tells that each row begins with its own name. Without names, cells stand side by
    side with bars between them. `room` is the most that the names may take.
    """
    header = min(header, _HEADER)
    head, body = _filled(rows[:header]), _filled(rows[header:])
    captions: list[Row] = []
    if head:
        captions = [row for row in head if _alone(row) and row[0].span > 1]
        head = [row for row in head if row not in captions]
    elif not keyed:
        captions, body = _captions(body)
        keyed = _have_keys(body) if header else _is_keyed(body)
        if not keyed and not header and has_header(body):
            head, body = body[:1], body[1:]
    names = _names(head)
    longest, taken = max(map(len, names.values()), default=0), len(body) * sum(map(len, names.values()))
    if body and names and longest <= LABEL and taken <= room:
        chinese = is_chinese(" ".join(names.values()))
        first = {column: labelled(name, "", chinese) for column, name in names.items()}
        found = [_named(row, names, first, chinese) for row in body]
    elif keyed:
        chinese = is_chinese(" ".join(row[0].text for row in body))
        found = [_with_key(row, chinese) for row in body]
    else:
        found = [" | ".join(cell.text for cell in row).strip() for row in (*head, *body)]
    return [*(_texts(row)[0] for row in captions), *found]


def _texts(row: Row) -> list[str]:
    return [cell.text for cell in row if cell.text]


def _filled(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if any(cell.text for cell in row)]


def _alone(row: Row) -> bool:
    """Whether only the first cell of a row says something."""
    return bool(row[0].text) and not any(cell.text for cell in row[1:])


def _captions(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """The titles above a table, of one cell each, and its rows."""
    if all(len(row) == 1 and row[0].span == 1 for row in rows):
        return [], rows
    first = next((index for index, row in enumerate(rows) if len(_texts(row)) > 1), len(rows))
    return rows[:first], rows[first:]


def has_header(rows: Sequence[Row]) -> bool:
    """Whether the first row names the columns: short words, each another, over all that the rows below fill."""
    if len(rows) < 2 or not _are_names(rows[0][1:] if len(rows[0]) > 2 and not rows[0][0].text else rows[0]):
        return False
    width = rows[0][-1].column + 1
    if width < 2 or any(cell.text and cell.column + cell.span > width for row in rows for cell in row):
        return False
    return width > 2 or len(rows) > 2 or bool(_DIGIT.search(_second(rows[1])))


def _is_keyed(rows: Sequence[Row]) -> bool:
    """Whether rows of two cells are names with what they say, rather than two columns with names above them."""
    if not _have_keys(rows):
        return False
    second = _second(rows[0])
    if len(rows) < 2 or _DIGIT.search(second) or len(second) > _LONG or rows[0][0].text.endswith((":", "：")):
        return True
    numeric = sum(bool(_DIGIT.search(_second(row))) for row in rows[1:])
    return numeric < _NUMERIC * (len(rows) - 1)


def _have_keys(rows: Sequence[Row]) -> bool:
    return bool(rows) and all(len(row) == 2 for row in rows) and _are_names([row[0] for row in rows])


def _second(row: Row) -> str:
    return row[1].text if len(row) > 1 else ""


def _are_names(row: Row) -> bool:
    """Whether the cells are short, each another, and none is a bare value."""
    texts = [cell.text for cell in row]
    if not all(0 < len(text) <= _NAME and not _VALUE.fullmatch(text) for text in texts):
        return False
    return len({text.casefold() for text in texts}) == len(texts) and all(cell.span == 1 for cell in row)


def _names(head: Iterable[Row]) -> dict[int, str]:
    """The name of each column: what the rows of the header say above it, from the top."""
    found: dict[int, list[str]] = {}
    for row in head:
        for cell in row:
            for column in range(cell.column, cell.column + min(cell.span, _SPAN)):
                if cell.text and cell.text not in found.setdefault(column, []):
                    found[column].append(cell.text)
    return {column: " ".join(texts) for column, texts in found.items() if texts}


def _named(row: Row, names: Mapping[int, str], first: Mapping[int, str], chinese: bool) -> str:
    """A row as one sentence; `first` is what a cell of one column begins with."""
    if _alone(row):
        return row[0].text
    parts: list[str] = []
    for text, column, span in row:
        if text and span == 1:
            parts.append(first.get(column, "") + text)
        elif text:
            above = filter(None, (names.get(under) for under in range(column, column + min(span, _SPAN))))
            parts.append(labelled(("、" if chinese else ", ").join(dict.fromkeys(above)), text, chinese))
    return _sentence(parts, chinese)


def _with_key(row: Row, chinese: bool) -> str:
    texts = _texts(row)
    if _alone(row) or not row[0].text:
        return " | ".join(texts)
    return _sentence([labelled(texts[0], texts[1], chinese), *texts[2:]], chinese)


def _sentence(parts: Iterable[str], chinese: bool) -> str:
    text = ("；" if chinese else "; ").join(parts)
    return text if text.endswith((".", "。", "!", "！", "?", "？", "…")) else text + ("。" if chinese else ".")
