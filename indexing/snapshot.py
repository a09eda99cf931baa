"""What a reader sees: the segments of one commit and their live rows, never changing under it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexing.dense import Engine, Searchable
from indexing.dense import nearest as nearest_rows
from indexing.lexical import Lexical, Mask, Parameters, Rows, Statistics
from indexing.lists import Centroids
from indexing.segment import Segment
from indexing.types import Vectors


class Sides(NamedTuple):
    """Keys of passages with their scores, best first, equal ones by key."""

    lexical: tuple[Rows, NDArray[np.float64]]
    dense: tuple[Rows, Vectors]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Segments, the live rows of each (None: all), and row numbers that run across all of them."""

    generation: int
    segments: Sequence[Segment]
    alive: Sequence[Mask | None]
    parameters: Parameters
    encoder: str = ""
    """The fingerprint of the encoder that made its vectors."""
    statistics: Statistics | None = None
    """Of the whole collection, where this is a part of it."""

    @cached_property
    def memory(self) -> dict[str, Any]:
        """What a device derives from the snapshot and keeps as long as it."""
        return {}

    @cached_property
    def keys(self) -> Rows:
        """The catalogue's key of the passage of each row, ascending."""
        return np.concatenate([np.zeros(0, np.int64), *(segment.keys for segment in self.segments)])

    @cached_property
    def bases(self) -> Rows:
        """The first row of each segment, and one past the last."""
        return np.cumsum([0, *(len(segment) for segment in self.segments)], dtype=np.int64)

    @cached_property
    def lexical(self) -> Lexical:
        """BM25 over the live rows."""
        parts = [(s.postings, alive) for s, alive in zip(self.segments, self.alive, strict=True)]
        return Lexical(parts, self.parameters, self.statistics)

    @property
    def centroids(self) -> Centroids | None:
        """The most recent ones that its segments' vectors are sorted by: those that are most; None where none is."""
        every = [segment.lists.centroids for segment in self.segments if segment.lists]
        return max(every, key=len, default=None)

    def __len__(self) -> int:
        """Live passages."""
        return self.lexical.passages

    def best(
        self, engine: Engine, asked: Sequence[Sequence[str]], vectors: Vectors, k: int, admitted: Mask | None
    ) -> list[Sides]:
        """The k best of each side for queries given as tokens and as vectors."""
        found = []
        for tokens, (near, cosines) in zip(asked, self.nearest(engine, vectors, k, admitted), strict=True):
            rows, scores = self.lexical.top(tokens, k, admitted)
            found.append(Sides((self.keys[rows], scores), (self.keys[near], cosines)))
        return found

    def nearest(self, engine: Engine, queries: Vectors, k: int, admitted: Mask | None) -> list[tuple[Rows, Vectors]]:
        """(rows, cosines) of the k nearest live and admitted passages of each query, best first."""
        parts: list[tuple[Searchable, int, Mask | None]] = []
        for segment, alive, base in zip(self.segments, self.alive, self.bases, strict=False):
            mask = alive if admitted is None else admitted[base : base + len(segment)]
            parts.append((searchable(segment, engine), len(segment), mask))
        return nearest_rows(parts, queries, k)

    def admitted(self, owners: Rows) -> Mask:
        """Live rows of the documents whose keys are in `owners`, bool [rows]."""
        return self._rows_where(lambda segment: np.isin(segment.owners, owners))

    def _rows_where(self, chosen: Callable[[Segment], Mask]) -> Mask:
        masks = [np.zeros(0, np.bool_)]
        for segment, alive in zip(self.segments, self.alive, strict=True):
            masks.append(chosen(segment) if alive is None else chosen(segment) & alive)
        return np.concatenate(masks)

    def others(self, keys: Rows) -> Mask:
        """Live rows of all passages but those with these keys, bool [rows]."""
        return self._rows_where(lambda segment: ~np.isin(segment.keys, keys))

    def owners(self, keys: Rows) -> Rows:
        """The catalogue's key of the document of each passage, -1 where the snapshot lacks the passage."""
        owners, rows = np.full(len(keys), -1, np.int64), self.rows(keys)
        for segment, base in zip(self.segments, self.bases, strict=False):
            here = (rows >= base) & (rows < base + len(segment))
            owners[here] = segment.owners[rows[here] - base]
        return owners

    def rows(self, keys: Rows) -> Rows:
        """Row of each passage key, -1 where the snapshot lacks it."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, -1)

    def vector(self, key: int) -> Vectors | None:
        """float32 [dimension] of a passage as it is stored (16 bits), None where the snapshot lacks it."""
        row = int(self.rows(np.array([key]))[0])
        if row < 0:
            return None
        part = int(np.searchsorted(self.bases, row, side="right")) - 1
        vector: Vectors = self.segments[part].vectors[row - self.bases[part]].astype(np.float32)
        return vector


def searchable(segment: Segment, engine: Engine) -> Searchable:
    """The segment's vectors in an engine; made at the first search and kept as long as the segment."""
    kept: dict[str, Searchable] = segment.memory
    key = engine.describe()
    found = kept.get(key)
    if found is None:
        found = kept[key] = engine.prepare(segment.vectors, segment.lists)
    return found
