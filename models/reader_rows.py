"""Rows of the reading sets: a question, its passage, and where the answers stand in a passage."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from models.json_lines import read_lines
from models.quotes import CHINESE, whole_words

Bounds = tuple[int, int]

MOST_PLACES = 12
"""Most places of its answers that a row gives."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a reading set. `article` decides on which side of the development split it falls."""

    id: str
    source: str
    language: str
    article: str
    context: str
    question: str
    answers: tuple[str, ...]
    start: int | None


def read_rows(path: Path) -> list[Row]:
    """Rows of `qa/NAME.jsonl.gz`. Raises BadInput when the file is absent."""
    source = path.name.removesuffix(".jsonl.gz")
    return [
        Row(
            row["id"],
            source,
            row["lang"],
            row["title"] or row["context"],
            row["context"],
            row["question"],
            tuple(row["answers"]) if row["answerable"] else (),
            (row.get("answer_starts") or [None])[0],
        )
        for row in read_lines(path)
    ]


def drawn(rows: Sequence[Row], most: int) -> list[Row]:
    """At most so many, by a hash of their ids: mostly the same ones when rows are added."""
    return sorted(rows, key=lambda row: hashlib.sha256(row.id.encode()).digest())[:most]


def gold_places(row: Row, passage: str) -> list[Bounds]:
    """Character spans of the answers in a passage. Where the source states the place, that one; else every one.

    None in a wrong passage (chosen so that it lacks the answers).
    """
    if not row.answers:
        return []
    if row.start is not None and passage == row.context:
        return [(row.start, row.start + len(row.answers[0]))]
    places: dict[Bounds, None] = {}
    for answer in row.answers:
        for match in re.finditer(re.escape(answer), passage):
            if whole_words(passage, *match.span()):
                places[match.span()] = None
        if not places and answer in passage:
            places[passage.index(answer), passage.index(answer) + len(answer)] = None
    return list(places)[:MOST_PLACES]


def words(text: str) -> list[str]:
    """Latin words in lower case, and overlapping pairs of Chinese characters."""
    chinese = CHINESE.findall(text)
    return re.findall(r"\w+", CHINESE.sub(" ", text).lower()) + [a + b for a, b in pairwise(chinese)]
