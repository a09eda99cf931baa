"""BM25 over postings, with its statistics taken over the passages that are alive when a query runs.

    score(q, p) = sum over tokens t of q:  idf(t) * f * (k1 + 1) / (f + k1 * (1 - b + b * |p| / average))
    idf(t)      = ln(1 + (N - n + 0.5) / (n + 0.5))

(Robertson and Zaragoza 2009, with Lucene's idf, which is never negative.) f is how often t stands in p, |p| the number
of tokens of p, n the live passages with t, N the live passages. Nothing of this is stored: a deleted passage
leaves the statistics at once, and scores do not depend on how passages are divided into segments.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Parameters:
    """BM25's two: k1 >= 0 bends the gain of repetition, b in [0, 1] punishes length.

    The defaults were the best of six pairs (k1 from 0.9 to 2, b from 0.4 to 0.9) on half of the training
    questions of squad-ir (reciprocal rank .874) and drcd-ir (.957); none of the six lost more than .015.
    """

    k1: float = 1.2
    b: float = 0.75


@dataclass(frozen=True, eq=False)
class Postings:
    """Which passages of a segment hold which term, and how often.

    terms    uint64 [t], ascending: 64-bit hashes (see `term_ids`)
    offsets  int64 [t + 1]: postings of term i are rows[offsets[i]:offsets[i + 1]], ascending
    rows     int32 [p]; counts  uint16 [p]; lengths  int32 [n] tokens of each passage
    """

    terms: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.uint16]
    lengths: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def of(cls, passages: Iterable[tuple[Sequence[str], Sequence[str]]]) -> "Postings":
        """Postings of passages given as (tokens, spare tokens); spare ones do not count in the length."""
        vocabulary: dict[str, int] = {}
        numbers: list[int] = []
        rows: list[int] = []
        counts: list[int] = []
        lengths: list[int] = []
        for row, (tokens, spare) in enumerate(passages):
            lengths.append(len(tokens))
            found = Counter(tokens)
            found.update(spare)
            numbers.extend(vocabulary.setdefault(token, len(vocabulary)) for token in found)
            counts.extend(found.values())
            rows.extend([row] * len(found))
        ids = term_ids(list(vocabulary))[np.asarray(numbers, dtype=np.int64)]
        return cls._sorted(
            ids,
            np.asarray(rows, dtype=np.int32),
            np.minimum(np.asarray(counts, dtype=np.int64), 65535).astype(np.uint16),
            np.asarray(lengths, dtype=np.int32),
        )

    @classmethod
    def _sorted(
        cls,
        ids: NDArray[np.uint64],
        rows: NDArray[np.int32],
        counts: NDArray[np.uint16],
        lengths: NDArray[np.int32],
    ) -> "Postings":
        """Postings from one entry per (term, row); rows ascend within the input's order."""
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.zeros(0, np.int64)
        offsets = np.r_[starts, len(ids)].astype(np.int64)
        return cls(ids[starts], offsets, rows[order], counts[order], lengths)

    @classmethod
    def join(cls, parts: Sequence["Postings"]) -> "Postings":
        """Postings of the passages of several, in order."""
        bases = np.cumsum([0, *(len(part) for part in parts)])
        ids = np.concatenate([part._entry_terms() for part in parts])
        rows = np.concatenate([part.rows + np.int32(base) for part, base in zip(parts, bases, strict=False)])
        counts = np.concatenate([part.counts for part in parts])
        return cls._sorted(ids, rows, counts, np.concatenate([part.lengths for part in parts]))

    def take(self, kept: Rows) -> "Postings":
        """Postings of some rows (ascending), renumbered from 0."""
        numbers = np.full(len(self), -1, dtype=np.int32)
        numbers[kept] = np.arange(len(kept), dtype=np.int32)
        rows = numbers[self.rows]
        left = rows >= 0
        return self._sorted(self._entry_terms()[left], rows[left], self.counts[left], self.lengths[kept])

    def _entry_terms(self) -> NDArray[np.uint64]:
        return np.repeat(self.terms, np.diff(self.offsets))

    def of_term(self, term: np.uint64) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
        """(rows, counts) of a term, empty when no passage holds it."""
        i = int(np.searchsorted(self.terms, term))
        if i == len(self.terms) or self.terms[i] != term:
            return self.rows[:0], self.counts[:0]
        span = slice(int(self.offsets[i]), int(self.offsets[i + 1]))
        return self.rows[span], self.counts[span]


