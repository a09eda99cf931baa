"""Calibration on development data: the support judge's sum, what counts as an average preference, when to abstain, how
low a rule may go.

Development data is a fifth of the training articles, by hash: the judges and the reader were not fitted on them, and
test data tunes nothing. Every question goes through the answer flow once; its candidates with all that the judges said
are kept in a file, so that the fitting itself takes seconds and can be repeated.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval import datasets, metrics
from eval.datasets import Entry, Question
from eval.left_out import is_left_out, left_out, without
from eval.outcomes import quote_holds, supported_and_correct
from eval.report import Figure, Report, coverage_picture, figure_table, measured, write
from eval.workbench import Workbench, documents_of, open_corpus, workbench
from indexing.types import Progress
from models.fit import fold
from models.json_lines import kept_lines
from models.measures import auc
from models.types import Conversation, Turn
from rewards.interaction import load_network
from rewards.rule_judge import BUNDLED as RULES
from rewards.rules import PROGRAMS
from rewards.select import BUNDLED, Thresholds, ambiguity, kept, save_thresholds, sigmoid
from rewards.support import BUNDLED as SUPPORT
from rewards.support import FEATURES, Calibration, TrainedSupport, fit_calibration, save_calibration
from rewards.train_rules import STEP_LIMIT
from service.config import Settings
from service.types import Answer

DEFAULT_LIMIT = 400
"""Questions a language."""
WRONG_COSTS = 1.0
"""What a wrong answer costs when a right one earns 1: as much. An abstention shows the nearest passages all the same,
so that silence hides little."""
UNANSWERABLE = 0.25
"""Share of questions that the documents do not answer, for the worth of a threshold: whatever the mix of the
development questions, people are taken to ask mostly what their documents hold."""
FLOOR_STRIKES = 0.005
"""Share of right statements that the floors of all rules together may strike out."""
PENALTY = 0.002
"""A preference may cost this much of the right choices, and of the AUC."""
PLATEAU = 0.005
"""Thresholds whose worth differs by less are as good: a thousand questions tell them no further apart."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A statement of a question with what the judges said, and whether it is right.

    `features` are those that the support judge sums up; `ambiguous` the probability that the question is; `right`:
    supported and correct; `holds`: a quote holds a gold answer. Both are false for unanswerable questions.
    """

    preference: float
    features: tuple[float, ...]
    ambiguous: float
    log_prob: float
    rules: Mapping[str, float]
    right: bool
    holds: bool
    support: float = 0.0
    """Of `features`, once the sum is fitted."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A development question with its statements."""

    id: str
    group: str
    language: str
    answerable: bool
    trials: tuple[Trial, ...]


def development(data: Path, limit: int | None) -> tuple[list[Question], list[Entry]]:
    """Questions of the development articles of both languages with the corpus to ask them of; to each two, one whose
    passage the corpus lacks and one that it knows nothing of."""
    corpus = open_corpus(data)
    outside = datasets.outside(data, corpus)
    few = limit and limit // 2
    chosen: list[Question] = []
    for language, name in (("en", "squad.train"), ("zh", "drcd.train")):
        own = [question for question in datasets.questions(data, name) if fold(question.title) == 0]
        corpus = without(corpus, own)
        chosen += datasets.stratified([question for question in outside if question.language == language], few)
        chosen += datasets.stratified(left_out(own), few)
        chosen += datasets.stratified([question for question in own if not is_left_out(question.passage)], limit)
    return chosen, corpus


def asked_of(question: Question, answer: Answer, judge: TrainedSupport) -> Asked:
    """The statements of an answer, judged against the gold answers."""
    stated = [
        (candidate, judgement)
        for candidate, judgement in zip(answer.candidates, answer.judgements, strict=True)
        if candidate.kind == "statement" and candidate.quotes
    ]
    conversation = Conversation((Turn("user", question.text),))
    features = judge.features(conversation, [candidate for candidate, _ in stated])
    trials = tuple(
        Trial(
            preference=judgement.preference,
            features=tuple(row.tolist()),
            ambiguous=ambiguity(answer.candidates),
            log_prob=candidate.log_prob,
            rules=dict(judgement.rules),
            right=question.answerable and supported_and_correct(candidate, question.answers),
            holds=question.answerable and quote_holds(candidate, question.answers),
        )
        for (candidate, judgement), row in zip(stated, features, strict=True)
    )
    return Asked(question.id, question.title, question.language, question.answerable, trials)


