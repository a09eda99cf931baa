"""Measures of rankings and quotes, with intervals that resample whole groups.

Rankings are judged as trec_eval does it (linear gain, log2 discount).
"""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.measures import tokens

RESAMPLES = 2000
"""Bootstrap draws: the ends of a 95% interval then rest on 50 draws each."""


def holds(quote: str, golds: Iterable[str]) -> bool:
    """Whether the quote holds a gold answer: its tokens in a row, or its characters where it has no tokens."""
    words = tokens(quote)
    return any(
        has_run(words, tokens(gold)) if tokens(gold) else gold.strip() in quote for gold in golds if gold.strip()
    )


def has_run(words: Sequence[str], run: Sequence[str]) -> bool:
    """Whether `run` stands in `words` without a gap."""
    return any(words[i : i + len(run)] == run for i in range(len(words) - len(run) + 1))


def recall_at(ranked: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    """Share of the relevant documents among the first k."""
    return sum(document in relevant for document in ranked[:k]) / len(relevant)


def hit_at(ranked: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    """1 when a relevant document is among the first k."""
    return float(any(document in relevant for document in ranked[:k]))


def reciprocal_rank(ranked: Sequence[str], relevant: Mapping[str, float]) -> float:
    """1 / rank of the first relevant document, 0 without one."""
    return next((1 / rank for rank, document in enumerate(ranked, 1) if document in relevant), 0.0)


def ndcg_at(ranked: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    """Normalised discounted cumulative gain of the first k, gain = grade, discount = log2(rank + 1)."""
    gained = sum(relevant.get(document, 0.0) / math.log2(rank + 1) for rank, document in enumerate(ranked[:k], 1))
    best = sorted(relevant.values(), reverse=True)[:k]
    return gained / sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, 1))


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the ends of its 95% bootstrap interval, and the number of items behind it."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of a - b with its 95% interval; `p` is two-sided, from sign flips of whole groups."""

    mean: float
    low: float
    high: float
    p: float
    n: int


def sums(values: Sequence[float], groups: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of the values of each group."""
    names = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    where = np.array([names[group] for group in groups], dtype=np.int64)
    total, count = np.zeros(len(names)), np.zeros(len(names))
    np.add.at(total, where, np.asarray(values, dtype=np.float64))
    np.add.at(count, where, 1.0)
    return total, count


@functools.lru_cache(maxsize=4)
def draws(groups: int, seed: int) -> NDArray[np.float32]:
    """How often each group is in each draw of `groups` groups with replacement, [RESAMPLES, groups]."""
    rng = np.random.default_rng(seed)
    counts = np.empty((RESAMPLES, groups), dtype=np.float32)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, groups, groups), minlength=groups)
    return counts


def resampled(values: Sequence[float], groups: Sequence[str], seed: int) -> NDArray[np.float64]:
    """Means of RESAMPLES draws of whole groups with replacement."""
    total, count = sums(values, groups)
    drawn = draws(len(total), seed)
    return np.asarray((drawn @ total) / (drawn @ count), dtype=np.float64)


def interval(values: Sequence[float], groups: Sequence[str] | None = None, seed: int = 0) -> Interval:
    """Mean and 95% percentile interval; `groups` (an article, a document, a query) are drawn whole."""
    if not len(values):
        return Interval(math.nan, math.nan, math.nan, 0)
    means = resampled(values, groups or [str(i) for i in range(len(values))], seed)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(np.mean(values)), float(low), float(high), len(values))


def paired(a: Sequence[float], b: Sequence[float], groups: Sequence[str] | None = None, seed: int = 0) -> Difference:
    """Difference of two systems on the same items: bootstrap interval and sign-flip test, both by group."""
    if len(a) != len(b):
        raise ValueError("paired needs the same items on both sides")
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    names = groups or [str(i) for i in range(len(differences))]
    both = interval(differences.tolist(), names, seed)
    total, _ = sums(differences.tolist(), names)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(RESAMPLES, len(total)))
    extreme = np.abs(signs @ total) >= abs(total.sum()) - 1e-12
    return Difference(both.mean, both.low, both.high, float((extreme.sum() + 1) / (RESAMPLES + 1)), both.n)


def percentile(values: Sequence[float], share: float) -> float:
    """The value under which `share` (0..1) of the values lie; nan without values."""
    return float(np.percentile(values, 100 * share)) if len(values) else math.nan
