"""What each part of the selection adds: the same candidates and judgements, with fewer judges or fewer drafts."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from eval.report import Table, share
from models.types import Candidate
from rewards.select import Thresholds, kept, sigmoid
from rewards.types import Judgement
from service.types import Answer

Score = Callable[[Candidate, Judgement, float], float]
"""score(candidate, judgement, log-odds of an average preference) -> what the choice goes by."""

WAYS: Mapping[str, Score] = {
    "policy alone": lambda candidate, _, __: candidate.log_prob,
    "preference": lambda _, judgement, average: sigmoid(judgement.preference - average),
    "preference, rules": lambda _, judgement, average: sigmoid(judgement.preference - average) * kept(judgement.rules),
    "support": lambda _, judgement, __: judgement.support,
    "preference, rules, support": lambda _, judgement, average: (
        sigmoid(judgement.preference - average) * kept(judgement.rules) * judgement.support
    ),
}
DRAFTS = (1, 2, 4, 8)
"""Numbers of statements to choose from, the policy's surest first."""
COVERAGE = 0.7
"""Share of the answerable questions, the surest ones, whose accuracy is reported beside that of all."""


def choices(
    answer: Answer, thresholds: Thresholds, right: Callable[[Candidate], bool]
) -> dict[str, tuple[float, bool]]:
    """For each way of choosing the score of its best statement with evidence, and whether that one is right.

    A way without any statement has (0, False).
    """
    stated = [
        (candidate, judgement)
        for candidate, judgement in zip(answer.candidates, answer.judgements, strict=True)
        if candidate.kind == "statement" and candidate.quotes
    ]
    stated.sort(key=lambda pair: -pair[0].log_prob)
    found = {name: best(stated, score, thresholds, right) for name, score in WAYS.items()}
    whole = WAYS["preference, rules, support"]
    found |= {f"of {count}": best(stated[:count], whole, thresholds, right) for count in DRAFTS}
    return found


def best(
    stated: Sequence[tuple[Candidate, Judgement]],
    score: Score,
    thresholds: Thresholds,
    right: Callable[[Candidate], bool],
) -> tuple[float, bool]:
    """Score and rightness of the best of some statements."""
    scores = [score(candidate, judgement, thresholds.r_avg) for candidate, judgement in stated]
    if not scores:
        return 0.0, False
    place = int(np.argmax(scores))
    return scores[place], right(stated[place][0])


def accuracy_at(pairs: Sequence[tuple[float, bool]], coverage: float = 1.0) -> float:
    """Accuracy of the surest `coverage` of some (score, right) pairs; nan without any."""
    kept_ = sorted(pairs, key=lambda pair: -pair[0])[: max(1, round(coverage * len(pairs)))]
    return float(np.mean([right for _, right in kept_])) if pairs else float("nan")


def answered_at(yes: Sequence[float], no: Sequence[float], coverage: float = 0.85) -> float:
    """Share of the unanswerable questions that score at least as high as the surest `coverage` of the answerable."""
    border = sorted(yes, reverse=True)[max(0, round(coverage * len(yes)) - 1)]
    return float(np.mean([score >= border for score in no]))


def selection_table(chosen: Mapping[str, Sequence[Mapping[str, tuple[float, bool]]]]) -> Table:
    """Supported and correct by way of choosing, for each set of answerable questions: all, and the surest COVERAGE."""
    rows = []
    names = [*WAYS, *(f"of {count}" for count in DRAFTS)]
    for way in names:
        cells = [way if not way.startswith("of ") else f"all judges, {way[3:]} statement(s)"]
        for own in chosen.values():
            pairs = [one[way] for one in own]
            cells += [share(accuracy_at(pairs)), share(accuracy_at(pairs, COVERAGE))]
        rows.append(tuple(cells))
    head = [f"{name}, {label}" for name in chosen for label in ("all", f"surest {COVERAGE:.0%}")]
    return Table("What each part adds: supported and correct", ("choice by", *head), tuple(rows))
