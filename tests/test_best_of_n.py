"""Best of n: the best reply is what is learnt, nothing is drawn twice, and the curve is the expected maximum."""

import itertools
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from models.train_ppo import Task
from models.types import Message
from service.best_of_n import BestOfRecipe, Drawn, demonstrations_of, draw_all, expected_best
from tests.scripted import ScriptedGenerator

TASKS = [Task((Message("user", f"What is {number}?"),), str(number)) for number in range(5)]
RECIPE = BestOfRecipe(samples=4, tasks=5)
WORTH = {"gold": 1.0, "red": 0.25, "blue": 0.0}


def writer() -> ScriptedGenerator:
    return ScriptedGenerator(lambda _, draft: ("red", "gold", "blue", "red")[draft])


def worth(_: Sequence[Task], replies: Sequence[str]) -> list[Mapping[str, float]]:
    return [{"total": WORTH[reply]} for reply in replies]


def drawn(generator: ScriptedGenerator, work: Path, until: float = math.inf, seed: int = 0) -> list[Drawn]:
    return draw_all(TASKS, generator, worth, RECIPE, seed, work / "drawn.jsonl", {"seed": seed}, until, None)


def test_the_best_reply_becomes_the_demonstration_and_only_it_is_learnt(tmp_path: Path) -> None:
    made = list(demonstrations_of(TASKS, drawn(writer(), tmp_path)))
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
    assert drawn(writer(), tmp_path, until=time.monotonic() - 1) == []
    first = writer()
    whole = drawn(first, tmp_path)
    with (tmp_path / "drawn.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"key": "half wri')
    assert drawn(writer(), tmp_path) == whole
    again, other = writer(), writer()
    assert drawn(again, tmp_path) == whole
    assert (len(first.prompts), len(again.prompts)) == (len(TASKS), 0)
    assert drawn(other, tmp_path, seed=1)
    assert len(other.prompts) == len(TASKS)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_curve_is_the_mean_best_of_all_choices_of_k(k: int) -> None:
    values = (0.1, 0.9, 0.4, 0.4)
    choices = list(itertools.combinations(values, k))
    wanted = sum(map(max, choices)) / len(choices)
    assert expected_best([Drawn("0", ("",) * 4, values)], k) == pytest.approx(wanted)
