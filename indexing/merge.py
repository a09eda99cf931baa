"""Which segments are worth joining into one, and joining them while others write and search."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from indexing.lock import locked
from indexing.rows import SegmentRow, insert_segment
from indexing.segment import Segment, join
from indexing.types import Conflict, StorageFailed

if TYPE_CHECKING:
    from indexing.store import Index

MERGE_AT = 8
"""So many small neighbours become one: a passage is rewritten about log8(n / 512) times in an index of n."""

SMALLEST_TIER = 512
"""Passages; segments below it count as equally small."""

LARGEST = 1 << 21
"""Passages; a larger segment is not made by merging, since its postings are unpacked in memory meanwhile (half a
gigabyte at this size)."""


LOCK = "merge.lock"
"""Held while segments are joined, and while files that no commit names are removed: a merged one has no name yet."""


def merge(index: "Index") -> bool:
    """Join one stretch worth it, if there is one; whether that was done.

    The writer's lock is held only for the exchange, so that commits go on meanwhile; what they deleted is dead in the
    joined segment, too. Nothing is done while another process merges, or when there is too little room: what was
    committed stands, and a later commit tries again. Raises IndexDamaged.
    """
    try:
        with locked(index.folder / LOCK, "merging segments"):
            rows = index.catalogue.segments()
            return any(_joined(index, {row.name for row in rows[first:last]}) for first, last in runs(rows))
    except (Conflict, StorageFailed):
        return False


def _joined(index: "Index", chosen: set[str]) -> bool:
    snapshot = index.snapshot()
    pairs = [pair for pair in zip(snapshot.segments, snapshot.alive, strict=True) if pair[0].name in chosen]
    if len(pairs) < len(chosen):
        return False
    parts, alive = zip(*pairs, strict=True)
    merged = join(parts, alive, uuid.uuid4().hex, snapshot.centroids, len(snapshot))
    path = index.path(merged.name)
    if len(merged):
        merged.write(path)
    done = False
    try:
        with index.writing():
            done = _exchanged(index, chosen, merged)
    finally:
        for each in [index.path(name) for name in chosen] if done else [path]:
            each.unlink(missing_ok=True)  # readers that hold it keep their mapping
    return done


def _exchanged(index: "Index", old: set[str], merged: Segment) -> bool:
    """Name the joined segment in place of the old ones; not when a repair or a rebuild has replaced one of them."""
    with index.catalogue.transaction() as connection:
        rows = [row for row in index.catalogue.segments() if row.name in old]
        if len(rows) < len(old):
            return False
        connection.executemany("DELETE FROM segments WHERE name = ?", [(name,) for name in old])
        if len(merged):
            dead = np.intersect1d(merged.keys, np.concatenate([row.dead for row in rows]))
            insert_segment(connection, SegmentRow(merged.name, int(merged.keys[0]), len(merged), dead))
        index.catalogue.advance(connection)
    return True


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
