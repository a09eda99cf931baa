"""Queries -> Hits: both sides, filters, fusion, near-duplicates, a cap per document."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from indexing.collection import Collection, View
from indexing.dense import Engine, choose
from indexing.fusion import Candidates, Fusion, Ranked, fresher, fuse
from indexing.rows import Label
from indexing.store import searched_text
from indexing.tokenize import is_cjk
from indexing.types import (
    Document,
    Encoder,
    EncoderMismatch,
    Facets,
    Filters,
    Hit,
    Passage,
    Query,
    Vectors,
)

DEPTH = 100
"""Hits taken from each side; the fusion's scaling was measured at this depth."""

SAME_COSINE = 0.9
"""Passages less alike than this are not compared word by word; copies with small edits lie above .97."""

SAME_SHARE = 0.7
"""Near-duplicates share so much of their eight-character stretches (Jaccard): one changed sentence in six."""

KEPT = 256
"""Vectors remembered of passages that are not seen whole."""

TELLING = 12
"""Of its words those by which passages like one are looked for."""

_NO_FILTERS = Filters()

Seen = Callable[[str, str], str]
"""(text of a passage, question) -> what of the passage counts for that question."""


class Whole(Protocol):
    """What finds and fuses the candidates of both sides by itself: see `device`."""

    def describe(self) -> str:
        """What runs where, for people."""
        ...

    def encoded(self, encoder: Encoder, texts: Sequence[str]) -> Any:
        """The vectors of queries, as `candidates` takes them."""
        ...

    def candidates(
        self,
        snapshot: Any,
        queries: Sequence[Sequence[str]],
        cjk: Sequence[bool],
        vectors: Any,
        k: int,
        admitted: Any,
        fusion: Fusion,
    ) -> list[Candidates]: ...


