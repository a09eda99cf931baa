"""The stretch of a passage that shows why it was found, with the words of the query in it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from indexing.tokenize import Analyser

LENGTH = 260
"""Characters of a snippet at most: three lines of the page."""
LEAD = 60
"""Characters shown before the first found word, so that it does not stand without its sentence."""
HEADING = re.compile(r"[^\n]{1,120}\n\s*\n")
CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
PIECE = re.compile(rf"[{CJK}]+|[^\W{CJK}]+(?:[.\-'’][^\W{CJK}]+)*[+#]*")


@dataclass(frozen=True, slots=True)
class Snippet:
    """`passage.text[start:start + len(text)] == text`; `marks` are spans of `text`, ascending, apart."""

    text: str
    start: int
    marks: tuple[tuple[int, int], ...]


def snippet(text: str, query: str, analyser: Analyser, length: int = LENGTH) -> Snippet:
    """The window of `text` with the most different words of the query; its beginning when none stands in it.

    A heading on the first line is left out: who shows the snippet has already shown the title.
    """
    wanted = set(analyser.asked(query))
    heading = HEADING.match(text)
    first = heading.end() if heading else 0
    found = [(start, end, here & wanted) for start, end, here in spans(text, analyser) if here & wanted]
    within = [each for each in found if each[0] >= first]
    latest = max(first, len(text) - length + LEAD)
    start = max(first, begin(text, min(window(within, length), latest)))
    end = finish(text, start + length)
    marks = [(begun - start, ended - start) for begun, ended, _ in within if start <= begun and ended <= end]
    return Snippet(text[start:end], start, joined(text[start:end], marks))


def finish(text: str, end: int) -> int:
    """A place at or before `end` where no word is cut; white space before it is left out."""
    if end < len(text):
        cut = re.search(rf"[^{CJK}\s]+$", text[max(0, end - LEAD) : end])
        end = end - len(cut.group()) if cut and not text[end].isspace() else end
    return len(text[:end].rstrip())


def spans(text: str, analyser: Analyser) -> Iterator[tuple[int, int, set[str]]]:
    """(start, end, tokens) of every word; of Chinese, Japanese and Korean text every pair of neighbours."""
    for piece in PIECE.finditer(text):
        word, place = piece.group(), piece.start()
        if re.match(f"[{CJK}]", word) and len(word) > 1:
            pairs = range(len(word) - 1)
            yield from ((place + i, place + i + 2, analysed(word[i : i + 2], analyser)) for i in pairs)
        else:
            yield place, piece.end(), analysed(word, analyser)


def analysed(word: str, analyser: Analyser) -> set[str]:
    return {*analyser.tokens(word), *analyser.spare(word)}


def window(found: Sequence[tuple[int, int, set[str]]], length: int) -> int:
    """Where the window with the most different tokens begins: at a found word; 0 when there is none."""
    best, where = 0, 0
    for place, (start, _, _) in enumerate(found):
        reach = start + length - LEAD
        tokens = {token for _, end, tokens in found[place:] if end <= reach for token in tokens}
        if len(tokens) > best:
            best, where = len(tokens), start
    return where


def begin(text: str, found: int) -> int:
    """A place at most LEAD characters before a found word, at the beginning of a line, a sentence or a word."""
    if found <= LEAD // 2:
        return 0
    before = text[max(0, found - LEAD) : found]
    for cut in (r"\n+", r"[.!?]\s+|[。！？]", r"\s+"):
        ends = [match.end() for match in re.finditer(cut, before)]
        if ends:
            return found - len(before) + ends[0]
    return found - len(before)


def joined(text: str, marks: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans that overlap, or have nothing but white space between them, as one."""
    out: list[tuple[int, int]] = []
    for start, end in marks:
        if out and not text[out[-1][1] : start].strip():
            out[-1] = out[-1][0], max(end, out[-1][1])
        else:
            out.append((start, end))
    return tuple(out)
