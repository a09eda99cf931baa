"""PPO against sums written out in float64, and on tasks whose optimum is known."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from models.ppo import (
    Episodes,
    Evaluated,
    PpoRecipe,
    advantages_of,
    divergence,
    generalised_advantages,
    joined,
    leave_one_out,
    policy_loss,
    shuffled,
    step_rewards,
    update,
    value_loss,
)

ROWS, STEPS = 3, 5


def drawn(seed: int) -> Tensor:
    return torch.randn(ROWS, STEPS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def episodes() -> Episodes:
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 1, 0], [0, 1, 1, 0, 0]], dtype=torch.float64)
    scores = torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64)
    return Episodes(-drawn(1).abs(), -drawn(2).abs(), drawn(3), mask, scores, torch.tensor([0, 0, 1]))


def test_rewards_penalise_leaving_the_reference_and_end_with_the_score() -> None:
    made = episodes()
    rewards = step_rewards(made, beta=0.1)
    for row, last in enumerate((4, 3, 2)):
        for step in range(STEPS):
            wanted = -0.1 * float(made.log_probs[row, step] - made.reference[row, step]) * float(made.mask[row, step])
            wanted += float(made.scores[row]) if step == last else 0.0
            assert float(rewards[row, step]) == pytest.approx(wanted, abs=1e-12)


def test_advantages_are_the_sums_written_out() -> None:
    made, gamma, decay = episodes(), 0.9, 0.8
    rewards = step_rewards(made, 0.1)
    advantages, returns = generalised_advantages(rewards, made.values, made.mask, gamma, decay)
    for row in range(ROWS):
        places = [step for step in range(STEPS) if made.mask[row, step] > 0]
        values = [float(made.values[row, step]) for step in places] + [0.0]
        deltas = [float(rewards[row, step]) + gamma * values[n + 1] - values[n] for n, step in enumerate(places)]
        for n, step in enumerate(places):
            wanted = sum((gamma * decay) ** (later - n) * deltas[later] for later in range(n, len(places)))
            assert float(advantages[row, step]) == pytest.approx(wanted, abs=1e-12)
            assert float(returns[row, step]) == pytest.approx(wanted + values[n], abs=1e-12)
    assert float((advantages * (1 - made.mask)).abs().max()) == 0.0


def test_losses_are_the_sums_written_out() -> None:
    made, now, values = episodes(), -drawn(4).abs(), drawn(5)
    advantages, returns = drawn(6) * made.mask, drawn(7)
    loss, clipped = policy_loss(now, made.log_probs, advantages, made.mask, 0.2)
    error = value_loss(values, made.values, returns, made.mask, 0.2)
    surrogate, square, bounds, kl, count = 0.0, 0.0, 0, 0.0, 0
    for row in range(ROWS):
        for step in range(STEPS):
            if made.mask[row, step] == 0:
                continue
            count += 1
            d = float(now[row, step] - made.log_probs[row, step])
            ratio, advantage = math.exp(d), float(advantages[row, step])
            bounded = min(max(ratio, 0.8), 1.2) * advantage
            surrogate += min(ratio * advantage, bounded)
            bounds += bounded < ratio * advantage
            value, old, wanted = (float(each[row, step]) for each in (values, made.values, returns))
            near = old + min(max(value - old, -0.2), 0.2)
            square += 0.5 * max((value - wanted) ** 2, (near - wanted) ** 2)
            kl += ratio - 1 - d
    assert float(loss) == pytest.approx(-surrogate / count, abs=1e-12)
    assert float(clipped) == pytest.approx(bounds / count)
    assert float(error) == pytest.approx(square / count, abs=1e-12)
    assert float(divergence(now, made.log_probs, made.mask)) == pytest.approx(kl / count, abs=1e-12)


def test_the_gradient_is_that_of_finite_differences() -> None:
    made = episodes()
    advantages, _ = advantages_of(made, PpoRecipe())
    now = (made.log_probs + 0.05 * drawn(8)).requires_grad_()
    loss, _ = policy_loss(now, made.log_probs, advantages, made.mask, 0.2)
    loss.backward()  # type: ignore[no-untyped-call]
    for row, step in ((0, 0), (1, 3), (2, 1), (1, 2)):
        moved = [now.detach().clone() for _ in range(2)]
        moved[0][row, step] += 1e-6
        moved[1][row, step] -= 1e-6
        high, low = (float(policy_loss(one, made.log_probs, advantages, made.mask, 0.2)[0]) for one in moved)
        assert now.grad is not None
        assert float(now.grad[row, step]) == pytest.approx((high - low) / 2e-6, abs=1e-6)


def test_others_of_the_same_prompt_are_the_baseline() -> None:
    scores, groups = torch.tensor([1.0, 2.0, 6.0, 5.0]), torch.tensor([0, 0, 0, 1])
    assert leave_one_out(scores, groups).tolist() == pytest.approx([1 - 4, 2 - 3.5, 6 - 1.5, 0.0])


def test_padding_changes_nothing() -> None:
    made = episodes()
    longer = Episodes(
        *(torch.nn.functional.pad(getattr(made, name), (0, 3), value=7.0 if name != "mask" else 0.0)
          for name in Episodes.__slots__[:4]),
        made.scores, made.groups,
    )  # fmt: skip
    for one, other in zip(advantages_of(made, PpoRecipe()), advantages_of(longer, PpoRecipe()), strict=True):
        assert torch.allclose(one, other[:, :STEPS])
    both = joined([made, longer])
    assert both.mask.shape == (2 * ROWS, STEPS + 3)
    assert both.groups.tolist() == [0, 0, 1, 2, 2, 3]


def tuned_bandit(recipe: PpoRecipe, arms: Tensor, rounds: int, size: int = 256) -> Tensor:
    """The policy after PPO on a bandit that pays `arms`, from a uniform policy that is also the reference."""
    random = torch.Generator().manual_seed(0)
    logits, value = torch.zeros(len(arms), requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([logits, value], lr=0.02)
    reference = torch.full((len(arms),), -math.log(len(arms)))
    for number in range(rounds):
        actions = torch.multinomial(logits.detach().softmax(0), size, replacement=True, generator=random)
        made = Episodes(
            logits.detach().log_softmax(0)[actions][:, None],
            reference[actions][:, None],
            value.detach().expand(size, 1),
            torch.ones(size, 1),
            arms[actions],
            torch.arange(size) // 8,
        )

        def evaluate(rows: Tensor, actions: Tensor = actions) -> Evaluated:
            return Evaluated(logits.log_softmax(0)[actions[rows]][:, None], value.expand(len(rows), 1))

        update(made, evaluate, optimiser, recipe, seed=number)
    return logits.detach().softmax(0)


@pytest.mark.parametrize("baseline", ["value", "others"])
def test_a_bandit_reaches_the_optimum_of_reward_and_kl(baseline: str) -> None:
    arms = torch.tensor([1.0, 0.5, 0.0, -0.5])
    recipe = PpoRecipe(beta=0.5, passes=1, minibatch=256, most_kl=1.0, baseline=baseline)  # type: ignore[arg-type]
    found = tuned_bandit(recipe, arms, rounds=500)
    wanted = (arms / 0.5).softmax(0)  # pi* is proportional to the reference times e^(reward / beta)
    assert torch.allclose(found, wanted, atol=0.04), (found, wanted)


def test_without_a_penalty_the_best_arm_takes_all() -> None:
    found = tuned_bandit(PpoRecipe(beta=0.0, minibatch=64, most_kl=1.0), torch.tensor([1.0, 0.5, 0.0]), rounds=120)
    assert float(found[0]) > 0.95


def test_a_token_task_is_learnt_from_the_score_at_its_end() -> None:
    """Sequences of four tokens earn the share that are token 2; the policy sees the token before."""
    random = torch.Generator().manual_seed(0)
    table = torch.zeros(6, 5, requires_grad=True)  # by the token before (5: none yet)
    values = torch.zeros(6, requires_grad=True)
    optimiser = torch.optim.Adam([table, values], lr=0.05)
    for number in range(60):
        before = torch.full((64, 1), 5)
        for _ in range(4):
            chances = table.detach()[before[:, -1]].softmax(1)
            before = torch.cat([before, torch.multinomial(chances, 1, generator=random)], 1)
        states, actions = before[:, :-1], before[:, 1:]

        def evaluate(rows: Tensor, states: Tensor = states, actions: Tensor = actions) -> Evaluated:
            log_probs = table[states[rows]].log_softmax(-1)
            return Evaluated(log_probs.gather(-1, actions[rows][..., None])[..., 0], values[states[rows]])

        now = evaluate(torch.arange(64))
        scores = (actions == 2).float().mean(1)
        made = Episodes(
            now.log_probs.detach(), torch.full((64, 4), -math.log(5)), now.values.detach(), torch.ones(64, 4), scores,
            torch.zeros(64, dtype=torch.long),
        )  # fmt: skip
        update(made, evaluate, optimiser, PpoRecipe(beta=0.0, most_kl=1.0, decay=0.95), seed=number)
    assert float(scores.mean()) > 0.95


def test_an_update_stops_when_the_policy_has_moved_far_enough() -> None:
    made = episodes()
    shift = torch.zeros(ROWS, 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([shift], lr=1.0)

    def evaluate(rows: Tensor) -> Evaluated:
        return Evaluated(made.log_probs[rows] + shift[rows], made.values[rows])

    done = update(made, evaluate, optimiser, PpoRecipe(passes=50, minibatch=3, most_kl=1e-4))
    assert done.stopped
    assert done.minibatches < 50


def test_episodes_of_a_prompt_are_updated_side_by_side_and_all_once() -> None:
    groups = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    orders = [shuffled(groups, torch.Generator().manual_seed(seed)) for seed in range(6)]
    for order in orders:
        assert sorted(order.tolist()) == list(range(8))
        runs = [group for group, _ in itertools.groupby(groups[order].tolist())]
        assert sorted(runs) == [0, 1, 2], "each prompt's episodes stand in one run"
    assert len({tuple(order.tolist()) for order in orders}) > 3
    assert torch.equal(orders[0], shuffled(groups, torch.Generator().manual_seed(0)))
