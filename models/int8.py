"""A layer of the trunk in 8 bits for CPUs with fast 8-bit dot products.

Weights are whole numbers of -127 .. 127 with one scale an output; activations are bytes with one scale a matrix.
Two things keep that accurate. Activations are shifted and scaled channel by channel before they become bytes, and the
weights are changed to match, so that a few channels of large values do not coarsen all others (SmoothQuant, Xiao et
al. 2023; the shift is that of Outlier Suppression+, Wei et al. 2023). And the few channels of the wide layer
whose values stand far out become no bytes: they are added in float32.
The ranges come from a pass in float32 over the sentences in bundled/calibration.

Sums of bytes are exact, and every other step sees one row or one text at a time, so a text has the same vector to the
last bit whatever stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.layers import LayerWeights, Shape, attention

MIGRATION = 0.75
"""How far ranges move from activations (0) into weights (1). Measured cosine: .5 .99987, .75 .99991, 1 .99991 for
query, key and value; .99992, .99994, .99986 for the wide layer."""
MARGIN = 1.1
"""Room beyond the range seen; what lies further out is cut off."""
FAR_CHANNELS = 8
"""Channels of the wide layer in float32. Measured cosine without any: .9976, with 8: .99990, with 32: .99992."""
GELU_LOWEST = -0.17
"""The least value of GELU."""
LEVELS = 127
MIDDLE = 128


Reach = tuple[Tensor, Tensor]
"""The least and the greatest value of each channel."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """How far the channels of the states before each matrix product of one layer reached while it was calibrated."""

    rows: Reach
    attended: Reach
    between: Reach
    wide: Reach


def reach_of(states: Tensor) -> Reach:
    """The ranges of states [tokens, channels]."""
    return states.amin(dim=0), states.amax(dim=0)


class Product:
    """A matrix product of bytes with 8-bit weights, by oneDNN: bytes [tokens, in] -> float32 or bytes [tokens, out]."""

    def __init__(self, weight: Tensor, bias: Tensor, scale: float, zero: int) -> None:
        scales = weight.abs().amax(dim=1).clamp_min(1e-12) / LEVELS
        whole = (weight / scales[:, None]).round().clamp(-LEVELS, LEVELS).to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(whole, None)
        self._scales, self._zeros = scales, torch.zeros(len(scales), dtype=torch.int64)
        self._bias = bias.contiguous()
        self._scale, self._zero = scale, zero

    def plain(self, values: Tensor) -> Tensor:
        """float32 [tokens, out]."""
        result: Tensor = torch.ops.onednn.qlinear_pointwise(
            values, self._scale, self._zero, self._weight, self._scales, self._zeros, self._bias,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return result

    def added(self, values: Tensor, rows: Tensor) -> Tensor:
        """float32 [tokens, out], `rows` added."""
        result: Tensor = torch.ops.onednn.qlinear_pointwise.binary(
            values, self._scale, self._zero, self._weight, self._scales, self._zeros, rows, self._bias,
            1.0, 0, torch.float32, 1.0, 0, "add", 1.0, "none", [], "",
        )  # fmt: skip
        return result

    def gelu(self, values: Tensor, scale: float, zero: int) -> Tensor:
        """GELU of the product as bytes [tokens, out]."""
        result: Tensor = torch.ops.onednn.qlinear_pointwise(
            values, self._scale, self._zero, self._weight, self._scales, self._zeros, self._bias,
            scale, zero, torch.uint8, "gelu", [], "none",
        )  # fmt: skip
        return result


class Smoothing:
    """How float32 rows become bytes, each channel shifted and scaled, and the products that undo it."""

    def __init__(self, weight: Tensor, seen: Reach) -> None:
        low, high = seen
        reach = ((high - low) / 2 * MARGIN).clamp_min(1e-6)
        self._shift, self._smooth = (high + low) / 2, migrated(reach, weight)
        self._scale = float((reach / self._smooth).max()) / LEVELS
        self._factor = 1 / (self._smooth * self._scale)
        self._offset = MIDDLE + 0.5 - self._shift * self._factor

    def bytes(self, rows: Tensor) -> Tensor:
        """uint8 [tokens, width], rounded to the nearest."""
        return torch.addcmul(self._offset, rows, self._factor).clamp_(0, 255).to(torch.uint8)

    def product(self, weight: Tensor, bias: Tensor) -> Product:
        """The product of such bytes that stands for rows @ weight.T + bias."""
        return Product(weight * self._smooth, bias + weight @ self._shift, self._scale, MIDDLE)


def migrated(reach: Tensor, weight: Tensor) -> Tensor:
    """SmoothQuant's factor of each channel: reach ** a / max |weight| ** (1 - a)."""
    return reach**MIGRATION / weight.abs().amax(dim=0).clamp_min(1e-6) ** (1 - MIGRATION)


