"""Does reading the first hits again put the right passage first? And how much should the reading weigh?

The weight is chosen on development articles of the training splits, which the reader did not learn from; the test
collections only report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval import datasets, metrics
from eval.datasets import Collection
from eval.report import Figure, Report, Table, measured, share, write
from eval.retrieval import Sides, cached, sides
from eval.workbench import base_of
from indexing.fusion import Fusion, fuse
from indexing.rerank import merged
from indexing.types import Encoder, Progress, Reranker
from models.fit import fold
from models.reranker import WEIGHT

DEPTH = 6
"""Hits that are read again, as in the product's settings."""
WEIGHTS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MEASURES = {
    "hit@1": lambda ranked, relevant: metrics.hit_at(ranked, relevant, 1),
    "hit@2": lambda ranked, relevant: metrics.hit_at(ranked, relevant, 2),
    "nDCG@10": lambda ranked, relevant: metrics.ndcg_at(ranked, relevant, 10),
}
LEARNT = ("squad-ir", "drcd-ir")
"""Collections whose kind of question the reader has learnt."""
TARGET = 0.05
"""Points of hit@1 to win on them."""


@dataclass(frozen=True, eq=False)
class Reread:
    """One collection's queries: document ids as fused, at most ten; the fused scores [n] of them, and of the first
    DEPTH the reader's."""

    name: str
    ids: list[list[str]]
    fused: list[NDArray[np.float64]]
    read: list[NDArray[np.float64]]
    relevant: list[Mapping[str, float]]
    groups: list[str]

    def ranked(self, weight: float) -> list[list[str]]:
        """The ids in the product's order."""
        found = []
        for ids, fused, read in zip(self.ids, self.fused, self.read, strict=True):
            seconds = np.pad(read, (0, len(fused) - len(read)))
            scores = [merged(*pair, weight) for pair in zip(fused, seconds, strict=True)]
            found.append([ids[place] for place in np.argsort(-np.array(scores), kind="stable")])
        return found

    def values(self, weight: float, measure: str) -> list[float]:
        """One value a query."""
        return [MEASURES[measure](ids, own) for ids, own in zip(self.ranked(weight), self.relevant, strict=True)]


def reread(found: Sides, reranker: Reranker, fusion: Fusion, progress: Progress | None) -> Reread:
    """Read the first hits of every query."""
    texts = {entry.id: entry.text for entry in found.collection.entries}
    made = Reread(found.collection.name, [], [], [], found.relevant(), found.groups())
    for number, (query, candidates) in enumerate(zip(found.queries, found.candidates, strict=True)):
        ranked = fuse(candidates, fusion)
        ids = [found.ids[key] for key in ranked.keys[:10].tolist()]
        made.ids.append(ids)
        made.fused.append(ranked.scores[:10].astype(np.float64))
        scores = reranker.score(found.collection.queries[query], [texts[own] for own in ids[:DEPTH]])
        made.read.append(scores.astype(np.float64))
        if progress is not None:
            progress(f"read {found.collection.name}", number + 1, len(found.queries))
    return made


def development(data: Path, name: str) -> Collection:
    """The training queries of a collection whose articles the reader did not learn from."""
    whole = datasets.collection(data, name, "train")
    titles = {entry.id: entry.title for entry in whole.entries}
    unlearnt = [query for query in whole.queries if fold(titles[whole.groups[query]]) == 0]
    return replace(datasets.kept(whole, unlearnt), name=f"{name} (development)")


def make_reranker(home: Path) -> Reranker:
    """The product's own."""
    from models.orders import OrderDetector
    from models.reader import Reader
    from models.reranker import ReadingReranker

    return ReadingReranker(Reader.load(base_of(home).trunk), OrderDetector.load())


def run_rerank(
    data: Path,
    home: Path,
    out: Path,
    limit: int | None = None,
    progress: Progress | None = None,
    *,
    encoder: Encoder | None = None,
    reranker: Reranker | None = None,
    names: Sequence[str] = (),
) -> Report:
    """Rerank the development queries at every weight and the test queries at the product's; writes rerank.md and .json
    into `out`. `limit` keeps that many queries of each collection. Raises BadInput, ModelMissing, StorageFailed."""
    reranker = reranker or make_reranker(home)
    encoder = cached(home, None, encoder, progress)
    fusion = Fusion()
    chosen = list(names) or [source.name for source in datasets.COLLECTIONS]
    learnt = [
        reread(sides(datasets.shortened(development(data, name), limit), encoder), reranker, fusion, progress)
        for name in LEARNT
    ]
    tested = [
        reread(sides(datasets.shortened(datasets.collection(data, name), limit), encoder), reranker, fusion, progress)
        for name in chosen
    ]
    report = reported(learnt, tested, limit)
    write(report, out)
    return report


def mean(values: Sequence[float]) -> float:
    """nan for no values."""
    return float(np.mean(values)) if values else float("nan")


def reported(learnt: Sequence[Reread], tested: Sequence[Reread], limit: int | None) -> Report:
    """The weights on development data, and fused against reranked on the test collections."""
    weights = [(f"{weight:.1f}", *(share(mean(part.values(weight, "hit@1"))) for part in learnt)) for weight in WEIGHTS]
    figures: dict[str, Figure] = {}
    rows = []
    for part in tested:
        for measure in MEASURES:
            before, after = part.values(0.0, measure), part.values(WEIGHT, measure)
            change = metrics.paired(after, before, part.groups)
            figures[f"rerank/{part.name}/{measure}"] = measured(
                metrics.interval(after, part.groups),
                baseline=mean(before),
                target=mean(before) + TARGET if measure == "hit@1" and part.name in LEARNT else None,
            )
            rows.append(
                (
                    part.name,
                    measure,
                    f"{len(after):,}",
                    share(mean(before)),
                    share(mean(after)),
                    f"{change.mean:+.3f} ({change.low:+.3f} to {change.high:+.3f})",
                )
            )
    tables = (
        Table("Weights: hit@1 on development queries", ("weight", *(part.name for part in learnt)), tuple(weights)),
        Table("Test queries", ("collection", "measure", "queries", "fused", "reranked", "change"), tuple(rows)),
    )
    settings = {"weight": str(WEIGHT), "hits read": str(DEPTH), "queries": f"at most {limit}" if limit else "all"}
    return Report("rerank", "passerine evaluate rerank", tables, figures, settings)
