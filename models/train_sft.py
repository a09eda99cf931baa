"""Supervised tuning of the chat model: `passerine train sft --data FOLDER`.

Masked cross-entropy on what Passerine writes (InstructGPT, section 3.5; Sparrow, section 2.3), through a LoRA adapter.
"""

import json
import math
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from indexing.types import Progress
from models.adapter import (
    AdapterRecipe,
    Masters,
    check_adapter,
    continued,
    save_adapter,
    trained_parameters,
    with_adapter,
)
from models.checkpoints import read_checkpoint, write_checkpoint
from models.curves import draw, over
from models.demonstrations import FILES, Demonstration, Shares, demonstrations, is_development
from models.generator import LocalGenerator
from models.heads import file_sha256
from models.processes import Processes, processes
from models.prompts import QUERY_MARK
from models.train_plan import OWN
from models.weights import model_folder
from models.written import files

BASE = "smollm2-135m-instruct"
COPIED = 0.25
"""Weight of a token of a query that repeats the question; the rest of a reply weighs 1."""
FIRST = 3.0
"""Weight of the first token of a reply: it decides between searching, answering and saying that nothing answers."""
LOOK_EVERY, SAVE_EVERY = 100, 50


@dataclass(frozen=True, slots=True)
class SftRecipe:
    """`tokens` is the most of one step, padding included."""

    epochs: int = 1
    tokens: int = 2_400
    longest: int = 640
    rate: float = 4e-4
    warm: float = 0.04
    clip: float = 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids [n], and the weight of each as something to be predicted [n], 0 for what others say."""

    ids: list[int]
    weights: list[float]
    kind: str


def train_sft(
    data: Path,
    home: Path,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    recipe: SftRecipe | None = None,
    adapter: AdapterRecipe | None = None,
    shares: Shares | None = None,
    seconds: float = math.inf,
    device: str = "cpu",
    start: Path | None = None,
) -> bool:
    """Train on `data` and write the adapter, passerine.json and curves.png into `out`. With `start`, that adapter is
    trained further, and `adapter` says how it was made. Trains on `device`, or on those of the processes that
    `accelerate launch` started.

    A checkpoint is kept under `out`/work. Stops after about `seconds` of computing; the same call goes on from there.
    True when the training is complete.
    """
    recipe, adapter, until = recipe or SftRecipe(), adapter or AdapterRecipe(), time.monotonic() + seconds
    base = model_folder(home, BASE)
    together = processes(device)
    progress = progress if together.first else None
    generator = LocalGenerator.load(BASE, base, str(together.device))
    made = demonstrations(data, seed, shares)
    torch.manual_seed(seed)
    if start is not None:
        check_adapter(start, base)
    model = continued(generator.model, start) if start else with_adapter(generator.model, adapter)
    read = {name: data / name for name in FILES} | files() | {"examples/search-decision.jsonl": OWN}
    facts = {
        "name": "sft",
        "base": BASE,
        "seed": seed,
        "recipe": asdict(recipe),
        "adapter": asdict(adapter),
        "shares": asdict(shares or Shares()),
        "data": {name: file_sha256(path) for name, path in read.items()},
    }
    if start is not None:
        facts["start"] = file_sha256(start / "adapter_model.safetensors")
    history = fit(model, generator, made, facts, recipe, seed, base, out, until, progress, together)
    if history and together.first:
        (out / "card.md").write_text(card(made, history[-1], recipe, adapter, seed), encoding="utf-8")
    return bool(history)


def fit(
    model: Any,
    generator: LocalGenerator,
    made: Sequence[Demonstration],
    facts: Mapping[str, Any],
    recipe: SftRecipe,
    seed: int,
    base: Path,
    out: Path,
    until: float,
    progress: Progress | None,
    together: Processes | None = None,
) -> list[dict[str, float]]:
    """Train the adapter of `model` on demonstrations and write it with `facts`, passerine.json and curves.png into
    `out`; the history, empty when the time was over before the end."""
    together = together or Processes()
    held, kept = split([encoded(generator, one) for one in made], made, recipe)
    run = Run(model, recipe, batches(kept, recipe, seed), out / "work", together)
    facts = {**facts, "demonstrations": {"train": len(kept), "development": len(held)}}
    run.resume(json.dumps(facts, sort_keys=True))
    if not run.go(random.Random(seed).sample(held, min(96, len(held))), until, progress):
        return []
    facts["seconds"] = facts.get("seconds", 0.0) + run.seconds
    if not together.first:
        return run.history
    save_adapter(run.model, out, base, {**facts, "history": run.history[-1:]})
    shown = {"train_loss": "training loss", "dev_loss": "development loss"}
    right = over(run.history, {"dev_firsts": "right first tokens"})
    draw([over(run.history, shown), right], out / "curves.png")
    return run.history


def split(
    examples: Sequence[Example], made: Sequence[Demonstration], recipe: SftRecipe
) -> tuple[list[Example], list[Example]]:
    """Development and training examples; the few that are longer than `longest` are left out."""
    held: list[Example] = []
    kept: list[Example] = []
    for example, demonstration in zip(examples, made, strict=True):
        if len(example.ids) <= recipe.longest:
            (held if is_development(demonstration) else kept).append(example)
    return held, kept


def encoded(generator: LocalGenerator, demonstration: Demonstration) -> Example:
    """A demonstration in the model's chat template, with weights on Passerine's own words since the question."""
    ids: list[int] = []
    weights: list[float] = []
    for place, message in enumerate(demonstration.messages):
        head = generator.template.tokenizer(f"<|im_start|>{message.role}\n", add_special_tokens=False).input_ids
        body = generator.template.tokens(message.text + "<|im_end|>")
        tail = generator.template.tokenizer("\n", add_special_tokens=False).input_ids
        own = message.role == "assistant" and place > demonstration.asked
        last = place == len(demonstration.messages) - 1
        ids += head + body + ([] if last else tail)
        weights += [0.0] * len(head)
        copied = not last and message.text.startswith(QUERY_MARK)
        weights += reply_weights(len(body), copied) if own else [0.0] * len(body)
        weights += [] if last else [0.0] * len(tail)
    return Example(ids, weights, demonstration.kind)


def reply_weights(count: int, copied: bool) -> list[float]:
    """Weights of a reply's tokens: the first decides what kind of reply it is; the query of a question that stands
    alone, before its results, is copied; the rest is said."""
    return [FIRST, *[COPIED if copied else 1.0] * (count - 1)]


Batch = list[Example]


def batches(examples: Sequence[Example], recipe: SftRecipe, seed: int) -> list[Batch]:
    """Every epoch's batches of examples of like length, in an order that follows from the seed."""
    made: list[Batch] = []
    for epoch in range(recipe.epochs):
        rng = random.Random(f"{seed} {epoch}")
        order = sorted(rng.sample(list(examples), len(examples)), key=lambda one: len(one.ids) // 16)
        own: list[Batch] = [[]]
        for example in order:
            if own[-1] and len(example.ids) * (len(own[-1]) + 1) > recipe.tokens:
                own.append([])
            own[-1].append(example)
        made += rng.sample(own, len(own))
    return made


def padded(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """ids and weights, each [examples, longest]. Padding stands on the right, where a causal model needs no mask."""
    longest = max(len(one.ids) for one in batch)
    ids, weights = torch.zeros(len(batch), longest, dtype=torch.long), torch.zeros(len(batch), longest)
    for row, one in enumerate(batch):
        ids[row, : len(one.ids)] = torch.tensor(one.ids)
        weights[row, : len(one.ids)] = torch.tensor(one.weights)
    return ids.to(device), weights.to(device)


def losses(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Negative log-probability and weight of every token that is learnt; the vocabulary is read only there."""
    inner = model.get_base_model()
    ids, weights = padded(batch, inner.device)
    states = inner.model(input_ids=ids, use_cache=False).last_hidden_state
    learnt = weights[:, 1:] > 0
    logits = inner.lm_head(states[:, :-1][learnt]).float()
    return functional.cross_entropy(logits, ids[:, 1:][learnt], reduction="none"), weights[:, 1:][learnt]


class Run:
    """A training that can be stopped and gone on with: the same steps follow."""

    def __init__(
        self, model: Any, recipe: SftRecipe, steps: list[Batch], work: Path, together: Processes | None = None
    ) -> None:
        self.model, self.recipe, self.steps, self.work = model, recipe, steps, work
        self.together = together or Processes()
        self.masters = Masters(trained_parameters(model))
        self.optimiser = torch.optim.AdamW(self.masters.outside, lr=recipe.rate, weight_decay=0.01, betas=(0.9, 0.98))
        self.rates = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self.rate_at)
        self.done, self.history, self.identity = 0, list[dict[str, float]](), ""
        self.recent: list[float] = []
        self.seconds = 0.0

    def rate_at(self, step: int) -> float:
        """A short rise, then half a cosine down to a twentieth."""
        part = step / max(1, len(self.steps))
        if part < self.recipe.warm:
            return (step + 1) / (self.recipe.warm * len(self.steps) + 1)
        return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (part - self.recipe.warm) / (1 - self.recipe.warm)))

    def go(self, held: Batch, until: float, progress: Progress | None) -> bool:
        """Steps until the end or until it is time to stop, with a checkpoint before."""
        self.model.train()
        while self.done < len(self.steps):
            if self.together.late(until):
                self.keep()
                return False
            self.recent.append(self.step(self.steps[self.done]))
            self.done += 1
            if progress is not None:
                progress("fit", self.done, len(self.steps))
            if self.done % LOOK_EVERY == 0 or self.done == len(self.steps):
                row = {"step": self.done, "train_loss": math.fsum(self.recent) / len(self.recent), **self.look(held)}
                self.history.append(row)
                self.recent.clear()
            if self.done % SAVE_EVERY == 0:
                self.keep()
        self.keep()
        self.model.eval()
        return True

    def step(self, batch: Batch) -> float:
        """One update; the weighted mean loss before it. Each process reads its share of the batch."""
        began = time.monotonic()
        whole = math.fsum(weight for one in batch for weight in one.weights[1:])
        own, worth = self.together.mine(batch), 0.0
        if own:
            each, weights = losses(self.model, own)
            loss = (each * weights).sum() / whole
            loss.backward()  # type: ignore[no-untyped-call]
            worth = loss.item()
        self.masters.take_gradients()
        self.together.add_gradients(self.masters.outside)
        torch.nn.utils.clip_grad_norm_(self.masters.outside, self.recipe.clip)
        self.optimiser.step()
        self.rates.step()
        self.masters.put_back()
        self.seconds += time.monotonic() - began
        return self.together.sums(worth)[0]

    @torch.no_grad()
    def look(self, held: Batch) -> dict[str, float]:
        """Weighted loss and the share of right first tokens on development examples."""
        self.model.eval()
        total, weight, right, firsts = 0.0, 0.0, 0, 0
        for batch in batches(held, replace(self.recipe, epochs=1), 0):
            each, weights = losses(self.model, batch)
            total, weight = total + float((each * weights).sum()), weight + float(weights.sum())
            first = weights == FIRST
            right, firsts = right + int((each[first] < math.log(2)).sum()), firsts + int(first.sum())
        self.model.train()
        return {"dev_loss": total / weight, "dev_firsts": right / firsts}

    def keep(self) -> None:
        """Writes the checkpoint."""
        if not self.together.first:
            return
        state = {
            "done": self.done,
            "masters": self.masters.state(),
            "optimiser": self.optimiser.state_dict(),
            "rates": self.rates.state_dict(),
            "history": self.history,
            "recent": self.recent,
            "seconds": self.seconds,
        }
        write_checkpoint(self.work / "checkpoint.pt", self.identity, state)

    def resume(self, identity: str) -> None:
        """Goes on from the checkpoint of the same recipe, seed and data."""
        self.identity = identity
        kept = read_checkpoint(self.work / "checkpoint.pt", identity)
        if kept:
            self.masters.load(kept["masters"])
            self.optimiser.load_state_dict(kept["optimiser"])
            self.rates.load_state_dict(kept["rates"])
            self.done, self.history, self.recent = kept["done"], kept["history"], kept["recent"]
            self.seconds = kept.get("seconds", 0.0)


def card(
    made: Sequence[Demonstration],
    last: dict[str, float],
    recipe: SftRecipe,
    adapter: AdapterRecipe,
    seed: int,
) -> str:
    """card.md: what it is, what it was shown, how it learnt; `passerine evaluate chat` has its figures on test data."""
    kinds = Counter(one.kind for one in made)
    rows = "\n".join(f"| {kind} | {count:,} |" for kind, count in sorted(kinds.items()))
    return CARD.format(
        rows=rows, base=BASE, seed=seed, steps=int(last["step"]), dev_loss=last["dev_loss"],
        dev_firsts=last["dev_firsts"], **{**asdict(recipe), **asdict(adapter)},
    )  # fmt: skip


CARD = """# The chat model, supervised

A LoRA adapter of {base} (Apache-2.0): rank {rank}, alpha {alpha}, on every linear layer from layer {frozen} on. It
decides to search, writes the query, and reads the bare answer off a passage, or says that the results do not say;
docs/learning.md shows the format. Made by `passerine train sft`, seed {seed}: {epochs} epoch of
{steps} steps of at most {tokens} tokens, learning rate {rate}. On held-out demonstrations (a fifth of the articles,
dialogues and messages, by hash) the weighted loss is {dev_loss:.3f}, and {dev_firsts:.3f} of the first tokens, which
decide what kind of reply it is, are likelier than not. Curves: curves.png. Weights: Apache-2.0.

| demonstrations | rows |
|---|---|
{rows}

Data: SQuAD (CC BY-SA 4.0), QAMR (MIT), CANARD (CC BY-SA 4.0), Disfl-QA (CC BY 4.0), questions of R1-Searcher and
StrategyQA (MIT), titles of Wikipedia (CC BY-SA), the releasable sources of the search decision (CLINC150, CC BY 3.0;
ChatterBot, BSD-3-Clause; TREC CAsT, MIT; DRCD and CMRC 2018, CC BY-SA; templates), red-team prompts (Apache-2.0), and
documents with questions ("written"), messages, replies and small talk written for this project. "Together" are several
questions about one passage, one after another. Checksums are in passerine.json.

Limits: English. Of Chinese it knows small talk, sums, and when to search; its vocabulary spells Chinese byte by byte,
and it has read no Chinese passage. It answers with words of the passage, so that it cannot join what two sentences say.
"""
