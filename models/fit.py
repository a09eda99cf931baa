"""Training of heads: fit, calibrate, choose a threshold, and intervals for the card. Needs torch."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from indexing.types import Progress
from models.heads import Floats, Head, HeadConfig

Loss = Callable[[Tensor, Tensor], Tensor]
"""loss(outputs [m, outputs], rows [m]) -> scalar; `rows` are the row numbers of the batch."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a head is fitted. `hidden` () is a linear head; `batch` counts rows, or groups where groups are given."""

    hidden: tuple[int, ...] = ()
    epochs: int = 20
    batch: int = 256
    rate: float = 1e-3
    decay: float = 1e-2
    dropout: float = 0.1
    seed: int = 0


def fit(
    features: Floats,
    loss: Loss,
    config: HeadConfig,
    recipe: Recipe,
    outputs: int = 1,
    groups: Sequence[int] | NDArray[np.int64] | None = None,
    progress: Progress | None = None,
) -> Head:
    """A head on features [n, d] that minimises `loss`, with AdamW and a cosine schedule.

    Features are standardised for training; the scale is folded into the first layer, so the head reads raw
    features. With `groups` (one number a row) a batch holds whole groups: that is how pairs of one prompt stay
    together. Same inputs and seed, same head.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)  # for the dropout
        return trained(features, loss, config, recipe, outputs, groups, progress)


def trained(
    features: Floats,
    loss: Loss,
    config: HeadConfig,
    recipe: Recipe,
    outputs: int,
    groups: Sequence[int] | NDArray[np.int64] | None,
    progress: Progress | None,
) -> Head:
    """The work of `fit`, in a scope whose random numbers are its own."""
    generator = torch.Generator().manual_seed(recipe.seed)
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread < 1e-6, 1.0, spread)  # a constant column must not blow up on new rows
    x = torch.from_numpy(np.ascontiguousarray((features - mean) / spread, dtype=np.float32))
    module = network(x.shape[1], recipe, outputs)
    batches = row_batches(len(x), recipe.batch, groups)
    optimiser = torch.optim.AdamW(module.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=recipe.epochs)
    module.train()
    for epoch in range(recipe.epochs):
        for rows in batches(generator):
            optimiser.zero_grad()
            loss(module(x[rows]), rows).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        schedule.step()
        if progress is not None:
            progress("fit", epoch + 1, recipe.epochs)
    return Head(config, folded(module, mean, spread))


def network(inputs: int, recipe: Recipe, outputs: int) -> nn.Sequential:
    """Linear layers with ReLU and dropout between them, initialised from the recipe's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        parts: list[nn.Module] = []
        for width in recipe.hidden:
            parts += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(recipe.dropout)]
            inputs = width
        return nn.Sequential(*parts, nn.Linear(inputs, outputs))


def row_batches(
    count: int, size: int, groups: Sequence[int] | NDArray[np.int64] | None
) -> Callable[[torch.Generator], list[Tensor]]:
    """A function that shuffles rows (or whole groups) into batches."""
    if groups is None:
        return lambda generator: list(torch.split(torch.randperm(count, generator=generator), size))
    owner = np.asarray(groups)
    members = [torch.from_numpy(np.flatnonzero(owner == group)) for group in np.unique(owner)]

    def shuffled(generator: torch.Generator) -> list[Tensor]:
        order = torch.randperm(len(members), generator=generator).tolist()
        return [torch.cat([members[i] for i in order[s : s + size]]) for s in range(0, len(order), size)]

    return shuffled


def folded(module: nn.Sequential, mean: Floats, spread: Floats) -> tuple[tuple[Floats, Floats], ...]:
    """The module's layers with the standardisation of the features inside the first."""
    linear = [part for part in module if isinstance(part, nn.Linear)]
    layers = [(part.weight.detach().numpy().copy(), part.bias.detach().numpy().copy()) for part in linear]
    weight, bias = layers[0]
    scaled = weight / spread
    layers[0] = (scaled.astype(np.float32), (bias - scaled @ mean).astype(np.float32))
    return tuple(layers)


