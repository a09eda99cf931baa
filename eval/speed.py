"""How fast the encoder is beside plain float32, and how far its vectors are from those; then eval/clock.py
and eval/generation.py.

Plain float32 is `SentenceTransformer.encode` with batches of 32, measured in the same run, in turns with ours, on the
same passages: figures of two machines, or of two moments of a busy one, cannot be compared.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from eval import datasets
from eval.clock import ENTRIES, answer_speed, clock_figures, refresh_speed
from eval.generation import generation_figures, generation_speed, notes_of
from eval.report import Figure, Report, figure_table, write
from indexing.types import Encoder, Progress, Vectors
from service.config import Settings

COLLECTIONS = ("squad-ir", "drcd-ir")
TOKENS = (150, 230)
"""Lengths taken, 190 on average: the size of passage that the splitter makes."""
PASSAGES = 64
ROUNDS = 3
BATCH = 32
SHORT_TOKENS = 60
TARGET_RATIO = 2.5
TARGET_COSINE = 0.999
TARGET_QUERY_MS = 15.0


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured. Rates are passages a second, medians of the rounds; latencies are medians in milliseconds.

    `cosines` holds one value a passage: ours with plain float32.
    """

    precision: str
    device: str
    tokens: float
    plain_rate: float
    rate: float
    ratios: tuple[float, ...]
    cosines: tuple[float, ...]
    query_ms: float
    batch_ms: float

    @property
    def ratio(self) -> float:
        """Median over rounds of our rate divided by the plain one's."""
        return median(self.ratios)


def run(
    data: Path, settings: Settings, out: Path, progress: Progress | None = None, passages: int = PASSAGES
) -> Report:
    """`passerine evaluate speed`: writes speed.md and speed.json into `out`."""
    from models.encoder import load_encoder

    encoder = load_encoder(settings.encoder, settings.home, settings.device, settings.precision)
    texts = sample(data, encoder, passages)
    speed = measure(encoder, settings.home, settings.encoder, texts, progress=progress)
    entries = [entry for name in COLLECTIONS for entry in datasets.collection(data, name).entries[: ENTRIES // 2]]
    clocks = clock_figures(refresh_speed(entries, encoder), answer_speed(data, settings, progress=progress))
    generated = generation_speed(data, settings, progress)
    report = reported(speed, encoder.name, clocks, generation_figures(generated), notes_of(generated))
    write(report, out)
    return report


def measure(
    encoder: Encoder,
    home: Path,
    name: str,
    texts: Sequence[str],
    rounds: int = ROUNDS,
    progress: Progress | None = None,
) -> Speed:
    """Both encoders over the same texts, in turns, on the encoder's device."""
    from models.encoder import plain_encoder

    device = device_of(encoder)
    plain = plain_encoder(name, home, device)
    ours, theirs, ratios = [], [], []
    vectors, exact = encoder.encode_passages(texts), plain.encode_passages(texts)
    for done in range(rounds):
        theirs.append(seconds(lambda: plain.encode_passages(texts)))
        ours.append(seconds(lambda: encoder.encode_passages(texts)))
        ratios.append(theirs[-1] / ours[-1])
        if progress:
            progress("encode", done + 1, rounds)
    short = [text[: len(text) * SHORT_TOKENS // max(1, token_count(encoder, text))] for text in texts[:8]]
    questions = [f"{text[:20]} {number}?" for number, text in enumerate(texts)]
    return Speed(
        precision=str(getattr(encoder, "precision", "unknown")),
        device=device,
        tokens=float(np.mean([token_count(encoder, text) for text in texts])),
        plain_rate=len(texts) / median(theirs),
        rate=len(texts) / median(ours),
        ratios=tuple(ratios),
        cosines=tuple(float(value) for value in cosines(vectors, exact)),
        query_ms=1000 * median(seconds(partial(encoder.encode_queries, [question])) for question in questions),
        batch_ms=1000 * median(seconds(lambda: encoder.encode_passages(short)) for _ in range(10)),
    )


def sample(data: Path, encoder: Encoder, passages: int) -> list[str]:
    """Passages of TOKENS tokens, as many of each language, the same ones every time."""
    texts = []
    for name in COLLECTIONS:
        by_id = {entry.id: entry.text for entry in datasets.collection(data, name).entries}
        fitting = (by_id[key] for key in datasets.ordered(list(by_id)))
        chosen = [text for text in fitting if TOKENS[0] <= token_count(encoder, text) <= TOKENS[1]]
        texts += chosen[: passages // len(COLLECTIONS)]
    return texts


def reported(
    speed: Speed,
    name: str,
    clocks: Mapping[str, Figure],
    generated: Mapping[str, Figure],
    further: Sequence[str] = (),
) -> Report:
    """The figures of the encoder, of eval/clock.py and of eval/generation.py, as a report."""
    n, cosine = len(speed.cosines), speed.cosines
    figures = {
        "speed/encoder/passages": Figure(speed.rate, n, baseline=speed.plain_rate, unit="/s"),
        "speed/encoder/ratio": Figure(speed.ratio, len(speed.ratios), baseline=1.0, target=TARGET_RATIO, unit="x"),
        "speed/encoder/cosine": Figure(float(np.mean(cosine)), n, target=TARGET_COSINE),
        "speed/encoder/cosine/least": Figure(min(cosine), n),
        "speed/encoder/query": Figure(speed.query_ms, n, target=TARGET_QUERY_MS, unit="ms", better="lower"),
        "speed/encoder/batch of 8": Figure(speed.batch_ms, 10, unit="ms", better="lower"),
    }
    settings = {"encoder": name, "precision": speed.precision, "device": speed.device, "tokens": f"{speed.tokens:.0f}"}
    notes = (
        f"Baseline: SentenceTransformer in float32, batches of {BATCH}, in turns with ours in the same run.",
        *further,
    )
    tables = (
        figure_table("Encoder", figures),
        figure_table("Refresh and answers", clocks),
        figure_table("Generation", generated),
    )
    every = {**figures, **clocks, **generated}
    return Report("speed", "passerine evaluate speed", tables, every, settings, notes=notes)


def cosines(a: Vectors, b: Vectors) -> Vectors:
    """Cosine of each row of `a` with the same row of `b`; rows are of unit length."""
    result: Vectors = np.sum(a * b, axis=1)
    return result


def device_of(encoder: Encoder) -> str:
    trunk = getattr(encoder, "trunk", None)
    return "cpu" if trunk is None else str(trunk.device.type)


def token_count(encoder: Encoder, text: str) -> int:
    """Tokens of a passage as the encoder counts them; a quarter of the characters where it has no trunk."""
    trunk = getattr(encoder, "trunk", None)
    return len(trunk.tokenize([text])[0]) if trunk else len(text) // 4


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
