"""Questions beside their passages, as tasks for the chat model to learn from."""

import random
from dataclasses import dataclass
from pathlib import Path

from indexing.types import Hit
from models.demonstrations import hit_of
from models.fit import fold
from models.prompts import BRIEF, NOT_SAID, evidence_prompt
from models.reader_rows import Row, read_rows
from models.train_ppo import Task
from models.types import Conversation, Turn

FILES = ("qa/squad.train.jsonl.gz",)
TASKS = 2_000
UNANSWERABLE = 0.3
"""Share of the questions that their passage does not answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a task asks, and the passage that it shows."""

    conversation: Conversation
    hit: Hit


def training_rows(data: Path, development: bool = False) -> list[Row]:
    """Questions of the training or the development articles. Raises BadInput when the file is absent."""
    return [row for row in read_rows(data / FILES[0]) if (fold(row.article) == 0) == development]


def drawn_rows(data: Path, seed: int, most: int, development: bool = False) -> list[Row]:
    """Some of them, UNANSWERABLE by their share. Raises BadInput when the file is absent."""
    rows, rng = training_rows(data, development), random.Random(seed)
    chosen = []
    for answerable, part in ((True, 1 - UNANSWERABLE), (False, UNANSWERABLE)):
        own = [row for row in rows if bool(row.answers) == answerable]
        chosen += rng.sample(own, min(round(part * most), len(own)))
    return chosen


def task_of(row: Row) -> tuple[Task, Question]:
    """A question beside its passage, as the policy is shown it and as the judges are."""
    conversation, hit = Conversation((Turn("user", row.question),)), hit_of(row.article, row.context)
    prompt = evidence_prompt(conversation, (hit,), row.question, BRIEF)
    return Task(prompt, row.id, row.context, (NOT_SAID,)), Question(conversation, hit)


def questions(data: Path, seed: int, most: int = TASKS) -> tuple[list[Task], dict[str, Question]]:
    """Reading tasks from the training articles. Raises BadInput when the file is absent."""
    made = [task_of(row) for row in drawn_rows(data, seed, most)]
    return [task for task, _ in made], {task.key: question for task, question in made}
