"""Training of the preference judge: `passerine train preference --data FOLDER`."""

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from indexing.types import Progress
from models.curves import Panel, draw
from rewards.corpus import Corpus
from rewards.interaction import Interaction, Shape, Trained, save_network
from rewards.measures import mean_interval, pair_hits
from rewards.network_fit import Recipe, fit_network, outputs_of
from rewards.preference_data import Ranking, built_rankings, human_rankings
from rewards.support_data import held_out, support_examples
from rewards.training import CHANCE, checksums, open_corpus, write_card

FILES = (
    "preference/hh-harmless.train.jsonl.gz",
    "preference/qa-feedback.train.jsonl.gz",
    "preference/oasst-zh.train.jsonl.gz",
    "qa/squad.train.jsonl.gz",
    "qa/drcd.train.jsonl.gz",
    "qa/cmrc.train.jsonl.gz",
    "qa/qamr.train.jsonl.gz",
)
BUILT = 5500
"""Prompts of reading data: as many as keep the human comparisons in the majority of what a step sees."""
RECIPE = Recipe(epochs=2, batch=64, rate=1e-3)


def train_preference(
    data: Path, home: Path, out: Path, seed: int = 0, progress: Progress | None = None, corpus: Corpus | None = None
) -> Path:
    """Train, measure, and write the judge with its card into `out`/preference. Returns that folder."""
    files = checksums(data, FILES)
    built = list(built_rankings(support_examples(data, "train", seed), seed))
    random.Random(seed).shuffle(built)
    every = [*human_rankings(data, "train"), *built[:BUILT]]
    test = [*human_rankings(data, "test"), *built_rankings(support_examples(data, "test", seed), seed)]
    reader = corpus or open_corpus(home, out, [d for r in (*every, *test) for d in r.drafts], progress)
    train, dev = [r for r in every if not held_out(r.group)], [r for r in every if held_out(r.group)]
    network, curve = fit_preference(reader, train, seed, progress, kept=out / "preference.pt")
    chance, _ = fit_preference(reader, mixed(train[::CHANCE], seed), seed, progress, 1, out / "preference-shuffled.pt")
    folder = out / "preference"
    figures = preference_figures(network, chance, reader, test)
    numbers = centre(network, reader, dev)
    layer = reader.layer
    trained = Trained("preference", reader.fingerprint, layer, network.shape, seed, numbers, files, {"test": figures})
    save_network(network, trained, folder)
    save_network(chance, trained, out / "shuffled" / "preference")
    draw([Panel({"training": curve}, y="loss")], out / "preference-loss.png")
    write_card(folder, "Preference judge", TEXT, files, figures, LIMITS)
    return folder


def mixed(rankings: Sequence[Ranking], seed: int) -> list[Ranking]:
    """The same drafts with each pair's order drawn by lot."""
    random_ = random.Random(seed)
    made = []
    for r in rankings:
        pairs = tuple((i, j, share) if random_.random() < 0.5 else (j, i, share) for i, j, share in r.pairs)
        made.append(Ranking(r.drafts, pairs, r.group, r.source, r.demonstration))
    return made


def fit_preference(
    reader: Corpus,
    rankings: Sequence[Ranking],
    seed: int,
    progress: Progress | None,
    epochs: int = RECIPE.epochs,
    kept: Path | None = None,
) -> tuple[Interaction, list[tuple[int, float]]]:
    """A reward network, and its curve. All pairs of a prompt are in one batch, and a prompt counts once."""
    drafts = [draft for r in rankings for draft in r.drafts]
    starts = np.cumsum([0, *(len(r.drafts) for r in rankings)]).tolist()
    units = [list(range(a, b)) for a, b in itertools.pairwise(starts)]
    owner = {i: u for u, unit in enumerate(units) for i in unit}
    torch.manual_seed(seed)
    network = Interaction(Shape(width=64, inner=128))

    def loss(outputs: Tensor, rows: Sequence[int]) -> Tensor:
        place = {row: i for i, row in enumerate(rows)}
        prompts = list(dict.fromkeys(owner[row] for row in rows))
        left, right, shares, weights = [], [], [], []
        for u in prompts:
            for i, j, share in rankings[u].pairs:
                left.append(place[starts[u] + i])
                right.append(place[starts[u] + j])
                shares.append(share)
                weights.append(1.0 / len(rankings[u].pairs) / len(prompts))
        gap = outputs[left, 0] - outputs[right, 0]
        each = functional.binary_cross_entropy_with_logits(gap, torch.tensor(shares), reduction="none")
        return (each * torch.tensor(weights)).sum()

    recipe = Recipe(epochs, RECIPE.batch, RECIPE.rate, seed=seed)
    pairs = torch.tensor(
        [(a + i, a + j, share) for a, r in zip(starts[:-1], rankings, strict=True) for i, j, share in r.pairs]
    )
    return network, fit_network(network, reader, drafts, units, [pairs], loss, recipe, progress=progress, kept=kept)


