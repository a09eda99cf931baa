"""Inverted lists: the vectors of a large segment sorted by the centroid they are nearest to, in 8 bits.

A search looks into the lists of the most promising centroids alone, and compares the best of what it finds there with
the stored 16-bit vectors. Centroids are trained once a collection and shared by its segments, each of which keeps a
copy in its file, so that a segment stays whole by itself. They are trained anew when the collection has grown so much
that it should have twice as many; a segment keeps the ones that it was written with until it is merged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGE = 100_000
"""Passages of a segment from which on a collection has lists. An exact search of so many takes 6 ms of a core."""

SMALLEST = 4096
"""Passages of a segment that gets lists once the collection has centroids; searching fewer exactly takes 0.25 ms."""

_SAMPLE = 32  # vectors a centroid that it is trained on
_ROUNDS = 10
_STEPWISE = 1024  # lists from which on a vector's is looked for in two steps
_PLACES = 8  # of the first step, around which the second looks
_BLOCK = 8192  # rows that are worked on at a time: 12 MB in 32 bits

Half = NDArray[np.float16]
Homes = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Centroids:
    """What lists are sorted by, and how vectors become codes.

    means  float16 [lists, dimension]: of the vectors of each list; the shorter, the more they differ
    scale  a number times `scale`, rounded, plus 128, is its code
    """

    means: Half
    scale: float

    def __len__(self) -> int:
        return len(self.means)

    def same(self, other: "Centroids") -> bool:
        """Whether codes and lists of both are the same."""
        return self is other or (self.scale == other.scale and np.array_equal(self.means, other.means))

    def nearest(self, vectors: Half) -> Homes:
        """The number of the nearest centroid of each vector, int32 [n], looked for in two steps: among those around
        the nearest of a few points. One vector in eight hundred gets another so, in a third of the time."""
        means = self.means.astype(np.float32)
        if len(means) < _STEPWISE:
            return _nearest(vectors, means)
        top = _means(means, max(1, round(len(means) ** 0.5)))
        around = _nearest(means, top)
        groups = [np.flatnonzero(around == place) for place in range(len(top))]
        homes = np.empty(len(vectors), np.int32)
        for start in range(0, len(vectors), _BLOCK):
            block = vectors[start : start + _BLOCK].astype(np.float32)
            homes[start : start + _BLOCK] = _stepwise(block, means, top, groups)
        return homes

    def codes(self, vectors: NDArray[np.floating]) -> NDArray[np.uint8]:
        """uint8 [n, dimension]; what lies outside of the range of the training sample is cut off at its ends."""
        scaled = np.multiply(vectors, np.float32(self.scale), dtype=np.float32)
        codes: NDArray[np.uint8] = np.clip(np.rint(scaled) + 128, 0, 255).astype(np.uint8)
        return codes


@dataclass(frozen=True, eq=False)
class Lists:
    """The rows of a segment by centroid.

    sizes   int64 [lists]: rows in each list
    packed  uint8: of each list in turn the codes of its rows, then their numbers (int64), ascending
    """

    centroids: Centroids
    sizes: NDArray[np.int64]
    packed: NDArray[np.uint8]

    @classmethod
    def of(cls, vectors: Half, centroids: Centroids, homes: Homes) -> "Lists":
        """Lists of vectors whose nearest centroids are `homes`."""
        dimension = vectors.shape[1]
        codes = np.empty(vectors.shape, np.uint8)
        for start in range(0, len(vectors), _BLOCK):
            codes[start : start + _BLOCK] = centroids.codes(vectors[start : start + _BLOCK])
        order, sizes = np.argsort(homes, kind="stable"), np.bincount(homes, minlength=len(centroids))
        packed, start, at = np.empty(len(homes) * (dimension + 8), np.uint8), 0, 0
        for size in sizes.tolist():
            rows, middle = order[start : start + size], at + size * dimension
            packed[at:middle] = codes[rows].reshape(-1)
            start, at = start + size, middle + size * 8
            packed[middle:at] = rows.astype("<i8").view(np.uint8)
        return cls(centroids, sizes, packed)

    def starts(self) -> NDArray[np.int64]:
        """Where in `packed` each list begins."""
        before: NDArray[np.int64] = np.cumsum(self.sizes) - self.sizes
        starts: NDArray[np.int64] = before * (self.centroids.means.shape[1] + 8)
        return starts

    def homes(self) -> Homes:
        """The number of the list of each row, int32 [n]."""
        dimension = self.centroids.means.shape[1]
        homes = np.empty(int(self.sizes.sum()), np.int32)
        for number, (start, size) in enumerate(zip(self.starts().tolist(), self.sizes.tolist(), strict=True)):
            homes[self.packed[start + size * dimension : start + size * (dimension + 8)].view("<i8")] = number
        return homes


def joined(
    vectors: Half,
    parts: Sequence[tuple[Lists | None, NDArray[np.int64]]],
    known: Centroids | None,
    passages: int,
) -> Lists | None:
    """Lists of the vectors that were joined from `parts`, each with its lists and the rows that it gave; None where an
    exact search is better. `known` are the centroids of the collection, which has that many passages."""
    if len(vectors) < (LARGE if known is None else SMALLEST):
        return None
    wanted = count(passages)
    if known is None or (len(vectors) >= LARGE and wanted >= 2 * len(known)):
        known = train(vectors, wanted)
    homes, start = np.empty(len(vectors), np.int32), 0
    for lists, rows in parts:
        end = start + len(rows)
        here = lists is not None and lists.centroids.same(known)
        homes[start:end] = lists.homes()[rows] if lists and here else known.nearest(vectors[start:end])
        start = end
    return Lists.of(vectors, known, homes)


def count(passages: int) -> int:
    """Lists of a collection: the power of two nearest to four times the root of its passages (4,096 for a million)."""
    return 1 << round(math.log2(4 * max(passages, 1) ** 0.5))


def train(vectors: Half, lists: int) -> Centroids:
    """Centroids by k-means in two levels: a few first, then each one's share of `lists` among its own vectors. That
    takes a thirtieth of the work of one level, and the lists are as good. The same for the same vectors."""
    chance = np.random.default_rng(0)
    chosen = np.sort(chance.permutation(len(vectors))[: _SAMPLE * lists])
    sample = vectors[chosen].astype(np.float32)
    top = _means(sample[:: max(1, lists // 512)], max(1, round(lists**0.5)))
    homes = _nearest(sample, top)
    held = np.bincount(homes, minlength=len(top))
    shares = np.floor(np.cumsum(held) * (lists / len(sample)) + 0.5).astype(int)
    parts = [_means(sample[homes == n], more) for n, more in enumerate(np.diff(shares, prepend=0).tolist()) if more]
    return Centroids(np.concatenate(parts).astype(np.float16), float(127 / np.abs(sample).max()))


def _means(points: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """float32 [k, dimension], by Lloyd's rounds from points that lie evenly among all; one that loses all its points
    stays where it is."""
    means: NDArray[np.float32] = points[np.linspace(0, len(points) - 1, k).astype(int)]
    for _ in range(_ROUNDS if len(points) > k > 1 else 1):
        homes = _nearest(points, means)
        order, held = np.argsort(homes, kind="stable"), np.bincount(homes, minlength=k)
        full = np.flatnonzero(held)
        sums = np.add.reduceat(points[order], (np.cumsum(held) - held)[full], axis=0)
        means[full] = sums / held[full, None]
    return means


def _nearest(points: NDArray[np.floating], means: NDArray[np.float32]) -> Homes:
    """The nearest mean of each point."""
    homes, half = np.empty(len(points), np.int32), (means * means).sum(1) / 2
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK].astype(np.float32, copy=False)
        homes[start : start + _BLOCK] = (block @ means.T - half).argmax(1)
    return homes


def _stepwise(
    block: NDArray[np.float32], means: NDArray[np.float32], top: NDArray[np.float32], groups: Sequence[NDArray[np.intp]]
) -> Homes:
    """The nearest mean of each point of a block, of the groups around its nearest of `top`."""
    apart = (top * top).sum(1) / 2 - block @ top.T
    near = np.zeros(apart.shape, np.bool_)
    np.put_along_axis(near, np.argpartition(apart, min(_PLACES, len(top)) - 1, axis=1)[:, :_PLACES], True, axis=1)
    homes, best = np.zeros(len(block), np.int32), np.full(len(block), -np.inf, np.float32)
    for place, group in enumerate(groups):
        rows = np.flatnonzero(near[:, place])
        if not len(rows) or not len(group):
            continue
        found = block[rows] @ means[group].T - (means[group] ** 2).sum(1) / 2
        first = found.argmax(1)
        score = found[np.arange(len(rows)), first]
        better = score > best[rows]
        best[rows[better]], homes[rows[better]] = score[better], group[first[better]]
    return homes
