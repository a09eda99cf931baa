"""The index by the clock, beside bm25s (numba) and tantivy in one run, over a million real passages (eval/passages.py).

One core, one query at a time through the Python call, the same tokens for all, each given in the form that it takes
quickest: numbers of a vocabulary to ours and bm25s, text to tantivy. Ours has a hundredth of its passages deleted.
Beyond what there is of real passages, halves of two of them make a further one. The three take turns, some dozens of
queries each, and what counts is processor time, so that whatever else the machine does meets all alike. A ratio is
that of the better peer's time to ours in the same turn; the median over turns is reported. The peers are there to be
measured against; the product does not need them.
"""

import ctypes
import gc
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import numpy as np

from eval.passages import collection
from eval.report import Figure, Report, Table, figure_table, write
from indexing import counting, packing, postings
from indexing.compiled import LARGE
from indexing.lexical import Lexical, Parameters, kernel
from indexing.postings import Postings
from indexing.refresh import add_documents
from indexing.search import Searcher
from indexing.store import Changes, Entry, Index
from indexing.tokenize import Analyser
from indexing.types import BadInput, Document, Encoder, Passage, Progress, Query
from indexing.vocabulary import numbered
from service.config import Settings

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
QUERIES, TURN = 600, 30
DEPTHS = (10, 100)
DELETED = 0.01
CHANGED = 1000
TRIALS = 9
CHECKED = 50
TARGETS = {"keywords": 1.5, "sentences": 1.2}
TARGET_BUILD, TARGET_BYTES, TARGET_FRESH_MS, TARGET_PUSHED_MS = 5.0, 3.0, 50.0, 1000.0

Tokens = list[str]


class Engine(Protocol):
    """One that searches."""

    name: str

    def search(self, query: Any, k: int, /) -> object:
        """The best k passages for a query, as tokens or as a vector."""


@dataclass(eq=False)
class Ours:
    """This project's, with some of its passages deleted."""

    postings: Postings
    name: str = "passerine"
    lexical: Lexical = field(init=False)

    def __post_init__(self) -> None:
        alive = np.random.default_rng(0).random(len(self.postings)) >= DELETED
        self.lexical = Lexical([(self.postings, alive)], Parameters())

    def search(self, tokens: Tokens, k: int) -> object:
        return self.lexical.top(tokens, k)


class Bm25s:
    """bm25s, which scores every passage with numba, over scores that it works out as it builds."""

    name = "bm25s"

    def __init__(self, numbers: Sequence[Sequence[int]], vocabulary: dict[str, int]) -> None:
        bm25s = import_module("bm25s")
        self.index = bm25s.BM25(k1=1.2, b=0.75, method="lucene", backend="numba")
        self.index.index((numbers, vocabulary), show_progress=False)

    def search(self, tokens: Tokens, k: int) -> object:
        return self.index.retrieve([tokens], k=k, show_progress=False, n_threads=1)


class Tantivy:
    """tantivy, whose lists are skipped by block-max WAND; one segment."""

    name = "tantivy"

    def __init__(self, passages: Sequence[Tokens]) -> None:
        self.module = import_module("tantivy")
        builder = self.module.SchemaBuilder()
        builder.add_text_field("body", stored=False, tokenizer_name="whitespace", index_option="freq")
        index = self.module.Index(builder.build())
        writer = index.writer(1_000_000_000, 1)
        for passage in passages:
            writer.add_document(self.module.Document(body=" ".join(passage)))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self.schema, self.searcher = index.schema, index.searcher()

    def search(self, tokens: Tokens, k: int) -> object:
        occur, query = self.module.Occur.Should, self.module.Query
        terms = [(occur, query.term_query(self.schema, "body", token, index_option="freq")) for token in tokens]
        return self.searcher.search(query.boolean_query(terms), k, count=False).hits


@dataclass(frozen=True, slots=True)
class Curve:
    """What was measured at one size. Times are processor seconds; `turns` has, by kind of query and depth, the seconds
    a query of each engine, turn by turn; `builds` the seconds of each engine; `memory` the bytes by which the process
    grew meanwhile and stayed larger."""

    passages: int
    postings: int
    bytes: int
    terms: int
    builds: dict[str, float]
    memory: dict[str, int]
    turns: dict[tuple[str, int], dict[str, list[float]]]
    agreed: int

    def ratio(self, kind: str, k: int) -> float:
        """How many times the better peer's time is ours; the median over turns."""
        times = self.turns[kind, k]
        peers = zip(*(times[name] for name in times if name != "passerine"), strict=True)
        return median(float(min(others) / own) for own, others in zip(times["passerine"], peers, strict=True))

    def rate(self, kind: str, k: int, name: str) -> float:
        """Queries a second of one engine."""
        return 1 / float(np.mean(self.turns[kind, k][name]))


