"""The score of each candidate, the verdict, and the reason in words. Pure functions, and the thresholds they need.

    score = sigmoid(r - r_avg) * (p_1 * ... * p_n)^(1/n) * s

r is the preference reward, p_i the probability that rule i is kept, s the support: Sparrow's product of experts
(Glaese et al. 2022) with groundedness added.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from indexing.types import BadInput, ModelDamaged
from models.types import Candidate, Plan
from models.versions import is_meant_before
from rewards.reasons import Words, words
from rewards.types import Judgement, Rule

Verdict = Literal["answered", "abstained", "refused", "clarify"]

BUNDLED = Path(__file__).parent / "bundled" / "thresholds.json"
EVASIONS = ("talk", "absent")
"""Kinds that state no fact: after a search they compete only if no supported candidate passes the threshold."""
CLEAR = 0.4
"""Least score of a statement where the plan doubts that documents are asked."""
NEARLY = 0.6
"""Share of the best score from which on a statement from the version of the document that is meant is said instead."""
CERTAIN = ("approved", "tool")
"""Kinds whose words need no quote: a person reviewed them, or a program computed them."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Constants fitted on development data.

    `r_avg` is the preference that counts as average; `abstain` in [0, 1] is the least score of a statement that may
    be said; `floors` maps rule id to the least probability of being kept; `default_floor` is for rules that a user
    added after the floors were fitted.
    """

    r_avg: float = 0.0
    abstain: float = 0.2
    floors: Mapping[str, float] = field(default_factory=dict)
    default_floor: float = 0.05

    def doubting(self) -> "Thresholds":
        """Those for a turn that may be no question to the documents: what they say must be clear."""
        return replace(self, abstain=max(self.abstain, CLEAR))

    def floor(self, rule: str, book: Mapping[str, Rule]) -> float:
        """The floor of a rule: the one written in the book when there is one, else the fitted one."""
        written = book[rule].floor if rule in book else None
        return self.floors.get(rule, self.default_floor) if written is None else written


@dataclass(frozen=True, slots=True)
class Selection:
    """`judgements[i]` belongs to candidate i; `chosen` is the winner's index, None when none is said.

    `refused_rule` is the id of the rule that struck out the last candidate, None unless the verdict is "refused".
    """

    judgements: tuple[Judgement, ...]
    chosen: int | None
    verdict: Verdict
    reason: str
    refused_rule: str | None = None


def load_thresholds(path: Path = BUNDLED) -> Thresholds:
    """Read thresholds.json. Raises ModelDamaged when it cannot be understood."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        floors = {str(rule): float(floor) for rule, floor in data["floors"].items()}
        found = Thresholds(float(data["r_avg"]), float(data["abstain"]), floors, float(data["default_floor"]))
    except FileNotFoundError as error:
        raise ModelDamaged(f"The thresholds are missing: {path}.", "Install the package again.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "Write them again with `passerine evaluate calibrate`, or install the package again."
        raise ModelDamaged(f"The thresholds in {path} cannot be read.", hint) from error
    shares = (found.abstain, found.default_floor, *found.floors.values())
    if not (math.isfinite(found.r_avg) and all(0.0 <= share <= 1.0 for share in shares)):
        raise ModelDamaged(f"A threshold in {path} lies outside [0, 1].", "Install the package again.")
    return found


def save_thresholds(thresholds: Thresholds, path: Path, extra: Mapping[str, object] | None = None) -> None:
    """Write thresholds.json; `extra` adds where they came from (data, curve) and is not read back."""
    data: dict[str, object] = {
        "r_avg": thresholds.r_avg,
        "abstain": thresholds.abstain,
        "default_floor": thresholds.default_floor,
        "floors": dict(sorted(thresholds.floors.items())),
    }
    text = json.dumps({**data, **(extra or {})}, ensure_ascii=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8")


def sigmoid(value: float) -> float:
    """1 / (1 + e^-value), without overflow."""
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    return math.exp(value) / (1.0 + math.exp(value))


def kept(probabilities: Mapping[str, float]) -> float:
    """The geometric mean of the rules' probabilities, in [0, 1]; 1 when there are no rules."""
    if not probabilities:
        return 1.0
    if min(probabilities.values()) <= 0.0:
        return 0.0
    return math.exp(sum(math.log(p) for p in probabilities.values()) / len(probabilities))


def ambiguity(candidates: Sequence[Candidate]) -> float:
    """The probability that the question is ambiguous: that of the surest clarify candidate, 0 without one."""
    return max((math.exp(min(c.log_prob, 0.0)) for c in candidates if c.kind == "clarify"), default=0.0)


def effective_support(candidate: Candidate, support: float, searched: bool, ambiguous: float) -> float:
    """s of the formula, by the kind of the candidate.

    A statement has the support judge's value, none when the plan searched and it cites nothing; without a search
    (free composition) nothing is claimed of documents, and s is 1. An ambiguous question leaves a statement its
    share of the probability.
    """
    if candidate.kind == "clarify":
        return math.exp(min(candidate.log_prob, 0.0))
    if candidate.kind != "statement":
        return 1.0
    if not candidate.quotes:
        return (1.0 - ambiguous) if not searched else 0.0
    return support * (1.0 - ambiguous)


def select(
    plan: Plan,
    candidates: Sequence[Candidate],
    preferences: Sequence[float],
    rules: Sequence[Mapping[str, float]],
    supports: Sequence[float],
    thresholds: Thresholds,
    *,
    question: str = "",
    book: Sequence[Rule] = (),
) -> Selection:
    """Rank the candidates and say what is to be done.

    `question` gives the language of the reasons, `book` the texts of the rules and the floors its user set.
    Approved answers are a person's own words and win when they are proposed. No floor strikes out what was written or
    computed beforehand (approved answers, tools, small talk, questions back): the judges learnt from free text.
    A clarifying question competes by its score: its support is no free 1 but the probability of ambiguity.
    Raises BadInput when the lists differ in length.
    """
    if not len(candidates) == len(preferences) == len(rules) == len(supports):
        raise BadInput("Every candidate needs a preference, its rules and a support.", "Judge all candidates.")
    say, texts, searched = words(question), {rule.id: rule for rule in book}, bool(plan.queries)
    ambiguous = ambiguity(candidates)
    trials = [
        _trial(*each, searched, ambiguous, thresholds, texts)
        for each in zip(candidates, preferences, rules, supports, strict=True)
    ]
    verdict, chosen, culprit = _decide(trials, searched, thresholds, question)
    reasons = [
        _reason(say, trials, i, chosen, verdict, searched, thresholds, texts, question) for i in range(len(trials))
    ]
    judgements = tuple(
        Judgement(trial.preference, dict(trial.rules), trial.support, trial.score, reason)
        for trial, reason in zip(trials, reasons, strict=True)
    )
    overall = _overall(say, trials, verdict, chosen, culprit, thresholds, texts)
    return Selection(judgements, chosen, verdict, overall, culprit)


@dataclass(frozen=True, slots=True)
class _Trial:
    candidate: Candidate
    preference: float
    liking: float
    rules: Mapping[str, float]
    keeping: float
    support: float
    score: float
    broken: str | None
    floor: float


def _trial(
    candidate: Candidate,
    preference: float,
    rules: Mapping[str, float],
    support: float,
    searched: bool,
    ambiguous: float,
    thresholds: Thresholds,
    texts: Mapping[str, Rule],
) -> _Trial:
    liking, keeping = sigmoid(preference - thresholds.r_avg), kept(rules)
    share = effective_support(candidate, support, searched, ambiguous)
    margins = {rule: p - thresholds.floor(rule, texts) for rule, p in rules.items()}
    worst = min(margins, key=lambda rule: (margins[rule], rule), default=None)
    broken = worst if worst is not None and margins[worst] < 0 and candidate.kind == "statement" else None
    floor = thresholds.floor(broken, texts) if broken else 0.0
    score = liking * keeping * share
    return _Trial(candidate, preference, liking, rules, keeping, share, score, broken, floor)


def _best(trials: Sequence[_Trial], among: Sequence[int]) -> int | None:
    """The index with the best score; equal scores go to the surer policy, then to the earlier candidate."""
    return max(among, key=lambda i: (trials[i].score, trials[i].candidate.log_prob, -i), default=None)


def _meant(trials: Sequence[_Trial], among: Sequence[int], best: int, question: str) -> int:
    """The best, or the best of those that score nearly as well and quote the version of its document that is meant."""
    own = trials[best]
    rivals = [
        i
        for i in among
        if trials[i].candidate.kind == "statement"
        and trials[i].score >= NEARLY * own.score
        and is_meant_before(question, trials[i].candidate, own.candidate)
    ]
    found = _best(trials, rivals)
    return best if found is None else found


def _decide(
    trials: Sequence[_Trial], searched: bool, thresholds: Thresholds, question: str
) -> tuple[Verdict, int | None, str | None]:
    """Verdict, winner, and the rule that led to a refusal."""

    def passes(trial: _Trial) -> bool:
        return trial.candidate.kind != "statement" or trial.score >= thresholds.abstain

    left = [i for i, trial in enumerate(trials) if trial.broken is None]
    approved = _best(trials, [i for i in left if trials[i].candidate.kind == "approved"])
    if approved is not None:
        return "answered", approved, None
    firm = [i for i in left if trials[i].candidate.kind not in EVASIONS and passes(trials[i])]
    soft = [i for i in left if trials[i].candidate.kind in EVASIONS]
    best = _best(trials, firm if searched and firm else firm + soft)
    if best is not None and trials[best].candidate.kind not in EVASIONS:
        said = _meant(trials, firm, best, question)
        return ("clarify" if trials[said].candidate.kind == "clarify" else "answered"), said, None
    # An honest "not in the index" must not hide that an answer was there and broke a rule.
    # Its rules aside, would it have been said?
    struck = [i for i, t in enumerate(trials) if t.broken and _would_pass(t, thresholds)]
    if struck or (trials and not left):
        worst = _best(trials, struck or range(len(trials)))
        return "refused", None, trials[worst].broken if worst is not None else None
    if best is None or trials[best].candidate.kind == "absent":
        return "abstained", best, None
    return "answered", best, None


def _would_pass(trial: _Trial, thresholds: Thresholds) -> bool:
    if trial.candidate.kind == "statement":
        return trial.liking * trial.support >= thresholds.abstain
    return trial.candidate.kind not in EVASIONS


def _reason(
    say: Words,
    trials: Sequence[_Trial],
    i: int,
    chosen: int | None,
    verdict: Verdict,
    searched: bool,
    thresholds: Thresholds,
    texts: Mapping[str, Rule],
    question: str,
) -> str:
    """One sentence: why candidate i won or lost."""
    trial, kind = trials[i], trials[i].candidate.kind
    if trial.broken:
        return say.broken(texts.get(trial.broken), trial.broken, trial.rules[trial.broken], trial.floor)
    if i == chosen:
        if kind == "statement":
            return say.won(len(trials), trial.liking, trial.keeping, trial.support)
        return say.kind_won(kind, trial.support)
    if kind in EVASIONS and searched and verdict in ("answered", "clarify"):
        return say.evasion()
    if kind == "statement" and not trial.candidate.quotes and searched:
        return say.uncited()
    if chosen is not None and trials[chosen].candidate.kind == "approved":
        return say.approved_first(chosen + 1)
    if kind == "statement" and trial.score < thresholds.abstain:
        return say.under(trial.score, thresholds.abstain, trial.support)
    if chosen is None or trials[chosen].candidate.kind in EVASIONS:
        return say.not_chosen(trial.score)
    winner = trials[chosen]
    if trial.score > winner.score and is_meant_before(question, winner.candidate, trial.candidate):
        return say.other_version(chosen + 1)
    shares = [(winner.liking, trial.liking), (winner.keeping, trial.keeping), (winner.support, trial.support)]
    gaps = [math.log(max(best, 1e-9)) - math.log(max(own, 1e-9)) for best, own in shares]
    part = gaps.index(max(gaps))
    return say.lost(chosen + 1, part, shares[part][1], shares[part][0], trial.score, winner.score)


def _overall(
    say: Words,
    trials: Sequence[_Trial],
    verdict: Verdict,
    chosen: int | None,
    culprit: str | None,
    thresholds: Thresholds,
    texts: Mapping[str, Rule],
) -> str:
    if verdict == "refused":
        return say.refused(texts.get(culprit or ""), culprit or "")
    if verdict == "abstained":
        scores = [t.score for t in trials if t.candidate.kind == "statement" and t.candidate.quotes]
        return say.abstained(max(scores) if scores else None, thresholds.abstain)
    if chosen is None:  # cannot be: only the two verdicts above choose nothing
        return ""
    trial = trials[chosen]
    if trial.candidate.kind == "statement":
        return say.won(len(trials), trial.liking, trial.keeping, trial.support)
    return say.kind_won(trial.candidate.kind, trial.support)
