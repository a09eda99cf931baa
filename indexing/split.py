"""Document -> Passages: whole sentences packed to a size the encoder reads well, with exact spans.

No overlap: every sentence lies in one passage, so a quote has one home, two hits never repeat each other,
and the index holds a fifth fewer vectors. What an overlap would give, the words around an answer, the
reader has anyway: `Document.text` goes on past the passage.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from indexing.lines import ITEM, WIDE_CHARACTER
from indexing.sentences import sentences
from indexing.types import Document, Mark, Passage

__all__ = ["CAP", "HEADING_SEPARATOR", "ITEM", "LIMIT", "TARGET", "fences", "sentences", "size", "split"]

HEADING_SEPARATOR = " > "
TARGET = 220
"""Size aimed at, in estimated tokens of the encoder: about 170 English words or 270 Chinese characters."""

LIMIT = 330
"""A sentence up to this size stays whole."""

WHOLE = 420
"""A paragraph up to this size stays whole. Text that is not in a paragraph never moves the borders inside it."""

CAP = 560
"""Size that no passage passes, its code included. What lies past the 512 tokens of an encoder is still found by its
words, and read in a second piece."""

SHORT_CODE = 160
"""A fenced block of code up to this size goes with the words before it and does not count when they are shared out."""

SMALL = 90
"""A part under its own heading smaller than this is merged with its neighbour of the same parent."""

_WORD = re.compile(r"[^\W_]+")
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_BREAK = re.compile(r"\n[^\S\n]*\n")


@dataclass(slots=True)
class _Unit:
    """A sentence or a piece of one."""

    start: int
    end: int
    size: float
    opens: bool
    """Whether a paragraph begins here."""
    weight: float
    """Its share of a passage: the size, or 0 for a line of a short code block."""


@dataclass(slots=True)
class _Part:
    """The stretch of a document under one heading (its path from the outermost), its first unit the heading itself."""

    path: tuple[str, ...]
    units: list[_Unit]
    size: float
    bare: bool = False
    """Whether it is a heading (or several) without a text of its own."""

    def joined(self, other: "_Part", path: tuple[str, ...], bare: bool = False) -> "_Part":
        self.units.extend(other.units)
        return _Part(path, self.units, self.size + other.size, bare)


def size(text: str) -> float:
    """Estimated tokens of a text in the vocabulary of multilingual-e5.

    Fitted by hand on documentation in both languages: within a fifth for nine passages in ten. Prose has few more
    tokens than words, code falls into pieces of three to four letters, Chinese has 0.8 tokens a character.
    """
    if text.isascii():
        words, wide = _WORD.findall(text), 0
    else:
        wide = len(WIDE_CHARACTER.findall(text))
        words = _WORD.findall(WIDE_CHARACTER.sub(" ", text)) if wide else _WORD.findall(text)
    letters = sum(map(len, words))
    marks = len(text) - letters - wide - text.count(" ") - text.count("\n")
    return 0.8 * wide + max(1.25 * len(words), 0.28 * letters) + 0.8 * max(0, marks)


def split(document: Document, marks: Sequence[Mark] = ()) -> list[Passage]:
    """Passages of a document in order: `document.text[p.start:p.end] == p.text`, every visible character in one.

    A passage keeps to one heading when that leaves it more than a few lines; small neighbours under the same
    parent share a passage, and its heading is what their paths have in common. A question that is a heading begins a
    passage of its own. `page` is the page that the passage begins on. `id` is the document's id with the ordinal.
    """
    text = document.text
    headings, pages = _headings(text, marks), [(m.position, m.page) for m in marks if m.page is not None]
    parts = _merge(_parts(text, _units(text, [position for position, _ in headings]), headings))
    passages: list[Passage] = []
    pages.sort()
    page, page_index = None, 0
    for heading, start, end in (found for part in parts for found in _pack(part)):
        while page_index < len(pages) and pages[page_index][0] <= start:
            page = pages[page_index][1]
            page_index += 1
        ordinal = len(passages)
        passages.append(
            Passage(
                id=f"{document.id}-{ordinal}",
                document_id=document.id,
                ordinal=ordinal,
                start=start,
                end=end,
                text=text[start:end],
                heading=heading,
                page=page,
            )
        )
    return passages


def _headings(text: str, marks: Iterable[Mark]) -> list[tuple[int, tuple[str, ...]]]:
    found = {
        m.position: tuple(m.heading.split(HEADING_SEPARATOR)) if m.heading else ()
        for m in marks
        if m.heading is not None
    }
    return sorted((position, path) for position, path in found.items() if 0 <= position < len(text))


def _units(text: str, borders: Sequence[int]) -> list[_Unit]:
    """Sentences, cut at the borders of headings and where one is too long for a passage."""
    units: list[_Unit] = []
    short = iter([*(span for span in fences(text) if size(text[slice(*span)]) <= SHORT_CODE), (len(text), len(text))])
    low, high = next(short)
    border = 0
    before = 0
    for start, end in sentences(text):
        while start >= high:
            low, high = next(short)
        code = low <= start
        opens = (_BREAK.search(text, before, start) is not None and not (code and before > low)) or not units
        while start < end:
            while border < len(borders) and borders[border] <= start:
                border += 1
            stop = min(end, borders[border]) if border < len(borders) else end
            visible = start + len(text[start:stop].rstrip())
            for first, last, cost in _pieces(text, start, visible):
                units.append(_Unit(first, last, cost, opens, 0.0 if code else cost))
                opens = False
            start = stop + len(text[stop:end]) - len(text[stop:end].lstrip())
            opens = True
        before = end
    return units


def fences(text: str) -> list[tuple[int, int]]:
    """(start, end) of blocks of code as Markdown marks them; one that is not closed goes to the end."""
    return [match.span() for match in _FENCE.finditer(text)]


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int, float]]:
    """(start, end, size) of a sentence, or of pieces of one that is too long.

    Pieces have about the target size and end where a word does when one ends nearby.
    """
    total = size(text[start:end])
    if total <= LIMIT:
        if start < end:
            yield start, end, total
        return
    step = max(1, int((end - start) * TARGET / total))
    while start < end:
        stop = _cut(text, start, min(end, start + step), end)
        while stop - start > 1 and size(text[start:stop]) > LIMIT:  # denser here than on average
            stop = _cut(text, start, start + (stop - start) // 2, end)
        visible = start + len(text[start:stop].rstrip())
        if visible > start:
            yield start, visible, size(text[start:visible])
        start = stop
        while start < end and text[start].isspace():
            start += 1


def _cut(text: str, start: int, stop: int, end: int) -> int:
    """The best place to cut at or before `stop`: a line's end, a comma, a space, else between two characters."""
    if stop >= end:
        return end
    window = start + (stop - start) * 2 // 3
    for marks in ("\n", "，、；：,;", " \t\u3000"):
        best = max(text.rfind(mark, window, stop) for mark in marks)
        if best > start:
            return best + 1
    while stop > start + 1 and unicodedata.combining(text[stop]):
        stop -= 1
    return stop


