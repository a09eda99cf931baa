"""BM25 over postings, with its statistics taken over the passages that are alive when a query runs.

    score(q, p) = sum over tokens t of q:  idf(t) * f * (k1 + 1) / (f + k1 * (1 - b + b * |p| / average))
    idf(t)      = ln(1 + (N - n + 0.5) / (n + 0.5))

(Robertson and Zaragoza 2009, with Lucene's idf, which is never negative.) f is how often t stands in p (191 at most),
|p| the number of tokens of p, n the live passages with t, N the live passages. Nothing of this is stored: a deleted
passage leaves the statistics at once, and scores do not depend on how passages are divided into segments.

What a term adds is rounded up to a whole number of units, of which a query's highest score is some 2^29 to 2^30. Sums
of whole numbers are the same in whatever order they are taken, so that both ways to search give equal scores and order:
numpy scores every passage that holds a term, which is quickest while an index is small; the kernel of
`lexical_kernels` leaves most out, and is compiled in the background once an index is large.
"""

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexing import lexical_kernels
from indexing.compiled import LARGE, Kernel
from indexing.postings import Postings
from indexing.vocabulary import term_ids

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

_ALL = np.zeros(0, np.bool_)
_REMEMBERED = 100_000  # tokens whose passages have been counted; some 30 MB
_LOW = (1 << 32) - 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parameters:
    """BM25's two: k1 >= 0 bends the gain of repetition, b in [0, 1] punishes length.

    The defaults were the best of six pairs (k1 from 0.9 to 2, b from 0.4 to 0.9) on half of the training
    questions of squad-ir (reciprocal rank .874) and drcd-ir (.957); none of the six lost more than .015.
    """

    k1: float = 1.2
    b: float = 0.75


@dataclass(frozen=True, slots=True)
class Statistics:
    """What BM25 takes from a whole collection: its live passages, their tokens, and how many of them hold a token."""

    passages: int
    tokens: int
    held: Callable[[Sequence[str]], Sequence[int]]


