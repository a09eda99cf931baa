"""Training of the support judge: `passerine train support --data FOLDER`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from indexing.types import Progress
from models import written
from models.curves import Panel, draw
from models.heads import file_sha256
from models.reader_rows import drawn
from rewards.corpus import Corpus
from rewards.drafted import drafted_examples
from rewards.interaction import Interaction, Shape, Trained, save_network
from rewards.measures import auc_interval, calibration_error, reliability
from rewards.network_fit import Recipe, fit_network, outputs_of
from rewards.support import FEATURES, Calibration, fit_calibration, save_calibration
from rewards.support_data import Example, held_out, support_examples
from rewards.training import CHANCE, TRUNK, checksums, open_corpus, write_card

FILES = (
    "qa/squad.train.jsonl.gz",
    "qa/drcd.train.jsonl.gz",
    "qa/cmrc.train.jsonl.gz",
    "qa/qamr.train.jsonl.gz",
    "support/begin-wow.train.jsonl.gz",
    "support/begin-cmu-dev.jsonl.gz",
    "support/begin-tc-dev.jsonl.gz",
)
RECIPE = Recipe(epochs=2, batch=64, rate=1.5e-3)
WEIGHT = {"unanswerable": 1.5, "right": 1.4}
"""A question that nothing answers is the hardest kind and the one that abstention is for."""


MOST_WRITTEN = 5_000
"""Training questions of what was written that the policy drafts answers to."""


def train_support(
    data: Path, home: Path, out: Path, seed: int = 0, progress: Progress | None = None, corpus: Corpus | None = None
) -> Path:
    """Train, measure, and write the judge with its card into `out`/support. Returns that folder."""
    files = checksums(data, FILES) | {name: file_sha256(path) for name, path in written.files().items()}
    drafted = own_drafts(data, home, out, progress)
    examples, test = ([*support_examples(data, split, seed), *own] for split, own in drafted.items())
    reader = corpus or open_corpus(home, out, [e.draft for e in (*examples, *test)], progress)
    train = [e for e in examples if not held_out(e.group)]
    dev = [e for e in examples if held_out(e.group)]
    network, curve = fit_support(reader, train, [e.label for e in train], seed, progress, kept=out / "support.pt")
    fewer = train[::CHANCE]
    mixed = shuffled([e.label for e in fewer], seed)
    chance, _ = fit_support(reader, fewer, mixed, seed, progress, 1, out / "support-shuffled.pt")
    calibration = calibrated(network, reader, dev)
    folder = out / "support"
    figures = support_figures(network, chance, calibration, reader, test)
    layer = reader.layer
    trained = Trained("support", reader.fingerprint, layer, network.shape, seed, {}, files, {"test": figures})
    save_network(network, trained, folder)
    save_network(chance, trained, out / "shuffled" / "support")
    save_calibration(calibration, folder / "calibration.json", fitted_on="development articles of the reading sets")
    draw([Panel({"training": curve}, y="loss")], out / "support-loss.png")
    shares = calibration.probabilities(rows_of_logits(outputs_of(network, reader, [e.draft for e in test])[:, 0]))
    points = [(p, y) for p, y, _ in reliability(shares, [e.label for e in test])]
    exact = [(0.0, 0.0), (1.0, 1.0)]
    draw([Panel({"test": points, "exact": exact}, "said", "was right")], out / "support-reliability.png")
    write_card(folder, "Support judge", TEXT, files, figures, LIMITS)
    return folder


def own_drafts(data: Path, home: Path, out: Path, progress: Progress | None) -> dict[str, list[Example]]:
    """The drafts of the bundled reader for "train" and "test", kept under `out` by its checksum."""
    from models.reader import BUNDLED, Reader
    from models.trunk import Trunk
    from models.weights import model_folder

    reader, name = Reader.load(Trunk.load(model_folder(home, TRUNK))), file_sha256(BUNDLED / "weights.safetensors")[:12]
    return {
        split: drafted_examples(data, split, reader, out / f"drafts-{split}-{name}.jsonl", progress, own)
        for split, own in (
            ("train", drawn(written.written_rows(), MOST_WRITTEN)),
            ("test", written.written_rows(held_out=True)),
        )
    }


def shuffled(labels: Sequence[float], seed: int) -> list[float]:
    """The labels in another order: what a head learns from them is chance."""
    return [labels[i] for i in np.random.default_rng(seed).permutation(len(labels))]


def fit_support(
    reader: Corpus,
    examples: Sequence[Example],
    labels: Sequence[float],
    seed: int,
    progress: Progress | None,
    epochs: int = RECIPE.epochs,
    kept: Path | None = None,
) -> tuple[Interaction, list[tuple[int, float]]]:
    """A network that tells right drafts from wrong ones, and its curve."""
    torch.manual_seed(seed)
    network = Interaction(Shape())
    wanted = torch.tensor(labels)
    weights = torch.tensor([WEIGHT.get(e.kind, 1.0) for e in examples])

    def loss(outputs: Tensor, rows: Sequence[int]) -> Tensor:
        at = list(rows)
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], wanted[at], weights[at])

    recipe = Recipe(epochs, RECIPE.batch, RECIPE.rate, seed=seed)
    units = [[i] for i in range(len(examples))]
    drafts, labelled = [e.draft for e in examples], [wanted, weights]
    curve = fit_network(network, reader, drafts, units, labelled, loss, recipe, progress=progress, kept=kept)
    return network, curve


def rows_of_logits(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows of FEATURES in which the network alone speaks."""
    rows = np.zeros((len(logits), len(FEATURES)))
    rows[:, FEATURES.index("network")] = logits
    return rows


