"""What can be made anew from the stored texts: vectors and postings, for another encoder or after damage.

The new segments are written beside the live ones and listed under the name of the rebuild, so that a killed rebuild
goes on where it stopped; one transaction then makes them the live ones. Readers are served all the while.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import takewhile
from pathlib import Path

import numpy as np

from indexing.rows import SegmentRow, insert_segment
from indexing.segment import Segment
from indexing.store import Index, searched_text
from indexing.types import Cancelled, Encoder, IndexDamaged, Progress, Vectors
from indexing.writer import SLICE, never

_PART = 2048  # passages a segment: half a minute to some minutes of encoding, which is what a kill can cost


def verify(index: Index) -> list[str]:
    """What is wrong with the index, one sentence each; reads every file and text."""
    return index.again(partial(_problems, index, index.catalogue.problems()))


def _problems(index: Index, known: list[str], opened: Callable[[str], Segment]) -> list[str]:
    """What is wrong with the segments of one commit, after what is known of the catalogue."""
    problems = list(known)
    rows: list[int] = []
    try:
        with index.catalogue.reading():
            live = index.catalogue.segments()
            stored = [] if problems else index.catalogue.keys_after(0, -1)
    except IndexDamaged as error:
        return [*problems, error.message]
    for row in live:
        try:
            segment = opened(row.name)
        except IndexDamaged as error:
            problems.append(error.message)
        else:
            rows += segment.keys[~np.isin(segment.keys, row.dead)].tolist()
    if not problems and rows != stored:
        problems.append(f"The segments in {index.folder} do not hold exactly the stored passages.")
    return problems


def mend(index: Index) -> list[str]:
    """Take out the documents that fail their checksum, for the next refresh to read again; returns what was wrong.

    Raises IndexDamaged when SQLite cannot make sense of the file. What segments have lost, `rebuild` makes anew.
    """
    catalogue = index.catalogue
    with index.writing():
        with catalogue.transaction() as connection:
            connection.execute("REINDEX")  # lists of SQLite's own, which a damaged row may not agree with
        damaged = dict(catalogue.damaged())
        with catalogue.transaction() as connection:
            catalogue.forget(connection, damaged)
            dead = catalogue.erase(connection, damaged)
            with suppress(IndexDamaged):  # the list of segments is damaged too, and is made anew by `rebuild`
                catalogue.bury(connection, dead)
            catalogue.advance(connection)
    return list(damaged.values())


def rebuild(
    index: Index, encoder: Encoder, progress: Progress | None = None, cancelled: Callable[[], bool] = never
) -> int:
    """Make vectors and postings of all stored passages anew beside the live index, then swap; returns passages encoded.

    Vectors of the same encoder that lie in an undamaged file are taken over. Progress stage: "encode" (passages).
    Raises Conflict while a refresh runs, StorageFailed, IndexDamaged for a damaged text, and Cancelled: a later call
    goes on where this one stopped.
    """
    with index.refreshing():
        return _Rebuild(index, encoder, progress, cancelled).run()


class _Rebuild:
    def __init__(
        self, index: Index, encoder: Encoder, progress: Progress | None, cancelled: Callable[[], bool]
    ) -> None:
        self.index, self.encoder, self.progress, self.cancelled = index, encoder, progress, cancelled
        self.name = f"{encoder.fingerprint} {index.analyser.fingerprint}"
        self.total = sum(source.passages for source in index.sources())
        self.encoded = 0
        same = index.meta()["encoder_fingerprint"] == encoder.fingerprint
        self.whole = list(self._whole("")) if same else []

    def run(self) -> int:
        self._drop_others()
        last = self._finished()
        while keys := self.index.catalogue.keys_after(last, _PART):
            self._write(keys)
            last = keys[-1]
        with self.index.writing():  # whatever was committed while the rest was encoded, then the swap
            while keys := self.index.catalogue.keys_after(last, _PART):
                self._write(keys, locked=True)
                last = keys[-1]
            self._swap()
        return self.encoded

    def _whole(self, build: str) -> Iterator[Segment]:
        for row in self.index.catalogue.segments(build, checked=False):
            try:
                yield Segment.open(self.index.path(row.name))
            except (IndexDamaged, FileNotFoundError):
                continue

    def _drop_others(self) -> None:
        """Forget what an abandoned rebuild for another encoder wrote, and this one's parts from a damaged one on."""
        whole = {segment.name for segment in self._whole(self.name)}
        parts = [row.name for row in self.index.catalogue.segments(self.name, checked=False)]
        good = set(takewhile(whole.__contains__, parts))
        rows = [row for row in self.index.catalogue.segments(None, checked=False) if row.build and row.name not in good]
        with self.index.writing(), self.index.catalogue.transaction() as connection:
            connection.executemany("DELETE FROM segments WHERE name = ?", [(row.name,) for row in rows])
        _remove([self.index.path(row.name) for row in rows])

    def _finished(self) -> int:
        """The highest key that an earlier, killed run of this rebuild got to."""
        parts = list(self._whole(self.name))
        return int(parts[-1].keys[-1]) if parts else 0

    def _write(self, keys: list[int], locked: bool = False) -> None:
        found = self.index.catalogue.passages(keys)
        keys = [key for key in keys if key in found]
        if not keys:
            return
        texts = [searched_text(document, passage) for passage, document in (found[key] for key in keys)]
        known = self.index.catalogue.owners(keys)
        owners = [known.get(key, 0) for key in keys]  # 0: deleted just now, and dead after the swap
        vectors = self._vectors(keys, texts).astype(np.float16)
        postings = self.index.postings(iter(texts))
        segment = Segment(uuid.uuid4().hex, np.array(keys), np.array(owners), vectors, postings)
        if locked:
            self._list(segment)
        else:
            with self.index.writing():
                self._list(segment)

    def _list(self, segment: Segment) -> None:
        with self.index.catalogue.transaction() as connection:
            segment.write(self.index.path(segment.name))
            insert_segment(connection, SegmentRow(segment.name, int(segment.keys[0]), len(segment), build=self.name))

    def _vectors(self, keys: list[int], texts: list[str]) -> Vectors:
        vectors = np.zeros((len(keys), self.encoder.dimension), np.float32)
        missing = np.ones(len(keys), np.bool_)
        for segment in self.whole:
            _, here, there = np.intersect1d(keys, segment.keys, return_indices=True)
            vectors[here], missing[here] = segment.vectors[there], False
        places = sorted(np.flatnonzero(missing).tolist(), key=lambda place: len(texts[place]))
        for start in range(0, len(places), SLICE):
            if self.cancelled():
                raise Cancelled("The rebuild was stopped.", "The old index serves on; run it again to go on.")
            part = places[start : start + SLICE]
            vectors[part] = self.encoder.encode_passages([texts[place] for place in part])
            self.encoded += len(part)
            if self.progress:
                self.progress("encode", self.encoded, self.total)
        return vectors

    def _swap(self) -> None:
        """Make the new segments live; passages that were deleted in the meantime are dead in them."""
        catalogue = self.index.catalogue
        old = catalogue.segments(checked=False)
        there = np.array(catalogue.keys_after(0, -1), dtype=np.int64)
        parts = list(self._whole(self.name))
        with catalogue.transaction() as connection:
            connection.execute("DELETE FROM segments")
            for segment in parts:
                dead = segment.keys[~np.isin(segment.keys, there)]
                insert_segment(connection, SegmentRow(segment.name, int(segment.keys[0]), len(segment), dead))
            catalogue.establish(connection, self.index.made_by(self.encoder))
            catalogue.advance(connection)
        _remove([self.index.path(row.name) for row in old])


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
