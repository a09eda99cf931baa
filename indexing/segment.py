"""One immutable file of an index: named arrays, opened by memory map, each with a checksum.

Layout: magic (8 bytes), length and CRC-32 of the header (two little-endian uint32), the header (JSON), then the
arrays, each aligned to 64 bytes. A segment is written under a temporary name, flushed, and renamed; it is never
changed after that. A CRC finds a damaged disk or a torn copy, which is what it is for; it is no seal against forgery.
Format 1 kept postings unpacked; such a file is packed as it is opened, and written anew when it is merged. Inverted
lists stand in the files of large segments alone, which are read without them by whatever does not know them.
"""

import json
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.lists import Centroids, Lists, joined
from indexing.packing import MOST
from indexing.postings import Postings
from indexing.types import IndexDamaged, StorageFailed

MAGIC = b"PSRNSEG1"
_ALIGN = 64
_POSTINGS = tuple(field.name for field in fields(Postings))
_LISTS = ("list_means", "list_scale", "list_sizes", "list_rows")
REPAIR_HINT = "`passerine doctor --repair` rebuilds it from the stored passages."


@dataclass(frozen=True, eq=False)
class Segment:
    """A run of passages: their keys, postings and vectors.

    keys     int64 [n], ascending: the catalogue's key of each passage
    owners   int64 [n]: the catalogue's key of its document
    vectors  float16 [n, dimension], unit length
    lists    of a large segment the inverted lists of its vectors
    """

    name: str
    keys: NDArray[np.int64]
    owners: NDArray[np.int64]
    vectors: NDArray[np.float16]
    postings: Postings
    lists: Lists | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def memory(self) -> dict[str, Any]:
        """What a reader derives from the segment and keeps as long as it (a FAISS index)."""
        return {}

    def write(self, path: Path) -> None:
        """Write to `path`, whole or not at all. Raises StorageFailed when the disk will not take it."""
        arrays: dict[str, NDArray[Any]] = {"keys": self.keys, "owners": self.owners, "vectors": self.vectors}
        if self.lists:
            lists, scale = self.lists, np.array([self.lists.centroids.scale])
            found = (lists.centroids.means, scale, lists.sizes, lists.packed)
            arrays |= dict(zip(_LISTS, found, strict=True))
        write_arrays(path, arrays | {name: getattr(self.postings, name) for name in _POSTINGS})

    @classmethod
    def open(cls, path: Path) -> "Segment":
        """Memory map `path`. Raises IndexDamaged naming the file, FileNotFoundError when it is gone."""
        arrays = read_arrays(path)
        try:
            first = "counts" in arrays
            postings = _packed(arrays) if first else Postings(*(arrays[name] for name in _POSTINGS))
            lists = _lists(*(arrays[name] for name in _LISTS)) if _LISTS[0] in arrays else None
            return cls(path.stem, arrays["keys"], arrays["owners"], arrays["vectors"], postings, lists)
        except KeyError as missing:
            raise IndexDamaged(f"{path} lacks the array {missing}.", REPAIR_HINT) from None


def _lists(
    means: NDArray[np.float16], scale: NDArray[np.float64], sizes: NDArray[np.int64], packed: NDArray[np.uint8]
) -> Lists:
    return Lists(Centroids(means, float(scale[0])), sizes, packed)


def _packed(arrays: Mapping[str, NDArray[Any]]) -> Postings:
    """Postings as format 1 kept them."""
    counts = np.minimum(arrays["counts"], MOST).astype(np.uint8)
    held = np.diff(arrays["offsets"]).astype(np.int64)
    return Postings.of_lists(arrays["terms"], held, arrays["rows"], counts, arrays["lengths"])


def join(
    segments: Sequence[Segment],
    alive: Sequence[NDArray[np.bool_] | None],
    name: str,
    centroids: Centroids | None = None,
    passages: int = 0,
) -> Segment:
    """One segment of the live rows (None: all) of several, in order; with inverted lists where it is large, or has
    `centroids`, those of the collection, which holds so many passages."""
    rows = [
        np.arange(len(segment)) if mask is None else np.flatnonzero(mask)
        for segment, mask in zip(segments, alive, strict=True)
    ]
    pairs = list(zip(segments, rows, strict=True))
    vectors = np.concatenate([segment.vectors[kept] for segment, kept in pairs])
    return Segment(
        name,
        np.concatenate([segment.keys[kept] for segment, kept in pairs]),
        np.concatenate([segment.owners[kept] for segment, kept in pairs]),
        vectors,
        Postings.join([segment.postings for segment in segments], rows),
        joined(vectors, [(segment.lists, kept) for segment, kept in pairs], centroids, max(passages, len(vectors))),
    )


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the file, flush it and its folder to disk, and give it its name last."""
    table, position, pieces = {}, 0, []
    for name, array in arrays.items():
        data = np.ascontiguousarray(array)
        raw = data.reshape(-1).view(np.uint8).data
        table[name] = {"dtype": data.dtype.str, "shape": data.shape, "at": position, "crc": zlib.crc32(raw)}
        pieces.append(raw)
        position += len(raw) + -len(raw) % _ALIGN
    header = json.dumps({"version": 1, "bytes": position, "arrays": table}).encode()
    start = MAGIC + struct.pack("<II", len(header), zlib.crc32(header)) + header
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            file.write(start + b"\0" * (-len(start) % _ALIGN))
            for raw in pieces:
                file.write(raw)
                file.write(b"\0" * (-len(raw) % _ALIGN))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageFailed(
            f"{path} could not be written: {error.strerror}.", "Free some space; what was indexed before is untouched."
        ) from error


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file, memory mapped and checked. Raises IndexDamaged, FileNotFoundError."""
    try:
        data = np.memmap(path, dtype=np.uint8, mode="r")
    except ValueError:
        raise IndexDamaged(f"{path} is empty.", REPAIR_HINT) from None
    if len(data) < 16 or bytes(data[:8]) != MAGIC:
        raise IndexDamaged(f"{path} is not a segment of an index.", REPAIR_HINT)
    length, checksum = struct.unpack("<II", bytes(data[8:16]))
    header = bytes(data[16 : 16 + length])
    if zlib.crc32(header) != checksum:
        raise IndexDamaged(f"{path} has a damaged header.", REPAIR_HINT)
    description = json.loads(header)
    start = 16 + length + -(16 + length) % _ALIGN
    if len(data) < start + description["bytes"]:
        raise IndexDamaged(f"{path} is cut short.", REPAIR_HINT)
    arrays = {}
    for name, entry in description["arrays"].items():
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        begin = start + entry["at"]
        raw = data[begin : begin + int(np.prod(shape)) * dtype.itemsize]
        if zlib.crc32(raw.data) != entry["crc"]:
            raise IndexDamaged(f"{path} fails its checksum ({name}).", REPAIR_HINT)
        arrays[name] = np.asarray(raw).view(dtype).reshape(shape)
    return arrays


def flush_folder(folder: Path) -> None:
    """Make renames in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
