"""Tokens as numbers: looked up once a text, counted without strings."""

import hashlib
import threading
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

BATCH = 1 << 12
"""Passages that are numbered at a time: few enough for 16 bits to tell their different tokens apart."""


class Vocabulary(dict[str, int]):
    """Numbers tokens in the order in which they come; grows under a lock."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._hashes = np.zeros(0, np.uint64)
        self._lock = threading.Lock()

    def __missing__(self, token: str) -> int:
        with self._lock:
            if token not in self:  # no other thread was quicker
                self._names.append(token)
                self[token] = len(self)
            return self[token]

    def hashes(self) -> NDArray[np.uint64]:
        """`term_ids` of all tokens, by number; each is made once."""
        with self._lock:
            if new := self._names[len(self._hashes) :]:
                self._hashes = np.concatenate([self._hashes, term_ids(new)])
            return self._hashes


@dataclass(frozen=True, eq=False)
class Numbered:
    """Up to BATCH passages by the numbers of their tokens.

    ids      int32 [m]: a token's number
    rows     int32 [m]: its passage; those of one number ascend
    lengths  int64 [n]: tokens of each passage, without the spare ones
    """

    vocabulary: Vocabulary
    ids: NDArray[np.int32]
    rows: NDArray[np.int32]
    lengths: NDArray[np.int64]


class Groups:
    """Numbers passage after passage: `values`, with the end of each passage's."""

    def __init__(self) -> None:
        self.values, self._ends = array("i"), array("q")

    def __len__(self) -> int:
        return len(self._ends)

    def end(self) -> None:
        """What is added next belongs to the next passage."""
        self._ends.append(len(self.values))

    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """(values, passages), int32 [m] each."""
        ends = np.frombuffer(self._ends, np.int64)
        sizes = ends - np.concatenate([[0], ends[:-1]])
        return np.frombuffer(self.values, np.int32), np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)


def numbered(passages: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Iterator[Numbered]:
    """Passages given as (tokens, spare tokens); spare ones do not count in the length."""
    vocabulary, given = Vocabulary(), iter(passages)
    while batch := list(islice(given, BATCH)):
        found = Groups()
        for tokens, spare in batch:
            found.values.extend(map(vocabulary.__getitem__, chain(tokens, spare)))
            found.end()
        yield Numbered(vocabulary, *found.arrays(), np.array([len(tokens) for tokens, _ in batch], np.int64))


def term_ids(tokens: Iterable[str]) -> NDArray[np.uint64]:
    """64-bit hashes, uint64 [n].

    Hashes keep a segment's vocabulary a sorted array that is searched where it lies on disk. Among ten million
    different tokens the odds that any two share one are three in a million.
    """
    hashed = (hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest() for token in tokens)
    return np.frombuffer(b"".join(hashed), dtype="<u8").astype(np.uint64)
