"""Heads: small trained maps on the frozen trunk's vectors. Inference in numpy, nothing else loaded.

A head is one folder: weights.safetensors (16 bit), config.json (which base it fits, its data and thresholds)
and card.md. Training lives in models/fit.py.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.types import EncoderMismatch, ModelDamaged, ModelMissing

Floats = NDArray[np.float32]
Layer = tuple[Floats, Floats]
"""Weight [outputs, inputs] and bias [outputs]."""


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(x, dtype=np.float32))), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """What a head is and what it was made from.

    `base` is the sha256 (or fingerprint) of the trunk whose vectors it reads, `data` maps a file's name to its
    sha256, `thresholds` holds what was chosen on development data, `curves` the curve that each was chosen from
    (name -> rows of numbers), `notes` short facts such as the inputs' layout.
    """

    name: str
    base: str = ""
    seed: int = 0
    outputs: tuple[str, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """Affine layers with ReLU between them: one layer is a linear head, two are a small MLP."""

    config: HeadConfig
    layers: tuple[Layer, ...]

    @property
    def inputs(self) -> int:
        """Width of a row of features."""
        return int(self.layers[0][0].shape[1])

    def logits(self, features: Floats) -> Floats:
        """float32 [n, outputs] of features [n, inputs]."""
        x = np.asarray(features, dtype=np.float32)
        for weight, bias in self.layers[:-1]:
            x = np.maximum(x @ weight.T + bias, 0.0)
        weight, bias = self.layers[-1]
        return np.asarray(x @ weight.T + bias, dtype=np.float32)

    def probabilities(self, features: Floats) -> Floats:
        """sigmoid of the logits, float32 [n, outputs] in [0, 1]."""
        return sigmoid(self.logits(features))

    def save(self, folder: Path, bits: int = 16) -> None:
        """Write weights.safetensors and config.json into `folder`, made when absent. `bits` is 16 or 32."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        kind = np.float16 if bits == 16 else np.float32
        tensors = {}
        for number, (weight, bias) in enumerate(self.layers):
            tensors[f"{number}.weight"] = np.ascontiguousarray(weight.astype(kind))
            tensors[f"{number}.bias"] = np.ascontiguousarray(bias.astype(kind))
        save_file(tensors, folder / "weights.safetensors")
        (folder / "weights.safetensors").chmod(0o644)  # safetensors writes for the owner alone
        written = {
            "name": self.config.name,
            "base": self.config.base,
            "seed": self.config.seed,
            "outputs": list(self.config.outputs),
            "data": dict(self.config.data),
            "thresholds": dict(self.config.thresholds),
            "curves": {name: [list(row) for row in rows] for name, rows in self.config.curves.items()},
            "notes": dict(self.config.notes),
            "weights_sha256": file_sha256(folder / "weights.safetensors"),
        }
        text = json.dumps(written, ensure_ascii=False, indent=1)
        (folder / "config.json").write_text(text + "\n", encoding="utf-8")


def load_head(folder: Path, base: str = "") -> Head:
    """The head in `folder`, checked against its checksum and, when `base` is given, against its trunk.

    Raises ModelMissing, ModelDamaged, or EncoderMismatch when it was trained on another base.
    """
    config_path, weights_path = folder / "config.json", folder / "weights.safetensors"
    if not config_path.is_file() or not weights_path.is_file():
        raise ModelMissing(f"The head in {folder} is not there.", "Install the package again, or train it: see docs.")
    try:
        written = json.loads(config_path.read_text(encoding="utf-8"))
        config = HeadConfig(
            name=written["name"],
            base=written["base"],
            seed=written["seed"],
            outputs=tuple(written["outputs"]),
            data=written["data"],
            thresholds=written["thresholds"],
            curves=written["curves"],
            notes=written["notes"],
        )
        expected = written["weights_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(f"{config_path} cannot be read: {error}.", "Install the package again.") from error
    if file_sha256(weights_path) != expected:
        raise ModelDamaged(f"{weights_path} does not match its checksum.", "Install the package again.")
    if base and config.base and base != config.base:
        raise EncoderMismatch(
            f"The head {config.name} was trained on another base model.",
            "Use the encoder multilingual-e5-small for the heads, or train them again on yours.",
        )
    return Head(config, read_layers(weights_path))


def read_layers(path: Path) -> tuple[Layer, ...]:
    """The layers of a weights file, in float32."""
    from safetensors.numpy import load_file

    tensors = load_file(path)
    count = len(tensors) // 2
    return tuple(
        (tensors[f"{n}.weight"].astype(np.float32), tensors[f"{n}.bias"].astype(np.float32)) for n in range(count)
    )


def file_sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
