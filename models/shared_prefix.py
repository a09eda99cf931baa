"""Log-probabilities of several replies to one prompt, with gradients, reading the prompt once.

K samples of a prompt need the prompt forward and backward once instead of K times: its keys and values are repeated,
and autograd adds up what comes back.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.copying import held_to


def reply_states(model: Any, prompt: Sequence[int], replies: Sequence[Sequence[int]]) -> Tensor:
    """[replies, longest, width]: the last layer's states from which each token of each reply is drawn.

    `model` is a causal model of transformers, with or without an adapter of peft. Shorter replies are padded on the
    right, where a causal model needs no mask; what stands there means nothing.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    longest = max(map(len, replies))
    device = inner.device
    read = inner.model(input_ids=torch.tensor([list(prompt)], device=device), use_cache=True)
    last: Tensor = read.last_hidden_state[:, -1:].expand(len(replies), 1, -1)
    if longest == 1:
        return last
    cache = read.past_key_values
    cache.batch_repeat_interleave(len(replies))
    ids = padded(replies, longest)[:, :-1].to(device)
    states = inner.model(input_ids=ids, past_key_values=cache, use_cache=True).last_hidden_state
    return torch.cat([last, states], dim=1)


def reply_log_probs(
    model: Any,
    prompt: Sequence[int],
    replies: Sequence[Sequence[int]],
    temperature: float = 1.0,
    allowed: Sequence[Sequence[Sequence[int]]] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities and mask [replies, longest], and the states they come from [replies, longest, width].

    `allowed` names, for each token of each reply, the tokens that it was drawn from; all of them without it.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    states = reply_states(model, prompt, replies)
    ids = padded(replies, states.shape[1]).to(states.device)
    mask = torch.zeros(ids.shape, device=states.device)
    for row, reply in enumerate(replies):
        mask[row, : len(reply)] = 1
    acted = mask > 0
    logits = inner.lm_head(states[acted]).float() / temperature
    if allowed is not None:
        logits = held_to(logits, [one for reply in allowed for one in reply])
    drawn = -functional.cross_entropy(logits, ids[acted], reduction="none")
    return torch.zeros(ids.shape, device=states.device).masked_scatter(acted, drawn), mask, states


def padded(replies: Sequence[Sequence[int]], length: int) -> Tensor:
    """Token ids [replies, length], zeros behind the shorter ones."""
    ids = torch.zeros(len(replies), length, dtype=torch.long)
    for row, reply in enumerate(replies):
        ids[row, : len(reply)] = torch.tensor(reply)
    return ids
