"""How a conversation becomes the tokens of a causal language model, and tokens become text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from indexing.types import BadInput
from models.types import Prompt

SPEAKERS = {"system": "", "user": "User: ", "assistant": "Passerine: "}


@dataclass(frozen=True)
class ChatTemplate:
    """A tokenizer of transformers with the name and the context of its model."""

    name: str
    tokenizer: Any
    context_tokens: int
    ends: frozenset[int]
    """Ids that end a reply."""

    @classmethod
    def of(cls, name: str, tokenizer: Any, context_tokens: int, ends: int | Sequence[int] | None) -> "ChatTemplate":
        """With the end tokens of the model's generation settings, or the tokenizer's own."""
        own = tokenizer.eos_token_id if ends is None else ends
        return cls(name, tokenizer, context_tokens, frozenset([own] if isinstance(own, int) else own))

    def render(self, prompt: Prompt) -> str:
        """The prompt in the model's chat template, or as plain dialogue when it has none."""
        opened = prompt[-1].role == "assistant"
        if getattr(self.tokenizer, "chat_template", None):
            messages = [{"role": message.role, "content": message.text} for message in prompt]
            return str(
                self.tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=not opened, continue_final_message=opened
                )
            )
        lines = [SPEAKERS[message.role] + message.text for message in prompt]
        return "\n".join(lines) if opened else "\n".join([*lines, SPEAKERS["assistant"].rstrip()])

    def encode(self, prompt: Prompt, reserve: int) -> list[int]:
        """Token ids. Raises BadInput when the prompt leaves no room for `reserve` tokens."""
        ids = self.tokens(self.render(prompt))
        if len(ids) + reserve > self.context_tokens:
            raise BadInput(
                f"The prompt has {len(ids)} tokens and {self.name} reads {self.context_tokens - reserve}.",
                "Ask a shorter question, or start a new conversation.",
            )
        return ids

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text, nothing added."""
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of the tokens, without special ones."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))
