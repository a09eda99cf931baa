"""Text to unit vectors: the trunk where the model is a BERT with mean pooling, sentence-transformers for any other."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexing.types import Encoder, ModelDamaged, ModelMissing, Vectors
from models import manifest
from models.trunk import Trunk
from models.weights import MODELS, model_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

PASSAGE_PROMPTS = ("passage", "document", "corpus")
BATCH = 32
PIECE = 512
"""Texts tokenised and encoded between two looks at the clock: bounds memory on long lists."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a sentence-transformers folder says beyond its weights: pooling, prompts and the longest text in tokens."""

    pooling: str
    prompts: dict[str, str]
    longest: int

    @property
    def query_prompt(self) -> str:
        return self.prompts.get("query", "")

    @property
    def passage_prompt(self) -> str:
        return next((self.prompts[name] for name in PASSAGE_PROMPTS if self.prompts.get(name)), "")

    def fingerprint(self, weights: str) -> str:
        """sha256 over the weights, the pooling and the prompts.

        Precision and device are left out on purpose: vectors of one model stay within a cosine of .999 of each other,
        so an index made on one machine opens on another.
        """
        said = [weights, self.pooling, self.query_prompt, self.passage_prompt, str(self.longest)]
        return hashlib.sha256("\0".join(said).encode()).hexdigest()


class TrunkEncoder:
    """Mean of the trunk's last states, scaled to unit length."""

    def __init__(self, name: str, trunk: Trunk, recipe: Recipe) -> None:
        self.name = name
        self.trunk = trunk
        self.recipe = recipe
        self.dimension = trunk.dimension
        self.precision = trunk.precision
        self.fingerprint = recipe.fingerprint(trunk.fingerprint)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, dimension], unit length."""
        return self._encode(texts, self.recipe.query_prompt)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, dimension], unit length."""
        return self._encode(texts, self.recipe.passage_prompt)

    def query_tensor(self, texts: Sequence[str]) -> "Tensor":
        """float32 [n, dimension], unit length, on the trunk's device."""
        return pooled(self._states(texts, self.recipe.query_prompt), self.dimension)

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), PIECE):
            states = self._states(texts[start : start + PIECE], prompt)
            vectors[start : start + PIECE] = pooled(states, self.dimension).cpu().numpy()
        return vectors

    def _states(self, texts: Sequence[str], prompt: str) -> "Sequence[Tensor]":
        return self.trunk.hidden(self.trunk.tokenize([prompt + text for text in texts]))


def pooled(states: "Sequence[Tensor]", dimension: int) -> "Tensor":
    """Unit vectors [n, dimension] of texts whose last states [tokens, dimension] are known: their means."""
    import torch
    from torch.nn import functional

    if not states:
        return torch.zeros((0, dimension))
    return functional.normalize(torch.stack([part.mean(dim=0) for part in states]), dim=-1)


class SentenceEncoder:
    """Any sentence-transformers model, with its own prompts; vectors scaled to unit length."""

    def __init__(self, name: str, model: "SentenceTransformer", fingerprint: str) -> None:
        self.name = name
        self.model = model
        self.dimension = int(model.get_embedding_dimension() or 0)
        self.precision = str(next(model.parameters()).dtype).removeprefix("torch.")
        self.fingerprint = fingerprint
        self._recipe = _own_recipe(model)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, dimension], unit length."""
        return self._encode(texts, self._recipe.query_prompt)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, dimension], unit length."""
        return self._encode(texts, self._recipe.passage_prompt)

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        vectors: Vectors = self.model.encode(
            list(texts), batch_size=BATCH, prompt=prompt, normalize_embeddings=True, show_progress_bar=False
        )
        return vectors.astype(np.float32)


