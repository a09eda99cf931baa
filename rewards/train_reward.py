"""`passerine train reward`: the chat model itself as a judge of preference, a LoRA adapter and a scalar head.

It learns from the rankings that the preference judge learns from, by the same loss, and its head is the start of PPO's
value head. Answers are selected by the preference judge.
"""

import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from indexing.types import Progress
from models.adapter import AdapterRecipe, Masters, check_adapter, continued, save_adapter, trained_parameters
from models.adapter import with_adapter as with_fresh
from models.chat_template import ChatTemplate
from models.checkpoints import read_checkpoint, write_checkpoint
from models.curves import draw, over
from models.encoder import TrunkEncoder, load_encoder
from models.generator import LocalGenerator
from models.heads import file_sha256
from models.processes import Processes, processes
from models.prompts import BRIEF
from models.scalar_head import empty_head, save_head, scores
from models.types import Message
from models.weights import model_folder
from rewards.measures import mean_interval, pair_hits
from rewards.network_fit import outputs_of
from rewards.preference import TrainedPreference
from rewards.preference_data import Ranking, built_rankings, human_rankings
from rewards.readings import Draft, Readings
from rewards.support_data import held_out, support_examples
from rewards.train_preference import FILES, mixed
from rewards.training import CHANCE, TRUNK, checksums, write_card

BASE = "smollm2-135m-instruct"
QUESTION_CHARACTERS = 600
"""Kept of the last turn, its end."""
SAVE_EVERY = 10


@dataclass(frozen=True, slots=True)
class RewardRecipe:
    """`rankings` are drawn, half of them human where there are as many; `batch` of them make a step. `tokens` are kept
    of a draft. `tested` rankings a source are measured."""

    rankings: int = 2_000
    batch: int = 4
    rate: float = 1e-4
    head_rate: float = 1e-3
    tokens: int = 80
    tested: int = 60
    adapter: AdapterRecipe = field(default_factory=lambda: AdapterRecipe(rank=16, alpha=32, frozen=18))


@dataclass(frozen=True, slots=True)
class Encoded:
    """A ranking as token ids: the dialogue that its drafts share, and each draft with its end."""

    prompt: list[int]
    replies: list[list[int]]
    pairs: tuple[tuple[int, int, float], ...]


