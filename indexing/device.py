"""Both sides of a search and their fusion on one torch device: queries go in as tokens and vectors, and a batch of them
is scored, fused and ranked there before anything comes back.

The lexical side adds the same whole units as `lexical`, so that its scores and order are equal to the last bit; the
dense side is exact, in 32-bit arithmetic, and so equal but for rounding. A segment is brought to the device once and
stays as long as it is in use; what is alive and the statistics belong to each snapshot.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from indexing.fusion import RECIPROCAL_CONSTANT, Candidates, Fusion, Ranked
from indexing.lexical import Lexical, Mask
from indexing.postings import Postings
from indexing.segment import Segment
from indexing.snapshot import Snapshot
from indexing.types import BadInput, Encoder

CELLS = 1 << 27
"""Scores, a passage and query each, that are worked on at once: with what is derived of them some 2 GB."""

POSTINGS = 1 << 25
"""Postings that are worked on at once, some 2 GB too."""

_LOADED = 1 << 22  # postings unpacked at a time
_LOW = (1 << 32) - 1


@runtime_checkable
class TensorEncoder(Protocol):
    """An encoder whose vectors can stay on its device."""

    def query_tensor(self, texts: Sequence[str]) -> Tensor:
        """float32 [n, dimension], unit length."""
        ...


class Device:
    """Searches snapshots on one torch device.

    >>> device = Device("cuda")
    >>> vectors = device.encoded(encoder, texts)
    >>> device.candidates(snapshot, tokens, cjk, vectors, 100, None, Fusion())[0].fused.keys
    """

    def __init__(self, name: str = "cpu") -> None:
        """Raises BadInput for a device that torch does not have."""
        try:
            self.device = torch.device(name)
            torch.zeros(1, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise BadInput(
                f"torch has no device {name!r} here.", "Set search_device to one that it has, or to nothing."
            ) from error
        self._guard = threading.Lock()

    def describe(self) -> str:
        """What runs where, for people."""
        return f"torch {torch.__version__} on {self.device}: words, vectors and fusion"

    def encoded(self, encoder: Encoder, texts: Sequence[str]) -> Tensor:
        """The vectors of queries, which stay on the device where the encoder can leave them."""
        if isinstance(encoder, TensorEncoder):
            return encoder.query_tensor(texts).to(self.device)
        return torch.from_numpy(encoder.encode_queries(texts)).to(self.device)

    def candidates(
        self,
        snapshot: Snapshot,
        queries: Sequence[Sequence[str]],
        cjk: Sequence[bool],
        vectors: Any,
        k: int,
        admitted: Mask | None,
        fusion: Fusion,
    ) -> list[Candidates]:
        """The best k of each side of queries given as tokens and as vectors [q, dimension], a tensor or an array, and
        both fused; `admitted` has the live rows that may be found, bool [rows], None for all.

        Of passages whose cosines are the same to the last bit any may be the k-th.
        """
        held = self._held(snapshot)
        if not len(held):
            return [Candidates(Ranked(), Ranked(), len(tokens)) for tokens in queries]
        dense = torch.as_tensor(vectors, dtype=torch.float32).to(self.device)
        asked = [_Asked.of(snapshot.lexical, tokens) for tokens in queries]
        mask = held.alive if admitted is None else torch.from_numpy(admitted).to(self.device)
        found: list[Candidates] = []
        for first, last in _slices(asked, len(held)):
            words = held.lexical(asked[first:last], k, mask)
            near = held.nearest(dense[first:last], k, mask)
            leaning = self._leaning(fusion, asked[first:last], cjk[first:last], words, near)
            fused = fuse(words, near, leaning, k, fusion.method)
            sides = [held.ranked(side) for side in (words, near, fused)]
            for place, (one, own, eastern) in enumerate(
                zip(asked[first:last], queries[first:last], cjk[first:last], strict=True)
            ):
                lexical, cosines, both = (side[place] for side in sides)
                coverage = float(lexical.scores[0]) / one.ceiling if len(lexical) else 0.0
                found.append(Candidates(lexical, cosines, len(own), eastern, coverage, both))
        return found

    def _held(self, snapshot: Snapshot) -> "_Held":
        key = f"held on {self.device}"
        with self._guard:
            if key not in snapshot.memory:
                snapshot.memory[key] = _Held(snapshot, self.device)
            held: _Held = snapshot.memory[key]
            return held

    def _leaning(
        self, fusion: Fusion, asked: Sequence["_Asked"], cjk: Sequence[bool], words: "Best", near: "Best"
    ) -> Tensor:
        """The dense side's share of each query, float64 [q]; see `Fusion`."""
        numbers = [
            (fusion.cjk if eastern else fusion.latin, max(one.tokens, 1), one.ceiling)
            for one, eastern in zip(asked, cjk, strict=True)
        ]
        base, tokens, ceiling = torch.tensor(numbers, dtype=torch.float64, device=self.device).T
        lexical, cosines = words.scores, near.scores.double()
        first = lexical[:, 0]
        gap = torch.where(first > 0, 1 - _at(words, 9) / first.clamp(min=1e-30), 0)
        last = cosines.gather(1, (near.found.sum(1, keepdim=True) - 1).clamp(0, 9))[:, 0]
        apart = torch.where(near.found[:, 0], 10 * (cosines[:, 0] - last), 0)
        shares: Tensor = fusion.leaning(base, torch.log2(tokens / 8), first / ceiling, gap, apart)
        return shares