def _parts(text: str, units: Sequence[_Unit], headings: Sequence[tuple[int, tuple[str, ...]]]) -> Iterator[_Part]:
    """Units under their headings, in order."""
    part = _Part((), [], 0.0)
    position = 0
    for unit in units:
        if position < len(headings) and headings[position][0] <= unit.start:
            if part.units:
                part.bare = _is_bare(text, part)
                yield part
            while position < len(headings) and headings[position][0] <= unit.start:
                position += 1
            part = _Part(headings[position - 1][1], [], 0.0)
        part.units.append(unit)
        part.size += unit.size
    if part.units:
        part.bare = _is_bare(text, part)
        yield part


def _is_bare(text: str, part: _Part) -> bool:
    """Whether the only sentence of a part is its heading, or the signature that the heading's name stands in."""
    unit = part.units[0]
    name = part.path[-1].rsplit(".", 1)[-1] or part.path[-1] if part.path else ""
    return len(part.units) == 1 and bool(name) and name in text[unit.start : unit.end] and unit.size < SMALL


def _merge(parts: Iterable[_Part]) -> list[_Part]:
    """Parts with bare headings handed to the text that follows and small neighbours of one parent joined."""
    merged: list[_Part] = []
    for part in parts:
        before = merged[-1] if merged else None
        if before is not None and before.bare and _related(before, part):
            merged[-1] = before.joined(part, part.path, part.bare)
        elif before is not None and not part.bare and _may_join(before, part):
            merged[-1] = before.joined(part, _common(before.path, part.path))
        else:
            merged.append(part)
    if len(merged) > 1 and merged[-1].bare and _may_join(merged[-2], merged[-1]):
        last = merged.pop()
        merged[-1] = merged[-1].joined(last, _common(merged[-1].path, last.path))
    return merged


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    shared = 0
    while shared < min(len(one), len(other)) and one[shared] == other[shared]:
        shared += 1
    return one[:shared]


