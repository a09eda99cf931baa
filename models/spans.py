"""Spans of a passage: from the scores of its tokens to the stretches that can be what the question asks for."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from indexing.split import sentences, size
from models.answer_type import Type, answer_type, counts, lasts, of_type
from models.quotes import whole_words
from models.table_rows import asked_cells, other_rows

MOST_TOKENS = 30
"""Longest span; 99% of the training answers are shorter."""
MORE = 10
"""Characters: a preposition and a blank."""
KEPT = 400
"""Best spans of a piece that are looked at; those across two sentences fall away."""

BESIDE = 0.5
"""Of a span's probability, where a table has the very cell that the question names."""

SHORT = 20.0
"""Tokens of the longest heading: sixteen words, or 25 Chinese characters."""
BREAK = re.compile(r"\n(?:[^\S\n]*\n)+")
NUMBER = re.compile(r"(?:[（(]?[\d.]+[）).、]?|第\d+[章节条])\s*")
FACT = re.compile(r"^[^\w（(《“\"]|^[a-z]|\d|[:：]| \| |\t|[.!?;,。！？；，、…]$")
"""What a heading lacks after its number: a bullet or a small letter (code) at its start, figures, "name: value", cells,
and a mark at its end."""
LINE, CELLS, FIGURE = re.compile(r"\n"), " | ", re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Span:
    """`passage[start:end]`, with its probability in [0, 1] given that the passage answers the question."""

    start: int
    end: int
    probability: float


def best_spans(passage: str, offsets: Sequence[tuple[int, int]], logits: Tensor) -> list[Span]:
    """The likeliest spans of a piece by softmax over every span of at most MOST_TOKENS tokens.

    `logits` is [tokens, 2]. Tokens without characters of the passage start and end nothing.
    """
    count = len(offsets)
    real = torch.tensor([end > start for start, end in offsets])
    if not bool(real.any()):
        return []
    blocked = torch.where(real, 0.0, -torch.inf)
    reach = min(MOST_TOKENS, count)
    chances = span_table(logits + blocked[:, None]).flatten().softmax(0)
    values, places = chances.topk(min(KEPT, len(chances)))
    ends = [end for _, end in sentences(passage)]
    spans: dict[tuple[int, int], float] = {}
    for value, place in zip(values.tolist(), places.tolist(), strict=True):
        first, extra = divmod(place, reach)
        if value <= 0 or first + extra >= count:
            continue
        low, high = trim(passage, offsets[first][0], offsets[first + extra][1])
        if low < high and bisect_right(ends, low) == bisect_left(ends, high):  # inside one sentence
            spans[low, high] = spans.get((low, high), 0.0) + value
    return [Span(low, high, chance) for (low, high), chance in spans.items()]


def span_table(logits: Tensor) -> Tensor:
    """[tokens, 2] -> [tokens, reach]: the score of the span from token i over j more tokens; -inf past the end."""
    begin, stop = logits[:, 0], logits[:, 1]
    reach = min(MOST_TOKENS, len(logits))
    padded = torch.cat([stop, stop.new_full((reach,), -torch.inf)])
    return begin[:, None] + padded.unfold(0, reach, 1)[: len(logits)]


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space or a closing comma or stop at its ends."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in ",，、;；。"):
        end -= 1
    return start, end


def merged(weighted: Sequence[tuple[float, Span]], total: float) -> list[Span]:
    """Spans of all pieces of one passage, best first: each piece counts by its chance to hold the answer."""
    spans = [Span(span.start, span.end, span.probability * chance / total) for chance, span in weighted]
    return sorted(spans, key=lambda span: (-span.probability, span.start, span.end))


def apart(passage: str, spans: Sequence[Span], n: int) -> tuple[Span, ...]:
    """The best n of `spans` (best first) that do not overlap: first one a sentence, then the rest."""
    bounds = sentences(passage)
    chosen: list[Span] = []
    used: set[int] = set()
    for fresh in (True, False):
        for span in spans:
            own = next((place for place, (_, end) in enumerate(bounds) if span.start < end), -1)
            clear = all(span.end <= other.start or span.start >= other.end for other in chosen)
            if len(chosen) < n and clear and (own not in used or not fresh):
                chosen.append(span)
                used.add(own)
    return tuple(chosen)


