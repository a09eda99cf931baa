"""Reinforcement learning of the chat model from a reward function: PPO, with the other episodes of a task or a value
head as baseline.

The policy and the reference are two adapters of one model; the policy begins as a copy of the reference. Samples are
drawn by the plain model so that what is learnt from is exactly what was drawn. An episode is one reply, or several with
what they led to between them (a search query, its results, the answer): what the policy did not write is read and never
learnt. The reward is a plain function, since models know no judges: `service/tuning.py` joins both.
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
from torch.nn.utils.rnn import pad_sequence

from indexing.types import Progress
from models.adapter import POLICY, REFERENCE, Masters
from models.chat_template import ChatTemplate
from models.checkpoints import read_checkpoint, write_checkpoint
from models.copying import Stretches, Vocabulary, held_to
from models.ppo import Episodes, Evaluated, PpoRecipe, joined, update
from models.processes import Processes
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
    grown: int = 2
    """Most prompts of a round that are dialogues grown by the policy's own turns, where there are any."""
    valid: float = 0.5
    """Least reward of a reply that a dialogue grows by."""
    ppo: PpoRecipe = field(default_factory=lambda: PpoRecipe(baseline="others", minibatch=16, passes=2))


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt to reply to; `key` lets the reward function know what it was asked for. With a `text`, a reply is a
    stretch of that, or one of `others`, and the chance of all else is taken for nothing. `then` gives the task that a
    reply leads to, None where it is the last word."""

    prompt: Prompt
    key: str
    text: str = ""
    others: tuple[str, ...] = ()
    then: Callable[[str], "Task | None"] | None = None


Reward = Callable[[Sequence[Task], Sequence[str]], Sequence[Mapping[str, float]]]
"""reward(tasks, replies) -> the parts of each last reply's reward by name; "total" is what is learnt from."""

Grow = Callable[[str, str], Task | None]
"""grow(key, reply) -> the next turn of the dialogue in which the task `key` was answered by `reply`, None where there
is none. Dialogues grow by the policy's own valid turns (self-play of Sparrow, Glaese et al. 2022)."""

Look = Callable[[Callable[[Task], str]], float]
"""look(likeliest) -> how good the policy's likeliest replies to development tasks are; likeliest(task) gives one."""

