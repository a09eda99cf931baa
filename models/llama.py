"""A Llama on the CPU, written for many short continuations of few prompts.

Every token is a row, and rows of all sequences go through one matrix product; only attention looks at sequences.
Projections that read the same rows are one matrix. With 8 bits a row becomes bytes with a scale of its own, and a
weight a byte with the scale of its output, so that a row's result does not depend on what stands beside it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from indexing.types import BadInput

if TYPE_CHECKING:
    from models.llama_step import Stepper

LEVELS, MIDDLE = 127, 128
ROWS = 4096
"""Outputs of a product that become bytes at a time."""
FAR_CHANNELS = 8
"""Channels in float32 beside the bytes: the few that are much louder than the others would coarsen all."""
MOST_STEPPED = 16
"""Sequences that are stepped by compiled kernels at most: these run on one core."""
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of a Llama; `context` in tokens."""

    layers: int
    width: int
    heads: int
    shared_heads: int
    head: int
    context: int
    epsilon: float
    theta: float

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Sizes":
        """From a `config.json`. Raises BadInput when it is not a Llama that this engine can run."""
        plain = config.get("hidden_act") == "silu" and not config.get("attention_bias") and not config.get("mlp_bias")
        rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
        if config.get("model_type") != "llama" or not plain or rope.get("rope_type", "default") != "default":
            raise BadInput("This engine runs plain Llama models only.", "Set generator_engine to transformers.")
        heads = config["num_attention_heads"]
        return cls(
            config["num_hidden_layers"],
            config["hidden_size"],
            heads,
            config["num_key_value_heads"],
            config.get("head_dim") or config["hidden_size"] // heads,
            config["max_position_embeddings"],
            config["rms_norm_eps"],
            float(config.get("rope_theta") or rope.get("rope_theta", 10_000.0)),
        )


class Product(Protocol):
    """float32 rows [n, in] -> float32 [n, out]; with `normed`, of the rows divided by their root mean square."""

    def __call__(self, rows: Tensor, normed: bool = False) -> Tensor: ...


class FloatProduct:
    """Weights [out, in] in float32."""

    def __init__(self, weight: Tensor, epsilon: float) -> None:
        self._weight, self._epsilon = weight.float().contiguous(), epsilon

    def __call__(self, rows: Tensor, normed: bool = False) -> Tensor:
        if normed:
            rows = rows * root_mean_square(rows, self._epsilon)
        return functional.linear(rows, self._weight)

    def pressed(self, loud: Tensor) -> "ByteProduct":
        """The same in 8 bits, save the loudest channels."""
        return ByteProduct(self._weight, self._epsilon, loudest(loud))


