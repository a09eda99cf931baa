"""How well a judge orders things: pair accuracy and the area under the ROC curve, with grouped bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.measures import auc

DRAWS = 1000

Numbers = Sequence[float] | NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95% interval and the number of items behind it."""

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] (n={self.count})"


def drawn(groups: Sequence[str], seed: int = 0, draws: int = DRAWS) -> NDArray[np.float64]:
    """[draws, items]: how often each item is drawn when whole groups are drawn with replacement."""
    names = {name: i for i, name in enumerate(sorted(set(groups)))}
    owner = np.asarray([names[group] for group in groups])
    random = np.random.default_rng(seed)
    counts = np.stack(
        [np.bincount(random.integers(0, len(names), len(names)), minlength=len(names)) for _ in range(draws)]
    )
    return counts[:, owner].astype(np.float64)


def mean_interval(values: Numbers, groups: Sequence[str]) -> Interval:
    """Mean of values, groups resampled."""
    data, weights = np.asarray(values, dtype=np.float64), drawn(groups)
    low, high = np.percentile(weights @ data / weights.sum(axis=1), [2.5, 97.5])
    return Interval(float(data.mean()), float(low), float(high), len(data))


def evened_interval(values: Numbers, kinds: Numbers, groups: Sequence[str]) -> Interval:
    """The mean of two means, that of the values whose kind is 1 and that of those whose kind is 0, groups resampled;
    other kinds are left out. The plain mean where a kind is missing."""
    kept = [i for i, kind in enumerate(kinds) if kind in (0.0, 1.0)]
    data, kind = np.asarray(values, dtype=np.float64)[kept], np.asarray(kinds)[kept] == 1.0
    if not kept or kind.all() or not kind.any():
        return mean_interval(values, groups)
    weights = drawn([groups[i] for i in kept])
    with np.errstate(invalid="ignore"):  # a draw may lack a kind
        halves = [(weights[:, own] @ data[own]) / weights[:, own].sum(axis=1) for own in (kind, ~kind)]
    low, high = np.nanpercentile((halves[0] + halves[1]) / 2, [2.5, 97.5])
    return Interval(float((data[kind].mean() + data[~kind].mean()) / 2), float(low), float(high), len(data))


def auc_interval(scores: Numbers, labels: Numbers, groups: Sequence[str]) -> Interval:
    """AUC, groups resampled."""
    values = [auc(scores, labels, weights) for weights in drawn(groups, draws=300)]
    low, high = np.nanpercentile(values, [2.5, 97.5])  # a draw may lack a kind
    return Interval(auc(scores, labels), float(low), float(high), len(scores))


def balanced_accuracy(probabilities: Numbers, labels: Numbers, threshold: float) -> float:
    """Mean of the shares found right among positives and among negatives, in [0, 1]; nan where one kind is missing."""
    said, true = np.asarray(probabilities) >= threshold, np.asarray(labels) >= 0.5
    if true.all() or not true.any():
        return float("nan")
    return float((said[true].mean() + (~said[~true]).mean()) / 2)


def balanced_interval(probabilities: Numbers, labels: Numbers, threshold: float, groups: Sequence[str]) -> Interval:
    """Balanced accuracy, groups resampled. The plain share found right where a kind is missing."""
    said, true = np.asarray(probabilities) >= threshold, np.asarray(labels) >= 0.5
    return evened_interval((said == true).astype(np.float64), true.astype(np.float64), groups)


def pair_hits(first: Numbers, second: Numbers, shares: Numbers) -> NDArray[np.float64]:
    """1 where the judge and the people prefer the same of a pair, 0 where not, 0.5 where the judge sees no difference.

    `shares` are the people's preference for the first in [0, 1]; ask only of pairs that people did not tie.
    """
    gap = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    said = np.where(gap == 0, 0.5, (gap > 0).astype(np.float64))
    return np.where(np.asarray(shares) > 0.5, said, 1 - said)


def reliability(probabilities: Numbers, labels: Numbers, bins: int = 10) -> list[tuple[float, float, int]]:
    """(mean probability, share of positives, count) of each of `bins` equal stretches of [0, 1] that holds any."""
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    place = np.minimum((p * bins).astype(int), bins - 1)
    found = [(place == b) for b in range(bins)]
    return [(float(p[m].mean()), float(y[m].mean()), int(m.sum())) for m in found if m.any()]


def calibration_error(probabilities: Numbers, labels: Numbers) -> float:
    """Expected calibration error over ten stretches, in [0, 1]."""
    rows = reliability(probabilities, labels)
    total = sum(count for *_, count in rows)
    return sum(abs(p - y) * count for p, y, count in rows) / total
