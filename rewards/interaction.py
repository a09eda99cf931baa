"""The small network that every judge is made of: it lays the trunk's states of a question, a candidate and (where it
differs) the supporting quote side by side and lets them attend to each other.

The trunk stays frozen, so its states are computed once for all judges; each judge adds about 300,000 weights.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from indexing.types import EncoderMismatch, ModelDamaged, ModelMissing
from models.heads import file_sha256
from rewards.readings import ANSWER, QUESTION, Draft, TokenStates

SIDES = 3
"""Question, answer, evidence."""
SIGNS = 5
"""Numbers beside each token's state: see `signs`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a network. `rule` is the width of a rule's vector, 0 where no rule is asked about."""

    width: int = 96
    layers: int = 2
    heads: int = 4
    inner: int = 192
    states: int = 384
    outputs: int = 1
    rule: int = 0


class Reader(Protocol):
    """Gives the token states of texts: `Readings` when answering, `Corpus` in training."""

    @property
    def fingerprint(self) -> str: ...

    def read(self, texts: Sequence[str]) -> list[TokenStates]: ...

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 [n, width], unit length."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded drafts: states [n, t, 384], sides int64 [n, t], signs [n, t, SIGNS], there bool [n, t]."""

    states: Tensor
    sides: Tensor
    signs: Tensor
    there: Tensor


def sides_of(readings: Reader, drafts: Sequence[Draft]) -> list[tuple[TokenStates | None, ...]]:
    """The readings (question, answer, evidence) of drafts, all in one call to the trunk."""
    texts = [(QUESTION + d.question, ANSWER + d.answer, ANSWER + d.evidence if d.evidence else "") for d in drafts]
    flat = [text for group in texts for text in group if text]
    by_text = dict(zip(flat, readings.read(flat), strict=True))
    return [tuple(by_text.get(text) for text in group) for group in texts]


def collate(parts: Sequence[Sequence[TokenStates | None]], shorts: Sequence[str], answers: Sequence[str]) -> Batch:
    """Drafts of different lengths in one batch. `shorts[i]` is marked where it stands in `answers[i]`."""
    rows, sides, marks = [], [], []
    for group, short, answer in zip(parts, shorts, answers, strict=True):
        read = [(side, piece) for side, piece in enumerate(group) if piece is not None]
        rows.append(np.concatenate([piece.states for _, piece in read]).astype(np.float32))
        sides.append(np.concatenate([np.full(len(piece.ids), side) for side, piece in read]))
        marks.append(np.concatenate([signs(side, piece, group, short, answer) for side, piece in read]))
    longest = max(len(row) for row in rows)
    n = len(rows)
    states = np.zeros((n, longest, rows[0].shape[1]), dtype=np.float32)
    side = np.zeros((n, longest), dtype=np.int64)
    sign = np.zeros((n, longest, SIGNS), dtype=np.float32)
    there = np.zeros((n, longest), dtype=bool)
    for i, row in enumerate(rows):
        states[i, : len(row)], side[i, : len(row)], there[i, : len(row)] = row, sides[i], True
        sign[i, : len(row)] = marks[i]
    return Batch(*(torch.from_numpy(array) for array in (states, side, sign, there)))


def signs(
    side: int, piece: TokenStates, group: Sequence[TokenStates | None], short: str, answer: str
) -> NDArray[np.float32]:
    """[n, SIGNS] a token: the best cosine in the other side, whether the same token stands there, the share of the
    text before it, whether it is part of the bare answer, whether a bare answer is named at all.

    A question looks into the answer, an answer into its evidence where there is one, else into the question.
    """
    question, said, evidence = group[0], group[1], group[2]
    other = said if side != 1 else (evidence or question)
    found = np.zeros((len(piece.ids), SIGNS), dtype=np.float32)
    if other is not None:
        a, b = _unit(piece.states), _unit(other.states)
        found[:, 0] = (a @ b.T).max(axis=1)
        found[:, 1] = np.isin(piece.ids, other.ids)
    found[:, 2] = np.arange(len(piece.ids)) / 96
    start = answer.rfind(short) if short else -1
    if start >= 0:
        found[:, 4] = 1.0
        if side == 1:
            begins, ends = piece.spans[:, 0], piece.spans[:, 1]
            found[:, 3] = (begins < start + len(short)) & (ends > start) & (ends > begins)
    return found


def _unit(states: NDArray[np.float16]) -> NDArray[np.float32]:
    rows = states.astype(np.float32)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-6), dtype=np.float32)


