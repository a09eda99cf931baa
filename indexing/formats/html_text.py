"""One HTML element -> readable text: blocks, lists, tables, code, headings and Sphinx definitions."""

import itertools
import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborNode

from indexing.formats.draft import TextBuilder, one_line
from indexing.formats.tables import LABEL, Cell, is_chinese, labelled

_BLOCKS = frozenset(
    [
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt"),
        *("fieldset", "figcaption", "figure", "footer", "header", "hgroup", "hr", "legend", "main", "p", "section"),
        *("summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr"),
    ]
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_COMPLEX_CELLS = "table, pre, ul, ol, dl, h1, h2, h3, h4, h5, h6, blockquote, td p + p, td div + div"
"""A table that holds one of these is a layout, and is read cell by cell."""

_DEFINITION = 7
_MOST_SPANNED = 10_000
"""Cells of a table that are given again in the rows they reach down to: one can ask for 65,534 rows."""


def render(root: LexborNode, builder: TextBuilder) -> None:
    """Writes the text of an element and of all in it (with a stack: pages nest deeper than Python recurses)."""
    stack: list[tuple[LexborNode, bool]] = [(root, False)]
    renderer = _Renderer(builder)
    while stack:
        node, leaving = stack.pop()
        if leaving:
            renderer.leave(node.tag or "", node)
        elif node.is_text_node:
            builder.write(node.text_content or "")
        elif node.is_element_node and renderer.enter(node.tag or "", node):
            stack.append((node, True))
            inside = [(child, False) for child in node.iter(include_text=True)]
            inside.reverse()
            stack.extend(inside)
    builder.end_block()


class _Renderer:
    def __init__(self, builder: TextBuilder) -> None:
        self.builder = builder
        self.lists: list[int | None] = []  # next number of each open ordered list, None for bullets
        self.definitions = 0
        self.terms: list[_Terms] = []  # of each open list of definitions

    def enter(self, tag: str, node: LexborNode) -> bool:
        """Begins an element; whether its inside is still to be read."""
        builder = self.builder
        if tag in _BLOCKS:
            return self._block(tag, node)
        if tag in _HEADINGS:
            builder.heading(_HEADINGS[tag], node.text())
            return False
        if tag == "pre":
            builder.verbatim(node.text())
            return False
        if tag in ("ul", "ol"):
            builder.end_block()
            self.lists.append(_number(node.attributes.get("start")) if tag == "ol" else None)
        elif tag == "li":
            self._item()
        elif tag == "br":
            builder.line_break()
            return False
        return True

    def leave(self, tag: str, node: LexborNode) -> None:
        if tag in ("ul", "ol"):
            self.builder.end_block()
            self.lists.pop()
        elif tag == "li":
            self.builder.end_item()
        elif tag == "dd":
            self.builder.end_lead()
        elif tag in _BLOCKS:
            self.builder.end_block()
            if tag == "dl":
                self._end_terms(self.terms.pop())
            if tag == "dl" and _is_definition(node):
                self.definitions -= 1
                self.builder.leave(_DEFINITION + self.definitions)

    def _block(self, tag: str, node: LexborNode) -> bool:
        self.builder.end_block()
        if tag == "table":
            return not self._table(node)
        if tag == "dl":
            self.terms.append(_Terms())
            self.definitions += _is_definition(node)
        elif tag == "dt" and self.definitions and "sig" in (node.attributes.get("class") or "").split():
            name = node.attributes.get("id") or ""
            self.builder.heading(_DEFINITION + self.definitions - 1, node.text(), name=name)
            return False
        elif tag == "dt" and self.terms:
            self.terms[-1].add(one_line(_cell(node)))
            return False
        elif tag == "dd" and self.terms and self.terms[-1].names:
            self.terms[-1].defined = True
            self.builder.lead(self.terms[-1].lead())
        return True

    def _end_terms(self, terms: "_Terms") -> None:
        if not terms.defined:
            self.builder.write(", ".join(terms.names))
        self.builder.end_lead()

    def _item(self) -> None:
        number = self.lists[-1] if self.lists else None
        self.builder.item("-" if number is None else f"{number}.", max(0, len(self.lists) - 1))
        if number is not None:
            self.lists[-1] = number + 1

    def _table(self, table: LexborNode) -> bool:
        """Writes a table of plain cells row by row; whether it was one."""
        if any(found.mem_id != table.mem_id for found in table.css(_COMPLEX_CELLS)):
            return False
        caption = table.css_first("caption")
        if caption is not None:
            self.builder.write(caption.text())
            self.builder.end_block()
        nodes = [[cell for cell in row.iter() if cell.tag in ("td", "th")] for row in table.css("tr")]
        rows = _rows(nodes)
        if all(sum(bool(cell.text) for cell in row) <= 1 for row in rows):  # a box: an icon, a title and a text
            rows = [[Cell(cell.text, 0) for cell in row if cell.text] for row in rows]
        header = sum(1 for _ in itertools.takewhile(_is_header, nodes))
        keyed = not header and all(_is_keyed(row) for row in nodes if row)
        self.builder.table(rows, header if header < len(rows) else 0, keyed)
        return True


@dataclass(slots=True)
class _Terms:
    """The terms that the next definition in a list is of."""

    names: list[str] = field(default_factory=list)
    defined: bool = False

    def add(self, name: str) -> None:
        if self.defined:
            self.names.clear()
            self.defined = False
        if name:
            self.names.append(name)

    def lead(self) -> str:
        name = ", ".join(self.names)
        return labelled(name, "", is_chinese(name))


def _is_header(row: list[LexborNode]) -> bool:
    """Whether a row names the columns: it stands in the head of the table, or has no cell but such."""
    above = row[0].parent.parent if row and row[0].parent else None
    return (above is not None and above.tag == "thead") or (
        bool(row) and (len(row) > 1 or _span(row[0], "colspan") > 1) and all(cell.tag == "th" for cell in row)
    )


def _is_keyed(row: list[LexborNode]) -> bool:
    """Whether a row begins with its own name."""
    return len(row) > 1 and row[0].tag == "th" and all(cell.tag == "td" for cell in row[1:])


def _rows(nodes: list[list[LexborNode]]) -> list[list[Cell]]:
    """Rows of cells in their columns; a short one that reaches down is given again in each row it reaches."""
    rows: list[list[Cell]] = []
    above: dict[int, tuple[Cell, int]] = {}  # by column: what reaches down, and into how many rows more
    spanned = 0
    for row in nodes:
        cells: list[Cell] = []
        below = {start: (cell, left - 1) for start, (cell, left) in above.items() if left > 1}
        column = 0
        for node in row:
            while column in above:
                cells.append(above[column][0])
                column += cells[-1].span
            cell = Cell(one_line(_cell(node)), column, _span(node, "colspan"))
            cells.append(cell)
            if (left := _span(node, "rowspan")) > 1:
                below[column] = Cell(cell.text if len(cell.text) <= LABEL else "", column, cell.span), left - 1
            column += cell.span
        cells.extend(cell for start, (cell, _) in sorted(above.items()) if start >= column)
        rows.append(cells)
        spanned += len(below)
        above = below if spanned <= _MOST_SPANNED else {}
    return rows


def _span(node: LexborNode, attribute: str) -> int:
    return min(1000, max(1, _number(node.attributes.get(attribute))))


def _is_definition(node: LexborNode) -> bool:
    """Sphinx marks the definition of a function, class or option with a domain's class on its list."""
    classes = (node.attributes.get("class") or "").split()
    return bool(classes) and classes[0] in ("py", "c", "cpp", "js", "std", "rst")


def _cell(node: LexborNode) -> str:
    parts: list[str] = []
    for inner in node.traverse(include_text=True):
        if inner.is_text_node:
            parts.append(inner.text_content or "")
        elif inner.tag in ("br", "p", "div"):
            parts.append(" ")
    return "".join(parts).strip()


def _number(start: str | None) -> int:
    return int(start) if start and re.fullmatch(r"-?[0-9]{1,8}", start) else 1