class Searcher:
    """The Retriever over an index: safe to share between threads, sees each new commit at the next query.

    >>> searcher = Searcher(Index.open(folder), encoder)
    >>> searcher.search(Query("Who landed on the Moon first?"), k=5)[0].passage.text
    """

    def __init__(
        self,
        index: Collection,
        encoder: Encoder,
        fusion: Fusion | None = None,
        per_document: int = 2,
        engine: Engine | None = None,
        seen: Seen | None = None,
        half_life: float = 0.0,
        device: Whole | None = None,
    ) -> None:
        """`per_document` caps the passages of one document (0: no cap). What `seen` leaves out of a passage finds it,
        but does not count for its rank. `half_life` in days prefers what was published lately (0: it does not matter).
        `device` searches, and fuses, in place of `engine` and the lexical side. Raises EncoderMismatch."""
        index.check(encoder)
        self.index = index
        self.encoder = encoder
        self.fusion = fusion or Fusion()
        self.per_document = per_document
        self.engine = engine or choose()
        self.seen = seen
        self.half_life = half_life
        self.device = device
        self._encoded = lru_cache(KEPT)(lambda text: encoder.encode_passages([text])[0])

    def seeing(self, seen: Seen | None) -> "Searcher":
        """The same, with another view of the passages."""
        given = (self.index, self.encoder, self.fusion, self.per_document, self.engine, seen, self.half_life)
        return Searcher(*given, self.device)

    def describe(self) -> str:
        """What searches, and where."""
        return (self.device or self.engine).describe()

    def search(self, query: Query, k: int, filters: Filters = _NO_FILTERS) -> list[Hit]:
        """At most k hits, best first; none for a blank query. Raises IndexDamaged, EncoderMismatch."""
        return self.search_many([query], k, filters)[0]

    def search_many(self, queries: Sequence[Query], k: int, filters: Filters = _NO_FILTERS) -> list[list[Hit]]:
        """One list of hits a query; all queries are encoded and scored as one batch. Passages are seen with the first
        query's eyes: the queries of one call ask the same thing."""
        return [hits for hits, _ in self._search(queries, k, filters, self.index.snapshot())]

    def faceted(self, query: Query, k: int, filters: Filters = _NO_FILTERS) -> tuple[list[Hit], Facets]:
        """Hits, and what the documents are of that the best hundred passages of either side belong to."""
        snapshot = self.index.snapshot()
        ((hits, candidates),) = self._search([query], k, filters, snapshot)
        keys = np.union1d(candidates.lexical.keys, candidates.dense.keys)
        labels = self.index.labels(keys, snapshot)
        return hits, facets({owner: label for _, (owner, label) in labels.items()}.values())

    def similar(self, passage_id: str, k: int, filters: Filters = _NO_FILTERS) -> list[Hit]:
        """Passages of other documents that say what this one says: near its vector, or with its rarest words.

        Raises NotFound, IndexDamaged.
        """
        passage = self.index.passage(passage_id)
        text = searched_text(self.index.document(passage.document_id), passage)
        snapshot = self.index.snapshot()
        own = self.index.keys(passage.document_id, snapshot)
        vector = snapshot.vector(own[passage_id]) if passage_id in own else None
        if vector is None:
            return []
        admitted = self.index.admitted(filters, snapshot, list(own.values()))
        tokens = snapshot.lexical.rarest(self.index.analyser.tokens(text), TELLING)
        (candidates,) = self._candidates([tokens], [is_cjk(text)], vector[None], admitted, snapshot)
        return self._hits(candidates, snapshot, _Passages(self.index, snapshot), k)

    def _search(
        self, queries: Sequence[Query], k: int, filters: Filters, snapshot: View
    ) -> list[tuple[list[Hit], Candidates]]:
        asked = [i for i, query in enumerate(queries) if query.text.strip()]
        found: list[tuple[list[Hit], Candidates]] = [([], Candidates(Ranked(), Ranked())) for _ in queries]
        if not asked or not len(snapshot):
            return found
        texts = [queries[i].text for i in asked]
        vectors = self._vectors(texts)
        every = self.candidates(texts, filters, vectors, snapshot)
        passages = _Passages(self.index, snapshot)
        for i, text, vector, candidates in zip(asked, texts, vectors, every, strict=True):
            if self.seen:
                candidates = self._as_seen(candidates, texts[0], text, vector, snapshot, passages, k)
            found[i] = self._hits(candidates, snapshot, passages, k), candidates
        return found

    def candidates(
        self,
        queries: Sequence[str],
        filters: Filters = _NO_FILTERS,
        vectors: Vectors | None = None,
        snapshot: View | None = None,
    ) -> list[Candidates]:
        """The best hundred of each side, by passage key, before fusion. `vectors` spares encoding the queries."""
        snapshot = snapshot or self.index.snapshot()
        if snapshot.encoder != self.encoder.fingerprint:
            raise EncoderMismatch("The index has been rebuilt with another encoder.", "Restart with that encoder.")
        admitted = self.index.admitted(filters, snapshot)
        if vectors is None:
            vectors = self._vectors(queries)
        tokens = [self.index.analyser.asked(text) for text in queries]
        return self._candidates(tokens, [is_cjk(text) for text in queries], vectors, admitted, snapshot)

    def _vectors(self, texts: Sequence[str]) -> Any:
        """Of queries; a tensor where they stay on the device."""
        return self.device.encoded(self.encoder, texts) if self.device else self.encoder.encode_queries(texts)

    def _candidates(
        self,
        queries: Sequence[Sequence[str]],
        cjk: Sequence[bool],
        vectors: Vectors,
        admitted: object,
        snapshot: View,
    ) -> list[Candidates]:
        if self.device:
            return self.device.candidates(snapshot, queries, cjk, vectors, DEPTH, admitted, self.fusion)
        return by_both(snapshot, self.engine, queries, cjk, vectors, admitted)

    def _ranked(self, candidates: Candidates, snapshot: View) -> Ranked:
        """Both sides fused, and what is new preferred where that is wanted."""
        ranked = candidates.fused or fuse(candidates, self.fusion)
        if not self.half_life:
            return ranked
        labels, now = self.index.labels(ranked.keys, snapshot), datetime.now(UTC)
        dates = [labels[key][1].published_at if key in labels else None for key in ranked.keys.tolist()]
        ages = [math.nan if date is None else (now - date) / timedelta(days=1) for date in dates]
        return fresher(ranked, np.array(ages, np.float32), self.half_life)

    def _as_seen(
        self,
        candidates: Candidates,
        question: str,
        query: str,
        vector: Any,
        snapshot: View,
        passages: "_Passages",
        k: int,
    ) -> Candidates:
        """The candidates, those of the first k of which not all is seen with the scores of what is."""
        assert self.seen
        looked: set[int] = set()
        while new := [key for key in self._ranked(candidates, snapshot).keys[:k].tolist() if key not in looked]:
            looked.update(new)
            texts: dict[int, str] = {}
            for key, (passage, document) in passages.read(new).items():
                said = self.seen(passage.text, question)
                if said != passage.text:
                    texts[key] = searched_text(document, replace(passage, text=said))
            if texts:
                analyser = self.index.analyser
                asked = analyser.asked(query)
                lexical = {key: snapshot.lexical.score_of(asked, *analyser.both(text)) for key, text in texts.items()}
                own = vector.cpu().numpy() if self.device else vector
                dense = {key: float(self._encoded(text) @ own) for key, text in texts.items()}
                sides = rescored(candidates.lexical, lexical), rescored(candidates.dense, dense)
                candidates = replace(candidates, lexical=sides[0], dense=sides[1], fused=None)
        return candidates

    def _hits(self, candidates: Candidates, snapshot: View, passages: "_Passages", k: int) -> list[Hit]:
        """Walk down the fused list, leaving out near-duplicates and passages over their document's cap."""
        lexical = dict(zip(candidates.lexical.keys.tolist(), candidates.lexical.scores.tolist(), strict=True))
        dense = dict(zip(candidates.dense.keys.tolist(), candidates.dense.scores.tolist(), strict=True))
        kept: list[Hit] = []
        near = _Near(snapshot)
        used: dict[str, int] = {}
        for key, score, hit in _read(self._ranked(candidates, snapshot), passages, k):
            if len(kept) == k:
                break
            twin = near.twin(key, hit.passage)
            if twin is not None:
                if _newer(hit, kept[twin]) and used.get(hit.document.id, 0) == 0:
                    used[kept[twin].document.id] -= 1
                    used[hit.document.id] = 1
                    kept[twin] = replace(hit, score=kept[twin].score, lexical=lexical.get(key), dense=dense.get(key))
                continue
            if self.per_document and used.get(hit.document.id, 0) >= self.per_document:
                continue
            used[hit.document.id] = used.get(hit.document.id, 0) + 1
            near.add(key, hit.passage)
            kept.append(replace(hit, score=score, lexical=lexical.get(key), dense=dense.get(key)))
        return kept


