"""Token states of all training texts, computed once, kept on disk in 16 bits, and read like `Readings`."""

import hashlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexing.types import PasserineError, Progress
from models.reader import Text
from models.reader_states import States
from rewards.readings import ANSWER, LAYER, QUESTION, Draft, TokenStates, tokens, vectors_of

if TYPE_CHECKING:
    from models.trunk import Trunk


def texts_of(drafts: Iterable[Draft]) -> list[str]:
    """The texts with their prefixes that the drafts are read from, each once, in a stable order."""
    found: dict[str, None] = {}
    for each in drafts:
        found[QUESTION + each.question] = None
        found[ANSWER + each.answer] = None
        if each.evidence:
            found[ANSWER + each.evidence] = None
    return sorted(found)


class Corpus:
    """The states of a list of texts. Texts of like length are read together: that wastes no time on padding."""

    def __init__(self, trunk: "Trunk", texts: Sequence[str], folder: Path, layer: int = LAYER) -> None:
        self.trunk, self.layer = trunk, layer
        pieces = dict(zip(texts, tokens(trunk, texts), strict=True))
        self.texts = sorted(pieces, key=lambda text: (len(pieces[text][0]), text))
        self.pieces = [pieces[text] for text in self.texts]
        self.place = {text: i for i, text in enumerate(self.texts)}
        digest = hashlib.sha256("\n".join([trunk.fingerprint, str(layer), *self.texts]).encode()).hexdigest()[:16]
        read = [Text(tuple(ids.tolist()), tuple(map(tuple, spans.tolist()))) for ids, spans in self.pieces]
        self.states = States(folder, f"judges-{digest}", read)

    @property
    def fingerprint(self) -> str:
        """Of the trunk."""
        return self.trunk.fingerprint

    def fill(self, seconds: float = 86_400, progress: Progress | None = None) -> "Corpus":
        """Compute what is missing. Raises PasserineError when the time was not enough; another call goes on."""
        if not self.states.fill(self.trunk, self.layer, time.monotonic() + seconds, progress):
            raise PasserineError("The states are not complete yet.", "Run the same command again: it goes on.")
        return self

    def read(self, texts: Sequence[str]) -> list[TokenStates]:
        """One reading a text; KeyError for a text that is not in the corpus."""
        found = []
        for text in texts:
            i = self.place[text]
            rows = self.states.rows[self.states.start(i) : int(self.states.ends[i])]
            found.append(TokenStates(*self.pieces[i], np.asarray(rows)))
        return found

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 [n, width], unit length; see `Readings`."""
        return vectors_of(self.trunk, self.layer, self.read(texts))
