"""Writing that can only copy: a reply that is a stretch of a text, whole words of it, as it stands there.

A model that was tuned to answer with words of a passage puts a word of its own in now and then, or a letter; then it
has said nothing that can be quoted. Held to the text, it takes the next best word that stands there.

`Copy` grows the likeliest copy; `Stretches` says what may come next, for those who draw by chance.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from models.quotes import whole_words

WIDE = 256
"""Likeliest tokens that are tried; where none of them goes on with the text, the copy is given up."""
GIVEN_UP = -30.0
"""Log-probability of a token that could not be drawn."""
BEHIND = 4.0
"""Nats by which a copy may be less likely than a whole one of the same text before it is given up: one in fifty."""


@dataclass(slots=True)
class Race:
    """Copies of one text: the log-probability of the best whole one so far."""

    best: float = -math.inf


class Copy:
    """A copy of a stretch of `text` that grows by pieces. `rank` numbers the copies of one race: each begins at a
    place of its own, the likeliest first."""

    def __init__(self, text: str, rank: int = 0, race: Race | None = None) -> None:
        self.text, self.rank, self.race = text, rank, race or Race()
        self.written, self.score = "", 0.0
        self._places: list[int] = []

    def next(self, logits: Tensor, pieces: Sequence[str], ends: frozenset[int]) -> tuple[int | None, float]:
        """The token to write after logits [vocabulary], None to give up, with its log-probability. `pieces` are the
        strings of the tokens."""
        values, order = logits.topk(min(WIDE, len(logits)))
        log_probs = (values - logits.logsumexp(-1)).tolist()
        passed, taken = 0 if self.written else self.rank, set[int]()
        for token, log_prob in zip(order.tolist(), log_probs, strict=True):
            ending = token in ends
            places = self._whole() if ending else self._goes_on(pieces[token])
            if taken.issuperset(places):  # nothing goes on here, or a copy of a better rank begins here
                continue
            if passed:
                passed -= 1
                taken.update(places)
            else:
                self._places = places
                self.written += "" if ending else pieces[token]
                return self._kept(token, log_prob, ending)
        return None, GIVEN_UP

    def _kept(self, token: int, log_prob: float, ending: bool) -> tuple[int | None, float]:
        """The token, unless a whole copy is likelier by far."""
        self.score += log_prob
        if self.score < self.race.best - BEHIND:
            return None, GIVEN_UP
        if ending:
            self.race.best = max(self.race.best, self.score)
        return token, log_prob

    def _goes_on(self, piece: str) -> list[int]:
        """Where a copy stands that goes on with a piece."""
        if not piece:
            return []
        if self.written:
            return [place for place in self._places if self.text.startswith(piece, place + len(self.written))]
        found = (match.start() for match in re.finditer(re.escape(piece), self.text)) if piece.strip() == piece else ()
        return [place for place in found if whole_words(self.text, place, len(self.text))]

    def _whole(self) -> list[int]:
        """Where the copy is one of whole words."""
        return [place for place in self._places if whole_words(self.text, place, place + len(self.written))]


class Vocabulary:
    """Tokens as text: those that end a reply, the string of each, and how several are put together."""

    def __init__(self, ends: frozenset[int], decode: Callable[[Sequence[int]], str], size: int) -> None:
        self.ends, self.decode, self.size = ends, decode, size

    @cached_property
    def pieces(self) -> list[str]:
        """By token; a part of a character has a string that stands in no text."""
        return [self.decode([token]) for token in range(self.size)]

    @cached_property
    def ids(self) -> dict[str, list[int]]:
        """The tokens of each string, without those that end a reply."""
        found: dict[str, list[int]] = {}
        for token, piece in enumerate(self.pieces):
            if piece and token not in self.ends:
                found.setdefault(piece, []).append(token)
        return found

    @cached_property
    def longest(self) -> int:
        """Characters of the longest piece."""
        return max(map(len, self.ids), default=0)


@dataclass(frozen=True)
class Stretches:
    """The replies that copy a stretch of whole words from `text`, and `others`, given as tokens."""

    text: str
    vocabulary: Vocabulary
    others: Sequence[Sequence[int]] = ()

    def after(self, tokens: Sequence[int]) -> list[int]:
        """The tokens that may follow those of a reply, in ascending order; none when it is no beginning of one. Amid a
        word that goes on with a letter that no single token spells, the reply can only end."""
        written = "".join(self.vocabulary.pieces[token] for token in tokens)
        places = self._places(written)
        found = {token for place in places for token in self._pieces(place + len(written), not written)}
        stuck = bool(places) and not found
        if written and (stuck or any(whole_words(self.text, place, place + len(written)) for place in places)):
            found |= self.vocabulary.ends
        for other in self.others:
            if list(other[: len(tokens)]) == list(tokens):
                found |= {other[len(tokens)]} if len(other) > len(tokens) else self.vocabulary.ends
        return sorted(found)

    def _places(self, written: str) -> list[int]:
        """Where a stretch begins like that."""
        if written:
            found = (match.start() for match in re.finditer(f"(?={re.escape(written)})", self.text))
        else:
            found = (match.start() for match in re.finditer(r"\S", self.text))
        return [place for place in found if whole_words(self.text, place, len(self.text))]

    def _pieces(self, at: int, first: bool) -> list[int]:
        """Tokens that stand in the text there; a stretch begins with no space."""
        lengths = range(1, min(self.vocabulary.longest, len(self.text) - at) + 1)
        pieces = (self.text[at : at + length] for length in lengths)
        return [
            token
            for piece in pieces
            if not first or piece.strip() == piece
            for token in self.vocabulary.ids.get(piece, ())
        ]


def held_to(logits: Tensor, allowed: Sequence[Sequence[int]]) -> Tensor:
    """Logits [n, vocabulary] of the n lists of tokens, minus infinity for all others."""
    rows = torch.tensor([row for row, tokens in enumerate(allowed) for _ in tokens], device=logits.device)
    columns = torch.tensor([token for tokens in allowed for token in tokens], device=logits.device)
    found = torch.full_like(logits, -torch.inf)
    found[rows, columns] = logits[rows, columns]
    return found
