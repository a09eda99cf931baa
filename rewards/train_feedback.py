"""Training of the support judge on what people said: `passerine train support --feedback FILE`.

It goes on from the live judge. A thumb says whether the answer that was shown is right, and "both good" or "both bad"
whether two drafts are. A comparison fills in what nobody said outright: the better draft counts as right, the other as
wrong, and one that was found both better and worse is left out. Then the judge's sum (its network's logit, the policy's
confidence, the retriever's score) is fitted on the same drafts.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
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
BOTH = {"both_good": 1.0, "both_bad": 0.0}
UNSUPPORTED = (None, "wrong", "quote_does_not_say_it", "off_topic")
"""Reasons of a thumb down that speak of support: what is out of date or rude may stand in the quote all the same."""


@dataclass(frozen=True, slots=True)
class Label:
    """A draft that people judged: 1 right, 0 wrong. `features` are those of the judge's sum, the network's and the
    nearness left at 0; `group` is the conversation, or the answer outside any."""

    draft: Draft
    features: tuple[float, ...]
    right: float
    group: str


def labels_of(rows: Iterable[Feedback]) -> list[Label]:
    """The drafts that people judge, each once. What was said outright counts, the last word of it; else what all
    comparisons say, where they agree. Only statements with quotes are labelled, since nothing else has support."""
    drafts: dict[tuple[str, str], tuple[Feedback, Said]] = {}
    outright: dict[tuple[str, str], float] = {}
    compared: dict[tuple[str, str], set[float]] = {}
    for row in rows:
        for said, right in judged(row):
            if said is not None and right is not None and said.kind == "statement" and said.quotes:
                draft = row.answer_id, said.text
                drafts.setdefault(draft, (row, said))
                if row.kind == "vote" or row.choice in BOTH:
                    outright[draft] = right
                else:
                    compared.setdefault(draft, set()).add(right)
    agreed = {draft: min(found) for draft, found in compared.items() if len(found) == 1}
    rights = agreed | outright
    return [labelled(*drafts[draft], rights[draft]) for draft in drafts if draft in rights]


def judged(row: Feedback) -> Iterator[tuple[Said | None, float | None]]:
    """The candidates of which a row says whether they are right."""
    if row.kind == "vote" and (row.label or row.reason in UNSUPPORTED):
        yield row.candidate, row.label
    elif row.kind == "pair" and row.label is not None:
        both = BOTH.get(row.choice or "")
        yield row.a, row.label if both is None else both
        yield row.b, 1 - row.label if both is None else both


def labelled(row: Feedback, said: Said, right: float) -> Label:
    """A candidate with what the judge's sum knows of it."""
    held = told(row.dialogue[-1].text, said.evidence, said.quotes)
    features = (0.0, *known(said.log_prob, said.hit_score, held, said.short), 0.0)
    return Label(draft_of(row, said), features, right, row.group)


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
    loss.png into `out`. Raises BadInput when people judged too few drafts, or in too few conversations."""
    labels = labels_of(read_feedback(feedback))
    right = sum(label.right == 1.0 for label in labels)
    if min(right, len(labels) - right) < LEAST:
        raise BadInput(
            f"{feedback} judges {right} drafts right and {len(labels) - right} wrong; each needs {LEAST}.",
            "Collect more votes and comparisons that may be used for training.",
        )
    parts = parts_of(labels, seed)
    reader = corpus or open_corpus(home, out / "work", [label.draft for label in labels], progress)
    begun, trained = load_network(start, reader.fingerprint, reader.layer)
    near = nearness(reader, [label.draft for label in labels]).tolist()
    labels = [replace(label, features=(*label.features[:-1], each)) for label, each in zip(labels, near, strict=True)]
    earlier = load_calibration(start / "calibration.json")
    held = crossed(labels, parts, begun, reader, seed)
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
    units = list(groups.values())
    return network, fit_network(network, reader, drafts, units, [wanted], loss, recipe, progress=progress, kept=kept)


def rows_of(labels: Sequence[Label], logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64 [n, len(FEATURES)], with the network's logit at its place."""
    rows = np.array([label.features for label in labels], dtype=np.float64)
    rows[:, FEATURES.index("network")] = logits
    return rows


def fitted(labels: Sequence[Label], logits: NDArray[np.float32]) -> Calibration:
    """The sum that tells right drafts from wrong ones best."""
    return fit_calibration(rows_of(labels, logits), [label.right for label in labels])


def parts_of(labels: Sequence[Label], seed: int) -> list[int]:
    """The part of each draft, whole conversations by lot: every part holds right drafts and wrong ones. Raises BadInput
    where too few conversations hold them."""
    groups: dict[str, list[float]] = {}
    for label in labels:
        groups.setdefault(label.group, []).append(label.right)
    right, wrong = sum(1.0 in own for own in groups.values()), sum(min(own) < 1.0 for own in groups.values())
    if min(right, wrong) < PARTS:
        raise BadInput(
            f"Conversations with a right draft: {right}, with a wrong one: {wrong}; there must be {PARTS} of each.",
            "What is learnt from some conversations is measured on the others: collect feedback in more of them.",
        )
    names = sorted(groups)
    random.Random(seed).shuffle(names)
    names.sort(key=lambda name: sum(groups[name]) / len(groups[name]))
    part = {name: place % PARTS for place, name in enumerate(names)}
    return [part[label.group] for label in labels]


def crossed(
    labels: Sequence[Label], parts: Sequence[int], begun: Interaction, reader: Corpus, seed: int
) -> NDArray[np.float64]:
    """float64 [n]: the support of each draft by a judge that went on with the other parts."""
    found = np.zeros(len(labels))
    for number in range(PARTS):
        away = [label for label, part in zip(labels, parts, strict=True) if part != number]
        own = [place for place, part in enumerate(parts) if part == number]
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
