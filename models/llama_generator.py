"""Passerine's own engine behind the Generator contract: prompts that begin alike are read once, and every sequence is
continued in one batch."""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from indexing.types import ModelMissing
from models.adapter import check_adapter
from models.chat_template import ChatTemplate
from models.copying import Copy, Race, Stretches, Vocabulary
from models.llama import Cache, Llama
from models.llama_batch import Batch, Task, joined
from models.precision import has_fast_bytes
from models.types import Cancelled as CancelledCheck
from models.types import Generation, OnText, Prompt, Sampling, never

KEPT = 8
"""Prompts whose keys and values are kept: some 14 MiB for 300 tokens of the embedded model."""
WORTH_KEEPING = 16
"""Tokens that two prompts must share before the shared part is read apart."""
SAMPLE = (
    "The bridge over the river was opened on 4 March 1932. It replaced a ferry that had carried people, cattle and "
    "goods since 1805, and cost £1.2 million, most of which the two counties paid.\nAnswer: 1932. 大桥于1932年通车。"
)
"""Text by which the loud channels are found when weights become 8 bits."""


class LlamaGenerator:
    """A Llama in a folder, with or without an adapter.

    >>> generator = LlamaGenerator.load("smollm2", folder, adapter)
    >>> generator.generate([(Message("user", "Hello!"),)], n=2, sampling=Sampling(max_tokens=16))
    """

    def __init__(self, model: Llama, template: ChatTemplate) -> None:
        self.name, self.model, self.template = template.name, model, template
        self._kept: OrderedDict[tuple[int, ...], Cache] = OrderedDict()
        self._lock = threading.Lock()
        self._batch = Batch(model, Vocabulary(template.ends, template.decode, len(template.tokenizer)))

    @classmethod
    def load(
        cls,
        name: str,
        folder: Path,
        adapter: Path | None = None,
        precision: str = "auto",
        beside: "LlamaGenerator | None" = None,
    ) -> "LlamaGenerator":
        """`precision` is float32, int8, or auto: int8 where the CPU multiplies bytes fast and exactly.

        `beside` was loaded from the same folder with the same precision and another adapter, or with none: what neither
        changes is held once, and either answers at any time.

        Raises ModelMissing when the folder holds no model, BadInput for one that is no plain Llama or an adapter that
        does not fit it.
        """
        from transformers import GenerationConfig

        if not (folder / "model.safetensors").is_file():
            raise ModelMissing(f"The chat model {folder} is absent.", "Run `passerine models install`.")
        if adapter is not None:
            check_adapter(adapter, folder)
        tokenizer = tokenizer_of(folder)
        bytes_wanted = precision == "int8" or (precision == "auto" and has_fast_bytes())
        sample = tokenizer(SAMPLE).input_ids if bytes_wanted else ()
        model = Llama.load(folder, adapter, sample, None if beside is None else beside.model)
        ends = GenerationConfig.from_pretrained(folder).eos_token_id
        return cls(model, ChatTemplate.of(name, tokenizer, model.sizes.context, ends))

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[Prompt],
        n: int,
        sampling: Sampling,
        on_text: OnText | None = None,
        cancelled: CancelledCheck = never,
    ) -> list[list[Generation]]:
        """n generations a prompt, all in one batch with those that other threads are asking for.

        `on_text` receives the growing first generation of the first prompt. Raises Cancelled between tokens.
        """
        if not prompts:
            return []
        distinct = list(dict.fromkeys(prompts))
        wanted = [n * prompts.count(prompt) for prompt in distinct]
        cache, logits = self.started(distinct, wanted, sampling.max_tokens)
        drafts = iter(self._batch.run(Task(cache, logits, sampling, on_text, cancelled)))
        found = {prompt: [next(drafts) for _ in range(count)] for prompt, count in zip(distinct, wanted, strict=True)}
        return [[found[prompt].pop(0) for _ in range(n)] for prompt in prompts]

    @torch.inference_mode()
    def copied(
        self,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        n: int,
        most_tokens: int,
        cancelled: CancelledCheck = never,
    ) -> list[list[Generation]]:
        """For each prompt n stretches of its text, likeliest first, that begin differently; fewer where the model
        likes nothing of the text. Raises Cancelled between tokens."""
        if not prompts:
            return []
        cache, logits = self.started(prompts, [n] * len(prompts), most_tokens)
        races = [(text, Race()) for text in texts]
        copies = [Copy(text, rank, race) for text, race in races for rank in range(n)]
        sampling = Sampling(max_tokens=most_tokens, temperature=0.0)
        drafts = iter(self._batch.run(Task(cache, logits, sampling, None, cancelled, copies)))
        found = [[next(drafts) for _ in range(n)] for _ in prompts]
        return [
            sorted((one for one in own if one.text and one.finished), key=lambda one: -math.fsum(one.log_probs))
            for own in found
        ]

    @torch.inference_mode()
    def stretches(
        self, prompts: Sequence[Prompt], texts: Sequence[str], others: Sequence[str], n: int, sampling: Sampling
    ) -> list[list[Generation]]:
        """For each prompt n replies drawn by chance: stretches of its text, or one of `others`; the chance of all else
        is taken for nothing."""
        cache, logits = self.started(prompts, [n] * len(prompts), sampling.max_tokens)
        whole = [self.template.tokens(other) for other in others]
        held = [Stretches(text, self._batch.vocabulary, whole) for text in texts for _ in range(n)]
        drafts = iter(self._batch.run(Task(cache, logits, sampling, held=held)))
        return [[next(drafts) for _ in range(n)] for _ in prompts]

    def started(self, prompts: Sequence[Prompt], counts: Sequence[int], room: int) -> tuple[Cache, Tensor]:
        """So many sequences after each prompt, with room for further tokens, and the logits of their first."""
        held, logits = self.read([self.template.encode(prompt, room) for prompt in prompts])
        forks = zip(held, counts, strict=True)
        batch = joined([cache.forked(0, cache.lengths[0], count, room) for cache, count in forks])
        return batch, logits.repeat_interleave(torch.tensor(counts), 0)

    @torch.inference_mode()
    def log_probs(self, prompts: Sequence[Prompt], replies: Sequence[str]) -> list[list[float]]:
        """Natural log-probability of each token of each reply after its prompt; the replies to one prompt are read
        together."""
        answers = [self.template.tokens(reply) for reply in replies]
        longest = max(map(len, answers), default=0)
        distinct = list(dict.fromkeys(prompts))
        held, logits = self.read([self.template.encode(prompt, longest) for prompt in distinct])
        found: list[list[float]] = [[] for _ in replies]
        for prompt, cache, first in zip(distinct, held, logits, strict=True):
            own = [number for number, other in enumerate(prompts) if other == prompt]
            rows = self.model.branches(cache, [answers[number] for number in own])
            after = self.model.logits(rows).log_softmax(-1)
            at = 0
            for number in own:
                tokens = answers[number]
                before = torch.cat([first.log_softmax(-1)[None], after[at : at + len(tokens) - 1]])
                found[number] = before.gather(1, torch.tensor(tokens)[:, None])[:, 0].tolist()
                at += len(tokens)
        return found

    def read(self, prompts: Sequence[list[int]]) -> tuple[list[Cache], Tensor]:
        """What the model holds after each prompt (one sequence each), and the logits [prompts, vocabulary] that follow.

        What a prompt shares with one read lately, or with the others, is not read again.
        """
        with self._lock:
            return self.read_alone(prompts)

    def read_alone(self, prompts: Sequence[list[int]]) -> tuple[list[Cache], Tensor]:
        """The same, for the thread that holds the lock on what is kept."""
        shared = common(prompts)
        if len(prompts) > 1 and shared >= WORTH_KEEPING and shared > max(map(self.known, prompts)):
            self.extended([prompts[0][:shared]])
        held, rows = self.extended(prompts)
        return held, self.model.logits(rows)

    def extended(self, prompts: Sequence[list[int]]) -> tuple[list[Cache], Tensor]:
        """Every prompt's cache and its last row, reading what is not known yet in one pass."""
        starts, old = [], []
        for ids in prompts:
            key, known = self.nearest(ids)
            starts.append(min(known, len(ids) - 1))
            cache = self._kept[key] if key else self.model.empty(0)
            old.append(cache.forked(0, starts[-1], 1, len(ids) - starts[-1]))
        batch = joined(old)
        rows = self.model.extend(batch, [ids[start:] for ids, start in zip(prompts, starts, strict=True)])
        counts = [len(ids) - start for ids, start in zip(prompts, starts, strict=True)]
        last = rows[torch.tensor(counts).cumsum(0) - 1]
        held = [Cache(batch.held[:, :, row : row + 1], [len(ids)]) for row, ids in enumerate(prompts)]
        for ids, cache in zip(prompts, held, strict=True):
            self._kept[tuple(ids)] = cache
            self._kept.move_to_end(tuple(ids))
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return held, last

    def forget(self) -> None:
        """Reads every prompt anew from here on."""
        with self._lock:
            self._kept.clear()

    def known(self, ids: list[int]) -> int:
        """How many tokens from the beginning were read lately."""
        return self.nearest(ids)[1]

    def nearest(self, ids: list[int]) -> tuple[tuple[int, ...], int]:
        """The kept prompt that begins most like this one, and how many tokens they share."""
        shared = {key: common([ids, list(key)]) for key in self._kept}
        key = max(shared, key=lambda one: shared[one], default=())
        return key, shared.get(key, 0)


def tokenizer_of(folder: Path) -> Any:
    """The tokenizer of a model folder. One that is a single file is read as that: what else `AutoTokenizer` loads to
    find out takes 90 MiB and a second."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    kind = PreTrainedTokenizerFast if (folder / "tokenizer.json").is_file() else AutoTokenizer
    return kind.from_pretrained(folder)


def common(lists: Sequence[Sequence[int]]) -> int:
    """How many first tokens all have in common."""
    count = 0
    for tokens in zip(*lists, strict=False):
        if len(set(tokens)) > 1:
            break
        count += 1
    return count
