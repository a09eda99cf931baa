"""`passerine train HEAD`: which trainer belongs to which head."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from indexing.types import BadInput, Progress
from service.errors import did_you_mean

Trainer = Callable[[Path, Path, Path, int, Progress | None], object]
HEADS: Mapping[str, tuple[str, str]] = {
    "reader": ("models.train_reader", "train_reader"),
    "plan": ("models.train_plan", "train_plan"),
    "preference": ("rewards.train_preference", "train_preference"),
    "rules": ("rewards.train_rules", "train_rules"),
    "support": ("rewards.train_support", "train_support"),
}
"""Head -> (module, function). A trainer is called as train(data, home, out, seed, progress)."""


def train(head: str, data: Path, home: Path, out: Path, seed: int, progress: Progress | None) -> None:
    """Trains one head. Raises BadInput for an unknown head or data folder."""
    if head not in HEADS:
        raise BadInput(f"There is no head '{head}'.", f"{did_you_mean(head, HEADS)}Known: {', '.join(HEADS)}.")
    if not data.is_dir():
        raise BadInput(f"There is no folder {data}.", "Name the training data with --data.")
    module, name = HEADS[head]
    trainer: Trainer = getattr(import_module(module), name)
    out.mkdir(parents=True, exist_ok=True)
    trainer(data, home, out, seed, progress)
