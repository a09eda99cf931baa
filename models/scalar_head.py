"""A causal language model as a scorer of replies: a scalar read off the state after a reply's last token.

That is the state from which the end of the reply is drawn, where PPO's value head reads the value of the last step: so
the head of a reward model can be the start of a value head.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from indexing.types import BadInput
from models.shared_prefix import reply_states

FILE = "head.safetensors"


def scores(model: Any, head: nn.Linear, prompt: Sequence[int], replies: Sequence[Sequence[int]]) -> Tensor:
    """[replies], with gradients; the prompt is read once for all. Each reply's last token is its end token."""
    states = reply_states(model, prompt, replies)
    ends = torch.tensor([len(reply) - 1 for reply in replies])
    found: Tensor = head(states[torch.arange(len(replies)), ends].float())[:, 0]
    return found


def empty_head(width: int) -> nn.Linear:
    """A head that gives zero."""
    head = nn.Linear(width, 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def save_head(head: nn.Linear, folder: Path) -> None:
    """Writes it in float32 beside its adapter."""
    from safetensors.torch import save_file

    save_file({name: own.detach().clone() for name, own in head.state_dict().items()}, folder / FILE)
    (folder / FILE).chmod(0o644)


def read_head(folder: Path, width: int) -> nn.Linear:
    """The head of a reward model. Raises BadInput when there is none for a model of this width."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    head = empty_head(width)
    try:
        head.load_state_dict(load_file(folder / FILE))
    except (OSError, SafetensorError, RuntimeError) as error:
        hint = "Name a folder that `passerine train reward` made on the same base model."
        raise BadInput(f"{folder} holds no reward model ({str(error).splitlines()[0]}).", hint) from None
    return head
