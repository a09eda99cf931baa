"""Spans of a passage: from the scores of its tokens to the stretches that can be what the question asks for."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from indexing.split import sentences
from models.answer_type import Type, answer_type, counts, of_type
from models.quotes import whole_words

MOST_TOKENS = 30
"""Longest span; 99% of the training answers are shorter."""
MORE = 10
"""Characters: a preposition and a blank."""
KEPT = 400
"""Best spans of a piece that are looked at; those across two sentences fall away."""


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
    word or two more ("since 1951" for "1951")."""
    asked = answer_type(question)
    ordered = sorted(spans, key=lambda span: -span.probability)
    wrong = np.array([not may_be(asked, passage, span) for span in ordered], dtype=bool)
    left_out = wrong | (same_readings(ordered) & wrong).any(axis=1) if wrong.any() else wrong
    return [
        span
        for span, out in zip(ordered, left_out.tolist(), strict=True)
        if not out and whole_words(passage, span.start, span.end)
    ]


def may_be(asked: Type | None, passage: str, span: Span) -> bool:
    """Whether a span can be what is asked for, by its own words and the one before it."""
    if asked == "number" and not counts(passage, span.start, span.end):
        return False
    return of_type(asked, passage[span.start : span.end])


def same_readings(spans: Sequence[Span]) -> NDArray[np.bool_]:
    """[spans, spans]: whether a span shares words with another that stands before it in the list, and does not just
    take MORE characters beside it."""
    start = np.array([[span.start] for span in spans])
    end = np.array([[span.end] for span in spans])
    wider = (start <= start.T) & (end >= end.T) & (end - start <= end.T - start.T + MORE)
    return np.tril((start < end.T) & (end > start.T) & ~wider, -1)
