"""Proximal policy optimisation on plain tensors (Schulman et al. 2017), with InstructGPT's reward (Ouyang et al. 2022,
section 3.5): the judge's score at the last step, and a penalty for leaving the reference at every step.

A step is a token of a language model or a choice of the reader. Tensors are [episodes, steps]; `mask` is 1 where the
policy acted and 0 elsewhere (padding, and text that it did not write).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from models.processes import Processes

LONGEST_RATIO = 20.0
"""Bound of a log-ratio before it is exponentiated."""


@dataclass(frozen=True, slots=True)
class PpoRecipe:
    """`beta` weighs the KL penalty, `most_kl` ends the passes over a batch early (nats a step), `baseline` is the value
    head with generalised advantages, or the mean score of the same prompt's other episodes (RLOO, Ahmadian et al.
    2024)."""

    clip: float = 0.2
    value_clip: float = 0.2
    value_weight: float = 0.5
    beta: float = 0.02
    gamma: float = 1.0
    decay: float = 0.95
    passes: int = 4
    minibatch: int = 16
    most_kl: float = 0.03
    gradient_clip: float = 1.0
    baseline: Literal["value", "others"] = "value"


@dataclass(frozen=True, slots=True)
class Episodes:
    """What was done and what came of it. `log_probs`, `reference` and `values` [episodes, steps] are those at the time
    of acting; `scores` [episodes] the judges' reward; `groups` [episodes] number the prompts."""

    log_probs: Tensor
    reference: Tensor
    values: Tensor
    mask: Tensor
    scores: Tensor
    groups: Tensor


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Of the same steps under the policy as it is now: log-probabilities and values [episodes, steps], with gradients.
    Without a value head the values are zeros."""

    log_probs: Tensor
    values: Tensor


Evaluate = Callable[[Tensor], Evaluated]
"""evaluate(rows) for the numbers of some episodes."""


@dataclass(frozen=True, slots=True)
class Update:
    """Means over the minibatches of an update. `kl` is to the policy that acted, `reference_kl` to the reference, both
    in nats a step; `stopped` when the passes ended early."""

    policy_loss: float
    value_loss: float
    kl: float
    reference_kl: float
    clipped: float
    minibatches: int
    stopped: bool


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the steps that count."""
    return (values * mask).sum() / mask.sum().clamp_min(1)


def step_rewards(episodes: Episodes, beta: float) -> Tensor:
    """[episodes, steps]: -beta (log pi - log reference) at every step, and the score at the last one that counts."""
    rewards = -beta * (episodes.log_probs - episodes.reference) * episodes.mask
    places = torch.arange(1, episodes.mask.shape[1] + 1, device=rewards.device)
    last = (episodes.mask * places).argmax(dim=1, keepdim=True)
    return rewards.scatter_add(1, last, episodes.scores[:, None].to(rewards.dtype))


def generalised_advantages(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, decay: float
) -> tuple[Tensor, Tensor]:
    """Advantages and returns [episodes, steps] (Schulman et al. 2016, equation 16). Steps that do not count are passed
    over: the value after a step is that of the next one that counts."""
    advantages = torch.zeros_like(rewards)
    running = torch.zeros_like(rewards[:, 0])
    following = torch.zeros_like(rewards[:, 0])
    for step in reversed(range(rewards.shape[1])):
        acted = mask[:, step] > 0
        delta = rewards[:, step] + gamma * following - values[:, step]
        running = torch.where(acted, delta + gamma * decay * running, running)
        following = torch.where(acted, values[:, step], following)
        advantages[:, step] = torch.where(acted, running, 0.0)
    return advantages, (advantages + values) * mask


def leave_one_out(scores: Tensor, groups: Tensor) -> Tensor:
    """[episodes]: the score less the mean of the other episodes of its group; 0 for an episode alone."""
    found = torch.zeros_like(scores)
    for group in torch.unique(groups):
        own = groups == group
        count = int(own.sum())
        if count > 1:
            found[own] = (scores[own] - scores[own].mean()) * count / (count - 1)
    return found


def advantages_of(episodes: Episodes, recipe: PpoRecipe) -> tuple[Tensor, Tensor]:
    """Advantages and returns of every step, the advantages of a batch with mean 0 and deviation 1."""
    rewards = step_rewards(episodes, recipe.beta)
    if recipe.baseline == "others":
        advantages = leave_one_out(rewards.sum(1), episodes.groups)[:, None] * episodes.mask
        returns = torch.zeros_like(advantages)
    else:
        advantages, returns = generalised_advantages(
            rewards, episodes.values, episodes.mask, recipe.gamma, recipe.decay
        )
    mean = masked_mean(advantages, episodes.mask)
    spread = masked_mean((advantages - mean).square(), episodes.mask).sqrt()
    return (advantages - mean) / (spread + 1e-8) * episodes.mask, returns


