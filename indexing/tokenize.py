"""The one analyser of index and query: text -> tokens.

Latin words are folded (NFKC, lower case, no accents), English function words are left out and the rest is
stemmed. Runs of Chinese, Japanese and Korean characters become overlapping bigrams, with traditional
characters written as simplified ones, so that either writing finds the other.
"""

import hashlib
import re
import threading
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

import numpy as np

from indexing.chinese import simplified
from indexing.vocabulary import BATCH, Groups, Numbered, Vocabulary

VERSION = 1
"""Raised whenever the tokens of any text change, so that an older index is refused instead of misread."""

_FUNCTION_WORDS = """
a an the this that these those
i me my mine myself we our ours ourselves you your yours yourself yourselves he him his himself
she her hers herself it its itself they them their theirs themselves
am is are was were be been being do does did doing have has had having
will would shall should can could may might must
and or but nor if then else than so because while although though
of at by for with about into onto to from in on off over under as
who whom whose which what when where why how there here
not no such both each any all some more most other only own same too very just also
dont doesnt didnt isnt arent wasnt werent hasnt havent hadnt wont wouldnt cant couldnt shouldnt
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English function words. "us" is not among them: it is how "US" is written here."""

_CJK = re.compile(
    "([\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U000323af]+)"
)
_WORD = re.compile(
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?"  # 1,000,000.5
    r"|\w+(?:\+\+(?!\w)|(?<!\w\w)#(?!\w)"  # C++, C#
    r"|(?:[.\-'’]\w+)*)"  # words, os.path, pg_dump, state-of-the-art, O'Neil, 3.14
)
_JOINT = re.compile(r"[.\-_'’]+")
_ENDING = re.compile(r"['’](?:s|re|ll|ve|d|m)$")
_LONGEST = 64  # longer "words" are encoded data, which nobody asks for
_REMEMBERED = 200_000  # words, and runs without a blank, whose analysis is kept; about 100 MB together at most

Analysed = tuple[tuple[str, ...], tuple[str, ...]]
"""(tokens, spare tokens)"""


