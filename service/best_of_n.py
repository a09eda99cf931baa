"""`passerine train best-of-n`: the chat model learns from the best of its own replies, as the judges see them.

The plain alternative to reinforcement learning (Nakano et al. 2021, section 3): n replies a question, the one with the
highest reward becomes a demonstration.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import torch

from indexing.types import Progress
from models.adapter import check_adapter, continued
from models.curves import Panel, draw
from models.demonstrations import Demonstration
from models.generator import LocalGenerator
from models.heads import file_sha256
from models.llama_generator import LlamaGenerator
from models.processes import processes
from models.prompts import NOT_SAID
from models.train_ppo import Reward, Task
from models.train_sft import BASE, SftRecipe, fit
from models.types import Generation, Message, Prompt, Sampling
from models.weights import model_folder
from service.reading_tasks import FILES, questions
from service.tuning import rewards

TOGETHER = 2
"""Questions whose replies are drawn in one batch."""


@dataclass(frozen=True, slots=True)
class BestOfRecipe:
    """`samples` replies to each of `tasks` questions; `tuning` is what is done with the best of them."""

    samples: int = 16
    tasks: int = 1_000
    tuning: SftRecipe = field(default_factory=lambda: SftRecipe(epochs=2, rate=2e-4))


@dataclass(frozen=True, slots=True)
class Drawn:
    """Replies to one question with their rewards, in the order of drawing, and how long that took."""

    key: str
    replies: tuple[str, ...]
    rewards: tuple[float, ...]
    seconds: float = 0.0

    @property
    def best(self) -> str:
        """The reply with the highest reward; of equals the one that was drawn most often."""
        count = Counter(self.replies)
        return max(zip(self.rewards, self.replies, strict=True), key=lambda one: (one[0], count[one[1]]))[1]


class Writes(Protocol):
    """Draws replies that stand in a text (models/llama_generator.py)."""

    def stretches(
        self, prompts: Sequence[Prompt], texts: Sequence[str], others: Sequence[str], n: int, sampling: Sampling
    ) -> list[list[Generation]]: ...


def train_best_of_n(
    data: Path,
    home: Path,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    recipe: BestOfRecipe | None = None,
    seconds: float = math.inf,
    start: Path | None = None,
    device: str = "cpu",
) -> bool:
    """Tune the adapter `start` (default: `sft` beside `out`) and write the new one, passerine.json, curves.png and
    best-of.png into `out`. Raises BadInput when there is no such adapter, or it does not fit the base.

    What was drawn is kept under `out`/work; the same call goes on from there. True when complete. Trains on `device`,
    or on those of the processes that `accelerate launch` started, each of which also draws for its share of the
    questions.
    """
    recipe, until = recipe or BestOfRecipe(), time.monotonic() + seconds
    base, start = model_folder(home, BASE), start or out.parent / "sft"
    check_adapter(start, base)
    tasks, asked = questions(data, seed, recipe.tasks)
    facts = {
        "name": "best-of-n",
        "base": BASE,
        "start": file_sha256(start / "adapter_model.safetensors"),
        "seed": seed,
        "recipe": asdict(recipe),
        "data": {name: file_sha256(data / name) for name in FILES},
    }
    together = processes(device)
    progress = progress if together.first else None
    local = LocalGenerator.load(BASE, base, str(together.device))
    writer = LlamaGenerator.load(BASE, base, start)
    path = out / "work" / f"drawn{f'-{together.rank}' if together.rank else ''}.jsonl"
    own = draw_all(together.mine(tasks), writer, rewards(home, asked), recipe, seed, path, facts, until, progress)
    drawn = together.gathered(own)
    if len(drawn) < len(tasks):
        return False
    curve = {f"{k}": expected_best(drawn, k) for k in (1, 2, 4, 8, 16) if k <= recipe.samples}
    torch.manual_seed(seed)
    made = list(demonstrations_of(tasks, drawn))
    model = continued(local.model, start)
    facts |= {"expected_reward": curve, "seconds": math.fsum(one.seconds for one in drawn)}
    if not fit(model, local, made, facts, recipe.tuning, seed, base, out, until, progress, together):
        return False
    if not together.first:
        return True
    shown = [(float(k), value) for k, value in curve.items()]
    draw([Panel({"expected reward of the best": shown}, "replies")], out / "best-of.png")
    return True


def draw_all(
    tasks: Sequence[Task],
    writer: Writes,
    reward: Reward,
    recipe: BestOfRecipe,
    seed: int,
    path: Path,
    facts: Mapping[str, object],
    until: float,
    progress: Progress | None,
) -> list[Drawn]:
    """Replies to every question, those of an earlier run in `path` first; fewer when the time is over."""
    identity = json.dumps(facts, sort_keys=True)
    found = kept(path, identity)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"identity": identity}, *map(asdict, found.values())]  # without a line that was cut off
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    open_tasks = [task for task in tasks if task.key not in found]
    with path.open("a", encoding="utf-8") as file:
        for first in range(0, len(open_tasks), TOGETHER):
            if time.monotonic() > until:
                break
            began, some = time.monotonic(), open_tasks[first : first + TOGETHER]
            sampling = Sampling(max_tokens=32, temperature=1.0, top_p=1.0, seed=seed + len(found), stop=("\n",))
            prompts, texts = [task.prompt for task in some], [task.text for task in some]
            drafts = writer.stretches(prompts, texts, (NOT_SAID,), recipe.samples, sampling)
            judged = [
                reward([task] * len(own), [one.text for one in own]) for task, own in zip(some, drafts, strict=True)
            ]
            each = (time.monotonic() - began) / len(some)
            for task, own, parts in zip(some, drafts, judged, strict=True):
                replies, worth = tuple(one.text for one in own), tuple(one["total"] for one in parts)
                found[task.key] = Drawn(task.key, replies, worth, each)
                file.write(json.dumps(asdict(found[task.key]), ensure_ascii=False) + "\n")
            file.flush()
            if progress is not None:
                progress("draw", len(found), len(tasks))
    return [found[task.key] for task in tasks if task.key in found]


def kept(path: Path, identity: str) -> dict[str, Drawn]:
    """What an earlier run of the same recipe drew; nothing of another one."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    if not rows or rows[0].get("identity") != identity:
        return {}
    return {
        row["key"]: Drawn(row["key"], tuple(row["replies"]), tuple(row["rewards"]), row["seconds"]) for row in rows[1:]
    }


def demonstrations_of(tasks: Sequence[Task], drawn: Sequence[Drawn]) -> Iterator[Demonstration]:
    """The best reply of each question, after the same prompt; a question whose replies are all worth the same teaches
    nothing."""
    for task, one in zip(tasks, drawn, strict=True):
        if max(one.rewards) > min(one.rewards):
            messages = (*task.prompt, Message("assistant", one.best))
            yield Demonstration(messages, len(task.prompt) - 1, "best of n", task.key)


def expected_best(drawn: Sequence[Drawn], k: int) -> float:
    """Mean over questions of the expected reward of the best of k of the drawn replies, without replacement."""
    total = 0.0
    for one in drawn:
        ordered, n = sorted(one.rewards), len(one.rewards)
        total += sum(math.comb(place, k - 1) * value for place, value in enumerate(ordered)) / math.comb(n, k)
    return total / len(drawn)
