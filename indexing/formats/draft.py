"""What every reader returns, and the builder that the structured formats write their text with."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from indexing.formats.tables import ROOM, Row, lines
from indexing.split import HEADING_SEPARATOR
from indexing.types import Mark

_DEEPEST = 8
"""Lists nested deeper are shown no further to the right."""

_SPACES = re.compile(r"\s+")
_CHINESE_WRAP = re.compile(r"(?<=[\u2e80-\u9fff\uff00-\uff60])[^\S\n\v]*\n\s*(?=[\u2e80-\u9fff\uff00-\uff60])")
_LABELLED = re.compile(
    r"[^\S\n]*(?:[^\s：:，。；！？,.;!?][^：:，。；！？,.;!?\n]{0,7}：|[^\W\d_][\w-]*(?: [\w-]+){0,2}:(?=[^\S\n]))"
)
"""The beginning of a line such as "Host: Ada Lind" or "主持：陆文涛"."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff\u200b\ufeff\u00ad]")


@dataclass(slots=True)
class Draft:
    """A document as its file tells it: fields that the file does not give are empty."""

    text: str
    title: str = ""
    marks: tuple[Mark, ...] = ()
    published_at: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)


def visible(text: str) -> str:
    """Text with line ends as \\n and without control characters, soft hyphens and lone surrogates."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text)


def one_line(text: str) -> str:
    """Text on one line with single spaces."""
    return _SPACES.sub(" ", text).strip()


def _with_labels(raw: str) -> str:
    """Inline text in which lines that begin with a label, two of them or more, are lines of their own."""
    if "\n" not in raw or not (":" in raw or "：" in raw):
        return raw
    parts = raw.split("\n")
    label = [False, *(_LABELLED.match(part) is not None for part in parts), False]
    own = [here and (before or after) for before, here, after in zip(label, label[1:], label[2:], strict=False)]
    ends = ("\v" if starts else "\n" for starts in own[1:])
    return parts[0] + "".join(end + part for end, part in zip(ends, parts[1:], strict=True))


class TextBuilder:
    """Writes readable plain text: blocks with a blank line between them, list items on lines of their own.

    Inline text is collected by `write` and ends with the block; runs of spaces in it become one.
    """

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._length = 0
        self._inline: list[str] = []
        self._lead = ""
        self._prefix = ""
        self._separator = "\n\n"
        self._path: list[tuple[int, str]] = []
        self._left = False
        self.marks: list[Mark] = []

    @property
    def first_heading(self) -> str:
        for mark in self.marks:
            if mark.heading:
                return mark.heading.split(HEADING_SEPARATOR)[-1]
        return ""

    def write(self, text: str) -> None:
        """Inline text of the current block."""
        self._inline.append(text)

    def line_break(self) -> None:
        """A line end inside the block that the author meant."""
        self._inline.append("\v")

    def end_block(self) -> None:
        """Ends the current block, if anything is in it."""
        if not self._inline:
            return
        raw = _with_labels("".join(self._inline))
        self._inline.clear()
        if not raw.isascii():
            raw = _CHINESE_WRAP.sub("", raw)
        text = "\n".join(filter(None, map(one_line, raw.split("\v"))))
        if text:
            lead, self._lead = self._lead, ""
            self._append(lead + text)

    def lead(self, text: str) -> None:
        """Begins a block whose words follow those of `text`: the term of a definition. Alone, they are a block."""
        self.end_lead()
        self._lead = text

    def end_lead(self) -> None:
        """Ends the current block and whatever still waits for words."""
        self.end_block()
        lead, self._lead = one_line(self._lead), ""
        if lead:
            self._append(lead)

    def item(self, marker: str, depth: int) -> None:
        """Begins a list item: the next block starts with the marker, on the next line."""
        self.end_lead()
        self._prefix = f"{'  ' * min(depth, _DEEPEST)}{marker} "

    def end_item(self) -> None:
        """Ends a list item; the marker of an empty one is dropped."""
        self.end_block()
        self._prefix = ""

    def heading(self, level: int, text: str, name: str = "") -> None:
        """A heading of level 1 (outermost) to 6, or a definition (7 and more) with a short name.

        The mark's heading is its path from the outermost.
        """
        self.end_lead()
        title = one_line(visible(text))
        if not title:
            return
        self.leave(level)
        self._left = False
        self._path.append((level, (name or title).replace(HEADING_SEPARATOR, " › ")))
        self._append(title)
        self._mark(self._length - len(title))

    def leave(self, level: int) -> None:
        """Ends headings of this level and deeper: what follows belongs to the one above them."""
        self.end_lead()
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
            self._left = True

    def _mark(self, position: int) -> None:
        self.marks.append(Mark(position, heading=HEADING_SEPARATOR.join(name for _, name in self._path)))

    def verbatim(self, text: str) -> None:
        """Code or other text whose lines and spaces are meant."""
        self.end_lead()
        text = visible(text).expandtabs(4).rstrip().strip("\n")
        if text:
            self._append(text)

    def table(self, rows: Sequence[Row], header: int = 0, keyed: bool = False) -> None:
        """A table, each row on a line of its own; `header` and `keyed` as `tables.lines` takes them."""
        self.end_lead()
        text = "\n".join(lines(rows, header, keyed, ROOM - self._length))
        if text:
            self._append(text)

    def text(self) -> str:
        self.end_lead()
        return "".join(self._blocks)

    def _append(self, text: str) -> None:
        item = bool(self._prefix)
        if item:
            text = self._prefix + text
            self._prefix = ""
        separator = "" if not self._blocks else ("\n" if item and self._separator == "\n" else "\n\n")
        self._separator = "\n" if item else "\n\n"
        text = visible(text)
        self._blocks.append(separator + text)
        self._length += len(separator) + len(text)
        if self._left:
            self._left = False
            self._mark(self._length - len(text))
