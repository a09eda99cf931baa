"""The reader as a policy: for a question beside passages, one choice among all their spans and silence.

The chance of a span is that of its passage times that of the span in it, as the product counts it; passages and silence
share one softmax over the reader's calibrated logits, which is its own probability where there is one passage. Only
the upper layers from `frozen` on learn; what lies below is computed once a question.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from indexing.split import sentences
from models.reader import MOST_QUESTION, PASSAGE_PREFIX, QUESTION_PREFIX, Layer, Reader, Upper, shared, tokenized
from models.spans import MOST_TOKENS, span_table, trim


@dataclass(frozen=True, slots=True)
class Shown:
    """A question and the passages to choose in; `key` names it."""

    key: str
    question: str
    passages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """`passages[passage][start:end]`."""

    passage: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage, or a part of a long one, below the layers that learn. `rows` [q + p, width]; `hint` and `closed`
    [tokens, reach] are added to every span's logit: the words that its sentence shares with the question, and -inf
    where a span may not be."""

    passage: int
    offsets: tuple[tuple[int, int], ...]
    rows: Tensor
    hint: Tensor
    closed: Tensor


@dataclass(frozen=True, slots=True)
class Opened:
    """A question as far as nothing learns. `question` [q, width] has the lower states."""

    shown: Shown
    question: Tensor
    pieces: tuple[Piece, ...]

    def choice(self, number: int) -> Chosen | None:
        """What the place `number` among the chances stands for; None is silence."""
        number -= 1
        if number < 0:
            return None
        for piece in self.pieces:
            if number < piece.closed.numel():
                first, more = divmod(number, piece.closed.shape[1])
                bounds = piece.offsets[first][0], piece.offsets[first + more][1]
                return Chosen(piece.passage, *trim(self.shown.passages[piece.passage], *bounds))
            number -= piece.closed.numel()
        raise IndexError(number)


class SpanPolicy(nn.Module):
    """The learning layers and heads of a reader."""

    def __init__(self, reader: Reader, upper: Upper, frozen: int) -> None:
        """`upper` in float32; its layers below `frozen`, and what it tells the tokens, stay as they are."""
        super().__init__()
        self.reader = reader
        self.config = reader.config
        self.upper = upper.eval()
        self.frozen = frozen
        own = [*upper.layers[frozen:], upper.span, upper.here]
        for parameter in upper.parameters():
            parameter.requires_grad_(False)
        for module in own:
            module.requires_grad_(True)
        self.learning = [parameter for module in own for parameter in module.parameters()]

    @torch.no_grad()
    def open(self, shown: Shown) -> Opened:
        """Reads a question up to the layers that learn."""
        trunk, tokenizer, split = self.reader.trunk, self.reader.tokenizer, self.config.split
        asked = tokenized(tokenizer, QUESTION_PREFIX, [shown.question])[0][0].cut(MOST_QUESTION)
        texts = tokenized(tokenizer, PASSAGE_PREFIX, shown.passages)
        parts = [(place, text) for place, pieces in enumerate(texts) for text in pieces]
        question, *states = trunk.hidden([asked.ids, *(text.ids for _, text in parts)], last=split)
        rows = self.upper.joined([question] * len(states), states)
        rows = through(self.upper.layers[: self.frozen], rows)
        pieces = []
        for (place, text), own in zip(parts, rows, strict=True):
            passage = shown.passages[place]
            may = closed(passage, text.offsets)
            if bool(may.isinf().all()):
                continue
            held = self.config.overlap * shared(shown.question, passage, text.offsets)
            hint = held[:, None].expand(-1, min(MOST_TOKENS, len(held)))
            pieces.append(Piece(place, text.offsets, own, hint, may))
        return Opened(shown, question, tuple(pieces))

    def log_chances(self, opened: Opened) -> Tensor:
        """[1 + all spans]: ln of the chance of silence, and of each span of each piece (tokens x reach, in order)."""
        rows = through(self.upper.layers[self.frozen :], [piece.rows for piece in opened.pieces])
        spans, here = self.upper.answers([opened.question] * len(rows), rows)
        passages = torch.cat([here.new_zeros(1), self.config.here_scale * here + self.config.here_bias]).log_softmax(0)
        found = [passages[:1]]
        for piece, logits, chance in zip(opened.pieces, spans, passages[1:], strict=True):
            table = span_table(logits * self.config.sharpness) + piece.hint + piece.closed
            found.append(chance + table.flatten().log_softmax(0))
        return torch.cat(found)


def through(layers: Sequence[nn.Module] | nn.ModuleList, rows: Sequence[Tensor]) -> list[Tensor]:
    """Rows of several sequences after some layers."""
    lengths = [len(piece) for piece in rows]
    packed = torch.cat(list(rows))
    for layer in layers:
        assert isinstance(layer, Layer)
        packed = layer(packed, lengths)
    return list(torch.split(packed, lengths))


def closed(passage: str, offsets: Sequence[tuple[int, int]]) -> Tensor:
    """[tokens, reach]: -inf where a span from token i over j more lies in two sentences, begins or ends without
    characters, or is nothing but what is trimmed away; else 0."""
    count, reach = len(offsets), min(MOST_TOKENS, len(offsets))
    ends = [end for _, end in sentences(passage)]
    low = [trim(passage, start, end) for start, end in offsets]
    real = [end > start for start, end in low]
    own = [bisect_right(ends, start) for start, _ in low]
    last = [bisect_left(ends, end) for _, end in low]
    may = torch.full((count, reach), -torch.inf)
    for first in range(count):
        for more in range(min(reach, count - first)):
            if not real[first] or last[first + more] > own[first]:
                break
            if real[first + more]:
                may[first, more] = 0.0
    return may


def divergence(policy: Tensor, start: Tensor) -> float:
    """KL(policy || start) in nats of two rows of log-chances over the same choices."""
    open_ = policy > -torch.inf
    return float((policy[open_].exp() * (policy[open_] - start[open_])).sum())
