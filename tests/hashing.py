"""A small deterministic encoder for tests whose subject is not the vectors' quality: hashed words, unit length."""

import hashlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from indexing.tokenize import Analyser
from indexing.types import Document, Vectors


class HashingEncoder:
    """Texts that share words are near each other. Counts the passages it encoded."""

    analyser: ClassVar[Analyser] = Analyser()

    def __init__(self, name: str = "hashing", dimension: int = 64) -> None:
        self.name = name
        self.dimension = dimension
        self.fingerprint = f"{name}-{dimension}"
        self.passages = 0

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        self.passages += len(texts)
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        vectors[:, 0] = 0.01
        for row, text in enumerate(texts):
            for token in self.analyser.tokens(text):
                place = hashlib.blake2b((self.name + token).encode(), digest_size=4).digest()
                vectors[row, int.from_bytes(place, "big") % self.dimension] += 1
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def document(key: str, text: str, **fields: object) -> Document:
    """A document with little to say about itself."""
    given = {"url": f"https://example.org/{key}", "title": "", **fields}
    return Document(id=key, text=text, **given)  # type: ignore[arg-type]
