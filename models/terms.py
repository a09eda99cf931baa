"""Which words of a conversation its last turn leaves out.

A token classifier over the earlier turns, after QuReTeC (Voskarides et al. 2020): a word is put to the query when the
turn cannot be understood without it. It sits on the frozen trunk and serves English and Chinese.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from indexing.types import EncoderMismatch, ModelDamaged, ModelMissing
from models.heads import file_sha256
from models.quotes import CHINESE
from models.reader import Dropout, Layer, Text, tokenized
from models.rewrite import tells
from models.types import Conversation, Turn
from models.words import STOP_WORDS

if TYPE_CHECKING:
    from models.trunk import Trunk

BUNDLED = Path(__file__).parent / "bundled" / "terms"
LAYER = 6
"""Layer of the trunk whose states are read."""
PREFIXES = {"user": "query: ", "assistant": "passage: "}
EARLIER = 6
"""Earlier turns that are looked at."""
MOST_TURN = 80
"""Tokens read of a turn: its beginning."""
GATE = 0.5
"""Nothing is chosen unless some token is that likely to be needed: a turn that stands alone is left alone."""
SIGNS = 6
SIDES = 3
"""The turn itself, earlier turns of the user, earlier answers."""
GAP = re.compile(r"[\s·.,'’\-]{0,2}")
"""What may stand between two chosen words of one phrase."""


@dataclass(frozen=True, slots=True)
class Said:
    """One turn as it is read: its words, its tokens, and their states [tokens, width] on the trunk."""

    turn: Turn
    text: Text
    states: Tensor


@dataclass(frozen=True, slots=True)
class TermConfig:
    """What the bundled weights are: `base` is the sha256 of the trunk they fit; a token above `threshold` is
    chosen, if any token of the conversation is likelier needed than not."""

    base: str
    threshold: float = 0.5
    width: int = 96
    layers: int = 2


class TermNetwork(nn.Module):
    """Lets the tokens of the turn and of the earlier turns attend to each other; one logit a token."""

    def __init__(self, width: int = 96, layers: int = 2, states: int = 384, dropout: float = 0.0) -> None:
        super().__init__()
        self.enter_norm = nn.LayerNorm(states)
        self.enter = nn.Linear(states, width)
        self.signs = nn.Linear(SIGNS, width)
        self.side = nn.Embedding(SIDES, width)
        self.layers = nn.ModuleList(Layer(width, 4, 2 * width, dropout) for _ in range(layers))
        self.out = nn.Linear(width, 1)
        self.dropout = Dropout(dropout)

    def forward(self, conversations: Sequence[Sequence[Said]]) -> list[Tensor]:
        """Conversations, each with its last turn at the end -> logits [tokens of the earlier turns] of each."""
        rows = [self.joined(said) for said in conversations]
        lengths = [len(own) for own in rows]
        packed = torch.cat(rows)
        for layer in self.layers:
            packed = layer(packed, lengths)
        logits = self.out(packed)[:, 0].split(lengths)
        return [own[len(said[-1].text.ids) :] for own, said in zip(logits, conversations, strict=True)]

    def joined(self, said: Sequence[Said]) -> Tensor:
        """[tokens, width]: the last turn first, then the earlier ones from the oldest on."""
        *earlier, last = said
        states = torch.cat([last.states, *(one.states for one in earlier)])
        sides = [0] * len(last.text.ids)
        for one in earlier:
            sides += [1 if one.turn.role == "user" else 2] * len(one.text.ids)
        entered = self.dropout(self.enter(self.enter_norm(states)))
        return entered + self.signs(signs(said)) + self.side(torch.tensor(sides))  # type: ignore[no-any-return]


def signs(said: Sequence[Said]) -> Tensor:
    """[tokens, SIGNS] in the order of `TermNetwork.joined`: the best cosine on the other side, whether the same token
    stands there, how often the token was said before, how many turns ago, the place in its turn, whether it has
    characters."""
    *earlier, last = said
    before = torch.cat([one.states for one in earlier]) if earlier else last.states[:0]
    common = torch.cat([last.states, before]).mean(0)
    asked, told = functional.normalize(last.states - common, dim=1), functional.normalize(before - common, dim=1)
    cosines = asked @ told.T if len(before) else torch.zeros(len(asked), 1)
    near = torch.cat([cosines.max(1).values, cosines.max(0).values if len(before) else asked.new_zeros(0)])
    ids = [one.text.ids for one in earlier]
    heard = [number for own in ids for number in own]
    counts = {number: heard.count(number) for number in set(heard)}
    rows = [(number in counts, counts.get(number, 0), 0, place) for place, number in enumerate(last.text.ids)]
    for ago, own in zip(range(len(ids), 0, -1), ids, strict=True):
        rows += [(number in last.text.ids, counts[number], ago, place) for place, number in enumerate(own)]
    table = torch.tensor([[float(a), min(b, 4) / 4, c / EARLIER, place / MOST_TURN] for a, b, c, place in rows])
    offsets = [offset for one in (last, *earlier) for offset in one.text.offsets]
    written = torch.tensor([[float(start < end)] for start, end in offsets])
    return torch.cat([near[:, None], table, written], 1)


class TermSelector:
    """Chooses the words that a turn needs from its conversation."""

    def __init__(self, trunk: "Trunk", network: TermNetwork, config: TermConfig) -> None:
        self.trunk, self.network, self.config = trunk, network.eval(), config

    @classmethod
    def load(cls, trunk: "Trunk", folder: Path = BUNDLED) -> "TermSelector":
        """The bundled weights, or those of another folder. Raises ModelMissing, ModelDamaged, EncoderMismatch."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if not (folder / "config.json").is_file():
            raise ModelMissing(
                f"{folder} holds no weights.", "Install Passerine again, or run `passerine train terms`."
            )
        try:
            written = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            config = TermConfig(written["base"], written["threshold"], written["width"], written["layers"])
            if file_sha256(folder / "weights.safetensors") != written["weights_sha256"]:
                raise ValueError("checksum")
            weights = {name: value.float() for name, value in load_file(folder / "weights.safetensors").items()}
            network = TermNetwork(config.width, config.layers)
            network.load_state_dict(weights)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ModelDamaged(f"The weights in {folder} cannot be read.", "Install Passerine again.") from error
        if config.base != trunk.fingerprint:
            raise EncoderMismatch(f"The weights in {folder} fit another trunk.", "Use the trunk named in its card.")
        return cls(trunk, network, config)

    def select(self, conversation: Conversation) -> tuple[str, ...]:
        """Words and phrases of the earlier turns, as written there, latest turn first; none where nothing is left
        out."""
        turns = [turn for turn in conversation.turns[-EARLIER - 1 :] if turn.text.strip() and tells(turn)]
        if len(turns) < 2:
            return ()
        said = read(self.trunk, turns)
        with torch.inference_mode():
            [logits] = self.network([said])
        return chosen(said[:-1], logits.sigmoid(), self.config.threshold)


