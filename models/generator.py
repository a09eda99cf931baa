"""Causal language models of transformers behind the Generator contract."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from indexing.types import Cancelled, ModelMissing
from models.chat_template import ChatTemplate
from models.types import Cancelled as CancelledCheck
from models.types import Generation, OnText, Prompt, Sampling, never

LIKELIEST = 64
"""Tokens that are drawn from at most."""


class LocalGenerator:
    """A transformers model in a folder or under a hub name.

    >>> generator = LocalGenerator.load("smollm2", "/home/me/.local/share/passerine/models/smollm2-135m-instruct")
    >>> generator.generate([(Message("user", "Hello!"),)], n=2, sampling=Sampling(max_tokens=16))
    """

    def __init__(self, model: Any, template: ChatTemplate) -> None:
        self.name, self.model, self.template = template.name, model, template

    @classmethod
    def load(cls, name: str, source: str | Path, device: str = "cpu") -> "LocalGenerator":
        """Loads weights in the type they are stored in, or in float32 on a CPU that computes bfloat16 in software.

        Raises ModelMissing when the source holds no model.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        slow_half = device == "cpu" and not torch.cpu._is_avx512_bf16_supported()

        try:
            tokenizer = AutoTokenizer.from_pretrained(source)
            model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32 if slow_half else "auto")
        except (OSError, ValueError) as error:
            raise ModelMissing(
                f"The chat model {source} cannot be loaded ({str(error).splitlines()[0]}).",
                "Run `passerine models install`, or name an existing folder; a hub name needs a network.",
            ) from error
        context = int(getattr(model.config, "max_position_embeddings", 2048))
        template = ChatTemplate.of(name, tokenizer, context, model.generation_config.eos_token_id)
        return cls(model.to(device).eval(), template)

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[Prompt],
        n: int,
        sampling: Sampling,
        on_text: OnText | None = None,
        cancelled: CancelledCheck = never,
    ) -> list[list[Generation]]:
        """n generations a prompt; the prompt is read once and its cache repeated.

        `on_text` receives the growing first generation of the first prompt. Raises Cancelled between tokens.
        """
        results: list[list[Generation]] = []
        for number, prompt in enumerate(prompts):
            stream = on_text if number == 0 else None
            ids = torch.tensor([self.template.encode(prompt, sampling.max_tokens)], device=self.model.device)
            results.append(self.sample(ids, n, sampling, number, stream, cancelled))
        return results

    def sample(
        self,
        ids: torch.Tensor,
        n: int,
        sampling: Sampling,
        number: int,
        on_text: OnText | None,
        cancelled: CancelledCheck,
    ) -> list[Generation]:
        """Draws n continuations of one prompt together. Nucleus sampling: Holtzman et al. 2020, section 3.1."""
        random = torch.Generator(device="cpu").manual_seed(sampling.seed + number)
        output = self.model(input_ids=ids, use_cache=True, logits_to_keep=1)
        cache, logits = output.past_key_values, output.logits[:, -1].float().expand(n, -1)
        if n > 1:
            cache.batch_repeat_interleave(n)
        ends, decode = self.template.ends, self.template.decode
        tokens: list[list[int]] = [[] for _ in range(n)]
        scores: list[list[float]] = [[] for _ in range(n)]
        finished = [False] * n
        for _ in range(sampling.max_tokens):
            if cancelled():
                raise Cancelled("The generation was stopped.")
            drawn, log_probs = draw(logits, sampling, random)
            for row in range(n):
                if finished[row]:
                    continue
                scores[row].append(float(log_probs[row]))
                if int(drawn[row]) in ends:
                    finished[row] = True
                    continue
                tokens[row].append(int(drawn[row]))
                finished[row] = stopped(decode(tokens[row]), sampling.stop)
            if on_text is not None and not finished[0]:
                on_text(decode(tokens[0]))
            if all(finished):
                break
            output = self.model(input_ids=drawn.to(ids.device)[:, None], past_key_values=cache, use_cache=True)
            logits = output.logits[:, -1].float()
        return [
            Generation(cut(decode(tokens[row]), sampling.stop), tuple(scores[row]), finished[row]) for row in range(n)
        ]

    @torch.inference_mode()
    def log_probs(self, prompts: Sequence[Prompt], replies: Sequence[str]) -> list[list[float]]:
        """Natural log-probability of each token of each reply after its prompt."""
        results = []
        for prompt, reply in zip(prompts, replies, strict=True):
            answer = self.template.tokens(reply)
            ids = torch.tensor([[*self.template.encode(prompt, len(answer)), *answer]], device=self.model.device)
            logits = self.model(input_ids=ids, logits_to_keep=len(answer) + 1).logits[0, :-1].float()
            results.append(logits.log_softmax(-1).gather(1, ids[0, -len(answer) :, None])[:, 0].tolist())
        return results


def draw(logits: torch.Tensor, sampling: Sampling, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """One token a row of logits [n, vocabulary], with its log-probability before truncation."""
    # The nucleus lies within the likeliest few: the whole vocabulary is read once, for the sum.
    count = 1 if sampling.temperature <= 0 else min(LIKELIEST, logits.shape[1])
    likely, order = logits.topk(count, dim=-1)
    log_probs, order = (likely - logits.logsumexp(-1, keepdim=True)).cpu(), order.cpu()
    if sampling.temperature <= 0:
        return order[:, 0], log_probs[:, 0]
    probabilities = (log_probs / sampling.temperature).softmax(-1)
    before = probabilities.cumsum(-1) - probabilities
    kept = probabilities.masked_fill(before >= sampling.top_p, 0.0)
    place = torch.multinomial(kept, 1, generator=random)
    return order.gather(1, place)[:, 0], log_probs.gather(1, place)[:, 0]


def stopped(text: str, stops: Sequence[str]) -> bool:
    """Whether a stop string has been written."""
    return any(stop in text for stop in stops)


def cut(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop string."""
    for stop in stops:
        text = text.split(stop, 1)[0]
    return text.strip()
