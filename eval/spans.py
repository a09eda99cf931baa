"""The reader before and after its choice of spans was tuned by the judges, on questions that it never met.

Each reads a question's passage alone, and beside the wrong passages that a retriever would bring; what it is surest of
there is judged, by the judges that it was tuned by and, in English, by judges for evaluation only.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from eval import datasets, metrics
from eval.outcomes import quote_holds, supported_and_correct
from eval.report import Figure, Report, Table, measured, share, write
from eval.rlhf import second_judges
from indexing.types import Progress
from models.curves import Panel, draw
from models.extractive import SPANS, candidates
from models.fit import fold
from models.measures import auc, token_f1
from models.reader import BUNDLED, Reader, read_upper
from models.reader_rows import read_rows
from models.span_choice import SpanPolicy, divergence
from models.train_reader import TRUNK
from models.trunk import Trunk
from models.types import Candidate, Conversation, Turn
from models.weights import model_folder
from service.span_tuning import Beside, besides
from service.tuning import LIKELY, Judges, shipped_judges

DEVELOPMENT, TEST = "development", "test"
SETS: Mapping[str, tuple[str, ...]] = {
    DEVELOPMENT: ("squad.train", "drcd.train"),
    TEST: ("squad.test", "drcd.test"),
}
"""Files by set; of the training files the articles that nothing is trained on."""
QUESTIONS = 200
"""A file, when no limit is given."""
WRONG = 3
START, TUNED = "start", "tuned"
MEASURES = {
    "f1": "token F1, own passage",
    "holds": "the quote holds the answer, own passage",
    "right": "supported and correct, own passage",
    "beside": "supported and correct, among wrong passages",
    "reward": "reward by the judges it was tuned by",
    "second": "reward by the judges for evaluation only",
}


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader makes of one question; `answerable` in [0, 1] is of its own passage, `kl` in nats to the start.
    What is not measured (an answer where there is none, Chinese by judges that read English) is nan."""

    f1: float
    holds: float
    right: float
    beside: float
    reward: float
    second: float
    answerable: float
    kl: float


def run_spans(
    data: Path,
    home: Path,
    out: Path,
    progress: Progress | None = None,
    limit: int | None = None,
    *,
    model: Path,
    start: Path = BUNDLED,
) -> Report:
    """Compare the reader of `model` with the one of `start`; writes spans.md, .json and .png into `out`. Raises
    BadInput, ModelMissing, ModelDamaged or EncoderMismatch."""
    trunk = Trunk.load(model_folder(home, TRUNK))
    readers = {name: Reader.load(trunk, folder) for name, folder in ((START, start), (TUNED, model))}
    policies = [SpanPolicy(readers[name], read_upper(path, readers[name].config), 0)
                for name, path in ((TUNED, model), (START, start))]  # fmt: skip
    own, other = shipped_judges(trunk), second_judges(home)
    figures: dict[str, Figure] = {}
    tables = []
    for title, files in SETS.items():
        asked = [beside for file in files for beside in chosen(data, file, title == DEVELOPMENT, limit or QUESTIONS)]
        found: dict[str, list[Read]] = {name: [] for name in readers}
        for number, beside in enumerate(asked, 1):
            apart = divergences(policies, beside)
            for name, reader in readers.items():
                found[name].append(read(reader, beside, own, other, apart if name == TUNED else 0.0))
            if progress is not None:
                progress(title, number, len(asked))
        for language in ("en", "zh"):
            places = [place for place, beside in enumerate(asked) if beside.row.language == language]
            if places:
                groups = [asked[place].row.article for place in places]
                before, after = ([found[name][place] for place in places] for name in (START, TUNED))
                yes = [bool(asked[place].row.answers) for place in places]
                tables.append(compared(f"{title}, {language}", before, after, yes, groups, figures))
    shown = [Panel({measure: [(place, figures[f"spans/{table.title}/{key}/{name}"].value)
                              for place, name in enumerate((START, TUNED))]
                    for key, measure in MEASURES.items() if f"spans/{table.title}/{key}/{TUNED}" in figures},
                   "start, tuned", table.title) for table in tables]  # fmt: skip
    draw(shown, out / "spans.png")
    report = Report("spans", "passerine evaluate spans", tuple(tables), figures, pictures=(out / "spans.png",))
    write(report, out)
    return report


