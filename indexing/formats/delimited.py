"""CSV and TSV: rows of cells with a delimiter between them -> a table."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from indexing.formats.draft import Draft, TextBuilder, visible
from indexing.formats.tables import cells

_DELIMITERS = ",;\t|"
_SAMPLE = 50
"""Rows that are looked at to find the delimiter."""

_DECLARED = re.compile(r"\A\s*sep=(.)[^\S\n]*\n", re.IGNORECASE)


def read_delimited(text: str) -> Draft:
    """The rows of the file as one table; it names itself only by its file name."""
    text = visible(text)
    declared = _DECLARED.match(text)  # a line that Excel writes
    source = text[declared.end() if declared else 0 :].split("\n")
    builder = TextBuilder()
    builder.table([cells(row) for row in _records(source, declared[1] if declared else _delimiter(source))])
    return Draft(text=builder.text())


def _records(source: Sequence[str], delimiter: str) -> list[list[str]]:
    """The rows; where quotation marks do not close, they are characters like all others."""
    try:
        return list(csv.reader(_ended(source), delimiter=delimiter, strict=True))
    except csv.Error:
        return [line.split(delimiter) for line in source]


def _ended(source: Sequence[str]) -> list[str]:
    return [line + "\n" for line in source]


def _delimiter(source: Sequence[str]) -> str:
    """The one that cuts most of the first rows into the same number of cells, and into the most of them."""
    return max(_DELIMITERS, key=lambda delimiter: _fit(source, delimiter))


def _fit(source: Sequence[str], delimiter: str) -> tuple[float, int]:
    try:
        sample = list(islice(csv.reader(_ended(source[: 10 * _SAMPLE]), delimiter=delimiter), _SAMPLE))
    except csv.Error:
        sample = [line.split(delimiter) for line in source[:_SAMPLE]]
    widths = Counter(len(row) for row in sample if len(row) > 1)
    width, often = widths.most_common(1)[0] if widths else (0, 0)
    return often / max(1, len(sample)), width
