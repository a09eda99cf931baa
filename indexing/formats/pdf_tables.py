"""Tables of a PDF page, whose text has only blanks between the cells: found by the lines that are drawn around them, or
else by where they stand."""

import io
import itertools
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from indexing.formats.draft import visible
from indexing.formats.tables import Cell, Row, lines

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage

APART = 0.75
"""Two cells stand further apart than this share of their line's height; words stand nearer, also in typewriter
letters (about .5) and in justified lines."""
FEWEST_ROWS, FEWEST_COLUMNS = 3, 3
"""Text in two columns, and a line or two that chance to stand below each other, are no table unless they are ruled."""
FULL = 0.6
"""Share of a table's lines that have FEWEST_COLUMNS cells; of a ruled one's cells that say something."""
LONGEST = 80
"""Characters of a cell: columns of running text are longer."""
LONGEST_RULED = 600
"""The same inside drawn lines: a longer one is a frame around text."""
RULES, MOST_RULES = 4, 5_000
"""A page with fewer drawn shapes has no ruled table, one with more is a drawing."""


class Piece(NamedTuple):
    """Text that stands together on a line, from `left` to `right` in points."""

    text: str
    left: float
    right: float


class Line(NamedTuple):
    """The pieces of a line, and the height of its middle in points from the page's foot."""

    pieces: Sequence[Piece] = ()
    middle: float = 0.0


class Table(NamedTuple):
    """A table: the numbers of the page's lines that it takes up, and its rows with named cells."""

    taken: Sequence[int]
    rows: Sequence[str]


Box = tuple[float, float, float, float]
"""Left, bottom, right and top of a letter in points."""
WORD = re.compile(r"\S+")


def page_lines(page: "PdfTextPage") -> list[Line]:
    """The lines of a page in its order, each with what stands together on it."""
    found: list[Line] = []
    start = 0
    for line in page.get_text_range().splitlines(keepends=True):
        words = [(word.group(), start + word.start(), start + word.end() - 1) for word in WORD.finditer(line)]
        found.append(placed([(word, _box(page, first), _box(page, last)) for word, first, last in words]))
        start += len(line)
    return found


def _box(page: "PdfTextPage", letter: int) -> Box:
    left, bottom, right, top = page.get_charbox(letter, loose=True)  # with the room that its font gives every letter
    return left, bottom, right, top


def placed(words: Sequence[tuple[str, Box, Box]]) -> Line:
    """A line of words with the boxes of their first and last letters."""
    if not words:
        return Line()
    high = max(top - bottom for _, *boxes in words for _, bottom, _, top in boxes)
    made: list[Piece] = []
    for word, (left, *_), (_, _, right, _) in words:
        if made and made[-1].left <= left <= made[-1].right + APART * high:
            made[-1] = Piece(f"{made[-1].text} {word}", made[-1].left, right)
        else:
            made.append(Piece(word, left, right))
    _, bottom, _, top = words[0][1]
    return Line(made, (bottom + top) / 2)


def tables(page: Sequence[Line], ruled: Sequence[tuple[Box, Sequence[str]]] = ()) -> list[Table]:
    """The tables of a page in its order, given the boxes and rows of those that are `ruled`."""
    found = []
    free = list(page)
    for (left, bottom, right, top), rows in ruled:
        inside = [
            number
            for number, line in enumerate(free)
            if line.pieces and bottom <= line.middle <= top and left <= line.pieces[0].left <= right
        ]
        if inside:
            found.append(Table(inside, rows))
            for number in inside:
                free[number] = Line()
    return sorted([*found, *unruled([line.pieces for line in free])])


def unruled(page: Sequence[Sequence[Piece]]) -> Iterator[Table]:
    """The tables whose cells stand below each other, line by line."""
    start = 0
    while start < len(page):
        stop, table = start + FEWEST_ROWS, None
        while stop <= len(page) and len(page[start]) >= FEWEST_COLUMNS and len(page[stop - 1]) > 1:
            longer = columns(page[start:stop])
            if longer is None:
                break
            stop, table = stop + 1, longer
        if table:
            yield Table(range(start, start + len(table)), lines(table))
        start += len(table or "1")


