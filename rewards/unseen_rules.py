"""How the rule judge does on a rule that it has never seen broken: one rule is left out, the others are learnt, and the
lines written for it are judged by its text and examples alone (leave one out, as Glaese et al. 2022 ask of a
rule-conditional judge)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from indexing.types import Progress
from models.measures import auc
from rewards.corpus import Corpus
from rewards.measures import balanced_accuracy
from rewards.rule_data import RuleExample
from rewards.rule_judge import RuleVectors, rule_vectors
from rewards.train_rules import (
    FILES,
    WRITTEN,
    best_thresholds,
    every_example,
    fit_rules,
    label_table,
    probabilities,
    rows_of,
    rule_drafts,
)
from rewards.training import checksums, open_corpus, write_card

TEXT = """
Of each rule in turn nothing is learnt: neither what breaks it nor what was written about it. The network that learnt
the other rules, from the lines written by hand and every tenth of the others, in three epochs, judges the lines written
for it by its text and examples. The threshold is the best one for the other rules' development lines.
Measure it again: `passerine train unseen-rules --data FOLDER`.
"""
LIMITS = """
The rules lean on one another ("no insults", "no hate"), so that a rule unlike all others does worse than the mean.
"""
EACH = 10
"""Of the lines that were not written by hand every tenth is learnt from: two and twenty networks are fitted."""
EPOCHS = 3


def measure_unseen(
    data: Path, home: Path, out: Path, seed: int = 0, progress: Progress | None = None, corpus: Corpus | None = None
) -> Path:
    """Leave out each rule once and write card.md into `out`/unseen-rules; no model comes of it."""
    files = checksums(data, FILES)
    examples, judged = every_example(data, seed)
    reader = corpus or open_corpus(home, out, [*(e.draft for e in examples), *rule_drafts(judged)], progress)
    parts = {part: [e for e in examples if e.part == part] for part in ("train", "dev", "test")}
    folder = out / "unseen-rules"
    folder.mkdir(parents=True, exist_ok=True)
    vectors = rule_vectors(reader, judged)
    rows = unseen_figures(reader, parts["train"], parts["dev"], parts["test"], vectors, seed, folder, progress)
    head = ["rule left out", "figure", "judge"]
    write_card(folder, "The rule judge on rules that it has not learnt", TEXT, files, [head, *rows], LIMITS)
    return folder


def unseen_figures(
    reader: Corpus,
    train: Sequence[RuleExample],
    dev: Sequence[RuleExample],
    test: Sequence[RuleExample],
    vectors: RuleVectors,
    seed: int,
    out: Path,
    progress: Progress | None = None,
) -> list[list[str]]:
    """A row a rule and their mean: balanced accuracy at the threshold that is best on the development lines of the
    other rules, and AUC.

    The networks are kept under `out`, so that a killed run goes on.
    """
    rows, means = [], []
    for number, rule in enumerate(vectors.ids):
        left = thinned(without(train, rule))
        targets = label_table(left, vectors.ids)
        network, _ = fit_rules(reader, left, targets, vectors, seed, None, EPOCHS, out / f"unseen-{rule}.pt")
        own = [e for e in test if e.source == WRITTEN + rule]
        _, labels = rows_of(own, WRITTEN + rule, "")
        said = probabilities(network, reader, own, vectors)[:, number]
        known = [e for e in dev if e.source.startswith(WRITTEN) and e.source != WRITTEN + rule]
        threshold = best_thresholds(probabilities(network, reader, known, vectors), known, vectors.ids)[rule]
        right, area = balanced_accuracy(said, labels, threshold), auc(said, labels)
        rows.append([f"unseen {rule}", f"balanced accuracy; AUC {area:.3f}", f"{right:.3f} (n={len(own)})"])
        means.append((right, area))
        if progress is not None:
            progress("rules left out", number + 1, len(vectors.ids))
    right, area = np.mean(means, axis=0)
    return [*rows, ["unseen, all rules", f"mean balanced accuracy; mean AUC {area:.3f}", f"{right:.3f}"]]


def thinned(examples: Sequence[RuleExample]) -> list[RuleExample]:
    """All lines written by hand, and every tenth of the others."""
    by_hand = [e for e in examples if e.source.startswith(WRITTEN)]
    return [*by_hand, *[e for e in examples if not e.source.startswith(WRITTEN)][::EACH]]


def without(examples: Sequence[RuleExample], rule: str) -> list[RuleExample]:
    """The examples as they are when nobody has thought of a rule: those that break it are gone, and so are the lines
    written about it; of the others nothing is known in its regard."""
    kept = [e for e in examples if e.labels.get(rule, 1.0) >= 0.5 and e.source != WRITTEN + rule]
    return [replace(e, labels={name: label for name, label in e.labels.items() if name != rule}) for e in kept]
