"""The collections in the data folder: read into values, checked against the catalogue's checksums.

The folder holds JSON Lines compressed with gzip, and `catalogue.json` with the sha256 of every file. Nothing here is
copied into the project: a reader takes the folder as an argument.
"""

import functools
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from indexing.types import BadInput

FOLDER_HINT = "Name the data folder with --data (the one that holds catalogue.json)."


@dataclass(frozen=True, slots=True)
class Entry:
    """One text of a retrieval collection or of the encyclopedia leads."""

    id: str
    title: str
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Collection:
    """A retrieval test collection.

    `queries` maps query id to text; `relevant` maps query id to document id to grade (> 0); `groups` maps query id to
    the unit that a bootstrap resamples: the relevant passage where several questions were asked of one, else the
    query itself.
    """

    name: str
    language: str
    entries: tuple[Entry, ...]
    queries: Mapping[str, str]
    relevant: Mapping[str, Mapping[str, float]]
    groups: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """A question with the passage that it was asked of. An unanswerable one has no answers."""

    id: str
    language: str
    title: str
    passage: str
    passage_id: str
    text: str
    answers: tuple[str, ...]
    answerable: bool


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text with a label and the kind of source that it came from."""

    id: str
    language: str
    text: str
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a collection lies. `splits` maps a split to its judgement file."""

    name: str
    language: str
    splits: Mapping[str, str] = field(default_factory=lambda: {"test": "qrels.tsv"})
    grouped: bool = False


BOTH = {"train": "qrels.train.tsv", "test": "qrels.test.tsv"}
COLLECTIONS: tuple[Source, ...] = (
    Source("squad-ir", "en", BOTH, grouped=True),
    Source("drcd-ir", "zh", BOTH, grouped=True),
    Source("cranfield", "en"),
    Source("cisi", "en"),
    Source("med", "en"),
    Source("npl", "en"),
    Source("nfcorpus", "en", {**BOTH, "dev": "qrels.dev.tsv"}),
)
"""Every retrieval collection. squad-ir and drcd-ir are passages of whole articles; the others are abstracts."""


