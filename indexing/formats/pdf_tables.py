"""Tables of a PDF page: cells are found by where they stand, since the text has only blanks between them."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from indexing.formats.draft import visible
from indexing.formats.tables import Cell, lines

if TYPE_CHECKING:
    from pypdfium2 import PdfTextPage

APART = 0.75
"""Two cells stand further apart than this share of their line's height; words stand nearer, also in typewriter
letters (about .5) and in justified lines."""
FEWEST_ROWS, FEWEST_COLUMNS = 3, 3
"""Text in two columns, and a line or two that chance to stand below each other, are no table."""
FULL = 0.6
"""Share of a table's lines that have FEWEST_COLUMNS cells."""
LONGEST = 80
"""Characters of a cell: columns of running text are longer."""


class Piece(NamedTuple):
    """Text that stands together on a line, from `left` to `right` in points."""

    text: str
    left: float
    right: float


Line = Sequence[Piece]
Box = tuple[float, float, float, float]
"""Left, bottom, right and top of a letter in points."""
WORD = re.compile(r"\S+")


def page_lines(page: "PdfTextPage") -> list[Line]:
    """The lines of a page in its order, each with what stands together on it."""
    found: list[Line] = []
    start = 0
    for line in page.get_text_range().splitlines(keepends=True):
        words = [(word.group(), start + word.start(), start + word.end() - 1) for word in WORD.finditer(line)]
        found.append(pieces([(word, _box(page, first), _box(page, last)) for word, first, last in words]))
        start += len(line)
    return found


def _box(page: "PdfTextPage", letter: int) -> Box:
    left, bottom, right, top = page.get_charbox(letter, loose=True)  # with the room that its font gives every letter
    return left, bottom, right, top


def pieces(words: Sequence[tuple[str, Box, Box]]) -> Line:
    """The pieces of a line from its words with the boxes of their first and last letters."""
    high = max((top - bottom for _, *boxes in words for _, bottom, _, top in boxes), default=0.0)
    made: list[Piece] = []
    for word, (left, *_), (_, _, right, _) in words:
        if made and made[-1].left <= left <= made[-1].right + APART * high:
            made[-1] = Piece(f"{made[-1].text} {word}", made[-1].left, right)
        else:
            made.append(Piece(word, left, right))
    return made


def bands(table: Sequence[Line]) -> list[tuple[float, float]]:
    """The columns of some lines: where their pieces stand, those that overlap as one, from the left."""
    found: list[tuple[float, float]] = []
    for piece in sorted((piece for line in table for piece in line), key=lambda piece: piece.left):
        if found and piece.left <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], piece.right))
        else:
            found.append((piece.left, piece.right))
    return found


def rows(table: Sequence[Line]) -> list[list[Cell]] | None:
    """The cells of some lines by column, None where they are no table: too few of them, or two pieces of a line in one
    column."""
    columns = bands(table)
    if len(table) < FEWEST_ROWS or len(columns) < FEWEST_COLUMNS:
        return None
    if sum(len(line) >= FEWEST_COLUMNS for line in table) < FULL * len(table):
        return None
    made = []
    for line in table:
        at = [next(n for n, (left, right) in enumerate(columns) if left <= piece.left <= right) for piece in line]
        if len(set(at)) < len(at) or any(len(piece.text) > LONGEST for piece in line):
            return None
        said = dict(zip(at, (visible(piece.text) for piece in line), strict=True))
        made.append([Cell(said.get(n, ""), n) for n in range(len(columns))])
    return made


def tables(page: Sequence[Line]) -> list[tuple[list[str], list[str]]]:
    """The tables of a page: the lines that each takes up as they are written, and its rows with named cells."""
    found = []
    start = 0
    while start < len(page):
        stop, table = start + FEWEST_ROWS, None
        while stop <= len(page) and len(page[start]) >= FEWEST_COLUMNS and len(page[stop - 1]) > 1:
            longer = rows(page[start:stop])
            if longer is None:
                break
            stop, table = stop + 1, longer
        if table:
            found.append(([written(line) for line in page[start : start + len(table)]], lines(table)))
        start += len(table or "1")
    return found


def written(line: Line) -> str:
    """The words of a line, a blank between each."""
    return " ".join(piece.text for piece in line)


def with_rows(text: str, found: Sequence[tuple[list[str], list[str]]]) -> str:
    """A page's text with the lines of its tables replaced, as far as they stand there as they were found."""
    page = text.split("\n")
    plain = [" ".join(line.split()) for line in page]
    for before, after in found:
        for start in range(len(plain) - len(before) + 1):
            if plain[start : start + len(before)] == before:
                page[start : start + len(before)] = ["", *after, ""]
                plain[start : start + len(before)] = ["", *after, ""]
                break
    return "\n".join(page)
