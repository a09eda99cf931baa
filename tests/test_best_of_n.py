"""Best of n: the best reply is what is learnt, nothing is drawn twice, and the curve is the expected maximum."""

import itertools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.train_ppo import Task
from models.types import Cancelled, Generation, Message, OnText, Prompt, Sampling, never
from service.best_of_n import BestOfRecipe, Drawn, demonstrations_of, draw_all, expected_best

TASKS = [Task((Message("user", f"What is {number}?"),), str(number)) for number in range(5)]
RECIPE = BestOfRecipe(samples=4, tasks=5)
WORTH = {"gold": 1.0, "red": 0.25, "blue": 0.0}


@dataclass
class Writer:
    """Writes the same four replies to everything, and counts the questions."""

    name: str = "writer"
    asked: int = 0

    def generate(
        self,
        prompts: Sequence[Prompt],
        n: int,
        sampling: Sampling,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[list[Generation]]:
        self.asked += len(prompts)
        return [[Generation(text) for text in ("red", "gold", "blue", "red")[:n]] for _ in prompts]

    def log_probs(self, prompts: Sequence[Prompt], replies: Sequence[str]) -> list[list[float]]:
        raise AssertionError("not asked for here")


def worth(_: Sequence[Task], replies: Sequence[str]) -> list[Mapping[str, float]]:
    return [{"total": WORTH[reply]} for reply in replies]


def drawn(writer: Writer, work: Path, until: float = math.inf, seed: int = 0) -> list[Drawn]:
    return draw_all(TASKS, writer, worth, RECIPE, seed, work, {"seed": seed}, until, None)


def test_the_best_reply_becomes_the_demonstration_and_only_it_is_learnt(tmp_path: Path) -> None:
    made = list(demonstrations_of(TASKS, drawn(Writer(), tmp_path)))
    assert len(made) == len(TASKS)
    for task, one in zip(TASKS, made, strict=True):
        assert one.messages == (*task.prompt, Message("assistant", "gold"))
        assert one.asked == len(task.prompt) - 1
        assert one.group == task.key, "questions do not cross into development data"


def test_replies_that_are_worth_the_same_teach_nothing() -> None:
    same = [Drawn("0", ("red", "red"), (0.25, 0.25)), Drawn("1", ("blue", "gold"), (0.0, 1.0))]
    assert [one.group for one in demonstrations_of(TASKS[:2], same)] == ["1"]


def test_of_equals_the_likelier_reply_is_learnt() -> None:
    assert Drawn("0", ("late", "early", "early"), (0.5, 0.5, 0.5)).best == "early"


def test_a_stopped_drawing_goes_on_and_another_recipe_begins_anew(tmp_path: Path) -> None:
    assert drawn(Writer(), tmp_path, until=time.monotonic() - 1) == []
    first = Writer()
    whole = drawn(first, tmp_path)
    with (tmp_path / "drawn.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"key": "half wri')
    assert drawn(Writer(), tmp_path) == whole
    again, other = Writer(), Writer()
    assert drawn(again, tmp_path) == whole
    assert (first.asked, again.asked) == (len(TASKS), 0)
    assert drawn(other, tmp_path, seed=1)
    assert other.asked == len(TASKS)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_curve_is_the_mean_best_of_all_choices_of_k(k: int) -> None:
    values = (0.1, 0.9, 0.4, 0.4)
    choices = list(itertools.combinations(values, k))
    wanted = sum(map(max, choices)) / len(choices)
    assert expected_best([Drawn("0", ("",) * 4, values)], k) == pytest.approx(wanted)
