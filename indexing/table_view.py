"""One version of a table as a search sees it: its shards are asked, and what they find is merged."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.dense import Engine
from indexing.lexical import Lexical, Rows, Statistics
from indexing.rows import Label
from indexing.shard import Choice, Part, Shards, Whole
from indexing.snapshot import Sides
from indexing.table_rows import MEND_HINT, among, checked, document_of, label_of, passage_of, reading, vector_of
from indexing.types import Document, IndexDamaged, Passage, Vectors

_REMEMBERED = 100_000  # tokens whose passages have been counted
_VECTORS = 4096  # vectors of passages that have been read


class TableView:
    """Keys are row addresses: the number of a fragment, times 2^32, and the row in it.

    A query takes two rounds over the shards: how many passages hold each token, unless that is known, and then the
    best of each shard under the statistics of all. Shards return whole units as scores, so that merging is exact.
    """

    def __init__(self, dataset: Any, shards: Shards, parts: Sequence[Part], encoder: str) -> None:
        self.dataset, self.shards, self.parts, self.encoder = dataset, shards, parts, encoder
        self.version = int(dataset.version)
        sizes = shards.ask("sizes", parts)
        self._passages, self._tokens = (int(sum(size[i] for size in sizes)) for i in range(2))
        self._held: dict[str, int] = {}
        self._vectors: dict[int, Vectors] = {}

    def __len__(self) -> int:
        """Live passages."""
        return self._passages

    @cached_property
    def lexical(self) -> Lexical:
        """BM25 with the statistics of all shards; it holds no passages of its own."""
        return Lexical([], self.parts[0].parameters, Statistics(self._passages, self._tokens, self._counted))

    def _counted(self, tokens: Sequence[str]) -> list[int]:
        """How many live passages hold each token; remembered."""
        known, new = self._held, sorted(set(tokens) - self._held.keys())
        if new:
            found = np.sum(self.shards.ask("held", self.parts, new), axis=0)
            known = (known if len(known) < _REMEMBERED else {}) | dict(zip(new, found.tolist(), strict=True))
            self._held = known
        return [known[token] if token in known else self._counted([token])[0] for token in tokens]

    def best(
        self, engine: Engine, asked: Sequence[Sequence[str]], vectors: Vectors, k: int, admitted: Choice | None
    ) -> list[Sides]:
        """The k best of each side; the shards choose their own engine."""
        del engine
        tokens = sorted({token for each in asked for token in each})
        whole = Whole(self._passages, self._tokens, dict(zip(tokens, self._counted(tokens), strict=True)))
        found = self.shards.ask("best", self.parts, whole, list(asked), vectors, k, admitted)
        return [
            Sides(_merged([sides.lexical for sides in each], k), _merged([sides.dense for sides in each], k))
            for each in zip(*found, strict=True)
        ]

    def read(self, keys: Sequence[int]) -> dict[int, tuple[Passage, Document]]:
        """Passages with their documents, by key. Raises IndexDamaged."""
        rows = self._rows(keys)
        owners = sorted({row["key"] for row in rows})
        texts: list[dict[str, Any]] = []
        if owners:
            condition = f"kind = 'document' AND {among('key', owners)}"
            with reading(self.dataset.uri):
                texts = self.dataset.to_table(filter=condition).to_pylist()
            checked(texts, self.dataset.uri)
        documents = {row["key"]: document_of(row) for row in texts}
        if lost := set(owners) - documents.keys():
            raise IndexDamaged(f"The table {self.dataset.uri} has lost the text of {min(lost)}.", MEND_HINT)
        read = {key: vector_of(row) for key, row in zip(keys, rows, strict=True)}
        self._vectors = (self._vectors if len(self._vectors) < _VECTORS else {}) | read
        return {key: (passage_of(row), documents[row["key"]]) for key, row in zip(keys, rows, strict=True)}

    def keys(self, document_id: str) -> dict[str, int]:
        """The keys of a document's passages by their ids, in order."""
        condition = f"kind = 'passage' AND {among('key', [document_id])}"
        with reading(self.dataset.uri):
            scanner = self.dataset.scanner(columns=["id", "ordinal"], filter=condition, with_row_address=True)
            rows = sorted(scanner.to_table().to_pylist(), key=lambda row: row["ordinal"])
        return {row["id"]: row["_rowaddr"] for row in rows}

    def labels(self, keys: Sequence[int]) -> dict[int, tuple[str, Label]]:
        """The id of its document, and what that is sorted by, of each passage."""
        rows = self._rows(keys, ["key", "source", "language", "published_at"])
        return {key: (row["key"], label_of(row)) for key, row in zip(keys, rows, strict=True)}

    def vector(self, key: int) -> Vectors | None:
        """float32 [dimension] of a passage."""
        found = self._vectors.get(key)
        return vector_of(self._rows([key], ["vector"])[0]) if found is None else found

    def _rows(self, keys: Sequence[int], columns: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Rows by their addresses, in order; checked where all columns (none are named) are read. Raises
        IndexDamaged."""
        if not keys:
            return []
        with reading(self.dataset.uri):
            chosen = list(columns or self.dataset.schema.names)
            rows: list[dict[str, Any]] = self.dataset._take_rows(list(keys), columns=chosen).to_pylist()
        return rows if columns else checked(rows, self.dataset.uri)


def _merged(found: Sequence[tuple[Rows, NDArray[Any]]], k: int) -> tuple[Rows, NDArray[Any]]:
    """The k best of several lists, best first, equal ones by key."""
    keys, scores = np.concatenate([keys for keys, _ in found]), np.concatenate([scores for _, scores in found])
    order = np.lexsort((keys, -scores))[:k]
    return keys[order], scores[order]
