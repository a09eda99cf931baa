"""What became of a question: is the answer right, does its quote hold the answer, was it right to answer at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from eval import metrics
from eval.datasets import Question
from eval.report import Figure, measured
from eval.selection import accuracy_at, answered_at, choices
from models.measures import token_f1
from models.types import Candidate
from rewards.select import Thresholds
from service.types import Answer

CORRECT_F1 = 0.5
"""`short` is correct from this token F1 on with a gold answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question after the answer flow.

    `said`: a statement was answered. `score` is that of the best statement, said or not, and `holds`, `correct`, `f1`
    judge that one: its quote holds a gold answer; it is supported and correct (F1 of `short` >= .5 and a quote that
    holds a gold answer). `any_holds`: some candidate's quote does; `read_holds`: some passage that was read does.
    `surest_correct`: the statement that the policy itself was surest of is supported and correct (no judges).
    `failure` says why there was no answer, "" when there was one.
    """

    id: str
    group: str
    language: str
    answerable: bool
    verdict: str = ""
    said: bool = False
    score: float = 0.0
    f1: float = 0.0
    holds: bool = False
    correct: bool = False
    any_holds: bool = False
    read_holds: bool = False
    surest_correct: bool = False
    timings: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""
    signature: str = ""
    choices: Mapping[str, tuple[float, bool]] = field(default_factory=dict)
    """By way of choosing (eval/selection.py): score and rightness of the best statement."""


def outcome_of(question: Question, answer: Answer | str, thresholds: Thresholds) -> Outcome:
    """Judge an answer against the gold answers. `thresholds` are those that it was selected by."""
    base = {
        "id": question.id, "group": question.title, "language": question.language, "answerable": question.answerable,
    }  # fmt: skip
    if isinstance(answer, str):
        return Outcome(**base, failure=answer)  # type: ignore[arg-type]
    statements = [i for i, one in enumerate(answer.candidates) if one.kind == "statement" and one.quotes]
    best = best_statement(answer, statements)
    surest = max(statements, key=lambda i: answer.candidates[i].log_prob, default=None)
    golds = question.answers
    passages = {hit.passage.id: hit.passage.text for one in answer.candidates for hit in one.evidence}
    return Outcome(
        **base,  # type: ignore[arg-type]
        verdict=answer.verdict,
        said=answer.verdict == "answered" and answer.chosen is not None and answer.chosen == best,
        score=answer.judgements[best].score if best is not None else 0.0,
        f1=token_f1(answer.candidates[best].short, golds) if best is not None else 0.0,
        holds=best is not None and quote_holds(answer.candidates[best], golds),
        correct=best is not None and supported_and_correct(answer.candidates[best], golds),
        any_holds=any(quote_holds(answer.candidates[i], golds) for i in statements),
        read_holds=any(metrics.holds(text, golds) for text in passages.values()),
        surest_correct=surest is not None and supported_and_correct(answer.candidates[surest], golds),
        timings=dict(answer.timings),
        signature=signature(answer),
        choices=choices(answer, thresholds, lambda one: question.answerable and supported_and_correct(one, golds)),
    )


def best_statement(answer: Answer, statements: Sequence[int]) -> int | None:
    """The chosen statement, or the one with the best score where none was chosen."""
    if answer.chosen in statements:
        return answer.chosen
    return max(statements, key=lambda i: answer.judgements[i].score, default=None)


def quote_holds(candidate: Candidate, golds: Sequence[str]) -> bool:
    return any(metrics.holds(quote.text, golds) for quote in candidate.quotes)


def supported_and_correct(candidate: Candidate, golds: Sequence[str]) -> bool:
    return quote_holds(candidate, golds) and token_f1(candidate.short, golds) >= CORRECT_F1


def signature(answer: Answer) -> str:
    """What a person would call the same answer: verdict, bare answer, the words of all quotes."""
    quoted = "".join("".join(citation.quote.split()) for citation in answer.citations)
    return "\n".join([answer.verdict, answer.short, quoted])


@dataclass(frozen=True, slots=True)
class Curve:
    """From the surest answer to the least sure: the share of questions answered, and the accuracy of those."""

    coverage: tuple[float, ...]
    accuracy: tuple[float, ...]
    threshold: tuple[float, ...]


def curve(outcomes: Sequence[Outcome], right: str = "correct") -> Curve:
    """Accuracy (by the field `right`) over coverage as the threshold falls; equal scores move together."""
    done = sorted((one for one in outcomes if not one.failure), key=lambda one: -one.score)
    scores = np.array([one.score for one in done])
    good = np.cumsum([getattr(one, right) and one.answerable for one in done])
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True) & (scores > 0)) if len(done) else np.array([], int)
    return Curve(
        tuple(((last + 1) / len(done)).tolist()) if len(done) else (),
        tuple((good[last] / (last + 1)).tolist()),
        tuple(scores[last].tolist()),
    )


def mean(outcomes: Sequence[Outcome], values: Sequence[bool | float]) -> metrics.Interval:
    """A mean over outcomes with an interval that draws articles."""
    return metrics.interval([float(value) for value in values], [one.group for one in outcomes])


def figures(name: str, outcomes: Sequence[Outcome], targets: Mapping[str, float]) -> dict[str, Figure]:
    """Every figure of one set of questions."""
    failed = sum(bool(one.failure) for one in outcomes)
    done = [one for one in outcomes if not one.failure]
    yes = [one for one in done if one.answerable]
    no = [one for one in done if not one.answerable]
    said = [one for one in done if one.said]
    found: dict[str, Figure] = {}

    def add(label: str, among: Sequence[Outcome], values: Sequence[bool | float], **rest: float | str | None) -> None:
        if among:
            found[f"answers/{name}/{label}"] = measured(
                mean(among, values), failures=failed, target=targets.get(label), **rest
            )

    add("quote holds the answer", yes, [one.said and one.holds for one in yes])
    add("quote holds the answer, never abstaining", yes, [one.holds for one in yes])
    add("some candidate's quote holds it", yes, [one.any_holds for one in yes])
    add("some passage read holds it", yes, [one.read_holds for one in yes])
    surest = float(np.mean([one.surest_correct for one in yes])) if yes else None
    add("supported and correct", yes, [one.said and one.correct for one in yes])
    add("supported and correct, never abstaining", yes, [one.correct for one in yes], baseline=surest)
    if yes:
        pairs = [(one.score, one.correct) for one in yes]
        label = "supported and correct, surest 70%"
        found[f"answers/{name}/{label}"] = Figure(accuracy_at(pairs, 0.7), len(yes), target=targets.get(label))
    if yes and no:
        label = "unanswerable answered, at 85% of the answerable"
        found[f"answers/{name}/{label}"] = Figure(
            answered_at([one.score for one in yes], [one.score for one in no]),
            len(no),
            target=targets.get(label),
            better="lower",
        )
    add("token F1, never abstaining", yes, [one.f1 for one in yes])
    add("answerable answered", yes, [one.said for one in yes])
    add("unanswerable answered", no, [one.said for one in no], baseline=1.0, better="lower")
    add("right among the answered", said, [one.correct and one.answerable for one in said])
    add("quote right among the answered", said, [one.holds and one.answerable for one in said])
    found[f"answers/{name}/completed"] = Figure(len(done) / len(outcomes), len(outcomes), failures=failed)
    return found


def latencies(outcomes: Sequence[Outcome]) -> dict[str, Figure]:
    """p50 and p95 of every stage, in milliseconds."""
    done = [one.timings for one in outcomes if not one.failure]
    stages = list(dict.fromkeys(stage for timings in done for stage in timings))
    found = {}
    for stage in stages:
        values = [1000 * timings[stage] for timings in done if stage in timings]
        for label, level in (("p50", 0.5), ("p95", 0.95)):
            target = 500.0 if (stage, label) == ("total", "p50") else None
            found[f"latency/{stage}/{label}"] = Figure(
                metrics.percentile(values, level), len(values), unit="ms", better="lower", target=target
            )
    return found
