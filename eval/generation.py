"""Candidates of the chat model by the clock: our engine beside transformers' own `generate`, in the same run.

Eight candidates of TOKENS tokens, as the policy drafts them: four from one prompt, four over distinct passages.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch

from eval import datasets
from eval.report import Figure
from indexing.types import Progress
from models.demonstrations import hit_of
from models.generator import LocalGenerator
from models.llama_generator import LlamaGenerator
from models.prompts import BRIEF, evidence_prompt, plain_prompt
from models.types import Conversation, Prompt, Sampling, Turn
from models.weights import model_folder
from service.app import adapter_of
from service.config import Settings

TOKENS, ROUNDS = 64, 3
QUESTION = "What did the commission say about the cost of the railway?"
TARGETS = {"ratio": 8.0, "one": 22.0, "eight": 38.0}


@dataclass(frozen=True, slots=True)
class Generated:
    """Seconds for eight candidates, ours and plain, and milliseconds a step of one and of eight sequences."""

    ours: tuple[float, ...]
    plain: tuple[float, ...]
    one_ms: float
    eight_ms: float
    plain_one_ms: float
    prompt_tokens: float
    prefill_rate: float

    @property
    def ratio(self) -> float:
        """Median over rounds of the plain time divided by ours."""
        return median(plain / own for plain, own in zip(self.plain, self.ours, strict=True))


def generation_speed(data: Path, settings: Settings, progress: Progress | None = None) -> Generated:
    """Both engines over the same eight prompts, in turns. Raises ModelMissing."""
    folder = model_folder(settings.home, settings.generator)
    prompts = eight_prompts(data)
    plain = LocalGenerator.load(settings.generator, folder)
    own = endless(LlamaGenerator.load(settings.generator, folder, adapter_of(settings)))
    own.generate([prompts[0]], 1, Sampling(max_tokens=4))  # compiled, or read from its cache
    ours, theirs = [], []
    for number in range(ROUNDS):
        own.forget()
        began = time.perf_counter()
        own.generate(prompts, 1, Sampling(max_tokens=TOKENS))
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        for prompt in prompts:
            plainly(plain, prompt)
        theirs.append(time.perf_counter() - began)
        if progress is not None:
            progress("generate", number + 1, ROUNDS)
    lengths = [len(own.template.encode(prompt, TOKENS)) for prompt in prompts]
    own.forget()
    began = time.perf_counter()
    own.read([own.template.encode(prompts[-1], TOKENS)])
    prefill = lengths[-1] / (time.perf_counter() - began)
    return Generated(
        tuple(ours),
        tuple(theirs),
        step_ms(own, prompts[-1], 1),
        step_ms(own, prompts[-1], 8),
        1000 * min(theirs) / (8 * TOKENS),
        sum(lengths) / len(lengths),
        prefill,
    )


def eight_prompts(data: Path) -> list[Prompt]:
    """Four times the same question without evidence, and the question over four passages."""
    conversation = Conversation((Turn("user", QUESTION),))
    entries = {entry.id: entry for entry in datasets.collection(data, "squad-ir").entries}
    chosen = [entries[key] for key in datasets.ordered(list(entries))[:4]]
    read = [evidence_prompt(conversation, (hit_of(one.title, one.text),), QUESTION, BRIEF) for one in chosen]
    return [*[plain_prompt(conversation, BRIEF)] * 4, *read]


def endless(generator: LlamaGenerator) -> LlamaGenerator:
    """The same, writing on to the last token that is asked for."""
    return LlamaGenerator(generator.model, replace(generator.template, ends=frozenset()))


def plainly(plain: LocalGenerator, prompt: Prompt) -> None:
    """One call of transformers' `generate`."""
    ids = torch.tensor([plain.template.encode(prompt, TOKENS)])
    with torch.inference_mode():
        plain.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, min_new_tokens=TOKENS,
            do_sample=True, temperature=0.8, top_p=0.95, pad_token_id=0,
        )  # fmt: skip


def step_ms(generator: LlamaGenerator, prompt: Prompt, count: int) -> float:
    """The median time of a token of `count` sequences after one prompt, drawing included."""
    times: list[float] = []

    def note() -> bool:
        times.append(time.perf_counter())
        return False

    generator.generate([prompt], count, Sampling(max_tokens=TOKENS), cancelled=note)
    return 1000 * median(after - before for before, after in pairwise(times[1:]))


def generation_figures(found: Generated) -> dict[str, Figure]:
    """For the report."""

    def ms(value: float, target: float, baseline: float | None = None) -> Figure:
        return Figure(value, TOKENS, baseline=baseline, target=target, unit="ms", better="lower")

    return {
        "speed/generate/eight candidates": Figure(
            median(found.ours), ROUNDS, baseline=median(found.plain), unit="s", better="lower"
        ),
        "speed/generate/ratio": Figure(found.ratio, ROUNDS, baseline=1.0, target=TARGETS["ratio"], unit="x"),
        "speed/generate/token of one": ms(found.one_ms, TARGETS["one"], found.plain_one_ms),
        "speed/generate/step of eight": ms(found.eight_ms, TARGETS["eight"]),
        "speed/generate/prompt tokens": Figure(found.prefill_rate, 1, unit="/s"),
    }


def notes_of(found: Generated) -> Sequence[str]:
    """How the figures of generation are to be read."""
    said = f"Generation: {TOKENS} tokens a candidate, prompts of {found.prompt_tokens:.0f} tokens on average;"
    return (f"{said} baseline: eight calls of transformers' generate, in turns with ours.",)
