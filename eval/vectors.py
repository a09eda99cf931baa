"""Vectors kept on disk, so that a test collection is encoded once for each encoder.

A file of 16-byte text hashes and a file of float16 vectors grow together under a folder named after the encoder's
fingerprint; a run that is stopped keeps what it wrote. Half precision costs under 0.0005 of a cosine.
"""

import fcntl
import hashlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.types import Encoder, Progress, Vectors

HASH = 16
BLOCK = 128
"""Texts encoded between two writes: a stop loses at most this many."""


def digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH).digest()


class Shelf:
    """Hashes and vectors of one side (queries or passages) in two files that only grow."""

    def __init__(self, folder: Path, side: str, dimension: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.keys, self.vectors = folder / f"{side}.keys", folder / f"{side}.f16"
        self.dimension = dimension
        self.rows: dict[bytes, int] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read what was added since, by whomever; a half-written end is ignored."""
        raw = self.keys.read_bytes() if self.keys.exists() else b""
        held = self.vectors.stat().st_size // (2 * self.dimension) if self.vectors.exists() else 0
        for row in range(len(self.rows), min(len(raw) // HASH, held)):
            self.rows[raw[row * HASH : (row + 1) * HASH]] = row

    def read(self, hashes: Sequence[bytes]) -> Vectors:
        """float32 [n, dimension], unit length; every hash must be held."""
        shape = (self.vectors.stat().st_size // (2 * self.dimension), self.dimension)
        stored: NDArray[np.float16] = np.memmap(self.vectors, dtype=np.float16, mode="r", shape=shape)
        found = np.asarray(stored[[self.rows[key] for key in hashes]], dtype=np.float32)
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)

    def add(self, hashes: Sequence[bytes], vectors: Vectors) -> None:
        """Append, under a lock so that two runs never mix their rows. Texts held by now are left out."""
        with self.keys.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.refresh()
            new = [i for i, key in enumerate(hashes) if key not in self.rows]
            count = len(self.rows)
            with self.vectors.open("ab") as file:
                file.truncate(count * 2 * self.dimension)
                file.write(vectors[new].astype(np.float16).tobytes())
            with self.keys.open("ab") as file:
                file.truncate(count * HASH)
                file.write(b"".join(hashes[i] for i in new))
            self.refresh()


def label(encoder: Encoder) -> str:
    """Name, fingerprint and arithmetic: 8-bit vectors have the fingerprint of the 32-bit ones, and are not the same."""
    return f"{encoder.name[-60:]}-{encoder.fingerprint[:16]}-{getattr(encoder, 'precision', 'unknown')}"


class CachedEncoder:
    """An Encoder that looks a text up before it encodes it. Name, dimension and fingerprint are the encoder's own.

    `deadline` (seconds of time.monotonic) stops the encoding of passages early: TimeoutError, nothing lost.
    """

    def __init__(
        self, encoder: Encoder, folder: Path, progress: Progress | None = None, deadline: float | None = None
    ) -> None:
        self.encoder = encoder
        self.name, self.dimension, self.fingerprint = encoder.name, encoder.dimension, encoder.fingerprint
        place = folder / re.sub(r"[^\w.-]+", "-", label(encoder))
        self.passages = Shelf(place, "passages", encoder.dimension)
        self.queries = Shelf(place, "queries", encoder.dimension)
        self.progress, self.deadline = progress, deadline

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, dimension], unit length."""
        return self.look_up(texts, self.queries, self.encoder.encode_queries, "queries")

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, dimension], unit length."""
        return self.look_up(texts, self.passages, self.encoder.encode_passages, "passages")

    def look_up(
        self, texts: Sequence[str], shelf: Shelf, encode: Callable[[Sequence[str]], Vectors], side: str
    ) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        hashes = [digest(text) for text in texts]
        missing = {key: text for key, text in zip(hashes, texts, strict=True) if key not in shelf.rows}
        # Texts of one length share a batch without padding, which is what makes encoding fast.
        todo = sorted(missing.items(), key=lambda item: len(item[1]))
        for start in range(0, len(todo), BLOCK):
            if self.deadline is not None and time.monotonic() > self.deadline:
                raise TimeoutError(f"{len(todo) - start} of {len(texts)} {side} are still to be encoded")
            block = todo[start : start + BLOCK]
            shelf.add([key for key, _ in block], encode([text for _, text in block]))
            if self.progress is not None:
                self.progress(f"encode {side}", min(start + BLOCK, len(todo)), len(todo))
        return shelf.read(hashes)
