"""Trains the search decision: a head on the trunk's vectors of turns, with its threshold, curve and card."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from indexing.types import BadInput, Encoder, Progress
from models.fit import Recipe, best_threshold, binary_loss, calibrated, fit, fold, interval, threshold_curve
from models.heads import Floats, Head, HeadConfig, file_sha256
from models.json_lines import read_lines
from models.plan import CUES, plan_features
from models.vectors import query_vectors
from models.words import language_of

OWN = Path(__file__).parent / "examples" / "search-decision.jsonl"
NOT_RELEASABLE = ("triviaqa-dev", "nq-dpr-dev", "webquestions-test", "alpaca")
"""Sources whose licence does not let weights go out; they are in the test figures only."""
TESTS = ("qa/squad.test.jsonl.gz", "qa/drcd.test.jsonl.gz", "qa/cmrc.test.jsonl.gz", "qa/xquad-zh.test.jsonl.gz")
"""Their questions are asked of the whole system, so none of them may train a part of it."""
OPEN_QUESTIONS = {"openqa/r1-searcher.train.jsonl.gz": 2000, "decomposition/strategyqa.train.jsonl.gz": 1000}
"""Released questions and how many of each are used: enough that style says little of need."""
TITLES = ("lm/wiki-leads.jsonl.gz", 800)
"""Titles of articles and how many are used: a bare topic is a search."""
OWN_WEIGHT = 4.0
"""Our hard cases are few beside the composed data and are the ones that tell need from style."""
RECIPES = (
    Recipe(hidden=(), epochs=40, rate=3e-3, decay=1e-2),
    Recipe(hidden=(64,), epochs=15, rate=1e-3, decay=5e-2, dropout=0.3),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One turn with its label; `group` decides its part, so that rows of one frame stay together."""

    text: str
    search: bool
    kind: str
    lang: str
    group: str
    own: bool


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Part(Generic[R]):
    """Rows with their features, float32 [n, inputs], and labels, float32 [n]."""

    rows: list[R]
    features: Floats
    labels: Floats


def read_rows(path: Path) -> list[Row]:
    """The rows of a composed file that may train released weights, or of a file of our own, which names no sources."""
    return [row_of(row) for row in read_lines(path) if not row.get("source", "").startswith(NOT_RELEASABLE)]


def row_of(row: Mapping[str, Any]) -> Row:
    """One row of a file; ours may be grouped by frame."""
    own = "source" not in row
    group = f"own-{row.get('group', row['text'])}" if own else row["text"]
    return Row(row["text"], row["search"], row["kind"], row["lang"], group, own)


def tested_rows(data: Path) -> list[Row]:
    """All rows of the released test file, whatever their licence."""
    return [row_of(row) for row in read_lines(data / "search-decision" / "test.jsonl.gz")]


def questions_of_tests(data: Path) -> set[str]:
    """Questions of the reading tests."""
    found = set()
    for name in TESTS:
        if (data / name).is_file():
            found |= {row["question"].strip() for row in read_lines(data / name)}
    return found


def open_questions(data: Path) -> list[Row]:
    """Questions of open question answering; half of them, by hash, as people type them: lower case, no mark.

    Without them a turn in lower case looks like a command, since the composed commands are written so.
    """
    made = []
    for name, most in OPEN_QUESTIONS.items():
        for row in read_lines(data / name)[:most]:
            text = row["question"].strip()
            made.append(Row(typed(text) if fold(text, 2) else text, True, "open-question", "en", text, False))
    name, most = TITLES
    titles = sorted((row["title"] for row in read_lines(data / name)), key=lambda title: fold(title, 1_000_000))[:most]
    for title in titles:
        made.append(
            Row(typed(title) if fold(title, 2) else title, True, "bare-topic", language_of(title), title, False)
        )
    return made


def typed(question: str) -> str:
    """A question as people type it: lower case, no mark at the end."""
    return question.lower().rstrip("?. ")


