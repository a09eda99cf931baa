"""The steps of the reader's training: recipe, loss, batches, checkpoints. The whole of it is models/train_reader.py."""

import json
import math
import random
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from indexing.types import Progress
from models.checkpoints import read_checkpoint, write_checkpoint
from models.reader import Dropout, Layer, Upper
from models.reader_pairs import Corpus, Pair
from models.reader_rows import Bounds
from models.reader_states import States
from models.workers import Workers

PARTS = 2
"""Into how many parts a batch goes: a fixed number, so that the weights do not depend on the machine's cores."""

WITH_TABLES, SHARE = 5, 1.4
"""The epoch over tables, and how many pairs of what was written, and of all others, it has for each pair about one."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the upper layers are trained. `split` is the layer where question and passage meet."""

    split: int = 4
    layers: int = 8
    steps: int = 8_816
    """An epoch over the made-up pairs, 16 a step, one over the plain ones, one with the harder ones, two with what was
    written, and one with tables."""
    batch: int = 16
    rate: float = 2e-4
    head_rate: float = 1e-3
    warm: float = 0.06
    decay: float = 0.01
    dropout: float = 0.1
    window: int = 112
    """Most tokens of a passage that a training pair shows: longer ones are cut around the answer, to save time."""
    later_window: int = 208
    """The same after the first epoch."""
    averaged: tuple[int, ...] = (5, 6, 6)
    """Epochs after which the weights are kept; the reader has their mean (Izmailov et al. 2018), the last one twice: it
    knows tables, the one before reads English a little better."""
    look: int = 200
    """Steps between two looks at development data."""
    half: bool = True
    """Multiply in 16 bits, which takes half as long where the processor has them; a run then repeats itself but for
    rounding."""
    shuffled: bool = False
    """Train on answers of other rows: the baseline that a real reader must beat."""


def trunk_layers(folder: Path, first: int, count: int) -> list[Layer]:
    """Layers first .. first + count of the trunk in `folder`, as the reader's own."""
    from safetensors import safe_open

    layers = []
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        for number in range(first, first + count):

            def part(name: str, number: int = number) -> Tensor:
                tensor: Tensor = file.get_tensor(f"encoder.layer.{number}.{name}")
                return tensor.float()

            own = {}
            for kind in ("weight", "bias"):
                own[f"qkv.{kind}"] = torch.cat([part(f"attention.self.{x}.{kind}") for x in ("query", "key", "value")])
                own[f"mix.{kind}"] = part(f"attention.output.dense.{kind}")
                own[f"mix_norm.{kind}"] = part(f"attention.output.LayerNorm.{kind}")
                own[f"up.{kind}"] = part(f"intermediate.dense.{kind}")
                own[f"down.{kind}"] = part(f"output.dense.{kind}")
                own[f"down_norm.{kind}"] = part(f"output.LayerNorm.{kind}")
            layer = Layer()
            layer.load_state_dict(own)
            layers.append(layer)
    return layers


def fresh_upper(folder: Path, recipe: Recipe, seed: int) -> Upper:
    """Upper layers that begin as the trunk's own, with new heads."""
    torch.manual_seed(seed)
    upper = Upper(recipe.layers, dropout=recipe.dropout)
    for own, given in zip(upper.layers, trunk_layers(folder, recipe.split, recipe.layers), strict=True):
        own.load_state_dict(given.state_dict())
    with torch.no_grad():
        upper.side.normal_(0, 0.02)
        for new in (upper.span, upper.here, upper.likeness, upper.covered, upper.aligned):
            new.weight.normal_(0, 0.02)
            new.bias.zero_()
    return upper


def shown(pair: Pair, length: int, window: int, rng: random.Random) -> tuple[int, int]:
    """The tokens of the passage that a training pair shows: a random window that holds one of the answers."""
    if length <= window:
        return 0, length
    low, high = 0, length - window
    if pair.golds:
        first, last = rng.choice(pair.golds)
        low, high = max(0, min(last + 1 - window, first)), min(high, first)
    low = min(rng.randint(low, max(low, high)), length - window)
    return low, low + window


def pair_loss(spans: Sequence[Tensor], here: Tensor, golds: Sequence[Sequence[Bounds]]) -> Tensor:
    """Span loss of the pairs that have an answer, plus the loss of "is it here".

    The span loss is -log of the summed probability of all gold spans: a word that occurs thrice is right thrice.
    """
    wanted = torch.tensor([float(bool(gold)) for gold in golds])
    losses = []
    for logits, gold in zip(spans, golds, strict=True):
        if gold:
            ends = torch.tensor(gold)
            scores = logits.log_softmax(0)
            losses.append(-(scores[ends[:, 0], 0] + scores[ends[:, 1], 1]).logsumexp(0))
    found = nn.functional.binary_cross_entropy_with_logits(here, wanted)
    return torch.stack(losses).sum() / len(golds) + found if losses else found


