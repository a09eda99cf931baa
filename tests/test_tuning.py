"""The reward of the chat model: what is grounded pays, what is made up or out of format does not."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from models.demonstrations import hit_of
from models.fit import fold
from models.prompts import NOT_SAID
from models.reader import Reader
from models.reader_rows import Row
from models.train_ppo import Task
from models.types import Candidate, Conversation, Turn
from rewards.select import Thresholds
from service.reading_tasks import Question, drawn_rows, questions
from service.tuning import LIKELY, MALFORMED, SILENT, Judges, Rewards, truth
from tests.test_demonstrations import PASSAGE, data  # noqa: F401 - a fixture

ASKED = Question(Conversation((Turn("user", "When was the mill built?"),)), hit_of("The mill", PASSAGE))
TASK = Task((), "q")


class Scripted:
    """Every judge at once: right is what says 1791."""

    name = "scripted"

    def __init__(self, kind: str) -> None:
        self.kind, self.seen = kind, list[str]()

    def judge(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[object]:
        self.seen += [candidate.text for candidate in candidates]
        if self.kind == "rules":
            return [{"one": 1.0, "two": 1.0} for _ in candidates]
        if self.kind == "preference":
            return [100.0 for _ in candidates]
        return [1.0 if candidate.short == "1791" else 0.1 for candidate in candidates]


@pytest.fixture
def rewards() -> Rewards:
    judges = [Scripted(kind) for kind in ("preference", "rules", "support")]
    return Rewards({"q": ASKED}, Judges(*judges, Thresholds()))  # type: ignore[arg-type]


def totals(rewards: Rewards, *replies: str) -> list[float]:
    return [parts["total"] for parts in rewards([TASK] * len(replies), replies)]


def test_a_grounded_answer_pays_most_and_silence_more_than_a_wrong_one(rewards: Rewards) -> None:
    right, wrong, silent = totals(rewards, "1791", "Ann Hale", NOT_SAID)
    assert right == pytest.approx(1.0)
    assert wrong == pytest.approx(0.1)
    assert right > silent == SILENT > wrong


@pytest.mark.parametrize("reply", ["", "1850", "built in 1850", "The mill was built by Ann Hale in 1791.", "179"])
def test_what_does_not_stand_in_the_passage_costs(rewards: Rewards, reply: str) -> None:
    [parts] = rewards([TASK], [reply])
    assert (parts["total"], parts["format"]) == (MALFORMED, 0.0)


def test_equal_replies_are_judged_once(rewards: Rewards) -> None:
    reply = "1791"
    assert totals(rewards, reply, reply, NOT_SAID, reply) == pytest.approx([1.0, 1.0, SILENT, 1.0])
    assert isinstance(rewards.judges.support, Scripted)
    assert len(rewards.judges.support.seen) == 1


def test_the_support_judge_is_told_what_the_reader_thinks_of_a_reply(rewards: Rewards, reader: Reader) -> None:
    told: dict[str, float] = {}

    class Listening(Scripted):
        def judge(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[object]:
            told.update({candidate.short: candidate.log_prob for candidate in candidates})
            return super().judge(conversation, candidates)

    judges = replace(rewards.judges, support=Listening("support"))  # type: ignore[arg-type]
    totals(Rewards({"q": ASKED}, judges, reader), "1791", "Ann Hale", NOT_SAID)
    assert math.log(0.3) < told["1791"] <= 0
    assert told["Ann Hale"] < told["1791"] - 2
    totals(Rewards({"q": ASKED}, judges), "1791", "Ann Hale")
    assert told["1791"] == told["Ann Hale"] == LIKELY, "nobody was asked"


@pytest.mark.parametrize(
    ("answers", "reply", "worth_it"),
    [
        (("1791",), "1791", 1.0),
        (("1791",), "in 1791", 2 / 3),
        (("1791",), NOT_SAID, 0.0),
        ((), NOT_SAID, 1.0),
        ((), "x", 0.0),
    ],
)
def test_the_truth_is_that_of_the_gold_answers(answers: tuple[str, ...], reply: str, worth_it: float) -> None:
    row = Row("r", "squad.train", "en", "The mill", PASSAGE, "When was the mill built?", answers, None)
    assert truth([row])(lambda _: reply) == pytest.approx(worth_it)


def test_development_questions_are_of_other_articles(data: Path) -> None:  # noqa: F811
    kept, held = drawn_rows(data, 0, 50), drawn_rows(data, 0, 50, development=True)
    assert kept
    assert all(fold(row.article) != 0 for row in kept)
    assert all(fold(row.article) == 0 for row in held)


def test_tasks_come_from_training_articles_and_know_their_passage(data: Path) -> None:  # noqa: F811
    tasks, asked = questions(data, seed=0)
    assert {task.key for task in tasks} == set(asked)
    for task in tasks:
        assert asked[task.key].hit.passage.text in task.prompt[-1].text
        assert task.text == asked[task.key].hit.passage.text, "replies stand in what the judges look at"
        assert task.others == (NOT_SAID,)
        assert asked[task.key].conversation.question in task.prompt[-1].text
