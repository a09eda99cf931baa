"""A part of a table made searchable: its fragments, each as a segment with packed postings and vectors, and inverted
lists of its own where it is large.

A fragment's data never changes, so that its segment is made once and kept as a file on the machine's own disk, named by
the fragment's data file; a shard that starts anew maps it into memory. Every question names the version and the
fragments that it is about: a shard that does not hold them yet gets them first, and can give no answer about others.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from indexing.dense import Engine, choose
from indexing.lexical import Mask, Parameters, Rows, Statistics
from indexing.lists import joined
from indexing.postings import Postings
from indexing.segment import Segment
from indexing.snapshot import Sides, Snapshot
from indexing.store import searched_text
from indexing.table_rows import Place, admitting, reading
from indexing.tokenize import Analyser
from indexing.types import Document, Filters, IndexDamaged, Passage, Vectors

KEPT = 2
"""Versions of which a shard keeps the view: the latest, and the one that a slower search began with."""
_FILTERS = 64  # filters whose passages are remembered, a version


class Part(NamedTuple):
    """What a question is about: fragments of one version, and BM25's parameters."""

    version: int
    fragments: tuple[int, ...]
    parameters: Parameters


class Whole(NamedTuple):
    """The statistics of the table: live passages, their tokens, and how many hold each token of a question."""

    passages: int
    tokens: int
    held: Mapping[str, int]


class Choice(NamedTuple):
    """Of the passages those that satisfy the filters, but for some."""

    filters: Filters
    without: tuple[int, ...] = ()


class Shard:
    """The searchable fragments of one process. `cache` is a folder on its own disk, None to keep nothing."""

    def __init__(self, place: Place, cache: Path | None = None) -> None:
        self.place, self.cache, self.analyser = place, cache, Analyser()
        self._engine: Engine | None = None
        self._views: OrderedDict[Part, _Held] = OrderedDict()

    def sizes(self, part: Part) -> tuple[int, int]:
        """(live passages, their tokens). Loads what is not there yet."""
        lexical = self._view(part).snapshot.lexical
        return lexical.passages, lexical.tokens

    def held(self, part: Part, tokens: Sequence[str]) -> list[int]:
        """How many live passages hold each token."""
        return self._view(part).snapshot.lexical.held(tokens)

    def best(
        self,
        part: Part,
        whole: Whole,
        asked: Sequence[Sequence[str]],
        vectors: Vectors,
        k: int,
        chosen: Choice | None,
    ) -> list[Sides]:
        """The k best passages of each side, scored as they would be in the whole table; keys are row addresses."""
        if self._engine is None:
            self._engine = choose()
        view = self._view(part)
        return view.scored(whole).best(self._engine, asked, vectors, k, view.admitted(chosen))

    def _view(self, part: Part) -> "_Held":
        found = self._views.get(part)
        if found is None:
            before = next(reversed(self._views.values()), None)
            with reading(self.place.uri):
                dataset = self.place.open(part.version)
                pieces = [self._piece(dataset, fragment, before) for fragment in part.fragments]
            found = self._views[part] = _Held(dataset, part, {piece.name: piece for piece in pieces})
            self._forget(before, found)
            while len(self._views) > KEPT:
                self._views.popitem(last=False)
        self._views.move_to_end(part)
        return found

    def _forget(self, before: "_Held | None", now: "_Held") -> None:
        """Remove the files of fragments that have been joined to others; what is mapped stays mapped."""
        if self.cache is not None and before:
            for name in before.pieces.keys() - now.pieces.keys():
                self._path(name).unlink(missing_ok=True)

    def _piece(self, dataset: Any, number: int, before: "_Held | None") -> "_Piece":
        """A fragment as it is in this version; what an earlier view holds of it is used again."""
        fragment = dataset.get_fragment(number)
        name = "-".join(Path(file.path).stem for file in fragment.metadata.files)
        state = f"{number} {fragment.metadata.deletion_file}"
        known = before.pieces.get(name) if before else None
        if known and known.state == state:
            return known
        live = fragment.scanner(columns=["kind"], filter="kind = 'passage'", with_row_address=True).to_table()
        keys = np.sort(live["_rowaddr"].to_numpy().astype(np.int64))
        segment = known.segment if known else self._kept(name)
        if segment is None or not np.isin(keys, segment.keys).all():
            segment = self._built(fragment, name)
        alive = np.isin(segment.keys, keys)
        return _Piece(name, state, segment, None if alive.all() else alive)

    def _kept(self, name: str) -> Segment | None:
        """The segment of a fragment as an earlier process left it."""
        if self.cache is None:
            return None
        try:
            return Segment.open(self._path(name))
        except (FileNotFoundError, IndexDamaged):
            return None

    def _path(self, name: str) -> Path:
        assert self.cache
        return self.cache / f"{name}-{self.analyser.fingerprint[:12]}.seg"

    def _built(self, fragment: Any, name: str) -> Segment:
        columns = ["title", "heading", "text", "vector"]
        rows = fragment.scanner(columns=columns, filter="kind = 'passage'", with_row_address=True).to_table()
        keys = rows["_rowaddr"].to_numpy().astype(np.int64)
        texts = (
            searched_text(Document("", "", title, ""), Passage("", "", 0, 0, 0, text, heading))
            for title, heading, text in zip(*(rows[column].to_pylist() for column in columns[:3]), strict=True)
        )
        column = rows["vector"].combine_chunks()
        vectors = column.flatten().to_numpy(zero_copy_only=False).astype(np.float16)
        vectors = vectors.reshape(len(keys), column.type.list_size)
        lists = joined(vectors, [(None, np.arange(len(keys)))], None, len(keys))
        postings = Postings.of(self.analyser.numbered(texts))
        segment = Segment(name, keys, np.zeros(len(keys), np.int64), vectors, postings, lists)
        if self.cache is not None:
            self.cache.mkdir(parents=True, exist_ok=True)
            segment.write(self._path(name))
        return segment