def policy_loss(log_probs: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """The clipped surrogate, negated (Schulman et al. 2017, equation 7), and the share of steps where it is clipped."""
    ratio = (log_probs - old).clamp(-LONGEST_RATIO, LONGEST_RATIO).exp()
    free, bound = ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages
    return -masked_mean(torch.minimum(free, bound), mask), masked_mean((bound < free).float(), mask)


def value_loss(values: Tensor, old: Tensor, returns: Tensor, mask: Tensor, clip: float) -> Tensor:
    """Half the squared error; a value that moved further than `clip` earns nothing by going on."""
    bound = old + (values - old).clamp(-clip, clip)
    return 0.5 * masked_mean(torch.maximum((values - returns).square(), (bound - returns).square()), mask)


def divergence(log_probs: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """KL(other || log_probs) a step from samples of `other`: e^d - 1 - d with d the log-ratio, which is unbiased and
    never negative (Schulman 2020)."""
    d = (log_probs - other).clamp(-LONGEST_RATIO, LONGEST_RATIO)
    return masked_mean(d.exp() - 1 - d, mask)


def update(
    episodes: Episodes,
    evaluate: Evaluate,
    optimiser: torch.optim.Optimizer,
    recipe: PpoRecipe,
    seed: int = 0,
    before_step: Callable[[], None] | None = None,
    after_step: Callable[[], None] | None = None,
    extra_loss: Callable[[], Tensor] | None = None,
    together: Processes | None = None,
) -> Update:
    """Some passes over a batch of episodes in minibatches.

    `before_step` and `after_step` stand around the optimiser's step (for weights kept outside the model);
    `extra_loss` is added to every minibatch (PPO-ptx: gamma times the loss on demonstrations). Of several processes,
    all with the same episodes, each evaluates a part of every minibatch, and `before_step` adds their gradients up.
    """
    together = together or Processes()
    advantages, returns = advantages_of(episodes, recipe)
    order = torch.Generator().manual_seed(seed)
    sums: list[tuple[float, float, float, float]] = []
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    stopped = False
    for _ in range(recipe.passes):
        for rows in torch.split(shuffled(episodes.groups, order), recipe.minibatch):
            own = together.part(rows)
            mask, old = episodes.mask[own], episodes.log_probs[own]
            share = float(mask.sum() / episodes.mask[rows].sum().clamp_min(1))
            now = evaluate(own) if len(own) else None
            kl = share * float(divergence(now.log_probs.detach(), old, mask)) if now else 0.0
            [kl] = together.sums(kl)
            if kl > recipe.most_kl:
                stopped = True
                break
            surrogate = clipped = error = loss = torch.zeros(())
            if now:
                surrogate, clipped = policy_loss(now.log_probs, old, advantages[own], mask, recipe.clip)
                loss = surrogate
            if now and recipe.baseline == "value":
                error = value_loss(now.values, episodes.values[own], returns[own], mask, recipe.value_clip)
                loss = loss + recipe.value_weight * error
            loss = share * loss
            if extra_loss is not None:
                loss = loss + extra_loss() / together.count
            optimiser.zero_grad()
            if loss.requires_grad:
                loss.backward()  # type: ignore[no-untyped-call]
            if before_step is not None:
                before_step()
            torch.nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip)
            optimiser.step()
            if after_step is not None:
                after_step()
            seen = together.sums(share * surrogate.item(), share * error.item(), share * clipped.item())
            sums.append((seen[0], seen[1], kl, seen[2]))
        if stopped:
            break
    means = [math.fsum(column) / len(sums) for column in zip(*sums, strict=True)] if sums else [math.nan] * 4
    apart = float(masked_mean(episodes.log_probs - episodes.reference, episodes.mask))
    return Update(means[0], means[1], means[2], apart, means[3], len(sums), stopped)


def shuffled(groups: Tensor, order: torch.Generator) -> Tensor:
    """Numbers of all episodes by chance, those of a prompt side by side: what reads a prompt once for all its episodes
    then reads it once a pass."""
    drawn = torch.randperm(len(groups), generator=order)
    rank = torch.randperm(int(groups.max()) + 1, generator=order)
    return drawn[rank[groups[drawn]].argsort(stable=True)]


def joined(batches: Sequence[Episodes]) -> Episodes:
    """Episodes of several batches as one; shorter ones are padded. Groups keep apart."""
    steps = max(batch.mask.shape[1] for batch in batches)

    def padded(tensor: Tensor) -> Tensor:
        return torch.nn.functional.pad(tensor, (0, steps - tensor.shape[1]))

    counts = [int(batch.groups.max()) + 1 for batch in batches]
    shifts = [sum(counts[:number]) for number in range(len(batches))]
    parts = {name: torch.cat([padded(getattr(batch, name)) for batch in batches]) for name in Episodes.__slots__[:4]}
    return Episodes(
        **parts,
        scores=torch.cat([batch.scores for batch in batches]),
        groups=torch.cat([batch.groups + shift for batch, shift in zip(batches, shifts, strict=True)]),
    )
