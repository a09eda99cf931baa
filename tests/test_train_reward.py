"""The chat model as a judge of preference: its loss, what it learns, and PPO's value head that begins as its own."""

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from indexing.types import BadInput
from models.adapter import AdapterRecipe, continued, trained_parameters
from models.chat_template import ChatTemplate
from models.ppo import PpoRecipe
from models.scalar_head import read_head, save_head, scores
from models.train_ppo import RlRecipe
from rewards.preference_data import Ranking
from rewards.readings import Draft
from rewards.train_reward import RewardRecipe, Run, accuracies, encoded, ranking_loss, said
from service.tuning import value_start
from tests.test_train_ppo import RECIPE, TASKS, adapter, begun, load, template  # noqa: F401 - fixtures

COLOURS = ("red", "blue", "green", "gold")
RANKINGS = [
    Ranking(tuple(Draft(f"what colour {asked}", " ".join([word] * times)) for word in (asked, *wrong)),
            tuple((0, place, 1.0) for place in range(1, 1 + len(wrong))), f"g{times}", "made", 0)
    for times in (1, 2)
    for asked in COLOURS
    for wrong in [[word for word in COLOURS if word != asked][: 1 + times]]
]  # fmt: skip
LEARNT = RewardRecipe(batch=2, rate=1e-2, head_rate=2e-2, tokens=4, adapter=AdapterRecipe(rank=4, alpha=4, frozen=0))


def run(adapter: Path, template: ChatTemplate, work: Path, times: int = 6) -> Run:  # noqa: F811
    torch.manual_seed(0)
    rankings = [encoded(one, template, LEARNT) for one in RANKINGS] * times
    made = Run(continued(load(adapter.parent / "base"), adapter), template, LEARNT, rankings, work)
    made.resume("the same")
    return made


@pytest.fixture(scope="module")
def trained(adapter: Path, template: ChatTemplate, tmp_path_factory: pytest.TempPathFactory) -> Run:  # noqa: F811
    """Trained to its end on RANKINGS."""
    made = run(adapter, template, tmp_path_factory.mktemp("reward"))
    assert made.go(0, math.inf, None)
    return made


def test_the_loss_is_the_mean_over_the_pairs_of_a_prompt_and_ties_count_half() -> None:
    rewards = torch.tensor([2.0, 0.5, -1.0])

    def miss(gap: float) -> float:
        return math.log(1 + math.exp(-gap))

    assert float(ranking_loss(rewards, [(0, 1, 1.0), (0, 2, 1.0)])) == pytest.approx((miss(1.5) + miss(3.0)) / 2)
    assert float(ranking_loss(rewards, [(1, 2, 0.5)])) == pytest.approx((miss(1.5) + miss(-1.5)) / 2)


def test_drafts_that_share_a_prompt_have_the_scores_and_gradients_of_drafts_read_alone(
    adapter: Path,  # noqa: F811
) -> None:
    model, head = continued(load(adapter.parent / "base"), adapter), nn.Linear(32, 1)
    prompt, replies = [2, 8, 9, 4, 3], [[4, 5, 0], [6, 0], [7, 7, 7, 0]]
    shared = scores(model, head, prompt, replies)
    (shared * torch.tensor([1.0, -2.0, 0.5])).sum().backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad.clone() for parameter in trained_parameters(model) if parameter.grad is not None]
    model.zero_grad()
    alone = []
    for reply in replies:
        ids = torch.tensor([[*prompt, *reply[:-1]]])
        alone.append(head(model.get_base_model().model(input_ids=ids).last_hidden_state[0, -1])[0])
    assert torch.allclose(shared, torch.stack(alone), atol=1e-5)
    (torch.stack(alone) * torch.tensor([1.0, -2.0, 0.5])).sum().backward()  # type: ignore[no-untyped-call]
    for one, parameter in zip(gradients, trained_parameters(model), strict=True):
        assert parameter.grad is not None
        assert torch.allclose(one, parameter.grad, atol=1e-4)


def test_it_learns_the_order_and_the_head_alone_knows_less(trained: Run) -> None:
    judged = {"now": trained.judged(RANKINGS), "start": trained.at_start(RANKINGS), "longer": [
        np.asarray([float(len(draft.answer)) for draft in one.drafts]) for one in RANKINGS
    ]}  # fmt: skip
    assert [own[0] == max(own) for own in judged["now"]] == [True] * len(RANKINGS)
    header, *rows = accuracies(RANKINGS, judged)
    assert header == ["test set", "now", "start", "longer"]
    assert {row[0] for row in rows} == {"made", "all human"}
    assert rows[0][1].startswith("1.000")
    again = trained.judged(RANKINGS)
    assert all(np.allclose(one, other) for one, other in zip(judged["now"], again, strict=True)), "the weights are back"


def test_a_stopped_training_goes_on_to_the_same_weights(
    adapter: Path, template: ChatTemplate, tmp_path: Path, trained: Run  # noqa: F811
) -> None:  # fmt: skip
    first = run(adapter, template, tmp_path)
    assert not first.go(0, time.monotonic() + 0.05, None)
    assert first.done < first.steps
    second = run(adapter, template, tmp_path)
    assert second.done == first.done
    assert second.go(0, math.inf, None)
    assert torch.allclose(second.head.weight, trained.head.weight, atol=1e-5)
    for one, other in zip(second.masters.outside, trained.masters.outside, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_draft_is_its_bare_answer_its_words_and_its_quote() -> None:
    assert said(Draft("q", "It opened in 1932.", "1932", "Opened: 1932.")) == "1932\nIt opened in 1932.\nOpened: 1932."
    assert said(Draft("q", "Perhaps.")) == "Perhaps."


def test_the_value_head_begins_as_the_reward_models(
    adapter: Path, template: ChatTemplate, tmp_path: Path, trained: Run  # noqa: F811
) -> None:  # fmt: skip
    folder = tmp_path / "reward"
    recipe = RlRecipe(ppo=PpoRecipe(baseline="value"))
    assert value_start(recipe, folder, 32) is None, "no reward model: the values begin at zero"
    folder.mkdir()
    with pytest.raises(BadInput, match="no reward model"):
        value_start(recipe, folder, 32)
    save_head(trained.head, folder)
    assert value_start(RlRecipe(), folder, 32) is None, "another baseline needs no head"
    with pytest.raises(BadInput, match="no reward model"):
        read_head(folder, 64)
    head = value_start(recipe, folder, 32)
    assert head is not None
    trainer = begun(adapter, template, tmp_path / "work", replace(RECIPE, ppo=recipe.ppo), head)
    sampled = trainer.sample(TASKS[0], "seed")
    values = trainer.episodes([sampled], torch.zeros(RECIPE.samples)).values
    ended = [place for place, reply in enumerate(sampled.replies) if reply[-1] == 0]
    assert ended
    with torch.no_grad():
        judged = scores(trainer.model, trained.head, sampled.prompt, [sampled.replies[place] for place in ended])
    last = torch.stack([values[place, len(sampled.replies[place]) - 1] for place in ended])
    assert torch.allclose(last, judged, atol=1e-5), "the value of the last step is the reward model's score"