class Lexical:
    """BM25 over the live passages of several segments, numbered from 0 across all of them."""

    def __init__(self, parts: Sequence[tuple[Postings, Mask | None]], parameters: Parameters) -> None:
        """`parts` holds the postings of each segment with its live rows (None: all of them)."""
        self.parameters = parameters
        self._parts = list(parts)
        self._bases = np.cumsum([0, *(len(postings) for postings, _ in parts)])
        live = [postings.lengths if alive is None else postings.lengths[alive] for postings, alive in parts]
        self.passages = sum(len(lengths) for lengths in live)
        self.tokens = sum(int(lengths.sum(dtype=np.int64)) for lengths in live)
        average = self.tokens / self.passages if self.tokens else 1.0
        k1, b = parameters.k1, parameters.b
        self._norms = [k1 * (1 - b + b * postings.lengths / average) for postings, _ in parts]

    def idf(self, n: int) -> float:
        """Lucene's idf of a token that n live passages hold."""
        return float(np.log1p((self.passages - n + 0.5) / (n + 0.5)))

    def scores(self, tokens: Sequence[str]) -> NDArray[np.float64]:
        """float64 [rows of all segments]; zero where no token occurs and for dead rows."""
        scores = np.zeros(int(self._bases[-1]))
        asked = Counter(tokens)
        for term, times in zip(term_ids(list(asked)), asked.values(), strict=True):
            found = [self._live(part, term) for part in range(len(self._parts))]
            n = sum(len(rows) for rows, _ in found)
            if not n:
                continue
            weight = times * self.idf(n) * (self.parameters.k1 + 1)
            for part, (rows, counts) in enumerate(found):
                scores[self._bases[part] + rows] += weight * counts / (counts + self._norms[part][rows])
        return scores

    def ceiling(self, tokens: Sequence[str]) -> float:
        """What no passage's score for these tokens passes: the sum of their idf times k1 + 1."""
        asked = Counter(tokens)
        total = 0.0
        for term, times in zip(term_ids(list(asked)), asked.values(), strict=True):
            total += times * self.idf(sum(len(self._live(part, term)[0]) for part in range(len(self._parts))))
        return total * (self.parameters.k1 + 1)

    def _live(self, part: int, term: np.uint64) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        postings, alive = self._parts[part]
        rows, counts = postings.of_term(term)
        if alive is not None and len(rows):
            kept = alive[rows]
            rows, counts = rows[kept], counts[kept]
        return rows, counts.astype(np.float64)

    def top(self, tokens: Sequence[str], k: int, admitted: Mask | None = None) -> tuple[Rows, NDArray[np.float64]]:
        """The k best admitted rows with their scores, best first, equal ones in row order; never a zero score."""
        scores = self.scores(tokens)
        if admitted is not None:
            scores[~admitted] = 0
        rows = np.flatnonzero(scores > 0)
        return best(rows, scores[rows], k)


def best(rows: Rows, scores: NDArray[np.float64], k: int) -> tuple[Rows, NDArray[np.float64]]:
    """The k highest of `scores` (rows ascending), best first, equal ones in row order."""
    if len(rows) > k:
        floor = np.partition(scores, len(scores) - k)[len(scores) - k]
        kept = np.flatnonzero(scores >= floor)
        rows, scores = rows[kept], scores[kept]
    order = np.argsort(-scores, kind="stable")[:k]
    return rows[order], scores[order]


def term_ids(tokens: Sequence[str]) -> NDArray[np.uint64]:
    """64-bit hashes, uint64 [n].

    Hashes keep the vocabulary a sorted array that is searched where it lies on disk. Among ten million
    different tokens the odds that any two share one are three in a million.
    """
    digests = b"".join(hashlib.blake2b(token.encode(), digest_size=8).digest() for token in tokens)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)
