"""How far the states of a model reach, kept in a file beside it: what takes seconds is looked up at each start.

The file names the weights that it was made for; with other weights, or without a file, the ranges are found anew.
"""

from collections.abc import Sequence
from pathlib import Path

from models.int8 import Ranges

NAME = "ranges.safetensors"
PARTS = ("rows", "attended", "between", "wide")


def save_ranges(path: Path, ranges: Sequence[Ranges], weights: str) -> None:
    """Write the ranges of some layers; `weights` is the sha256 of what they were found with."""
    from safetensors.torch import save_file

    tensors = {
        f"{number}.{part}.{side}": tensor.contiguous()
        for number, own in enumerate(ranges)
        for part in PARTS
        for side, tensor in zip(("low", "high"), getattr(own, part), strict=True)
    }
    save_file(tensors, path, metadata={"weights": weights, "layers": str(len(ranges))})
    path.chmod(0o644)


def read_ranges(path: Path, weights: str, layers: int) -> list[Ranges]:
    """The ranges in a file; none when there is no such file, or it is damaged, or for other weights."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            if file.metadata() != {"weights": weights, "layers": str(layers)}:
                return []
            return [
                Ranges(
                    *(
                        (file.get_tensor(f"{number}.{part}.low"), file.get_tensor(f"{number}.{part}.high"))
                        for part in PARTS
                    )
                )
                for number in range(layers)
            ]
    except (OSError, SafetensorError):
        return []
