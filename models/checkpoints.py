"""Where a training stands, on disk: written whole or not at all, and read only by the training that wrote it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def write_checkpoint(path: Path, identity: str, state: Mapping[str, Any]) -> None:
    """Writes beside `path`, then moves there. `identity` is all that the training's next steps follow from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    torch.save({**state, "identity": identity}, fresh)
    fresh.replace(path)


def read_checkpoint(path: Path, identity: str) -> dict[str, Any] | None:
    """None when there is none, or only that of another training, which the next write replaces."""
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state if state.get("identity") == identity else None
