"""A search whole on one torch device beside the index's own engines on the processor, in one run and batch by batch.

Both answer the same questions over the same passages, of which a hundredth is deleted: words, vectors, fusion, the best
hundred. The smallest size has real passages alone; beyond, a passage has the first half of one's words and the second
half of another's, and a vector mixed as in `dense_speed`. Wall-clock time, since a device is not seen by the
processor's clock; questions are encoded before.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eval.dense_speed import DELETED, asked, enlarged
from eval.report import Figure, Report, Table, figure_table, share, write
from eval.vectors import CachedEncoder
from eval.workbench import documents_of, open_corpus
from indexing.dense import Engine, choose
from indexing.device import Device
from indexing.fusion import Candidates, Fusion, fuse
from indexing.lexical import Parameters, kernel
from indexing.lists import Half, joined
from indexing.postings import Postings
from indexing.search import DEPTH, by_both
from indexing.segment import Segment
from indexing.snapshot import Snapshot
from indexing.split import split
from indexing.store import searched_text
from indexing.tokenize import Analyser, is_cjk
from indexing.types import Progress, Vectors
from indexing.vocabulary import numbered
from service.config import Settings

SIZES = (0, 100_000, 1_000_000)
"""Passages; 0: the real ones."""

BATCHES = (1, 16, 256)
QUERIES = 256
SECONDS = 4.0
"""For each way at each batch, and three batches at least."""


@dataclass(frozen=True, eq=False)
class Questions:
    """Tokens, writing and vectors float32 [n, dimension] of questions."""

    tokens: Sequence[Sequence[str]]
    cjk: Sequence[bool]
    vectors: Vectors

    def some(self, first: int, n: int) -> "Questions":
        """n of them from `first` on, round and round."""
        places = [i % len(self.tokens) for i in range(first, first + n)]
        return Questions([self.tokens[i] for i in places], [self.cjk[i] for i in places], self.vectors[places])


@dataclass(frozen=True, slots=True)
class Point:
    """Questions a second of both at one size and batch."""

    passages: int
    batch: int
    device: float
    processor: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares of questions: the best by words with equal scores, to the last bit; the best cosines within 1e-5 of exact
    search's; the fused scores within 1e-4."""

    passages: int
    lexical: float
    dense: float
    fused: float


def run_device(
    data: Path,
    settings: Settings,
    out: Path,
    progress: Progress | None = None,
    sizes: Sequence[int] = SIZES,
    batches: Sequence[int] = BATCHES,
) -> Report:
    """`passerine evaluate speed device`: writes device.md and device.json into `out`. The device is the setting
    `search_device`; without it CUDA where there is one, else the processor. Raises BadInput for what is not there."""
    import torch

    from models.encoder import load_encoder

    device = Device(settings.search_device or ("cuda" if torch.cuda.is_available() else "cpu"))
    encoder = load_encoder(settings.encoder, settings.home, settings.device, settings.precision)
    cached, analyser = CachedEncoder(encoder, settings.home / "cache" / "vectors", progress), Analyser()
    texts = [searched_text(d, passage) for d in documents_of(open_corpus(data)) for passage in split(d)]
    questions = asked(data, QUERIES)
    given = Questions(
        [analyser.asked(text) for text in questions],
        [is_cjk(text) for text in questions],
        cached.encode_queries(questions),
    )
    words, vectors = [analyser.both(text) for text in texts], cached.encode_passages(texts)
    points: list[Point] = []
    agreements: list[Agreement] = []
    kernel.wait()
    for size in (size or len(texts) for size in sizes):
        more = enlarged(vectors, size, progress) if size > len(vectors) else vectors[:size].astype(np.float16)
        whole, exact = snapshots(halves(words, size), more)
        agreements.append(agreed(device, exact, given))
        if progress:
            progress(f"compared at {size:,}", len(agreements), len(sizes))
        for batch in batches:
            points.append(Point(size, batch, *rates(device, whole, given, batch)))
            if progress:
                progress(f"asked {size:,}", batch, max(batches))
    report = reported(device, points, agreements, len(questions))
    write(report, out)
    return report