class Int8Layer:
    """A layer of the trunk with 8-bit matrix products; attention, sums and norms stay float32."""

    def __init__(self, weights: LayerWeights, shape: Shape, ranges: Ranges) -> None:
        self._shape = shape
        self._attended_norm, self._norm = weights.attended_norm, weights.norm
        low, high = ranges.attended
        reach = (torch.maximum(-low, high) * MARGIN).clamp_min(1e-6)
        smooth = migrated(reach, weights.attended[0])
        scale = float((reach / smooth).max()) / LEVELS
        # The values' channels are scaled where they are made: attention only averages them.
        undo = torch.cat([torch.ones(2 * shape.dimension), 1 / (smooth * scale)])
        weight, bias = weights.qkv[0] * undo[:, None], weights.qkv[1] * undo
        self._before = Smoothing(weight, ranges.rows)
        self._qkv = self._before.product(weight, bias)
        self._attended = Product(weights.attended[0] * smooth, weights.attended[1], scale, MIDDLE)
        _, highest = ranges.wide
        far = highest.topk(FAR_CHANNELS).indices
        near = torch.ones(len(highest), dtype=torch.bool)
        near[far] = False
        weight, bias = weights.wide
        self._between = Smoothing(weight, ranges.between)
        self._wide = self._between.product(weight, bias)
        self._far = self._between.product(weight[far], bias[far])
        self._wide_scale = (float(highest[near].max()) * MARGIN - GELU_LOWEST) / 255
        self._wide_zero = round(-GELU_LOWEST / self._wide_scale)
        weight, bias = weights.narrow
        self._narrow = Product(weight * near, bias, self._wide_scale, self._wide_zero)
        self._far_out = weight[:, far].t().contiguous()

    def __call__(self, rows: Tensor, lengths: Sequence[int]) -> Tensor:
        size, epsilon = (self._shape.dimension,), self._shape.epsilon
        qkv = self._qkv.plain(self._before.bytes(rows))
        attended = attention(qkv, lengths, self._shape.heads).add_(MIDDLE + 0.5).clamp_(0, 255).to(torch.uint8)
        rows = functional.layer_norm(self._attended.added(attended, rows), size, *self._attended_norm, epsilon)
        between = self._between.bytes(rows)
        wide = self._wide.gelu(between, self._wide_scale, self._wide_zero)
        far = functional.gelu(self._far.plain(between))
        narrow = self._narrow.added(wide, torch.addmm(rows, far, self._far_out))
        return functional.layer_norm(narrow, size, *self._norm, epsilon)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Layers in 8 bits, the mean cosine of their texts' means with those of float32, and the ranges they are made
    for."""

    layers: list[Int8Layer]
    cosine: float
    ranges: list[Ranges]


def observe(weights: LayerWeights, shape: Shape, rows: Tensor, lengths: Sequence[int]) -> tuple[Ranges, Tensor]:
    """One layer in float32: the ranges before each product, and the rows after the layer."""
    size, epsilon = (shape.dimension,), shape.epsilon
    attended = attention(functional.linear(rows, *weights.qkv), lengths, shape.heads)
    summed = functional.linear(attended, *weights.attended) + rows
    between = functional.layer_norm(summed, size, *weights.attended_norm, epsilon)
    wide = functional.gelu(functional.linear(between, *weights.wide))
    after = functional.layer_norm(functional.linear(wide, *weights.narrow) + between, size, *weights.norm, epsilon)
    return Ranges(*(reach_of(states) for states in (rows, attended, between, wide))), after


def calibrated(
    weights: Sequence[LayerWeights],
    shape: Shape,
    rows: Tensor,
    lengths: Sequence[int],
    known: Sequence[Ranges] = (),
) -> Calibrated:
    """Layers fitted to the embedded sentences `rows`, or to the ranges `known` from an earlier fit."""
    layers, found, exact, approximate = [], [], rows, rows
    with torch.no_grad():
        for number, own in enumerate(weights):
            ranges, exact = observe(own, shape, exact, lengths)
            found.append(known[number] if known else ranges)
            layers.append(Int8Layer(own, shape, found[-1]))
            approximate = layers[-1](approximate, lengths)
        cosine = functional.cosine_similarity(_means(exact, lengths), _means(approximate, lengths))
        return Calibrated(layers, float(cosine.mean()), found)


def _means(rows: Tensor, lengths: Sequence[int]) -> Tensor:
    """Mean of each text's rows: [texts, dimension]."""
    return torch.stack([part.mean(dim=0) for part in torch.split(rows, list(lengths))])
