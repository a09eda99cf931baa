"""One token of each of a few sequences in 8 bits, with compiled kernels between the matrix products."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import llama_kernels as kernels
from models.llama import ByteProduct, Cache, Layer, Sizes

Floats = NDArray[np.float32]
Attend = Callable[[int, Tensor], Tensor]


class Operand:
    """The bytes of some rows on their way into a product, and what its result needs afterwards."""

    def __init__(self, product: ByteProduct, count: int) -> None:
        self._product = product
        self._bytes = torch.empty(count, product.width, dtype=torch.uint8)
        self.values = self._bytes.numpy()
        self.far, self.far_weight = product.far.numpy(), product.far_weight.numpy()
        self.scales, self.norms = np.empty(count, np.float32), np.empty(count, np.float32)
        self.far_values = np.empty((count, len(self.far)), np.float32)

    def press(self, rows: Floats) -> None:
        """Takes rows as they are."""
        kernels.press_plain(rows, self.far, self.values, self.scales, self.far_values)

    def press_normed(self, rows: Floats, epsilon: np.float32) -> None:
        """Takes rows that are to be divided by their root mean square."""
        kernels.press_normed(rows, self.far, epsilon, self.values, self.scales, self.far_values, self.norms)

    def product(self) -> Floats:
        """float32 [rows, out], to be finished with `scales`, the far channels and `norms`."""
        result: Floats = self._product.of_bytes(self._bytes).numpy()
        return result


class Stepper:
    """The layers of a Llama, for steps of a few rows."""

    def __init__(self, sizes: Sizes, layers: Sequence[Layer], cos: Tensor, sin: Tensor) -> None:
        self.sizes, self._layers = sizes, layers
        self._cos, self._sin = cos[:, 0].numpy(), sin[:, 0].numpy()
        self._epsilon = np.float32(sizes.epsilon)

    def __call__(self, embedded: Tensor, places: Sequence[int], cache: Cache, attend: Attend) -> Tensor:
        """Rows [sequences, width] after all layers; keys and values go to `places` of the cache.

        attend(layer, queries [sequences, heads, head]) mixes what the cache holds into [sequences, width].
        """
        sizes, count = self.sizes, len(places)
        rows, where = embedded.numpy(), np.asarray(places, dtype=np.int64)
        queries = torch.empty(count, sizes.heads, sizes.head)
        gated = np.empty((count, self._layers[0].down.width), np.float32)  # type: ignore[attr-defined]
        held, turned = cache.held.numpy(), queries.numpy()
        for number, layer in enumerate(self._layers):
            qkv, attended, gate_up, down = (Operand(getattr(layer, name), count) for name in Layer.__slots__)
            qkv.press_normed(rows, self._epsilon)
            kernels.turn_and_keep(
                qkv.product(), qkv.scales, qkv.far_values, qkv.far_weight, qkv.norms, self._cos, self._sin, where,
                turned, held[number, 0], held[number, 1],
            )  # fmt: skip
            attended.press(attend(number, queries).numpy())
            kernels.add(rows, attended.product(), attended.scales, attended.far_values, attended.far_weight)
            gate_up.press_normed(rows, self._epsilon)
            kernels.gate(
                gate_up.product(), gate_up.scales, gate_up.far_values, gate_up.far_weight, gate_up.norms, gated
            )  # fmt: skip
            down.press(gated)
            kernels.add(rows, down.product(), down.scales, down.far_values, down.far_weight)
        return embedded