@dataclass(frozen=True, eq=False)
class Best:
    """rows int64 [q, k] with their scores [q, k], best first; a row is -1, and its score 0, where there is no more."""

    rows: Tensor
    scores: Tensor

    @property
    def found(self) -> Tensor:
        return self.rows >= 0


@dataclass(frozen=True, eq=False)
class _Asked:
    """A query's terms as `Lexical` knows them: their numbers in each segment, what each can add, in units."""

    tokens: int
    numbers: Sequence[Sequence[int]]
    weights: Sequence[float]
    unit: float
    ceiling: float
    postings: int

    @classmethod
    def of(cls, lexical: Lexical, tokens: Sequence[str]) -> "_Asked":
        asked = lexical.asked(tokens)
        numbers = [term.numbers for term in asked.terms]
        postings = lexical.postings(numbers)
        return cls(len(tokens), numbers, asked.weights.tolist(), asked.unit, asked.ceiling or 1.0, postings)


def _slices(asked: Sequence[_Asked], rows: int) -> Iterator[tuple[int, int]]:
    """Stretches (first, past the last) of queries for which there is room at once."""
    first, postings = 0, 0
    for place, one in enumerate(asked):
        if place > first and ((place + 1 - first) * rows > CELLS or postings + one.postings > POSTINGS):
            yield first, place
            first, postings = place, 0
        postings += one.postings
    if first < len(asked):
        yield first, len(asked)


@dataclass(frozen=True, eq=False)
class _Part:
    """One segment on the device.

    starts   int64 [terms + 1]: where the postings of each term begin
    rows     int32 [postings]
    counts   uint8 [postings]
    lengths  int32 [n]: tokens of each passage
    vectors  [n, dimension]: 16 bits on a GPU; 32 on a processor, which is slow with fewer
    """

    starts: Tensor
    rows: Tensor
    counts: Tensor
    lengths: Tensor
    vectors: Tensor

    @classmethod
    def of(cls, segment: Segment, device: torch.device) -> "_Part":
        starts, rows, counts = _unpacked(segment.postings)
        vectors = torch.from_numpy(np.array(segment.vectors)).to(device)
        lengths = torch.from_numpy(segment.postings.lengths.astype(np.int32))
        return cls(
            starts.to(device),
            rows.to(device),
            counts.to(device),
            lengths.to(device),
            vectors.float() if device.type == "cpu" else vectors,
        )


def _unpacked(postings: Postings) -> tuple[Tensor, Tensor, Tensor]:
    """(starts, rows, counts); see `_Part`."""
    starts = np.concatenate([[0], np.cumsum(postings.held, dtype=np.int64)])
    rows, counts = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.uint8)
    first = 0
    while first < len(postings.terms):
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + _LOADED, side="right")) - 1)
        _, rows[starts[first] : starts[last]], counts[starts[first] : starts[last]] = postings.lists(
            np.arange(first, last)
        )
        first = last
    return torch.from_numpy(starts), torch.from_numpy(rows), torch.from_numpy(counts)


