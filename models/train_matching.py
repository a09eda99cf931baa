"""Trains the two small heads beside the plan: meaning the same as a known phrase, and having several readings."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from indexing.types import Document, Encoder, Hit, Passage, Progress
from models.ambiguity import FACTS, facts
from models.approved import BUNDLED as APPROVED
from models.approved import read_approved
from models.fit import Recipe, best_threshold, binary_loss, f_measure, fit, fold, threshold_curve
from models.heads import Floats, Head, HeadConfig, file_sha256
from models.json_lines import read_lines
from models.phrases import FEATURES, Phrase, Phrases, names_another
from models.readings import readings
from models.rewrite import rewrite
from models.talk import BUNDLED as TALK
from models.talk import Entry, read_entries
from models.train_plan import draw, figure
from models.types import Conversation, Turn

EXAMPLES = Path(__file__).parent / "examples"
PHRASES = EXAMPLES / "phrases.jsonl"
SEARCH = EXAMPLES / "search-decision.jsonl"
AMBIGUITY = EXAMPLES / "ambiguity.jsonl"
TINY = Recipe(hidden=(), epochs=400, batch=10_000, rate=3e-2, decay=1e-2)
"""A linear head on a handful of facts: one batch, as a logistic regression."""
FOLDS = 5
BETA = 0.5
"""A known phrase that is missed is searched or said to be unknown; one that is matched wrongly hides the documents."""


def train_phrases(
    home: Path, out: Path, kind: Literal["talk", "approved"], seed: int = 0, progress: Progress | None = None
) -> Head:
    """Fits P(the turn means the nearest known phrase) for small talk or approved answers and writes it into `out`.

    Two fifths of our labelled wordings, by hash, are kept for the card; the rest fits head and threshold.
    """
    from models.encoder import load_encoder

    encoder = load_encoder("multilingual-e5-small", home)
    source = TALK if kind == "talk" else APPROVED
    config = HeadConfig(
        kind,
        encoder.fingerprint,
        seed,
        ("match",),
        {f"bundled/{source.name}": file_sha256(source)}
        | {f"examples/{path.name}": file_sha256(path) for path in (PHRASES, SEARCH)},
        notes={"inputs": ", ".join(FEATURES)},
    )
    entries = read_entries(TALK) if kind == "talk" else read_approved(APPROVED)
    features, labels, texts = phrase_rows(entries, encoder, config, progress)
    tested = np.array([fold(text) < 2 for text in texts])
    recipe = replace(TINY, seed=seed)
    head = fit(features[~tested], binary_loss(labels[~tested]), config, recipe)
    said = crossed(features[~tested], labels[~tested], texts_of(texts, ~tested), config, recipe)
    curve = threshold_curve(said, labels[~tested])
    by_precision = [[row[0], f_measure(row, BETA)] for row in curve]
    config = replace(config, thresholds={"match": best_threshold(by_precision)}, curves={"match": curve})
    head = Head(config, head.layers)
    head.save(out, bits=32)
    luck = fit(features[~tested], binary_loss(shuffled(labels[~tested], seed)), config, recipe)
    table = phrase_table(head, luck, features[tested], labels[tested])
    card(out, "Meaning of a known phrase", PHRASE_CARD, table)
    draw(out / "curve.png", curve, config.thresholds["match"])
    return head


def phrase_rows(
    entries: Sequence[Entry], encoder: Encoder, config: HeadConfig, progress: Progress | None
) -> tuple[Floats, Floats, list[str]]:
    """Features, labels and texts: every wording beside its nearest phrase, less those that a name decides."""
    unfitted = Head(config, ((np.zeros((1, len(FEATURES)), np.float32), np.zeros(1, np.float32)),))
    known = [Phrase(entry.id, text) for entry in entries for group in entry.phrases.values() for text in group]
    phrases = Phrases(encoder, known, unfitted)
    wordings = [(row["text"], row["entry"]) for row in read_lines(PHRASES)]
    wordings += [(row["text"], "") for row in read_lines(SEARCH) if row["search"]]
    vectors = encoder.encode_queries([text for text, _ in wordings])
    made: list[Floats] = []
    labels: list[float] = []
    texts: list[str] = []
    for number, ((text, entry), vector) in enumerate(zip(wordings, vectors, strict=True)):
        phrase, row = phrases.nearest(text, vector)
        if names_another(text, phrase.text):
            continue
        made.append(row)
        labels.append(float(phrase.entry == entry))
        texts.append(text)
        if progress is not None and number % 100 == 0:
            progress("match", number, len(wordings))
    return np.stack(made), np.array(labels, dtype=np.float32), texts


def texts_of(texts: Sequence[str], mask: Any) -> list[str]:
    """The texts that a mask keeps."""
    return [text for text, kept in zip(texts, mask, strict=True) if kept]


def crossed(features: Floats, labels: Floats, groups: Sequence[str], config: HeadConfig, recipe: Recipe) -> Floats:
    """Probabilities of rows by heads that were fitted without their group: what a threshold may be chosen on."""
    numbers = np.array([fold("cross " + group, FOLDS) for group in groups])
    said = np.zeros(len(labels), dtype=np.float32)
    for number in range(FOLDS):
        out = numbers == number
        if out.any():
            head = fit(features[~out], binary_loss(labels[~out]), config, recipe)
            said[out] = head.probabilities(features[out])[:, 0]
    return said


def shuffled(labels: Floats, seed: int) -> Floats:
    """The labels in another order."""
    return np.asarray(np.random.default_rng(seed).permutation(labels), dtype=np.float32)


def train_ambiguity(
    data: Path, home: Path, out: Path, seed: int = 0, progress: Progress | None = None, test: Path | None = None
) -> Head:
    """Fits P(the question has several readings) and writes it into `out`.

    Beside our own development questions it sees plain ones of the reading data with the titles that come near them,
    so that a shared common word alone does not make a question ambiguous. `test` adds test figures to the card.
    """
    from models.encoder import load_encoder

    encoder = load_encoder("multilingual-e5-small", home)
    rows = read_lines(AMBIGUITY)
    plain = plain_rows(data, seed)
    config = HeadConfig(
        "ambiguity",
        encoder.fingerprint,
        seed,
        ("ambiguous",),
        {"examples/ambiguity.jsonl": file_sha256(AMBIGUITY)}
        | {f"qa/{name}": file_sha256(data / "qa" / name) for name in READING},
        notes={"inputs": ", ".join(FACTS)},
    )
    own, labels = ambiguity_rows(rows, encoder)
    others, _ = ambiguity_rows(plain, encoder)
    if progress is not None:
        progress("facts", len(rows) + len(plain), len(rows) + len(plain))
    features = np.concatenate([own, others])
    wanted = np.concatenate([labels, np.zeros(len(others), np.float32)])
    # The reading questions count together half as much as ours: they guard, they do not lead.
    weight = np.concatenate([np.ones(len(own)), np.full(len(others), len(own) / 2 / len(others))]).astype(np.float32)
    recipe = replace(TINY, seed=seed)
    head = fit(features, binary_loss(wanted, weight), config, recipe)
    groups = [row["documents"][0]["title"] if row["documents"] else row["id"] for row in rows]
    curve = threshold_curve(crossed(own, labels, groups, config, recipe), labels)
    config = replace(config, thresholds={"ambiguous": best_threshold(curve)}, curves={"ambiguous": curve})
    head = Head(config, head.layers)
    head.save(out, bits=32)
    luck = fit(features, binary_loss(shuffled(wanted, seed), weight), config, recipe)
    if test is not None:
        table = ambiguity_table(read_lines(test), encoder, head, luck, rows)
        alarm = (head.probabilities(others)[:, 0] >= config.thresholds["ambiguous"]).astype(np.float32)
        table += ["", f"Plain reading questions taken for ambiguous: {figure(alarm)} per cent of {len(others)}."]
        card(out, "Several readings", AMBIGUITY_CARD, table)
    draw(out / "curve.png", curve, config.thresholds["ambiguous"])
    return head


READING = ("squad.train.jsonl.gz", "drcd.train.jsonl.gz")


def plain_rows(data: Path, seed: int, each: int = 60, near: int = 2) -> list[dict[str, Any]]:
    """Questions of the reading data with their passage and the passages of the titles that share most words."""
    from models.words import units

    random = np.random.default_rng(seed)
    made = []
    for name in READING:
        rows = read_lines(data / "qa" / name)
        passages = {(row["title"], row["context"]) for row in rows}
        shelf = [(title, text, set(units(f"{title} {text}"))) for title, text in sorted(passages)]
        for number in random.choice(len(rows), each, replace=False):
            row = rows[int(number)]
            said = set(units(row["question"]))
            ranked = sorted(shelf, key=lambda item: -len(said & item[2]))[:near]
            documents = [{"title": row["title"], "text": row["context"]}]
            documents += [{"title": t, "text": x} for t, x, _ in ranked if x != row["context"]]
            made.append({"history": [], "question": row["question"], "ambiguous": False, "documents": documents})
    return made


def ambiguity_rows(rows: Sequence[dict[str, Any]], encoder: Encoder) -> tuple[Floats, Floats]:
    """The facts and labels of rows."""
    made = []
    for row in rows:
        conversation = conversation_of(row)
        done = rewrite(conversation)
        made.append(facts(done, readings(done.text, hits_of(row, done.text, encoder))))
    return np.stack(made), np.array([row["ambiguous"] for row in rows], dtype=np.float32)


def conversation_of(row: dict[str, Any]) -> Conversation:
    """The turns of a row: its history alternates and ends with Passerine."""
    texts = [*row["history"], row["question"]]
    turns = [Turn("user" if (len(texts) - number) % 2 else "assistant", text) for number, text in enumerate(texts)]
    return Conversation(tuple(turns))


def hits_of(row: dict[str, Any], question: str, encoder: Encoder) -> list[Hit]:
    """The row's documents as hits for its question, best first by cosine."""
    documents = row["documents"]
    if not documents:
        return []
    asked = encoder.encode_queries([question])[0]
    cosines = encoder.encode_passages([document["text"] for document in documents]) @ asked
    made = []
    for number, (document, cosine) in enumerate(zip(documents, cosines, strict=True)):
        whole = Document(f"d{number}", "", document["title"], document["text"])
        passage = Passage(f"p{number}", whole.id, 0, 0, len(whole.text), whole.text)
        made.append(Hit(passage, whole, max(0.0, float(cosine)), None, float(cosine)))
    return sorted(made, key=lambda hit: -hit.score)


