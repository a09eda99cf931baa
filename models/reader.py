"""The reader: a question and passages -> the spans that answer it, and how sure it is that any does.

Question and passage go through the lower layers of the trunk apart, exactly as the encoder reads them; then their
states are laid end to end and read together by upper layers that were trained for it (models/train_reader.py).
Reading apart first is what makes training fit a CPU: a passage's lower states are the same for every question.
"""

import json
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from indexing.chinese import simplified
from indexing.split import sentences
from indexing.types import Cancelled as CancelledError
from indexing.types import EncoderMismatch, ModelDamaged, ModelMissing
from models import layers, ranges
from models.heads import file_sha256
from models.int8 import Ranges
from models.layers import LayerWeights
from models.overlap import shares
from models.ranges import read_ranges
from models.spans import Span, apart, best_spans, fitting, merged
from models.trunk import CHECKED, Trunk, calibration
from models.types import Cancelled, never

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

BUNDLED = Path(__file__).parent / "bundled" / "reader"
QUESTION_PREFIX, PASSAGE_PREFIX = "query: ", "passage: "
MOST_QUESTION = 64
QUESTION_HEAD = 3
"""Tokens before the question's own words: <s>, "query", ":"."""
REACHES = (1, 7, 31)
"""Tokens over which likeness to the question is averaged: the word, the phrase, the sentence."""
BATCH = 8
"""Pieces read at once; whether to stop is asked between batches."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one passage says: spans, best first, in different sentences where it has them; and in [0, 1] the
    probability that the passage answers the question at all."""

    spans: tuple[Span, ...]
    answerable: float


@dataclass(frozen=True, slots=True)
class Text:
    """A tokenized text: ids with <s> and </s>; `offsets[i]` is the characters of token i, (0, 0) where it has none."""

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]

    def cut(self, most: int) -> "Text":
        """The first `most` tokens, </s> among them."""
        if len(self.ids) <= most:
            return self
        return Text((*self.ids[: most - 1], self.ids[-1]), (*self.offsets[: most - 1], self.offsets[-1]))


def tokenized(tokenizer: "Tokenizer", prefix: str, texts: Sequence[str]) -> list[list[Text]]:
    """For each text its pieces: one, or more where it is longer than the tokenizer's limit. Chinese is read in
    simplified characters, so that question and passage need not share a script.

    The prefix is put before the text; offsets are those of the text alone.
    """
    return as_written(tokenizer, prefix, [simplified(text) for text in texts])


def as_written(tokenizer: "Tokenizer", prefix: str, texts: Sequence[str]) -> list[list[Text]]:
    """The same of texts in their own script."""
    encodings = tokenizer.encode_batch([prefix + text for text in texts])
    return [[shifted(piece, len(prefix)) for piece in (whole, *whole.overflowing)] for whole in encodings]


def shifted(encoding: "Encoding", shift: int) -> Text:
    """An encoding with its offsets moved back over the prefix."""
    offsets = tuple((max(0, start - shift), max(0, end - shift)) for start, end in encoding.offsets)
    return Text(tuple(encoding.ids), offsets)


class Dropout(nn.Module):
    """Dropout from a generator of its own (`generator`, else torch's), so that threads draw the same numbers each
    time."""

    generator: torch.Generator | None = None

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, rows: Tensor) -> Tensor:
        if not self.training or not self.share:
            return rows
        kept = torch.rand(rows.shape, generator=self.generator) >= self.share
        return rows * kept / (1 - self.share)


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax attention of [heads, rows, width]. Written out where gradients are wanted: torch's own takes seven times
    as long to go backward on a CPU."""
    if not torch.is_grad_enabled():
        attended: Tensor = functional.scaled_dot_product_attention(query[None], key[None], value[None])[0]
        return attended
    weights = (query @ key.transpose(1, 2) * query.shape[-1] ** -0.5).softmax(-1)
    mixed: Tensor = weights.to(value.dtype) @ value
    return mixed


class Layer(nn.Module):
    """One BERT layer (post-norm, GELU) over packed sequences: rows of all sequences in one matrix."""

    def __init__(self, width: int = 384, heads: int = 12, inner: int = 1536, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.mix_norm = nn.LayerNorm(width, eps=1e-12)
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)
        self.down_norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = Dropout(dropout)

    def forward(self, rows: Tensor, lengths: Sequence[int]) -> Tensor:
        """[sum of lengths, width] -> the same; each sequence attends to itself alone."""
        mixed = []
        for piece in torch.split(self.qkv(rows), list(lengths)):
            query, key, value = piece.view(len(piece), 3, self.heads, -1).permute(1, 2, 0, 3)
            attended = attention(query, key, value)
            mixed.append(attended.transpose(0, 1).reshape(len(piece), -1))
        rows = self.mix_norm(rows + self.dropout(self.mix(torch.cat(mixed))))
        inner = self.down(functional.gelu(self.up(rows)))
        normed: Tensor = self.down_norm(rows + self.dropout(inner))
        return normed

    def weights(self) -> LayerWeights:
        """The weights as the trunk's layers hold them."""
        modules = (self.qkv, self.mix, self.mix_norm, self.up, self.down, self.down_norm)
        return LayerWeights(*((module.weight.detach(), module.bias.detach()) for module in modules))


