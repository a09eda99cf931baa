"""The comparison of adapters: means, paired differences, ratings, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eval.datasets import Question
from eval.rlhf import SECOND, Drafted, Said, facts_of, games, made, reported, run_rlhf, second_judges, silences
from indexing.types import BadInput
from models.demonstrations import hit_of
from models.train_ppo import Task
from models.tuned import SILENCE
from models.types import Conversation, Turn
from service.app import JUDGES
from service.reading_tasks import Question as Shown
from service.tuning import Rewards

ASKED = [
    Question(f"q{n}", "en", f"t{n % 5}", "x y z", "p", f"What is {n}?", ("x",) if n % 4 else (), bool(n % 4))
    for n in range(40)
]


FACTS = {
    "sft": {"recipe": {"epochs": 1}, "seconds": None},
    "ppo": {"recipe": {"rounds": 40, "rate": 5e-5, "ppo": {"clip": 0.2}}, "seconds": 1800.0},
}


def said(second: float, right: bool, **more: float) -> Said:
    draft = replace(Drafted("x", margin=0.0, kl=0.0, distinct=0.5, malformed=0.0, seconds=0.1), **more)  # type: ignore[arg-type]
    return Said("x", second, second, right, abstained=False, violation=False, characters=1.0, draft=draft)


def test_the_better_adapter_has_the_better_figures_and_rating(tmp_path: Path) -> None:
    start = [said(0.2, n % 2 == 0) for n in range(40)]
    tuned = [said(0.5 if n % 10 else 0.1, True, kl=1.5) for n in range(40)]
    report = reported({"sft": start, "ppo": tuned}, ASKED, tmp_path, made(FACTS))
    assert report.figures["rlhf/ppo/second"].value == pytest.approx(0.46)
    assert report.figures["rlhf/ppo/kl"].value == pytest.approx(1.5)
    assert report.figures["rlhf/ppo/right"].n == 30, "only answerable questions can be right"
    difference = {row[1]: row[2] for row in report.tables[1].rows}
    assert difference["supported and correct"].startswith("+0.6")
    elo = {name: float(rating) for name, rating in report.tables[2].rows}
    assert elo["ppo"] > elo["sft"] + 200
    assert (tmp_path / "rlhf.png").is_file()
    assert (tmp_path / "rlhf.md").is_file()


def test_every_adapter_is_silent_on_as_many_answerable_questions_as_the_first() -> None:
    def drafts(*margins: float) -> list[Drafted]:
        return [Drafted("x", margin, 0.0, 0.5, 0.0, 0.1) for margin in margins]

    answerable = [True, True, True, False, True]
    first = drafts(SILENCE - 3, SILENCE - 2, SILENCE + 1, SILENCE + 9, SILENCE)
    bolder = drafts(-9.0, -7.0, -8.0, -9.5, -6.0)
    found = silences({"sft": first, "ppo": bolder}, answerable)
    spoken = [draft.margin <= found["ppo"] for draft, yes in zip(bolder, answerable, strict=True) if yes]
    assert spoken == [True, True, True, False]
    assert sum(draft.margin <= found["sft"] for draft in first) == 3


def test_equal_rewards_are_drawn_games() -> None:
    assert {game.share for game in games({"a": [said(0.2, True)] * 3, "b": [said(0.2, False)] * 3})} == {0.5}


def test_a_single_adapter_and_a_folder_without_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="compared"):
        run_rlhf(tmp_path, tmp_path, tmp_path, adapters=[tmp_path])
    with pytest.raises(BadInput, match="no adapter"):
        facts_of(tmp_path)
    (tmp_path / "passerine.json").write_text(json.dumps({"name": "ppo", "seconds": 9.0}))
    assert facts_of(tmp_path) == {"name": "ppo", "recipe": {}, "seconds": 9.0}


def test_the_table_tells_what_each_adapter_cost() -> None:
    assert made(FACTS).rows == (("sft", "-", "epochs 1"), ("ppo", "0.50", "rounds 40, rate 5e-05"))


TOLD = (
    ("The ferry ran twice a day until 1904. Its last keeper, Tom Reed, left for the coast.",
     "Who was the last keeper of the ferry?", "Tom Reed", "1904"),
    ("Saturn V was 110.6 metres tall. It was developed in Huntsville under Wernher von Braun.",
     "How tall was Saturn V?", "110.6 metres", "Wernher von Braun"),
    ("The treaty was signed in Vienna. Its negotiation had taken eleven years and three congresses.",
     "Where was the treaty signed?", "Vienna", "eleven years"),
    ("Penicillin was found by Alexander Fleming. Mass production began in 1942 in Peoria, Illinois.",
     "Who found penicillin?", "Alexander Fleming", "Peoria"),
)  # fmt: skip


def test_the_bundled_second_judges_read_another_trunk_and_tell_right_from_wrong(models_home: Path) -> None:
    asked = {
        question: Shown(Conversation((Turn("user", question),)), hit_of("", passage)) for passage, question, *_ in TOLD
    }
    judges = Rewards(asked, second_judges(models_home))
    right, wrong, made_up = (judges([Task((), one[1]) for one in TOLD], replies) for replies in (
        [one[2] for one in TOLD], [one[3] for one in TOLD], ["a hundred goats"] * len(TOLD)
    ))  # fmt: skip
    assert sum(one["total"] for one in right) > sum(one["total"] for one in wrong) + 0.5
    assert all(one["format"] == 0.0 for one in made_up)
    for name in ("preference", "rules", "support"):
        second = json.loads((SECOND / name / "config.json").read_text())
        assert second["base"] != json.loads((JUDGES / name / "config.json").read_text())["base"]