def _may_join(one: _Part, other: _Part) -> bool:
    """Whether two neighbours are small and of one family, and neither answers a question that is its heading: it would
    be taken for the answer to the other's."""
    shared = len(_common(one.path, other.path))
    asks = any(name.endswith(("?", "？")) for name in (*one.path[shared:], *other.path[shared:]))
    small = min(one.size, other.size) < SMALL and one.size + other.size <= TARGET
    return small and not asks and _related(one, other)


def _related(one: _Part, other: _Part) -> bool:
    """Whether two parts are siblings, or parent and child."""
    return len(_common(one.path, other.path)) >= max(len(one.path), len(other.path)) - 1


def _pack(part: _Part) -> Iterator[tuple[str, int, int]]:
    """(heading, start, end) of passages: whole paragraphs where they fit, a long one in pieces of about equal size."""
    heading = HEADING_SEPARATOR.join(part.path)
    runs = [run for paragraph in _paragraphs(part.units) for run in _evenly(paragraph)]
    for first, last in _together(runs):
        yield heading, runs[first][0].start, runs[last - 1][-1].end


def _paragraphs(units: Sequence[_Unit]) -> Iterator[Sequence[_Unit]]:
    """Units up to where the next paragraph begins."""
    begins = [index for index, unit in enumerate(units) if unit.opens or not index]
    for first, last in pairwise([*begins, len(units)]):
        yield units[first:last]


def _evenly(units: Sequence[_Unit]) -> Iterator[Sequence[_Unit]]:
    """A paragraph as it is, or cut between units into runs of about the target weight."""
    left = sum(unit.weight for unit in units)
    if left <= WHOLE and sum(unit.size for unit in units) <= CAP:
        yield units
        return
    goal = _goal(left)
    first, filled, taken = 0, 0.0, 0.0
    for index, unit in enumerate(units):
        full = taken + unit.size > CAP or (unit.weight > 0 and filled + unit.weight / 2 >= goal)
        tail = left - filled <= goal / 4 and left <= LIMIT and taken + left <= CAP  # too little for a run of its own
        if index > first and full and not tail:
            yield units[first:index]
            left -= filled
            goal = _goal(left)
            first, filled, taken = index, 0.0, 0.0
        filled += unit.weight
        taken += unit.size
    yield units[first:]


def _goal(total: float) -> float:
    """Weight of each run when `total` is shared evenly."""
    return total / max(1, round(total / TARGET))


def _together(runs: Sequence[Sequence[_Unit]]) -> list[tuple[int, int]]:
    """First and past-the-last run of each passage: neighbours joined so that the squared distances of all passages
    from the target size are least (Knuth and Plass 1981 break lines so)."""
    sizes = [sum(unit.size for unit in run) for run in runs]
    best = [0.0]
    origin = [0]
    for end in range(1, len(runs) + 1):
        costs: list[tuple[float, int]] = []
        total = 0.0
        for start in range(end - 1, -1, -1):
            total += sizes[start]
            if start < end - 1 and total > CAP:
                break
            costs.append((best[start] + (total / TARGET - 1) ** 2, start))
        cost, start = min(costs)
        best.append(cost)
        origin.append(start)
    groups: list[tuple[int, int]] = []
    end = len(runs)
    while end:
        groups.append((origin[end], end))
        end = origin[end]
    return groups[::-1]