class ByteProduct:
    """Weights [out, in] in 8 bits with one scale an output, by oneDNN; the channels `far` stay float32."""

    def __init__(self, weight: Tensor, epsilon: float, far: Tensor) -> None:
        # In parts: of a whole vocabulary there would be four copies at a time.
        pressed = [as_bytes(part, far) for part in torch.split(weight, ROWS)]
        whole, self._scales = (torch.cat(parts) for parts in zip(*pressed, strict=True))
        self._weight = torch.ops.onednn.qlinear_prepack(whole, None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self.width = weight.shape[1]
        self.far, self.far_weight = far, weight[:, far].float().t().contiguous()
        self._epsilon = epsilon

    def __call__(self, rows: Tensor, normed: bool = False) -> Tensor:
        near = rows.index_fill(1, self.far, 0.0)
        most = near.abs().amax(dim=-1, keepdim=True).clamp_min_(1e-12).div_(LEVELS)
        result = self.of_bytes(near.div_(most).add_(MIDDLE + 0.5).to(torch.uint8))
        result = result.mul_(most).addmm_(rows.index_select(1, self.far), self.far_weight)
        return result.mul_(root_mean_square(rows, self._epsilon)) if normed else result

    def of_bytes(self, values: Tensor) -> Tensor:
        """uint8 [n, in] around MIDDLE -> float32 [n, out], neither scaled nor with the far channels."""
        result: Tensor = torch.ops.onednn.qlinear_pointwise(
            values, 1.0, MIDDLE, self._weight, self._scales, self._zeros, None,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return result


def as_bytes(weight: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
    """int8 [out, in] and float32 scales [out] of weights whose channels `far` are left out."""
    near = weight.float().index_fill(1, far, 0.0)
    scales = near.abs().amax(dim=1).clamp_min(1e-12) / LEVELS
    return (near / scales[:, None]).round().to(torch.int8), scales


def root_mean_square(rows: Tensor, epsilon: float) -> Tensor:
    """1 / the root mean square of each row: [n, 1]."""
    return rows.square().mean(-1, keepdim=True).add_(epsilon).rsqrt_()


@dataclass(frozen=True, slots=True)
class Layer:
    """Products of one layer; the norms' weights are inside those that follow them."""

    qkv: Product
    attended: Product
    gate_up: Product
    down: Product


@dataclass(slots=True)
class Cache:
    """Keys and values [layers, 2, sequences, shared heads, capacity, head] of sequences that hold `lengths` tokens."""

    held: Tensor
    lengths: list[int]

    def forked(self, row: int, length: int, count: int, room: int) -> "Cache":
        """`count` copies of the first `length` tokens of one sequence, with room for `room` more."""
        layers, two, _, heads, _, head = self.held.shape
        held = self.held.new_zeros(
            layers, two, count, heads, length + room, head
        )  # what is unseen must still be a number
        held[..., :length, :] = self.held[:, :, row : row + 1, :, :length]
        return Cache(held, [length] * count)


class Llama:
    """A causal language model without its tokenizer."""

    def __init__(self, sizes: Sizes, layers: Sequence[Layer], table: Tensor, head: Product, plain: int) -> None:
        self.sizes, self._layers, self._table, self._head = sizes, layers, table, head
        self._plain = plain  # layers below the first that an adapter changes
        self._stepper: Stepper | None = None
        half = torch.arange(0, sizes.head, 2, dtype=torch.float64) / sizes.head
        angles = torch.outer(torch.arange(sizes.context, dtype=torch.float64), sizes.theta**-half)
        cos, sin = angles.cos().float(), angles.sin().float()
        self._cos = torch.cat([cos, cos], -1)[:, None]
        self._sin = torch.cat([-sin, sin], -1)[:, None]

    @classmethod
    def load(
        cls, folder: Path, adapter: Path | None = None, sample: Sequence[int] = (), beside: "Llama | None" = None
    ) -> "Llama":
        """A model in transformers' format, with a LoRA adapter in peft's format added to its weights.

        With `sample` (token ids of some text) the weights become 8 bits, and the sample tells which channels do not.
        `beside` is the same model with another adapter, loaded with the same sample: what neither changes they share.
        Raises BadInput for a model that is no plain Llama.
        """
        weights = Weights.read(folder, adapter)
        plain = weights.plain()
        known = [] if beside is None else beside._layers[: min(plain, beside._plain)]
        table = weights.table() if beside is None else beside._table
        layers = list(known)
        model = cls(weights.sizes, layers, table, weights.head() if beside is None else beside._head, plain)
        if not sample:
            layers += [weights.layer(number) for number in range(len(known), weights.sizes.layers)]
            return model
        rows, places = model.embedded(sample), torch.arange(len(sample))
        for number in range(weights.sizes.layers):
            layer, seen = weights.layer(number), dict[str, Tensor]()
            watched = Layer(*(Watched(getattr(layer, name), seen, name) for name in Layer.__slots__))
            rows = model.through(watched, rows, places, lambda q, k, v: model.mix(*together(q, k, v), mask=None))
            if number >= len(known):
                layers.append(Layer(*(getattr(layer, name).pressed(seen[name]) for name in Layer.__slots__)))
        loud = loudness(rows)
        if not isinstance(model._head, ByteProduct) or set(model._head.far.tolist()) != set(loudest(loud).tolist()):
            model._head = weights.head().pressed(loud)
        from models.llama_step import Stepper

        model._stepper = Stepper(weights.sizes, layers, model._cos, model._sin)
        return model

    def embedded(self, tokens: Sequence[int]) -> Tensor:
        """float32 [tokens, width]."""
        return self._table[torch.tensor(tokens, dtype=torch.long)].float()

    def through(self, layer: Layer, rows: Tensor, places: Tensor, attend: Attend) -> Tensor:
        """The rows after one layer; `places` [rows] are the tokens' positions."""
        sizes = self.sizes
        turned_heads = sizes.heads + sizes.shared_heads
        mixed = layer.qkv(rows, normed=True).view(len(rows), turned_heads + sizes.shared_heads, sizes.head)
        turned, v = mixed[:, :turned_heads], mixed[:, turned_heads:]
        turned = torch.addcmul(turned * self._cos[places], turned.roll(sizes.head // 2, -1), self._sin[places])
        rows = rows + layer.attended(attend(turned[:, : sizes.heads], turned[:, sizes.heads :], v))
        gate, up = layer.gate_up(rows, normed=True).chunk(2, dim=-1)
        return rows + layer.down(functional.silu(gate) * up)

    def empty(self, room: int) -> Cache:
        """One sequence without tokens, with room for `room`."""
        sizes = self.sizes
        return Cache(torch.zeros(sizes.layers, 2, 1, sizes.shared_heads, room, sizes.head), [0])

    @torch.inference_mode()
    def extend(self, cache: Cache, added: Sequence[Sequence[int]]) -> Tensor:
        """Rows [tokens of all sequences, width] of the tokens `added` to each sequence, which the cache then holds."""
        starts, counts = list(cache.lengths), [len(tokens) for tokens in added]
        flat = [token for tokens in added for token in tokens]
        places = [start + step for start, count in zip(starts, counts, strict=True) for step in range(count)]
        end = max(start + count for start, count in zip(starts, counts, strict=True))
        if all(count == 1 for count in counts):
            unseen = torch.arange(end) > torch.tensor(starts)[:, None] if min(starts) < max(starts) else None
            mix = partial(self.mix_one_each, cache, end, unseen)
            if self._stepper is not None and len(counts) <= MOST_STEPPED:
                rows = self._stepper(self.embedded(flat), places, cache, mix)
            else:
                rows = self.run(flat, places, partial(self.keep_one_each, cache, torch.tensor(starts), mix))
        else:
            spans = list(zip(starts, counts, strict=True))
            rows = self.run(flat, places, partial(self.mix_runs, cache, spans))
        cache.lengths = [start + count for start, count in zip(starts, counts, strict=True)]
        return rows

    @torch.inference_mode()
    def branches(self, cache: Cache, branches: Sequence[Sequence[int]]) -> Tensor:
        """Rows [tokens of all branches, width] of continuations of the cache's only sequence, none of which sees
        another. The cache stays as it is."""
        [start] = cache.lengths
        flat = [token for branch in branches for token in branch]
        places = [start + step for branch in branches for step in range(len(branch))]
        owner = torch.tensor([number for number, branch in enumerate(branches) for _ in branch])
        order = torch.arange(len(flat))
        seen = (owner[:, None] == owner) & (order[:, None] >= order)
        seen = torch.cat([torch.ones(len(flat), start, dtype=torch.bool), seen], dim=1)
        mask = torch.zeros(seen.shape).masked_fill_(~seen, -torch.inf)

        def attend(number: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            old_keys, old_values = cache.held[number, :, :, :, :start]
            queries, keys, values = together(q, k, v)
            return self.mix(queries, torch.cat([old_keys, keys], 2), torch.cat([old_values, values], 2), mask)

        return self.run(flat, places, attend)

    def run(self, tokens: Sequence[int], places: Sequence[int], attend: Callable[..., Tensor]) -> Tensor:
        """The rows after all layers; attend(layer, q, k, v) mixes [rows, heads, head] into [rows, width]."""
        rows, at = self.embedded(tokens), torch.tensor(places)
        for number, layer in enumerate(self._layers):
            rows = self.through(layer, rows, at, partial(attend, number))
        return rows

    def keep_one_each(
        self, cache: Cache, where: Tensor, mix: Callable[[int, Tensor], Tensor], number: int, q: Tensor, k: Tensor,
        v: Tensor,
    ) -> Tensor:  # fmt: skip
        """Attention of one new token a sequence, which goes to place `where` of its own sequence."""
        keys, values = cache.held[number]
        every = torch.arange(len(where))
        keys[every, :, where], values[every, :, where] = k, v
        return mix(number, q)

    def mix_one_each(self, cache: Cache, end: int, unseen: Tensor | None, number: int, q: Tensor) -> Tensor:
        """Queries [sequences, heads, head] over the first `end` tokens of their sequences, save the `unseen` ones."""
        keys, values = cache.held[number, :, :, :, :end]
        heads, head = self.sizes.shared_heads, self.sizes.head
        grouped = q.reshape(len(q) * heads, -1, head)
        scores = torch.bmm(grouped, keys.flatten(0, 1).transpose(1, 2)).mul_(head**-0.5)
        if unseen is not None:
            scores.view(len(q), heads, -1, end).masked_fill_(unseen[:, None, None], -torch.inf)
        return torch.bmm(scores.softmax(-1), values.flatten(0, 1)).view(len(q), -1)

    def mix_runs(
        self, cache: Cache, spans: Sequence[tuple[int, int]], number: int, q: Tensor, k: Tensor, v: Tensor
    ) -> Tensor:
        """Attention of several new tokens a sequence; each sequence's (start, count) of new ones stands in `spans`."""
        keys, values = cache.held[number]
        mixed, first = [], 0
        for row, (start, count) in enumerate(spans):
            queries, own_keys, own_values = together(*(part[first : first + count] for part in (q, k, v)))
            keys[row, :, start : start + count], values[row, :, start : start + count] = own_keys[0], own_values[0]
            seen = slice(start + count)
            mixed.append(self.mix(queries, keys[row, None, :, seen], values[row, None, :, seen], causal(start, count)))
            first += count
        return torch.cat(mixed)

    def mix(self, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Attention of one sequence's new tokens: rows [new, heads * head]."""
        mixed = functional.scaled_dot_product_attention(
            q, keys, values, attn_mask=mask, is_causal=mask is None, enable_gqa=True
        )
        return mixed[0].transpose(0, 1).flatten(1)

    @torch.inference_mode()
    def logits(self, rows: Tensor) -> Tensor:
        """float32 [rows, vocabulary]."""
        return self._head(rows, normed=True)


def together(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """[rows, heads, head] of one sequence as [1, heads, rows, head], each."""
    return q.transpose(0, 1)[None], k.transpose(0, 1)[None], v.transpose(0, 1)[None]


def causal(start: int, count: int) -> Tensor | None:
    """What `count` new tokens see of `start` old ones and of each other; None where torch's own mask does."""
    if start == 0:
        return None
    return torch.full((count, start + count), -torch.inf).triu_(start + 1)


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's tensors under the names of transformers, and what an adapter adds to them."""

    sizes: Sizes
    held: Mapping[str, Tensor]
    deltas: Mapping[str, "LowRank"]

    @classmethod
    def read(cls, folder: Path, adapter: Path | None) -> "Weights":
        """Raises BadInput."""
        from safetensors.torch import load_file

        sizes = Sizes.of(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        return cls(sizes, load_file(folder / "model.safetensors"), {} if adapter is None else low_rank(adapter))

    def plain(self) -> int:
        """How many of the lowest layers the adapter leaves as they are."""
        return min((int(name.split(".")[2]) for name in self.deltas), default=self.sizes.layers)

    def table(self) -> Tensor:
        """[vocabulary, width]; a copy, or it would keep the whole file mapped."""
        return self.held["model.embed_tokens.weight"].clone()

    def head(self) -> FloatProduct:
        """[vocabulary, width], with the last norm's weight inside."""
        tied = self.held["model.embed_tokens.weight"]
        weight = self.held.get("lm_head.weight", tied).float() * self.held["model.norm.weight"].float()
        return FloatProduct(weight, self.sizes.epsilon)

    def layer(self, number: int) -> Layer:
        """One layer in float32."""

        def joined(norm: str, *names: str) -> FloatProduct:
            prefix = f"model.layers.{number}."
            weight = torch.cat([self.held[f"{prefix}{name}.weight"].float() for name in names])
            if any(prefix + name in self.deltas for name in names):
                weight += torch.cat([self.deltas[prefix + name].whole() for name in names])
            if norm:
                weight *= self.held[f"{prefix}{norm}.weight"].float()
            return FloatProduct(weight, self.sizes.epsilon)

        return Layer(
            joined("input_layernorm", *(f"self_attn.{part}_proj" for part in "qkv")),
            joined("", "self_attn.o_proj"),
            joined("post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj"),
            joined("", "mlp.down_proj"),
        )


class Watched:
    """A product that notes how loud each channel was."""

    def __init__(self, product: Product, seen: dict[str, Tensor], name: str) -> None:
        self._product, self._seen, self._name = product, seen, name

    def __call__(self, rows: Tensor, normed: bool = False) -> Tensor:
        self._seen[self._name] = loudness(rows)
        return self._product(rows, normed)


def loudness(rows: Tensor) -> Tensor:
    """[channels]: the greatest value of each, in units of its row's root mean square."""
    return (rows.abs() * root_mean_square(rows, 1e-12)).amax(0)


def loudest(loud: Tensor) -> Tensor:
    """The channels that stay float32."""
    return loud.topk(FAR_CHANNELS).indices


@dataclass(frozen=True, slots=True)
class LowRank:
    """What an adapter adds to a weight: scale * up [out, rank] @ down [rank, in]."""

    scale: float
    up: Tensor
    down: Tensor

    def whole(self) -> Tensor:
        """float32 [out, in]."""
        return self.scale * (self.up.float() @ self.down.float())


def low_rank(adapter: Path) -> dict[str, LowRank]:
    """What a LoRA adapter in peft's format adds to each weight, by the name of the module. Raises BadInput."""
    from safetensors.torch import load_file

    try:
        config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(adapter / "adapter_model.safetensors")
    except (OSError, ValueError) as error:
        raise BadInput(f"{adapter} holds no adapter ({error}).", "Name a folder in peft's format.") from None
    scale = config["lora_alpha"] / config["r"]
    found = {}
    for name, down in tensors.items():
        if name.endswith(".lora_A.weight"):
            module = name.removesuffix(".lora_A.weight").removeprefix("base_model.model.")
            if not module.startswith("model.layers."):
                raise BadInput(f"{adapter} changes {module}.", "This engine runs adapters of linear layers only.")
            found[module] = LowRank(scale, tensors[name.replace(".lora_A.", ".lora_B.")], down)
    return found