def train_reward(
    data: Path,
    home: Path,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    recipe: RewardRecipe | None = None,
    seconds: float = math.inf,
    start: Path | None = None,
    device: str = "cpu",
) -> bool:
    """Train, measure, and write adapter, head, passerine.json, card.md and curves.png into `out`. With `start`, that
    adapter goes on, and the head fits its states the better: what a value head wants. Raises BadInput.

    A checkpoint is kept under `out`/work; the same call goes on from there. True when complete. Trains on `device`, or
    on those of the processes that `accelerate launch` started.
    """
    recipe, until = recipe or RewardRecipe(), time.monotonic() + seconds
    files = checksums(data, FILES)
    base = model_folder(home, BASE)
    if start is not None:
        check_adapter(start, base)
    train, dev, test = rankings_of(data, seed, recipe)
    facts: dict[str, Any] = {"name": "reward", "base": BASE, "seed": seed, "recipe": asdict(recipe), "data": files}
    if start is not None:
        facts["start"] = file_sha256(start / "adapter_model.safetensors")
    runs, together = {}, processes(device)
    progress = progress if together.first else None
    for name, own in (("", train), ("shuffled", mixed(train[: len(train) // CHANCE], seed))):
        local = LocalGenerator.load(BASE, base, str(together.device))
        torch.manual_seed(seed)
        model = continued(local.model, start) if start else with_fresh(local.model, recipe.adapter)
        rankings = [encoded(one, local.template, recipe) for one in own]
        run = Run(model, local.template, recipe, rankings, out / "work" / name, together)
        run.resume(json.dumps(facts, sort_keys=True))
        if not run.go(seed, until, progress):
            return False
        runs[name] = run
    if not together.first:
        return True
    run = runs[""]
    best = [
        own[one.demonstration] for one, own in zip(dev, run.judged(dev), strict=True) if one.demonstration is not None
    ]
    with torch.no_grad():
        run.head.bias.sub_(float(np.mean(best)))
    encoder = load_encoder(TRUNK, home)
    assert isinstance(encoder, TrunkEncoder)
    judged = {
        "reward model": run.judged(test),
        "head on the start": run.at_start(test),
        "preference judge": shipped(test, Readings(encoder.trunk)),
        "shuffled labels": runs["shuffled"].judged(test),
        "longer text": [np.asarray([float(len(draft.answer)) for draft in one.drafts]) for one in test],
    }
    figures = accuracies(test, judged)
    facts["seconds"] = math.fsum(own.seconds for own in runs.values())
    save_adapter(run.model, out, base, {**facts, "history": run.history[-1:], "figures": figures})
    save_head(run.head, out)
    draw([over(run.history, {"loss": "training loss"})], out / "curves.png")
    write_card(out, "Reward model on the chat model", TEXT, files, figures, LIMITS)
    return True


def rankings_of(data: Path, seed: int, recipe: RewardRecipe) -> tuple[list[Ranking], list[Ranking], list[Ranking]]:
    """What is trained on, the demonstrations of development that shall average 0, and what is tested, by source."""
    chance = random.Random(seed)
    human = human_rankings(data, "train")
    built = list(built_rankings(support_examples(data, "train", seed), seed))
    shown = [[one for one in own if not held_out(one.group)] for own in (human, built)]
    half = min(len(shown[0]), recipe.rankings // 2)
    train = chance.sample(shown[0], half) + chance.sample(shown[1], min(len(shown[1]), recipe.rankings - half))
    dev = [one for one in (*human, *built) if held_out(one.group) and one.demonstration is not None]
    test: dict[str, list[Ranking]] = {}
    for one in (*human_rankings(data, "test"), *built_rankings(support_examples(data, "test", seed), seed)):
        test.setdefault(one.source, []).append(one)
    chosen = [one for _, own in sorted(test.items()) for one in chance.sample(own, min(recipe.tested, len(own)))]
    return chance.sample(train, len(train)), chance.sample(dev, min(recipe.tested, len(dev))), chosen


def encoded(ranking: Ranking, template: ChatTemplate, recipe: RewardRecipe) -> Encoded:
    """The dialogue in the model's chat template; a draft is its bare answer, its words and its quote, a line each."""
    asked = ranking.drafts[0].question[-QUESTION_CHARACTERS:]
    prompt = template.encode((Message("system", BRIEF), Message("user", asked)), recipe.tokens + 1)
    end = min(template.ends)
    replies = [[*template.tokens(said(draft))[: recipe.tokens], end] for draft in ranking.drafts]
    return Encoded(prompt, replies, ranking.pairs)


def said(draft: Draft) -> str:
    """A draft as the model reads it."""
    return "\n".join(part for part in (draft.short, draft.answer, draft.evidence) if part)


def ranking_loss(rewards: Tensor, pairs: Sequence[tuple[int, int, float]]) -> Tensor:
    """-1 / C(K, 2) * sum of log sigmoid(r_w - r_l) over the pairs of one prompt (Ouyang et al. 2022), ties as 0.5."""
    left, right, shares = zip(*pairs, strict=True)
    gaps = rewards[list(left)] - rewards[list(right)]
    return functional.binary_cross_entropy_with_logits(gaps, torch.tensor(shares))


class Run:
    """A training that can be stopped and gone on with: the same steps follow."""

    def __init__(
        self,
        model: Any,
        template: ChatTemplate,
        recipe: RewardRecipe,
        rankings: Sequence[Encoded],
        work: Path,
        together: Processes | None = None,
    ) -> None:
        self.model, self.template, self.recipe, self.rankings, self.work = model, template, recipe, rankings, work
        self.together = together or Processes()
        self.head = empty_head(int(model.config.hidden_size)).to(self.together.device)
        self.masters = Masters(trained_parameters(model))
        self.first = self.masters.state()
        groups = [
            {"params": self.masters.outside, "lr": recipe.rate},
            {"params": list(self.head.parameters()), "lr": recipe.head_rate},
        ]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
        self.steps = math.ceil(len(rankings) / recipe.batch)
        self.rates = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda step: max(0.05, 1 - step / self.steps))
        self.done, self.history, self.identity, self.seconds = 0, list[dict[str, float]](), "", 0.0

    def go(self, seed: int, until: float, progress: Progress | None) -> bool:
        """Steps until every ranking was read once, or until it is time to stop, with a checkpoint before."""
        order = random.Random(seed).sample(range(len(self.rankings)), len(self.rankings))
        self.model.train()
        while self.done < self.steps:
            if self.together.late(until):
                self.keep()
                return False
            some = [self.rankings[place] for place in order[self.done * self.recipe.batch :][: self.recipe.batch]]
            self.history.append({"step": self.done + 1.0, "loss": self.step(some)})
            self.done += 1
            if self.done % SAVE_EVERY == 0 or self.done == self.steps:
                self.keep()
            if progress is not None:
                progress("fit", self.done, self.steps)
        self.model.eval()
        return True

    def step(self, some: Sequence[Encoded]) -> float:
        """One update; the mean loss before it. A ranking's drafts share the reading of its dialogue; each process reads
        its share of the rankings."""
        began, total = time.monotonic(), 0.0
        self.optimiser.zero_grad()
        for one in self.together.mine(some):
            loss = ranking_loss(scores(self.model, self.head, one.prompt, one.replies).cpu(), one.pairs) / len(some)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        self.masters.take_gradients()
        learning = [*self.masters.outside, *self.head.parameters()]
        self.together.add_gradients(learning)
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        self.optimiser.step()
        self.rates.step()
        self.masters.put_back()
        self.seconds += time.monotonic() - began
        return self.together.sums(total)[0]

    @torch.no_grad()
    def judged(self, rankings: Sequence[Ranking]) -> list[NDArray[np.float64]]:
        """The scores of the drafts of each ranking."""
        found = []
        for one in (encoded(ranking, self.template, self.recipe) for ranking in rankings):
            found.append(scores(self.model, self.head, one.prompt, one.replies).double().cpu().numpy())
        return found

    def at_start(self, rankings: Sequence[Ranking]) -> list[NDArray[np.float64]]:
        """The same with the head alone, over the adapter as it was before: what a value head begins with."""
        trained = self.masters.state()
        self.masters.load(self.first)
        found = self.judged(rankings)
        self.masters.load(trained)
        return found

    def keep(self) -> None:
        """Writes the checkpoint."""
        if not self.together.first:
            return
        state = {
            "done": self.done,
            "masters": self.masters.state(),
            "head": self.head.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rates": self.rates.state_dict(),
            "history": self.history,
            "seconds": self.seconds,
        }
        write_checkpoint(self.work / "checkpoint.pt", self.identity, state)

    def resume(self, identity: str) -> None:
        """Goes on from the checkpoint of the same recipe, seed, data and start."""
        self.identity = identity
        kept = read_checkpoint(self.work / "checkpoint.pt", identity)
        if kept:
            self.masters.load(kept["masters"])
            self.head.load_state_dict(kept["head"])
            self.optimiser.load_state_dict(kept["optimiser"])
            self.rates.load_state_dict(kept["rates"])
            self.done, self.history, self.seconds = kept["done"], kept["history"], kept["seconds"]


def shipped(rankings: Sequence[Ranking], readings: Readings) -> list[NDArray[np.float64]]:
    """The preference judge's scores of the drafts of each ranking."""
    judge = TrainedPreference.load(readings)
    return [outputs_of(judge.network, readings, one.drafts)[:, 0].astype(np.float64) for one in rankings]


def accuracies(test: Sequence[Ranking], judged: Mapping[str, Sequence[NDArray[np.float64]]]) -> list[list[str]]:
    """Pair accuracy by source of each judge, and over all built and all human rankings."""
    rows = [["test set", *judged]]
    names = sorted({one.source for one in test})
    built = [name for name in names if name.startswith("built")]
    human = [name for name in names if name not in built]
    for title, sources in {**{name: [name] for name in names}, "all built": built, "all human": human}.items():
        found = [(place, pair) for place, one in enumerate(test) if one.source in sources for pair in one.pairs]
        asked = [(place, pair) for place, pair in found if pair[2] != 0.5]
        if not asked:
            continue
        groups = [test[place].group for place, _ in asked]
        shares = [share for _, (_, _, share) in asked]
        cells = []
        for values in judged.values():
            first = [values[place][i] for place, (i, _, _) in asked]
            second = [values[place][j] for place, (_, j, _) in asked]
            cells.append(str(mean_interval(pair_hits(first, second, shares), groups)))
        rows.append([title, *cells])
    return rows


TEXT = """
r(dialogue, draft) by SmolLM2-135M-Instruct: a LoRA adapter and a scalar head, read after the draft's last token.
Trained on all pairs of a prompt in one batch with loss -1/C(K,2) * sum log sigmoid(r_w - r_l) (Ouyang et al. 2022),
ties as one half, the drafts of a prompt sharing its reading; shifted so that demonstrations of the development data
average 0. "head on the start" is the head alone over the states of the adapter that the training began with, as PPO's
value head meets them. Train it again: `passerine train reward --data FOLDER --start ADAPTER`.
"""
LIMITS = """
It has seen a small part of the rankings, once, and reads Chinese byte by byte. Answers are selected by the preference
judge; this one is where PPO's value head may begin.
"""
