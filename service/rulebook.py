"""The rules as the operator set them: which ones answers are judged by, and the floor of each.

What was set is kept in the database and read at each question, so that an answer obeys at once, in every process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Engine, delete, insert, select

from indexing.types import BadInput, NotFound
from models.types import Candidate, Conversation
from rewards.select import Thresholds
from rewards.types import Rule, RuleJudge
from service.database import RULES
from service.errors import did_you_mean
from service.pipeline import Parts


@dataclass(frozen=True, slots=True)
class Ruling:
    """A rule as it holds now. A candidate that keeps it with less probability than `floor` is left out; `usual_floor`
    is the one that holds where the operator set none, both in [0, 1]."""

    id: str
    group: str
    text_en: str
    text_zh: str
    enabled: bool
    floor: float
    usual_floor: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the operator set of a rule; `floor` None: the usual one."""

    enabled: bool = True
    floor: float | None = None


@dataclass(slots=True)
class Without:
    """A rule judge that says nothing of some rules: they neither strike a candidate out nor weigh in its score."""

    judging: RuleJudge
    rules: frozenset[str]
    name: str = "rules"

    def judge(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[dict[str, float]]:
        judged = self.judging.judge(conversation, candidates)
        return [{rule: p for rule, p in found.items() if rule not in self.rules} for found in judged]


class Rulebook:
    """The rules of the file with what was set of them. Safe to use from several threads and processes."""

    def __init__(self, engine: Engine, rules: Sequence[Rule], thresholds: Thresholds) -> None:
        self.engine, self.rules, self.thresholds = engine, tuple(rules), thresholds

    def list(self) -> "list[Ruling]":
        """In the order of the rules file."""
        chosen = self._chosen()
        return [self._ruling(rule, chosen.get(rule.id, Chosen())) for rule in self.rules]

    def set(self, rule_id: str, chosen: Chosen) -> Ruling:
        """From the next question on it holds. Raises NotFound, and BadInput for a floor outside [0, 1]."""
        rule = self._rule(rule_id)
        if chosen.floor is not None and not 0.0 <= chosen.floor <= 1.0:
            raise BadInput(f"The floor {chosen.floor} is no probability.", "It is a number from 0 to 1.")
        with self.engine.begin() as connection:
            connection.execute(delete(RULES).where(RULES.c.id == rule_id))
            if chosen != Chosen():
                connection.execute(insert(RULES).values(id=rule_id, enabled=chosen.enabled, floor=chosen.floor))
        return self._ruling(rule, chosen)

    def chosen(self, rule_id: str) -> Chosen:
        """What is set of a rule. Raises NotFound."""
        self._rule(rule_id)
        return self._chosen().get(rule_id, Chosen())

    def applied(self, parts: Parts) -> Parts:
        """The parts of an answer that obeys what is set now."""
        chosen = self._chosen()
        if not chosen:
            return parts
        off = frozenset(rule_id for rule_id, each in chosen.items() if not each.enabled)
        floors = {rule_id: each.floor for rule_id, each in chosen.items() if each.floor is not None}
        on = [replace(rule, floor=floors.get(rule.id, rule.floor)) for rule in self.rules if rule.id not in off]
        return replace(parts, rule=Without(parts.rule, off), rules=on)

    def _chosen(self) -> dict[str, Chosen]:
        with self.engine.connect() as connection:
            found = connection.execute(select(RULES.c.id, RULES.c.enabled, RULES.c.floor))
            return {rule_id: Chosen(enabled, floor) for rule_id, enabled, floor in found}

    def _rule(self, rule_id: str) -> Rule:
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        hint = did_you_mean(rule_id, [rule.id for rule in self.rules])
        raise NotFound(f"There is no rule '{rule_id}'.", f"{hint}GET /v1/rules lists them.")

    def _ruling(self, rule: Rule, chosen: Chosen) -> Ruling:
        usual = self.thresholds.floor(rule.id, {rule.id: rule})
        floor = usual if chosen.floor is None else chosen.floor
        return Ruling(rule.id, rule.group, rule.text_en, rule.text_zh, chosen.enabled, floor, usual)
