"""Two ranked lists into one: the lexical and the dense side of a query.

Each side's scores are scaled so that its first hit is 1 and its last (the hundredth) is 0; a side that did not return a
passage gives it 0. The fused score is the weighted mean, in [0, 1]. Pure numpy, so that weights can be tuned over
cached candidates in seconds.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from indexing.lexical import Rows
from indexing.types import Vectors

RECIPROCAL_CONSTANT = 60.0
"""Of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)."""


Number = Any
"""A float, or a tensor of one a query."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """Passage keys int64 [n] with their scores float32 [n], best first."""

    keys: Rows = field(default_factory=lambda: np.zeros(0, np.int64))
    scores: Vectors = field(default_factory=lambda: np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, eq=False)
class Candidates:
    """The best hundred of each side for one query.

    `tokens` counts the query's tokens, `cjk` tells its writing, and `coverage` is the first lexical score as a share of
    what a passage could reach that repeats every token of the query for ever, in [0, 1]. `fused` are both sides where
    that is already known.
    """

    lexical: Ranked
    dense: Ranked
    tokens: int = 0
    cjk: bool = False
    coverage: float = 0.0
    fused: Ranked | None = None


@dataclass(frozen=True, slots=True)
class Fusion:
    """How much the dense side counts; the lexical side counts for the rest.

    latin, cjk   the dense side's share for queries in Latin and in CJK writing, in [0, 1]
    length       added to the share's logit for each doubling of the query's tokens over eight
    coverage     times the query's coverage (see Candidates) less a half
    lexical_gap  times how far the first lexical hit stands out, 1 - (tenth score / first score), in [0, 1]
    dense_gap    times how far the first dense hit stands out, (first - tenth cosine) * 10
    method       "scaled", or "reciprocal" ranks as a baseline

    The defaults were chosen by `passerine evaluate fusion` on training questions of eight kinds; none of the terms that
    follow the query won a thousandth of nDCG@10 there.

    >>> fuse(candidates, Fusion(latin=0.4, cjk=0.5))
    """

    latin: float = 0.5
    cjk: float = 0.4
    length: float = 0.0
    coverage: float = 0.0
    lexical_gap: float = 0.0
    dense_gap: float = 0.0
    method: Literal["scaled", "reciprocal"] = "scaled"

    def share(self, candidates: Candidates) -> float:
        """The dense side's share for one query, in [0, 1]."""
        lexical, dense = candidates.lexical.scores, candidates.dense.scores
        share: float = self.leaning(
            self.cjk if candidates.cjk else self.latin,
            math.log2(max(candidates.tokens, 1) / 8),
            candidates.coverage,
            1 - (float(lexical[9]) if len(lexical) > 9 else 0.0) / float(lexical[0]) if len(lexical) else 0.0,
            10 * float(dense[0] - dense[min(9, len(dense) - 1)]) if len(dense) else 0.0,
        )
        return share

    def leaning(self, base: Number, doublings: Number, coverage: Number, lexical_gap: Number, dense_gap: Number) -> Any:
        """The share, of one query or of many, from what the terms above are multiplied with."""
        shift = self.length * doublings + self.coverage * (coverage - 0.5)
        shift = shift + self.lexical_gap * lexical_gap + self.dense_gap * dense_gap
        return base / (base + (1 - base) * math.e**-shift)


def fuse(candidates: Candidates, fusion: Fusion) -> Ranked:
    """The union of both sides by fused score, best first; passages that neither side gives any weight are left out.

    Equal scores are ordered by key.
    """
    share = fusion.share(candidates)
    lexical, dense = candidates.lexical, candidates.dense
    if fusion.method == "reciprocal":
        values = reciprocal(lexical.scores), reciprocal(dense.scores)
    else:
        values = scaled(lexical.scores, natural_zero=True), scaled(dense.scores)
    keys, places = np.unique(np.concatenate([lexical.keys, dense.keys]), return_inverse=True)
    weights = np.concatenate([(1 - share) * values[0], share * values[1]])
    scores = np.bincount(places.reshape(-1), weights, minlength=len(keys))
    order = np.lexsort((keys, -scores))
    order = order[scores[order] > 0]
    return Ranked(keys[order], np.minimum(scores[order], 1.0).astype(np.float32))


AGED = 0.5
"""The share of its score that a document loses as it grows infinitely old; the rest is for what it says."""


def fresher(ranked: Ranked, ages: Vectors, half_life: float) -> Ranked:
    """The list by score * (1 - AGED + AGED * 2^(-age / half_life)), best first; ages and half-life in days.

    An age of nan is not known, and counts as one half-life: neither new nor old.
    """
    young = np.exp2(-np.maximum(np.where(np.isnan(ages), half_life, ages), 0) / half_life)
    scores = (ranked.scores * (1 - AGED + AGED * young)).astype(np.float32)
    order = np.lexsort((ranked.keys, -scores))
    return Ranked(ranked.keys[order], scores[order])


def scaled(scores: Vectors, natural_zero: bool = False, depth: int = 100) -> Vectors:
    """Scores (best first) mapped so that the first is 1 and the hundredth 0.

    A shorter list ended because there was no more to find. With a natural zero (BM25) that is where 0 lies; a list of
    cosines then holds every passage there is, and its last one keeps a little so that it is not lost.
    """
    if not len(scores):
        return scores
    first, last = float(scores[0]), float(scores[-1])
    floor = last
    if len(scores) < depth:
        floor = 0.0 if natural_zero else last - (first - last) / len(scores)
    if first <= floor:
        return np.ones_like(scores)
    return ((scores - floor) / (first - floor)).astype(np.float32)


def reciprocal(scores: Vectors) -> Vectors:
    """1 / (60 + rank), scaled so that the first is 1."""
    ranks = np.arange(1, len(scores) + 1, dtype=np.float32)
    return ((RECIPROCAL_CONSTANT + 1) / (RECIPROCAL_CONSTANT + ranks)).astype(np.float32)