class _Held:
    """A snapshot on the device."""

    def __init__(self, snapshot: Snapshot, device: torch.device) -> None:
        self.device = device
        self._parts = [_part(segment, device) for segment in snapshot.segments]
        self._bases = snapshot.bases.tolist()
        self._keys = torch.from_numpy(np.array(snapshot.keys)).to(device)
        self._norms = torch.from_numpy(snapshot.lexical.norms).to(device)
        self.alive: Tensor | None = None
        if any(alive is not None for alive in snapshot.alive):
            self.alive = torch.from_numpy(snapshot.others(np.zeros(0, np.int64))).to(device)

    def __len__(self) -> int:
        """Rows, dead ones too."""
        return int(self._bases[-1])

    def lexical(self, asked: Sequence[_Asked], k: int, mask: Tensor | None) -> Best:
        """Scores every passage that holds a term; float64."""
        units = torch.zeros((len(asked), len(self)), dtype=torch.int32, device=self.device)
        for place, (part, base) in enumerate(zip(self._parts, self._bases, strict=False)):
            lines = [
                (query, term[place], weight)
                for query, one in enumerate(asked)
                for term, weight in zip(one.numbers, one.weights, strict=True)
                if term[place] >= 0
            ]
            if lines:
                self._add(part, base, lines, units)
        if mask is not None:
            units.masked_fill_(~mask, 0)
        keys = units.long() << 32 | (_LOW - torch.arange(len(self), device=self.device))
        best = keys.topk(min(k, len(self)), dim=1).values
        worth = torch.tensor([one.unit for one in asked], dtype=torch.float64, device=self.device)
        scores = (best >> 32).double() * worth[:, None]
        return Best(torch.where(scores > 0, _LOW - (best & _LOW), -1), scores)

    def _add(self, part: _Part, base: int, lines: Sequence[tuple[int, int, float]], units: Tensor) -> None:
        """Add what terms, as (query, number, weight), gain in each passage that holds them."""
        places = torch.tensor([line[:2] for line in lines], device=self.device)
        weights = torch.tensor([line[2] for line in lines], dtype=torch.float64, device=self.device)
        starts = part.starts[places[:, 1]]
        held = part.starts[places[:, 1] + 1] - starts
        line = torch.repeat_interleave(held)
        ahead = starts - (held.cumsum(0) - held)
        at = torch.arange(len(line), device=self.device) + ahead[line]
        rows, counts = part.rows[at].long(), part.counts[at].double()
        gains = torch.floor(weights[line] * counts / (counts + self._norms[part.lengths[rows]])) + 1
        units.view(-1).index_add_(0, places[line, 0] * len(self) + base + rows, gains.int())

    def nearest(self, queries: Tensor, k: int, mask: Tensor | None) -> Best:
        """Compares every vector; float32."""
        scores = torch.empty((len(queries), len(self)), device=self.device)
        for part, base in zip(self._parts, self._bases, strict=False):
            scores[:, base : base + len(part.vectors)] = queries @ part.vectors.float().T
        if mask is not None:
            scores.masked_fill_(~mask, -torch.inf)
        values, rows = scores.topk(min(k, len(self)), dim=1)
        there = values > -torch.inf
        return _ordered(torch.where(there, rows, -1), torch.where(there, values, 0), there)

    def ranked(self, best: Best) -> list[Ranked]:
        """Keys and scores as they come back, one list a query."""
        found = best.found.cpu().numpy()
        keys, scores = self._keys[best.rows.clamp(min=0)].cpu().numpy(), best.scores.float().cpu().numpy()
        return [Ranked(*(side[here] for side in line)) for here, *line in zip(found, keys, scores, strict=True)]


def _part(segment: Segment, device: torch.device) -> _Part:
    """The segment on the device, brought there once."""
    key = f"part on {device}"
    if key not in segment.memory:
        segment.memory[key] = _Part.of(segment, device)
    part: _Part = segment.memory[key]
    return part


def _at(best: Best, place: int) -> Tensor:
    """The score at a place, 0 where so many were not found; [q]."""
    return best.scores[:, place] if best.scores.shape[1] > place else torch.zeros_like(best.scores[:, 0])


def _ordered(rows: Tensor, scores: Tensor, there: Tensor) -> Best:
    """Best first, equal ones in row order, what is not there last."""
    by_row = rows.argsort(dim=1)
    worth = torch.where(there, -scores, torch.inf).gather(1, by_row)
    order = by_row.gather(1, worth.argsort(dim=1, stable=True))
    rows, scores = rows.gather(1, order), scores.gather(1, order)
    return Best(rows, scores)


def fuse(lexical: Best, dense: Best, shares: Tensor, k: int, method: str = "scaled") -> Best:
    """`fusion.fuse` for a batch: the union of both sides, of which `dense` has the share [q] in [0, 1]."""
    if method == "reciprocal":
        values = [_reciprocal(side) for side in (lexical, dense)]
    else:
        values = [_scaled(lexical, k, natural_zero=True), _scaled(dense, k)]
    words, near = (1 - shares)[:, None] * values[0], shares[:, None] * values[1]
    same = (lexical.rows[:, :, None] == dense.rows[:, None, :]) & lexical.found[:, :, None]
    words = words + (same * near[:, None, :]).sum(2)
    near = torch.where(same.any(1), 0, near)
    scores = torch.cat([words, near], 1)
    there = scores > 0
    rows = torch.where(there, torch.cat([lexical.rows, dense.rows], 1), -1)
    return _ordered(rows, torch.where(there, scores, 0).clamp(max=1), there)


def _scaled(best: Best, depth: int, natural_zero: bool = False) -> Tensor:
    """`fusion.scaled` for a batch; float64 [q, k], 0 where nothing was found."""
    scores, found = best.scores.double(), best.found
    count = found.sum(1, keepdim=True)
    first, last = scores[:, :1], scores.gather(1, (count - 1).clamp(min=0))
    short = torch.zeros_like(last) if natural_zero else last - (first - last) / count.clamp(min=1)
    floor = torch.where(count < depth, short, last)
    values = torch.where(first > floor, (scores - floor) / (first - floor).clamp(min=1e-30), 1)
    return torch.where(found, values, 0)


def _reciprocal(best: Best) -> Tensor:
    """`fusion.reciprocal` for a batch."""
    ranks = torch.arange(1, best.rows.shape[1] + 1, dtype=torch.float64, device=best.rows.device)
    return torch.where(best.found, (RECIPROCAL_CONSTANT + 1) / (RECIPROCAL_CONSTANT + ranks), 0)
