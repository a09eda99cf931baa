"""The learning loop, run once from end to end with simulated people: questions, feedback, training, gate, promotion.

People ask questions of the development articles. Each is a rater who knows the gold answers, and says through the
feedback store what a person on the page would say, with consent: a thumb on the answer, a comparison with two other
drafts, the better answer where it was wrong. The loop begins with the bundled support judge without its sum: the
network, which has met the reader's drafts for training articles, but not how much the reader's own confidence counts.
The export trains it further; the gate compares it with the judge before it on test questions of other articles; what
passes is promoted, in a registry of the run's own. A second judge, trained on the same opinions turned round, stands
for sabotage. The bundled judge stands beside them: what gold answers to development questions taught it.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine

from eval import datasets, metrics
from eval.answers import keep
from eval.datasets import Question
from eval.gate import MEASURES, Row, outcomes, run_gate
from eval.outcomes import Outcome, outcome_of, supported_and_correct
from eval.report import Figure, Report, Table, bars, measured, share, write
from eval.workbench import Workbench, documents_of, workbench
from indexing.types import BadInput, Filters, Hit, Progress, Query
from indexing.types import Retriever as RetrieverProtocol
from models.fit import fold
from models.types import Cancelled, Candidate, Conversation, Evidence, OnText, Plan, Policy, Retrieve, Turn, never
from rewards.feedback import read_feedback
from rewards.support import BUNDLED, FEATURES, Calibration, TrainedSupport, save_calibration
from rewards.train_feedback import labels_of, train_from_feedback
from rewards.training import open_corpus
from service.asking import Asking
from service.asking import Question as Message
from service.config import Settings
from service.conversations import Conversations
from service.database import connect
from service.events import Done
from service.feedback import Feedback, Opinion
from service.pipeline import Parts, answer
from service.registry import Registry
from service.types import Answer

DEFAULT_LIMIT = 300
"""Questions that people ask, and as many others that the judges are compared on; twice as many English ones as
Chinese. Each costs about a second of one core."""
CHINESE = 1 / 3
OTHERS = 2
"""Drafts that a rater compares with the answer that was shown."""
KIND = "support"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rater:
    """A simulated person who knows the gold answers of a question."""

    question: Question

    def right(self, candidate: Candidate) -> bool:
        """Whether the candidate is a supported and correct answer."""
        return self.question.answerable and supported_and_correct(candidate, self.question.answers)

    def opinions(self, answer: Answer, random_: random.Random) -> Iterator[Opinion]:
        """What the person says of an answer: of what was said, and of some drafts beside it."""
        stated = [place for place, one in enumerate(answer.candidates) if one.kind == "statement" and one.quotes]
        shown = answer.chosen if answer.chosen in stated else None
        if shown is not None:
            fine = self.right(answer.candidates[shown])
            yield Opinion("vote", answer.id, True, thumb="up" if fine else "down", reason="right" if fine else "wrong")
            if not fine and self.question.answerable:
                yield Opinion("edit", answer.id, True, text=self.question.answers[0])
        others = [place for place in stated if place != shown]
        random_.shuffle(others)
        if shown is None and others:
            shown = others.pop()
        for other in others[:OTHERS]:
            yield self.compared(answer, *random_.sample([shown, other], 2))

    def compared(self, answer: Answer, a: int | None, b: int | None) -> Opinion:
        """Which of two drafts is better."""
        assert a is not None
        assert b is not None
        good = self.right(answer.candidates[a]), self.right(answer.candidates[b])
        choice = {(True, True): "both_good", (False, False): "both_bad", (True, False): "a", (False, True): "b"}[good]
        return Opinion("pair", answer.id, True, a=a, b=b, choice=choice)  # type: ignore[arg-type]


class Recorded:
    """A policy and a retriever that remember what they said of the last question: judges alone are exchanged."""

    def __init__(self, policy: Policy, retriever: RetrieverProtocol) -> None:
        self.policy, self.retriever, self.name = policy, retriever, policy.name
        self.kept: dict[str, object] = {}

    def once(self, key: str, work: Callable[[], T]) -> T:
        if key not in self.kept:
            self.kept[key] = work()
        return self.kept[key]  # type: ignore[return-value]

    def plan(self, conversation: Conversation) -> Plan:
        return self.once("plan", lambda: self.policy.plan(conversation))

    def propose(
        self,
        conversation: Conversation,
        evidences: Sequence[Evidence | None],
        n_each: int = 1,
        retrieve: Retrieve | None = None,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[Candidate]:
        return self.once("propose", lambda: self.policy.propose(conversation, evidences, n_each, retrieve))

    def search(self, query: Query, k: int, filters: Filters = Filters()) -> list[Hit]:  # noqa: B008
        return self.once(f"search {query.text}", lambda: self.retriever.search(query, k, filters))

    def search_many(self, queries: Sequence[Query], k: int, filters: Filters = Filters()) -> list[list[Hit]]:  # noqa: B008
        return self.once("search", lambda: self.retriever.search_many(queries, k, filters))


def run_loop(
    data: Path,
    home: Path,
    out: Path,
    limit: int | None = DEFAULT_LIMIT,
    progress: Progress | None = None,
    *,
    settings: Settings | None = None,
) -> Report:
    """One turn of the loop; writes loop.md, .json and .png, the exported feedback, the trained judges and the gate's
    results into `out`. A stopped run goes on where it was. The person's own registry and feedback are not touched.
    Raises BadInput, ModelMissing, StorageFailed."""
    settings, limit = settings or Settings.model_validate({"home": home}), limit or DEFAULT_LIMIT
    corpora = [datasets.collection(data, name) for name in ("squad-ir", "drcd-ir")]
    documents = documents_of([entry for corpus in corpora for entry in corpus.entries])
    bench = workbench(home, documents, progress=progress, settings=settings)
    out.mkdir(parents=True, exist_ok=True)
    export = out / "feedback.jsonl"
    collect(bench, settings, asked_by_people(data, limit), out, export, progress)
    turned = out / "feedback-turned.jsonl"
    turned.write_text("".join(map(turned_round, export.read_text(encoding="utf-8").splitlines())), encoding="utf-8")
    judges = {"before": begun(out / "before"), "bundled": BUNDLED}
    drafts = [label.draft for label in labels_of(read_feedback(export))]
    states = open_corpus(home, out / "work", drafts, progress)
    for name, file in (("after", export), ("sabotaged", turned)):
        judges[name] = out / name
        train_from_feedback(file, judges["before"], home, out / name, 0, progress, states)
    held = held_out(data, limit)
    found = compare(bench, judges, held, progress)
    for name, own in found.items():
        (out / f"run-{name}").mkdir(exist_ok=True)
        keep(own, out / f"run-{name}" / "answers-outcomes.jsonl")
    return reported(out, judges, export)


def begun(folder: Path) -> Path:
    """The bundled judge with its network's own probability, which knows nothing of a policy or a retriever."""
    shutil.copytree(BUNDLED, folder, dirs_exist_ok=True)
    weights = tuple(float(name == "network") for name in FEATURES)
    save_calibration(Calibration(weights, 0.0), folder / "calibration.json", fitted_on="nothing: the network alone")
    return folder


