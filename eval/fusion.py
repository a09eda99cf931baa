"""The fusion's weights, chosen on training questions: collections made from data whose weights may be released.

Two are training splits of retrieval collections; the others are made here so that the choice does not hang on one kind
of question: titles of scientific abstracts, questions about papers, implicit questions about facts, questions about
single sentences, chat turns, and questions about Chinese passages.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from eval import datasets, metrics
from eval.datasets import Collection, Entry
from eval.report import Report, Table, measured, share, write
from eval.retrieval import GUARD, SYSTEMS, Sides, cached, sides
from indexing.fusion import Fusion
from indexing.types import Encoder, Progress

QUERIES = 1000
"""Questions a collection: enough to tell half a point apart, few enough to try a hundred settings."""

GAIN = 0.001
"""A weight that follows the query must win by this much: it is one more thing to understand."""
ROUNDS = 2
PLAIN: Mapping[str, Sequence[float]] = {
    "latin": (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7),
    "cjk": (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7),
}
FOLLOWING: Mapping[str, Sequence[float]] = {
    "length": (-0.4, -0.2, 0.0, 0.2, 0.4),
    "coverage": (-4.0, -2.0, 0.0, 2.0, 4.0),
    "lexical_gap": (-4.0, -2.0, -1.0, 0.0, 1.0, 2.0),
    "dense_gap": (-2.0, -1.0, 0.0, 1.0, 2.0, 4.0),
}

Pair = tuple[str, Iterable[Entry]]
"""A query with the documents that answer it."""


def tuning_collections(data: Path) -> list[Collection]:
    """Every collection that the weights are chosen on."""
    splits = [datasets.collection(data, name, "train") for name in ("squad-ir", "drcd-ir")]
    return [datasets.shortened(one, QUERIES) for one in (*splits, *pseudo_collections(data))]


def pseudo_collections(data: Path) -> list[Collection]:
    """Retrieval collections made from training data of other kinds."""
    drcd = datasets.collection(data, "drcd-ir", "train").entries
    made = [
        collected("titles", "en", instructions(data, "task1540")),
        collected("papers", "en", instructions(data, "task461")),
        collected("facts", "en", facts(data)),
        collected("sentences", "en", reading(data, "qamr.train")),
        collected("chat", "zh", chat(data)),
        collected("cmrc", "zh", reading(data, "cmrc.train"), drcd),
    ]
    return [datasets.shortened(one, QUERIES) for one in made]


def collected(name: str, language: str, pairs: Iterable[Pair], further: Sequence[Entry] = ()) -> Collection:
    """A collection from queries with their documents; documents of one text are one."""
    entries: dict[tuple[str, str], Entry] = {}
    queries: dict[str, str] = {}
    relevant: dict[str, dict[str, float]] = {}
    for i, (query, wanted) in enumerate(pairs):
        ids = [entries.setdefault((one.title, one.text), one).id for one in wanted]
        if query.strip() and ids:
            queries[f"{name}-q{i}"] = query
            relevant[f"{name}-q{i}"] = dict.fromkeys(ids, 1.0)
    groups = {query: min(relevant[query]) for query in queries}
    return Collection(name, language, (*entries.values(), *further), queries, relevant, groups)


def instructions(data: Path, task: str) -> Iterable[Pair]:
    """Rows of an instruction task whose input is a text and whose output asks for it."""
    for row in datasets.rows(data, "sft/natural-instructions.train.jsonl.gz"):
        if row["task"].startswith(task):
            yield row["output"], [Entry(row["id"], "", row["input"], "en")]


def facts(data: Path) -> Iterable[Pair]:
    """Implicit questions with the facts that decide them."""
    for row in datasets.rows(data, "decomposition/strategyqa.train.jsonl.gz"):
        yield row["question"], [Entry(f"{row['id']}-{i}", "", fact, "en") for i, fact in enumerate(row["facts"])]


def reading(data: Path, name: str) -> Iterable[Pair]:
    """Questions with the passage that they were asked of."""
    for row in datasets.questions(data, name):
        if row.answerable:
            yield row.text, [Entry(row.passage_id or row.id, row.title, row.passage, row.language)]


def chat(data: Path) -> Iterable[Pair]:
    """Chinese chat turns with the facts that the reply used; every fourth turn, so that it encodes in a minute."""
    for row in islice(datasets.rows(data, "sft/kdconv.train.jsonl.gz"), 0, None, 4):
        wanted = [Entry(f"{row['id']}-{i}", one["title"], one["text"], "zh") for i, one in enumerate(row["evidence"])]
        if wanted and row["dialogue"]:
            yield row["dialogue"][-1]["text"], wanted


def quality(found: Sides, fusion: Fusion, system: str = "fused") -> list[float]:
    """nDCG@10 of every query."""
    ranked, relevant = found.ranked(system, fusion), found.relevant()
    return [metrics.ndcg_at(one, wanted, 10) for one, wanted in zip(ranked, relevant, strict=True)]


@dataclass(frozen=True, slots=True)
class Step:
    """One setting that was tried: the mean over collections of nDCG@10, and the value of each collection."""

    fusion: Fusion
    mean: float
    each: Mapping[str, float]


class Trials:
    """Settings tried on collections; a setting that a collection has seen is not tried again."""

    def __init__(self, parts: Sequence[Sides]) -> None:
        self.parts = parts
        self.seen: dict[tuple[str, Fusion], float] = {}

    def value(self, part: Sides, fusion: Fusion) -> float:
        """nDCG@10 of one collection under one setting."""
        chinese = part.collection.language == "zh"
        same = replace(fusion, latin=0.5) if chinese else replace(fusion, cjk=0.5)
        key = (part.collection.name, same)
        if key not in self.seen:
            # The weights' own language decides which share counts, so the other one is left out of the key.
            self.seen[key] = float(np.mean(quality(part, fusion)))
        return self.seen[key]

    def step(self, fusion: Fusion, without: str = "") -> Step:
        """One setting on every collection (but one); every collection counts the same."""
        each = {
            part.collection.name: self.value(part, fusion) for part in self.parts if part.collection.name != without
        }
        return Step(fusion, float(np.mean(list(each.values()))), each)

    def climb(self, start: Fusion, grid: Mapping[str, Sequence[float]], without: str = "") -> Step:
        """Coordinate ascent: each setting in turn is set to the best value of its grid, the others held."""
        best = self.step(start, without)
        for _ in range(ROUNDS):
            before = best
            for name, values in grid.items():
                steps = [self.step(replaced(best.fusion, name, value), without) for value in values]
                found = max(steps, key=lambda step: step.mean)
                best = found if found.mean > best.mean + (GAIN if name in FOLLOWING else 0.0) else best
            if best is before:
                break
        return best

    def held_out(self, grid: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """nDCG@10 of each collection under the setting that is best on all the others."""
        names = [part.collection.name for part in self.parts]
        fits = {name: self.climb(Fusion(), grid, without=name).fusion for name in names}
        return {part.collection.name: self.value(part, fits[part.collection.name]) for part in self.parts}


def replaced(fusion: Fusion, name: str, value: float) -> Fusion:
    """The setting with one number changed."""
    changed: dict[str, Any] = {name: value}
    return replace(fusion, **changed)


def run_fusion(
    data: Path,
    home: Path,
    out: Path,
    limit: int | None = QUERIES,
    progress: Progress | None = None,
    *,
    encoder: Encoder | None = None,
    cache: Path | None = None,
) -> Report:
    """Choose the fusion's weights; writes fusion.md and fusion.json into `out`.
    The choice is typed into Fusion by hand.

    Plain weights (a share for each writing) are compared with weights that also follow the query (its length, how far
    each side's first hit stands out); the latter are chosen only where they win on collections held out.
    """
    encoder = cached(home, cache, encoder, progress)
    collections = [datasets.shortened(one, limit) for one in tuning_collections(data)]
    parts = [sides(one, encoder, progress=progress) for one in collections]
    report = chosen(parts)
    write(report, out)
    return report


def chosen(parts: Sequence[Sides]) -> Report:
    """The report of a choice."""
    trials, every = Trials(parts), {**PLAIN, **FOLLOWING}
    plain = trials.climb(Fusion(), PLAIN)
    following = trials.climb(plain.fusion, every)
    apart = {"plain": trials.held_out(PLAIN), "following the query": trials.held_out(every)}
    gains = [apart["following the query"][name] - value for name, value in apart["plain"].items()]
    best = following if float(np.mean(gains)) > GAIN else plain
    rows = []
    for part in parts:
        name = part.collection.name
        systems = {system: float(np.mean(quality(part, best.fusion, system))) for system in SYSTEMS}
        values = (*systems.values(), plain.each[name], following.each[name], *(one[name] for one in apart.values()))
        rows.append((name, str(len(part.queries)), *(share(value) for value in values)))
    columns = (
        "collection", "queries", *SYSTEMS, "plain", "following the query", "plain, held out", "following, held out",
    )  # fmt: skip
    figures = {
        f"fusion/{part.collection.name}/{GUARD}": measured(
            metrics.interval(quality(part, best.fusion), part.groups()),
            baseline=max(float(np.mean(quality(part, best.fusion, side))) for side in ("bm25", "vectors")),
        )
        for part in parts
    }
    settings = {"chosen": str(best.fusion), "plain": str(plain.fusion), "following the query": str(following.fusion)}
    notes = (f"The weights that follow the query won by {float(np.mean(gains)):+.4f} on collections held out.",)
    command = "passerine evaluate fusion"
    return Report("fusion", command, (Table(GUARD, columns, tuple(rows)),), figures, settings, notes=notes)
