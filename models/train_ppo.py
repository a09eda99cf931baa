"""Reinforcement learning of the chat model from a reward function: PPO, with the other samples of a prompt or a value
head as baseline.

The policy and the reference are two adapters of one model; the policy begins as a copy of the reference. Samples are
drawn by the plain model so that what is learnt from is exactly what was drawn. The reward is a plain function, since
models know no judges: `service/tuning.py` joins both.
"""

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from indexing.types import Progress
from models.adapter import POLICY, REFERENCE, Masters
from models.chat_template import ChatTemplate
from models.checkpoints import read_checkpoint, write_checkpoint
from models.copying import Stretches, Vocabulary, held_to
from models.ppo import Episodes, Evaluated, PpoRecipe, joined, update
from models.scalar_head import empty_head
from models.shared_prefix import reply_log_probs
from models.types import Prompt

Item = TypeVar("Item")

NEARLY_NONE = 1e-3
"""Temperature at which the likeliest reply is drawn."""


@dataclass(frozen=True, slots=True)
class RlRecipe:
    """`samples` a prompt, `prompts` a round; `rate` of the adapter's weights."""

    rounds: int = 60
    prompts: int = 8
    samples: int = 8
    rate: float = 5e-5
    value_rate: float = 1e-3
    temperature: float = 1.0
    most_tokens: int = 40
    ptx: float = 0.0
    look: int = 10
    """Rounds between two looks at development tasks."""
    ppo: PpoRecipe = field(default_factory=lambda: PpoRecipe(baseline="others", minibatch=16, passes=2))


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt to reply to; `key` lets the reward function know what it was asked for. With a `text`, a reply is a
    stretch of that, or one of `others`, and the chance of all else is taken for nothing."""

    prompt: Prompt
    key: str
    text: str = ""
    others: tuple[str, ...] = ()


Reward = Callable[[Sequence[Task], Sequence[str]], Sequence[Mapping[str, float]]]
"""reward(tasks, replies) -> the parts of each reply's reward by name; "total" is what is learnt from."""

Look = Callable[[Callable[[Task], str]], float]
"""look(likeliest) -> how good the policy's likeliest replies to development tasks are; likeliest(task) gives one."""

