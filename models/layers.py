"""One layer of a BERT over packed rows, in float32 or bfloat16."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from indexing.types import BadInput


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a BERT; `positions` is the longest text in tokens."""

    layers: int
    dimension: int
    heads: int
    positions: int
    epsilon: float

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Shape":
        """From a `config.json`. Raises BadInput when it is not a BERT that the trunk can run."""
        if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu" or config.get("is_decoder"):
            raise BadInput("The trunk runs BERT encoders only.", "Name a model whose config.json says bert.")
        return cls(
            config["num_hidden_layers"],
            config["hidden_size"],
            config["num_attention_heads"],
            config["max_position_embeddings"],
            config["layer_norm_eps"],
        )


class Layer(Protocol):
    """float32 rows [tokens, dimension] of texts of these lengths -> rows after the layer."""

    def __call__(self, rows: Tensor, lengths: Sequence[int]) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """The weights of one layer in float32; query, key and value stand below each other in `qkv`."""

    qkv: tuple[Tensor, Tensor]
    attended: tuple[Tensor, Tensor]
    attended_norm: tuple[Tensor, Tensor]
    wide: tuple[Tensor, Tensor]
    narrow: tuple[Tensor, Tensor]
    norm: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, number: int, weights: Mapping[str, Tensor]) -> "LayerWeights":
        """Layer `number` of the weights under the names of transformers' BertModel."""

        def pair(name: str) -> tuple[Tensor, Tensor]:
            prefix = f"encoder.layer.{number}.{name}"
            return weights[f"{prefix}.weight"].float(), weights[f"{prefix}.bias"].float()

        parts = [pair(f"attention.self.{part}") for part in ("query", "key", "value")]
        return cls(
            (torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts])),
            pair("attention.output.dense"),
            pair("attention.output.LayerNorm"),
            pair("intermediate.dense"),
            pair("output.dense"),
            pair("output.LayerNorm"),
        )


class FloatLayer:
    """A layer whose matrix products run in `dtype`; sums, norms and the rows themselves stay float32."""

    def __init__(self, weights: LayerWeights, shape: Shape, device: torch.device, dtype: torch.dtype) -> None:
        def at(pair: tuple[Tensor, Tensor], kind: torch.dtype) -> tuple[Tensor, Tensor]:
            return pair[0].to(device, kind), pair[1].to(device, kind)

        self._shape, self._dtype = shape, dtype
        self._qkv, self._attended = at(weights.qkv, dtype), at(weights.attended, dtype)
        self._wide, self._narrow = at(weights.wide, dtype), at(weights.narrow, dtype)
        self._attended_norm, self._norm = at(weights.attended_norm, torch.float32), at(weights.norm, torch.float32)

    def __call__(self, rows: Tensor, lengths: Sequence[int]) -> Tensor:
        size, epsilon = (self._shape.dimension,), self._shape.epsilon
        qkv = functional.linear(rows.to(self._dtype), *self._qkv)
        attended = functional.linear(attention(qkv, lengths, self._shape.heads), *self._attended)
        rows = functional.layer_norm(attended.float().add_(rows), size, *self._attended_norm, epsilon)
        wide = functional.gelu(functional.linear(rows.to(self._dtype), *self._wide))
        narrow = functional.linear(wide, *self._narrow)
        return functional.layer_norm(narrow.float().add_(rows), size, *self._norm, epsilon)


def attention(qkv: Tensor, lengths: Sequence[int], heads: int) -> Tensor:
    """Softmax attention within each text: [tokens, 3 * dimension] -> [tokens, dimension].

    A GPU takes all texts of a pass at once, padded and masked; a CPU takes runs of texts of one length.
    """
    tokens, width = qkv.shape[0], qkv.shape[1] // 3
    if qkv.is_cuda and len(set(lengths)) > 1:
        return _padded_attention(qkv, lengths, heads)
    results, start = [], 0
    for length, run in groupby(lengths):
        number = len(list(run))
        part = qkv[start : start + number * length].view(number, length, 3, heads, width // heads)
        query, key, value = part.permute(2, 0, 3, 1, 4).unbind(0)
        result = functional.scaled_dot_product_attention(query, key, value)
        results.append(result.transpose(1, 2).reshape(number * length, width))
        start += number * length
    return results[0] if len(results) == 1 else torch.cat(results).view(tokens, width)


def _padded_attention(qkv: Tensor, lengths: Sequence[int], heads: int) -> Tensor:
    sizes = torch.tensor(lengths, device=qkv.device)
    real = torch.arange(int(max(lengths)), device=qkv.device)[None, :] < sizes[:, None]
    padded = qkv.new_zeros(*real.shape, qkv.shape[1])
    padded[real] = qkv
    query, key, value = padded.view(*real.shape, 3, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
    result = functional.scaled_dot_product_attention(query, key, value, attn_mask=real[:, None, None, :])
    return result.transpose(1, 2).reshape(*real.shape, -1)[real]
