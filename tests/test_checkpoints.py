"""A stopped training finds its own state again, and nobody else's."""

from pathlib import Path

import pytest
import torch

from models import checkpoints
from models.checkpoints import read_checkpoint, write_checkpoint


def test_only_the_training_that_wrote_it_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "work" / "checkpoint.pt"
    assert read_checkpoint(path, "seed 0") is None
    write_checkpoint(path, "seed 0", {"done": 3, "weights": torch.ones(2)})
    assert read_checkpoint(path, "seed 1") is None
    found = read_checkpoint(path, "seed 0")
    assert found is not None
    assert found["done"] == 3
    assert torch.equal(found["weights"], torch.ones(2))


def test_a_write_that_fails_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, "seed 0", {"done": 3})

    def full(_: object, fresh: Path) -> None:
        fresh.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoints.torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        write_checkpoint(path, "seed 0", {"done": 4})
    found = read_checkpoint(path, "seed 0")
    assert found is not None
    assert found["done"] == 3
