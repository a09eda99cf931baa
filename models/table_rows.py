"""Rows of tables as documents hold them (`City: London; Hotel limit: £165.`), and those that a question is about."""

import re

from models.words import units

CELL = re.compile(r"(?:([^:：;；]{1,100})[:：]\s*)?(\S.*)")
BORDER = re.compile(r";\s+|；")
FEWEST = 2
"""Cells of a row: a line with one name and what it says is no row of a table."""

Bounds = tuple[int, int]


def rows(passage: str) -> list[list[tuple[Bounds, str]]]:
    """The tables of a passage: of each the bounds of its rows, with what their cells say without the names of columns.
    Rows below each other whose second cell has the same name are of one table."""
    tables: list[list[tuple[Bounds, str]]] = []
    start, above = 0, ""
    for line in passage.split("\n"):
        cells = [CELL.match(cell.strip()) for cell in BORDER.split(line.strip().rstrip(".。"))]
        named = [cell for cell in cells if cell]
        column = (named[1][1] or "") if len(named) >= FEWEST else ""
        if column and column != above:
            tables.append([])
        if column:
            tables[-1].append(((start, start + len(line)), " ; ".join(cell[2] for cell in named)))
        above = column
        start += len(line) + 1
    return tables


def other_rows(question: str, passage: str) -> list[Bounds]:
    """The rows that say less of what the question names than another row of their table does; none where no row says
    any of it."""
    asked = {unit for unit in units(question) if len(unit) > 1}
    found: list[Bounds] = []
    for table in rows(passage):
        said = [asked & set(units(values)) for _, values in table]
        common = set.intersection(*said)
        shares = [len(own - common) for own in said]
        found += [bounds for (bounds, _), share in zip(table, shares, strict=True) if share < max(shares)]
    return found