def ambiguity_table(
    rows: Sequence[dict[str, Any]], encoder: Encoder, head: Head, luck: Head, development: Sequence[dict[str, Any]]
) -> list[str]:
    """Test figures: accuracy with intervals beside both baselines, and F1."""
    features, labels = ambiguity_rows(rows, encoder)
    threshold = head.config.thresholds["ambiguous"]
    said = head.probabilities(features)[:, 0] >= threshold
    guessed = luck.probabilities(features)[:, 0] >= threshold
    lengths = np.array([len(row["question"]) for row in rows])
    best = max(range(1, 80), key=lambda size: sum((len(r["question"]) < size) == r["ambiguous"] for r in development))
    three = [np.asarray(one == (labels > 0.5), dtype=np.float32) for one in (said, guessed, lengths < best)]
    lines = ["| part | questions | head | shuffled | shorter is ambiguous |", "|---|---|---|---|---|"]
    for name in ("all", "en", "zh"):
        chosen = np.array([name in ("all", row["lang"]) for row in rows])
        lines.append(f"| {name} | {chosen.sum()} | {' | '.join(figure(one[chosen]) for one in three)} |")
    return [*lines, "", f"F1 {f1_figure(said, labels)}; shuffled {f1_figure(guessed, labels)}."]


def f1_figure(said: Any, labels: Floats) -> str:
    """F1 with its 95% bootstrap interval."""
    drawn = np.random.default_rng(0).integers(0, len(labels), (2000, len(labels)))
    low, high = np.percentile([f1(said[rows], labels[rows]) for rows in drawn], [2.5, 97.5])
    return f"{f1(said, labels):.3f} ({low:.3f}–{high:.3f})"


