"""Training of the reader: the trunk's upper layers learn to read a question and a passage together.

The lower layers stay frozen and their states are computed once. Everything is done in legs: a run that stops, or is
given `seconds`, goes on from its last checkpoint and ends with the same weights as a run without a stop.
"""

import hashlib
import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from indexing.types import Progress
from models import ranges, table_questions, written
from models.curves import draw, over
from models.fit import fold
from models.heads import file_sha256
from models.orders import OrderDetector
from models.ranges import save_ranges
from models.reader import MOST_QUESTION, PASSAGE_PREFIX, QUESTION_PREFIX, Reader, ReaderConfig, Upper, shared, tokenized
from models.reader_card import card, outcomes, planted, sentences_apart, test_rows, told_apart
from models.reader_pairs import SOURCES, Corpus, build, read_orders
from models.reader_rows import Bounds, Row, read_rows
from models.reader_states import States
from models.reader_steps import Recipe, Run, average, batch_of, begun, train_upper
from models.spans import MOST_TOKENS, span_table
from models.trunk import Trunk
from models.weights import model_folder

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TRUNK = "multilingual-e5-small"
SHUFFLED, SHUFFLED_STEPS = "shuffled", 200
"""Where the control run lives, and its length: its loss is flat by then."""
CALIBRATION = 1_500
"""Development pairs that the calibration reads."""
LOCATED = ("squad.train", "drcd.train")
LOCATIONS = 300
"""Development rows that the weight of shared words is fitted on."""
OVERLAPS = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0)
SHARPNESSES = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5)


def train_reader(
    data: Path,
    home: Path,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    recipe: Recipe | None = None,
    seconds: float = math.inf,
) -> bool:
    """Train on `data`/qa and write weights, config.json, card.md and curves.png into `out`.

    Lower states (about 0.9 GB) and checkpoints are kept under `out`/work. Stops after about `seconds` of computing;
    the same call goes on from there. True when the training is complete.
    """
    recipe = recipe or Recipe()
    until = time.monotonic() + seconds
    folder = model_folder(home, TRUNK)
    trunk = Trunk.load(folder)
    corpus = build(data, trunk.tokenizer, seed)
    name = hashlib.sha256(f"{corpus.checksum()} {trunk.fingerprint} {recipe.split}".encode()).hexdigest()[:16]
    states = States(out / "work", f"states-{name}", corpus.texts)
    if not states.fill(trunk, recipe.split, until, progress):
        return False
    bases = {f"qa/{source}": data / "qa" / f"{source}.jsonl.gz" for source in SOURCES}
    bases |= written.files() | table_questions.files()
    for kind, own in (
        ("", recipe),
        (SHUFFLED, replace(recipe, shuffled=True, steps=min(SHUFFLED_STEPS, recipe.steps))),
    ):
        work = out / "work" / kind
        work.mkdir(exist_ok=True)
        run = begun(folder, own, seed)
        run.resume(work / "checkpoint.pt")
        if not train_upper(states, corpus, run, own, seed, until, work, progress):
            return False
        ends = [work / f"epoch-{number}.pt" for number in own.averaged]
        if all(path.is_file() for path in ends):
            run.upper.load_state_dict(average(ends))
        config = calibrated(states, corpus, run.upper, ReaderConfig(trunk.fingerprint, own.split, own.layers))
        rows = [row for source in LOCATED for row in read_rows(bases[f"qa/{source}"])]
        config = located(Reader(trunk, trunk.tokenizer, run.upper, config), rows)
        save(work if kind else out, run, config, own, seed, bases)
        keep_ranges(trunk, work if kind else out)
    made = [row for row in written.written_rows() if fold(row.article) != 0]
    facts = {
        "seed": str(seed),
        "pairs": f"{len(corpus.train):,}",
        "hard": f"{len(corpus.hard):,}",
        "first": f"{len(corpus.first):,}",
        "written": f"{len(made):,}",
        "documents": f"{len({row.context for row in made}):,}",
        "tables": f"{len(corpus.tables):,}",
        "shuffled_steps": str(SHUFFLED_STEPS),
    }
    facts |= {key: str(value) for key, value in asdict(recipe).items()}
    facts["averaged"] = " and ".join(str(number) for number in recipe.averaged)
    report(data, out, trunk, facts, progress)
    return True


def keep_ranges(trunk: Trunk, folder: Path) -> None:
    """Write the ranges of a saved reader beside it, where this processor has a use for them."""
    found = Reader.load(trunk, folder).ranges
    if found:
        save_ranges(folder / ranges.NAME, found, file_sha256(folder / "weights.safetensors"))


def report(data: Path, out: Path, trunk: Trunk, facts: Mapping[str, str], progress: Progress | None) -> None:
    """Read the test sets with the saved weights, and write card.md."""
    reader, control = Reader.load(trunk, out), Reader.load(trunk, out / "work" / SHUFFLED)
    rows = test_rows(data)
    results = {name: outcomes(reader, own, progress) for name, own in rows.items()}
    wrong = {name: outcomes(control, part(own), progress) for name, own in rows.items() if name != "cmrc.test"}
    apart = {
        f"{name}_{language}": f"{measure(reader, rows[test], progress):.3f}"
        for name, measure in (("apart", told_apart), ("single", sentences_apart))
        for language, test in (("en", "squad.test"), ("zh", "drcd.test"))
    }
    orders = [order for order in read_orders(data) if order.held_out]
    detector = OrderDetector.load()
    counts = [planted(reader, detector, rows[name], orders) for name in ("squad.test", "drcd.test")]
    asked, changed, quoted = (str(sum(count)) for count in zip(*counts, strict=True))
    facts = {**facts, **apart, "planted": asked, "changed": changed, "quoted": quoted}
    (out / "card.md").write_text(card(results, wrong, facts), encoding="utf-8")