def chosen(data: Path, file: str, held_out: bool, most: int) -> list[Beside]:
    """Questions of a reading file, evenly from its articles, with wrong passages of the same file beside."""
    rows = read_rows(datasets.checked(data, f"qa/{file}.jsonl.gz"))
    known = {row.id: row for row in rows}
    pool = [one for one in datasets.questions(data, file) if not held_out or fold(known[one.id].article) == 0]
    return besides(rows, [known[question.id] for question in datasets.stratified(pool, most)], WRONG)


@torch.no_grad()
def divergences(policies: Sequence[SpanPolicy], beside: Beside) -> float:
    """KL(first || second) of what two readers choose among a question's passages, in nats."""
    first, second = (policy.log_chances(policy.open(beside.shown)) for policy in policies)
    return divergence(first, second)


def read(reader: Reader, beside: Beside, own: Judges, other: Judges, kl: float) -> Read:
    """One question by one reader."""
    row = beside.row
    readings = reader.read(row.question, [hit.passage.text for hit in beside.hits], SPANS)
    drafts = [candidates(row.question, hit, reading) for hit, reading in zip(beside.hits, readings, strict=True)]
    alone = surest(drafts[0])
    among = surest([draft for some in drafts for draft in some])
    conversation = Conversation((Turn("user", row.question),))
    drafted = [] if among is None else [replace(among, log_prob=LIKELY)]
    rewards = [sum(parts["total"] for parts in judges.parts(conversation, drafted)) for judges in (own, other)]
    known = bool(row.answers)

    def of_answerable(value: float) -> float:
        return value if known else math.nan

    return Read(
        f1=of_answerable(token_f1(alone.short or alone.text, row.answers) if alone else 0.0),
        holds=of_answerable(alone is not None and quote_holds(alone, row.answers)),
        right=of_answerable(alone is not None and supported_and_correct(alone, row.answers)),
        beside=of_answerable(among is not None and supported_and_correct(among, row.answers)),
        reward=rewards[0],
        second=rewards[1] if row.language == "en" else math.nan,
        answerable=readings[0].answerable,
        kl=kl,
    )


def surest(drafts: Sequence[Candidate]) -> Candidate | None:
    """The candidate that the reader is surest of."""
    return max(drafts, key=lambda one: one.log_prob, default=None)


def compared(
    title: str,
    before: Sequence[Read],
    after: Sequence[Read],
    answerable: Sequence[bool],
    groups: Sequence[str],
    figures: dict[str, Figure],
) -> Table:
    """Means of one set and their differences; puts them into `figures`."""
    rows = []
    for key, measure in MEASURES.items():
        places = [place for place, one in enumerate(after) if not math.isnan(getattr(one, key))]
        if not places:
            continue
        own = [groups[place] for place in places]
        values = [[float(getattr(some[place], key)) for place in places] for some in (before, after)]
        for name, each in zip((START, TUNED), values, strict=True):
            figures[f"spans/{title}/{key}/{name}"] = measured(metrics.interval(each, own))
        change = metrics.paired(values[1], values[0], own)
        cell = f"{change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
        rows.append((measure, *(share(sum(each) / len(each)) for each in values), cell, f"{change.n}"))
    known = [auc([one.answerable for one in some], answerable) for some in (before, after)]
    if not any(map(math.isnan, known)):
        rows.append(("unanswerable told from answerable, AUC", *map(share, known), "", f"{len(answerable)}"))
    kl = metrics.interval([one.kl for one in after], groups)
    figures[f"spans/{title}/kl"] = measured(kl, unit="nats", better="lower")
    rows.append(("KL to the start, nats a question", "0", share(kl.mean), "", f"{kl.n}"))
    return Table(title, ("measure", START, TUNED, "tuned less start, 95%", "questions"), tuple(rows))
