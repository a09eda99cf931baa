"""Fused search against each of its parts, on whole test collections.

Every document of a collection is one passage, so that the judgements stay true; the analyser, BM25, the vectors and the
fusion are the product's own. rank_bm25, given the same idf, checks the arithmetic of BM25 in the same run.
"""

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval import datasets, metrics
from eval.datasets import Collection, Entry
from eval.metrics import Difference, Interval
from eval.report import Figure, Report, Table, bars, measured, share, write
from eval.vectors import CachedEncoder
from indexing.fusion import Candidates, Fusion, Ranked, fuse
from indexing.lexical import Lexical
from indexing.search import DEPTH, Searcher
from indexing.store import Changes, Index, searched_text
from indexing.store import Entry as Stored
from indexing.tokenize import Analyser
from indexing.types import Document, Encoder, Passage, Progress

CHECKED = 50
"""Queries a collection whose BM25 scores are compared with rank_bm25's."""
SYSTEMS = ("bm25", "vectors", "reciprocal", "fused")


@dataclass(frozen=True, eq=False)
class Sides:
    """Both sides' best hundred for every query of a collection, before fusion.

    `ids[key]` is the document of a key; `queries[i]` belongs to `candidates[i]`; `oracle` is the greatest difference
    of a BM25 score from rank_bm25's.
    """

    collection: Collection
    ids: Mapping[int, str]
    queries: tuple[str, ...]
    candidates: tuple[Candidates, ...]
    oracle: float = 0.0

    def relevant(self) -> list[Mapping[str, float]]:
        """Relevant documents of each query."""
        return [self.collection.relevant[query] for query in self.queries]

    def groups(self) -> list[str]:
        """What a bootstrap resamples, a query."""
        return [f"{self.collection.name}:{self.collection.groups[query]}" for query in self.queries]

    def ranked(self, system: str, fusion: Fusion) -> list[list[str]]:
        """Document ids of each query by one of SYSTEMS, best first, at most DEPTH."""
        return [[self.ids[key] for key in order(one, system, fusion).keys[:DEPTH]] for one in self.candidates]


def order(candidates: Candidates, system: str, fusion: Fusion) -> Ranked:
    """One query's list by one of SYSTEMS."""
    if system == "bm25":
        return candidates.lexical
    if system == "vectors":
        return candidates.dense
    return fuse(candidates, Fusion(method="reciprocal") if system == "reciprocal" else fusion)


def whole(entry: Entry) -> tuple[Document, Passage]:
    """A collection's document as one passage, whatever its length (the encoder reads its first 512 tokens)."""
    document = Document(entry.id, f"eval:{entry.id}", entry.title, entry.text, language=entry.language, source="eval")
    return document, Passage(entry.id, entry.id, 0, 0, len(entry.text), entry.text)


def index_whole(folder: Path, entries: Sequence[Entry], encoder: Encoder) -> Index:
    """An index of the product in `folder`, one passage a document; passage keys ascend in the order of `entries`."""
    index = Index.create(folder, encoder)
    pairs = [whole(entry) for entry in entries]
    vectors = encoder.encode_passages([searched_text(document, passage) for document, passage in pairs])
    index.commit(Changes(entries=[Stored(d, (p,), vectors[i : i + 1]) for i, (d, p) in enumerate(pairs)]))
    return index


def sides(
    collection: Collection, encoder: Encoder, distractors: Sequence[Entry] = (), progress: Progress | None = None
) -> Sides:
    """Search every query on both sides of the product's index, made for this in a temporary folder."""
    entries = (*collection.entries, *distractors)
    queries = tuple(collection.queries)
    with tempfile.TemporaryDirectory(prefix="passerine-eval-") as folder:
        index = index_whole(Path(folder), entries, encoder)
        try:
            searcher = Searcher(index, encoder)
            texts = [collection.queries[query] for query in queries]
            found: list[Candidates] = []
            for start in range(0, len(texts), 256):
                found += searcher.candidates(texts[start : start + 256])
                if progress is not None:
                    progress(f"search {collection.name}", min(start + 256, len(texts)), len(texts))
            snapshot = index.snapshot()
            ids = dict(zip(snapshot.keys.tolist(), (entry.id for entry in entries), strict=True))
            searched = [searched_text(*whole(entry)) for entry in entries]
            difference = oracle_difference(searched, texts[:CHECKED], index.analyser, snapshot.lexical)
        finally:
            index.close()
    return Sides(collection, ids, queries, tuple(found), difference)


