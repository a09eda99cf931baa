"""Matching by meaning: which of many known phrases a turn says, with a fitted probability.

Cosine alone cannot tell "hello" from "hello kitty history", so the probability also sees how much of the turn the
phrase leaves unsaid and whether both need the documents. It is a small head, fitted by models/train_matching.py on
wordings that the lists do not hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexing.types import Encoder, Vectors
from models.heads import Floats, Head, load_head
from models.mentions import english_names
from models.plan import BUNDLED as PLAN
from models.plan import plan_features
from models.words import language_of, units

FEATURES = ("cosine", "lead", "unsaid", "unheard", "longer", "chinese", "other need")
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


def features(turn: str, phrase: str, cosine: float, background: float, need: float) -> list[float]:
    """What the head sees of a turn and its nearest phrase.

    cosine; its lead over the mean cosine of all phrases; the share of the turn's content that the phrase does not
    hold; the share of the phrase's content that the turn does not hold; log of the ratio of lengths; is Chinese.
    """
    said, known = set(units(turn)), set(units(phrase))
    unsaid = len(said - known) / len(said) if said else 0.0
    unheard = len(known - said) / len(known) if known else 0.0
    longer = float(np.log((len(turn) + 1) / (len(phrase) + 1)))
    return [cosine, cosine - background, unsaid, unheard, longer, float(language_of(turn) == "zh"), need]


def names_another(turn: str, phrase: str) -> bool:
    """The turn names something ("PostgreSQL") of which the phrase does not speak."""
    return any(name.text.lower() not in phrase.lower() for name in english_names(turn) if name.name)


class Phrases:
    """A list of phrases, encoded once, asked by meaning."""

    def __init__(self, encoder: Encoder, phrases: Sequence[Phrase], head: Head, plan: Head | None = None) -> None:
        """`plan` is the head of the search decision; the bundled one when None."""
        self.encoder = encoder
        self.phrases = list(phrases)
        self.head = head
        self.plan = load_head(PLAN, encoder.fingerprint) if plan is None else plan
        texts = [phrase.text for phrase in self.phrases]
        self.vectors: Vectors = encoder.encode_queries(texts)
        self.needs = self.need(texts, self.vectors)

    def need(self, texts: list[str], vectors: Vectors) -> Floats:
        """The probability that each text needs a search, float32 [n]."""
        return np.asarray(self.plan.probabilities(plan_features(texts, vectors))[:, 0], dtype=np.float32)

    def nearest(self, turn: str, vector: Vectors | None = None) -> tuple[Phrase, Floats]:
        """The phrase nearest in meaning and the features of the pair, float32 [7]. `vector` is the turn's."""
        asked = self.encoder.encode_queries([turn])[0] if vector is None else vector
        cosines = self.vectors @ asked
        exact = [n for n, phrase in enumerate(self.phrases) if bare(phrase.text) == bare(turn)]
        best = exact[0] if exact else int(np.argmax(cosines))
        phrase = self.phrases[best]
        need = abs(float(self.need([turn], asked[None])[0]) - float(self.needs[best]))
        row = features(turn, phrase.text, float(cosines[best]), float(cosines.mean()), need)
        return phrase, np.array(row, dtype=np.float32)

    def match(self, turn: str, vector: Vectors | None = None) -> Match:
        """The most likely entry.

        A turn that is a known phrase to the letter has probability 1, one that names something else 0.
        """
        phrase, row = self.nearest(turn, vector)
        if bare(phrase.text) == bare(turn):
            return Match(phrase.entry, phrase.text, 1.0)
        if names_another(turn, phrase.text):
            return Match(phrase.entry, phrase.text, 0.0)
        return Match(phrase.entry, phrase.text, float(self.head.probabilities(row[None])[0, 0]))


def bare(text: str) -> str:
    """Letters and digits alone, lower case: for telling whether two wordings are the same."""
    return "".join(sign for sign in text.lower() if sign.isalnum())
