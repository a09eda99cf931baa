"""Which passages of a segment hold which term, and how often, packed into under three bytes a posting.

Nothing in it depends on other segments: the statistics of BM25 are taken when a query runs. What it keeps for speed are
upper bounds of what the blocks of a dense list gain, made for the average length of its own segment; where the index's
is r times that, r > 1, a gain grows by no more than r, and where it is less, the bound still holds.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.compiled import LARGE, Kernel, U, array, compiled
from indexing.counting import counted
from indexing.packing import ANNOUNCES, BLOCK, PADDING, Bytes, Numbers, Packed, pack, unpack_dense, unpack_sparse
from indexing.vocabulary import Numbered

REFERENCE = (1.2, 0.75)
"""k1 and b for which bounds are kept; for others they are worked out when the segment is first searched."""

_JOINED = 1 << 22  # postings joined at a time, some 200 MB
_LONGEST = 65535


@dataclass(frozen=True, eq=False)
class Postings:
    """The lists of a segment's terms.

    terms    uint64 [t], ascending: 64-bit hashes (see `vocabulary`)
    held     uint32 [t]: passages that hold the term
    places, sparse, sizes, dense: the lists (see `packing`)
    bounds   uint8 [lines, blocks]: the most that a posting of a dense list's block gains, f / (f + norm), in 255ths
    lengths  uint16 [n]: tokens of each passage, 65,535 at most
    average  float64 [1]: the average length for which the bounds hold
    """

    terms: NDArray[np.uint64]
    held: NDArray[np.uint32]
    places: NDArray[np.int32]
    sparse: Bytes
    sizes: Bytes
    dense: Bytes
    bounds: Bytes
    lengths: NDArray[np.uint16]
    average: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def of(cls, batches: Iterable[Numbered]) -> "Postings":
        """Postings of numbered passages, batch after batch."""
        found = counted(batches)
        return cls.of_lists(found.terms, found.held, found.rows, found.counts, found.lengths)

    @classmethod
    def of_lists(
        cls, terms: NDArray[np.uint64], held: Numbers, rows: NDArray[np.int32], counts: Bytes, lengths: NDArray[Any]
    ) -> "Postings":
        """Postings of ascending terms, the lists of `held[t]` ascending rows each one after the other."""
        return cls._of_packed(
            terms[held > 0], held[held > 0], pack(held[held > 0], rows, counts, len(lengths)), lengths
        )

    @classmethod
    def _of_packed(cls, terms: NDArray[np.uint64], held: Numbers, lists: Packed, lengths: NDArray[Any]) -> "Postings":
        average = float(lengths.mean()) if lengths.any() else 1.0
        short = np.minimum(lengths, _LONGEST).astype(np.uint16)
        bounds = _bounds(lists.sizes, lists.dense, short, *REFERENCE, average)
        return cls(
            terms, held.astype(np.uint32), lists.places, lists.sparse, lists.sizes, lists.dense, bounds, short,
            np.array([average], np.float64),
        )  # fmt: skip

    @classmethod
    def join(cls, parts: Sequence["Postings"], kept: Sequence[NDArray[np.int64]]) -> "Postings":
        """Postings of some passages of several, in order; `kept` holds the rows of each, ascending."""
        numbers, base = [], 0
        for part, own in zip(parts, kept, strict=True):
            new = np.full(len(part), -1, np.int32)
            new[own] = np.arange(base, base + len(own))
            numbers.append(new)
            base += len(own)
        lengths = np.concatenate([part.lengths[own] for part, own in zip(parts, kept, strict=True)])
        terms = np.unique(np.concatenate([part.terms for part in parts]))
        pieces, found, at, lines = [], [], 0, 0
        held = np.zeros(len(terms), np.int64)
        for first, last in _stretches(parts, terms):
            own_held, rows, counts = _joined(parts, numbers, terms[first:last])
            held[first:last] = own_held
            piece = pack(own_held[own_held > 0], rows, counts, base)
            found.append(np.where(piece.places < 0, piece.places - lines, piece.places + at).astype(np.int32))
            pieces.append(piece)
            at += len(piece.sparse) - PADDING
            lines += len(piece.sizes)
        blocks = (base + BLOCK - 1) // BLOCK
        lists = Packed(
            np.concatenate([np.zeros(0, np.int32), *found]),
            np.concatenate([*(piece.sparse[:-PADDING] for piece in pieces), np.zeros(PADDING, np.uint8)]),
            np.concatenate([np.zeros((0, blocks), np.uint8), *(piece.sizes for piece in pieces)]),
            np.concatenate([np.zeros(0, np.uint8), *(piece.dense for piece in pieces)]),
        )
        return cls._of_packed(terms[held > 0], held[held > 0], lists, lengths)

    @property
    def bytes(self) -> int:
        """What all of it takes, terms included."""
        return sum(getattr(self, one.name).nbytes for one in fields(self))

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest passage."""
        return int(self.lengths.max(initial=0))

    @cached_property
    def tokens(self) -> int:
        """Tokens of all passages."""
        return int(self.lengths.sum(dtype=np.int64))

    @cached_property
    def starts(self) -> NDArray[np.uint32]:
        """uint32 [lines, blocks + 1]: where the run of each block of a dense list begins, and where the last ends."""
        return _starts(self.sizes)

    @cached_property
    def _bounds(self) -> dict[tuple[float, float], Bytes]:
        return {REFERENCE: self.bounds}

    def bounds_for(self, k1: float, b: float) -> Bytes:
        """The bounds of dense lists for other parameters; made once."""
        found = self._bounds.get((k1, b))
        if found is None:
            average = float(self.average[0])
            found = self._bounds[k1, b] = _bounds(self.sizes, self.dense, self.lengths, k1, b, average)
        return found

    def find(self, terms: NDArray[np.uint64]) -> Numbers:
        """The number of each term here, -1 where no passage holds it."""
        if not len(self.terms):
            return np.full(len(terms), -1)
        found = np.minimum(np.searchsorted(self.terms, terms), len(self.terms) - 1)
        return np.where(self.terms[found] == terms, found, -1)

    def lists(self, numbers: Numbers) -> tuple[Numbers, Numbers, Bytes]:
        """(held, rows, counts): how many passages hold each of these terms, and the lists one after the other."""
        held, places = self.held[numbers].astype(np.int64), self.places[numbers].astype(np.int64)
        is_dense = places < 0
        rows, counts = unpack_sparse(self.sparse, places[~is_dense], held[~is_dense])
        if not is_dense.any():
            return held, rows, counts
        lines = -1 - places[is_dense]
        runs = [self.dense[self.starts[line, 0] : self.starts[line, -1]] for line in lines]
        _, dense_rows, dense_counts = unpack_dense(self.sizes[lines], np.concatenate(runs))
        all_rows, all_counts = np.empty(int(held.sum()), np.int64), np.empty(int(held.sum()), np.uint8)
        chosen = np.repeat(is_dense, held)
        all_rows[chosen], all_counts[chosen] = dense_rows, dense_counts
        all_rows[~chosen], all_counts[~chosen] = rows, counts
        return held, all_rows, all_counts


