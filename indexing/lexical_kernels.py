"""The compiled side of `lexical`: the best passages of one segment, found without scoring most of them.

1. Rows of sparse lists get what they gain there, each block an upper bound of what its rows gain in dense lists.
2. Rows whose sum of both is highest are scored first, then those where it still reaches the k-th best score.
3. Last, blocks that dense lists alone could lift there, in the same two turns.

Scores are whole numbers (see `lexical`), so that what is added first does not matter.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from indexing.compiled import U, array, compiled

BUCKETS = 1024  # of scores, by which the highest are found; a score has at most 31 bits
_UNIT = 20  # bits of a bucket: scores are under 1024 << 20


def load() -> Callable[..., int]:
    """`best_rows` by numba."""
    from numba import types

    def own(kind: Any) -> Any:
        return array(kind, readonly=False)

    signature = types.int64(
        array(types.int64), array(types.float64), types.float64,
        array(types.int32), array(types.uint32), array(types.uint8), array(types.uint32, 2), array(types.uint8),
        array(types.uint8, 2), array(types.uint16), array(types.float64), array(types.boolean), types.int64,
        own(types.int64), types.int64,
        own(types.int32), own(types.uint32), own(types.int32), own(types.int32), own(types.int64),
    )  # fmt: skip
    found: Callable[..., int] = compiled(best_rows, signature)
    return found


def best_rows(
    terms: Any, weights: Any, drift: Any,
    places: Any, held: Any, sparse: Any, starts: Any, dense: Any,
    bounds: Any, lengths: Any, norms: Any, live: Any, base: Any,
    heap: Any, kept: Any,
    sums: Any, touched: Any, uppers: Any, limits: Any, rooms: Any,
) -> Any:  # fmt: skip
    """Improve the best rows kept so far by those of one segment; returns how many are kept.

    terms     int64 [q]: the numbers of the query's terms in the segment; weights float64 [q]: the most each can add
    drift     what bounds of dense lists are to be multiplied with, >= 1
    places, held, sparse, starts, dense, bounds, lengths: see Postings
    norms     float64 by length; live bool [n]: rows that may be found, or empty for all
    base      is added to the segment's rows
    heap      int64 [k], the worst first, of which `kept` are filled: score << 32 | 2 ** 32 - 1 - row
    sums      int32 [n], all 0 before and after; touched uint32 [n + 1], uppers int32 [n], limits int32 [blocks],
              rooms int64 [1024 + 64 + 3 q]: any content
    """
    counts, total = rooms[:BUCKETS], rooms[BUCKETS : BUCKETS + 64]
    lines, units, mosts = (
        rooms[BUCKETS + 64 :],
        rooms[BUCKETS + 64 + len(terms) :],
        rooms[BUCKETS + 64 + 2 * len(terms) :],
    )
    blocks, k, many = (U(len(lengths)) + U(63)) >> U(6), U(len(heap)), U(len(terms))
    filtered = len(live) > 0
    kept, seen, dense_terms = U(kept), U(0), U(0)
    least = (heap[0] >> 32) if kept == k else 1
    for block in range(blocks):
        limits[block] = 0
    for t in range(many):
        start, weight = places[terms[t]], weights[t]
        if start < 0:
            line, unit, most = (
                U(-1 - start),
                np.int32(weight * drift / 255) + np.int32(1),
                np.int32(weight) + np.int32(1),
            )
            for block in range(blocks):
                limits[block] += min(unit * np.int32(bounds[line, block]), most)
            lines[t], units[t], mosts[t] = line, unit, most
            dense_terms += U(1)
            continue
        lines[t] = -1
        number, nibbles = U(held[terms[t]]), U(start)
        at, after = nibbles + ((number + U(1)) >> U(1)), U(0)
        for i in range(number):
            nibble = (U(sparse[nibbles + (i >> U(1))]) >> ((i & U(1)) << U(2))) & U(15)
            more, count = nibble & U(3), nibble >> U(2)
            word = (
                U(sparse[at])
                | U(sparse[at + U(1)]) << U(8)
                | U(sparse[at + U(2)]) << U(16)
                | U(sparse[at + U(3)]) << U(24)
            )
            at += more + U(1)
            long = U(count == U(0))  # no branch: it costs more than the byte that is read in vain
            count += long * U(sparse[at])
            at += long
            row = after + (word & (U(0xFFFFFFFF) >> (U(24) - (more << U(3)))))
            after = row + U(1)
            before = sums[row]
            touched[seen] = row
            seen += U(before == 0)
            sums[row] = before + np.int32(weight * count / (count + norms[lengths[row]])) + 1
    # Rows of sparse lists, and last blocks of dense lists alone; the highest bounds of each first.
    for stage in range(2):
        if stage == 1 and dense_terms == 0:
            break
        for j in range(BUCKETS):
            counts[j] = 0
        size, wanted = seen, np.int64(k)
        if stage == 0:
            for i in range(seen):
                row = U(touched[i])
                upper = sums[row] + limits[row >> U(6)]
                uppers[i] = upper
                counts[U(upper) >> U(_UNIT)] += 1
        else:
            size, wanted = blocks, np.int64(k >> U(4)) + 1
            highest = np.int32(0)
            for block in range(blocks):
                highest = max(highest, limits[block])
            if highest < least:
                break
            for block in range(blocks):
                counts[U(limits[block]) >> U(_UNIT)] += 1
        bucket = BUCKETS - 1
        while bucket > 0 and wanted > counts[bucket]:
            wanted -= counts[bucket]
            bucket -= 1
        cut = bucket << _UNIT
        for turn in range(2):
            for i in range(size):
                upper = np.int64(uppers[i]) if stage == 0 else np.int64(limits[i])
                if upper < least or (upper >= cut) != (turn == 0):
                    continue
                first, last = U(0), U(1)
                if stage == 0:
                    row = U(touched[i])
                    if filtered and not live[row]:
                        continue
                    score, own, cell = np.int64(sums[row]), row >> U(6), row & U(63)
                    norm = norms[lengths[row]]
                    for t in range(many):
                        if lines[t] < 0:
                            continue
                        line = U(lines[t])
                        at, end = U(starts[line, own]), U(starts[line, own + U(1)])
                        if at == end:
                            continue
                        upper -= min(units[t] * np.int64(bounds[line, own]), mosts[t])
                        code = U(0)
                        while at < end:
                            code = U(dense[at])
                            if code & U(63) >= cell:
                                break
                            at += U(1) + U(code >= U(192))
                        if at < end and code & U(63) == cell:
                            count = U(dense[at + U(1)]) if code >= U(192) else (code >> U(6)) + U(1)
                            gain = np.int64(weights[t] * count / (count + norm)) + 1
                            score += gain
                            upper += gain
                        if upper < least:
                            break
                    if upper < least:
                        continue
                    total[0] = score
                else:
                    first, last = U(i) << U(6), min((U(i) + U(1)) << U(6), U(len(lengths)))
                    for j in range(64):
                        total[j] = 0
                    for t in range(many):
                        if lines[t] < 0:
                            continue
                        at, end = U(starts[U(lines[t]), U(i)]), U(starts[U(lines[t]), U(i) + U(1)])
                        while at < end:
                            code = U(dense[at])
                            count = U(dense[at + U(1)]) if code >= U(192) else (code >> U(6)) + U(1)
                            at += U(1) + U(code >= U(192))
                            cell = code & U(63)
                            gain = np.int64(weights[t] * count / (count + norms[lengths[first + cell]])) + 1
                            total[cell] += gain
                for j in range(last - first):
                    score = total[j]
                    if score < least or score == 0:
                        continue
                    if stage == 1:
                        row = first + j
                        if sums[row] != 0 or (filtered and not live[row]):
                            continue
                    key = score << 32 | (0xFFFFFFFF - base - np.int64(row))
                    if kept < k:
                        place = kept
                        kept += U(1)
                        while place > 0 and heap[(place - U(1)) >> U(1)] > key:
                            heap[place] = heap[(place - U(1)) >> U(1)]
                            place = (place - U(1)) >> U(1)
                        heap[place] = key
                    elif key > heap[0]:
                        place = U(0)
                        while True:
                            below = (place << U(1)) + U(1)
                            if below >= k:
                                break
                            if below + U(1) < k and heap[below + U(1)] < heap[below]:
                                below += U(1)
                            if heap[below] >= key:
                                break
                            heap[place] = heap[below]
                            place = below
                        heap[place] = key
                    if kept == k:
                        least = heap[0] >> 32
    for i in range(seen):
        sums[touched[i]] = 0
    return np.int64(kept)