def calibrated(network: Interaction, reader: Corpus, dev: Sequence[Example]) -> Calibration:
    """The logistic sum with the network alone; what the policy knows is fitted later, on real answers."""
    logits = outputs_of(network, reader, [e.draft for e in dev])[:, 0]
    return fit_calibration(rows_of_logits(logits), [e.label for e in dev], used=("network",))


def support_figures(
    network: Interaction, chance: Interaction, calibration: Calibration, reader: Corpus, test: Sequence[Example]
) -> list[list[str]]:
    """AUC per test set and per kind of wrong draft, beside a head trained on shuffled labels and the longer text."""
    drafts = [e.draft for e in test]
    said, by_chance = outputs_of(network, reader, drafts)[:, 0], outputs_of(chance, reader, drafts)[:, 0]
    lengths = np.asarray([float(len(d.answer)) for d in drafts])
    labels, groups = np.asarray([e.label for e in test]), [e.group for e in test]
    rows = [["test set", "AUC", "shuffled labels", "longer text", "calibration error"]]
    sources = sorted({e.source for e in test})
    kinds = [(s, k) for s in sources for k in sorted({e.kind for e in test if e.source == s and e.label == 0.0})]
    for source, kind in [*((s, "") for s in sources), *kinds]:
        at = [i for i, e in enumerate(test) if e.source == source and (not kind or e.label == 1.0 or e.kind == kind)]
        own = [groups[i] for i in at]
        cells = [str(auc_interval(values[at], labels[at], own)) for values in (said, by_chance, lengths)]
        error = calibration_error(calibration.probabilities(rows_of_logits(said[at])), labels[at])
        rows.append([f"{source} {kind}".strip(), *cells, "" if kind else f"{error:.3f}"])
    return rows


TEXT = """
Says whether quoted words answer a question: 1 for a quote that holds the answer, 0 for another sentence of the same
passage, for the likeliest sentence elsewhere, for a wrong bare answer, and for a question that the passage does not
answer. So it learns from what the extractive policy itself drafts (the rows "drafted"): three drafts from the passage
that a question was asked of and two from others like it, 1 where the quote holds an answer and the bare answer says it.
Beside a statement that a policy wrote itself, the quote is its evidence: 1 for the quote said again, 0 with a
number, month or name exchanged, a "not" put in or taken out, beside another quote, and for words that evade the
question (the rows "said"). A small attention network over frozen token states of multilingual-e5-small; its logit is
one input of a logistic sum with the policy's own confidence and the retriever's score (calibration.json).
Train it again: `passerine train support --data FOLDER`; the drafts take three quarters of an hour on two cores, and are
kept.
"""
LIMITS = """
It sees one or two sentences and a title, not the passage: a pronoun that the passage would explain is a riddle to it.
Questions of the SQuAD 2.0 kind that differ from the text by one word fool it often (the row `squad unanswerable`);
there the reader's own confidence helps more. Chinese data has no unanswerable questions, only wrong sentences.
BEGIN's texts are chat: the judgement of paraphrases rests on about 2,500 English replies, and altered statements are
copies but for the altered word: a paraphrase that errs by a word is harder than these rows say.
"""