def _stretches(parts: Sequence[Postings], terms: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Stretches (first, past the last) of terms that have about `_JOINED` postings together."""
    held = np.zeros(len(terms), np.int64)
    for part in parts:
        held[np.searchsorted(terms, part.terms)] += part.held
    ends, first = np.cumsum(held), 0
    while first < len(terms):
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + _JOINED, side="right")))
        yield first, last
        first = last


def _joined(
    parts: Sequence[Postings], numbers: Sequence[NDArray[np.int32]], terms: NDArray[np.uint64]
) -> tuple[Numbers, NDArray[np.int32], Bytes]:
    """(held, rows, counts) of neighbouring terms over several parts; `numbers` has each row's new number or -1."""
    found = []
    total = np.zeros(len(terms), np.int64)
    for part, new in zip(parts, numbers, strict=True):
        first, last = np.searchsorted(part.terms, terms[0]), np.searchsorted(part.terms, terms[-1], side="right")
        held, rows, counts = part.lists(np.arange(first, last))
        owners = np.repeat(np.searchsorted(terms, part.terms[first:last]), held)
        stays = new[rows] >= 0
        owners = owners[stays]
        own = np.bincount(owners, minlength=len(terms))
        found.append((owners, own, new[rows[stays]], counts[stays]))
        total += own
    heads = np.cumsum(total) - total
    all_rows, all_counts = np.empty(int(total.sum()), np.int32), np.empty(int(total.sum()), np.uint8)
    for owners, own, own_rows, own_counts in found:
        places = np.arange(len(owners)) + (heads - (np.cumsum(own) - own))[owners]
        all_rows[places], all_counts[places] = own_rows, own_counts
        heads += own
    return total, all_rows, all_counts


def _starts(sizes: Bytes) -> NDArray[np.uint32]:
    lines, blocks = sizes.shape
    ends = np.cumsum(sizes, dtype=np.uint32).reshape(lines, blocks)
    found = np.zeros((lines, blocks + 1), np.uint32)
    found[:, 1:] = ends
    found[1:, 0] = ends[:-1, -1] if blocks else 0
    return found


def _bounds(sizes: Bytes, dense: Bytes, lengths: NDArray[np.uint16], k1: float, b: float, average: float) -> Bytes:
    """uint8 [lines, blocks]; see Postings."""
    norms = np.asarray(k1 * (1 - b + b * lengths / average), np.float64)
    bound = (kernel.now() if len(lengths) >= LARGE else None) or _bounds_by_numpy
    return bound(sizes, dense, norms)


def _bounds_by_numpy(sizes: Bytes, dense: Bytes, norms: NDArray[np.float64]) -> Bytes:
    bounds, starts = np.zeros(sizes.shape, np.uint8), _starts(sizes)
    step = max(1, _JOINED // max(1, len(norms)))  # lines at a time, so that little memory is needed
    for first in range(0, len(sizes), step):
        some = sizes[first : first + step]
        cells, rows, counts = unpack_dense(some, dense[starts[first, 0] : starts[first + len(some) - 1, -1]])
        firsts = np.flatnonzero(np.diff(cells, prepend=-1))
        most = np.maximum.reduceat(counts / (counts + norms[rows]), firsts)
        bounds[first : first + step].ravel()[cells[firsts]] = np.minimum(np.ceil(most * 255), 255)
    return bounds


def _load() -> Callable[[Bytes, Bytes, NDArray[np.float64]], Bytes]:
    from numba import types

    given = array(types.uint8, 2), array(types.uint8), array(types.float64)
    write = compiled(write_bounds, types.void(*given, array(types.uint8, 2, False)))

    def bounds(sizes: Bytes, dense: Bytes, norms: NDArray[np.float64]) -> Bytes:
        found = np.zeros(sizes.shape, np.uint8)
        write(sizes, dense, norms, found)
        return found

    return bounds


kernel = Kernel(_load)
"""`_bounds_by_numpy` compiled, for large collections."""


def write_bounds(sizes: Any, dense: Any, norms: Any, bounds: Any) -> None:
    """Write the bound of each block that a dense list has postings in. To be compiled."""
    at = U(0)
    for line in range(sizes.shape[0]):
        for block in range(sizes.shape[1]):
            end, most = at + U(sizes[line, block]), 0.0
            while at < end:
                code = dense[at]
                at += U(1)
                count = U(code >> 6) + U(1)
                if code >= ANNOUNCES:
                    count = U(dense[at])
                    at += U(1)
                norm = norms[U(block * BLOCK) + U(code & (BLOCK - 1))]
                most = max(most, float(count) / (float(count) + norm))
            bounds[line, block] = min(math.ceil(most * 255), 255)