def fit_support(asked: Sequence[Asked]) -> Calibration:
    """The support judge's sum: how its network's logit, the policy's confidence, the hit's score and the question's
    words together tell whether the quotes hold an answer. Raises BadInput when all of them do, or none."""
    trials = [trial for one in asked for trial in one.trials]
    rows = np.array([trial.features for trial in trials]).reshape(-1, len(FEATURES))
    return fit_calibration(rows, [float(trial.holds) for trial in trials])


def supported(asked: Sequence[Asked], calibration: Calibration) -> list[Asked]:
    """The same with the support that the sum gives."""

    def of(trial: Trial) -> float:
        return float(calibration.probabilities(np.array([trial.features]))[0])

    return [replace(one, trials=tuple(replace(trial, support=of(trial)) for trial in one.trials)) for one in asked]


def gather(
    bench: Workbench, questions: Sequence[Question], path: Path, progress: Progress | None
) -> tuple[list[Asked], int]:
    """Ask every question once; those that `path` holds already are not asked again. Returns also the failures."""
    found = {one.id: one for one in read_kept(path)}
    path.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    judge = bench.parts.support
    assert isinstance(judge, TrainedSupport)
    with path.open("a", encoding="utf-8") as file:
        for i, question in enumerate(questions, 1):
            if question.id not in found:
                answer = bench.ask(question.text)
                if isinstance(answer, str):
                    failures += 1
                    continue
                found[question.id] = asked_of(question, answer, judge)
                file.write(json.dumps(asdict(found[question.id]), ensure_ascii=False) + "\n")
            if progress is not None:
                progress("ask", i, len(questions))
    return [found[question.id] for question in questions if question.id in found], failures


def read_kept(path: Path) -> list[Asked]:
    """What an earlier run asked."""
    found = []
    for row in kept_lines(path):
        trials = (Trial(**{**trial, "features": tuple(trial["features"])}) for trial in row["trials"])
        found.append(Asked(**{**row, "trials": tuple(trials)}))
    return found


def score(trial: Trial, r_avg: float) -> float:
    """The selection's score of a statement."""
    return sigmoid(trial.preference - r_avg) * kept(trial.rules) * trial.support * (1 - trial.ambiguous)


def winner(one: Asked, r_avg: float) -> Trial | None:
    """The statement that the selection would say without a threshold."""
    return max(one.trials, key=lambda trial: (score(trial, r_avg), trial.log_prob), default=None)


def average_preference(asked: Sequence[Asked]) -> tuple[float, list[tuple[float, float, float]]]:
    """r_avg, and the curve it was chosen from: (r_avg, share of answerable questions whose winner is right, AUC with
    which the winners' scores tell those whose quote holds an answer, over all questions; .5 where none or all do).

    The lower r_avg, the less the preference moves order and scores. The highest value within PENALTY of the best on
    both counts is taken, so that preference counts wherever it does no harm; where none is, the best AUC decides.
    """
    preferences = [trial.preference for one in asked for trial in one.trials]
    center, spread = float(np.mean(preferences)), float(np.std(preferences)) or 1.0
    curve = []
    for step in np.linspace(-6, 2, 33):
        value = center + float(step) * spread
        best = [(one, winner(one, value)) for one in asked]
        right = [bool(trial and trial.right) for one, trial in best if one.answerable]
        scores = np.array([score(trial, value) for _, trial in best if trial])
        holds = np.array([trial.holds for _, trial in best if trial])
        apart = auc(scores, holds) if 0 < holds.sum() < len(holds) else 0.5
        curve.append((value, float(np.mean(right)), apart))
    most_right, most_apart = max(right for _, right, _ in curve), max(apart for _, _, apart in curve)
    fair = [value for value, right, apart in curve if right >= most_right - PENALTY and apart >= most_apart - PENALTY]
    return max(fair) if fair else max(curve, key=lambda point: point[2])[0], curve


@dataclass(frozen=True, slots=True)
class Level:
    """What happens at one abstention threshold, over all development questions."""

    threshold: float
    answered: float
    right: float
    holds: float
    unanswerable_answered: float
    worth: float