class Analyser:
    """Turns text into tokens; safe to share between threads.

    >>> Analyser().tokens("The engines of C++ and os.path")
    ['engin', 'c++', 'os.path', 'os', 'path']
    >>> Analyser().tokens("太空梭")
    ['太空', '空梭']
    """

    def __init__(self) -> None:
        self._words: dict[str, Analysed] = {}
        self._runs = _Runs(self._run)
        self._local = threading.local()

    @property
    def fingerprint(self) -> str:
        """Changes whenever the tokens of some text would."""
        import Stemmer

        parts = [str(VERSION), Stemmer.version().split(".")[0], *sorted(STOP_WORDS)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def tokens(self, text: str) -> list[str]:
        """What a passage is found by, in order and with repetitions; function words are left out."""
        return self.both(text)[0]

    def spare(self, text: str) -> list[str]:
        """Function words and single CJK characters, marked so that they equal no token.

        They are indexed too, but do not count in a passage's length, and only a query that has
        nothing better asks for them ("who is who", "船").
        """
        return self.both(text)[1]

    def both(self, text: str) -> tuple[list[str], list[str]]:
        """(tokens, spare tokens) of a text."""
        runs = self._known()
        tokens: list[str] = []
        spare: list[str] = []
        for piece, cjk in self._pieces(text):
            if cjk:
                tokens += _bigrams(piece)
                spare += _characters(piece)
            else:
                numbers = list(map(runs.__getitem__, piece.split()))
                tokens += chain.from_iterable(map(runs.tokens.__getitem__, numbers))
                spare += chain.from_iterable(map(runs.spare.__getitem__, filter(runs.spare.__contains__, numbers)))
        return tokens, spare

    def numbered(self, texts: Iterable[str]) -> Iterator[Numbered]:
        """The tokens of passages, spare ones among them, as postings are made of them."""
        given = iter(texts)
        while batch := list(islice(given, BATCH)):
            runs = self._known()
            number = runs.vocabulary.__getitem__
            found, tokens, spare = Groups(), Groups(), Groups()
            for text in batch:
                for piece, cjk in self._pieces(text):
                    if cjk:
                        tokens.values.extend(map(number, _bigrams(piece)))
                        spare.values.extend(map(number, _characters(piece)))
                    else:
                        found.values.extend(map(runs.__getitem__, piece.split()))
                for group in (found, tokens, spare):
                    group.end()
            yield runs.numbered(found, tokens, spare)

    def asked(self, text: str) -> list[str]:
        """The tokens of a query: its tokens, or its spare ones when single characters are all it has."""
        tokens, spare = self.both(text)
        if any(len(token) > 1 or not _CJK.match(token) for token in tokens):
            return tokens
        return spare or tokens

    def _known(self) -> "_Runs":
        """What is remembered, begun anew where it is too much."""
        if max(len(self._runs.tokens), len(self._runs.vocabulary)) >= _REMEMBERED:
            self._runs = _Runs(self._run)
        if len(self._words) >= _REMEMBERED:
            self._words = {}
        return self._runs

    def _pieces(self, text: str) -> Iterator[tuple[str, bool]]:
        """Stretches of folded text, each with whether it is a run of CJK characters."""
        if text.isascii():
            yield text.lower(), False
            return
        text = unicodedata.normalize("NFKC", text).casefold()
        if not _CJK.search(text):
            yield text, False
            return
        for i, piece in enumerate(_CJK.split(simplified(text))):
            if piece:
                yield piece, i % 2 == 1

    def _run(self, run: str) -> Analysed:
        """(tokens, spare tokens) of what stands between blanks, which no word reaches across."""
        found = [
            self._words.get(word) or self._words.setdefault(word, self._analyse(word)) for word in _WORD.findall(run)
        ]
        if len(found) == 1:
            return found[0]
        return tuple(token for own, _ in found for token in own), tuple(token for _, spare in found for token in spare)

    def _analyse(self, word: str) -> Analysed:
        if not word.isascii():
            word = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
        word = _ENDING.sub("", word).strip("_")
        if "," in word:
            word = word.replace(",", "")
        parts = [part for part in _JOINT.split(word) if part]
        wholes, parts = _shape(word, parts)
        stemmer = self._stemmer()
        tokens = [whole if "." in whole or "_" in whole else stemmer(whole) for whole in wholes]
        tokens += [stemmer(part) for part in parts if part not in STOP_WORDS and len(part) <= _LONGEST]
        return tuple(tokens), tuple(f"\0{part}" for part in parts if part in STOP_WORDS)

    def _stemmer(self) -> Callable[[str], str]:
        """PyStemmer's objects must not be shared between threads, so each thread has its own; without its cache of
        words, whose upkeep takes twice as long as stemming."""
        stemmer = getattr(self._local, "stemmer", None)
        if stemmer is None:
            import Stemmer

            stemmer = self._local.stemmer = Stemmer.Stemmer("english", 0).stemWord
        return stemmer  # type: ignore[no-any-return]


class _Runs(dict[str, int]):
    """Numbers what stands between blanks, which texts repeat, and remembers the tokens of each by its number, and the
    spare ones of those that have any; grows under a lock.

    ids  the numbers of the tokens of all, spare ones behind the others: those of run r from `starts[r]` on
    """

    def __init__(self, analyse: Callable[[str], Analysed]) -> None:
        self._analyse = analyse
        self._lock = threading.Lock()
        self.vocabulary = Vocabulary()
        self.tokens: list[tuple[str, ...]] = []
        self.spare: dict[int, tuple[str, ...]] = {}
        self.ids, self.starts, self.proper = array("i"), array("i", [0]), array("i")

    def __missing__(self, run: str) -> int:
        with self._lock:
            if run in self:  # another thread was quicker
                return self[run]
            tokens, spare = self._analyse(run)
            number = len(self.tokens)
            self.tokens.append(tokens)
            if spare:
                self.spare[number] = spare
            self.ids.extend(map(self.vocabulary.__getitem__, chain(tokens, spare)))
            self.proper.append(len(tokens))
            self.starts.append(len(self.ids))
            if len(run) <= _LONGEST:  # encoded data comes but once
                self[run] = number  # last: who finds it finds all of it
            return number

    def numbered(self, runs: Groups, tokens: Groups, spare: Groups) -> Numbered:
        """Passages given as runs, and tokens and spare tokens beside."""
        # copies: a view would keep other threads from adding to what it shows
        ids, starts, proper = (
            np.frombuffer(own.tobytes(), own.typecode) for own in (self.ids, self.starts, self.proper)
        )
        given, rows = runs.arrays()
        sizes = np.diff(starts)[given]
        ends = np.cumsum(sizes)
        where = np.arange(int(sizes.sum())) + np.repeat(starts[given] - (ends - sizes), sizes)
        apart = [tokens.arrays(), spare.arrays()]
        lengths = np.bincount(rows, proper[given], len(runs)) + np.bincount(apart[0][1], minlength=len(runs))
        return Numbered(
            self.vocabulary,
            np.concatenate([ids[where], *(own for own, _ in apart)]),
            np.concatenate([np.repeat(rows, sizes), *(own for _, own in apart)]),
            lengths.astype(np.int64),
        )


def _bigrams(piece: str) -> list[str]:
    """The tokens of a run of CJK characters."""
    return [piece[i : i + 2] for i in range(len(piece) - 1)] or [piece]


def _characters(piece: str) -> list[str]:
    """Its spare tokens."""
    return [f"\0{character}" for character in piece]


def _shape(word: str, parts: list[str]) -> tuple[list[str], list[str]]:
    """(whole forms, parts) of a word whose joints were split into `parts`."""
    if len(parts) <= 1 or len(word) > _LONGEST:
        return [], parts
    if all(part.isdigit() for part in parts):
        if "-" not in word:
            return [word], []  # 3.14 and 2.7.18: the digits alone say nothing
        return ([word] if len(parts) > 2 else []), parts  # 2020-01-02, but 1990-1995 is two years
    if all(len(part) == 1 for part in parts):
        return ["".join(parts)], []  # u.s.a is usa
    if "." in word or "_" in word:
        return [word], parts  # os.path, pg_dump
    joined = "".join(parts)
    if "'" in word or "’" in word:
        return ([], [joined]) if joined in STOP_WORDS else ([joined], [p for p in parts if len(p) > 1])
    return [joined], parts  # e-mail is email; state-of-the-art keeps its words as well


def is_cjk(text: str) -> bool:
    """Whether a text is written mostly in CJK characters: one of them weighs as much as two Latin letters."""
    cjk = sum(len(run) for run in _CJK.findall(text))
    return 2 * cjk > sum(character.isalnum() for character in text) - cjk