def parts(data: Path, encoder: Encoder, cache: Path, progress: Progress | None) -> dict[str, Part[Row]]:
    """Training, development (a fifth by hash), the released test file, and our own held-out frames."""
    train_path = data / "search-decision" / "train.jsonl.gz"
    if not train_path.is_file():
        raise BadInput(f"{train_path} is not there.", "Name the folder that holds search-decision/ with --data.")
    barred = questions_of_tests(data)
    composed = [row for row in read_rows(train_path) if row.text.strip() not in barred]
    composed += open_questions(data)
    own = read_rows(OWN)
    split: dict[str, list[Row]] = {"train": [], "development": [], "own": []}
    for row in composed:
        split["development" if fold(row.group) == 0 else "train"].append(row)
    for row in own:
        split[{0: "development", 1: "own"}.get(fold(row.group), "train")].append(row)
    split["test"] = tested_rows(data)
    made = {}
    for name, rows in split.items():
        texts = [row.text for row in rows]
        vectors = query_vectors(encoder, texts, cache, progress, f"encode {name}")
        labels = np.array([row.search for row in rows], dtype=np.float32)
        made[name] = Part(rows, plan_features(texts, vectors), labels)
    return made


def fit_plan(train: Part[Row], development: Part[Row], config: HeadConfig, seed: int) -> tuple[Head, Recipe]:
    """The recipe with the best development accuracy (our rows and the others count half each), calibrated."""
    weights = [OWN_WEIGHT if row.own else 1.0 for row in train.rows]
    loss = binary_loss(train.labels, weights)
    tried = []
    for recipe in RECIPES:
        head = fit(train.features, loss, config, replace(recipe, seed=seed))
        head = calibrated(head, development.features, development.labels)
        tried.append((balanced_accuracy(head, development), head, recipe))
    _, head, recipe = max(tried, key=lambda item: item[0])
    return head, recipe


def balanced_accuracy(head: Head, part: Part[Row]) -> float:
    """Mean of the accuracies on our rows and on the composed ones."""
    right = correct(head, part, 0.5)
    own = np.array([row.own for row in part.rows])
    return float((right[own].mean() + right[~own].mean()) / 2)


def correct(head: Head, part: Part[Any], threshold: float) -> Floats:
    """1 where the head decides as labelled, float32 [n]."""
    said = head.probabilities(part.features)[:, 0] >= threshold
    return np.asarray(said == (part.labels > 0.5), dtype=np.float32)


def longer_wins(train: Part[Row], part: Part[Row]) -> Floats:
    """1 where "the longer text needs a search" decides as labelled, at the length best for the training rows."""
    lengths = np.array([len(row.text) for row in train.rows])
    best = max(range(1, 120), key=lambda size: float(((lengths >= size) == (train.labels > 0.5)).mean()))
    said = np.array([len(row.text) >= best for row in part.rows])
    return np.asarray(said == (part.labels > 0.5), dtype=np.float32)


def train_plan(
    data: Path, home: Path, out: Path, seed: int = 0, progress: Progress | None = None, cache: Path | None = None
) -> Head:
    """Trains and writes the search decision into `out`: weights, config, card and the picture of its curve.

    `data` holds search-decision/, `home` the base models; vectors are kept in `cache` (default home/vectors).
    """
    from models.encoder import load_encoder

    encoder = load_encoder("multilingual-e5-small", home)
    split = parts(data, encoder, cache or home / "vectors", progress)
    train, development = split["train"], split["development"]
    checksums = {
        f"search-decision/{name}": file_sha256(data / "search-decision" / name)
        for name in ("train.jsonl.gz", "test.jsonl.gz")
    }
    checksums |= {name: file_sha256(data / name) for name in (*OPEN_QUESTIONS, TITLES[0])}
    checksums |= {"examples/search-decision.jsonl": file_sha256(OWN)}
    config = HeadConfig(
        "plan", encoder.fingerprint, seed, ("search",), checksums, notes={"inputs": f"vector [384], {', '.join(CUES)}"}
    )
    head, recipe = fit_plan(train, development, config, seed)
    curve = threshold_curve(head.probabilities(development.features)[:, 0], development.labels)
    config = replace(config, thresholds={"search": best_threshold(curve)}, curves={"search": curve})
    head = Head(replace(config, notes={**config.notes, "hidden": str(recipe.hidden)}), head.layers)
    head.save(out)
    shuffled = replace_labels(train, seed)
    luck, _ = fit_plan(shuffled, replace_labels(development, seed), config, seed)
    write_card(out, head, luck, split)
    draw(out / "curve.png", curve, head.config.thresholds["search"])
    return head


