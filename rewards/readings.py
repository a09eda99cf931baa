"""What the judges read: the token states of a few short texts, each computed once by the frozen trunk.

The three judges of an answer share one `Readings`: the question and every candidate pass the trunk's lower layers
once, all in one call, whatever the number of judges and rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexing.chinese import simplified
from models.recent import Recent
from models.types import Candidate, Conversation

if TYPE_CHECKING:
    from models.trunk import Trunk

LAYER = 6
"""Layer of the trunk whose states the judges read."""
QUESTION, ANSWER = "query: ", "passage: "
MOST_QUESTION, MOST_ANSWER = 48, 96
"""Tokens kept of the last turn (its end) and of a candidate (its beginning)."""
KEPT = 256
"""Texts remembered; an answer has about twenty."""


@dataclass(frozen=True, slots=True)
class TokenStates:
    """A read text: `ids` int64 [n], `spans` int64 [n, 2] of characters in the text, `states` float16 [n, width]."""

    ids: NDArray[np.int64]
    spans: NDArray[np.int64]
    states: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a judge is asked about: the user's words, a candidate with its bare answer, and the words that support it.

    `evidence` is "" when the candidate's own words are the quote.
    """

    question: str
    answer: str
    short: str = ""
    evidence: str = ""


def draft(conversation: Conversation, candidate: Candidate) -> Draft:
    """The candidate as the judges read it."""
    title = candidate.evidence[0].document.title if candidate.evidence else ""
    quotes = [quote.text for quote in candidate.quotes]
    return laid_out(conversation.question, candidate.text, candidate.short, quotes, title)


def laid_out(question: str, text: str, short: str, quotes: Sequence[str], title: str) -> Draft:
    """A statement as the judges read it: under the `title` of what it was read in, as a sentence of a passage often
    leaves out what the title says. Words that stand in the quotes already are not read twice."""
    quoted = " ".join(quotes)
    said, cited = _squeezed(text), _squeezed(quoted)
    if said not in cited and cited not in said:
        return Draft(question, text, short, quoted)
    return Draft(question, titled(title if quotes else "", text), short)


def titled(title: str, text: str) -> str:
    """A text under its document's title."""
    return f"{title.replace('_', ' ')}: {text}" if title else text


def _squeezed(text: str) -> str:
    return "".join(text.split())


class Readings:
    """Reads texts on a trunk and remembers the last few.

    >>> readings = Readings(Trunk.load(model_folder(home, "multilingual-e5-small")))  # doctest: +SKIP
    >>> readings.read(["query: who?"])[0].states.shape  # doctest: +SKIP
    (5, 384)
    """

    def __init__(self, trunk: "Trunk", layer: int = LAYER) -> None:
        self.trunk = trunk
        self.layer = layer
        self.recent: Recent[str, TokenStates] = Recent(KEPT)
        self.pooled: Recent[str, NDArray[np.float32]] = Recent(KEPT)

    @property
    def fingerprint(self) -> str:
        """Of the trunk."""
        return self.trunk.fingerprint

    def read(self, texts: Sequence[str]) -> list[TokenStates]:
        """One reading a text (with its prefix), in one call to the trunk for those not remembered."""
        return self.recent.of(texts, self._states)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 [n, width], unit length: means of the trunk's last states, which go on from what was read."""
        return np.stack(self.pooled.of(texts, lambda new: list(vectors_of(self.trunk, self.layer, self.read(new)))))

    def _states(self, texts: Sequence[str]) -> list[TokenStates]:
        pieces = tokens(self.trunk, texts)
        states = self.trunk.hidden([ids.tolist() for ids, _ in pieces], last=self.layer)
        return [
            TokenStates(ids, spans, rows.detach().cpu().float().numpy().astype(np.float16))
            for (ids, spans), rows in zip(pieces, states, strict=True)
        ]


def vectors_of(trunk: "Trunk", layer: int, read: Sequence[TokenStates]) -> NDArray[np.float32]:
    """The encoder's vectors float32 [n, width] of texts whose states after a layer are known."""
    from torch import from_numpy

    from models.encoder import pooled

    begun = [from_numpy(one.states) for one in read]
    ended = trunk.hidden([one.ids.tolist() for one in read], first=layer, states=begun)
    return np.asarray(pooled(ended, trunk.dimension).cpu())


def tokens(trunk: "Trunk", texts: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Ids [n] and character spans [n, 2] of texts that carry a prefix; spans count from after the prefix.

    A question that is too long loses its beginning, an answer its end: the last words ask. Chinese is read in
    simplified characters.
    """
    made = []
    read = [simplified(text) for text in texts]
    for text, encoding in zip(read, trunk.tokenizer.encode_batch(read), strict=True):
        prefix = QUESTION if text.startswith(QUESTION) else ANSWER
        ids, spans = np.asarray(encoding.ids, dtype=np.int64), np.asarray(encoding.offsets, dtype=np.int64)
        most, head = (MOST_QUESTION, 3) if prefix == QUESTION else (MOST_ANSWER, MOST_ANSWER - 1)
        if len(ids) > most:
            keep = np.r_[0:head, len(ids) - (most - head) : len(ids)]
            ids, spans = ids[keep], spans[keep]
        made.append((ids, np.maximum(spans - len(prefix), 0)))
    return made
