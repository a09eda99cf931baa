"""One HTML element -> readable text: blocks, lists, tables, code, headings and Sphinx definitions."""

import re

from selectolax.lexbor import LexborNode

from indexing.formats.draft import TextBuilder

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
        elif tag in _BLOCKS:
            self.builder.end_block()
            if tag == "dl" and _is_definition(node):
                self.definitions -= 1
                self.builder.leave(_DEFINITION + self.definitions)

    def _block(self, tag: str, node: LexborNode) -> bool:
        self.builder.end_block()
        if tag == "table":
            return not self._table(node)
        if tag == "dl" and _is_definition(node):
            self.definitions += 1
        elif tag == "dt" and self.definitions and "sig" in (node.attributes.get("class") or "").split():
            name = node.attributes.get("id") or ""
            self.builder.heading(_DEFINITION + self.definitions - 1, node.text(), name=name)
            return False
        return True

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
        rows = [[_cell(cell) for cell in row.iter() if cell.tag in ("td", "th")] for row in table.css("tr")]
        if all(sum(map(bool, cells)) <= 1 for cells in rows):  # a box: an icon, a title and a text
            rows = [[cell for cell in cells if cell] for cells in rows]
        first = True
        for cells in rows:
            if any(cells):
                self.builder.row(cells, first)
                first = False
        return True


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