@dataclass(slots=True)
class Run:
    """All that a checkpoint holds."""

    upper: Upper
    optimiser: torch.optim.Optimizer
    step: int = 0
    identity: str = ""
    """What the steps follow from."""
    history: list[dict[str, float]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write the checkpoint."""
        state = {"upper": self.upper.state_dict(), "optimiser": self.optimiser.state_dict()}
        write_checkpoint(path, self.identity, {**state, "step": self.step, "history": self.history})

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint when there is one."""
        held = read_checkpoint(path, self.identity)
        if held:
            self.upper.load_state_dict(held["upper"])
            self.optimiser.load_state_dict(held["optimiser"])
            self.step, self.history = held["step"], held["history"]


def begun(folder: Path, recipe: Recipe, seed: int) -> Run:
    """A run at its first step. The new heads learn faster than the layers, which know their language already."""
    upper = fresh_upper(folder, recipe, seed)
    layers = list(upper.layers.parameters())
    heads = [tensor for name, tensor in upper.named_parameters() if not name.startswith("layers.")]
    groups = [{"params": layers, "lr": recipe.rate}, {"params": heads, "lr": recipe.head_rate}]
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.decay, fused=True)
    return Run(upper, optimiser, identity=f"{recipe} {seed}")


def batch_of(
    states: States, pairs: Sequence[Pair], window: int | None, rng: random.Random
) -> tuple[list[Tensor], list[Tensor], list[tuple[Bounds, ...]]]:
    """Lower states of the questions and passages of some pairs, and their gold spans inside what is shown."""
    questions, passages, golds = [], [], []
    for pair in pairs:
        length = len(states.texts[pair.passage].ids)
        low, high = shown(pair, length, window or length, rng)
        questions.append(states.of(pair.question))
        passages.append(states.of(pair.passage, low, high))
        golds.append(tuple((a - low, b - low) for a, b in pair.golds if a >= low and b < high))
    return questions, passages, golds