class Lexical:
    """BM25 over the live passages of several segments, numbered from 0 across all of them.

    `norms` float64 [longest + 1] has k1 * (1 - b + b * |p| / average) for each length.
    """

    def __init__(
        self,
        parts: Sequence[tuple[Postings, Mask | None]],
        parameters: Parameters,
        statistics: Statistics | None = None,
    ) -> None:
        """`parts` holds the postings of each segment with its live rows (None: all of them); `statistics` are those of
        the collection where the segments are only a part of it."""
        self.parameters, self._statistics = parameters, statistics
        dead = [_ALL if alive is None else np.flatnonzero(~alive) for _, alive in parts]
        self.passages = sum(len(postings) - len(gone) for (postings, _), gone in zip(parts, dead, strict=True))
        self.tokens = sum(
            postings.tokens - int(postings.lengths[gone].sum(dtype=np.int64)) if len(gone) else postings.tokens
            for (postings, _), gone in zip(parts, dead, strict=True)
        )
        passages, tokens = (statistics.passages, statistics.tokens) if statistics else (self.passages, self.tokens)
        self.average = tokens / passages if tokens else 1.0
        self._collection = passages
        k1, b = parameters.k1, parameters.b
        longest = max((postings.longest for postings, _ in parts), default=0)
        self.norms = k1 * (1 - b + b * np.arange(longest + 1, dtype=np.float64) / self.average)
        bases = np.cumsum([0, *(len(postings) for postings, _ in parts)]).tolist()
        self._rows = bases.pop()
        self._parts = [_Part(postings, base, alive) for (postings, alive), base in zip(parts, bases, strict=True)]
        self._known: dict[str, Term] = {}

    def idf(self, n: int) -> float:
        """Lucene's idf of a token that n live passages hold."""
        return math.log1p((self._collection - n + 0.5) / (n + 0.5))

    def postings(self, numbers: Sequence[Sequence[int]]) -> int:
        """How many postings terms have together, dead passages counted; `numbers` has those of each, a segment each."""
        pairs = ((part, number) for term in numbers for part, number in zip(self._parts, term, strict=True))
        return sum(int(part.postings.held[number]) for part, number in pairs if number >= 0)

    def scores(self, tokens: Sequence[str]) -> NDArray[np.float64]:
        """float64 [rows of all segments]; zero where no token occurs and for dead rows. Scores every passage."""
        terms, weights, unit = self.asked(tokens)
        scores = np.zeros(self._rows)
        for part, rows, units in self._exhausted(terms, weights):
            found = np.bincount(rows, units, minlength=len(part.postings)) * unit
            if part.alive is not None:
                found[~part.alive] = 0
            scores[part.base : part.base + len(found)] = found
        return scores

    def score_of(self, tokens: Sequence[str], passage: Sequence[str], spare: Sequence[str] = ()) -> float:
        """What a passage of these tokens would score, but for the rounding; spare ones do not count in its length."""
        k1, b = self.parameters.k1, self.parameters.b
        norm, counts = k1 * (1 - b + b * len(passage) / self.average), Counter([*passage, *spare])
        asked = {token: times for token, times in Counter(tokens).items() if counts[token]}
        terms = self._terms(asked)
        return sum(terms[t].weight * times * counts[t] / (counts[t] + norm) for t, times in asked.items())

    def ceiling(self, tokens: Sequence[str]) -> float:
        """What no passage's score for these tokens passes: the sum of their idf times k1 + 1."""
        return self.asked(tokens).ceiling

    def rarest(self, tokens: Sequence[str], n: int) -> list[str]:
        """Of some tokens the n that add most to a score, each once; none that no live passage holds."""
        asked = Counter(tokens)
        terms = self._terms(asked)
        held = [token for token in asked if terms[token].weight]
        return sorted(held, key=lambda token: (-terms[token].weight * math.log1p(asked[token]), token))[:n]

    def top(self, tokens: Sequence[str], k: int, admitted: Mask | None = None) -> tuple[Rows, NDArray[np.float64]]:
        """The k best admitted rows with their scores, best first, equal ones in row order; never a zero score.

        By the kernel where it is there and the index large, else by scoring every passage: equal to the last bit.
        """
        k = min(k, self._rows)
        terms, weights, unit = self.asked(tokens)
        if k < 1 or not terms:
            return np.zeros(0, np.int64), np.zeros(0)
        compiled = kernel.now() if self._rows >= LARGE else None
        if compiled:
            keys = self._best(compiled, terms, weights, k, admitted)
        else:
            keys = self._best_of_all(terms, weights, k, admitted)
        rows: Rows = _LOW - (keys & _LOW)
        return rows, (keys >> 32).astype(np.float64) * unit

    def asked(self, tokens: Sequence[str]) -> "Asked":
        """The different tokens of a query that a live passage holds, those that can add most first."""
        asked = Counter(tokens)
        terms = self._terms(asked)
        found = [(terms[token].weight * times, terms[token]) for token, times in asked.items() if terms[token].weight]
        if not found:
            return Asked([], np.zeros(0), 1.0)
        found.sort(key=lambda pair: -pair[0])
        bits = 30 - math.frexp(sum(weight for weight, _ in found))[1]
        weights = np.array([math.ldexp(weight, bits) for weight, _ in found])
        return Asked([term for _, term in found], weights, math.ldexp(1.0, -bits))

    def _terms(self, tokens: Collection[str]) -> dict[str, "Term"]:
        """Each token with what is known of it; remembered."""
        known, new = self._known, [token for token in tokens if token not in self._known]
        if new and len(known) > _REMEMBERED:
            known, new = {}, list(tokens)
            self._known = known
        if new:
            known.update(self._looked_up(new))
        return known

    def held(self, tokens: Sequence[str]) -> list[int]:
        """How many live passages of the collection hold each token."""
        if self._statistics:
            return list(self._statistics.held(tokens))
        ids = term_ids(tokens)
        held = np.zeros(len(tokens), np.int64)
        for part in self._parts:
            own = part.postings.find(ids)
            there = np.flatnonzero(own >= 0)
            held[there] += part.living(own[there])
        return list(map(int, held))

    def _looked_up(self, tokens: Sequence[str]) -> dict[str, "Term"]:
        ids = term_ids(tokens)
        numbers = [part.postings.find(ids) for part in self._parts]
        held, scale = self.held(tokens), self.parameters.k1 + 1
        return {
            token: Term(self.idf(n) * scale if n else 0.0, [int(own[i]) for own in numbers])
            for i, (token, n) in enumerate(zip(tokens, held, strict=True))
        }

    def _exhausted(
        self, terms: Sequence["Term"], weights: NDArray[np.float64]
    ) -> Iterator[tuple["_Part", Rows, NDArray[np.float64]]]:
        """(part, rows, units) of all postings of the terms, segment by segment; a row comes once a term."""
        for place, part in enumerate(self._parts):
            numbers = np.array([term.numbers[place] for term in terms], np.int64)
            held, rows, counts = part.postings.lists(numbers[numbers >= 0])
            if len(rows):
                weight = np.repeat(weights[numbers >= 0], held)
                norms = self.norms[part.postings.lengths[rows]]
                yield part, rows, np.floor(weight * counts / (counts + norms)) + 1

    def _best_of_all(
        self, terms: Sequence["Term"], weights: NDArray[np.float64], k: int, admitted: Mask | None
    ) -> Rows:
        """The k highest keys (score << 32 | ~row), highest first."""
        best = np.zeros(0, np.int64)
        for part, rows, units in self._exhausted(terms, weights):
            scores = np.bincount(rows, units)
            found = np.flatnonzero(scores)
            live = part.live(admitted)
            if len(live):
                found = found[live[found]]
            keys = scores[found].astype(np.int64) << 32 | (_LOW - part.base - found)
            best = np.concatenate([best, keys])
            if len(best) > k:
                best = np.partition(best, len(best) - k)[len(best) - k :]
        return np.sort(best)[::-1]

    def _best(
        self,
        compiled: Callable[..., int],
        terms: Sequence["Term"],
        weights: NDArray[np.float64],
        k: int,
        admitted: Mask | None,
    ) -> Rows:
        """As `_best_of_all`."""
        heap, kept = np.empty(k, np.int64), 0
        for place, part in enumerate(self._parts):
            numbers = np.array([term.numbers[place] for term in terms], np.int64)
            own = weights
            if numbers.min() < 0:
                numbers, own = numbers[numbers >= 0], weights[numbers >= 0]
            if len(numbers):
                postings = part.postings
                drift = max(1.0, self.average / float(postings.average[0]))
                bounds = postings.bounds_for(self.parameters.k1, self.parameters.b)
                kept = compiled(
                    numbers, own, drift, postings.places, postings.held, postings.sparse, postings.starts,
                    postings.dense, bounds, postings.lengths, self.norms, part.live(admitted), part.base, heap, kept,
                    *_room.arrays(len(postings), len(numbers)),
                )  # fmt: skip
        return np.sort(heap[:kept])[::-1]