def run_index(
    data: Path,
    settings: Settings,
    out: Path,
    progress: Progress | None = None,
    sizes: Sequence[int] = SIZES,
    queries: int = QUERIES,
) -> Report:
    """`passerine evaluate speed index`: words and freshness, then vectors (eval/dense_speed.py); writes index.md,
    index.json and pictures into `out`. Raises BadInput when a peer is not installed or the passages cannot be had."""
    from eval.dense_speed import run_dense  # which takes its turns as this does
    from models.encoder import load_encoder

    if missing := [name for name in ("bm25s", "tantivy") if find_spec(name) is None]:
        raise BadInput(
            f"The index is measured beside bm25s and tantivy; not installed: {', '.join(missing)}.",
            "pip install 'bm25s[core]' tantivy",
        )
    source = collection(out / "passages", progress)
    tokens = list(islice(analysed(source, progress), max(sizes)))
    real = [size for size in sizes if size <= len(tokens)]
    if not real:
        raise BadInput(f"{source} has {len(tokens)} passages, too few to measure.", "Remove it, to make it anew.")
    curves = [measured(enlarged(tokens, size), queries, progress) for size in sizes]
    del tokens
    encoder = load_encoder(settings.encoder, settings.home, settings.device, settings.precision)
    fresh = freshness(source, real[-1], encoder, progress)
    words = reported(curves, fresh, queries, (picture(out / "index.png", curves),))
    report = both(words, run_dense(data, settings, out, progress))
    write(report, out)
    return report


def both(words: Report, vectors: Report) -> Report:
    """One report of both sides."""
    return replace(
        words,
        tables=(*words.tables, *(replace(table, title=f"Vectors: {table.title}") for table in vectors.tables)),
        figures={**words.figures, **vectors.figures},
        pictures=(*words.pictures, *vectors.pictures),
        notes=(*words.notes, *vectors.notes),
    )


def analysed(source: Path, progress: Progress | None = None) -> Iterator[Tokens]:
    """The tokens of every passage of a file."""
    analyser = Analyser()
    with source.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            yield analyser.tokens(line)
            if progress and number % 10_000 == 0:
                progress("tokens", number, 0)