class Interaction(nn.Module):
    """Attention over the tokens of a draft, then one vector of it, then the outputs.

    With `shape.rule` > 0 it is asked about rules: each rule's vector looks for the tokens that matter to it.
    """

    def __init__(self, shape: Shape, dropout: float = 0.2) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.enter_norm = nn.LayerNorm(shape.states)
        self.enter = nn.Linear(shape.states, width)
        self.signs = nn.Linear(SIGNS, width)
        self.side = nn.Embedding(SIDES, width)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, shape.heads, shape.inner, 0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(shape.layers)
        )
        self.leave_norm = nn.LayerNorm(width)
        pooled = 3 * width
        if shape.rule:
            self.ask = nn.Linear(shape.rule, 2 * width)
            pooled = 4 * width
        self.out = nn.Sequential(
            nn.Linear(pooled, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, shape.outputs)
        )

    def tokens(self, batch: Batch) -> Tensor:
        """[n, t, width]: states after all looked at each other."""
        x = self.enter(self.enter_norm(batch.states)) + self.signs(batch.signs) + self.side(batch.sides)
        x = self.dropout(x)
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=~batch.there)
        leaving: Tensor = self.leave_norm(x)
        return leaving

    def forward(self, batch: Batch, rules: Tensor | None = None) -> Tensor:
        """[n, outputs]; asked about rules [m, shape.rule] it is [n, m]."""
        x = self.tokens(batch)
        question, answer = mean(x, batch.there & (batch.sides == 0)), mean(x, batch.there & (batch.sides == 1))
        top = x.masked_fill(~(batch.there & (batch.sides == 1))[..., None], -torch.inf).amax(dim=1)
        if rules is None:
            made: Tensor = self.out(torch.cat([question, answer, top], dim=-1))
            return made
        look, weigh = self.ask(rules).chunk(2, dim=-1)
        scores = torch.einsum("mw,ntw->nmt", look, x) / self.shape.width**0.5
        shares = scores.masked_fill(~batch.there[:, None], -torch.inf).softmax(dim=-1)
        seen = torch.einsum("nmt,ntw->nmw", shares, x)
        n, m = len(x), len(rules)
        wide = torch.cat([seen, seen * weigh, (answer[:, None] * weigh), question[:, None].expand(n, m, -1)], dim=-1)
        return self.out(wide)[..., 0]  # type: ignore[no-any-return]


def mean(x: Tensor, there: Tensor) -> Tensor:
    """[n, width] mean over the rows of x [n, t, width] that are there."""
    share = there.to(x.dtype)[..., None]
    total: Tensor = (x * share).sum(dim=1) / share.sum(dim=1).clamp(min=1.0)
    return total


@dataclass(frozen=True, slots=True)
class Trained:
    """What a network is: the trunk it fits (`base`) and the layer it reads, its shape, how it was made, and the
    numbers that go with it (shift, scale, floors)."""

    name: str
    base: str
    layer: int
    shape: Shape
    seed: int = 0
    numbers: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


def save_network(network: Interaction, trained: Trained, folder: Path) -> None:
    """Write weights.safetensors (16 bit) and config.json into `folder`, made when absent."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().half().contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, folder / "weights.safetensors")
    written = {**asdict(trained), "weights_sha256": file_sha256(folder / "weights.safetensors")}
    text = json.dumps(written, ensure_ascii=False, indent=1)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")


def load_network(folder: Path, base: str = "", layer: int | None = None) -> tuple[Interaction, Trained]:
    """The network in `folder` with its configuration, checked against its checksum and its trunk.

    Raises ModelMissing, ModelDamaged, or EncoderMismatch when it was trained on another trunk.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    config_path, weights_path = folder / "config.json", folder / "weights.safetensors"
    if not config_path.is_file() or not weights_path.is_file():
        raise ModelMissing(f"The judge in {folder} is not there.", "Install the package again, or train it: see docs.")
    try:
        written = json.loads(config_path.read_text(encoding="utf-8"))
        expected = written.pop("weights_sha256")
        trained = Trained(**{**written, "shape": Shape(**written["shape"])})
    except (ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(f"{config_path} cannot be read: {error}.", "Install the package again.") from error
    if file_sha256(weights_path) != expected:
        raise ModelDamaged(f"{weights_path} does not match its checksum.", "Install the package again.")
    if (base and base != trained.base) or (layer is not None and layer != trained.layer):
        raise EncoderMismatch(
            f"The judge {trained.name} was trained on another base model or layer.",
            "Use the encoder multilingual-e5-small for the judges, or train them again on yours.",
        )
    try:
        network = Interaction(trained.shape)  # small; on the "meta" device it would bring in the compiler, two seconds
        tensors = {name: tensor.float() for name, tensor in load_file(weights_path).items()}
        network.load_state_dict(tensors, assign=True)
    except (SafetensorError, RuntimeError) as error:
        raise ModelDamaged(
            f"{weights_path} does not hold the judge's weights.", "Install the package again."
        ) from error
    return network.eval().requires_grad_(False), trained
