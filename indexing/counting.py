"""Numbered passages counted into posting lists: by numpy, or compiled where there are many."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.compiled import LARGE, Kernel, U, array, compiled
from indexing.packing import MOST, Bytes, Numbers
from indexing.vocabulary import Numbered


@dataclass(frozen=True, eq=False)
class Counted:
    """Lists one after the other, in the order of their terms.

    terms    uint64 [t], ascending
    held     int64 [t]: passages that hold the term
    rows     int32 [postings]: the passages of each list, ascending
    counts   uint8 [postings]: how often the passage holds the term, MOST at most
    lengths  int64 [n]: tokens of each passage
    """

    terms: NDArray[np.uint64]
    held: Numbers
    rows: NDArray[np.int32]
    counts: Bytes
    lengths: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Batch:
    """The lists of a batch by number: `ids` [t] has each that occurs, `held` [t] in how many of its passages."""

    ids: Numbers
    held: Numbers
    rows: NDArray[np.int32]
    counts: Bytes


def counted(batches: Iterable[Numbered]) -> Counted:
    """The lists of passages that come batch after batch."""
    given = list(batches)
    known = list({id(one.vocabulary): one.vocabulary for one in given}.values())
    hashes = [vocabulary.hashes() for vocabulary in known]
    bases = np.cumsum([0, *map(len, hashes)])
    base_of = {id(vocabulary): int(base) for vocabulary, base in zip(known, bases, strict=False)}
    starts = np.cumsum([0, *(len(one.lengths) for one in given)])
    lengths = np.concatenate([np.zeros(0, np.int64), *(one.lengths for one in given)])
    placed = [(one, base_of[id(one.vocabulary)], int(start)) for one, start in zip(given, starts, strict=False)]
    work = kernel.now() if len(lengths) >= LARGE else None
    count = _by_numpy if work is None else work.counted
    return Counted(*count(placed, np.concatenate([np.zeros(0, np.uint64), *hashes]), bases), lengths)


Placed = Sequence[tuple[Numbered, int, int]]
"""Batches, each with the number of its vocabulary's first token among those of all, and that of its first passage."""
Lists = tuple[NDArray[np.uint64], Numbers, NDArray[np.int32], Bytes]
"""(terms, held, rows, counts) of Counted."""


def _by_numpy(placed: Placed, hashes: NDArray[np.uint64], bases: Numbers) -> Lists:
    batches = [_count(batch, base) for batch, base, _ in placed]
    used = np.zeros(len(hashes), np.bool_)
    for one in batches:
        used[one.ids] = True
    terms, places = _places(hashes, used, bases)
    held = np.zeros(len(terms), np.int64)
    for one in batches:
        held[places[one.ids]] += one.held
    heads = np.cumsum(held) - held
    rows, counts = np.empty(int(held.sum()), np.int32), np.empty(int(held.sum()), np.uint8)
    for one, (_, _, start) in zip(batches, placed, strict=True):
        own, firsts = places[one.ids], np.cumsum(one.held) - one.held
        where = np.arange(len(one.rows)) + np.repeat(heads[own] - firsts, one.held)
        rows[where], counts[where] = one.rows + start, one.counts
        heads[own] += one.held
    return terms, held, rows, counts


def _count(batch: Numbered, base: int) -> _Batch:
    """The lists of a batch. A token's passages ascend already, so that they are sorted by token alone, and that by its
    number among those of the batch: of 16 bits, which numpy sorts by counting."""
    there = np.zeros(int(batch.ids.max(initial=-1)) + 1, np.bool_)
    there[batch.ids] = True
    ids = np.flatnonzero(there)
    kind: Any = np.uint16 if len(ids) <= 1 << 16 else np.uint32
    places = np.empty(len(there), kind)
    places[ids] = np.arange(len(ids), dtype=kind)
    own = places[batch.ids]
    order = np.argsort(own, kind="stable")
    own, rows = own[order], batch.rows[order]
    new = _is_first(own)
    firsts = np.flatnonzero(new | _is_first(rows))
    counts = np.minimum(np.diff(firsts, append=len(rows)), MOST).astype(np.uint8)
    held = np.diff(np.flatnonzero(new[firsts]), append=len(firsts))
    return _Batch(ids + base, held, rows[firsts], counts)


def _places(
    hashes: NDArray[np.uint64], used: NDArray[np.bool_], bases: Numbers
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """(terms, ascending; the place among them of each number that is used). No two numbers of one vocabulary share one,
    even should their hashes be equal; `bases` holds where each vocabulary begins."""
    chosen = np.flatnonzero(used)
    chosen = chosen[np.argsort(hashes[chosen], kind="stable")]
    terms = hashes[chosen]
    firsts = _is_first(terms) | ~_is_first(np.searchsorted(bases, chosen, side="right"))
    places = np.full(len(used), -1, np.int32)
    places[chosen] = np.cumsum(firsts) - 1
    return terms[firsts], places


def _is_first(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each value differs from the one before."""
    new = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return new


@dataclass(frozen=True)
class _Compiled:
    """The same by two compiled functions."""

    tally: Callable[..., None]
    fill: Callable[..., None]

    def counted(self, placed: Placed, hashes: NDArray[np.uint64], bases: Numbers) -> Lists:
        last, each = np.full(len(hashes), -1, np.int32), np.zeros(len(hashes), np.int64)
        for batch, base, start in placed:
            self.tally(batch.ids, batch.rows, base, start, last, each)
        used = each > 0
        terms, places = _places(hashes, used, bases)
        held = np.bincount(places[used], each[used], len(terms)).astype(np.int64)
        heads, last = np.cumsum(held) - held, np.full(len(terms), -1, np.int32)
        rows, counts = np.empty(int(held.sum()), np.int32), np.empty(int(held.sum()), np.uint8)
        for batch, base, start in placed:
            self.fill(batch.ids, batch.rows, base, start, places, last, heads, rows, counts)
        return terms, held, rows, counts


def _load() -> _Compiled:
    from numba import types

    i32, i64, u8 = types.int32, types.int64, types.uint8
    given = [array(i32), array(i32), i64, i64]
    return _Compiled(
        compiled(tally, types.void(*given, i32[::1], i64[::1])),
        compiled(fill, types.void(*given, i32[::1], i32[::1], i64[::1], i32[::1], u8[::1])),
    )


kernel = Kernel(_load)


def tally(ids: Any, rows: Any, base: Any, start: Any, last: Any, held: Any) -> None:
    """Add to `held` in how many passages of a batch each number stands; `last` keeps the passage that it was met in."""
    for i in range(len(ids)):
        number, row = U(ids[i] + base), rows[i] + start
        if last[number] != row:
            last[number] = row
            held[number] += 1


def fill(
    ids: Any, rows: Any, base: Any, start: Any, places: Any, last: Any, heads: Any, all_rows: Any, counts: Any
) -> None:
    """Write the postings of a batch where `heads` says that the next one of each term belongs."""
    for i in range(len(ids)):
        place, row = U(places[U(ids[i] + base)]), rows[i] + start
        if last[place] != row:
            last[place] = row
            head = U(heads[place])
            all_rows[head] = row
            counts[head] = 1
            heads[place] += 1
        else:
            head = U(heads[place] - 1)
            if counts[head] < MOST:
                counts[head] += 1