class _Piece(NamedTuple):
    """A fragment's segment with its live rows (None: all); `state` changes when rows of it are deleted."""

    name: str
    state: str
    segment: Segment
    alive: Mask | None


class _Held:
    """The fragments of one part, as a snapshot."""

    def __init__(self, dataset: Any, part: Part, pieces: Mapping[str, _Piece]) -> None:
        self.pieces, self._dataset, self._part = pieces, dataset, part
        chosen = sorted((piece for piece in pieces.values() if len(piece.segment)), key=lambda p: p.segment.keys[0])
        segments, alive = [piece.segment for piece in chosen], [piece.alive for piece in chosen]
        self.snapshot = Snapshot(part.version, segments, alive, part.parameters)
        self._scored: Snapshot | None = None
        self._told: dict[str, int] = {}
        self._filters: OrderedDict[str, Mask] = OrderedDict()

    def scored(self, whole: Whole) -> Snapshot:
        """The snapshot with the statistics of the table."""
        self._told.update(whole.held)
        if self._scored is None:
            told = Statistics(whole.passages, whole.tokens, lambda tokens: [self._told[token] for token in tokens])
            self._scored = replace(self.snapshot, statistics=told)
        return self._scored

    def admitted(self, chosen: Choice | None) -> Mask | None:
        """Live rows of the passages that are chosen, bool [rows]; None for all."""
        if chosen is None:
            return None
        found = self.snapshot.others(np.array(chosen.without, np.int64))
        return found if chosen.filters == Filters() else found & self._satisfying(chosen.filters)

    def _satisfying(self, filters: Filters) -> Mask:
        """Rows that satisfy the filters, bool [rows]; remembered."""
        condition = admitting(filters)
        found = self._filters.get(condition)
        if found is None:
            own = [self._dataset.get_fragment(number) for number in self._part.fragments]
            scanner = self._dataset.scanner(columns=["kind"], filter=condition, fragments=own, with_row_address=True)
            with reading(self._dataset.uri):
                keys: Rows = scanner.to_table()["_rowaddr"].to_numpy().astype(np.int64)
            found = self._filters[condition] = np.isin(self.snapshot.keys, keys)
            if len(self._filters) > _FILTERS:
                self._filters.popitem(last=False)
        return found


class Shards(Protocol):
    """All shards of a table, each of which is asked about its own part."""

    def divide(self, fragments: Mapping[int, int]) -> list[tuple[int, ...]]:
        """The fragments of each shard, given all of them with their rows."""
        ...

    def ask(self, question: str, parts: Sequence[Part], *given: object) -> list[Any]:
        """What each shard answers about its part to the method `question` of Shard, in order.

        Raises ClusterFailed when one of them does not answer: there is no answer from some of them.
        """
        ...

    def close(self) -> None: ...


@dataclass(slots=True)
class LocalShards:
    """Shards of this process, searched one after the other."""

    shards: Sequence[Shard]

    def divide(self, fragments: Mapping[int, int]) -> list[tuple[int, ...]]:
        return divided(fragments, len(self.shards), [()] * len(self.shards))

    def ask(self, question: str, parts: Sequence[Part], *given: object) -> list[Any]:
        pairs = zip(self.shards, parts, strict=True)
        return [getattr(shard, question)(part, *given) for shard, part in pairs]

    def close(self) -> None:
        pass


def divided(fragments: Mapping[int, int], shards: int, before: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Fragments (with their rows) for each shard: where they were before, and new ones where there are fewest rows."""
    parts = [[number for number in held if number in fragments] for held in before]
    rows = [sum(fragments[number] for number in part) for part in parts]
    for number in sorted(fragments.keys() - {number for part in parts for number in part}):
        place = int(np.argmin(rows))
        parts[place].append(number)
        rows[place] += fragments[number]
    return [tuple(part) for part in parts[:shards]]