def levels(asked: Sequence[Asked], r_avg: float) -> list[Level]:
    """Every threshold worth trying, with its worth: quotes that hold the answer, less the cost of those that do not."""
    best = [(one, winner(one, r_avg)) for one in asked]
    scores = np.array([score(trial, r_avg) if trial else 0.0 for _, trial in best])
    right = np.array([bool(trial and trial.right) for _, trial in best])
    holds = np.array([bool(trial and trial.holds) for _, trial in best])
    no = np.array([not one.answerable for one, _ in best])
    share = UNANSWERABLE if 0 < no.sum() < len(no) else float(no.mean())
    weights = np.where(no, share / max(1, no.sum()), (1 - share) / max(1, (~no).sum()))
    rows = []
    for threshold in np.unique(np.quantile(scores, np.linspace(0, 1, 201))):
        said = (scores >= threshold) & (scores > 0)
        worth = float(weights @ (said & holds) - WRONG_COSTS * (weights @ (said & ~holds)))
        count = max(int(said.sum()), 1)
        unanswerable = float((said & no).sum() / no.sum()) if no.any() else 0.0
        rows.append(
            Level(
                float(threshold), float(said.mean()), float((said & right).sum() / count),
                float((said & holds).sum() / count), unanswerable, worth,
            )
        )  # fmt: skip
    return rows