def f1(said: Any, labels: Floats) -> float:
    """F1 of the positive class."""
    hits = float((said & (labels > 0.5)).sum())
    return 2 * hits / max(float(said.sum()) + float((labels > 0.5).sum()), 1.0)


def phrase_table(head: Head, luck: Head, features: Floats, labels: Floats) -> list[str]:
    """Figures on held-out wordings beside both baselines."""
    threshold = head.config.thresholds["match"]
    truth = labels > 0.5
    said = head.probabilities(features)[:, 0] >= threshold
    guessed = luck.probabilities(features)[:, 0] >= threshold
    longer = features[:, FEATURES.index("longer")] > 0
    shown = [figure(np.asarray(one == truth, dtype=np.float32)) for one in (said, guessed, longer)]
    wrong, missed = int((said & ~truth).sum()), int((~said & truth).sum())
    return [
        "| part | turns | head | shuffled | the longer turn matches |",
        "|---|---|---|---|---|",
        f"| held-out wordings | {len(labels)} | {' | '.join(shown)} |",
        "",
        f"{wrong} wrong matches, {missed} missed of {int(truth.sum())}.",
        f"F1 {f1_figure(said, labels)}; shuffled {f1_figure(guessed, labels)}.",
    ]


PHRASE_CARD = (
    "P(a turn means its nearest known phrase): a linear head on seven facts of the pair (models/phrases.py; one of\n"
    "them is read off the search decision, so that one is trained first), fitted on our own wordings\n"
    "(`models/examples/phrases.jsonl`, and the searches of `models/examples/search-decision.jsonl` as turns that\n"
    "must not match). Two fifths by hash are held out; the threshold (best F0.5) comes from five-fold predictions on\n"
    "the rest. Apache-2.0."
)
AMBIGUITY_CARD = (
    "P(a question has several readings) from nine facts of the question, its history and the titles found\n"
    "(models/ambiguity.py): a linear head fitted on `models/examples/ambiguity.jsonl` (ours) and 120 plain questions\n"
    "of squad.train and drcd.train (CC BY-SA). The threshold comes from predictions on held-out groups of the\n"
    "development rows; the test file `eval/data/ambiguity.jsonl` was written and fixed before the head. Apache-2.0.\n\n"
    "Limits: one hand wrote both files, so real questions will be harder; readings are told from titles alone; the\n"
    "plain reading questions below took part in the fit."
)


def card(out: Path, title: str, text: str, table: Sequence[str]) -> None:
    """card.md of a small head."""
    note = "Accuracy in per cent with 95% intervals. *shuffled*: the same head fitted on shuffled labels."
    body = [f"# {title}", "", text, "", note, "", *table, ""]
    (out / "card.md").write_text("\n".join(body), encoding="utf-8")
