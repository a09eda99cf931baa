"""Fitting of a judge's network on a corpus of states. Needs torch alone."""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from indexing.types import Progress
from models.checkpoints import read_checkpoint, write_checkpoint
from rewards.corpus import Corpus
from rewards.interaction import Interaction, Reader, collate, sides_of
from rewards.readings import Draft

Loss = Callable[[Tensor, Sequence[int]], Tensor]
"""loss(outputs of the drafts, their numbers) -> scalar."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is fitted. `batch` counts drafts."""

    epochs: int = 3
    batch: int = 64
    rate: float = 1e-3
    decay: float = 1e-2
    warmup: float = 0.1
    seed: int = 0


def fit_network(
    network: Interaction,
    corpus: Reader,
    drafts: Sequence[Draft],
    units: Sequence[Sequence[int]],
    labels: Sequence[Tensor],
    loss: Loss,
    recipe: Recipe,
    rules: Callable[[random.Random], Tensor] | None = None,
    progress: Progress | None = None,
    kept: Path | None = None,
) -> list[tuple[int, float]]:
    """Minimise `loss`; the curve of (step, mean loss of the last fifty steps).

    `units` are the numbers of drafts that stay together in a batch, such as all drafts of one prompt. `rules` gives
    the rule vectors of a step, for a network that is asked about rules. `labels` are the tensors that `loss` and
    `rules` are made of: labels, weights, rule vectors. `kept` is a file from which a killed run goes on, and no run
    with other inputs. Same inputs and seed, same weights, interrupted or not.
    """
    random_ = random.Random(recipe.seed)
    plan = [batch for _ in range(recipe.epochs) for batch in batches(drafts, units, recipe.batch, random_)]
    # A rise that ends with the first step has no length, and OneCycleLR divides by it.
    warmup = recipe.warmup if recipe.warmup * len(plan) != 1 else recipe.warmup / 2
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=recipe.rate, total_steps=len(plan), pct_start=warmup
    )
    run_ = Run(network, optimiser, schedule, kept, digest(network, corpus, drafts, units, labels, recipe))
    done, curve = run_.resumed()
    network.train()
    recent: list[float] = []
    for step, batch in enumerate(plan[done:], done + 1):
        torch.manual_seed(recipe.seed * 1_000_003 + step)
        shown = rules(random.Random(recipe.seed * 1_000_003 + step)) if rules else None
        optimiser.zero_grad()
        value = loss(run(network, corpus, [drafts[i] for i in batch], shown), batch)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        recent.append(float(value.detach()))
        if step % 50 == 0 or step == len(plan):
            curve.append((step, float(np.mean(recent))))
            recent.clear()
            run_.keep(step, curve)
            if progress is not None:
                progress("fit", step, len(plan))
    network.eval()
    return curve


@dataclass(frozen=True, slots=True)
class Run:
    """A fitting that can be interrupted. `name` is the checksum of what it fits: a file of another run is not used."""

    network: Interaction
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    path: Path | None
    name: str

    def resumed(self) -> tuple[int, list[tuple[int, float]]]:
        """Steps done and the curve so far, with the state put back."""
        state = read_checkpoint(self.path, self.name) if self.path else None
        if state is None:
            return 0, []
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        return int(state["step"]), [(int(at), float(value)) for at, value in state["curve"]]

    def keep(self, step: int, curve: list[tuple[int, float]]) -> None:
        """Write the state."""
        if self.path is None:
            return
        state = {
            "step": step,
            "curve": curve,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        write_checkpoint(self.path, self.name, state)


def digest(
    network: Interaction,
    corpus: Reader,
    drafts: Sequence[Draft],
    units: Sequence[Sequence[int]],
    labels: Sequence[Tensor],
    recipe: Recipe,
) -> str:
    """Checksum of what a fitting depends on, the weights that it begins with among it."""
    parts = [repr(recipe), repr(network.shape), corpus.fingerprint, str([list(unit) for unit in units])]
    found = hashlib.sha256("\n".join([*parts, *map(repr, drafts)]).encode())
    for tensor in (*network.state_dict().values(), *labels):
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def batches(
    drafts: Sequence[Draft], units: Sequence[Sequence[int]], size: int, random_: random.Random
) -> list[list[int]]:
    """Units of like length together, in random order: little padding, and another mixture each time."""
    order = list(range(len(units)))
    lengths = [max(length(drafts[i]) for i in unit) for unit in units]
    order.sort(key=lambda u: lengths[u] * random_.uniform(0.8, 1.25))
    made: list[list[int]] = [[]]
    for place in order:
        if made[-1] and len(made[-1]) + len(units[place]) > size:
            made.append([])
        made[-1] += units[place]
    random_.shuffle(made)
    return made


def length(draft: Draft) -> float:
    """About how many tokens a draft has: four Latin letters make one, and three Chinese characters make two."""
    text = draft.question + draft.answer + draft.evidence
    wide = sum(character > "\u2e7f" for character in text)
    return wide * 0.67 + (len(text) - wide) * 0.25


def run(network: Interaction, corpus: Reader, drafts: Sequence[Draft], rules: Tensor | None = None) -> Tensor:
    """Outputs of the network for drafts, in one batch."""
    batch = collate(sides_of(corpus, drafts), [d.short for d in drafts], [d.answer for d in drafts])
    outputs: Tensor = network(batch, rules)
    return outputs


def outputs_of(
    network: Interaction, corpus: Corpus | Reader, drafts: Sequence[Draft], rules: Tensor | None = None, size: int = 128
) -> NDArray[np.float32]:
    """float32 [n, outputs] without gradients, for measuring."""
    order = sorted(range(len(drafts)), key=lambda i: length(drafts[i]))
    found: dict[int, NDArray[np.float32]] = {}
    network.eval()
    with torch.inference_mode():
        for begin in range(0, len(order), size):
            part = order[begin : begin + size]
            rows = run(network, corpus, [drafts[i] for i in part], rules).numpy()
            found.update(zip(part, rows, strict=True))
    return np.stack([found[i] for i in range(len(drafts))])
