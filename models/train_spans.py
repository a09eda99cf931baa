"""Reinforcement learning of the reader's choice of spans: the update of models/ppo.py with one step an episode.

The policy begins as the reader that it is held to. The reward is a plain function, since models know no judges:
`service/span_tuning.py` joins both.
"""

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from indexing.types import Progress
from models.checkpoints import read_checkpoint, write_checkpoint
from models.ppo import Episodes, Evaluated, PpoRecipe, update
from models.reader import Reader, Upper
from models.span_choice import Chosen, Opened, Shown, SpanPolicy, divergence
from models.train_ppo import round_of


@dataclass(frozen=True, slots=True)
class SpanRecipe:
    """`samples` a question, `questions` a round, `wrong` passages beside the question's own; layers of the reader below
    `frozen` do not learn. The penalty is higher than a token's: an episode is one step."""

    rounds: int = 32
    questions: int = 16
    wrong: int = 2
    samples: int = 16
    frozen: int = 6
    rate: float = 2e-5
    ppo: PpoRecipe = field(
        default_factory=lambda: PpoRecipe(baseline="others", beta=0.05, minibatch=64, passes=2, most_kl=0.1)
    )


SpanReward = Callable[[Shown, Sequence[Chosen | None]], Sequence[Mapping[str, float]]]
"""reward(question, choices) -> the parts of each choice's reward by name; "total" is what is learnt from."""


class SpanTrainer:
    """Rounds of drawing, judging and updating, which can be stopped and gone on with."""

    def __init__(self, reader: Reader, upper: Upper, recipe: SpanRecipe, work: Path, seed: int = 0) -> None:
        """`upper` are the reader's layers in float32; a copy of them is the reference."""
        self.recipe, self.work, self.seed = recipe, work, seed
        self.reference = SpanPolicy(reader, deepcopy(upper), recipe.frozen)
        self.policy = SpanPolicy(reader, upper, recipe.frozen)
        self.optimiser = torch.optim.AdamW(self.policy.learning, lr=recipe.rate, weight_decay=0.0)
        self.done, self.history, self.identity = 0, list[dict[str, float]](), ""

    def go(
        self, asked: Sequence[Shown], reward: SpanReward, until: float = math.inf, progress: Progress | None = None
    ) -> bool:
        """Rounds until the last, or until it is time to stop, with a checkpoint after each."""
        while self.done < self.recipe.rounds:
            if time.monotonic() > until:
                return False
            self.history.append(self.round(round_of(asked, self.done, self.recipe.questions, self.seed), reward))
            self.done += 1
            self.keep()
            if progress is not None:
                progress("rounds", self.done, self.recipe.rounds)
        return True

    def round(self, asked: Sequence[Shown], reward: SpanReward) -> dict[str, float]:
        """Draws, judges, updates; what is worth a curve."""
        recipe, began = self.recipe, time.monotonic()
        generator = torch.Generator().manual_seed(random.Random(f"{self.seed} {self.done}").getrandbits(31))
        opened = [self.policy.open(shown) for shown in asked]
        with torch.no_grad():
            chances = [self.policy.log_chances(one) for one in opened]
            reference = [self.reference.log_chances(one) for one in opened]
        drawn = [torch.multinomial(own.exp(), recipe.samples, replacement=True, generator=generator) for own in chances]
        choices = [[one.choice(int(number)) for number in own] for one, own in zip(opened, drawn, strict=True)]
        judged = [parts for shown, own in zip(asked, choices, strict=True) for parts in reward(shown, own)]
        acted = torch.cat([own[numbers] for own, numbers in zip(chances, drawn, strict=True)])[:, None]
        episodes = Episodes(
            log_probs=acted,
            reference=torch.cat([own[numbers] for own, numbers in zip(reference, drawn, strict=True)])[:, None],
            values=torch.zeros_like(acted),
            mask=torch.ones_like(acted),
            scores=torch.tensor([float(parts["total"]) for parts in judged]),
            groups=torch.arange(len(asked)).repeat_interleave(recipe.samples),
        )
        done = update(
            episodes, lambda rows: self.evaluate(opened, drawn, rows), self.optimiser, recipe.ppo, seed=self.done
        )
        parts = {name: sum(one[name] for one in judged) / len(judged) for name in judged[0]}
        apart = [divergence(now, first) for now, first in zip(chances, reference, strict=True)]
        return {
            "round": float(self.done + 1),
            **{f"reward/{name}": value for name, value in parts.items()},
            "distinct": sum(len(set(own)) for own in choices) / len(judged),
            "seconds": time.monotonic() - began,
            **{name: float(value) for name, value in asdict(done).items()},
            "reference_kl": sum(apart) / len(apart),
        }

    def evaluate(self, opened: Sequence[Opened], drawn: Sequence[Tensor], rows: Tensor) -> Evaluated:
        """Log-probabilities now, with gradients; the choices of one question share its reading."""
        places, numbers = rows // self.recipe.samples, rows % self.recipe.samples
        chances = {place: self.policy.log_chances(opened[place]) for place in sorted(set(places.tolist()))}
        log_probs = torch.stack([
            chances[place][drawn[place][number]]
            for place, number in zip(places.tolist(), numbers.tolist(), strict=True)
        ])[:, None]  # fmt: skip
        return Evaluated(log_probs, torch.zeros_like(log_probs))

    def keep(self) -> None:
        """Writes the checkpoint."""
        state = {
            "done": self.done,
            "upper": self.policy.upper.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": self.history,
        }
        write_checkpoint(self.work / "checkpoint.pt", self.identity, state)

    def resume(self, identity: str) -> None:
        """Goes on from the checkpoint of the same recipe, seed, data and start."""
        self.identity = identity
        kept = read_checkpoint(self.work / "checkpoint.pt", identity)
        if kept:
            self.policy.upper.load_state_dict(kept["upper"])
            self.optimiser.load_state_dict(kept["optimiser"])
            self.done, self.history = kept["done"], kept["history"]
