"""Approved answers: reviewed by a person, given word for word when a question means the same as one of theirs."""

import logging
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from math import log
from pathlib import Path

import yaml

from indexing.types import BadInput, Encoder, Vectors
from models.heads import Head
from models.talk import Entry, Talk, read_entries
from models.types import Candidate
from models.words import language_of

LOG = logging.getLogger("passerine")
Approved = Entry
"""Wordings of a question by language, and the reviewed answer."""
BUNDLED = Path(__file__).parent / "bundled" / "approved-answers.yaml"
"""The example file: questions about Passerine itself."""


def read_approved(path: Path = BUNDLED) -> list[Approved]:
    """The entries of a file of approved answers (id, questions, answers). Raises BadInput."""
    return read_entries(path, phrases="questions")


def write_approved(path: Path, entries: Sequence[Approved]) -> None:
    """Replaces the file in one step; what it held before, its comments too, is kept beside it with a ~."""
    rows = [
        {
            "id": entry.id,
            "questions": {language: list(texts) for language, texts in entry.phrases.items()},
            "answers": {language: list(texts) for language, texts in entry.answers.items()},
        }
        for entry in entries
    ]
    if path.exists():
        shutil.copy2(path, path.with_name(f"{path.name}~"))
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8") as target:
        yaml.safe_dump(rows, target, allow_unicode=True, sort_keys=False, width=120)
        target.flush()
        os.fsync(target.fileno())
    new.replace(path)


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


class ApprovedFile:
    """The approved answers of a file, read again when it changes: a person edits it while questions are answered."""

    def __init__(self, encoder: Encoder, head: Head, file: Callable[[], Path]) -> None:
        """`file` says which one holds now. Raises BadInput when it cannot be read."""
        self.encoder, self.head, self.file = encoder, head, file
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._current = ApprovedAnswers(encoder, head, read_approved(file()))

    def candidates(self, turn: str, n: int = 1, vector: Vectors | None = None) -> list[Candidate]:
        """As of `ApprovedAnswers`."""
        return self.current().candidates(turn, n, vector)

    def current(self) -> ApprovedAnswers:
        """What the file holds now; while it cannot be read, what it held before."""
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                try:
                    self._current = ApprovedAnswers(self.encoder, self.head, read_approved(self.file()))
                except BadInput as error:
                    LOG.warning("the approved answers stay as they were: %s", error)
            return self._current

    def _stamp(self) -> tuple[Path, int, int, int] | None:
        path = self.file()
        try:
            found = path.stat()
        except OSError:
            return None
        return path, found.st_mtime_ns, found.st_size, found.st_ino
