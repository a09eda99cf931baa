"""Writing that can only copy: a reply that is a stretch of a text, whole words of it, as it stands there.

A model that was tuned to answer with words of a passage puts a word of its own in now and then, or a letter; then it
has said nothing that can be quoted. Held to the text, it takes the next best word that stands there.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

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