def by_both(
    snapshot: View,
    engine: Engine,
    queries: Sequence[Sequence[str]],
    cjk: Sequence[bool],
    vectors: Vectors,
    admitted: Any = None,
) -> list[Candidates]:
    """The best hundred of each side for queries given as tokens and as vectors."""
    best = snapshot.best(engine, queries, vectors, DEPTH, admitted)
    found = []
    for tokens, eastern, ((keys, scores), dense) in zip(queries, cjk, best, strict=True):
        coverage = float(scores[0]) / snapshot.lexical.ceiling(tokens) if len(scores) else 0.0
        lexical = Ranked(keys, scores.astype(np.float32))
        found.append(Candidates(lexical, Ranked(*dense), len(tokens), eastern, coverage))
    return found


def facets(labels: Iterable[Label]) -> Facets:
    """Counts of some documents, the most first."""
    counts: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
    for label in labels:
        year = f"{label.published_at.year:04}" if label.published_at else ""
        for counter, value in zip(counts, (label.source, label.language, year), strict=True):
            if value:
                counter[value] += 1
    return Facets(*(dict(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))) for counter in counts))


class _Passages:
    """Passages with their documents, each read once in a search, whichever query finds it."""

    def __init__(self, index: Collection, snapshot: View) -> None:
        self._index, self._snapshot = index, snapshot
        self._read: dict[int, tuple[Passage, Document]] = {}

    def read(self, keys: Sequence[int]) -> dict[int, tuple[Passage, Document]]:
        """By key; what is no longer there is left out. Raises IndexDamaged for what should be there."""
        new = [key for key in keys if key not in self._read]
        if new:
            self._read |= self._index.read(new, self._snapshot)
        return {key: self._read[key] for key in keys if key in self._read}


def _read(ranked: Ranked, passages: _Passages, k: int) -> Iterator[tuple[int, float, Hit]]:
    """The fused list with its texts, read a few at a time."""
    step = max(2 * k, 8)
    for start in range(0, len(ranked), step):
        keys = ranked.keys[start : start + step].tolist()
        found = passages.read(keys)
        for key, score in zip(keys, ranked.scores[start : start + step].tolist(), strict=True):
            if key in found:
                passage, document = found[key]
                yield key, score, Hit(passage, document, score)


def rescored(ranked: Ranked, scores: Mapping[int, float]) -> Ranked:
    """The list with other scores for some of its passages, best first; one that has none is left out."""
    values = np.array(
        [scores.get(key, old) for key, old in zip(ranked.keys.tolist(), ranked.scores.tolist(), strict=True)],
        dtype=np.float32,
    )
    order = np.argsort(-values, kind="stable")
    order = order[values[order] != 0]
    return Ranked(ranked.keys[order], values[order])


class _Near:
    """The passages kept so far, to recognise a near-duplicate of one of them."""

    def __init__(self, snapshot: View) -> None:
        self._snapshot = snapshot
        self._texts: list[str] = []
        self._vectors: list[Vectors | None] = []

    def add(self, key: int, passage: Passage) -> None:
        self._texts.append(passage.text)
        self._vectors.append(self._snapshot.vector(key))

    def twin(self, key: int, passage: Passage) -> int | None:
        """The place of the kept passage that this one nearly repeats, None when it is new."""
        vector = self._snapshot.vector(key)
        for place, (text, other) in enumerate(zip(self._texts, self._vectors, strict=True)):
            if vector is None or other is None or float(vector @ other) < SAME_COSINE:
                continue
            if overlap(text, passage.text) >= SAME_SHARE:
                return place
        return None


def overlap(a: str, b: str) -> float:
    """Jaccard similarity of the eight-character stretches of two texts, letters and digits only, in [0, 1]."""
    left, right = _stretches(a), _stretches(b)
    return len(left & right) / len(left | right) if left or right else 1.0


def _stretches(text: str) -> set[str]:
    letters = "".join(filter(str.isalnum, text.casefold()))
    return {letters[i : i + 8] for i in range(max(len(letters) - 7, 1))}


def _newer(hit: Hit, other: Hit) -> bool:
    """Of two copies the one published later is the one to show."""
    a, b = hit.document.published_at, other.document.published_at
    return a is not None and b is not None and a.timestamp() > b.timestamp()