def choose(rows: Sequence[Level]) -> Level:
    """The threshold of the greatest worth; the middle one of all that are within PLATEAU of it."""
    best = max(row.worth for row in rows)
    among = [row for row in rows if row.worth >= best - PLATEAU]
    return among[len(among) // 2]


def floors(asked: Sequence[Asked]) -> dict[str, float]:
    """The floor of each rule: all rules together strike out at most FLOOR_STRIKES of the right statements. What a
    program decides has none: a sentence that answers a second question too is no reason to refuse it."""
    right = [trial.rules for one in asked for trial in one.trials if trial.holds]
    names = sorted({name for rules in right for name in rules})
    found = floors_of(np.array([[rules[name] for name in names] for rules in right]), FLOOR_STRIKES)
    fitted = {name: round(float(floor), 4) for name, floor in zip(names, found, strict=True)}
    return {name: 0.0 if name in PROGRAMS else floor for name, floor in fitted.items()}


def floors_of(safe: NDArray[np.float64], alarms: float) -> NDArray[np.float64]:
    """[rules] from the probabilities [texts, rules] of texts that keep all rules. Every rule may strike out the same
    number of them, as large as keeps the share of texts that any rule strikes out within `alarms`."""
    ordered = np.sort(safe, axis=0)
    best = np.minimum(STEP_LIMIT, 0.95 * ordered[0])
    for strikes in range(1, len(safe)):
        floors = np.minimum(STEP_LIMIT, ordered[strikes])
        if (safe < floors).any(axis=1).mean() > alarms:
            break
        best = floors
    return np.asarray(best, dtype=np.float64)


def run_calibrate(
    data: Path,
    home: Path,
    out: Path,
    limit: int | None = DEFAULT_LIMIT,
    progress: Progress | None = None,
    *,
    target: Path = BUNDLED,
    sum_target: Path = SUPPORT / "calibration.json",
    settings: Settings | None = None,
) -> Report:
    """Fit the support judge's sum, then choose r_avg, the abstention threshold and the rules' floors.

    Writes the sum to `sum_target`, the thresholds to `target` and a report to `out`.

    Asked candidates are kept in out/calibrate-asked.jsonl: remove it after a change of policy or judges. Raises
    BadInput, ModelMissing, StorageFailed.
    """
    questions, corpus = development(data, limit)
    bench = workbench(home, documents_of(corpus), progress=progress, settings=settings)
    parts = replace(bench.parts, thresholds=Thresholds(abstain=0.0, default_floor=0.0), enough=1.0)
    neutral = replace(bench, parts=parts)
    asked, failures = gather(neutral, questions, out / "calibrate-asked.jsonl", progress)
    calibration = fit_support(asked)
    thresholds, report = fitted(supported(asked, calibration), failures, out)
    # A floor only falls: the trainer of the rule judge set it on more texts than are asked here.
    trained = load_network(RULES)[1].numbers
    lowest = {rule: min(floor, trained.get(f"floor.{rule}", floor)) for rule, floor in thresholds.floors.items()}
    thresholds = replace(thresholds, floors=lowest)
    save_calibration(calibration, sum_target, fitted_on=f"statements for {len(asked)} questions: {report.command}")
    save_thresholds(thresholds, target, origin(asked, report))
    write(report, out)
    return report


def fitted(asked: Sequence[Asked], failures: int, out: Path) -> tuple[Thresholds, Report]:
    """Thresholds and the report that shows what they were chosen from."""
    r_avg, preference_curve = average_preference(asked)
    rows = levels(asked, r_avg)
    chosen = choose(rows)
    thresholds = Thresholds(round(r_avg, 4), round(chosen.threshold, 4), floors(asked))
    figures = dev_figures(asked, r_avg, chosen, failures)
    picture = coverage_picture(
        out / "calibrate.png",
        "Development questions: accuracy over coverage",
        {
            "supported and correct": ([row.answered for row in rows], [row.right for row in rows]),
            "quote holds the answer": ([row.answered for row in rows], [row.holds for row in rows]),
        },
        {
            "supported and correct": (chosen.answered, chosen.right),
            "quote holds the answer": (chosen.answered, chosen.holds),
        },
    )
    curves = {
        "abstention": {name: [getattr(row, name) for row in rows] for name in Level.__slots__},
        "r_avg": {
            name: [point[place] for point in preference_curve] for place, name in enumerate(("r_avg", "right", "auc"))
        },
    }
    settings = {
        "r_avg": f"{thresholds.r_avg}",
        "abstention threshold": f"{thresholds.abstain}",
        "criterion": f"share of quotes that hold the answer - {WRONG_COSTS} * share of those that do not",
        "share of unanswerable questions": f"{UNANSWERABLE}",
        "highest floor of a rule": f"{max(thresholds.floors.values(), default=0.0)}",
    }
    notes = (
        "Development data: a fifth of the training articles of SQuAD and DRCD, by hash; distractors as in the test.",
        "Half as many questions again whose passage is left out of the index, and half as many that the documents know",
        "nothing of (R1-Searcher, CMRC).",
    )
    table = figure_table("Development questions", figures)
    command = "passerine evaluate calibrate"
    return thresholds, Report("calibrate", command, (table,), figures, settings, curves, (picture,), notes)


def dev_figures(asked: Sequence[Asked], r_avg: float, chosen: Level, failures: int) -> dict[str, Figure]:
    """What the chosen thresholds do on the development questions, by language."""
    found: dict[str, Figure] = {}
    for language in sorted({one.language for one in asked}):
        for answerable in (True, False):
            own = [one for one in asked if one.language == language and one.answerable == answerable]
            if own:
                found |= kind_figures(f"calibrate/{language}", own, r_avg, chosen.threshold, failures)
    return found


def kind_figures(name: str, own: Sequence[Asked], r_avg: float, threshold: float, failures: int) -> dict[str, Figure]:
    """Figures of questions of one language that are all answerable, or all not."""
    best = [winner(one, r_avg) for one in own]
    said = [trial is not None and score(trial, r_avg) >= threshold for trial in best]
    groups = [one.group for one in own]

    def figure(values: Sequence[bool], baseline: float | None = None, better: str = "higher") -> Figure:
        mean = metrics.interval([float(value) for value in values], groups)
        return measured(mean, failures=failures, baseline=baseline, better=better)

    if not own[0].answerable:
        return {f"{name}/unanswerable answered": figure(said, 1.0, "lower")}
    right = [trial is not None and trial.right for trial in best]
    holds = [trial is not None and trial.holds for trial in best]
    surest = [max(one.trials, key=lambda trial: trial.log_prob, default=None) for one in own]
    plain = float(np.mean([trial is not None and trial.right for trial in surest]))
    return {
        f"{name}/answerable answered": figure(said, 1.0),
        f"{name}/the winner is supported and correct": figure(right, plain),
        f"{name}/the winner's quote holds the answer": figure(holds),
        f"{name}/said, and the quote holds the answer": figure([a and b for a, b in zip(said, holds, strict=True)]),
    }


def origin(asked: Sequence[Asked], report: Report) -> dict[str, object]:
    """What stands beside the thresholds: where they came from, and the curve."""
    step = max(1, len(report.curves["abstention"]["threshold"]) // 40)
    return {
        "command": report.command,
        "questions": len(asked),
        "data": "a fifth of the articles of squad.train and drcd.train, by hash; half as many questions whose passage "
        "is left out, and half as many from outside",
        "criterion": report.settings["criterion"],
        "curve": {
            name: [round(float(value), 4) for value in values[::step]]
            for name, values in report.curves["abstention"].items()
        },
    }