class Epochs:
    """Which pairs a step reads: first those made up, then the plain ones, then the harder ones with half of the plain,
    then two epochs over what was written with a third as many of all others, then tables with written ones and others.
    Epoch 0 is the one over the made-up pairs, there or not."""

    def __init__(self, corpus: Corpus, batch: int, seed: int) -> None:
        self._corpus, self._batch, self._seed = corpus, batch, seed
        self._pools: dict[int, list[Pair]] = {}

    def at(self, step: int) -> tuple[int, float, Sequence[Pair]]:
        """Epoch of the step, share of the epoch before it, and its pairs."""
        epoch, place = 0, step
        while place >= (length := self._length(epoch)):
            place -= length
            epoch += 1
        return epoch, place / length, self._pool(epoch)[place * self._batch : (place + 1) * self._batch]

    def steps(self, epochs: int) -> int:
        """How many steps so many epochs take, the one over the made-up pairs not counted."""
        return sum(self._length(epoch) for epoch in range(epochs + 1))

    def _length(self, epoch: int) -> int:
        """Steps of an epoch."""
        return math.ceil(len(self._pool(epoch)) / self._batch)

    def _pool(self, epoch: int) -> list[Pair]:
        """The pairs of an epoch in its order."""
        if epoch not in self._pools:
            rng = random.Random(f"{self._seed} {epoch}")
            pool = self._drawn(epoch, rng)
            self._pools[epoch] = [pool[number] for number in rng.sample(range(len(pool)), len(pool))]
        return self._pools[epoch]

    def _drawn(self, epoch: int, rng: random.Random) -> list[Pair]:
        plain, hard, written = self._corpus.train, self._corpus.hard, self._corpus.written
        if not epoch:
            return self._corpus.first
        if epoch == 1 or not hard:
            return plain
        if epoch == 2 or not written:
            return [*hard, *rng.sample(plain, len(plain) // 2)]
        others = [*plain, *hard]
        if epoch == WITH_TABLES and (tables := self._corpus.tables):
            beside = (rng.sample(some, min(len(some), round(SHARE * len(tables)))) for some in (written, others))
            return [*tables, *(pair for some in beside for pair in some)]
        return [*written, *rng.sample(others, min(len(written) // 3, len(others)))]


class Team:
    """Copies of the upper layers, one a core, that share out the pairs of a batch.

    Cores that work on pairs of their own meet once a step; sharing out each small operation, they would meet hundreds
    of times (models/workers.py).
    """

    def __init__(self, upper: Upper, half: bool = True) -> None:
        self._half = half
        self._workers = Workers(PARTS)
        self._members = [upper, *(deepcopy(upper) for _ in range(PARTS - 1))]
        self._generators = [torch.Generator() for _ in self._members]
        for member, generator in zip(self._members, self._generators, strict=True):
            for module in member.modules():
                if isinstance(module, Dropout):
                    module.generator = generator

    def gradients(
        self, questions: Sequence[Tensor], passages: Sequence[Tensor], golds: Sequence[Sequence[Bounds]], seed: int
    ) -> float:
        """Put the gradients of the batch's loss into the upper layers, and give the loss."""
        order = sorted(range(len(golds)), key=lambda place: -len(passages[place]))
        parts = [order[part::PARTS] for part in range(min(PARTS, len(order)))]
        first = list(self._members[0].parameters())

        def own(part: int) -> float:
            member, places = self._members[part], parts[part]
            if part:
                for tensor, source in zip(member.parameters(), first, strict=True):
                    tensor.data.copy_(source.data)
            self._generators[part].manual_seed(seed * PARTS + part)
            member.train()
            member.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=self._half):
                halves, sure = member([questions[place] for place in places], [passages[place] for place in places])
            spans, here = [half.float() for half in halves], sure.float()
            loss = pair_loss(spans, here, [golds[place] for place in places]) * len(places) / len(golds)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.item()

        total = sum(self._workers.map(own, range(len(parts))))
        for member in self._members[1 : len(parts)]:
            for tensor, other in zip(first, member.parameters(), strict=True):
                if other.grad is not None:
                    tensor.grad = other.grad.clone() if tensor.grad is None else tensor.grad.add_(other.grad)
        return total


def average(paths: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of the upper layers' weights in some checkpoints."""
    states = [torch.load(path, weights_only=True)["upper"] for path in paths]
    return {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}


def train_upper(
    states: States,
    corpus: Corpus,
    run: Run,
    recipe: Recipe,
    seed: int,
    until: float,
    out: Path,
    progress: Progress | None,
) -> bool:
    """Steps until the recipe is done (True) or the time `until` has come (False)."""
    if recipe.shuffled:
        corpus = replace(corpus, train=shuffled(corpus.train, seed), first=[])
    epochs = Epochs(corpus, recipe.batch, seed)
    rates = [group["lr"] if run.step == 0 else group["initial_lr"] for group in run.optimiser.param_groups]
    recent: list[float] = []
    team = Team(run.upper, recipe.half)
    while run.step < recipe.steps and time.monotonic() < until:
        epoch, done, chosen = epochs.at(run.step)
        rng = random.Random(f"{seed} {run.step}")
        window = recipe.later_window if epoch else recipe.window
        batch = batch_of(states, chosen, window, rng)
        for group, rate in zip(run.optimiser.param_groups, rates, strict=True):
            group["initial_lr"], group["lr"] = rate, rate * schedule(epoch, done, recipe.warm)
        recent.append(team.gradients(*batch, seed * 1_000_003 + run.step))
        nn.utils.clip_grad_norm_(run.upper.parameters(), 1.0)
        run.optimiser.step()
        run.step += 1
        if progress is not None:
            progress("train", run.step, recipe.steps)
        if run.step % recipe.look == 0 or run.step == recipe.steps:
            note = {"step": float(run.step), "train_loss": float(np.mean(recent[-recipe.look :]))}
            note |= look(states, corpus.development, run.upper)
            run.history.append(note)
            (out / "history.json").write_text(json.dumps(run.history, indent=1))
            run.save(out / "checkpoint.pt")
        if epochs.at(run.step)[0] > epoch:
            run.save(out / f"epoch-{epoch + 1}.pt")
    run.save(out / "checkpoint.pt")
    return run.step >= recipe.steps


def schedule(epoch: int, done: float, warm: float) -> float:
    """Share of the full rate when the share `done` of an epoch is done: a short line up, then a cosine down to a
    twentieth. The epochs after the first two begin at six tenths (warm restarts, Loshchilov and Hutter 2017). So the
    weights can be used at the end of any epoch."""
    if done < warm and epoch <= 1:
        return done / warm + 1e-3
    return float((0.6 if epoch > 1 else 1.0) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))))


def shuffled(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """The pairs with the answers of other pairs of their own language, where they fit."""
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)
    made = []
    for pair, other in zip(pairs, order, strict=True):
        made.append(Pair(pair.question, pair.passage, pairs[other].golds, pair.language, pair.article))
    return made


def look(states: States, pairs: Sequence[Pair], upper: Upper, most: int = 240) -> dict[str, float]:
    """Loss on a fixed sample of development pairs, share of exact best starts, and accuracy of "is it here"."""
    sample = random.Random(0).sample(list(pairs), min(most, len(pairs)))
    upper.eval()
    losses, starts, right = [], [], []
    with torch.inference_mode():
        for begin in range(0, len(sample), 12):
            batch = sample[begin : begin + 12]
            questions, passages, golds = batch_of(states, batch, None, random.Random(0))
            spans, here = upper(questions, passages)
            losses.append(pair_loss(spans, here, golds).item())
            right += [(answer > 0) == bool(gold) for answer, gold in zip(here.tolist(), golds, strict=True)]
            starts += [
                int(logits[:, 0].argmax()) in {first for first, _ in gold}
                for logits, gold in zip(spans, golds, strict=True)
                if gold
            ]
    return {
        "dev_loss": float(np.mean(losses)),
        "dev_starts": float(np.mean(starts)) if starts else 0.0,
        "dev_here": float(np.mean(right)),
    }
