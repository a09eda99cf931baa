"""The lower states of the reader's training texts, computed once and kept on disk in 16 bits."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from indexing.types import Progress
from models.reader import Text

if TYPE_CHECKING:
    from models.trunk import Trunk

BATCH = 32
"""Texts computed between two notes of progress."""


class States:
    """States of layer `split` for a list of texts, in one file that a killed run goes on with.

    The file is named by the checksum of the texts and of the trunk: another corpus never meets these states.
    """

    def __init__(self, folder: Path, name: str, texts: Sequence[Text], width: int = 384) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.texts = texts
        self.ends = np.cumsum([len(text.ids) for text in texts])
        path = folder / f"{name}.f16"
        self.note = folder / f"{name}.json"
        self.done = int(json.loads(self.note.read_text())["done"]) if self.note.is_file() and path.is_file() else 0
        shape = (int(self.ends[-1]), width)
        self.rows = np.memmap(path, dtype=np.float16, mode="r+" if self.done else "w+", shape=shape)

    def fill(self, trunk: "Trunk", split: int, until: float, progress: Progress | None = None) -> bool:
        """Compute what is missing, stopping at the time `until` (time.monotonic); whether all is there."""
        while self.done < len(self.texts) and time.monotonic() < until:
            batch = self.texts[self.done : self.done + BATCH]
            with torch.inference_mode():
                states = trunk.hidden([text.ids for text in batch], last=split)
            for place, piece in enumerate(states, start=self.done):
                self.rows[self.start(place) : self.ends[place]] = piece.to(torch.float16).numpy()
            self.rows.flush()
            self.done += len(batch)
            self.note.write_text(json.dumps({"done": self.done}))
            if progress is not None:
                progress("lower states", self.done, len(self.texts))
        return self.done == len(self.texts)

    def start(self, place: int) -> int:
        """First row of a text."""
        return int(self.ends[place - 1]) if place else 0

    def of(self, place: int, low: int = 0, high: int | None = None) -> Tensor:
        """float32 [tokens, width] of a text, from its token `low` to before `high`."""
        begin = self.start(place)
        end = int(self.ends[place]) if high is None else min(begin + high, int(self.ends[place]))
        return torch.from_numpy(np.asarray(self.rows[begin + low : end], dtype=np.float32))