def enlarged(passages: Sequence[Tokens], size: int) -> Sequence[Tokens]:
    """So many passages: the first ones, or all and further ones of the first half of one and the second of another."""
    pairs = np.random.default_rng(0).integers(len(passages), size=(max(0, size - len(passages)), 2)).tolist()
    halves = ((passages[one], passages[other]) for one, other in pairs)
    return [*passages[:size], *(one[: len(one) // 2] + other[len(other) // 2 :] for one, other in halves)]


def measured(passages: Sequence[Tokens], queries: int, progress: Progress | None = None) -> Curve:
    """All three built from the same tokens, then asked by turns."""
    builds: dict[str, float] = {}
    memory: dict[str, int] = {}
    engines: list[Engine] = []
    if len(passages) >= LARGE and not all(
        one.wait() for one in (kernel, counting.kernel, packing.kernel, postings.kernel)
    ):
        raise BadInput("The kernels could not be compiled, so there is nothing to measure.", "See the log.")
    batches = list(numbered((tokens, ()) for tokens in passages))
    vocabulary = batches[0].vocabulary
    numbers = [list(map(vocabulary.__getitem__, tokens)) for tokens in passages]
    gc.freeze()  # millions of lists would be walked again and again by the collector
    made: tuple[Callable[[], Engine], ...] = (
        lambda: Ours(Postings.of(batches)),
        lambda: Bm25s(numbers, dict(vocabulary)),
        lambda: Tantivy(passages),
    )
    for make in made:
        before = resident()
        seconds, engine = timed(make)
        engines.append(engine)
        builds[engine.name], memory[engine.name] = seconds, resident() - before
        if progress:
            progress(f"built of {len(passages):,}", len(engines), len(made))
    (ours,) = (engine for engine in engines if isinstance(engine, Ours))
    asked = drawn(passages, queries)
    turns: dict[tuple[str, int], dict[str, list[float]]] = {}
    for kind, some in asked.items():
        for k in DEPTHS:
            turns[kind, k] = by_turns(engines, some, k)
            if progress:
                progress(f"{kind}, best {k}", len(turns), len(asked) * len(DEPTHS))
    checked = [query for some in asked.values() for query in some[:CHECKED]]
    agreed = sum(same(ours.lexical, query, DEPTHS[-1]) for query in checked)
    if agreed < len(checked):
        raise AssertionError(f"{len(checked) - agreed} of {len(checked)} answers differ from scoring every passage.")
    own = ours.postings
    return Curve(len(passages), int(own.held.sum(dtype=int)), own.bytes, len(own.terms), builds, memory, turns, agreed)


def resident() -> int:
    """Bytes of memory that the process holds, once it has given back what is free."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """(processor seconds, result) of a call."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def drawn(passages: Sequence[Tokens], n: int) -> dict[str, list[Tokens]]:
    """Four different tokens of a passage, and eight that follow each other; the same ones every time."""
    chance = random.Random(0)
    chosen = [passage for passage in chance.choices(passages, k=4 * n) if len(set(passage)) >= 12][:n]
    begins = [chance.randrange(len(passage) - 8) for passage in chosen]
    return {
        "keywords": [chance.sample(sorted(set(passage)), 4) for passage in chosen],
        "sentences": [passage[begin : begin + 8] for passage, begin in zip(chosen, begins, strict=True)],
    }


def by_turns(engines: Sequence[Engine], queries: Sequence[Any], k: int) -> dict[str, list[float]]:
    """Seconds a query, by engine and turn; a turn is some dozens of queries, which each engine answers in a row. A
    round over all comes first, uncounted: what a token's first use costs is no part of the rate."""
    times: dict[str, list[float]] = {engine.name: [] for engine in engines}
    for counted in (False, True):
        for number, begin in enumerate(range(0, len(queries), TURN)):
            some = queries[begin : begin + TURN]
            for engine in (*engines[number % len(engines) :], *engines[: number % len(engines)]):
                seconds, _ = timed(partial(answer, engine, some, k))
                if counted:
                    times[engine.name].append(seconds / len(some))
    return times


def answer(engine: Engine, queries: Sequence[Any], k: int) -> None:
    """One query after the other."""
    for query in queries:
        engine.search(query, k)


def same(lexical: Lexical, query: Tokens, k: int) -> bool:
    """Whether the best are those of scoring every passage, scores equal and ties in order."""
    scores = lexical.scores(query)
    rows = np.flatnonzero(scores)
    expected = rows[np.lexsort((rows, -scores[rows]))[:k]]
    found, got = lexical.top(query, k)
    return bool(np.array_equal(found, expected) and np.array_equal(got, scores[expected]))


@dataclass(frozen=True, slots=True)
class Freshness:
    """Milliseconds from a commit's begin to an answer that shows it, trial by trial; `pushed`: one document, from its
    coming in to its being found by a question, both encoded."""

    passages: int
    added: tuple[float, ...]
    deleted: tuple[float, ...]
    pushed: tuple[float, ...]


def freshness(
    source: Path, size: int, encoder: Encoder, progress: Progress | None = None, trials: int = TRIALS
) -> Freshness:
    """A thousand passages added to an index of `size`, then deleted, and a document pushed, encoded and searched, by
    the wall clock: the disk has its part. What fills the index has drawn vectors: encoding a million takes hours."""
    with tempfile.TemporaryDirectory() as work, source.open(encoding="utf-8") as lines:
        index = Index.create(Path(work) / "index", encoder)
        for number, chunk in enumerate(iter(lambda: list(islice(lines, min(20_000, size))), [])):
            if number * 20_000 >= size:
                break
            index.commit(Changes(entries=entries(chunk, f"d{number}", encoder.dimension)))
            if progress:
                progress("stored", number * 20_000, size)
        found(index, "passage")
        index.settle(progress)
        with source.open(encoding="utf-8") as again:
            some = list(islice(again, CHANGED))
        searcher = Searcher(index, encoder)
        searcher.search(Query("What does a passage say?"), 1)
        added, deleted, pushed = [], [], []
        for trial in range(trials):
            word = f"mark{trial}"
            new = entries([f"{line} {word}" for line in some], f"new{trial}", encoder.dimension)
            began = time.perf_counter()
            index.commit(Changes(entries=new))
            assert found(index, word) == CHANGED
            added.append(1000 * (time.perf_counter() - began))
            began = time.perf_counter()
            index.delete([entry.document.id for entry in new])
            assert not found(index, word)
            deleted.append(1000 * (time.perf_counter() - began))
            text = f"The keeper of lighthouse {word} is Ada. She lights the lamp at dusk."
            began = time.perf_counter()
            add_documents([Document(word, "", "", text)], index, encoder)
            hits = searcher.search(Query(f"Who keeps lighthouse {word}?"), 3)
            assert word in [hit.document.id for hit in hits]
            pushed.append(1000 * (time.perf_counter() - began))
        index.close()
        return Freshness(size, tuple(added), tuple(deleted), tuple(pushed))


def found(index: Index, word: str) -> int:
    """How many passages hold a word."""
    return len(index.snapshot().lexical.top(index.analyser.tokens(word), 2 * CHANGED)[0])


def entries(lines: Sequence[str], name: str, dimension: int) -> list[Entry]:
    """Documents of a hundred passages each, with drawn vectors."""
    made, chance = [], np.random.default_rng(len(lines))
    for number, begin in enumerate(range(0, len(lines), 100)):
        some = [line.strip() for line in lines[begin : begin + 100]]
        key, at, passages = f"{name}-{number}", 0, []
        for ordinal, line in enumerate(some):
            passages.append(Passage(f"{key}#{ordinal}", key, ordinal, at, at + len(line), line))
            at += len(line) + 1
        document = Document(key, "", "", "\n".join(some), content_hash=key)
        vectors = chance.standard_normal((len(some), dimension), np.float32)
        made.append(Entry(document, passages, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)))
    return made


def reported(curves: Sequence[Curve], fresh: Freshness, queries: int, pictures: tuple[Path, ...] = ()) -> Report:
    """The figures of the largest size of real passages, which is that of `fresh`, and all sizes in tables."""
    last = next(curve for curve in curves if curve.passages == fresh.passages)
    figures: dict[str, Figure] = {}
    for kind, target in TARGETS.items():
        for k in DEPTHS:
            name = f"index/{kind}, best {k}"
            figures[f"{name}, beside the better peer"] = Figure(last.ratio(kind, k), queries, target=target, unit="x")
            figures[name] = Figure(last.rate(kind, k, "passerine"), queries, unit="/s")
    faster = min(seconds for name, seconds in last.builds.items() if name != "passerine")
    figures["index/build, beside the quicker peer"] = Figure(
        faster / last.builds["passerine"], last.passages, target=TARGET_BUILD, unit="x"
    )
    figures["index/bytes a posting"] = Figure(
        last.bytes / last.postings, last.postings, target=TARGET_BYTES, unit="B", better="lower"
    )
    for name, times in (("added", fresh.added), ("deleted", fresh.deleted)):
        figures[f"index/1,000 {name} until found"] = Figure(
            median(times), len(times), target=TARGET_FRESH_MS, unit="ms", better="lower"
        )
    figures["index/a pushed document until found"] = Figure(
        median(fresh.pushed), len(fresh.pushed), target=TARGET_PUSHED_MS, unit="ms", better="lower"
    )
    speeds = tuple(
        (
            f"{curve.passages:,}",
            kind,
            str(k),
            *(f"{curve.rate(kind, k, name):,.0f}" for name in curve.builds),
            f"{curve.ratio(kind, k):.2f}",
        )
        for curve in curves
        for kind, k in curve.turns
    )
    builds = tuple(
        (
            f"{curve.passages:,}",
            f"{curve.postings:,}",
            f"{curve.terms:,}",
            f"{curve.bytes / curve.postings:.2f}",
            *(f"{seconds:.1f}" for seconds in curve.builds.values()),
            *(f"{size / 1e6:,.0f}" for size in curve.memory.values()),
        )
        for curve in curves
    )
    names = tuple(last.builds)
    took, held = (f"{name} s" for name in names), (f"{name} MB" for name in names)
    tables = (
        figure_table(f"{last.passages:,} passages", figures),
        Table("Queries a second", ("passages", "queries", "best", *names, "ours to the better"), speeds),
        Table("Built", ("passages", "postings", "terms", "bytes a posting", *took, *held), builds),
    )
    notes = (
        f"All of {sum(curve.agreed for curve in curves)} checked answers equal those of scoring every passage.",
        f"{DELETED:.0%} of our passages are deleted; of the peers' none.",
    )
    return Report("index", "passerine evaluate speed index", tables, figures, pictures=pictures, notes=notes)


def picture(path: Path, curves: Sequence[Curve]) -> Path:
    """Queries a second over passages, for both kinds of query."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(9.0, 4.0), dpi=120, layout="constrained")
    for axes, kind in zip(canvas.subplots(1, len(TARGETS), sharey=True), TARGETS, strict=True):
        for name in curves[-1].builds:
            rates = [curve.rate(kind, DEPTHS[0], name) for curve in curves]
            axes.plot([curve.passages for curve in curves], rates, marker="o", label=name)
        axes.set(title=f"{kind}, best {DEPTHS[0]}", xlabel="passages", xscale="log", yscale="log")
        axes.grid(alpha=0.3, which="both")
    canvas.axes[0].set_ylabel("queries a second, one core")
    canvas.axes[0].legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path)
    return path
