"""The reader's second use: does this passage answer the question at all?

What was read for the order of the passages is remembered, so that drafting answers from the best of them reads nothing
twice.
"""

from collections.abc import Sequence

import numpy as np

from indexing.types import Vectors
from models.extractive import SPANS, Reads
from models.orders import OrderDetector
from models.reader import Reading
from models.recent import Recent
from models.types import Cancelled, never

WEIGHT = 0.4
"""What the reader says about a passage against what the search says: on development queries .3 to .5 are alike, and
hit@2 goes from .935 to .965 (squad-ir) and from .975 to .980 (drcd-ir)."""
KEPT = 256
"""Readings remembered: those of the last forty questions or so."""


class RememberingReader:
    """A reader that knows its last readings; safe to share between threads."""

    def __init__(self, reader: Reads) -> None:
        self.reader = reader
        self.recent: Recent[tuple[str, str, int], Reading] = Recent(KEPT)

    def read(self, question: str, passages: Sequence[str], n: int = 1, cancelled: Cancelled = never) -> list[Reading]:
        """One reading a passage; those that are not known are read together."""
        return self.recent.of(
            [(question, text, n) for text in passages],
            lambda new: self.reader.read(question, [text for _, text, _ in new], n, cancelled),
        )


class ReadingReranker:
    """Scores passages by the reader's probability that they answer the question; orders to the assistant are not
    read."""

    def __init__(self, reader: Reads, orders: OrderDetector) -> None:
        self.reader = reader
        self.orders = orders

    def score(self, query: str, passages: Sequence[str]) -> Vectors:
        """float32 [n] in [0, 1]."""
        seen = [self.orders.seen(text, query) for text in passages]
        readings = self.reader.read(query, seen, SPANS)
        return np.array([reading.answerable for reading in readings], dtype=np.float32)
