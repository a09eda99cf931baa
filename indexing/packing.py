"""Posting lists packed into bytes and back, many lists at once.

How a list is packed follows from how many postings it has for each block of 64 passages.

A sparse list, of about one posting a block or fewer, is a nibble for each posting, two a byte, the first in the lower
half, and behind the nibbles what they tell of:
    nibble     bytes of the gap, less 1, in the lower two bits; the frequency in the upper two (0 when it is over 3)
    gap        passages between this one and the posting before (the first: before it)
    frequency  one byte, where it is over 3
A dense list is a run of bytes for each block, whose length stands in `sizes`:
    code       the passage in its block in the lower six bits, frequency - 1 in the upper two (3 when it is over 3)
    frequency  one byte, where it is over 3; at most 191, so that it is never taken for a code that announces one
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.compiled import LARGE, Kernel, U, array, compiled

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

BLOCK = 64  # passages; `row >> 6` is a row's block
PADDING = 4  # bytes behind the last sparse list, since a gap is read as four bytes and cut
ANNOUNCES = 192  # codes from here on announce a frequency
MOST = ANNOUNCES - 1  # frequencies above count as this: BM25 gains under a hundredth from there on
DENSE = 1.25  # postings a block from which the dense form is the smaller one, its bounds included
_MOST_BYTES = 6  # of a posting, a nibble counted as one
_SLICE = 1 << 17  # postings packed at a time: what numpy works on then stays in the processor's cache


@dataclass(frozen=True, eq=False)
class Packed:
    """Packed lists.

    places  int32 [t]: where a sparse list begins; -1 less its line, for a dense one
    sparse  uint8: the sparse lists
    sizes   uint8 [lines, blocks]: bytes of each run of the dense lists
    dense   uint8: the dense lists
    """

    places: NDArray[np.int32]
    sparse: Bytes
    sizes: Bytes
    dense: Bytes


def pack(held: Numbers, rows: NDArray[np.int32], counts: Bytes, passages: int) -> Packed:
    """Pack lists of `held[t]` postings each, none empty, that follow each other in `rows` (ascending within a list)."""
    pack_lists = (kernel.now() if passages >= LARGE else None) or _pack_sparse
    blocks = (passages + BLOCK - 1) // BLOCK
    is_dense = held > DENSE * blocks
    places = np.empty(len(held), np.int32)
    places[is_dense] = -1 - np.arange(int(is_dense.sum()))
    ends = np.cumsum(held)
    pieces, sizes, runs, at = [], [np.zeros((0, blocks), np.uint8)], [np.zeros(0, np.uint8)], 0
    for first, last in _slices(ends):
        start, end = ends[first] - held[first], ends[last - 1]
        own_held, own_dense = held[first:last], is_dense[first:last]
        own_rows, own_counts = rows[start:end], counts[start:end]
        if own_dense.any():
            chosen = np.repeat(own_dense, own_held)
            packed_sizes, run = _pack_dense(own_held[own_dense], own_rows[chosen], own_counts[chosen], blocks)
            sizes.append(packed_sizes)
            runs.append(run)
            own_held, own_rows, own_counts = own_held[~own_dense], own_rows[~chosen], own_counts[~chosen]
        own_places, piece = pack_lists(own_held, own_rows, own_counts)
        places[first:last][~own_dense] = own_places + at
        pieces.append(piece)
        at += len(piece)
    sparse = np.concatenate([*pieces, np.zeros(PADDING, np.uint8)])
    return Packed(places, sparse, np.concatenate(sizes), np.concatenate(runs))


def _slices(ends: Numbers) -> list[tuple[int, int]]:
    """Stretches (first, past the last) of lists, each of about `_SLICE` postings, or of one longer list."""
    found, first = [], 0
    while first < len(ends):
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + _SLICE, side="right")))
        found.append((first, last))
        first = last
    return found


def _pack_sparse(held: Numbers, rows: NDArray[np.int32], counts: Bytes) -> tuple[Numbers, Bytes]:
    """(places, bytes) of some lists."""
    if not len(held):
        return np.zeros(0, np.int64), np.zeros(0, np.uint8)
    firsts = np.cumsum(held) - held
    gaps = np.empty(len(rows), np.uint32)
    gaps[1:] = rows[1:] - rows[:-1] - 1
    gaps[firsts] = rows[firsts]
    more = (gaps > 0xFF).view(np.uint8) + (gaps > 0xFFFF) + (gaps > 0xFFFFFF)
    long = counts > 3
    nibbles = more | np.where(long, 0, counts << 2)
    needed = (more + 1 + long).astype(np.int64)
    ends = np.cumsum(needed)
    heads = (held + 1) >> 1  # bytes of the nibbles
    lists = heads + np.add.reduceat(needed, firsts)
    places = np.cumsum(lists) - lists
    found = np.zeros(int(places[-1] + lists[-1]), np.uint8)
    data = ends - needed + np.repeat(places + heads - (ends[firsts] - needed[firsts]), held)
    number = np.arange(len(rows)) - np.repeat(firsts, held)
    cells = np.repeat(places, held) + (number >> 1)
    odd = (number & 1).astype(np.bool_)
    found[cells[~odd]] = nibbles[~odd]
    found[cells[odd]] |= nibbles[odd] << 4
    found[data] = gaps & 0xFF
    for byte in range(1, 4):
        wide = np.flatnonzero(more >= byte)
        found[data[wide] + byte] = gaps[wide] >> (8 * byte) & 0xFF
    found[data[long] + more[long] + 1] = counts[long]
    return places, found


def _load() -> Callable[[Numbers, NDArray[np.int32], Bytes], tuple[Numbers, Bytes]]:
    from numba import types

    given = array(types.int64), array(types.int32), array(types.uint8)
    write = compiled(
        write_sparse, types.int64(*given, array(types.int64, readonly=False), array(types.uint8, readonly=False))
    )

    def pack_sparse(held: Numbers, rows: NDArray[np.int32], counts: Bytes) -> tuple[Numbers, Bytes]:
        places, found = np.empty(len(held), np.int64), np.empty(len(held) + _MOST_BYTES * len(rows), np.uint8)
        return places, found[: write(held, rows, counts, places, found)].copy()

    return pack_sparse


kernel = Kernel(_load)
"""`_pack_sparse` compiled, for large collections: six times as fast."""


def write_sparse(held: Any, rows: Any, counts: Any, places: Any, found: Any) -> Any:
    """Write `places` and bytes of some lists; returns how many bytes. To be compiled."""
    at, data = U(0), U(0)
    for number in range(len(held)):
        places[number] = begin = data
        data += (U(held[number]) + U(1)) >> U(1)
        before = -1
        for place in range(held[number]):
            gap, count = rows[at] - before - 1, counts[at]
            before, nibble = rows[at], 0
            at += U(1)
            found[data] = gap & 0xFF
            data += U(1)
            gap >>= 8
            while gap:
                found[data] = gap & 0xFF
                data += U(1)
                gap >>= 8
                nibble += 1
            if count > 3:
                found[data] = count
                data += U(1)
            else:
                nibble |= count << 2
            cell = begin + (U(place) >> U(1))
            found[cell] = found[cell] | nibble << 4 if place & 1 else nibble
    return data


def _pack_dense(held: Numbers, rows: NDArray[np.int32], counts: Bytes, blocks: int) -> tuple[Bytes, Bytes]:
    """(sizes, bytes) of some lists."""
    long = counts > 3
    needed = 1 + long.astype(np.int64)
    at = np.cumsum(needed) - needed
    found = np.empty(int(needed.sum()), np.uint8)
    found[at] = (rows & (BLOCK - 1)) | (np.minimum(counts, 4) - 1) << 6
    found[at[long] + 1] = counts[long]
    cells = np.repeat(np.arange(len(held)) * blocks, held) + (rows >> 6)
    sizes = np.bincount(cells, needed, minlength=len(held) * blocks)
    return sizes.astype(np.uint8).reshape(len(held), blocks), found


def unpack_sparse(sparse: Bytes, places: Numbers, held: Numbers) -> tuple[Numbers, Bytes]:
    """(rows, counts) of the lists at `places`, one after the other."""
    if not held.sum():
        return np.zeros(0, np.int64), np.zeros(0, np.uint8)
    firsts = np.cumsum(held) - held
    number = np.arange(int(held.sum())) - np.repeat(firsts, held)
    nibbles = sparse[np.repeat(places, held) + (number >> 1)] >> ((number & 1) << 2).astype(np.uint8) & 15
    more, counts = (nibbles & 3).astype(np.uint8), (nibbles >> 2).astype(np.uint8)
    long = counts == 0
    needed = (more + 1 + long).astype(np.int64)
    begins = np.cumsum(needed) - needed
    some = held > 0
    data = begins + np.repeat(places + (held + 1 >> 1), held) - np.repeat(begins[firsts[some]], held[some])
    gaps = sparse[data].astype(np.int64)
    for byte in range(1, 4):
        wide = np.flatnonzero(more >= byte)
        gaps[wide] |= sparse[data[wide] + byte].astype(np.int64) << (8 * byte)
    counts[long] = sparse[data[long] + more[long] + 1]
    rows: Numbers = np.cumsum(gaps + 1)
    rows -= np.repeat(rows[firsts[some]] - gaps[firsts[some]], held[some])
    return rows, counts


def unpack_dense(sizes: Bytes, runs: Bytes) -> tuple[Numbers, Numbers, Bytes]:
    """(cells, rows, counts) of whole lists, one after the other: `sizes` uint8 [lines, blocks] and their bytes. A
    posting's cell is its place in `sizes`, counted line by line."""
    after = np.zeros(len(runs), np.bool_)
    after[1:] = runs[:-1] >= ANNOUNCES
    codes = np.flatnonzero(~after)
    cells = np.repeat(np.arange(sizes.size, dtype=np.int64), sizes.ravel())[codes]
    rows: Numbers = (cells % max(1, sizes.shape[1])) * BLOCK + (runs[codes] & (BLOCK - 1))
    counts = ((runs[codes] >> 6) + 1).astype(np.uint8)
    counts[counts == 4] = runs[after]
    return cells, rows, counts