class Upper(nn.Module):
    """The layers that read question and passage together, and the two heads.

    Before the first of them every token is told how well it matches the other text (as DrQA does, Chen et al. 2017):
    the layers below never saw both.
    """

    def __init__(self, layers: int = 4, width: int = 384, heads: int = 12, inner: int = 1536, dropout: float = 0.0):
        super().__init__()
        self.side = nn.Parameter(torch.zeros(2, width))
        self.likeness = nn.Linear(len(REACHES), width)
        self.covered = nn.Linear(1, width)
        self.aligned = nn.Linear(width, width)
        self.layers = nn.ModuleList(Layer(width, heads, inner, dropout) for _ in range(layers))
        self.span = nn.Linear(width, 2)
        self.here = nn.Linear(width, 1)

    def forward(self, questions: Sequence[Tensor], passages: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Lower states of n questions [q, width] and passages [p, width] ->
        n tensors [p, 2] of start and end logits, and logits [n] that the passage answers the question."""
        rows = self.joined(questions, passages)
        lengths = [len(piece) for piece in rows]
        packed = torch.cat(rows)
        for layer in self.layers:
            packed = layer(packed, lengths)
        return self.answers(questions, torch.split(packed, lengths))

    def joined(self, questions: Sequence[Tensor], passages: Sequence[Tensor]) -> list[Tensor]:
        """n pairs as the layers take them: [q + p, width] each, every token told how it matches the other text."""
        rows = []
        for question, passage in zip(questions, passages, strict=True):
            likeness, covered, aligned = match(question, passage)
            asked = question + self.side[0] + self.covered(covered)
            said = passage + self.side[1] + self.likeness(likeness) + self.aligned(aligned)
            rows.append(torch.cat([asked, said]))
        return rows

    def answers(self, questions: Sequence[Tensor], rows: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """The rows of n pairs after the layers -> what `forward` gives."""
        spans = [self.span(piece[len(question) :]) for question, piece in zip(questions, rows, strict=True)]
        return spans, self.here(torch.stack([piece[0] for piece in rows]))[:, 0]


def match(question: Tensor, passage: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How the tokens of two texts match, from their lower states [q, width] and [p, width].

    likeness [p, REACHES]: cosine with the likest word of the question, averaged over so many tokens around; covered
    [q, 1]: cosine with the likest token of the passage; aligned [p, width]: the question's words, each weighed by its
    likeness. States are centred first: they share a large common part.
    """
    common = torch.cat([question, passage]).mean(0)
    asked, said = functional.normalize(question - common, dim=1), functional.normalize(passage - common, dim=1)
    cosines = said @ asked.T
    words = cosines[:, QUESTION_HEAD:-1] if len(question) > QUESTION_HEAD + 1 else cosines
    best = words.max(1).values[None, None]
    likeness = [functional.avg_pool1d(best, reach, 1, reach // 2, count_include_pad=False)[0, 0] for reach in REACHES]
    weights = (10 * words).softmax(1)
    inner = question[QUESTION_HEAD:-1] if len(question) > QUESTION_HEAD + 1 else question
    return 4 * torch.stack(likeness, 1), 4 * cosines.max(0).values[:, None], weights @ (inner - common)


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """What the bundled weights are: `base` is the sha256 of the trunk they fit, `split` the layer where question
    and passage meet. `here_scale`, `here_bias` and `sharpness` calibrate on development data; so does `overlap`, what
    a sentence that holds all of the question's words adds to the logit of starting in it."""

    base: str
    split: int
    layers: int
    here_scale: float = 1.0
    here_bias: float = 0.0
    sharpness: float = 1.0
    overlap: float = 0.0


class Reader:
    """Reads passages for a question.

    >>> reader = Reader.load(Trunk.load(model_folder(home, "multilingual-e5-small")))  # doctest: +SKIP
    >>> reader.read("Who wrote it?", ["Mary Shelley wrote it at nineteen."], n=1)[0].spans[0]  # doctest: +SKIP
    Span(start=0, end=12, probability=0.97)
    """

    def __init__(
        self,
        trunk: Trunk,
        tokenizer: "Tokenizer",
        upper: Upper,
        config: ReaderConfig,
        known: Sequence[Ranges] = (),
    ) -> None:
        self.trunk = trunk
        self.tokenizer = tokenizer
        self.upper = upper.eval().to(trunk.device)
        self.config = config
        own = [layer for layer in upper.layers if isinstance(layer, Layer)]
        made = trunk.faster([layer.weights() for layer in own], self._calibration(CHECKED if known else None), known)
        self._layers: Sequence[layers.Layer] = made.layers if made else own
        self.ranges = made.ranges if made else []

    @classmethod
    def load(cls, trunk: Trunk, folder: Path = BUNDLED) -> "Reader":
        """The reader of `folder` on `trunk`. Raises ModelMissing, ModelDamaged or EncoderMismatch."""
        config = read_config(folder)
        if config.base != trunk.fingerprint:
            raise EncoderMismatch(
                "The reader was trained on another trunk than the one installed.",
                "Run `passerine models install multilingual-e5-small`, or train it again: `passerine train reader`.",
            )
        known = read_ranges(folder / ranges.NAME, file_sha256(folder / "weights.safetensors"), config.layers)
        reader = cls(trunk, trunk.tokenizer, read_upper(folder, config), config, known)
        if len(reader.upper.layers) and reader._layers[0] is not reader.upper.layers[0]:
            reader.upper.layers = nn.ModuleList()  # 8 bits stand for them: 57 MiB that nothing reads any more
        return reader

    def _calibration(self, most: int | None = None) -> Iterator[Tensor]:
        """Pairs of sentences as the layers were trained on them, in their own script: each sentence beside itself and
        the next two."""
        lines = calibration(most)
        asked = as_written(self.tokenizer, QUESTION_PREFIX, lines)
        told = as_written(self.tokenizer, PASSAGE_PREFIX, [" ".join(lines[n : n + 3]) for n in range(len(lines))])
        sequences = [pieces[0].ids for pieces in (*asked, *told)]
        states = self.trunk.hidden(sequences, last=self.config.split)
        with torch.inference_mode():
            yield from self.upper.joined(states[: len(lines)], states[len(lines) :])

    def read(self, question: str, passages: Sequence[str], n: int = 1, cancelled: Cancelled = never) -> list[Reading]:
        """One reading a passage, each with at most n spans. Raises Cancelled between batches."""
        return self.read_states(question, *self._lower(question, passages, cancelled), n, cancelled)

    def read_states(
        self,
        words: str,
        question: Tensor,
        passages: Sequence[str],
        pieces: Sequence[tuple[int, Text]],
        states: Sequence[Tensor],
        n: int = 1,
        cancelled: Cancelled = never,
    ) -> list[Reading]:
        """The same from lower states: of the question `words` [q, width], and of each piece [p, width]; a piece names
        the passage it belongs to."""
        looked = self._looked(words, question, passages, pieces, states, cancelled)
        return [
            Reading(apart(passage, spans, n), here) for passage, (spans, here) in zip(passages, looked, strict=True)
        ]

    def chances(self, question: str, passage: str, stretches: Sequence[str]) -> list[float]:
        """In [0, 1] for each stretch of the passage: how likely the passage answers the question, and in these words,
        wherever they stand in it."""
        [(spans, here)] = self._looked(question, *self._lower(question, [passage], never), never)
        likely: dict[str, float] = {}
        for span in spans:
            said = passage[span.start : span.end]
            likely[said] = likely.get(said, 0.0) + span.probability
        return [here * likely.get(stretch, 0.0) for stretch in stretches]

    def _lower(
        self, question: str, passages: Sequence[str], cancelled: Cancelled
    ) -> tuple[Tensor, Sequence[str], list[tuple[int, Text]], Sequence[Tensor]]:
        """Lower states of the question, the passages, their pieces, and the lower states of these."""
        asked = tokenized(self.tokenizer, QUESTION_PREFIX, [question])[0][0].cut(MOST_QUESTION)
        texts = tokenized(self.tokenizer, PASSAGE_PREFIX, passages)
        pieces = [(place, piece) for place, text in enumerate(texts) for piece in text]
        stop_if(cancelled)
        lower = self.trunk.hidden([asked.ids, *(piece.ids for _, piece in pieces)], last=self.config.split)
        return lower[0], passages, pieces, lower[1:]

    def _looked(
        self,
        words: str,
        question: Tensor,
        passages: Sequence[str],
        pieces: Sequence[tuple[int, Text]],
        states: Sequence[Tensor],
        cancelled: Cancelled,
    ) -> list[tuple[list[Span], float]]:
        """For each passage the KEPT best spans of its pieces that can be what is asked for, best first, and the chance
        that it answers."""
        found: list[list[tuple[float, Span]]] = [[] for _ in passages]
        chances: list[list[float]] = [[] for _ in passages]
        for begin in range(0, len(pieces), BATCH):
            stop_if(cancelled)
            batch = pieces[begin : begin + BATCH]
            asked = [question] * len(batch)
            with torch.inference_mode():
                rows = self.upper.joined(asked, states[begin : begin + BATCH])
                spans, here = self.upper.answers(asked, self.trunk.through(self._layers, rows))
            for (place, piece), found_logits, answer in zip(batch, spans, here.tolist(), strict=True):
                chance = 1 / (1 + math.exp(-(self.config.here_scale * answer + self.config.here_bias)))
                logits = found_logits.cpu() * self.config.sharpness
                logits[:, 0] += self.config.overlap * shared(words, passages[place], piece.offsets)
                best = best_spans(passages[place], piece.offsets, logits)
                chances[place].append(chance)
                found[place] += [(chance, span) for span in fitting(words, passages[place], best)]
        return [(merged(weighted, sum(chance)), max(chance)) for weighted, chance in zip(found, chances, strict=True)]


def stop_if(cancelled: Cancelled) -> None:
    """Raise Cancelled when the caller asks to stop."""
    if cancelled():
        raise CancelledError("The reading was stopped.")


def shared(question: str, passage: str, offsets: Sequence[tuple[int, int]]) -> Tensor:
    """[tokens]: the share of the question's words that the sentence of each token holds (models/overlap.py)."""
    bounds = sentences(passage)
    held = shares(question, [passage[start:end] for start, end in bounds])
    ends = [end for _, end in bounds]
    places = [bisect_right(ends, start) for start, _ in offsets]
    return torch.tensor([held[place] if place < len(held) else 0.0 for place in places])


def read_config(folder: Path) -> ReaderConfig:
    """config.json of a reader. Raises ModelMissing or ModelDamaged."""
    path = folder / "config.json"
    if not path.is_file() or not (folder / "weights.safetensors").is_file():
        raise ModelMissing(f"There is no reader in {folder}.", "Install the package again, or train it.")
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        return ReaderConfig(
            base=str(written["base"]),
            split=int(written["split"]),
            layers=int(written["layers"]),
            here_scale=float(written["here_scale"]),
            here_bias=float(written["here_bias"]),
            sharpness=float(written["sharpness"]),
            overlap=float(written["overlap"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(f"{path} cannot be read: {error}.", "Install the package again.") from error


def read_upper(folder: Path, config: ReaderConfig) -> Upper:
    """The trained layers, widened to float32. Raises ModelDamaged when they do not fit the configuration."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "weights.safetensors"
    try:
        tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
        with torch.device("meta"):
            upper = Upper(config.layers)
        upper.load_state_dict(tensors, assign=True)
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelDamaged(f"{path} does not hold the reader's weights.", "Install the package again.") from error
    return upper