def binary_loss(targets: Sequence[float] | Floats, weights: Sequence[float] | Floats | None = None) -> Loss:
    """Cross-entropy of one logit with targets in [0, 1]; `weights` count a row more or less."""
    wanted = torch.as_tensor(np.asarray(targets, dtype=np.float32))
    scale = torch.ones_like(wanted) if weights is None else torch.as_tensor(np.asarray(weights, dtype=np.float32))

    def loss(outputs: Tensor, rows: Tensor) -> Tensor:
        each = nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], wanted[rows], reduction="none")
        return (each * scale[rows]).sum() / scale[rows].sum()

    return loss


def calibrated(head: Head, features: Floats, targets: Sequence[float] | Floats) -> Head:
    """The head with scale and shift of its logit fitted on development rows (Platt, 1999), folded into its last layer.

    For heads with one output.
    """
    logits = torch.from_numpy(head.logits(features)[:, 0].astype(np.float64))
    wanted = torch.as_tensor(np.asarray(targets, dtype=np.float64))
    parameters = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([parameters], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        fitted = logits * parameters[0] + parameters[1]
        value = nn.functional.binary_cross_entropy_with_logits(fitted, wanted) + 1e-4 * parameters.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    scale, shift = (float(value) for value in parameters.detach())
    weight, bias = head.layers[-1]
    last = ((weight * scale).astype(np.float32), (bias * scale + shift).astype(np.float32))
    return Head(head.config, (*head.layers[:-1], last))


def threshold_curve(probabilities: Floats, targets: Floats, steps: int = 99) -> list[list[float]]:
    """Rows [threshold, accuracy, precision, recall, f1] for evenly spaced thresholds in (0, 1)."""
    truth = np.asarray(targets) >= 0.5
    rows = []
    for threshold in np.linspace(0, 1, steps + 2)[1:-1]:
        said = np.asarray(probabilities) >= threshold
        hits = float((said & truth).sum())
        precision = hits / max(float(said.sum()), 1.0)
        recall = hits / max(float(truth.sum()), 1.0)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        row = [float(threshold), float((said == truth).mean()), precision, recall, f1]
        rows.append([round(value, 4) for value in row])
    return rows


def best_threshold(curve: Sequence[Sequence[float]], column: int = 1) -> float:
    """The threshold with the best value in a column (1 accuracy, 4 F1); the middle one among equals."""
    best = max(row[column] for row in curve)
    equal = [row[0] for row in curve if row[column] == best]
    return equal[len(equal) // 2]


def f_measure(row: Sequence[float], beta: float) -> float:
    """F of a curve's row; beta below 1 counts precision more than recall (van Rijsbergen, 1979)."""
    precision, recall = row[2], row[3]
    return (1 + beta**2) * precision * recall / max(beta**2 * precision + recall, 1e-9)


def interval(
    values: Sequence[float] | Floats, groups: Sequence[Any] | None = None, draws: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Mean with its 95% bootstrap interval (mean, low, high); with `groups` whole groups are drawn."""
    data = np.asarray(values, dtype=np.float64)
    random = np.random.default_rng(seed)
    if groups is None:
        means = [data[random.integers(0, len(data), len(data))].mean() for _ in range(draws)]
    else:
        names = sorted(set(groups))
        number = {name: position for position, name in enumerate(names)}
        sums, counts = np.zeros(len(names)), np.zeros(len(names))
        for group, value in zip(groups, data, strict=True):
            sums[number[group]] += value
            counts[number[group]] += 1
        drawn = [random.integers(0, len(names), len(names)) for _ in range(draws)]
        means = [sums[rows].sum() / counts[rows].sum() for rows in drawn]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(data.mean()), float(low), float(high)


def fold(key: str, parts: int = 5) -> int:
    """A stable number in [0, parts) for a key: fold 0 of 5 is the development data."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8")).digest()[:8], "big") % parts