def oracle_difference(passages: Sequence[str], queries: Sequence[str], analyser: Analyser, lexical: Lexical) -> float:
    """Greatest difference of a BM25 score from rank_bm25's, given the same idf (its own differs on purpose)."""
    from rank_bm25 import BM25Okapi

    tokens = [analyser.tokens(passage) for passage in passages]
    reference = BM25Okapi(tokens, k1=lexical.parameters.k1, b=lexical.parameters.b)
    holding = Counter(token for found in reference.doc_freqs for token in found)
    reference.idf = {token: lexical.idf(n) for token, n in holding.items()}
    worst = 0.0
    for query in queries:
        words = analyser.tokens(query)
        worst = max(worst, float(np.abs(reference.get_scores(words) - lexical.scores(words)).max()))
    return worst


MEASURES: Mapping[str, Callable[[Sequence[str], Mapping[str, float]], float]] = {
    "hit@1": lambda ranked, relevant: metrics.hit_at(ranked, relevant, 1),
    "hit@2": lambda ranked, relevant: metrics.hit_at(ranked, relevant, 2),
    "R@5": lambda ranked, relevant: metrics.recall_at(ranked, relevant, 5),
    "R@10": lambda ranked, relevant: metrics.recall_at(ranked, relevant, 10),
    "R@100": lambda ranked, relevant: metrics.recall_at(ranked, relevant, 100),
    "nDCG@10": lambda ranked, relevant: metrics.ndcg_at(ranked, relevant, 10),
    "MRR": metrics.reciprocal_rank,
}
GUARD = "nDCG@10"
"""The measure by which systems are compared."""
TARGETS = {("squad-ir", "hit@2"): 0.92, ("drcd-ir", "hit@2"): 0.95}


@dataclass(frozen=True, eq=False)
class Scores:
    """`values[system][measure]` holds one value a query; `groups` what a bootstrap draws."""

    name: str
    groups: list[str]
    values: Mapping[str, Mapping[str, list[float]]]
    oracle: float
    passages: int


def scored(found: Sides, name: str, fusion: Fusion) -> Scores:
    """Every measure of every system on one collection."""
    relevant = found.relevant()
    values: dict[str, dict[str, list[float]]] = {}
    for system in SYSTEMS:
        ranked = found.ranked(system, fusion)
        values[system] = {
            measure: [rule(one, wanted) for one, wanted in zip(ranked, relevant, strict=True)]
            for measure, rule in MEASURES.items()
        }
    return Scores(name, found.groups(), values, found.oracle, len(found.ids))


def better(a: Scores, system: str, other: str) -> Difference:
    """Difference of two systems on one collection by the guarded measure."""
    return metrics.paired(a.values[system][GUARD], a.values[other][GUARD], a.groups)


def pooled(parts: Sequence[Scores], measure: str, system: str) -> Interval:
    """Mean over all queries of all collections."""
    values = [value for part in parts for value in part.values[system][measure]]
    return metrics.interval(values, [group for part in parts for group in part.groups])


def pooled_difference(parts: Sequence[Scores], other: str) -> Difference:
    """fused - other over all queries of all collections."""
    ours = [value for part in parts for value in part.values["fused"][GUARD]]
    theirs = [value for part in parts for value in part.values[other][GUARD]]
    return metrics.paired(ours, theirs, [group for part in parts for group in part.groups])


def even_difference(parts: Sequence[Scores], other: str) -> Difference:
    """fused - other, each collection counting the same: groups weigh as if all collections had one size.

    The interval is that of the mean of the collections' means (their bootstraps are independent).
    """
    each = [better(part, "fused", other) for part in parts]
    mean = sum(one.mean for one in each) / len(each)
    error = sum(((one.high - one.low) / 3.92) ** 2 for one in each) ** 0.5 / len(each)
    p = math.erfc(abs(mean) / error / math.sqrt(2)) if error else 1.0
    return Difference(mean, mean - 1.96 * error, mean + 1.96 * error, p, sum(one.n for one in each))


