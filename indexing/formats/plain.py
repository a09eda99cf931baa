"""Plain text: the lines of wrapped paragraphs joined, rows of a table with the names of their columns."""

import csv
import re
from collections.abc import Sequence
from itertools import groupby

from indexing.formats.draft import Draft, one_line, visible
from indexing.formats.tables import cells, has_header, lines
from indexing.lines import columns, reflow

_TITLE = 80
_FEWEST = {"\t": 2, "|": 2, ",": 3, ";": 3}
"""Delimiters in the narrowest row of a table: prose has commas too."""

_ROWS = 3
"""Lines that have to look alike before they are taken for a table."""

_CELL = 60
"""Characters of the longest cell between commas or semicolons."""

_RULE = re.compile(r"[\s|:+-]*-[\s|:+-]*")

_Shape = tuple[str, int]


def read_plain(text: str) -> Draft:
    """The title is the first line when it is short and stands alone."""
    parts: list[str] = []
    prose: list[str] = []
    for shape, group in groupby(visible(text).split("\n"), _shape):
        found = list(group)
        if shape is None or len(found) < _ROWS:
            prose += found
            continue
        if prose:
            parts.append(reflow("\n".join(prose)))
        parts += _table(found, shape[0])
        prose = []
    text = "\n".join([*parts, reflow("\n".join(prose))]).strip("\n").rstrip()
    return Draft(text=text, title=_title(text))


def _shape(line: str) -> _Shape | None:
    """The delimiter of a line that may be the row of a table, and how often it stands there."""
    for delimiter, fewest in _FEWEST.items():
        if line.count(delimiter) < fewest:
            continue
        if delimiter in "\t|":
            return (delimiter, line.count(delimiter)) if line.strip(" \t|") else None
        row = _split(line, delimiter)
        if len(row) > fewest and all(len(cell) <= _CELL and cell[:1] != " " for cell in row):
            return delimiter, len(row)
    return None


def _split(line: str, delimiter: str) -> list[str]:
    if delimiter == "|":
        line = line.strip().removeprefix("|").removesuffix("|")
    if delimiter in "\t|":
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return line.split(delimiter)


def _table(found: Sequence[str], delimiter: str) -> list[str]:
    """Lines of one shape as rows with the names of their columns; as they are where nothing names the columns."""
    rules = [_RULE.fullmatch(line) is not None for line in found]
    rows = [cells(_split(line, delimiter)) for line, rule in zip(found, rules, strict=True) if not rule]
    if rules[1] or has_header(rows):
        return lines(rows, header=1)
    return list(found)


def _title(text: str) -> str:
    first, _, rest = text.lstrip().partition("\n")
    title = one_line(first).strip("#=*- ")
    alone = not rest or rest[0] == "\n" or set(rest.split("\n", 1)[0].strip()) <= set("=-~*")
    if (
        title
        and alone
        and columns(title) <= _TITLE
        and not title.endswith((".", "。", ",", "，", ";", "；", ":", "："))
    ):
        return title
    return ""
