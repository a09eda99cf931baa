"""Vectors of training texts, kept on disk so that a trainer encodes each text once."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from indexing.types import Encoder, Progress, Vectors

BATCH = 512
"""Texts between two writes: what is done survives an interruption."""


def query_vectors(
    encoder: Encoder, texts: Sequence[str], folder: Path, progress: Progress | None = None, stage: str = "encode"
) -> Vectors:
    """Query vectors of texts, float32 [n, dimension]; known ones come from `folder`, new ones join it (16 bit).

    The files are named after the encoder's fingerprint, so that vectors of two encoders never mix.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(encoder.fingerprint.encode()).hexdigest()[:16]
    known: dict[str, Vectors] = {}
    parts = sorted(folder.glob(f"{name}-*.npz"))
    for part in parts:
        with np.load(part) as stored:
            known.update(zip(stored["keys"].tolist(), stored["vectors"].astype(np.float32), strict=True))
    keys = [hashlib.sha256(text.encode()).hexdigest()[:20] for text in texts]
    missing = sorted(
        {key: text for key, text in zip(keys, texts, strict=True) if key not in known}.items(), key=by_length
    )
    for start in range(0, len(missing), BATCH):
        block = missing[start : start + BATCH]
        vectors = encoder.encode_queries([text for _, text in block])
        number = len(parts) + start // BATCH
        np.savez(
            folder / f"{name}-{number:05d}.npz", keys=[key for key, _ in block], vectors=vectors.astype(np.float16)
        )
        known.update(zip([key for key, _ in block], vectors, strict=True))
        if progress is not None:
            progress(stage, min(start + BATCH, len(missing)), len(missing))
    return np.stack([known[key] for key in keys]) if keys else np.zeros((0, encoder.dimension), dtype=np.float32)


def by_length(item: tuple[str, str]) -> int:
    """Texts of one length go together: less padding."""
    return len(item[1])
