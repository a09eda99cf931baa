"""The multilingual trunk: a BERT's forward pass over packed texts, without padding.

The encoder pools its last states; the heads read states of any layer. Texts are laid end to end as rows
[tokens, dimension], so that every matrix product sees real tokens only; attention alone looks at one text at a time.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from indexing.types import BadInput, ModelDamaged
from models import int8, manifest, ranges
from models.int8 import Calibrated, Ranges
from models.layers import FloatLayer, Layer, LayerWeights, Shape
from models.precision import resolve
from models.ranges import read_ranges
from models.workers import Workers

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CALIBRATION = Path(__file__).parent / "bundled" / "calibration" / "sentences.txt"
RANGES = CALIBRATION.with_name(ranges.NAME)
"""Of the trunk that comes with the install."""
CHECKED = 6
"""Sentences by which layers made for known ranges are compared with float32: the kernels may differ here."""
FAITHFUL = 0.998
"""Least mean cosine between 8 bits and float32 on the calibration sentences: below it, "auto" takes float32. The
multilingual-e5-small model has .9994; a model that 8 bits do not fit lies far lower."""
TOKENS_AT_ONCE = 2048
"""Rows in one pass: enough for the matrix products to run at full speed, few enough to stay in the cache."""
STEP, SMALL = 32, 64
"""Rows of a pass in 8 bits are a multiple of STEP, but for passes of up to SMALL, which would feel the rows added. For
each number that is new, oneDNN writes six kernels, in 8 ms and some 2 MiB: with all numbers a service of 60 questions
held 1.6 GiB."""


class Trunk:
    """A loaded BERT without its pooler.

    >>> trunk = Trunk.load(model_folder(home, "multilingual-e5-small"))  # doctest: +SKIP
    >>> [states] = trunk.hidden(trunk.tokenize(["query: who was first"]))  # doctest: +SKIP
    >>> states.shape  # doctest: +SKIP
    torch.Size([7, 384])

    `fingerprint` is the sha256 of the weights, the same for every device and precision.
    """

    def __init__(
        self,
        tokenizer: "Tokenizer",
        weights: dict[str, Tensor],
        shape: Shape,
        fingerprint: str,
        device: str,
        precision: str,
    ) -> None:
        self.tokenizer = tokenizer
        self.shape = shape
        self.fingerprint = fingerprint
        self.device = torch.device(device)
        self.precision = resolve(precision, self.device)
        self._workers = Workers(1 if self.device.type == "cuda" else None)
        self.layers = shape.layers
        self.dimension = shape.dimension
        names = ("word_embeddings", "position_embeddings", "token_type_embeddings", "LayerNorm")
        words, positions, types, norm = (weights[f"embeddings.{name}.weight"].to(self.device) for name in names)
        self._words = words
        self._positions = positions + types[0]
        self._norm = (norm, weights["embeddings.LayerNorm.bias"].to(self.device))
        own = [LayerWeights.of(number, weights) for number in range(shape.layers)]
        self._layers: list[Layer] = []
        if self.precision == "int8":
            made = self.calibrated(own, read_ranges(RANGES, fingerprint, shape.layers))
            self._layers = list(made.layers)
            if precision == "auto" and made.cosine < FAITHFUL:
                self.precision, self._layers = "float32", []
        if not self._layers:
            self._layers = self._float_layers(own)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu", precision: str = "auto") -> "Trunk":
        """Read a folder of `transformers` files that holds a BERT.

        `precision` is "auto", "float32", "bfloat16" or "int8". Raises BadInput when the folder holds something else
        than a BERT, ModelDamaged when its files cannot be read.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        try:
            shape = Shape.of(json.loads((folder / "config.json").read_text(encoding="utf-8")))
            weights = load_file(folder / "model.safetensors")
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ModelDamaged(f"The model in {folder} cannot be read.", "Run: passerine models verify") from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(shape.positions)
        return cls(tokenizer, weights, shape, manifest.weights_sha256(folder), device, precision)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with the special tokens at both ends, cut at the longest text that the model takes."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(list(texts))]

    def hidden(
        self,
        sequences: Sequence[Sequence[int]],
        first: int = 0,
        last: int | None = None,
        states: Sequence[Tensor] | None = None,
    ) -> list[Tensor]:
        """States after layer `last` (default: all layers) of each sequence of token ids, float32 [tokens, dimension].

        Layer 0 is the embedding. With `first` > 0 the pass goes on from `states`, the states after layer `first`.
        Raises BadInput for an empty or over-long sequence.
        """
        lengths = [len(sequence) for sequence in sequences]
        if lengths and not 0 < min(lengths) <= max(lengths) <= self.shape.positions:
            raise BadInput("A text has no tokens, or too many.", f"Give between 1 and {self.shape.positions} tokens.")
        if (first > 0) != (states is not None):
            raise ValueError("states go with first > 0")

        def begun(group: list[int]) -> Tensor:
            if states is None:
                return self._embed([sequences[i] for i in group])
            return torch.cat([states[i] for i in group]).to(self.device, torch.float32)

        return self._through(self._layers[first:last], lengths, begun)

    def through(self, layers: Sequence[Layer], rows: Sequence[Tensor]) -> list[Tensor]:
        """Rows [tokens, dimension] of some texts after layers that need not be the trunk's own."""
        return self._through(layers, [len(own) for own in rows], lambda group: torch.cat([rows[i] for i in group]))

    def _through(
        self, layers: Sequence[Layer], lengths: Sequence[int], begun: Callable[[list[int]], Tensor]
    ) -> list[Tensor]:
        """The same, in groups of texts on all workers; `begun` gives the packed rows of a group."""

        def run(group: list[int]) -> tuple[Tensor, ...]:
            sizes = [lengths[i] for i in group]
            stepped = self.precision == "int8" and sum(sizes) > SMALL
            spare = -sum(sizes) % STEP if stepped else 0
            with torch.no_grad():
                rows = begun(group)
                if spare:
                    rows = torch.cat([rows, rows.new_zeros(spare, self.dimension)])
                for layer in layers:
                    rows = layer(rows, [*sizes, spare] if spare else sizes)
                return torch.split(rows[: len(rows) - spare], sizes)

        results: list[Tensor] = [torch.empty(0)] * len(lengths)
        split = groups(lengths, self._workers.count)
        for group, parts in zip(split, self._workers.map(run, split), strict=True):
            for i, part in zip(group, parts, strict=True):
                results[i] = part
        return results

    def faster(
        self, weights: Sequence[LayerWeights], calibration: Iterable[Tensor], known: Sequence[Ranges] = ()
    ) -> Calibrated | None:
        """Layers of these weights in 8 bits, fitted to the rows of some texts, or to `known` ranges; None where the
        trunk itself is not in 8 bits, or where they would say something else."""
        if self.precision != "int8":
            return None
        rows = sorted(calibration, key=len)
        lengths = [len(own) for own in rows]
        [made] = self._workers.map(
            lambda own: int8.calibrated(own, self.shape, torch.cat(rows), lengths, known), [weights]
        )
        return made if made.cosine >= FAITHFUL else None

    def calibrated(self, weights: Sequence[LayerWeights], known: Sequence[Ranges] = ()) -> Calibrated:
        """The trunk's own layers in 8 bits."""
        sequences = sorted(self.tokenize(calibration(CHECKED if known else None)), key=len)
        rows, lengths = self._embed(sequences), [len(sequence) for sequence in sequences]
        [made] = self._workers.map(lambda own: int8.calibrated(own, self.shape, rows, lengths, known), [weights])
        return made

    def _float_layers(self, weights: Sequence[LayerWeights]) -> list[Layer]:
        dtype = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        return [FloatLayer(own, self.shape, self.device, dtype) for own in weights]

    def _embed(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        tokens = torch.tensor([token for sequence in sequences for token in sequence], device=self.device)
        places = torch.cat([torch.arange(len(sequence), device=self.device) for sequence in sequences])
        rows = functional.embedding(tokens, self._words) + self._positions[places]
        return functional.layer_norm(rows, (self.dimension,), *self._norm, self.shape.epsilon)


def calibration(most: int | None = None) -> list[str]:
    """The sentences that 8 bits are fitted to, or about `most` of them, evenly drawn."""
    lines = CALIBRATION.read_text(encoding="utf-8").splitlines()
    return lines[:: max(1, len(lines) // most)] if most else lines


def groups(lengths: Sequence[int], workers: int = 1, tokens: int = TOKENS_AT_ONCE) -> list[list[int]]:
    """Indices of texts that go through the layers together: the longest first, texts of one length side by side.

    As many groups as give each worker the same number of them, all of about the same size and of about `tokens` at
    most, so that no worker waits long for another.
    """
    total = sum(lengths)
    count = workers * -(-total // (workers * tokens))
    made: list[list[int]] = [[] for _ in range(count)]
    before = 0
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        made[(2 * before + lengths[i]) * count // (2 * total)].append(i)
        before += lengths[i]
    return [group for group in made if group]