DemonstrationLoss = Callable[[random.Random], Tensor]
"""The model's loss on demonstrations drawn by the given chance."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """Replies to one prompt: token ids with the end token where one was drawn, and their text; `allowed` holds for each
    token those that it was drawn from, None where it was all of them."""

    prompt: list[int]
    replies: list[list[int]]
    texts: list[str]
    allowed: list[list[list[int]]] | None


class Trainer:
    """Rounds of sampling, judging and updating, which can be stopped and gone on with."""

    def __init__(
        self,
        model: Any,
        template: ChatTemplate,
        recipe: RlRecipe,
        work: Path,
        seed: int = 0,
        value_head: nn.Linear | None = None,
    ) -> None:
        """`model` carries the adapters POLICY (trainable) and REFERENCE; `value_head` is what the values begin as, zero
        without it."""
        self.model, self.template, self.recipe, self.work, self.seed = model, template, recipe, work, seed
        self.vocabulary = Vocabulary(template.ends, template.decode, len(template.tokenizer))
        model.set_adapter(POLICY)
        named = [(name, parameter) for name, parameter in model.named_parameters() if f".{POLICY}." in name]
        self.masters = Masters([parameter for _, parameter in named])
        self.value_head = value_head or empty_head(int(model.config.hidden_size))
        self.optimiser = torch.optim.AdamW(
            [
                {"params": self.masters.outside, "lr": recipe.rate},
                {"params": list(self.value_head.parameters()), "lr": recipe.value_rate},
            ],
            weight_decay=0.0,
        )
        self.done, self.history, self.identity = 0, list[dict[str, float]](), ""
        self.best: tuple[float, list[Tensor]] | None = None
        """The best look so far, and the weights that it was taken of."""

    def go(
        self,
        tasks: Sequence[Task],
        reward: Reward,
        until: float = math.inf,
        progress: Progress | None = None,
        demonstration_loss: DemonstrationLoss | None = None,
        look: Look | None = None,
    ) -> bool:
        """Rounds until the last, or until it is time to stop, with a checkpoint after each. The recipe's `ptx` weighs
        `demonstration_loss`. With a `look`, the policy ends with the weights that looked best after a round: a reward
        that is learnt from too long is learnt, not what it stands for (Gao et al. 2023)."""
        while self.done < self.recipe.rounds:
            if time.monotonic() > until:
                return False
            self.history.append(
                self.round(round_of(tasks, self.done, self.recipe.prompts, self.seed), reward, demonstration_loss)
            )
            self.done += 1
            if look is not None and (self.done % self.recipe.look == 0 or self.done == self.recipe.rounds):
                self.history[-1]["development"] = self.looked(look)
            self.keep()
            if progress is not None:
                progress("rounds", self.done, self.recipe.rounds)
        if self.best is not None:
            self.masters.load(self.best[1])
        return True

    def looked(self, look: Look) -> float:
        """How good the policy is now; its weights are kept when it was never better."""
        self.model.set_adapter(POLICY)
        found = look(lambda task: self.sample(task, "", 1, NEARLY_NONE).texts[0])
        if self.best is None or found > self.best[0]:
            self.best = found, self.masters.state()
        return found

    def round(
        self, tasks: Sequence[Task], reward: Reward, demonstration_loss: DemonstrationLoss | None
    ) -> dict[str, float]:
        """Samples, judges, updates; what is worth a curve."""
        recipe, began = self.recipe, time.monotonic()
        self.model.set_adapter(POLICY)
        samples = [self.sample(task, f"{self.seed} {self.done} {place}") for place, task in enumerate(tasks)]
        asked = [task for task in tasks for _ in range(recipe.samples)]
        texts = [text for sampled in samples for text in sampled.texts]
        judged = reward(asked, texts)
        scores = torch.tensor([float(parts["total"]) for parts in judged])
        episodes = joined([
            self.episodes(sampled, scores[place * recipe.samples : (place + 1) * recipe.samples])
            for place, sampled in enumerate(samples)
        ])  # fmt: skip
        extra = None
        if demonstration_loss is not None and recipe.ptx:
            order = random.Random(f"demonstrations {self.seed} {self.done}")
            extra = lambda: recipe.ptx * demonstration_loss(order)  # noqa: E731
        done = update(
            episodes, lambda rows: self.evaluate(samples, rows, episodes.mask.shape[1]), self.optimiser, recipe.ppo,
            seed=self.done, before_step=self.masters.take_gradients, after_step=self.masters.put_back,
            extra_loss=extra,
        )  # fmt: skip
        parts = {name: sum(one[name] for one in judged) / len(judged) for name in judged[0]}
        lengths = episodes.mask.sum(1)
        return {
            "round": float(self.done + 1),
            **{f"reward/{name}": value for name, value in parts.items()},
            "length": float(lengths.mean()),
            "distinct": len(set(texts)) / len(texts),
            "seconds": time.monotonic() - began,
            **{name: float(value) for name, value in asdict(done).items()},
        }

    @torch.no_grad()
    def sample(self, task: Task, seed: str, count: int | None = None, temperature: float | None = None) -> Sampled:
        """`count` replies to one prompt, drawn from the whole distribution of what may be replied; count and
        temperature are the recipe's where none are given."""
        recipe = replace(
            self.recipe,
            samples=count or self.recipe.samples,
            temperature=temperature or self.recipe.temperature,
        )
        ids = self.template.encode(task.prompt, recipe.most_tokens)
        generator = torch.Generator().manual_seed(random.Random(seed).getrandbits(31))
        inner = self.model.get_base_model()
        read = inner(input_ids=torch.tensor([ids], device=inner.device), use_cache=True, logits_to_keep=1)
        cache, logits = read.past_key_values, read.logits[:, -1].float().expand(recipe.samples, -1)
        cache.batch_repeat_interleave(recipe.samples)
        others = [self.template.tokens(other) for other in task.others]
        held = Stretches(task.text, self.vocabulary, others) if task.text else None
        replies: list[list[int]] = [[] for _ in range(recipe.samples)]
        allowed: list[list[list[int]]] = [[] for _ in replies]
        ended = [False] * recipe.samples
        for _ in range(recipe.most_tokens):
            if held:
                # A row that has ended is drawn for nothing; it needs something to draw.
                may = [[0] if done else held.after(reply) for reply, done in zip(replies, ended, strict=True)]
                logits = held_to(logits, may)
            chances = (logits / recipe.temperature).softmax(-1).cpu()
            drawn = torch.multinomial(chances, 1, generator=generator)
            for row, reply in enumerate(replies):
                if not ended[row]:
                    reply.append(int(drawn[row]))
                    ended[row] = reply[-1] in self.template.ends
                    allowed[row] += [may[row]] if held else []
            if all(ended):
                break
            logits = (
                inner(input_ids=drawn.to(inner.device), past_key_values=cache, use_cache=True).logits[:, -1].float()
            )
        return Sampled(ids, replies, [self.template.decode(reply) for reply in replies], allowed if held else None)

    @torch.no_grad()
    def episodes(self, sampled: Sampled, scores: Tensor) -> Episodes:
        """What was sampled, with the log-probabilities of both adapters and the values, as constants."""
        every = range(len(sampled.replies))
        self.model.set_adapter(REFERENCE)
        reference, _, _ = self.read(sampled, every)
        self.model.set_adapter(POLICY)
        log_probs, mask, states = self.read(sampled, every)
        values = self.value_head(states.float())[..., 0]
        return Episodes(log_probs, reference, values, mask, scores, torch.zeros(len(scores), dtype=torch.long))

    def evaluate(self, samples: Sequence[Sampled], rows: Tensor, steps: int) -> Evaluated:
        """Log-probabilities and values now, with gradients; samples of one prompt share its reading."""
        count = self.recipe.samples
        found: dict[int, tuple[Tensor, Tensor]] = {}
        for place in sorted({int(row) // count for row in rows}):
            own = [int(row) for row in rows if int(row) // count == place]
            log_probs, _, states = self.read(samples[place], [row % count for row in own])
            values = self.value_head(states.float())[..., 0]
            for row, one, value in zip(own, log_probs, values, strict=True):
                found[row] = lengthened(one, steps), lengthened(value, steps)
        log_probs, values = (torch.stack([found[int(row)][part] for row in rows]) for part in (0, 1))
        return Evaluated(log_probs, values)

    def read(self, sampled: Sampled, rows: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities, mask and states of some of the replies, as the adapter in use has them."""
        allowed = None if sampled.allowed is None else [sampled.allowed[row] for row in rows]
        replies = [sampled.replies[row] for row in rows]
        return reply_log_probs(self.model, sampled.prompt, replies, self.recipe.temperature, allowed)

    def keep(self) -> None:
        """Writes the checkpoint."""
        state = {
            "done": self.done,
            "masters": self.masters.state(),
            "value_head": self.value_head.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": self.history,
            "best": self.best,
        }
        write_checkpoint(self.work / "checkpoint.pt", self.identity, state)

    def resume(self, identity: str) -> None:
        """Goes on from the checkpoint of the same recipe, seed, data and start."""
        self.identity = identity
        kept = read_checkpoint(self.work / "checkpoint.pt", identity)
        if kept:
            self.masters.load(kept["masters"])
            self.value_head.load_state_dict(kept["value_head"])
            self.optimiser.load_state_dict(kept["optimiser"])
            self.done, self.history, self.best = kept["done"], kept["history"], kept["best"]


def round_of(items: Sequence[Item], number: int, count: int, seed: int) -> list[Item]:
    """The items of a round, in an order that follows from the seed, each as often as the others."""
    per_epoch = max(1, len(items) // count)
    order = random.Random(f"{seed} {number // per_epoch}").sample(list(items), len(items))
    start = (number % per_epoch) * count
    return order[start : start + count]


def lengthened(values: Tensor, steps: int) -> Tensor:
    """[steps], zeros behind."""
    return nn.functional.pad(values, (0, steps - len(values)))