def halves(words: Sequence[tuple[list[str], list[str]]], size: int) -> list[tuple[Sequence[str], Sequence[str]]]:
    """Words of `size` passages: those given, then a first half of one with a second half of another."""
    chance = np.random.default_rng(2)
    made: list[tuple[Sequence[str], Sequence[str]]] = list(words[:size])
    for one, other in chance.integers(len(words), size=(max(0, size - len(words)), 2)).tolist():
        first, last = words[one][0], words[other][0]
        made.append((first[: len(first) // 2] + last[len(last) // 2 :], ()))
    return made


def snapshots(words: Sequence[tuple[Sequence[str], Sequence[str]]], vectors: Half) -> tuple[Snapshot, Snapshot]:
    """One segment as an index keeps it, and the same without lists, which is searched exactly."""
    n = len(words)
    keys, alive = np.arange(1, n + 1), np.random.default_rng(0).random(n) >= DELETED
    postings, lists = Postings.of(numbered(words)), joined(vectors, [(None, np.arange(n))], None, n)
    segments = [Segment("made", keys, keys, vectors, postings, each) for each in (lists, None)]
    whole, exact = (Snapshot(1, [segment], [alive], Parameters()) for segment in segments)
    return whole, exact


def on_processor(engine: Engine, snapshot: Snapshot, asked: Questions, fusion: Fusion) -> list[Candidates]:
    """As `Searcher` does without a device."""
    found = by_both(snapshot, engine, asked.tokens, asked.cjk, asked.vectors)
    return [replace(one, fused=fuse(one, fusion)) for one in found]


def agreed(device: Device, exact: Snapshot, asked: Questions) -> Agreement:
    """What both find, question by question."""
    fusion = Fusion()
    found = device.candidates(exact, asked.tokens, asked.cjk, asked.vectors, DEPTH, None, fusion)
    same = []
    for one, other in zip(found, on_processor(choose(), exact, asked, fusion), strict=True):
        assert one.fused is not None
        assert other.fused is not None
        words = np.array_equal(one.lexical.keys, other.lexical.keys)
        same.append(
            (
                words and np.array_equal(one.lexical.scores, other.lexical.scores),
                near(one.dense.scores, other.dense.scores, 1e-5),
                near(one.fused.scores[:DEPTH], other.fused.scores[:DEPTH], 1e-4),
            )
        )
    return Agreement(len(exact.keys), *np.mean(same, axis=0).tolist())


def near(one: Vectors, other: Vectors, apart: float) -> bool:
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=0, atol=apart))


def rates(device: Device, snapshot: Snapshot, asked: Questions, batch: int) -> tuple[float, float]:
    """Questions a second (device, processor), by turns."""
    engine, fusion = choose(), Fusion()

    def whole(some: Questions) -> None:
        device.candidates(snapshot, some.tokens, some.cjk, some.vectors, DEPTH, None, fusion)

    def own(some: Questions) -> None:
        on_processor(engine, snapshot, some, fusion)

    ways: tuple[Callable[[Questions], None], ...] = (whole, own)
    spent, times = [0.0, 0.0], [0, 0]
    for way in ways:
        way(asked.some(0, batch))  # what a first use costs is no part of the rate
    number = 0
    while min(times) < 3 or max(spent) < SECONDS:
        some = asked.some(number * batch, batch)
        for place, way in enumerate(ways):
            began = time.perf_counter()
            way(some)
            spent[place] += time.perf_counter() - began
            times[place] += 1
        number += 1
    return times[0] * batch / spent[0], times[1] * batch / spent[1]


def reported(device: Device, points: Sequence[Point], agreements: Sequence[Agreement], questions: int) -> Report:
    """Rates at each size and batch, and what agrees."""
    last = max(point.passages for point in points)
    figures: dict[str, Figure] = {}
    for point in points:
        if point.passages == last:
            name = f"device/batch {point.batch}"
            figures[name] = Figure(point.device, questions, baseline=point.processor, unit="/s")
    for side in ("lexical", "dense", "fused"):
        least = min(getattr(one, side) for one in agreements)
        figures[f"device/{side} as on the processor"] = Figure(least, questions, target=1.0)
    tables = (
        figure_table(f"{last:,} passages", figures),
        Table(
            "Questions a second",
            ("passages", "batch", "device", "processor", "device / processor"),
            tuple(
                (
                    f"{p.passages:,}",
                    str(p.batch),
                    f"{p.device:,.1f}",
                    f"{p.processor:,.1f}",
                    f"{p.device / p.processor:.2f}",
                )
                for p in points
            ),
        ),
        Table(
            "Questions with the same answer",
            ("passages", "words", "vectors", "fused"),
            tuple((f"{a.passages:,}", share(a.lexical), share(a.dense), share(a.fused)) for a in agreements),
        ),
    )
    notes = (f"Device: {device.describe()}.", f"Processor: {choose().describe()}, and the lexical kernel.")
    return Report("device", "passerine evaluate speed device", tables, figures, notes=notes)