def checksum(path: Path) -> str:
    """sha256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def catalogue(data: Path) -> Mapping[str, str]:
    """File name in the data folder -> its sha256. Raises BadInput when the folder or its catalogue is missing."""
    path = data / "catalogue.json"
    if not path.is_file():
        raise BadInput(f"{data} is not a data folder: it has no catalogue.json.", FOLDER_HINT)
    try:
        return {str(row["file"]): str(row["sha256"]) for row in json.loads(path.read_text(encoding="utf-8"))}
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is not a catalogue: {error}.", FOLDER_HINT) from error


@functools.cache
def checked(data: Path, name: str) -> Path:
    """Path of a file of the data folder whose bytes are those of the catalogue. Raises BadInput otherwise."""
    expected = catalogue(data).get(name)
    path = data / name
    if expected is None:
        raise BadInput(f"The catalogue of {data} does not list {name}.", FOLDER_HINT)
    if not path.is_file():
        raise BadInput(f"{path} is missing.", "Copy the whole data folder again.")
    if checksum(path) != expected:
        raise BadInput(f"{path} differs from its checksum in catalogue.json.", "Copy that file again.")
    return path


def rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    """Rows of a `.jsonl.gz` file of the data folder."""
    with gzip.open(checked(data, name), "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def source_of(name: str) -> Source:
    """The collection of that name. Raises BadInput when there is none."""
    for source in COLLECTIONS:
        if source.name == name:
            return source
    raise BadInput(f"There is no collection {name}.", f"One of: {', '.join(s.name for s in COLLECTIONS)}.")


def judgements(data: Path, name: str) -> dict[str, dict[str, float]]:
    """Query id -> document id -> grade, of a tab-separated file with a header line; grades of 0 are left out."""
    relevant: dict[str, dict[str, float]] = {}
    with checked(data, name).open(encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            query, document, grade = line.rstrip("\n").split("\t")
            if float(grade) > 0:
                relevant.setdefault(query, {})[document] = float(grade)
    return relevant


def collection(data: Path, name: str, split: str = "test") -> Collection:
    """A retrieval collection with the queries of one split. Raises BadInput for a split that it lacks."""
    source = source_of(name)
    if split not in source.splits:
        raise BadInput(f"{name} has no split {split}.", f"It has: {', '.join(source.splits)}.")
    folder = f"retrieval/{name}"
    relevant = judgements(data, f"{folder}/{source.splits[split]}")
    entries = tuple(
        Entry(row["id"], row["title"], row["text"], source.language) for row in rows(data, f"{folder}/docs.jsonl.gz")
    )
    known = {entry.id for entry in entries}
    queries = {
        row["id"]: row["text"]
        for row in rows(data, f"{folder}/queries.jsonl.gz")
        if known & set(relevant.get(row["id"], ()))
    }
    groups = {query: min(relevant[query]) if source.grouped else query for query in queries}
    return Collection(name, source.language, entries, queries, {q: relevant[q] for q in queries}, groups)


def shortened(whole: Collection, limit: int | None) -> Collection:
    """The collection with at most `limit` of its queries, the same ones every time; all documents stay."""
    if limit is None:
        return whole
    return kept(whole, ordered(list(whole.queries))[:limit])


def kept(whole: Collection, queries: Sequence[str]) -> Collection:
    """The collection with these of its queries alone; all documents stay."""
    return replace(
        whole,
        queries={query: whole.queries[query] for query in queries},
        relevant={query: whole.relevant[query] for query in queries},
        groups={query: whole.groups[query] for query in queries},
    )


def leads(data: Path, language: str = "") -> tuple[Entry, ...]:
    """First paragraphs of encyclopedia articles, of one language or all: further passages that answer nothing asked."""
    found = (Entry(row["id"], row["title"], row["text"], row["lang"]) for row in rows(data, "lm/wiki-leads.jsonl.gz"))
    return tuple(entry for entry in found if not language or entry.language == language)


def questions(data: Path, name: str) -> tuple[Question, ...]:
    """Questions of a reading file under `qa/`, for example `squad.test`."""
    return tuple(
        Question(
            id=row["id"],
            language=row["lang"],
            title=row["title"],
            passage=row["context"],
            passage_id=row.get("doc_id", ""),
            text=row["question"],
            answers=tuple(row["answers"]),
            answerable=bool(row["answerable"]),
        )
        for row in rows(data, f"qa/{name}.jsonl.gz")
    )


def outside(data: Path, corpus: Sequence[Entry]) -> tuple[Question, ...]:
    """Questions whose answer stands in none of the texts of `corpus`: open questions in English whose gold answers it
    does not hold, and Chinese questions on passages that it does not hold."""
    texts = "\n".join(entry.text for entry in corpus)
    english = [
        Question(row["id"], "en", row["id"], "", "", row["question"], (), False)
        for row in rows(data, "openqa/r1-searcher.train.jsonl.gz")
        if not any(answer in texts for answer in row["answers"])
    ]
    chinese = [replace(question, answers=(), answerable=False) for question in questions(data, "cmrc.train")]
    return (*english, *chinese)


def decisions(data: Path, split: str) -> tuple[Labelled, ...]:
    """Messages labelled `search` or `none`, of `search-decision/`."""
    return tuple(
        Labelled(row["id"], row["lang"], row["text"], "search" if row["search"] else "none", row["kind"])
        for row in rows(data, f"search-decision/{split}.jsonl.gz")
    )


def attacks(data: Path) -> tuple[Labelled, ...]:
    """Instructions to plant in documents (BIPIA)."""
    return tuple(
        Labelled(row["id"], row["lang"], row["text"], row["category"], row["kind"])
        for row in rows(data, "rules/bipia-attacks.train.jsonl.gz")
    )


def ordered(keys: Sequence[str], seed: int = 0) -> list[str]:
    """Keys in an order that depends on their text and the seed alone: a sample that never moves."""
    return sorted(keys, key=lambda key: hashlib.sha256(f"{seed}:{key}".encode()).digest())


def stratified(items: Sequence[Question], limit: int | None, seed: int = 0) -> list[Question]:
    """At most `limit` questions, drawn evenly from the articles in turn, the same ones every time."""
    if limit is None or limit >= len(items):
        return list(items)
    by_title: dict[str, list[Question]] = {}
    index = {item.id: item for item in items}
    for key in ordered(list(index), seed):
        by_title.setdefault(index[key].title, []).append(index[key])
    chosen: list[Question] = []
    queues = [by_title[title] for title in sorted(by_title)]
    depth = 0
    while len(chosen) < limit:
        layer = [queue[depth] for queue in queues if depth < len(queue)]
        chosen += layer[: limit - len(chosen)]
        depth += 1
    return chosen
