"""Hard-wrapped lines: does a line end because the page did, or because the thought did?

Plain text and PDF break lines at a width, lists and verse and code break them on purpose. The test is
the typesetter's: a wrapped line ends where the next word no longer fitted. Columns are counted as a
terminal does, a Chinese character for two.
"""

import re
from collections.abc import Sequence

NARROW, WIDE = 50, 120
"""Text is rarely wrapped below 50 columns (a shorter line is a title or a list), and never above 120."""

WIDE_CHARACTER = re.compile(
    r"[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]"
)
ITEM = re.compile(
    r"\s*(?:[-*+•◦▪‣●○■·–—]\s|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)]\s|\[\d{1,3}\]\s"
    r"|[（(]?[一二三四五六七八九十]{1,3}[）)、．.]|[（(]\d{1,2}[）)]|\d{1,3}、|第[一二三四五六七八九十百\d]{1,4}[章节条])"
)
_COLUMNS = re.compile(r"\S(?: {3,}|\t)\S| \| ")
_ROW = re.compile(r"[^;；:：]{1,100}[:：]\s?[^;；]{1,200}[;；]\s?[^;；:：]{1,100}[:：].{1,500}[.。!！?？…]$")
"""Cells with the names of their columns."""
_CODE_END = ("{", "}", ";", "\\", "=", "*/", "();")
_CODE_START = (">>>", "...", "$ ", "# ", "//", "{", "}", "/*", "|", "+-", "=====", "-----")
_MAY_CONTINUE = re.compile(r"[\w,，、)）”\"'’-]$")
_UNSPACED = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60\u2018\u2019\u201c\u201d\u2014\u2026]")


def columns(line: str) -> int:
    """Width of a line on a terminal."""
    return len(line) if line.isascii() else len(line) + len(WIDE_CHARACTER.findall(line))


def wrap_width(lines: Sequence[str]) -> int:
    """The width that a paragraph's lines were wrapped at, 0 when they do not look wrapped."""
    widths = [width for width in (columns(line.rstrip()) for line in lines) if width <= WIDE]
    width = max(widths, default=0)
    return width if width >= NARROW else 0


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def continues(line: str, following: str, width: int) -> bool:
    """Whether `following` goes on with the sentence of `line`, in a paragraph wrapped at `width`."""
    line = line.rstrip()
    start = following.lstrip()
    if not line or not start or ITEM.match(following) or _COLUMNS.search(line) or _COLUMNS.search(following):
        return False
    if (
        _ROW.match(line)
        or line.endswith(_CODE_END)
        or start.startswith(_CODE_START)
        or line.lstrip().startswith(_CODE_START)
    ):
        return False
    if _indent(following) > _indent(line) and not ITEM.match(line):
        return False  # an indented first line, or code
    used = columns(line)
    if used > WIDE:
        return False
    first = 2 if WIDE_CHARACTER.match(start) else columns(start.split(None, 1)[0]) + 1
    if width and used + first + (2 if first == 2 else 0) > width:
        return True
    return start[0].islower() and used >= 30 and _MAY_CONTINUE.search(line) is not None


def gap(line: str, following: str) -> str:
    """What a wrapped line end stands for: nothing between Chinese characters, a space elsewhere."""
    line, following = line.rstrip(), following.lstrip()
    tight = line and following and _UNSPACED.match(line[-1]) and _UNSPACED.match(following[0])
    return "" if tight else " "


def reflow(text: str, ragged: float = 1.0) -> str:
    """Text with the lines of each wrapped paragraph joined; lists, tables, verse and code stay as they are.

    `ragged` is the share of the width from which a line counts as full: 1 for text of one character width, less
    where letters differ in width (PDF).
    """
    blocks: list[str] = []
    for block in re.split(r"\n[^\S\n]*\n", text):
        lines = block.split("\n")
        width = int(ragged * wrap_width(lines))
        parts: list[list[str]] = []  # pieces of the paragraph being joined
        before = ""
        for line in lines:
            if parts and continues(before, line, width):
                parts[-1][-1] = parts[-1][-1].rstrip()
                parts[-1].append(gap(before, line) + line.strip())
            else:
                parts.append([line])
            before = line
        blocks.append("\n".join("".join(pieces) for pieces in parts))
    return "\n\n".join(blocks)
