"""Approved answers: reviewed by a person, given word for word when a question means the same as one of theirs."""

from math import log
from pathlib import Path

from indexing.types import Vectors
from models.talk import Entry as Approved
from models.talk import Talk, read_entries
from models.types import Candidate
from models.words import language_of

BUNDLED = Path(__file__).parent / "bundled" / "approved-answers.yaml"
"""The example file: questions about Passerine itself."""


def read_approved(path: Path = BUNDLED) -> list[Approved]:
    """The entries of a file of approved answers (id, questions, answers). Raises BadInput."""
    return read_entries(path, phrases="questions")


class ApprovedAnswers(Talk):
    """The reviewed answer to a question, where one is past the threshold."""

    def candidates(self, turn: str, n: int = 1, vector: Vectors | None = None) -> list[Candidate]:
        """At most one candidate of kind "approved"; `short` is empty, the text is the reviewed one."""
        if self.phrases is None or not turn.strip() or n < 1:
            return []
        match = self.phrases.match(turn, vector)
        if match.probability < self.threshold:
            return []
        answers = self.entries[match.entry].answers
        text = (answers.get(language_of(turn)) or next(iter(answers.values())))[0]
        return [Candidate(text, log_prob=min(0.0, log(match.probability)), origin="approved", kind="approved")]