def centre(network: Interaction, reader: Corpus, dev: Sequence[Ranking]) -> dict[str, float]:
    """`shift`, the mean reward of demonstrations on development data, which becomes 0; and `r_avg`, the mean of all
    drafts after that shift."""
    scores = outputs_of(network, reader, [draft for r in dev for draft in r.drafts])[:, 0]
    found = np.split(scores, np.cumsum([len(r.drafts) for r in dev])[:-1])
    best = [rows[r.demonstration] for rows, r in zip(found, dev, strict=True) if r.demonstration is not None]
    shift = float(np.mean(best))
    return {"shift": shift, "r_avg": float(np.mean([rows.mean() for rows in found])) - shift}


def preference_figures(
    network: Interaction, chance: Interaction, reader: Corpus, test: Sequence[Ranking]
) -> list[list[str]]:
    """Pair accuracy per test set beside shuffled labels and the longer text, and the difference to the better."""
    drafts = [draft for r in test for draft in r.drafts]
    starts = np.cumsum([0, *(len(r.drafts) for r in test)])
    scores = [outputs_of(net, reader, drafts)[:, 0].astype(np.float64) for net in (network, chance)]
    scores.append(np.asarray([float(len(draft.answer)) for draft in drafts]))
    rows = [["test set", "pair accuracy", "shuffled labels", "longer text", "minus shuffled", "minus longer text"]]
    names = sorted({r.source for r in test})
    parts = {name: [name] for name in names}
    parts["all built"] = [name for name in names if name.startswith("built")]
    parts["all human"] = [name for name in names if name not in parts["all built"]]
    for title, sources in parts.items():
        found = [
            (starts[u] + i, starts[u] + j, share, r.group)
            for u, r in enumerate(test)
            if r.source in sources
            for i, j, share in r.pairs
            if share != 0.5
        ]
        left, right, shares, groups = (list(column) for column in zip(*found, strict=True))
        hits = [pair_hits(values[left], values[right], shares) for values in scores]
        gains = (hits[0] - hits[1], hits[0] - hits[2])
        rows.append([title, *(str(mean_interval(values, groups)) for values in (*hits, *gains))])
    return rows


TEXT = """
The reward r(dialogue, quote, candidate): how much people would rather have an answer. Trained on all pairs of a prompt
in one batch with loss -1/C(K,2) * sum log sigmoid(r_w - r_l) (Ouyang et al. 2022), ties as one half, and shifted so
that demonstrations of the development data average 0. Human comparisons, and pairs built from reading data: the
sentence that answers a question before one that does not, and a statement that its quote bears out before the same with
a number, name or "not" changed, beside another quote, or evading the question (the rows "said"). A small attention
network over frozen token states of multilingual-e5-small. Train it again: `passerine train preference --data FOLDER`.
"""
LIMITS = """
It reads 96 tokens of a candidate and the last user turn. Human comparisons are few (about 4,600 pairs of 2,900
prompts), most about harmlessness or about answers from evidence. The human rows are weak and are shown as they are: on
oasst-zh and PandaLM, whose judges liked long answers, "the longer text" does better; on qa-feedback, where both answers
come from the same evidence, it is a little better than chance. What carries the selection is the part that it is sure
of: an answer before words that do not answer, and a supported statement before one that its quote does not bear out.
"""
