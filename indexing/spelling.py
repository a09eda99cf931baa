"""Did you mean: an English word of a query that the index lacks, and one of its own words that looks like it.

The words are read from a sample of the stored texts when they are first needed, since postings keep no words; how many
passages hold one is asked of the postings. A word is replaced when no passage, or hardly one, holds it, and one at an
edit or two (a letter put in, left out, changed, or swapped with its neighbour) stands in far more.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.lexical import Lexical
from indexing.tokenize import Analyser

WORD = re.compile(r"(?<![\w'’.\-])[A-Za-z]{4,24}(?![\w'’]|[.\-]\w)")
"""Words that may be misspelt or suggested: plain letters, four at least, since shorter ones are alike by chance."""

LONG = 8
"""Letters from which on two edits are looked for; a shorter word is another word by then ("walked", "worked")."""

RARE = 2
"""Passages; a word that stands in more of them is no slip, in a small index none that stands there at all."""

COMMONER = 20
"""How many times as many passages as a word that stands in the index its replacement must have."""

SHARE = 2000
"""One in so many passages must hold a replacement, and one passage at least: in a large index a word that stands there
once or twice is a slip itself as often as not."""

SAMPLE, BEGINNING = 1000, 10_000
"""Texts, and characters of each, that the words are read from."""

_LETTERS = 26


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words of an index, lower case; as they are mostly written; and how often each of 26 letters stands in each, int8
    [words, 26]."""

    words: tuple[str, ...]
    written: tuple[str, ...]
    letters: NDArray[np.int8]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Vocabulary":
        """The words of some texts."""
        counts = Counter(word for text in texts for word in WORD.findall(text))
        forms = {word.lower(): word for word, _ in sorted(counts.items(), key=lambda pair: (pair[1], pair[0]))}
        letters = np.stack([_letters(word) for word in forms]) if forms else np.zeros((0, _LETTERS), np.int8)
        return cls(tuple(forms), tuple(forms.values()), letters)

    def near(self, word: str) -> Iterator[tuple[int, str, str]]:
        """(edits, word, as it is mostly written) of the words with its first letter at one edit, or two if long."""
        most = 2 if len(word) >= LONG else 1
        apart = np.abs(self.letters - _letters(word)).sum(axis=1)
        for place in np.flatnonzero(apart <= 2 * most).tolist():
            edits = distance(word, self.words[place], most) if self.words[place][0] == word[0] else 0
            if 0 < edits <= most:
                yield edits, self.words[place], self.written[place]


class Speller:
    """Did you mean, over one collection. `sample` gives the beginnings, of some characters, of about so many of its
    English texts: (texts, characters)."""

    def __init__(self, analyser: Analyser, sample: Callable[[int, int], Iterable[str]]) -> None:
        self._analyser, self._sample = analyser, sample
        self._words: tuple[int, Vocabulary | None] = (0, None)

    def did_you_mean(self, query: str, lexical: Lexical, passages: int) -> str:
        """The query with its misspelt English words replaced by words of the collection, "" where none is.

        `lexical` holds the statistics of its `passages`.
        """

        def held(word: str) -> int | None:
            tokens = self._analyser.tokens(word)
            return lexical.held(tokens[:1])[0] if tokens else None

        counts = [held(word) for word in WORD.findall(query)]
        if not any(count is not None and count <= RARE for count in counts):
            return ""
        return did_you_mean(query, self._vocabulary(passages), held, passages)

    def _vocabulary(self, passages: int) -> Vocabulary:
        """Words of the texts; read anew when the collection has grown or shrunk by a fifth."""
        size, vocabulary = self._words
        if vocabulary is None or abs(passages - size) > size / 5:
            vocabulary = Vocabulary.of(self._sample(SAMPLE, BEGINNING))
            self._words = passages, vocabulary
        return vocabulary


def did_you_mean(query: str, vocabulary: Vocabulary, held: Callable[[str], int | None], passages: int) -> str:
    """The query with its misspelt words replaced, "" when there is none.

    `held` counts those of the `passages` of the index that hold a word, None for a word that is never searched for.
    """
    least, rare = max(1, passages // SHARE), min(RARE, passages // SHARE)

    def better(match: re.Match[str]) -> str:
        given = match.group()
        known = held(given.lower())
        if known is None or known > rare:
            return given
        found = [(edits, -(held(word) or 0), word, written) for edits, word, written in vocabulary.near(given.lower())]
        for _, count, word, written in sorted(found):
            if -count >= max(least, COMMONER * known):
                return word if given.islower() else written[0].upper() + written[1:]
        return given

    mended = WORD.sub(better, query)
    return mended if mended != query else ""


def distance(a: str, b: str, most: int) -> int:
    """Edits between two words (a swap of neighbours is one), `most` + 1 when there are more."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def _letters(word: str) -> NDArray[np.int8]:
    return np.bincount(np.frombuffer(word.encode(), np.uint8) - ord("a"), minlength=_LETTERS).astype(np.int8)
