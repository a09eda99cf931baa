"""Training of the choice of left-out words: `passerine train terms --data FOLDER`."""

import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from indexing.types import Progress
from models.curves import Panel, draw
from models.fit import f_measure, fold
from models.heads import file_sha256
from models.reader_states import States
from models.term_data import Example, examples, is_needed
from models.terms import EARLIER, GATE, LAYER, Said, TermConfig, TermNetwork, stripped, texts_of
from models.trunk import Trunk
from models.types import Turn
from models.weights import model_folder

FILES = (
    "rewrite/canard.train.jsonl.gz",
    "sft/kdconv.train.jsonl.gz",
    "qa/squad.train.jsonl.gz",
    "qa/drcd.train.jsonl.gz",
    "qa/cmrc.train.jsonl.gz",
)
TRUNK = "multilingual-e5-small"
EPOCHS, BATCH, RATE, DECAY, DROPOUT, WARM = 4, 24, 1.5e-3, 1e-2, 0.15, 0.06
NEEDED = 2.0
"""Weight of a token that is needed: one in fifteen is."""
CHANCE = 3
"""Every third conversation trains the network on shuffled labels."""
BETA = 2.0
"""How much more than precision recall counts for the threshold: a word too many costs a search less than one that is
missing."""
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(2, 19))


@dataclass(frozen=True, slots=True)
class Read:
    """Every turn of the examples once: its states on disk, found by role and text."""

    states: States
    numbers: Mapping[Turn, int]

    def said(self, example: Example) -> list[Said]:
        """The last EARLIER + 1 turns of an example."""
        turns = example.turns[-EARLIER - 1 :]
        return [Said(turn, self.states.texts[n], self.states.of(n)) for turn in turns for n in [self.numbers[turn]]]


def train_terms(data: Path, home: Path, out: Path, seed: int = 0, progress: Progress | None = None) -> Path:
    """Train on `data` and write weights, config.json, card.md and curves.png into `out`. Returns that folder."""
    trunk = Trunk.load(model_folder(home, TRUNK))
    rows = examples(data, seed)
    held: dict[str, list[Example]] = {"development": [], "train": []}
    for row in rows:
        held["development" if fold(row.group) == 0 else "train"].append(row)
    read = open_states(trunk, rows, out / "work", progress)
    network, curve = fitted(read, held["train"], seed, progress)
    chance, _ = fitted(read, shuffled(held["train"][::CHANCE], seed), seed, None)
    dev = held["development"]
    wanted = [labels_of(row, read.said(row)) for row in dev]
    chances = {"trained": chances_of(network, read, dev), "shuffled labels": chances_of(chance, read, dev)}
    threshold, table = best_threshold(dev, chances["trained"], wanted)
    config = TermConfig(trunk.fingerprint, threshold)
    save(network, config, out, seed, data)
    by_threshold = {"precision": [row[:2] for row in table], "recall": [row[::2] for row in table]}
    draw([Panel({"training loss": curve}), Panel(by_threshold, "threshold")], out / "curves.png")
    scores = {name: scores_of(dev, own, wanted, threshold) for name, own in chances.items()}
    facts = {name: f"{len(own):,}" for name, own in held.items()}
    (out / "card.md").write_text(card(scores, facts, threshold), encoding="utf-8")
    return out


def open_states(trunk: Trunk, rows: Sequence[Example], folder: Path, progress: Progress | None) -> Read:
    """States of all turns, computed once and kept on disk; a killed run goes on."""
    turns = list(dict.fromkeys(turn for row in rows for turn in row.turns[-EARLIER - 1 :]))
    turns.sort(key=lambda turn: (len(turn.text), turn.text, turn.role))
    texts = texts_of(trunk, turns)
    digest = hashlib.sha256(repr([trunk.fingerprint, LAYER, *(text.ids for text in texts)]).encode()).hexdigest()[:16]
    states = States(folder, f"terms-{digest}", texts)
    states.fill(trunk, LAYER, math.inf, progress)
    return Read(states, {turn: number for number, turn in enumerate(turns)})


