"""Which segments are worth joining into one."""

from collections.abc import Sequence

from indexing.rows import SegmentRow

MERGE_AT = 8
"""So many small neighbours become one: a passage is rewritten about log8(n / 512) times in an index of n."""

SMALLEST_TIER = 512
"""Passages; segments below it count as equally small."""

LARGEST = 1 << 21
"""Passages; a larger segment is not made by merging, since its postings are unpacked in memory meanwhile (half a
gigabyte at this size)."""


def runs(rows: Sequence[SegmentRow]) -> list[tuple[int, int]]:
    """Stretches (first, past the last) of neighbouring segments worth rewriting as one.

    A stretch is MERGE_AT neighbours that are all under one size (512, 4,096, 32,768, ... live passages) and, above the
    smallest, none of which outweighs the others together; or one segment of which more than half is dead.
    At most one stretch is named: after its merge the picture is another.
    """
    live = [row.passages - len(row.dead) for row in rows]
    limit = SMALLEST_TIER
    while rows and limit <= MERGE_AT * max(max(live), SMALLEST_TIER):
        first = 0
        for i in range(len(rows) + 1):
            if i == len(rows) or live[i] >= limit:
                stretch = live[first:i]
                even = limit == SMALLEST_TIER or 2 * max(stretch, default=0) <= sum(stretch)
                if len(stretch) >= MERGE_AT and even and sum(stretch) <= LARGEST:
                    return [(first, i)]
                first = i + 1
        limit *= MERGE_AT
    return [(i, i + 1) for i, row in enumerate(rows) if len(row.dead) * 2 > row.passages][:1]