def run_retrieval(
    data: Path,
    home: Path,
    out: Path,
    limit: int | None = None,
    progress: Progress | None = None,
    *,
    encoder: Encoder | None = None,
    cache: Path | None = None,
    fusion: Fusion | None = None,
    names: Sequence[str] = (),
) -> Report:
    """Search every test collection, or those in `names`; writes retrieval.md, .json and .png into `out`.

    `limit` keeps that many queries of each collection (all documents stay). Vectors are kept under `cache`
    (home/cache/vectors), so that a second run takes a minute. Raises BadInput, ModelMissing, StorageFailed.
    """
    encoder = cached(home, cache, encoder, progress)
    fusion = fusion or Fusion()
    further = datasets.leads(data)
    parts: list[Scores] = []
    for source in [datasets.source_of(name) for name in names] or datasets.COLLECTIONS:
        collection = datasets.shortened(datasets.collection(data, source.name), limit)
        parts.append(scored(sides(collection, encoder, progress=progress), source.name, fusion))
        if source.grouped:
            parts.append(scored(sides(collection, encoder, further, progress), f"{source.name}+leads", fusion))
    report = reported(parts, encoder, fusion, out, limit)
    write(report, out)
    return report


def cached(home: Path, cache: Path | None, encoder: Encoder | None, progress: Progress | None) -> CachedEncoder:
    """The product's encoder with the kept vectors in front of it."""
    if encoder is None:
        from models.encoder import load_encoder

        encoder = load_encoder("multilingual-e5-small", home)
    return CachedEncoder(encoder, cache or home / "cache" / "vectors", progress)


def reported(parts: Sequence[Scores], encoder: Encoder, fusion: Fusion, out: Path, limit: int | None) -> Report:
    """Tables, figures and the picture of scored collections."""
    base = [part for part in parts if "+" not in part.name]
    figures: dict[str, Figure] = {}
    for part in parts:
        for system in SYSTEMS:
            for measure, values in part.values[system].items():
                rival = max(np.mean(part.values[side][measure]) for side in ("bm25", "vectors"))
                figures[f"retrieval/{part.name}/{measure}/{system}"] = measured(
                    metrics.interval(values, part.groups),
                    baseline=float(rival) if system == "fused" else None,
                    target=TARGETS.get((part.name, measure)) if system == "fused" else None,
                )
    picture = bars(
        out / "retrieval.png",
        f"{GUARD}, 95% intervals",
        [part.name for part in parts],
        {s: [metrics.interval(part.values[s][GUARD], part.groups) for part in parts] for s in SYSTEMS},
        GUARD,
    )
    settings = {
        "encoder": f"{encoder.name} ({encoder.fingerprint[:12]})",
        "fusion": str(fusion),
        "queries": f"at most {limit} a collection" if limit else "all",
        "greatest difference of a BM25 score from rank_bm25": f"{max(part.oracle for part in parts):.1e}",
    }
    notes = (
        "Every document is one passage; vectors read its first 512 tokens.",
        "+leads: the first paragraphs of 16,635 encyclopedia articles are searched too; none counts as relevant.",
        "Intervals resample relevant passages (squad-ir, drcd-ir) or queries; p is from sign flips of the same groups.",
    )
    tables = (score_table(parts, base), difference_table(parts, base))
    command = "passerine evaluate retrieval"
    return Report("retrieval", command, tables, figures, settings, pictures=(picture,), notes=notes)


def score_table(parts: Sequence[Scores], base: Sequence[Scores]) -> Table:
    """One row a collection and system; the last rows pool all queries of the plain collections."""
    rows = []
    for part in parts:
        for system in SYSTEMS:
            means = [share(float(np.mean(values))) for values in part.values[system].values()]
            rows.append((part.name, system, f"{len(part.groups):,}", f"{part.passages:,}", *means))
    for system in SYSTEMS:
        means = [share(pooled(base, measure, system).mean) for measure in MEASURES]
        rows.append(("all queries", system, f"{sum(len(part.groups) for part in base):,}", "", *means))
    return Table("Collections", ("collection", "system", "queries", "passages", *MEASURES), tuple(rows))


def difference_table(parts: Sequence[Scores], base: Sequence[Scores]) -> Table:
    """fused against each part."""
    rows = []
    for other in ("bm25", "vectors", "reciprocal"):
        named = [(part.name, better(part, "fused", other)) for part in parts]
        named.append(("all queries", pooled_difference(base, other)))
        named.append(("mean of the collections", even_difference(base, other)))
        for name, one in named:
            verdict = "better" if one.low > 0 else "worse" if one.high < 0 else "no clear difference"
            span = f"{one.low:+.3f} to {one.high:+.3f}"
            rows.append((name, f"fused - {other}", f"{one.mean:+.3f}", span, f"{one.p:.4f}", verdict))
    return Table(f"Differences of {GUARD}", ("collection", "pair", "mean", "95% interval", "p", ""), tuple(rows))
