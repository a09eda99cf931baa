"""Vectors by the clock: the inverted lists of large segments beside exact search and FAISS's own lists, in one run.

One core, one query at a time through the Python call; ours has a hundredth of its passages deleted. The vectors are
those of real passages, enlarged by mixing neighbours; the queries are real questions about those passages. Recall is
tie-aware: the share of the best ten found whose inner product is at least that of the tenth best of all.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from eval import datasets
from eval.index_speed import Engine, by_turns, timed
from eval.report import Figure, Report, Table, figure_table, share, write
from eval.vectors import CachedEncoder
from eval.workbench import documents_of, open_corpus
from indexing.dense import PROBES, FaissEngine, Searchable, nearest
from indexing.lexical import Mask, Rows
from indexing.lists import Half, Lists, count, train
from indexing.postings import Postings
from indexing.segment import Segment
from indexing.split import split
from indexing.store import searched_text
from indexing.types import Progress, Vectors
from indexing.vocabulary import numbered
from service.config import Settings

SIZES = (10_000, 100_000, 1_000_000)
QUERIES = 200
PROBED = (24, 48, PROBES, 108, 162)
PEER, PEER_PROBES = "IVF2048,SQ8", (8, 32, 128)
DEPTHS = (10, 100)
DELETED = 0.01
ADMITTED = (0.001, 0.01, 0.1, 0.5)
MIXED, NEAR, NOISE = 3, 10, 0.015
"""A new vector lies among three: a real one and two of its ten nearest, with noise of this deviation a number. A
quarter of the real vectors, enlarged to all, so has tenth neighbours as near as the real ones, of passages (cosines of
.874 beside .875) and of questions (.839 beside .843), and is a little harder: the lists that hold 2% of it have .769 of
the best ten (.804)."""
TARGET_RECALL, TARGET_RATE = 0.97, 1000.0


@dataclass(eq=False)
class Ours:
    """This project's search of one segment, with some of its passages deleted."""

    name: str
    part: Searchable
    alive: Mask

    def search(self, query: Vectors, k: int) -> Vectors:
        ((_, scores),) = nearest([(self.part, len(self.alive), self.alive)], query[None], k)
        return scores


@dataclass(eq=False)
class Peer:
    """An index of FAISS."""

    name: str
    index: Any
    vectors: Half
    parameters: Any = None

    def search(self, query: Vectors, k: int) -> Rows:
        import_module("faiss").omp_set_num_threads(1)
        _, rows = self.index.search(query[None], k, params=self.parameters)
        return np.asarray(rows[0])

    def scores(self, query: Vectors, k: int) -> Vectors:
        """Of what was found, by its stored vectors."""
        rows = self.search(query, k)
        scores: Vectors = np.sort(self.vectors[rows[rows >= 0]].astype(np.float32) @ query)[::-1]
        return scores


@dataclass(frozen=True, slots=True)
class Point:
    """One way to search at one size: queries a second, and recall, of the best k."""

    passages: int
    name: str
    k: int
    rate: float
    recall: float


@dataclass(frozen=True, slots=True)
class Built:
    """What it took to make the lists of one size: processor seconds, bytes a passage, milliseconds to open."""

    passages: int
    lists: int
    trained: float
    sorted: float
    bytes: float
    opened: float
    searchable: float


def run_dense(
    data: Path, settings: Settings, out: Path, progress: Progress | None = None, sizes: Sequence[int] = SIZES
) -> Report:
    """`passerine evaluate speed dense`: writes dense.md, dense.json and a picture into `out`."""
    from models.encoder import load_encoder

    encoder = load_encoder(settings.encoder, settings.home, settings.device, settings.precision)
    cached = CachedEncoder(encoder, settings.home / "cache" / "vectors", progress)
    texts = [searched_text(d, passage) for d in documents_of(open_corpus(data)) for passage in split(d)]
    queries = cached.encode_queries(asked(data, QUERIES))
    vectors = enlarged(cached.encode_passages(texts), max(sizes), progress)
    report = reported(*measured(vectors, queries, sizes, progress), len(texts), len(queries), out)
    write(report, out)
    return report