def fitting(question: str, passage: str, spans: Sequence[Span]) -> list[Span]:
    """The spans that cut no word in two and can be what the question asks for, likeliest first. One that shares words
    with a likelier one that cannot be it is the same reading with other borders and left out too, unless it takes a
    word or two more ("since 1951" for "1951").

    None lies in a heading, in a question on lines of its own or in a row of a table that the question names less of
    than of another row, where something else is said; the sentence below a question answers it, and is as likely as the
    question's likeliest span was, and so is the cell where the row and the column cross that the question names, which
    comes before all others.
    """
    asked = answer_type(question)
    ordered = sorted(spans, key=lambda span: -span.probability)
    wrong = np.array([not may_be(asked, passage, span) for span in ordered], dtype=bool)
    left_out = wrong | (same_readings(ordered) & wrong).any(axis=1) if wrong.any() else wrong
    kept = [
        span
        for span, out in zip(ordered, left_out.tolist(), strict=True)
        if not out and whole_words(passage, span.start, span.end)
    ]
    questions = answered(passage)
    silent = [*questions, *headings(passage), *head_rows(passage), *other_rows(question, passage)]
    told = [span for span in kept if not any(within(span, bounds) for bounds in silent)]
    for line, answer in questions.items():
        chance = max((span.probability for span in spans if within(span, line)), default=0.0)
        below = Span(*trim(passage, *answer), chance) if answer and chance else None
        if below and may_be(asked, passage, below):
            told.append(below)
    likeliest = max((span.probability for span in spans), default=0.0)
    crossing = [Span(start, end, likeliest) for start, end in asked_cells(question, passage) if likeliest]
    crossing = [span for span in crossing if may_be(asked, passage, span)]
    if crossing:
        beside = [span for span in told if not any(overlap(span, cell) for cell in crossing)]
        told = crossing + [replace(span, probability=span.probability * BESIDE) for span in beside]
    return sorted(told, key=lambda span: -span.probability) or kept


def overlap(span: Span, other: Span) -> bool:
    """Whether two spans share characters."""
    return span.start < other.end and other.start < span.end


def within(span: Span, bounds: tuple[int, int]) -> bool:
    """Whether a span lies inside other bounds."""
    return bounds[0] <= span.start and span.end <= bounds[1]


def answered(passage: str) -> dict[tuple[int, int], tuple[int, int] | None]:
    """The questions that stand on lines of their own, as those of a FAQ do, and the sentence below each, if any."""
    found: dict[tuple[int, int], tuple[int, int] | None] = {}
    below: tuple[int, int] | None = None
    for start, end in reversed(sentences(passage)):
        begins = not passage[passage.rfind("\n", 0, start) + 1 : start].strip()
        ends = below is None or "\n" in passage[end : below[0]]
        if begins and ends and passage[start:end].endswith(("?", "？")):
            found[start, end] = found.get(below, below) if below else None
        below = start, end
    return found


def headings(passage: str) -> list[tuple[int, int]]:
    """Lines that only name what follows.

    A paragraph of one short line is one where neither the one above nor the one below is such a line too (a title with
    its author, a list), and neither a colon nor a question introduces it.
    """
    paragraphs = list(stretches(passage, BREAK))
    short = [is_name(passage[start:end].strip()) for start, end in paragraphs]
    found = []
    for place, bounds in enumerate(paragraphs[:-1]):
        above = passage[slice(*paragraphs[place - 1])].rstrip() if place else ""
        alone = not short[place + 1] and not (place and short[place - 1])
        if short[place] and alone and not above.endswith((":", "：", "?", "？")):
            found.append(bounds)
    return found


def head_rows(passage: str) -> list[tuple[int, int]]:
    """The first rows of tables that have figures only below it: the names of their columns."""
    found = []
    rows = list(stretches(passage, LINE))
    cells = [CELLS in passage[slice(*row)] for row in rows]
    figures = [bool(FIGURE.search(passage, *row)) for row in rows]
    for place in range(len(rows) - 1):
        first = cells[place] and not (place and cells[place - 1])
        if first and cells[place + 1] and figures[place + 1] and not figures[place]:
            found.append(rows[place])
    return found


def stretches(text: str, border: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """What lies between the borders."""
    start = 0
    for found in border.finditer(text):
        yield start, found.start()
        start = found.end()
    yield start, len(text)


def is_name(line: str) -> bool:
    """Whether a line can be a heading, by its own words."""
    number = NUMBER.match(line)
    bare = line[number.end() :] if number else line
    return bool(bare) and "\n" not in line and size(bare) <= SHORT and not FACT.search(bare)


def may_be(asked: Type | None, passage: str, span: Span) -> bool:
    """Whether a span can be what is asked for, by its own words and the one before it."""
    if asked == "number" and not counts(passage, span.start, span.end):
        return False
    if asked == "duration" and not lasts(passage, span.start, span.end):
        return False
    return of_type(asked, passage[span.start : span.end])


def same_readings(spans: Sequence[Span]) -> NDArray[np.bool_]:
    """[spans, spans]: whether a span shares words with another that stands before it in the list, and does not just
    take MORE characters beside it."""
    start = np.array([[span.start] for span in spans])
    end = np.array([[span.end] for span in spans])
    wider = (start <= start.T) & (end >= end.T) & (end - start <= end.T - start.T + MORE)
    return np.tril((start < end.T) & (end > start.T) & ~wider, -1)