def read(trunk: "Trunk", turns: Sequence[Turn]) -> list[Said]:
    """The turns with their states, all in one call to the trunk."""
    texts = texts_of(trunk, turns)
    states = trunk.hidden([text.ids for text in texts], last=LAYER)
    return [Said(*one) for one in zip(turns, texts, states, strict=True)]


def texts_of(trunk: "Trunk", turns: Iterable[Turn]) -> list[Text]:
    """Tokens of turns, each under the prefix of its role and cut to MOST_TURN."""
    return [tokenized(trunk.tokenizer, PREFIXES[turn.role], [turn.text])[0][0].cut(MOST_TURN) for turn in turns]


def chosen(earlier: Sequence[Said], chances: Tensor, threshold: float) -> tuple[str, ...]:
    """The phrases whose tokens lie above the threshold, each once, latest turn first; none behind a closed GATE."""
    if not len(chances) or float(chances.max()) < GATE:
        return ()
    found: dict[str, str] = {}
    pieces = torch.split(chances, [len(one.text.ids) for one in earlier])
    for one, own in reversed(list(zip(earlier, pieces, strict=True))):
        above = [offset for offset, chance in zip(one.text.offsets, own.tolist(), strict=True) if chance >= threshold]
        for phrase in phrases(one.turn.text, above):
            found.setdefault(phrase.casefold(), phrase)
    return tuple(found.values())


def phrases(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """Character spans widened to whole Latin words, and neighbours put together; bare stop words and single signs fall
    out."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        start, end = widened(text, start, end)
        if start >= end:
            continue
        if merged and GAP.fullmatch(text[merged[-1][1] : start]) is not None:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        elif not merged or start >= merged[-1][1]:
            merged.append((start, end))
    found = [text[start:end].strip(' \t\n.,;:?!，。；：？！、"“”()（）') for start, end in merged]
    return [phrase for phrase in found if len(phrase) > 1 and phrase.casefold() not in STOP_WORDS]


def widened(text: str, start: int, end: int) -> tuple[int, int]:
    """The span grown to the borders of the Latin words and codes ("AH-200", "1.9") that it touches, without space at
    its ends."""
    start, end = stripped(text, start, end)
    if start < end:
        while start > 0 and in_word(text, start) and in_word(text, start - 1):
            start -= 1
        while end < len(text) and in_word(text, end) and in_word(text, end - 1):
            end += 1
    return start, end


def in_word(text: str, place: int) -> bool:
    """A letter or digit that is no Chinese character, or what joins two of them into one code or number."""
    joins = text[place] in "-.," and 0 < place < len(text) - 1 and (text[place] == "-" or text[place + 1].isdigit())
    return latin(text[place]) or (joins and latin(text[place - 1]) and latin(text[place + 1]))


def stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without space at its ends: a token begins with the space before its word."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def latin(sign: str) -> bool:
    """A letter or digit that is no Chinese character."""
    return sign.isalnum() and not CHINESE.match(sign)