def asked(data: Path, n: int) -> list[str]:
    """Questions about the passages, half of them English and half Chinese, by turns; the same ones every time."""
    found = []
    for name in ("squad-ir", "drcd-ir"):
        questions = datasets.collection(data, name).queries
        found.append([questions[key] for key in datasets.ordered(list(questions))[: n // 2]])
    return [question for pair in zip(*found, strict=True) for question in pair]


def enlarged(vectors: Vectors, size: int, progress: Progress | None = None) -> Half:
    """float16 [size, dimension]: the vectors in a drawn order, then mixtures of them."""
    chance = np.random.default_rng(0)
    vectors = chance.permutation(vectors)[:size]
    near = neighbours(vectors)
    made = np.empty((size, vectors.shape[1]), np.float16)
    made[: len(vectors)] = vectors
    for start in range(len(vectors), size, 65536):
        n = min(65536, size - start)
        first, weights = chance.integers(len(vectors), size=n), chance.dirichlet(np.ones(MIXED), n).astype(np.float32)
        mixed = vectors[first] * weights[:, :1]
        for other in range(1, MIXED):
            mixed += vectors[near[first, chance.integers(NEAR, size=n)]] * weights[:, other, None]
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        mixed += NOISE * chance.standard_normal(mixed.shape, np.float32)
        made[start : start + n] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
        if progress:
            progress("mixed", start + n, size)
    return made


def neighbours(vectors: Vectors) -> np.ndarray:
    """int64 [n, NEAR], without the vector itself."""
    found = nearest([(FaissEngine().prepare(vectors.astype(np.float16)), len(vectors), None)], vectors, NEAR + 1)
    return np.stack([rows[1:] for rows, _ in found])


def measured(
    vectors: Half, queries: Vectors, sizes: Sequence[int], progress: Progress | None = None, peer: str = PEER
) -> tuple[list[Point], list[Point], list[Built]]:
    """All ways to search by turns at every size, filters at the largest, and what the lists took."""
    import_module("faiss").omp_set_num_threads(1)
    points: list[Point] = []
    builds: list[Built] = []
    asked = list(queries)
    for size in sizes:
        part, last = vectors[:size], size == max(sizes)
        alive = np.random.default_rng(0).random(size) >= DELETED
        built, lists = made(part)
        builds.append(built)
        exact = FaissEngine().prepare(part)
        least = {True: best(exact, alive, asked), False: best(exact, np.ones(size, np.bool_), asked)}
        ours = [
            Ours(f"lists, {probes} looked into", FaissEngine(probes).prepare(part, lists), alive)
            for probes in (PROBED if last else (PROBES,))
        ]
        peers = [*flat(part), *(sorted_by(part, peer) if last else ())]
        if progress:
            progress("built", size, max(sizes))
        engines: list[Engine] = [*ours, *(() if last else (Ours("exact", exact, alive),)), *peers]
        for k in DEPTHS:
            turns = by_turns(engines, asked, k)
            for engine in engines:
                scores = [engine.scores(q, k) if isinstance(engine, Peer) else engine.search(q, k) for q in asked]
                recall = reached(scores, [line[k - 1] for line in least[isinstance(engine, Ours)]], k)
                points.append(Point(size, engine.name, k, 1 / float(np.mean(turns[engine.name])), recall))
            if progress:
                progress(f"asked {size:,}", k, DEPTHS[-1])
    return points, filtered(FaissEngine().prepare(part, lists), exact, size, asked), builds


def best(exact: Searchable, admitted: Mask, queries: Sequence[Vectors]) -> list[Vectors]:
    """The scores of the best, for each query."""
    return [Ours("", exact, admitted).search(query, DEPTHS[-1]) for query in queries]


def reached(scores: Sequence[Any], least: Sequence[float], k: int) -> float:
    """The share of the best k whose score is that of the k-th best at least, or as near as two ways to add it up."""
    return float(np.mean([(found >= low - 1e-6).sum() / k for found, low in zip(scores, least, strict=True)]))


def made(vectors: Half) -> tuple[Built, Lists]:
    """Lists of one segment, by the clock; written and opened, too."""
    n = len(vectors)
    trained, centroids = timed(lambda: train(vectors, count(n)))
    spent, lists = timed(lambda: Lists.of(vectors, centroids, centroids.nearest(vectors)))
    keys, postings = np.arange(1, n + 1), Postings.of(numbered((("word",), ()) for _ in range(n)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.seg"
        Segment("s", keys, keys, vectors, postings, lists).write(path)
        began = time.perf_counter()
        opened = Segment.open(path)
        between = time.perf_counter()
        FaissEngine().prepare(opened.vectors, opened.lists)
        ended = time.perf_counter()
    size = sum(array.nbytes for array in (lists.packed, lists.sizes, centroids.means)) / n
    return Built(n, len(centroids), trained, spent, size, 1000 * (between - began), 1000 * (ended - between)), lists


def flat(vectors: Half) -> list[Peer]:
    """FAISS's exact index."""
    faiss = import_module("faiss")
    return [Peer("faiss Flat", filled(faiss.IndexFlatIP(vectors.shape[1]), vectors), vectors)]


def sorted_by(vectors: Half, described: str) -> list[Peer]:
    """FAISS's own lists, at several numbers of probes."""
    faiss = import_module("faiss")
    index = faiss.index_factory(vectors.shape[1], described, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:: max(1, len(vectors) // (40 * index.nlist))].astype(np.float32))
    filled(index, vectors)
    return [
        Peer(f"faiss {described}, nprobe {n}", index, vectors, faiss.SearchParametersIVF(nprobe=n)) for n in PEER_PROBES
    ]


def filled(index: Any, vectors: Half) -> Any:
    """The index with the vectors."""
    for start in range(0, len(vectors), 65536):
        index.add(vectors[start : start + 65536].astype(np.float32))
    return index


def filtered(lists: Searchable, exact: Searchable, size: int, queries: Sequence[Vectors]) -> list[Point]:
    """Ours and exact search where a filter admits some of the passages."""
    found = []
    for admitted in ADMITTED:
        mask = np.random.default_rng(1).random(size) < admitted
        ours, whole = Ours("lists", lists, mask), Ours("exact", exact, mask)
        turns = by_turns([ours, whole], queries, DEPTHS[0])
        least = [float(whole.search(query, DEPTHS[0])[-1]) for query in queries]
        for one in (ours, whole):
            recall = reached([one.search(query, DEPTHS[0]) for query in queries], least, DEPTHS[0])
            name = f"{one.name}, {admitted:.1%} admitted"
            found.append(Point(size, name, DEPTHS[0], 1 / float(np.mean(turns[one.name])), recall))
    return found


def reported(
    points: Sequence[Point], filters: Sequence[Point], builds: Sequence[Built], real: int, queries: int, out: Path
) -> Report:
    """The figures of the largest size, and all sizes in tables."""
    last, built = points[-1].passages, builds[-1]
    chosen = {
        point.k: point for point in points if point.passages == last and point.name == f"lists, {PROBES} looked into"
    }
    exact = {point.k: point for point in points if point.passages == last and point.name == "faiss Flat"}
    figures: dict[str, Figure] = {}
    for k, point in chosen.items():
        first = k == DEPTHS[0]
        name = f"dense/best {k}"
        figures[f"{name}, recall"] = Figure(point.recall, queries, target=TARGET_RECALL if first else None)
        figures[name] = Figure(
            point.rate, queries, baseline=exact[k].rate, target=TARGET_RATE if first else None, unit="/s"
        )
    figures["dense/bytes a passage beside its vector"] = Figure(built.bytes, last, unit="B", better="lower")
    figures["dense/opened, checksums compared"] = Figure(built.opened, 1, unit="ms", better="lower")
    figures["dense/made searchable"] = Figure(built.searchable, 1, unit="ms", better="lower")
    columns = ("passages", "search", "best", "queries a second", "recall")
    tables = (
        figure_table(f"{last:,} passages", figures),
        Table("One query at a time", columns, rows(points)),
        Table("Through filters", columns, rows(filters)),
        Table(
            "Built (processor seconds)",
            ("passages", "lists", "trained s", "sorted s", "bytes a passage", "opened ms", "made searchable ms"),
            tuple(
                (
                    f"{one.passages:,}",
                    f"{one.lists:,}",
                    f"{one.trained:.1f}",
                    f"{one.sorted:.1f}",
                    f"{one.bytes:.0f}",
                    f"{one.opened:.0f}",
                    f"{one.searchable:.0f}",
                )
                for one in builds
            ),
        ),
    )
    notes = (
        f"Vectors of {real:,} real passages; what is beyond is mixed from them.",
        f"{DELETED:.0%} of our passages are deleted; of the peers' none.",
    )
    pictures = (picture(out / "dense.png", [p for p in points if p.passages == last and p.k == DEPTHS[0]]),)
    return Report("dense", "passerine evaluate speed dense", tables, figures, pictures=pictures, notes=notes)


def rows(points: Sequence[Point]) -> tuple[tuple[str, ...], ...]:
    return tuple((f"{one.passages:,}", one.name, str(one.k), f"{one.rate:,.0f}", share(one.recall)) for one in points)


def picture(path: Path, points: Sequence[Point]) -> Path:
    """Recall over queries a second."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(7.0, 4.2), dpi=120, layout="constrained")
    axes = canvas.add_subplot()
    lines: Mapping[str, list[Point]] = {
        name: [point for point in points if point.name.startswith(name)]
        for name in ("lists", "faiss Flat", "faiss IVF")
    }
    for name, some in lines.items():
        axes.plot([one.rate for one in some], [one.recall for one in some], marker="o", label=name)
    axes.set(xlabel="queries a second, one core", ylabel="recall of the best ten, ties counted", xscale="log")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path)
    return path
