"""Rows of tables as documents hold them (`City: London; Hotel limit: £165.`), and the row and the cell that a question
is about."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile

from models.calculator import NUMBER_WORDS
from models.dates import days_of
from models.words import units

CELL = re.compile(r"(?:([^:：;；]{1,100})[:：]\s*)?(\S.*)")
BORDER = re.compile(r";\s+|；")
FEWEST = 2
"""Cells of a row: a line with one name and what it says is no row of a table. And rows of a table with a crossing."""

STEM, ENDING = 5, 3
"""Letters that two forms of a word share, and those at its end in which they differ at most."""

NUMBERS = {word: str(value) for word, value in NUMBER_WORDS.items() if value > 1}
"""Numbers that people write as words; "the other one" is none."""

Bounds = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says at `bounds` of its passage, under the name of its column ("" for none)."""

    column: str
    value: str
    bounds: Bounds


Row = tuple[Bounds, list[Cell]]


def rows(passage: str) -> list[list[Row]]:
    """The tables of a passage: of each its rows, with their bounds. Rows below each other whose second cell has the
    same name are of one table."""
    tables: list[list[Row]] = []
    start, above = 0, ""
    for line in passage.split("\n"):
        row = cells(line, start)
        column = row[1].column if len(row) >= FEWEST else ""
        if column and column != above:
            tables.append([])
        if column:
            tables[-1].append(((start, start + len(line)), row))
        above = column
        start += len(line) + 1
    return tables


def cells(line: str, start: int) -> list[Cell]:
    """The cells of a line that begins at `start` of its passage."""
    found = []
    begin, end = 0, len(line.rstrip().rstrip(".。"))
    for border in (*BORDER.finditer(line, 0, end), None):
        stop = border.start() if border else end
        if matched := CELL.match(line[begin:stop].strip()):
            value = matched[2]
            place = start + line.rindex(value, begin, stop)
            found.append(Cell(matched[1] or "", value, (place, place + len(value))))
        begin = border.end() if border else end
    return found


def other_rows(question: str, passage: str) -> list[Bounds]:
    """The rows that say less of what the question names than another row of their table does; none where no row says
    any of it."""
    asked = said(question)
    found: list[Bounds] = []
    for table in rows(passage):
        shares = named([" ; ".join(cell.value for cell in row) for _, row in table], asked)
        found += [bounds for (bounds, _), share in zip(table, shares, strict=True) if share < max(shares)]
    return found


def asked_cells(question: str, passage: str) -> list[Bounds]:
    """The cell of each table where the one row and the one column that the question names cross ("meals in Dublin").

    A row is named by what its other cells say: whoever names what the column itself says asks for the row.
    """
    asked = said(question)
    found: list[Bounds] = []
    for table in rows(passage):
        columns = list(dict.fromkeys(cell.column for _, row in table for cell in row if cell.column))
        column = only(named(columns, asked))
        if column is None or len(table) < FEWEST:
            continue
        shares = named([others(row, columns[column]) for _, row in table], asked - said(columns[column]))
        row = only(shares)
        if row is not None:
            found += [cell.bounds for cell in table[row][1] if cell.column == columns[column]]
    return found


def others(row: Sequence[Cell], column: str) -> str:
    """What a row says in the other columns."""
    return " ; ".join(cell.value for cell in row if cell.column != column)


def named(texts: Sequence[str], asked: Collection[str]) -> list[int]:
    """How many of the units asked for each text has that not all of them have."""
    shared = [{unit for unit in asked if any(alike(unit, own) for own in said(text))} for text in texts]
    common = set.intersection(*shared) if len(shared) > 1 else set()
    return [len(own - common) for own in shared]


def said(text: str) -> set[str]:
    """The units of a text by which a row can be named: words, numbers as digits, days without their year.

    >>> sorted(said("two rooms on 9 May")), sorted(said("Room: 2026-05-09"))
    (['2', '5/9', '9', 'room'], ['05', '09', '2026', '5/9', 'room'])
    """
    days = {f"{month}/{day}" for month, day in days_of(text)}
    words = (NUMBERS.get(unit, unit) for unit in units(text))
    return {unit for unit in words if len(unit) > 1 or unit.isdecimal()} | days


def alike(one: str, other: str) -> bool:
    """Whether two units are one word in other forms ("respond", "response")."""
    if one == other:
        return True
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    return common >= STEM and max(len(one), len(other)) - common <= ENDING


def only(shares: Sequence[int]) -> int | None:
    """The place of the greatest share, None where several have it or it is none."""
    best = max(shares, default=0)
    return shares.index(best) if best and list(shares).count(best) == 1 else None
