"""LoRA adapters of a causal language model, through peft: made, trained, saved, and checked against their base."""

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from indexing.types import BadInput
from models.heads import file_sha256

POLICY, REFERENCE = "policy", "reference"
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class AdapterRecipe:
    """Hu et al. 2022: W x + (alpha / rank) B A x. Layers under `frozen` keep no adapter, so that nothing is computed
    backward there (Sparrow froze 64 of 80 layers)."""

    rank: int = 32
    alpha: int = 64
    frozen: int = 12
    dropout: float = 0.0


def with_adapter(model: Any, recipe: AdapterRecipe) -> Any:
    """The model with a fresh adapter on every linear layer from `frozen` on. B starts at zero: nothing changes yet."""
    from peft import LoraConfig, get_peft_model

    depth = int(model.config.num_hidden_layers)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(LINEAR),
        layers_to_transform=list(range(min(recipe.frozen, depth - 1), depth)),
        task_type="CAUSAL_LM",
    )
    with by_old_names():
        return get_peft_model(model, config, autocast_adapter_dtype=False)


def continued(model: Any, adapter: Path) -> Any:
    """The model with an adapter that is to be trained further."""
    from peft import PeftModel

    with by_old_names():
        return PeftModel.from_pretrained(model, adapter, is_trainable=True, autocast_adapter_dtype=False)


def with_reference(model: Any, adapter: Path) -> Any:
    """The model with an adapter twice: POLICY is to be tuned, REFERENCE stays as it is."""
    from peft import PeftModel

    with by_old_names():
        tuned = PeftModel.from_pretrained(
            model, adapter, adapter_name=POLICY, is_trainable=True, autocast_adapter_dtype=False
        )
        tuned.load_adapter(adapter, adapter_name=REFERENCE, is_trainable=False, autocast_adapter_dtype=False)
    tuned.set_adapter(POLICY)
    return tuned


@contextmanager
def by_old_names() -> Iterator[None]:
    """Inside, peft 0.21 may ask transformers 5 by an old name without a warning for the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


class Masters:
    """Float32 copies of the trained weights, outside the model: a 16-bit model forgets small steps, and a float32
    adapter inside a 16-bit model is slow."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.inside = list(parameters)
        self.outside = [nn.Parameter(parameter.detach().float().clone()) for parameter in self.inside]

    def take_gradients(self) -> None:
        """Gradients of the model's weights become those of the copies, and are cleared in the model."""
        for inside, outside in zip(self.inside, self.outside, strict=True):
            outside.grad = None if inside.grad is None else inside.grad.float()
            inside.grad = None

    @torch.no_grad()
    def put_back(self) -> None:
        """The model's weights become the copies, rounded to its type."""
        for inside, outside in zip(self.inside, self.outside, strict=True):
            inside.copy_(outside)

    def state(self) -> list[Tensor]:
        """The copies, for a checkpoint."""
        return [outside.detach().clone() for outside in self.outside]

    @torch.no_grad()
    def load(self, state: Sequence[Tensor]) -> None:
        """The copies of a checkpoint, in the model too."""
        for outside, kept in zip(self.outside, state, strict=True):
            outside.copy_(kept)
        self.put_back()


def trained_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The adapter's weights."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def save_adapter(model: Any, out: Path, base: Path, facts: dict[str, Any], name: str = "default") -> None:
    """One adapter in peft's own format in 16 bits, and passerine.json: the checksum of the base that it fits and how it
    was made."""
    from safetensors.torch import load_file, save_file

    model.save_pretrained(out, safe_serialization=True, selected_adapters=[name])
    if name != "default":  # peft puts any other into a folder of its own
        for file in (out / name).iterdir():
            file.replace(out / file.name)
        (out / name).rmdir()
    weights = out / "adapter_model.safetensors"
    tensors = {name: tensor.half().contiguous() for name, tensor in load_file(weights).items()}
    save_file(tensors, weights)
    weights.chmod(0o644)
    (out / "README.md").unlink(missing_ok=True)  # peft's empty model card; ours is card.md
    config = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = None  # a path of the machine it was trained on
    (out / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    written = {**facts, "base_sha256": base_checksum(base), "weights_sha256": file_sha256(weights)}
    (out / "passerine.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def base_checksum(base: Path) -> str:
    """sha256 of the base model's weights."""
    return file_sha256(base / "model.safetensors")


def check_adapter(folder: Path, base: Path) -> None:
    """Raises BadInput when the adapter is damaged or was trained on another base."""
    try:
        facts = json.loads((folder / "passerine.json").read_text(encoding="utf-8"))
        whole = file_sha256(folder / "adapter_model.safetensors") == facts["weights_sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"{folder} holds no adapter ({error}).", "Name a folder that `passerine train sft` made."
        ) from None
    if not whole:
        raise BadInput(f"The adapter {folder} is damaged.", "Copy it again, or install Passerine again.")
    if facts["base_sha256"] != base_checksum(base):
        raise BadInput(f"The adapter {folder} was trained on another model than {base}.", "Name its own base model.")