def load_encoder(name: str, home: Path, device: str = "auto", precision: str = "auto") -> Encoder:
    """The encoder of that name: an installed base model, a folder in sentence-transformers format, or a hub name.

    `device` is "auto", "cpu" or "cuda"; `precision` as in `Trunk.load`. Raises ModelMissing, ModelDamaged or
    BadInput, each with a hint.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = _folder(name, home)
    if folder is not None:
        recipe = read_recipe(folder)
        if recipe.pooling == "mean+unit" and _is_bert(folder):
            trunk = Trunk.load(folder, device, precision)
            trunk.tokenizer.enable_truncation(recipe.longest)
            return TrunkEncoder(name, trunk, recipe)
    return _sentence_encoder(name, folder, device, precision)


def plain_encoder(name: str, home: Path, device: str = "cpu") -> SentenceEncoder:
    """The same model run by sentence-transformers in float32: the baseline of speed and of exactness."""
    return _sentence_encoder(name, _folder(name, home), device, "float32")


def read_recipe(folder: Path) -> Recipe:
    """What the folder's sentence-transformers files say. Raises ModelDamaged when they cannot be read.

    `pooling` is "mean+unit" for mean pooling followed by scaling to unit length, else a name of what there is.
    """
    try:
        modules = [str(module["type"]).rsplit(".", 1)[-1] for module in _json(folder / "modules.json")]
        pooling = _json(folder / "1_Pooling" / "config.json") if "Pooling" in modules else {}
        prompts = _json(folder / "config_sentence_transformers.json", {}).get("prompts") or {}
        bert = _json(folder / "sentence_bert_config.json", {})
        longest = bert.get("max_seq_length") or _json(folder / "config.json", {}).get("max_position_embeddings", 0)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(
            f"{folder} is not a readable sentence-transformers model.", "Name a folder with modules.json."
        ) from error
    kinds = sorted(key for key, value in pooling.items() if key.startswith("pooling_mode_") and value is True)
    mean = pooling.get("pooling_mode", "mean" if kinds == ["pooling_mode_mean_tokens"] else "") == "mean"
    plain = modules == ["Transformer", "Pooling", "Normalize"] and pooling.get("include_prompt", True)
    described = json.dumps([modules, pooling], sort_keys=True)
    return Recipe("mean+unit" if mean and plain else described, prompts, int(longest))


def _folder(name: str, home: Path) -> Path | None:
    """Where the model lies on this disk; None for a hub name."""
    if name in MODELS or (home / "models" / name / manifest.NAME).is_file():
        return model_folder(home, name)
    folder = Path(name).expanduser()
    if (folder / "modules.json").is_file():
        return folder
    if "/" not in name or folder.is_absolute() or folder.is_dir():
        raise ModelMissing(
            f"There is no encoder {name!r}.",
            f"Name one of {', '.join(MODELS)}, a folder with modules.json, or a hub name OWNER/NAME.",
        )
    return None


def _is_bert(folder: Path) -> bool:
    config = _json(folder / "config.json", {})
    whole = (folder / "model.safetensors").is_file() and (folder / "tokenizer.json").is_file()
    plain = config.get("position_embedding_type", "absolute") == "absolute"
    return whole and plain and config.get("model_type") == "bert" and config.get("hidden_act") == "gelu"


def _sentence_encoder(name: str, folder: Path | None, device: str, precision: str) -> SentenceEncoder:
    import torch
    from sentence_transformers import SentenceTransformer

    kinds = {"bfloat16": torch.bfloat16}
    try:
        model = SentenceTransformer(
            str(folder or name), device=device, model_kwargs={"dtype": kinds.get(precision, torch.float32)}
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelMissing(
            f"The encoder {name} cannot be loaded: {reason}",
            "Check the name and the network, or install it: passerine models install NAME --source hub:OWNER/NAME",
        ) from error
    if folder is not None:
        fingerprint = read_recipe(folder).fingerprint(manifest.weights_sha256(folder))
    else:
        digest = hashlib.sha256()
        for key, value in sorted(model.state_dict().items()):
            digest.update(key.encode() + value.float().cpu().contiguous().numpy().tobytes())
        fingerprint = _own_recipe(model).fingerprint(digest.hexdigest())
    return SentenceEncoder(name, model, fingerprint)


def _own_recipe(model: "SentenceTransformer") -> Recipe:
    """The recipe of a loaded model of which no folder is known."""
    prompts = {name: text or "" for name, text in model.prompts.items()}
    return Recipe(str(model), prompts, int(model.max_seq_length or 0))


def _json(path: Path, absent: Any = None) -> Any:
    """The file's content; `absent` stands for a missing file when it is given."""
    if absent is not None and not path.is_file():
        return absent
    return json.loads(path.read_text(encoding="utf-8"))