def asked_by_people(data: Path, limit: int) -> list[Question]:
    """Questions of the articles that the bundled models were not fitted on, answerable and not, in both languages."""
    chosen = []
    for name, part in (("squad.train", 1 - CHINESE), ("drcd.train", CHINESE)):
        own = [question for question in datasets.questions(data, name) if fold(question.title) == 0]
        chosen += datasets.stratified(own, round(limit * part))
    return chosen


def held_out(data: Path, limit: int) -> dict[str, list[Question]]:
    """Test questions of other articles."""
    parts = (("squad", 1 - CHINESE), ("drcd", CHINESE))
    return {
        name: datasets.stratified(datasets.questions(data, f"{name}.test"), round(limit * part)) for name, part in parts
    }


def collect(
    bench: Workbench,
    settings: Settings,
    questions: Sequence[Question],
    out: Path,
    export: Path,
    progress: Progress | None,
) -> None:
    """Asks every question as a person's first turn, keeps what the rater says of the answer, and exports it."""
    database = connect(f"sqlite:///{out / 'loop.db'}")
    done, log = out / "asked.txt", Feedback(database)
    asked = set(done.read_text(encoding="utf-8").split("\n")) if done.is_file() else set()
    with done.open("a", encoding="utf-8") as file:
        for number, question in enumerate(questions, 1):
            if question.id not in asked:
                tell(bench, settings, database, log, question)
                file.write(question.id + "\n")
                file.flush()
            if progress is not None:
                progress("ask and say", number, len(questions))
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in log.export()]
    export.write_text("".join(lines), encoding="utf-8")
    database.dispose()


def tell(bench: Workbench, settings: Settings, database: Engine, log: Feedback, question: Question) -> None:
    """One question and its opinions."""
    asking = Asking(settings, Conversations(database))
    *_, done = asking.ask(Message(question.text), bench.parts)
    assert isinstance(done, Done)
    for opinion in Rater(question).opinions(done.answer, random.Random(question.id)):
        log.add(opinion)


def turned_round(line: str) -> str:
    """An exported line whose person says the opposite."""
    row = json.loads(line)
    opposite = {"a": "b", "b": "a", "both_good": "both_bad", "both_bad": "both_good"}
    if row["kind"] in ("vote", "pair"):
        row |= {"label": 1 - row["label"], "choice": opposite.get(row["choice"]), "reason": None}
    return json.dumps(row, ensure_ascii=False) + "\n"