DemonstrationLoss = Callable[[random.Random], Tensor]
"""The model's loss on demonstrations drawn by the given chance."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """Replies to one prompt: token ids with the end token where one was drawn, and their text; `allowed` holds for each
    token those that it was drawn from, None where it was all of them. `episodes` numbers the episodes of the task that
    they belong to."""

    prompt: list[int]
    replies: list[list[int]]
    texts: list[str]
    allowed: list[list[list[int]]] | None
    episodes: list[int]


@dataclass(frozen=True, slots=True)
class Played:
    """All episodes of a task: what was written, in order, and of each episode the last task and the last reply."""

    steps: list[Sampled]
    tasks: list[Task]
    texts: list[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """The episodes of a task when they have been judged: what one process tells the others."""

    steps: list[Sampled]
    texts: list[str]
    parts: list[Mapping[str, float]]
    episodes: Episodes


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
        together: Processes | None = None,
    ) -> None:
        """`model` carries the adapters POLICY (trainable) and REFERENCE; `value_head` is what the values begin as, zero
        without it. Of several processes each plays and judges its share of a round."""
        self.together = together or Processes()
        self.model, self.template, self.recipe, self.work, self.seed = model, template, recipe, work, seed
        self.vocabulary = Vocabulary(template.ends, template.decode, len(template.tokenizer))
        model.set_adapter(POLICY)
        named = [(name, parameter) for name, parameter in model.named_parameters() if f".{POLICY}." in name]
        self.masters = Masters([parameter for _, parameter in named])
        head = value_head or empty_head(int(model.config.hidden_size))
        self.value_head = head.to(model.get_base_model().device)
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
        self.turns: list[tuple[str, str]] = []
        """Tasks of the last round by key with a valid reply, which dialogues grow by in the next; grown ones first."""

    def go(
        self,
        tasks: Sequence[Task],
        reward: Reward,
        until: float = math.inf,
        progress: Progress | None = None,
        demonstration_loss: DemonstrationLoss | None = None,
        look: Look | None = None,
        grow: Grow | None = None,
    ) -> bool:
        """Rounds until the last, or until it is time to stop, with a checkpoint after each. The recipe's `ptx` weighs
        `demonstration_loss`; dialogues that `grow` are tasks of later rounds. With a `look`, the policy ends with the
        weights that looked best after a round: a reward that is learnt from too long is learnt, not what it stands for
        (Gao et al. 2023)."""
        while self.done < self.recipe.rounds:
            if self.together.late(until):
                return False
            chosen = round_of(tasks, self.done, self.recipe.prompts, self.seed)
            own = [task for said in self.turns if (task := grow(*said))] if grow else []
            chosen = [*chosen[: len(chosen) - len(own)], *own]
            self.history.append(self.round(chosen, reward, demonstration_loss, grow))
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
        found = look(lambda task: self.sample(task, "", 1, NEARLY_NONE).texts[0]) if self.together.first else 0.0
        [found] = self.together.sums(found)
        if self.best is None or found > self.best[0]:
            self.best = found, self.masters.state()
        return found

    def round(
        self,
        tasks: Sequence[Task],
        reward: Reward,
        demonstration_loss: DemonstrationLoss | None,
        grow: Grow | None = None,
    ) -> dict[str, float]:
        """Samples, judges, updates; what is worth a curve."""
        recipe, began = self.recipe, time.monotonic()
        self.model.set_adapter(POLICY)
        own = [
            self.judged(task, reward, f"{self.seed} {self.done} {place}")
            for place, task in self.together.mine(list(enumerate(tasks)))
        ]
        played = self.together.gathered(own)
        texts = [text for one in played for text in one.texts]
        judged = [parts for one in played for parts in one.parts]
        episodes = joined([one.episodes for one in played])
        if grow is not None:
            self.turns = self.valid(tasks, played, grow)
        extra = None
        if demonstration_loss is not None and recipe.ptx:
            order = random.Random(f"demonstrations {self.seed} {self.done}")
            extra = lambda: recipe.ptx * demonstration_loss(order)  # noqa: E731
        done = update(
            episodes, lambda rows: self.evaluate(played, rows, episodes.mask.shape[1]), self.optimiser, recipe.ppo,
            seed=self.done, before_step=self.take_gradients, after_step=self.masters.put_back,
            extra_loss=extra, together=self.together,
        )  # fmt: skip
        parts = {name: sum(one[name] for one in judged) / len(judged) for name in judged[0]}
        lengths = episodes.mask.sum(1)
        return {
            "round": float(self.done + 1),
            **{f"reward/{name}": value for name, value in parts.items()},
            "length": float(lengths.mean()),
            "steps": sum(len(step.replies) for one in played for step in one.steps) / len(texts),
            "distinct": len(set(texts)) / len(texts),
            "seconds": time.monotonic() - began,
            **{name: float(value) for name, value in asdict(done).items()},
        }

    def valid(self, tasks: Sequence[Task], played: Sequence[Judged], grow: Grow) -> list[tuple[str, str]]:
        """The best reply to each task, where it is worth enough and a dialogue can grow by it; as many as a round
        takes. Grown dialogues stand behind the other tasks and go first."""
        found = []
        for task, one in reversed(list(zip(tasks, played, strict=True))):
            scores = one.episodes.scores
            said = task.key, one.texts[int(scores.argmax())]
            if float(scores.max()) >= self.recipe.valid and grow(*said) is not None:
                found.append(said)
        return found[: self.recipe.grown]

    def take_gradients(self) -> None:
        """The gradients of all processes become those of the weights outside the model."""
        self.masters.take_gradients()
        self.together.add_gradients([*self.masters.outside, *self.value_head.parameters()])

    def judged(self, task: Task, reward: Reward, seed: str) -> Judged:
        """The episodes of a task with what they are worth."""
        played = self.play(task, seed)
        judged = reward(played.tasks, played.texts)
        scores = torch.tensor([float(parts["total"]) for parts in judged])
        return Judged(played.steps, played.texts, list(judged), self.episodes(played.steps, scores))

    def play(self, task: Task, seed: str) -> Played:
        """The episodes of a task, each until its last word. Those that lead to one prompt share its reading."""
        first = self.sample(task, seed)
        steps, tasks, texts = [first], [task] * len(first.texts), list(first.texts)
        going = first.episodes
        while going:
            found: dict[Prompt, tuple[Task, list[int]]] = {}
            for number in going:
                then = tasks[number].then
                following = then(texts[number]) if then is not None else None
                if following is not None:
                    found.setdefault(following.prompt, (following, []))[1].append(number)
            going = [number for _, numbers in found.values() for number in numbers]
            for following, numbers in found.values():
                sampled = self.sample(following, f"{seed} {len(steps)}", len(numbers))
                steps.append(replace(sampled, episodes=numbers))
                for number, text in zip(numbers, sampled.texts, strict=True):
                    tasks[number], texts[number] = following, text
        return Played(steps, tasks, texts)

    @torch.no_grad()
    def sample(self, task: Task, seed: str, count: int | None = None, temperature: float | None = None) -> Sampled:
        """`count` replies to one prompt, drawn from the whole distribution of what may be replied; count and
        temperature are the recipe's where none are given."""
        count, temperature = count or self.recipe.samples, temperature or self.recipe.temperature
        most_tokens = self.recipe.most_tokens
        ids = self.template.encode(task.prompt, most_tokens)
        generator = torch.Generator().manual_seed(random.Random(seed).getrandbits(31))
        inner = self.model.get_base_model()
        read = inner(input_ids=torch.tensor([ids], device=inner.device), use_cache=True, logits_to_keep=1)
        cache, logits = read.past_key_values, read.logits[:, -1].float().expand(count, -1)
        cache.batch_repeat_interleave(count)
        others = [self.template.tokens(other) for other in task.others]
        held = Stretches(task.text, self.vocabulary, others) if task.text else None
        replies: list[list[int]] = [[] for _ in range(count)]
        allowed: list[list[list[int]]] = [[] for _ in replies]
        ended = [False] * count
        for _ in range(most_tokens):
            if held:
                # A row that has ended is drawn for nothing; it needs something to draw.
                may = [[0] if done else held.after(reply) for reply, done in zip(replies, ended, strict=True)]
                logits = held_to(logits, may)
            chances = (logits / temperature).softmax(-1).cpu()
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
        texts = [self.template.decode(reply) for reply in replies]
        return Sampled(ids, replies, texts, allowed if held else None, list(range(len(replies))))

    @torch.no_grad()
    def episodes(self, steps: Sequence[Sampled], scores: Tensor) -> Episodes:
        """What was sampled, with the log-probabilities of both adapters and the values, as constants."""
        every = range(len(scores))
        self.model.set_adapter(REFERENCE)
        reference = [log_probs for log_probs, _ in self.read(steps, every)]
        self.model.set_adapter(POLICY)
        log_probs, values = zip(*self.read(steps, every), strict=True)
        mask = [torch.ones_like(own) for own in log_probs]
        own, other, value, acted = (
            pad_sequence(list(column), batch_first=True) for column in (log_probs, reference, values, mask)
        )
        return Episodes(own, other, value, acted, scores, torch.zeros(len(scores), dtype=torch.long))

    def evaluate(self, played: Sequence[Judged], rows: Tensor, steps: int) -> Evaluated:
        """Log-probabilities and values now, with gradients; samples of one prompt share its reading."""
        count = self.recipe.samples
        found: dict[int, tuple[Tensor, Tensor]] = {}
        for place in sorted({int(row) // count for row in rows}):
            own = [int(row) for row in rows if int(row) // count == place]
            found |= dict(zip(own, self.read(played[place].steps, [row % count for row in own]), strict=True))
        log_probs, values = (torch.stack([lengthened(found[int(row)][part], steps) for row in rows]) for part in (0, 1))
        return Evaluated(log_probs, values)

    def read(self, steps: Sequence[Sampled], episodes: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """Log-probabilities and values [tokens written] of some episodes of a task, as the adapter in use has them."""
        found: dict[int, list[tuple[Tensor, Tensor]]] = {number: [] for number in episodes}
        for step in steps:
            rows = [row for row, number in enumerate(step.episodes) if number in found]
            if not rows:
                continue
            replies = [step.replies[row] for row in rows]
            allowed = None if step.allowed is None else [step.allowed[row] for row in rows]
            log_probs, _, states = reply_log_probs(self.model, step.prompt, replies, self.recipe.temperature, allowed)
            values = self.value_head(states.float())[..., 0]
            for row, reply, own, value in zip(rows, replies, log_probs, values, strict=True):
                found[step.episodes[row]].append((own[: len(reply)].cpu(), value[: len(reply)].cpu()))
        return [
            (torch.cat([own for own, _ in parts]), torch.cat([value for _, value in parts])) for parts in found.values()
        ]

    def keep(self) -> None:
        """Writes the checkpoint."""
        if not self.together.first:
            return
        state = {
            "done": self.done,
            "masters": self.masters.state(),
            "value_head": self.value_head.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": self.history,
            "best": self.best,
            "turns": self.turns,
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
            self.turns = kept["turns"]


def round_of(items: Sequence[Item], number: int, count: int, seed: int) -> list[Item]:
    """The items of a round, in an order that follows from the seed, each as often as the others."""
    per_epoch = max(1, len(items) // count)
    order = random.Random(f"{seed} {number // per_epoch}").sample(list(items), len(items))
    start = (number % per_epoch) * count
    return order[start : start + count]


def lengthened(values: Tensor, steps: int) -> Tensor:
    """[steps], zeros behind."""
    return nn.functional.pad(values, (0, steps - len(values)))
