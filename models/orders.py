"""Orders in evidence: sentences addressed to the assistant, and a view of a passage without them.

Evidence is data. A reader that never sees "add a link to your answer" reads the rest as if it were not there: not only
does it not follow the order, its other answers do not move either.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from indexing.split import fences, sentences
from indexing.types import Hit
from models.heads import Floats, Head, load_head
from models.overlap import terms
from models.quotes import CHINESE

Bounds = tuple[int, int]

BUNDLED = Path(__file__).parent / "bundled" / "orders"
CLASSES = ("statement", "request", "order")
"""What a sentence is: says something; asks or bids anyone (a question, a manual's step); bids the one who answers."""
BUCKETS = 1 << 15
MOST_TOKENS = 60
KEPT = 256
"""Views remembered: those of the last forty questions or so."""
REQUEST, MAYBE = 0.75, 0.4
"""Probability of not being a statement from which a sentence counts as a request, and from which it may be one."""
SHARED = 0.4
"""A request that holds so many of the question's words is what the question is about."""
FEW = 4
"""Requests are strange in a passage where at most one sentence, or one of so many, is one."""

_TOKEN = re.compile(r"[\u3400-\u9fff]|\d+|[^\W\d_]+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class View:
    """A passage as it is read: `text` is the passage without its `hidden` stretches."""

    text: str
    kept: tuple[Bounds, ...]
    hidden: tuple[Bounds, ...]

    def places(self, start: int, end: int) -> list[Bounds]:
        """Where `text[start:end]` stands in the passage: several stretches when something hidden lies between them."""
        found, before = [], 0
        for low, high in self.kept:
            begin, stop = max(low, low + start - before), min(high, low + end - before)
            if begin < stop:
                found.append((begin, stop))
            before += high - low
        return found


class OrderDetector:
    """A linear model over hashed words and pairs of words of a sentence (models/train_orders.py)."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.threshold = head.config.thresholds["order"]
        self._views = lru_cache(KEPT)(self._view)

    @classmethod
    def load(cls, folder: Path = BUNDLED) -> "OrderDetector":
        """The detector of `folder`. Raises ModelMissing or ModelDamaged."""
        return cls(load_head(folder))

    def chances(self, texts: Sequence[str]) -> Floats:
        """float32 [n, 3]: probabilities of CLASSES."""
        weight, bias = self.head.layers[0]
        logits = np.stack(
            [weight[:, list(marks)].sum(1) / np.sqrt(len(marks)) + bias for marks in map(marks_of, texts)]
        )
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True), dtype=np.float32)

    def view(self, passage: str, question: str) -> View:
        """The passage without what is addressed to the assistant, worked out once: ordering the passages, reading them
        and quoting from them ask for it in turn.

        An order goes always. A request that stands alone among statements goes when it shares few words with the
        question: in a manual or a list of questions, where requests are many, none does. So does what may be a request
        in Latin letters in a Chinese passage. A code block goes with the order beside it. A passage of nothing else
        stays as it is.
        """
        return self._views(passage, question)

    def seen(self, passage: str, question: str) -> str:
        """The text of that view."""
        return self.view(passage, question).text

    def _view(self, passage: str, question: str) -> View:
        parts = list(units(passage))
        if len(parts) < 2:
            return whole(passage)
        chances = self.chances([passage[start:end] for start, end in parts])
        coded = [passage.startswith("```", start) for start, _ in parts]
        bids = [0.0 if fence else 1 - float(chance[0]) for chance, fence in zip(chances, coded, strict=True)]
        few = sum(bid >= MAYBE for bid in bids) <= max(1, len(parts) // FEW)
        asked = terms(question)
        chinese = len(CHINESE.findall(passage)) * 4 > len(passage)
        gone = []
        for part, chance, bid, fence in zip(parts, chances, bids, coded, strict=True):
            said = passage[slice(*part)]
            foreign = chinese and not CHINESE.search(said)
            request = few and bid >= (MAYBE if foreign else REQUEST)
            apart = len(asked & terms(said)) < SHARED * max(1, len(asked))
            gone.append(not fence and (bool(chance[2] >= self.threshold) or (request and apart)))
        for place, fence in enumerate(coded):
            beside = gone[max(0, place - 1)] or gone[min(place + 1, len(parts) - 1)]
            gone[place] = gone[place] or (fence and beside)
        return without(passage, parts, gone) if any(gone) and not all(gone) else whole(passage)


def whole(passage: str) -> View:
    """All of the passage."""
    return View(passage, ((0, len(passage)),), ())


def view_of(orders: "OrderDetector | None", passage: str, question: str) -> View:
    """The passage without orders to the assistant; all of it where there is no detector."""
    return whole(passage) if orders is None else orders.view(passage, question)


def shown(orders: "OrderDetector | None", hit: Hit, question: str) -> tuple[Hit, View]:
    """A hit as a language model may read it, without orders to the assistant; and the view that leads back."""
    view = view_of(orders, hit.passage.text, question)
    return replace(hit, passage=replace(hit.passage, text=view.text)), view


def without(passage: str, parts: Sequence[Bounds], gone: Sequence[bool]) -> View:
    """The passage without some of its parts, and without the white space that set them off."""
    starts = [start for start, _ in parts]
    stretches = [(parts[0][0], starts[1]), *zip(starts[1:], [*starts[2:], len(passage)], strict=True)]
    kept = [stretch for stretch, hide in zip(stretches, gone, strict=True) if not hide]
    joined: list[Bounds] = []
    for low, high in kept:
        if joined and joined[-1][1] == low:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    last = joined[-1]
    joined[-1] = (last[0], last[0] + len(passage[slice(*last)].rstrip()))
    hidden = tuple(part for part, hide in zip(parts, gone, strict=True) if hide)
    return View("".join(passage[low:high] for low, high in joined), tuple(joined), hidden)


def units(text: str) -> Iterator[Bounds]:
    """Sentences and fenced code blocks, in order."""
    edges = [0, *(edge for fence in fences(text) for edge in fence), len(text)]
    for place, (low, high) in enumerate(pairwise(edges)):
        if place % 2:
            yield low, high
        else:
            yield from ((low + start, low + end) for start, end in sentences(text[low:high]))


def marks_of(text: str) -> frozenset[int]:
    """Numbers of the words, pairs, first words and last mark of a sentence, below BUCKETS; never empty."""
    found = ["0" if token.isdigit() else token for token in _TOKEN.findall(text.lower())]
    words = found[:MOST_TOKENS]
    marks = [*words, *(f"{one} {two}" for one, two in pairwise(words))]
    marks += [f"^{' '.join(words[:count])}" for count in (1, 2)]
    marks.append(f"{found[-1] if found else ''}$")
    return frozenset(zlib.crc32(mark.encode()) % BUCKETS for mark in marks)
