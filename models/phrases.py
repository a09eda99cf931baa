"""Matching by meaning: which of many known phrases a turn says, with a fitted probability.

Cosine alone cannot tell "hello" from "hello kitty history", so the probability also sees how much of the turn the
phrase leaves unsaid. It is a small head, fitted by models/train_plan.py on phrases that the lists do not hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexing.types import Encoder, Vectors
from models.heads import Floats, Head
from models.words import language_of, units

FEATURES = ("cosine", "lead", "unsaid", "unheard", "longer", "chinese")
"""Inputs of the head, in order; see `features`."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A known wording of an entry."""

    entry: str
    text: str


@dataclass(frozen=True, slots=True)
class Match:
    """The entry that a turn most likely means, with the probability that it does."""

    entry: str
    phrase: str
    probability: float


def features(turn: str, phrase: str, cosine: float, background: float) -> list[float]:
    """What the head sees of a turn and its nearest phrase.

    cosine; its lead over the mean cosine of all phrases; the share of the turn's content that the phrase does not
    hold; the share of the phrase's content that the turn does not hold; log of the ratio of lengths; is Chinese.
    """
    said, known = set(units(turn)), set(units(phrase))
    unsaid = len(said - known) / len(said) if said else 0.0
    unheard = len(known - said) / len(known) if known else 0.0
    longer = float(np.log((len(turn) + 1) / (len(phrase) + 1)))
    return [cosine, cosine - background, unsaid, unheard, longer, float(language_of(turn) == "zh")]


class Phrases:
    """A list of phrases, encoded once, asked by meaning."""

    def __init__(self, encoder: Encoder, phrases: Sequence[Phrase], head: Head) -> None:
        self.encoder = encoder
        self.phrases = list(phrases)
        self.head = head
        self.vectors: Vectors = encoder.encode_queries([phrase.text for phrase in self.phrases])

    def nearest(self, turn: str, vector: Vectors | None = None) -> tuple[Phrase, Floats]:
        """The phrase nearest in meaning and the features of the pair, float32 [6]. `vector` is the turn's."""
        asked = self.encoder.encode_queries([turn])[0] if vector is None else vector
        cosines = self.vectors @ asked
        exact = [n for n, phrase in enumerate(self.phrases) if bare(phrase.text) == bare(turn)]
        best = exact[0] if exact else int(np.argmax(cosines))
        phrase = self.phrases[best]
        row = features(turn, phrase.text, float(cosines[best]), float(cosines.mean()))
        return phrase, np.array(row, dtype=np.float32)

    def match(self, turn: str, vector: Vectors | None = None) -> Match:
        """The most likely entry. A turn that is a known phrase to the letter has probability 1."""
        phrase, row = self.nearest(turn, vector)
        if bare(phrase.text) == bare(turn):
            return Match(phrase.entry, phrase.text, 1.0)
        return Match(phrase.entry, phrase.text, float(self.head.probabilities(row[None])[0, 0]))


def bare(text: str) -> str:
    """Letters and digits alone, lower case: for telling whether two wordings are the same."""
    return "".join(sign for sign in text.lower() if sign.isalnum())