def compare(
    bench: Workbench, judges: Mapping[str, Path], held: Mapping[str, Sequence[Question]], progress: Progress | None
) -> dict[str, dict[str, list[Outcome]]]:
    """What becomes of the held-out questions with each support judge, over the same drafts: name -> set -> outcomes."""
    before = bench.parts.support
    assert isinstance(before, TrainedSupport)
    supports = {name: TrainedSupport.load(before.readings, folder) for name, folder in judges.items()}
    found: dict[str, dict[str, list[Outcome]]] = {name: {part: [] for part in held} for name in judges}
    total, number = sum(map(len, held.values())), 0
    for part, questions in held.items():
        for question in questions:
            recorded = Recorded(bench.parts.policy, bench.parts.retriever)
            for name, support in supports.items():
                parts = replace(bench.parts, policy=recorded, retriever=recorded, support=support)
                said = answered(Conversation((Turn("user", question.text),)), parts)
                found[name][part].append(outcome_of(question, said, parts.thresholds))
            number += 1
            if progress is not None:
                progress("ask held-out questions", number, total)
    return found


def answered(conversation: Conversation, parts: Parts) -> Answer:
    """The answer of the flow."""
    *_, done = answer(conversation, parts)
    assert isinstance(done, Done)
    return done.answer


def reported(out: Path, judges: Mapping[str, Path], export: Path) -> Report:
    """The gate's verdicts, what was promoted, and the figures of each judge beside the first."""
    registry = Registry(out / "registry")
    verdicts = []
    for name in ("after", "sabotaged"):
        gate = run_gate(out / "run-before", out / f"run-{name}", judges[name], out / f"gate-{name}")
        try:
            said = f"promoted as {registry.promote(KIND, judges[name], out / f'gate-{name}' / 'gate-result.json').name}"
        except BadInput as refusal:
            said = f"refused: {refusal.message}"
        verdicts.append((name, gate.settings["verdict"], said))
    runs = {name: list(outcomes(out / f"run-{name}").values()) for name in judges}
    figures, rows = compared(runs)
    people = list(read_feedback(export))
    votes = [row.label for row in people if row.kind == "vote" and row.label is not None]
    settings = {
        "opinions": ", ".join(
            f"{sum(row.kind == kind for row in people)} {kind}s" for kind in ("vote", "pair", "edit")
        ),
        "thumbs up": share(sum(votes) / len(votes)) if votes else "-",
        "drafts judged": str(len(labels_of(people))),
    }
    tables = (
        Table("Held-out questions", ("measure", "judge", "value", "less before, 95%", "n"), tuple(rows)),
        Table("Gate", ("judge", "gate", "registry"), tuple(verdicts)),
    )
    labels = [f"{name}/{measure}" for name in sorted({row["set"] for row in runs["before"]}) for measure in PICTURED]
    series = {
        name: [metrics.Interval(one.value, one.low or 0.0, one.high or 0.0, one.n) for one in picked]
        for name in runs
        for picked in [[figures[f"loop/{name}/{label}"] for label in labels if f"loop/{name}/{label}" in figures]]
    }
    shown = [label for label in labels if f"loop/before/{label}" in figures]
    picture = bars(out / "loop.png", "Held-out questions before and after feedback", shown, series, "share")
    notes = (
        "Raters are simulated from gold answers. Intervals draw whole articles with replacement.",
        "All judges see the same drafts; the abstention threshold is the bundled one.",
    )
    report = Report("loop", "passerine evaluate loop", tables, figures, settings, {}, (picture,), notes)
    write(report, out)
    return report


PICTURED = ("supported and correct", "quote holds the answer", "unanswerable left unanswered")


def compared(runs: Mapping[str, Sequence[Row]]) -> tuple[dict[str, Figure], list[tuple[str, ...]]]:
    """Every guarded measure, and what is right without abstaining, of each judge, with its difference to the first."""
    first = next(iter(runs))
    measures = {
        **{label: (one.counts, one.right) for label, one in MEASURES.items()},
        "supported and correct, never abstaining": (lambda row: row["answerable"], lambda row: row["correct"]),
    }
    figures: dict[str, Figure] = {}
    rows: list[tuple[str, ...]] = []
    for part in sorted({row["set"] for row in runs[first]}):
        for label, (counts, right) in measures.items():
            places = [i for i, row in enumerate(runs[first]) if row["set"] == part and counts(row)]
            if not places:
                continue
            groups = [runs[first][i]["group"] for i in places]
            values = {name: [float(right(own[i])) for i in places] for name, own in runs.items()}
            for name, own in values.items():
                both = metrics.paired(own, values[first], groups)
                mean = metrics.interval(own, groups)
                figures[f"loop/{name}/{part}/{label}"] = measured(mean)
                gain = "" if name == first else f"{both.mean:+.3f} [{both.low:+.3f}, {both.high:+.3f}]"
                rows.append((f"{part}: {label}", name, share(mean.mean), gain, str(len(places))))
    return figures, rows