def part(rows: Sequence[Row], most: int = 300) -> list[Row]:
    """A fixed sample, enough to tell the shuffled reader from the real one."""
    return random.Random(0).sample(list(rows), min(most, len(rows)))


def calibrated(states: States, corpus: Corpus, upper: Upper, config: ReaderConfig) -> ReaderConfig:
    """The configuration with "is it here" and the sharpness of spans fitted on development pairs."""
    pairs = random.Random(1).sample(corpus.development, min(CALIBRATION, len(corpus.development)))
    here: list[float] = []
    sharp = np.linspace(0.5, 1.6, 12)
    losses = np.zeros(len(sharp))
    upper.eval()
    with torch.inference_mode():
        for begin in range(0, len(pairs), 12):
            questions, passages, golds = batch_of(states, pairs[begin : begin + 12], None, random.Random(0))
            spans, answers = upper(questions, passages)
            here += answers.tolist()
            for logits, gold in zip(spans, golds, strict=True):
                inside = [(first, last) for first, last in gold if last - first < MOST_TOKENS]
                if inside:
                    losses += [gold_loss(logits * float(by), inside) for by in sharp]
    scale, bias = platt(np.array(here), np.array([bool(pair.golds) for pair in pairs]))
    return replace(config, here_scale=scale, here_bias=bias, sharpness=float(sharp[losses.argmin()]))


def located(reader: Reader, rows: Sequence[Row]) -> ReaderConfig:
    """The configuration with the weight of shared words, and the sharpness beside it, that fit development rows best.

    The criterion is the loss of the gold spans; a grid, since each point costs nothing once the logits are there.
    """
    answered = [row for row in rows if row.answers and fold(row.article) == 0]
    losses = np.zeros((len(OVERLAPS), len(SHARPNESSES)))
    for row in random.Random(2).sample(answered, min(LOCATIONS, len(answered))):
        asked = tokenized(reader.tokenizer, QUESTION_PREFIX, [row.question])[0][0].cut(MOST_QUESTION)
        piece = tokenized(reader.tokenizer, PASSAGE_PREFIX, [row.context])[0][0]
        golds = golds_of(row, piece.offsets)
        if not golds:
            continue
        with torch.inference_mode():
            question, passage = reader.trunk.hidden([asked.ids, piece.ids], last=reader.config.split)
            [logits], _ = reader.upper([question], [passage])
            hint = torch.stack([shared(row.question, row.context, piece.offsets), torch.zeros(len(piece.ids))], 1)
            for i, overlap in enumerate(OVERLAPS):
                losses[i] += [gold_loss(logits * sharp + hint * overlap, golds) for sharp in SHARPNESSES]
    best = np.unravel_index(losses.argmin(), losses.shape)
    return replace(reader.config, overlap=OVERLAPS[best[0]], sharpness=SHARPNESSES[best[1]])


def golds_of(row: Row, offsets: Sequence[tuple[int, int]]) -> list[Bounds]:
    """Token spans (inclusive) of every place where a gold answer stands."""
    golds: set[Bounds] = set()
    for answer in row.answers:
        at = row.context.find(answer)
        while at >= 0:
            inside = [n for n, (start, end) in enumerate(offsets) if start < at + len(answer) and end > at]
            if inside and inside[-1] - inside[0] < MOST_TOKENS:
                golds.add((inside[0], inside[-1]))
            at = row.context.find(answer, at + 1)
    return sorted(golds)


def gold_loss(logits: torch.Tensor, golds: Sequence[Bounds]) -> float:
    """-log of the probability of the gold spans among all spans that the reader weighs."""
    chances = span_table(logits).flatten().log_softmax(0)
    reach = min(MOST_TOKENS, len(logits))
    places = torch.tensor([first * reach + last - first for first, last in golds])
    return -float(chances[places].logsumexp(0))


def platt(logits: Floats, truths: Bools) -> tuple[float, float]:
    """Scale and bias such that sigmoid(scale * logit + bias) is the probability (Platt 1999), by Newton's method."""
    scale, bias = 0.0, 0.0
    for _ in range(50):
        chance = 0.5 * (1 + np.tanh(0.5 * (scale * logits + bias)))
        error, weight = chance - truths, np.maximum(chance * (1 - chance), 1e-9)
        gradient = np.array([error @ logits, error.sum()])
        curvature = np.array([[weight @ logits**2, weight @ logits], [weight @ logits, weight.sum()]])
        step = np.linalg.solve(curvature + 1e-6 * np.eye(2), gradient)
        scale, bias = scale - float(step[0]), bias - float(step[1])
        if float(np.abs(step).max()) < 1e-6:
            break
    return scale, bias


def save(out: Path, run: Run, config: ReaderConfig, recipe: Recipe, seed: int, data: Mapping[str, Path]) -> None:
    """Weights in 16 bits, config.json with what they were made from, and the curves."""
    from safetensors.torch import save_file

    tensors = {name: tensor.half().contiguous() for name, tensor in run.upper.state_dict().items()}
    save_file(tensors, out / "weights.safetensors")
    (out / "weights.safetensors").chmod(0o644)
    written = {
        "name": "reader",
        **asdict(config),
        "seed": seed,
        "recipe": asdict(recipe),
        "data": {name: file_sha256(path) for name, path in data.items()},
        "weights_sha256": file_sha256(out / "weights.safetensors"),
    }
    (out / "config.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    shown = over(run.history, {"train_loss": "training loss", "dev_loss": "development loss"})
    right = over(run.history, {"dev_starts": "right starts", "dev_here": 'right "is it here"'})
    draw([shown, right], out / "curves.png")