@dataclass(frozen=True, slots=True)
class Term:
    """A token: the most it can add to a score, 0 when no live passage holds it, and its number in each segment."""

    weight: float
    numbers: list[int]


class Asked(NamedTuple):
    """The terms of a query, what each can add to a score in units, and what a unit is worth."""

    terms: list[Term]
    weights: NDArray[np.float64]
    unit: float

    @property
    def ceiling(self) -> float:
        """What no passage's score passes."""
        return float(self.weights.sum() + len(self.terms)) * self.unit


@dataclass(frozen=True, slots=True)
class _Part:
    """One segment as a search needs it."""

    postings: Postings
    base: int
    alive: Mask | None

    def live(self, admitted: Mask | None) -> Mask:
        """The rows that may be found, empty for all; `admitted` is for the rows of all segments."""
        if admitted is None:
            return _ALL if self.alive is None else self.alive
        own = admitted[self.base : self.base + len(self.postings)]
        return own if self.alive is None else own & self.alive

    def living(self, numbers: Rows) -> Rows:
        """How many live passages hold each of these terms."""
        if self.alive is None:
            return self.postings.held[numbers].astype(np.int64)
        held, rows, _ = self.postings.lists(numbers)
        return np.bincount(np.repeat(np.arange(len(numbers)), held), self.alive[rows], len(numbers)).astype(np.int64)


class _Room(threading.local):
    """What the kernel works in, kept a thread, since making large arrays takes longer than a search."""

    rows = terms = -1

    def arrays(self, rows: int, terms: int) -> tuple[NDArray[Any], ...]:
        if rows > self.rows or terms > self.terms:
            self.rows, self.terms = max(rows, self.rows), max(terms, self.terms, 16)
            self.made = (
                np.zeros(self.rows, np.int32),
                np.empty(self.rows + 1, np.uint32),
                np.empty(self.rows, np.int32),
                np.empty(self.rows // 64 + 1, np.int32),
                np.empty(lexical_kernels.BUCKETS + 64 + 3 * self.terms, np.int64),
            )
        return self.made


_room, kernel = _Room(), Kernel(lexical_kernels.load)
