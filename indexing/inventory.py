"""What is in an index: its segments for people, its documents as JSON Lines."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from indexing.collection import Collection
from indexing.rows import SegmentRow
from indexing.segment import Segment
from indexing.store import Index
from indexing.types import Document, IndexDamaged


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """One segment: live and deleted passages, bytes on disk; its postings with their bytes; its inverted lists;
    "" or what is wrong.

    `postings`, `packed` (bytes of the postings, terms included) and `lists` (also of a small segment, whose vectors are
    searched exactly) are 0 for a damaged one.
    """

    name: str
    passages: int
    dead: int
    bytes: int
    postings: int = 0
    packed: int = 0
    lists: int = 0
    problem: str = ""


def segments(index: Index) -> list[SegmentFacts]:
    """The live segments in the order of their passages; reads each whole and names what is damaged."""
    return index.again(lambda opened: [_facts(index, row, opened) for row in index.catalogue.segments()])


def _facts(index: Index, row: SegmentRow, opened: Callable[[str], Segment]) -> SegmentFacts:
    path = index.path(row.name)
    live, dead = row.passages - len(row.dead), len(row.dead)
    try:
        segment, size = opened(row.name), path.stat().st_size
    except IndexDamaged as error:
        size = path.stat().st_size if path.exists() else 0
        return SegmentFacts(row.name, live, dead, size, problem=error.message)
    held, lists = int(segment.postings.held.sum(dtype=int)), segment.lists
    kept = len(lists.centroids) if lists else 0
    return SegmentFacts(row.name, live, dead, size, held, segment.postings.bytes, kept)


def records(index: Collection, source: str | None = None) -> Iterator[str]:
    """Documents of a source or all, in the order of their ids, each a line that a refresh reads back (JSON Lines).

    Raises IndexDamaged for a text that fails its checksum.
    """
    after = ""
    while page := index.documents(source, after, 100):
        for document in page:
            yield json.dumps(_record(document), ensure_ascii=False) + "\n"
        after = page[-1].id


def _record(document: Document) -> dict[str, object]:
    published = document.published_at
    fields: dict[str, object] = {
        "id": document.id,
        "url": document.url,
        "title": document.title,
        "text": document.text,
        "published_at": published.isoformat() if published else None,
        "metadata": dict(document.metadata),
    }
    return {name: value for name, value in fields.items() if value}
