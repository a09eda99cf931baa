"""Training of the judges for evaluation only: `passerine train second-judges --data FOLDER`.

What was tuned against a judge is never reported by that judge alone. These read through another trunk, the English
all-MiniLM-L6-v2, and learn from what neither the product's judges nor its policies learnt from: the development
articles, dialogues and lines.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.types import Progress
from models.fit import fold
from models.quotes import CHINESE
from rewards import train_preference, train_rules, train_support
from rewards.interaction import Interaction, Trained, save_network
from rewards.measures import auc_interval
from rewards.preference_data import built_rankings, human_rankings
from rewards.readings import Draft
from rewards.rule_data import RuleExample, rule_examples
from rewards.rule_judge import rule_vectors
from rewards.rules import PROGRAMS, load_rules
from rewards.support import save_calibration
from rewards.support_data import held_out, support_examples
from rewards.train_preference import centre, fit_preference, preference_figures
from rewards.train_rules import fit_rules, label_table, probabilities, quotes, rule_drafts
from rewards.train_support import calibrated, fit_support, shuffled, support_figures
from rewards.training import checksums, open_corpus, write_card

TRUNK, LAYER = "all-minilm-l6-v2", 6
EPOCHS = {"preference": 4, "support": 4, "rules": 8}
"""More than the product's judges take: there is a quarter of their data."""


def train_second_judges(data: Path, home: Path, out: Path, seed: int = 0, progress: Progress | None = None) -> Path:
    """Train, measure, and write the three judges with their cards into `out`. Returns that folder."""
    files = checksums(data, sorted({*train_preference.FILES, *train_support.FILES, *train_rules.FILES}))
    book = [rule for rule in load_rules() if rule.id not in PROGRAMS]
    examples = [one for one in support_examples(data, "train", seed) if held_out(one.group) and english(one.draft)]
    said = [one for one in support_examples(data, "test", seed) if english(one.draft)]
    rankings = [one for one in human_rankings(data, "train") if held_out(one.group)]
    rankings = [one for one in [*rankings, *built_rankings(examples, seed)] if all(map(english, one.drafts))]
    ranked = [*human_rankings(data, "test"), *built_rankings(said, seed)]
    ranked = [one for one in ranked if all(map(english, one.drafts))]
    lines = [one for one in [*rule_examples(data, book, seed), *quotes(data, "train", seed)] if one.lang == "en"]
    kept = [one for one in lines if one.part == "dev"]
    broken = [one for one in lines if one.part == "test"]
    drafts = [one.draft for one in (*examples, *said)] + [one.draft for one in (*kept, *broken)]
    drafts += [draft for one in (*rankings, *ranked) for draft in one.drafts]
    reader = open_corpus(home, out, [*drafts, *rule_drafts(book)], progress, TRUNK, LAYER)

    def save(name: str, network: Interaction, numbers: dict[str, float], figures: list[list[str]], text: str) -> Path:
        trained = Trained(name, reader.fingerprint, LAYER, network.shape, seed, numbers, files, {"test": figures})
        save_network(network, trained, out / name)
        write_card(out / name, f"Second {name} judge", text + ONLY, files, figures, LIMITS)
        return out / name

    network, _ = fit_preference(reader, rankings, seed, progress, EPOCHS["preference"], out / "preference.pt")
    chance, _ = fit_preference(reader, train_preference.mixed(rankings, seed), seed, progress, 1)
    figures = preference_figures(network, chance, reader, ranked)
    save("preference", network, centre(network, reader, rankings), figures, PREFERENCE)

    fitted = [one for one in examples if fold(one.draft.question) != 0]
    network, _ = fit_support(
        reader, fitted, [one.label for one in fitted], seed, progress, EPOCHS["support"], out / "support.pt"
    )
    chance, _ = fit_support(reader, fitted, shuffled([one.label for one in fitted], seed), seed, progress, 1)
    calibration = calibrated(network, reader, [one for one in examples if fold(one.draft.question) == 0])
    figures = support_figures(network, chance, calibration, reader, said)
    folder = save("support", network, {}, figures, SUPPORT)
    save_calibration(calibration, folder / "calibration.json", fitted_on="a fifth of its questions, by hash")

    vectors = rule_vectors(reader, book)
    targets = label_table(kept, vectors.ids)
    network, _ = fit_rules(reader, kept, targets, vectors, seed, progress, EPOCHS["rules"], out / "rules.pt")
    chance, _ = fit_rules(reader, kept, np.random.default_rng(seed).permutation(targets), vectors, seed, progress, 1)
    tables = [probabilities(one, reader, broken, vectors) for one in (network, chance)]
    save("rules", network, {}, rule_rows(tables[0], tables[1], broken, vectors.ids), RULES)
    return out


def rule_rows(
    said: NDArray[np.float64], by_chance: NDArray[np.float64], test: Sequence[RuleExample], ids: Sequence[str]
) -> list[list[str]]:
    """AUC of each rule on the lines written about it and on quotes, which keep it; and the mean of the rules.

    `said` and `by_chance` are the probabilities [test, ids] of the judge and of one on shuffled labels.
    """
    rows = [["rule", "AUC", "shuffled labels"]]
    values = []
    for column, rule in enumerate(ids):
        at = [i for i, one in enumerate(test) if rule in one.labels]
        labels = [test[i].labels[rule] for i in at]
        if len(set(labels)) == 2:
            groups = [test[i].group for i in at]
            cells = [auc_interval(table[at, column], labels, groups) for table in (said, by_chance)]
            values.append(cells[0].value)
            rows.append([rule, *map(str, cells)])
    rows.append(["mean", f"{np.mean(values):.3f}", ""])
    return rows


def english(draft: Draft) -> bool:
    """Whether the trunk can read it."""
    return not CHINESE.search(f"{draft.question} {draft.answer}")


PREFERENCE = """
The reward r(dialogue, quote, candidate), learnt from human comparisons and from pairs built from reading data as the
product's judge does.
"""
SUPPORT = """
Says whether quoted words answer a question and bear out a statement, learnt from reading data and BEGIN as the
product's judge does.
"""
RULES = """
Says for each rule the probability that an answer keeps it, conditioned on the rule's text.
"""
ONLY = """
It only evaluates: it reads through all-MiniLM-L6-v2, in English, and learnt from the development part of the data
alone, a fifth by hash, so that a model that was tuned against the product's judge can be measured by another one.
"""
LIMITS = """
English only. Less data than the product's judges had, and less exact than they are: it tells whether a change is real,
not which of two answers is right.
"""
