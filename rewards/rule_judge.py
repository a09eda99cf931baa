"""The rule judge: one pass per candidate, whatever the number of rules; a new rule works by its text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.types import Candidate, Conversation
from rewards.interaction import Interaction, Reader, Trained, load_network
from rewards.network_fit import outputs_of
from rewards.readings import ANSWER, QUESTION, Readings, draft
from rewards.rules import PROGRAMS, split_example
from rewards.types import Rule

BUNDLED = Path(__file__).parent / "bundled" / "rules"
PARTS = 4
"""Text in English, text in Chinese, examples of breaking it, examples of keeping it."""
MOST_EXAMPLES = 12


@dataclass(frozen=True, slots=True)
class RuleVectors:
    """`parts` [rules, PARTS, 384]: mean states of a rule's texts and examples, zero where it has none."""

    ids: tuple[str, ...]
    parts: Tensor

    def flat(self, shown: Tensor | None = None) -> Tensor:
        """[rules, PARTS * 384]; `shown` [rules, PARTS] of 0 and 1 hides parts."""
        parts = self.parts if shown is None else self.parts * shown[..., None]
        return parts.flatten(1)


def rule_texts(rule: Rule) -> tuple[list[str], ...]:
    """The texts of each part of a rule's vector."""
    shown = [[ANSWER + split_example(text)[1] for text in some[:MOST_EXAMPLES]] for some in (rule.breaks, rule.keeps)]
    return [QUESTION + rule.text_en], [QUESTION + rule.text_zh], *shown


def rule_vectors(reader: Reader, rules: Sequence[Rule]) -> RuleVectors:
    """Read all rules in one call to the trunk."""
    groups = [rule_texts(rule) for rule in rules]
    flat = [text for group in groups for texts in group for text in texts]
    found = {
        text: torch.from_numpy(read.states.astype("float32")).mean(dim=0)
        for text, read in zip(flat, reader.read(flat), strict=True)
    }
    width = len(next(iter(found.values()))) if found else 384
    parts = torch.zeros(len(rules), PARTS, width)
    for i, group in enumerate(groups):
        for j, texts in enumerate(group):
            if texts:
                mean = torch.stack([found[text] for text in texts]).mean(dim=0)
                parts[i, j] = (mean - mean.mean()) / (mean.std() + 1e-6)
    return RuleVectors(tuple(rule.id for rule in rules), parts)


class TrainedRules:
    """p_i = P(rule i is kept | dialogue, candidate, text of rule i).

    The rules' texts are read once, when the judge is made. Repetition is decided by a program.
    """

    name = "rules"

    def __init__(self, readings: Readings, network: Interaction, trained: Trained, rules: Sequence[Rule]) -> None:
        self.readings = readings
        self.network = network
        self.trained = trained
        self.rules = tuple(rules)
        self.vectors = rule_vectors(
            Readings(readings.trunk, readings.layer), [r for r in rules if r.id not in PROGRAMS]
        )

    @classmethod
    def load(cls, readings: Readings, rules: Sequence[Rule], folder: Path = BUNDLED) -> "TrainedRules":
        """The judge of `folder` for these rules. Raises ModelMissing, ModelDamaged or EncoderMismatch."""
        return cls(readings, *load_network(folder, readings.fingerprint, readings.layer), rules)

    def judge(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[dict[str, float]]:
        """For each candidate the probability, by rule id, that the rule is kept."""
        if not candidates:
            return []
        drafts = [draft(conversation, candidate) for candidate in candidates]
        judged: list[dict[str, float]] = [{} for _ in candidates]
        if self.vectors.ids:
            logits = torch.from_numpy(outputs_of(self.network, self.readings, drafts, self.vectors.flat()))
            judged = [dict(zip(self.vectors.ids, row, strict=True)) for row in logits.sigmoid().tolist()]
        for candidate, found in zip(candidates, judged, strict=True):
            for rule in self.rules:
                if rule.id in PROGRAMS:
                    found[rule.id] = PROGRAMS[rule.id](conversation, candidate)
        return [{rule.id: found[rule.id] for rule in self.rules} for found in judged]