def columns(table: Sequence[Sequence[Piece]]) -> list[list[Cell]] | None:
    """The cells of some lines by column, None where they are no table: too few of them, or two pieces of a line in one
    column."""
    found = bands(table)
    if len(table) < FEWEST_ROWS or len(found) < FEWEST_COLUMNS:
        return None
    if sum(len(line) >= FEWEST_COLUMNS for line in table) < FULL * len(table):
        return None
    made = []
    for line in table:
        at = [next(n for n, (left, right) in enumerate(found) if left <= piece.left <= right) for piece in line]
        if len(set(at)) < len(at) or any(len(piece.text) > LONGEST for piece in line):
            return None
        said = dict(zip(at, (visible(piece.text) for piece in line), strict=True))
        made.append([Cell(said.get(n, ""), n) for n in range(len(found))])
    return made


def bands(table: Sequence[Sequence[Piece]]) -> list[tuple[float, float]]:
    """The columns of some lines: where their pieces stand, those that overlap as one, from the left."""
    found: list[tuple[float, float]] = []
    for piece in sorted((piece for line in table for piece in line), key=lambda piece: piece.left):
        if found and piece.left <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], piece.right))
        else:
            found.append((piece.left, piece.right))
    return found


class Ruled:
    """The tables of a file that have lines drawn around their cells. The file is read anew only for a page that has
    lines."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._file: Any = None

    def of(self, page: "PdfPage", number: int) -> list[tuple[Box, list[str]]]:
        """Boxes and rows of the tables of a page; none where they cannot be read."""
        from pypdfium2.raw import FPDF_PAGEOBJ_PATH

        shapes = page.get_objects(filter=[FPDF_PAGEOBJ_PATH], max_depth=3)
        if page.get_rotation() or not RULES <= sum(1 for _ in itertools.islice(shapes, MOST_RULES + 1)) <= MOST_RULES:
            return []
        logging.getLogger("pdfminer").setLevel(logging.ERROR)  # it warns of what is odd in a file and of no harm
        try:
            return list(self._read(number))
        except Exception:  # noqa: BLE001 - a damaged file makes it raise anything; the page is read as it is printed
            return []

    def _read(self, number: int) -> Iterator[tuple[Box, list[str]]]:
        if self._file is None:
            import pdfplumber

            self._file = pdfplumber.open(io.BytesIO(self._data))
        page = self._file.pages[number]
        foot = page.mediabox[1] + page.height
        for table in page.find_tables():
            rows = spanned(table.extract())
            if is_table(rows):
                left, top, right, bottom = table.bbox
                bold = fonts(page, table.rows[0]) not in {fonts(page, row) for row in table.rows[1:]}
                yield (left, foot - bottom, right, foot - top), lines(rows, header=int(bold))
        page.close()


def spanned(rows: Sequence[Sequence[str | None]]) -> list[list[Cell]]:
    """Rows of cells, where None is what the cell to the left, or in the first column the one above, reaches over."""
    made: list[list[Cell]] = []
    for row in rows:
        cells: list[Cell] = []
        for column, text in enumerate(row):
            if text is None and cells:
                cells[-1] = cells[-1]._replace(span=cells[-1].span + 1)
            elif text is None:
                cells.append(Cell(made[-1][0].text if made else "", column))
            else:
                cells.append(Cell(" ".join(visible(text).split()), column))
        made.append(cells)
    return made


def is_table(rows: Sequence[Row]) -> bool:
    """Whether drawn lines hold the cells of a table rather than frame text."""
    cells = [cell.text for row in rows for cell in row]
    if len(rows) < 2 or max(map(len, rows)) < 2 or max(map(len, cells)) > LONGEST_RULED:
        return False
    return sum(map(bool, cells)) >= FULL * len(cells)


def fonts(page: Any, row: Any) -> str:
    """The font of most letters of a row."""
    _, top, _, bottom = row.bbox
    found = Counter(each["fontname"] for each in page.chars if top <= (each["top"] + each["bottom"]) / 2 <= bottom)
    return found.most_common(1)[0][0] if found else ""


def with_rows(text: str, page: Sequence[Line], found: Sequence[Table]) -> str:
    """A page's text with the rows of its tables in the place of their lines. A table whose lines do not all stand in
    the text stays as it is."""
    made: list[str] = text.splitlines()
    plain = [" ".join(line.split()) for line in made]
    places: dict[int, int] = {}
    start = 0
    for number, line in enumerate(page):
        written = " ".join(piece.text for piece in line.pieces)
        if written and written in plain[start:]:
            places[number] = plain.index(written, start)
            start = places[number] + 1
    left_out = set()
    for table in found:
        if all(number in places for number in table.taken):
            first, *others = (places[number] for number in table.taken)
            made[first] = "\n".join(["", *table.rows, ""])
            left_out.update(others)
    return "\n".join(line for number, line in enumerate(made) if number not in left_out)