def labels_of(example: Example, said: Sequence[Said]) -> Tensor:
    """[tokens of the earlier turns]: 1 where the token lies in a needed word."""
    return torch.tensor(
        [
            float(start < end and is_needed(one.turn.text, stripped(one.turn.text, start, end), example.needed))
            for one in said[:-1]
            for start, end in one.text.offsets
        ]
    )


def fitted(
    read: Read, rows: Sequence[Example], seed: int, progress: Progress | None
) -> tuple[TermNetwork, list[tuple[int, float]]]:
    """A trained network, and its curve of (step, mean loss of the last fifty steps)."""
    torch.manual_seed(seed)
    network = TermNetwork(dropout=DROPOUT)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    labels = {id(row): labels_of(row, read.said(row)) for row in rows}
    order = [n for epoch in range(EPOCHS) for n in random.Random(f"{seed} {epoch}").sample(range(len(rows)), len(rows))]
    steps = math.ceil(len(order) / BATCH)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=steps, pct_start=WARM)
    network.train()
    curve, recent = [], list[float]()
    for step in range(steps):
        batch = [rows[n] for n in order[step * BATCH : (step + 1) * BATCH]]
        logits = torch.cat(network([read.said(row) for row in batch]))
        wanted = torch.cat([labels[id(row)] for row in batch])
        loss = functional.binary_cross_entropy_with_logits(logits, wanted, weight=1 + (NEEDED - 1) * wanted)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        rates.step()
        recent.append(loss.item())
        if (step + 1) % 50 == 0 or step + 1 == steps:
            curve.append((step + 1, sum(recent) / len(recent)))
            recent.clear()
            if progress is not None:
                progress("fit", step + 1, steps)
    return network.eval(), curve


def shuffled(rows: Sequence[Example], seed: int) -> list[Example]:
    """The conversations, each needing random words of its own as many as before: the baseline of chance."""
    rng = random.Random(seed)
    made = []
    for row in rows:
        words = [word for turn in row.turns[:-1] for word in turn.text.split()] or [""]
        needed = tuple(rng.choice(words)[:6] for _ in row.needed)
        made.append(Example(row.turns, needed, row.whole, row.language, row.group, row.source))
    return made


@dataclass(frozen=True, slots=True)
class Score:
    """One conversation: tokens chosen and needed, chosen, needed; its group."""

    hit: int
    chosen: int
    needed: int
    group: str
    source: str


def scores_of(
    rows: Sequence[Example], chances: Sequence[Tensor], wanted: Sequence[Tensor], threshold: float
) -> list[Score]:
    """Every conversation at a threshold, from the probabilities and labels of its tokens."""
    return [scored(*one, threshold) for one in zip(rows, chances, wanted, strict=True)]


def scored(row: Example, chances: Tensor, wanted: Tensor, threshold: float) -> Score:
    """One of them."""
    above = (chances >= threshold) & (chances.max() >= GATE)
    hit = int((above & (wanted > 0)).sum())
    return Score(hit, int(above.sum()), int(wanted.sum()), row.group, row.source)


def chances_of(network: TermNetwork, read: Read, rows: Sequence[Example]) -> list[Tensor]:
    """Probabilities of the tokens of the earlier turns of each example."""
    found: list[Tensor] = []
    with torch.inference_mode():
        for begin in range(0, len(rows), BATCH):
            batch = rows[begin : begin + BATCH]
            found += [logits.sigmoid() for logits in network([read.said(row) for row in batch])]
    return found


def best_threshold(
    rows: Sequence[Example], chances: Sequence[Tensor], wanted: Sequence[Tensor]
) -> tuple[float, list[tuple[float, float, float]]]:
    """The threshold with the best F (of BETA) of the mean precision and recall over sources, and (threshold, precision,
    recall) of all."""
    table: list[tuple[float, float, float]] = []
    best = (-1.0, 0.5)
    for threshold in THRESHOLDS:
        scores = scores_of(rows, chances, wanted, threshold)
        means = [rates_of(own) for own in by_source(scores).values()]
        precision, recall, _ = (sum(column) / len(means) for column in zip(*means, strict=True))
        table.append((threshold, precision, recall))
        best = max(best, (f_measure((threshold, 0.0, precision, recall), BETA), threshold))
    return best[1], table