def replace_labels(part: Part[R], seed: int) -> Part[R]:
    """The same rows with their labels shuffled: what a head of this size learns from nothing."""
    return Part(part.rows, part.features, np.random.default_rng(seed).permutation(part.labels))


def write_card(out: Path, head: Head, luck: Head, split: dict[str, Part[Row]]) -> None:
    """card.md: data, licence, figures with 95% intervals beside two baselines, limits."""
    threshold = head.config.thresholds["search"]
    train = split["train"]
    own = sum(row.own for row in train.rows)
    counts = Counter(row.kind for row in train.rows)
    lines = [
        "# Search decision",
        "",
        "Probability that a turn needs evidence from the documents: a head on the frozen vector of the stand-alone",
        f"turn (multilingual-e5-small) and {len(CUES)} cues. Hidden layers {head.config.notes['hidden']}, calibrated",
        f"(Platt); its threshold {threshold:.2f} comes from development data (a fifth by hash), see curve.png.",
        "",
        f"Trained on {len(train.rows):,} turns: `search-decision/train` without the sources whose licence does not",
        f"let weights go out ({', '.join(NOT_RELEASABLE)}) and without the questions of the reading tests,",
        f"with {counts['open-question']:,} questions of R1-Searcher and StrategyQA (MIT) and {counts['bare-topic']}",
        "titles of encyclopedia articles (CC BY-SA), half of both in",
        f"lower case without a mark, as people type, and {own} turns of our own",
        f"(`models/examples/search-decision.jsonl`, weight {OWN_WEIGHT:.0f} each). Other sources:",
        "CC BY-SA 4.0, CC BY-SA 3.0, CC BY 3.0, MIT, BSD-3. The weights: Apache-2.0. Made by `passerine train plan`.",
        "",
        "Accuracy with 95% intervals (2,000 bootstrap draws). *shuffled*: the same head trained on shuffled labels.",
        "*longer*: a turn longer than the best length of the training data is searched.",
        "",
        "| part | turns | head | shuffled | longer |",
        "|---|---|---|---|---|",
    ]
    for name in ("test", "own"):
        part = split[name]
        three = (correct(head, part, threshold), correct(luck, part, threshold), longer_wins(train, part))
        names = {"test": "search-decision/test", "own": "our frames, held out"}
        keys: list[tuple[str, Sequence[bool]]] = [(names[name], [True] * len(part.rows))]
        for lang in ("en", "zh"):
            keys.append((f"… {lang}", [row.lang == lang for row in part.rows]))
        for kind in sorted({row.kind for row in part.rows}):
            keys.append((f"… {kind}", [row.kind == kind for row in part.rows]))
        lines += table_rows(keys, three)
    lines += [
        "",
        "Limits: the composed data takes its questions and its chit-chat from different places, so its figures",
        "flatter; our own frames are the harder test, and few. Other languages than English and Chinese were not seen.",
    ]
    (out / "card.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def table_rows(keys: Sequence[tuple[str, Sequence[bool]]], right: Sequence[Floats]) -> list[str]:
    """A row of the card for each key: its label, how many turns its mask chooses, and how many of them each system
    decides right."""
    made = []
    for label, mask in keys:
        chosen = np.array(mask)
        shown = " | ".join(figure(values[chosen]) for values in right)
        made.append(f"| {label} | {int(chosen.sum())} | {shown} |")
    return made


def figure(values: Floats) -> str:
    """ "97.1 (96.0-98.0)" in per cent."""
    mean, low, high = interval(values)
    return f"{100 * mean:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def draw(path: Path, curve: Sequence[Sequence[float]], threshold: float) -> None:
    """The development curve: accuracy, precision and recall by threshold."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = Figure(figsize=(6, 4))
    FigureCanvasAgg(picture)
    axes = picture.subplots()
    table = np.array(curve)
    for column, label in ((1, "accuracy"), (2, "precision"), (3, "recall")):
        axes.plot(table[:, 0], table[:, column], label=label)
    axes.axvline(threshold, color="grey", linestyle=":", label=f"chosen {threshold:.2f}")
    axes.set(xlabel="threshold", ylabel="development data", ylim=(min(0.8, float(table[:, 1:4].min())), 1.005))
    axes.legend()
    picture.savefig(path, dpi=90, bbox_inches="tight")
