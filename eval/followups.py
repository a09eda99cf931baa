"""Is a follow-up searched as well as the question that a careful person would have asked in its place?

The follow-ups were written for this (eval/data/followups-*.jsonl) over the passages of the test queries of squad-ir
and drcd-ir. They are frozen: nothing is trained or tuned on them. CAsT 2019, which has no passages here, is compared by
words alone.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval import datasets, metrics
from eval.report import Figure, Report, Table, measured, share, write
from eval.retrieval import cached, index_whole
from eval.workbench import base_of
from indexing.search import Searcher
from indexing.types import BadInput, Encoder, Filters, Progress, Query
from models.extractive import Planner
from models.json_lines import read_lines
from models.measures import token_f1
from models.types import Conversation, Plan, Turn
from service.app import make_planner

FOLDER = Path(__file__).parent / "data"
COLLECTIONS = {"en": "squad-ir", "zh": "drcd-ir"}
SYSTEMS = ("raw turn", "rewrite", "second query", "both queries", "human rewrite")
DEPTH = 5
TARGET = 0.9
"""Share of the way from the raw turn to the human rewrite."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A conversation whose last turn needs its history, and the passage that answers it."""

    id: str
    language: str
    conversation: Conversation
    rewrite: str
    passage_id: str
    kind: str


def follow_ups(language: str, limit: int | None = None) -> list[FollowUp]:
    """The test set of one language, the same order every time."""
    rows = {str(row["id"]): row for row in read_lines(FOLDER / f"followups-{language}.jsonl")}
    return [follow_up(rows[key]) for key in datasets.ordered(list(rows))[:limit]]


def follow_up(row: Mapping[str, Any]) -> FollowUp:
    """One row."""
    turns = [Turn(turn["role"], turn["text"]) for turn in row["history"]]
    conversation = Conversation((*turns, Turn("user", row["question"])))
    return FollowUp(row["id"], row["lang"], conversation, row["rewrite"], row["doc_id"], row["kind"])


def queries_of(one: FollowUp, plan: Plan) -> dict[str, list[str]]:
    """The queries of each of SYSTEMS. A plan without queries searches nothing."""
    planned = [query.text for query in plan.queries]
    return {
        "raw turn": [one.conversation.question],
        "rewrite": planned[:1],
        "second query": planned[1:2] or planned[:1],
        "both queries": planned[:2],
        "human rewrite": [one.rewrite],
    }


def found_in(searcher: Searcher, texts: Sequence[str], k: int = DEPTH) -> list[str]:
    """Document ids of the first k hits; those of several queries in turns."""
    lists = searcher.search_many([Query(text) for text in texts], k, Filters()) if texts else []
    merged: dict[str, None] = {}
    for place in range(k):
        for hits in lists:
            if place < len(hits):
                merged.setdefault(hits[place].document.id, None)
    return list(merged)[:k]


def run_followups(
    data: Path,
    home: Path,
    out: Path,
    limit: int | None = None,
    progress: Progress | None = None,
    *,
    encoder: Encoder | None = None,
    planner: Planner | None = None,
    languages: Sequence[str] = tuple(COLLECTIONS),
) -> Report:
    """Search every follow-up in five ways; writes followups.md and .json into `out`. `limit` keeps that many of each
    language. Raises BadInput, ModelMissing, StorageFailed."""
    planner = planner or make_planner(base_of(home))
    encoder = cached(home, None, encoder, progress)
    figures: dict[str, Figure] = {}
    rows: list[tuple[str, ...]] = []
    kinds: list[tuple[str, ...]] = []
    for language in languages:
        asked = follow_ups(language, limit)
        values = recalls(asked, datasets.collection(data, COLLECTIONS[language]).entries, planner, encoder, progress)
        groups = [one.passage_id for one in asked]
        way = share_of_the_way(values)
        means = (share(float(np.mean(values[system]))) for system in SYSTEMS)
        rows.append((language, f"{len(asked)}", *means, share(way)))
        for system in SYSTEMS:
            figures[f"followups/{language}/R@{DEPTH}/{system}"] = measured(metrics.interval(values[system], groups))
        figures[f"followups/{language}/share of the way"] = Figure(way, len(asked), baseline=0.0, target=TARGET)
        for kind in sorted({one.kind for one in asked}):
            own = [place for place, one in enumerate(asked) if one.kind == kind]
            means = (share(float(np.mean([values[system][place] for place in own]))) for system in SYSTEMS)
            kinds.append((f"{kind} ({language})", f"{len(own)}", *means))
    overlap = word_overlap(data, planner, limit)
    for system, scores in overlap.items():
        figures[f"followups/cast2019/token F1/{system}"] = measured(metrics.interval(scores))
    words = [
        ("cast2019", f"{len(scores)}", system, share(float(np.mean(scores)))) for system, scores in overlap.items()
    ]
    tables = (
        Table(f"R@{DEPTH}", ("language", "follow-ups", *SYSTEMS, "share of the way"), tuple(rows)),
        Table(f"R@{DEPTH} by kind", ("kind", "follow-ups", *SYSTEMS), tuple(kinds)),
        Table("Token F1 with the human rewrite", ("set", "turns", "system", "F1"), tuple(words)),
    )
    report = Report("followups", "passerine evaluate followups", tables, figures)
    write(report, out)
    return report


def recalls(
    asked: Sequence[FollowUp],
    entries: Sequence[datasets.Entry],
    planner: Planner,
    encoder: Encoder,
    progress: Progress | None,
) -> dict[str, list[float]]:
    """By system, for each follow-up: 1 where its passage is among the first DEPTH, else 0."""
    known = {entry.id for entry in entries}
    missing = [one.id for one in asked if one.passage_id not in known]
    if missing:
        raise BadInput(
            f"No passage of the collection belongs to {missing[0]}.", "Take the data folder it was made for."
        )
    values: dict[str, list[float]] = {system: [] for system in SYSTEMS}
    with tempfile.TemporaryDirectory(prefix="passerine-eval-") as folder:
        index = index_whole(Path(folder), entries, encoder)
        try:
            searcher = Searcher(index, encoder, per_document=0)
            for number, one in enumerate(asked):
                for system, texts in queries_of(one, planner.plan(one.conversation)).items():
                    values[system].append(float(one.passage_id in found_in(searcher, texts)))
                if progress is not None:
                    progress("follow-ups", number + 1, len(asked))
        finally:
            index.close()
    return values


def share_of_the_way(values: Mapping[str, Sequence[float]], system: str = "rewrite") -> float:
    """How far a system comes from the raw turn to the human rewrite: 1 is all the way."""
    raw, own, human = (float(np.mean(values[name])) for name in ("raw turn", system, "human rewrite"))
    return (own - raw) / max(human - raw, 1e-9)


def word_overlap(data: Path, planner: Planner, limit: int | None) -> dict[str, list[float]]:
    """Token F1 of the raw turn and of our rewrite with the human one, over CAsT 2019's turns that have a history."""
    scores: dict[str, list[float]] = {"raw turn": [], "rewrite": []}
    rows = [row for row in datasets.rows(data, "rewrite/cast2019.test.jsonl.gz") if row["history"]]
    for row in rows[:limit]:
        turns = [Turn("user", text) for text in row["history"]]
        plan = planner.plan(Conversation((*turns, Turn("user", row["question"]))))
        ours = plan.queries[0].text if plan.queries else row["question"]
        scores["raw turn"].append(token_f1(row["question"], [row["rewrite"]]))
        scores["rewrite"].append(token_f1(ours, [row["rewrite"]]))
    return scores