def by_source(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """The scores of each source."""
    return {name: [one for one in scores if one.source == name] for name in sorted({one.source for one in scores})}


def rates_of(scores: Sequence[Score]) -> tuple[float, float, float]:
    """Precision, recall and F1 over all tokens."""
    hit = sum(one.hit for one in scores)
    precision, recall = hit / max(1, sum(one.chosen for one in scores)), hit / max(1, sum(one.needed for one in scores))
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def save(network: TermNetwork, config: TermConfig, out: Path, seed: int, data: Path) -> None:
    """Weights in 16 bits, and config.json with what they were made from."""
    from safetensors.torch import save_file

    tensors = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, out / "weights.safetensors")
    (out / "weights.safetensors").chmod(0o644)
    written = {
        "name": "terms",
        **asdict(config),
        "seed": seed,
        "data": {name: file_sha256(data / name) for name in FILES},
        "weights_sha256": file_sha256(out / "weights.safetensors"),
    }
    (out / "config.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def card(scores: Mapping[str, Sequence[Score]], facts: Mapping[str, str], threshold: float) -> str:
    """card.md: the trained network beside the one trained on random words."""
    lines = []
    for name, own in by_source(scores["trained"]).items():
        cells = [name, f"{len(own):,}"]
        for system, every in scores.items():
            mine = by_source(every)[name]
            precision, recall, f1 = rates_of(mine)
            low, high = f1_interval(mine)
            cells.append(f"{precision:.2f} / {recall:.2f} / {f1:.3f} [{low:.3f}, {high:.3f}]")
            if system == "trained":
                bare = [float(one.chosen == 0) for one in mine if not one.needed]
                cells.append(f"{sum(bare) / len(bare):.2f} (n={len(bare)})" if bare else "")
        lines.append("| " + " | ".join(cells) + " |")
    return TEXT.format(table="\n".join(lines), threshold=threshold, gate=GATE, **facts)


def f1_interval(scores: Sequence[Score], draws: int = 1000) -> tuple[float, float]:
    """95% interval of F1 by bootstrap over groups."""
    groups: dict[str, list[Score]] = {}
    for one in scores:
        groups.setdefault(one.group, []).append(one)
    rng, names = random.Random(0), sorted(groups)
    drawn = sorted(
        rates_of([one for name in rng.choices(names, k=len(names)) for one in groups[name]])[2] for _ in range(draws)
    )
    return drawn[int(0.025 * draws)], drawn[int(0.975 * draws)]


TEXT = """# Left-out words

Chooses the words of the earlier turns that a follow-up needs to be searched by, after QuReTeC (Voskarides et al. 2020):
one probability a token, from the states of layer 6 of multilingual-e5-small (frozen) through two small layers in which
the turn and the turns before it attend to each other. A token above {threshold} is chosen, if any is above {gate}.
Made by `passerine train terms`.

Trained on {train} conversations: CANARD (CC BY-SA 4.0), KdConv (Apache-2.0), and conversations made of the questions of
SQuAD (CC BY-SA 4.0), DRCD (CC BY-SA 3.0) and CMRC 2018 (CC BY-SA 4.0) by taking out of a question the name that it
shares with an earlier turn. Checksums are in config.json. A fifth of the dialogues, topics and articles by hash is
development data ({development} conversations): the threshold is chosen there, and the table is of it; curves.png.
Weights: Apache-2.0. `passerine evaluate followups` measures what it does for search, on follow-ups written by hand.

Tokens chosen: precision / recall / F1 with its 95% interval over groups. "Left alone": of the turns that need nothing,
the share to which nothing is added.

| source | conversations | trained | left alone | shuffled labels |
|---|---|---|---|---|
{table}

Limits: it adds words that were said and cannot paraphrase; of six earlier turns it reads the first 80 tokens each. The
labels of KdConv are drawn from the facts of the next reply, so some needed words count there as wrong.
"""
