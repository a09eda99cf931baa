"""Training of the support judge on what people said: `passerine train support --feedback FILE`.

It goes on from the live judge. A thumb says whether the answer that was shown is right, a comparison which of two
drafts is: one that was found better counts as right, the other as wrong, and both where both are good, or bad. Then the
judge's sum (its network's logit, the policy's confidence, the retriever's score) is fitted on the same drafts.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from indexing.types import BadInput, Progress
from models.curves import Panel, draw
from models.heads import file_sha256
from rewards.corpus import Corpus
from rewards.feedback import Feedback, Said, draft_of, read_feedback
from rewards.interaction import Interaction, load_network, save_network
from rewards.measures import auc_interval
from rewards.network_fit import Recipe, fit_network, outputs_of
from rewards.readings import Draft
from rewards.support import (
    FEATURES,
    Calibration,
    fit_calibration,
    known,
    load_calibration,
    nearness,
    save_calibration,
    told,
)
from rewards.training import open_corpus, write_card

RECIPE = Recipe(epochs=2, batch=32, rate=1e-4)
"""A tenth of the rate that the judge was first trained with: some hundred opinions mend it, and must not undo it."""
LEAST = 40
"""Drafts that people found right, and drafts that they found wrong: with fewer, chance decides."""
PARTS = 2
"""Parts of the conversations; what is measured on one was learnt from the others."""


@dataclass(frozen=True, slots=True)
class Label:
    """A draft that people judged: 1 right, 0 wrong. `features` are those of the judge's sum, the network's and the
    nearness left at 0; `group` is the conversation."""

    draft: Draft
    features: tuple[float, ...]
    right: float
    group: str


def labels_of(rows: Iterable[Feedback]) -> list[Label]:
    """The drafts that votes and comparisons judge, each once: the last word counts. Only statements with quotes are
    labelled, since nothing else has support."""
    found: dict[tuple[str, str], Label] = {}
    for row in rows:
        judged: list[tuple[Said | None, float | None]] = []
        if row.kind == "vote":
            judged = [(row.candidate, row.label)]
        elif row.kind == "pair" and row.label is not None:
            both = {"both_good": 1.0, "both_bad": 0.0}.get(row.choice or "")
            judged = [(row.a, row.label if both is None else both), (row.b, 1 - row.label if both is None else both)]
        for said, right in judged:
            if said is not None and right is not None and said.kind == "statement" and said.quotes:
                held = told(row.dialogue[-1].text, said.evidence, said.quotes)
                features = (0.0, *known(said.log_prob, said.hit_score, held, said.short), 0.0)
                found[row.answer_id, said.text] = Label(draft_of(row, said), features, right, row.conversation_id)
    return list(found.values())


def train_from_feedback(
    feedback: Path,
    start: Path,
    home: Path,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    corpus: Corpus | None = None,
) -> Path:
    """Goes on with the support judge in `start` and writes weights.safetensors, calibration.json, card.md and
    loss.png into `out`. Raises BadInput when people judged too few drafts."""
    labels = labels_of(read_feedback(feedback))
    right = sum(label.right == 1.0 for label in labels)
    if min(right, len(labels) - right) < LEAST:
        raise BadInput(
            f"{feedback} judges {right} drafts right and {len(labels) - right} wrong; each needs {LEAST}.",
            "Collect more votes and comparisons that may be used for training.",
        )
    reader = corpus or open_corpus(home, out / "work", [label.draft for label in labels], progress)
    begun, trained = load_network(start, reader.fingerprint, reader.layer)
    near = nearness(reader, [label.draft for label in labels]).tolist()
    labels = [replace(label, features=(*label.features[:-1], each)) for label, each in zip(labels, near, strict=True)]
    earlier = load_calibration(start / "calibration.json")
    held = crossed(labels, begun, reader, seed)
    network, curve = tuned(begun, labels, reader, seed, progress, out / "work" / "checkpoint.pt")
    logits = outputs_of(network, reader, [label.draft for label in labels])[:, 0]
    data = {feedback.name: file_sha256(feedback)}
    figures = figures_of(labels, outputs_of(begun, reader, [label.draft for label in labels])[:, 0], earlier, held)
    save_network(network, replace(trained, seed=seed, data=data, figures={"feedback": figures}), out)
    note = f"{len(labels)} drafts that people judged"
    save_calibration(fitted(labels, logits), out / "calibration.json", fitted_on=note)
    draw([Panel({"training": curve}, y="loss")], out / "loss.png")
    write_card(out, "Support judge, gone on with from feedback", TEXT, data, figures, LIMITS)
    return out


def tuned(
    begun: Interaction,
    labels: Sequence[Label],
    reader: Corpus,
    seed: int,
    progress: Progress | None = None,
    kept: Path | None = None,
) -> tuple[Interaction, list[tuple[int, float]]]:
    """A copy of the network that goes on with the labels, and its curve."""
    network = Interaction(begun.shape)
    network.load_state_dict(begun.state_dict())
    wanted = torch.tensor([label.right for label in labels])

    def loss(outputs: Tensor, rows: Sequence[int]) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], wanted[list(rows)])

    groups: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        groups.setdefault(label.group, []).append(place)
    drafts = [label.draft for label in labels]
    recipe = replace(RECIPE, seed=seed)
    return network, fit_network(
        network, reader, drafts, list(groups.values()), loss, recipe, progress=progress, kept=kept
    )


def rows_of(labels: Sequence[Label], logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64 [n, len(FEATURES)], with the network's logit at its place."""
    rows = np.array([label.features for label in labels], dtype=np.float64)
    rows[:, FEATURES.index("network")] = logits
    return rows


def fitted(labels: Sequence[Label], logits: NDArray[np.float32]) -> Calibration:
    """The sum that tells right drafts from wrong ones best."""
    return fit_calibration(rows_of(labels, logits), [label.right for label in labels])


def crossed(labels: Sequence[Label], begun: Interaction, reader: Corpus, seed: int) -> NDArray[np.float64]:
    """float64 [n]: the support of each draft by a judge that went on with the other conversations."""
    names = sorted({label.group for label in labels})
    random.Random(seed).shuffle(names)
    part = {name: place % PARTS for place, name in enumerate(names)}
    found = np.zeros(len(labels))
    for number in range(PARTS):
        away = [label for label in labels if part[label.group] != number]
        own = [place for place, label in enumerate(labels) if part[label.group] == number]
        network, _ = tuned(begun, away, reader, seed)
        near = fitted(away, outputs_of(network, reader, [label.draft for label in away])[:, 0])
        chosen = [labels[place] for place in own]
        logits = outputs_of(network, reader, [label.draft for label in chosen])[:, 0]
        found[own] = near.probabilities(rows_of(chosen, logits))
    return found


def figures_of(
    labels: Sequence[Label], logits: NDArray[np.float32], earlier: Calibration, held: NDArray[np.float64]
) -> list[list[str]]:
    """AUC of telling right drafts from wrong ones, before and after, on conversations that it did not learn from."""
    truths, groups = [label.right for label in labels], [label.group for label in labels]
    before = earlier.probabilities(rows_of(labels, logits))
    return [
        ["drafts", "before", "after, other conversations"],
        ["judged by people", str(auc_interval(before, truths, groups)), str(auc_interval(held, truths, groups))],
    ]


TEXT = """
Says whether quoted words answer a question. It went on from the judge before it with the drafts that people voted on
and compared: `passerine train support --feedback FILE`.
"""
LIMITS = """
It knows what people who gave feedback took for right, on the documents that they asked. Whether it may replace the
judge before it is for `passerine evaluate gate` to say.
"""
