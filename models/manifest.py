"""The manifest of a model folder, and how such a folder comes whole onto the disk or not at all."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexing.types import ModelDamaged, ModelMissing, StorageFailed

FORMAT = 1
NAME = "manifest.json"
WEIGHTS = (".safetensors", ".bin")


@dataclass(frozen=True, slots=True)
class Entry:
    """Size in bytes and hexadecimal sha256 of one file."""

    size: int
    sha256: str


def read(folder: Path) -> dict[str, Entry] | None:
    """Files of the folder's manifest by relative path; None where there is none that can be read."""
    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return None
        return {path: Entry(int(entry["size"]), str(entry["sha256"])) for path, entry in content["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def entries(folder: Path, name: str) -> dict[str, Entry]:
    """The manifest's files, each of them there in its size.

    Raises ModelMissing when there is no folder, ModelDamaged when a file is gone, cut or unreadable.
    """
    hint = f"Run: passerine models install {name}"
    if not folder.is_dir():
        raise ModelMissing(f"The model {name} is not installed.", hint)
    files = read(folder)
    if not files:
        raise ModelDamaged(f"The model {name} has no readable manifest.", hint)
    for path, entry in files.items():
        file = folder / path
        if not file.is_file():
            raise ModelDamaged(f"The model {name} lacks its file {path}.", hint)
        if file.stat().st_size != entry.size:
            raise ModelDamaged(f"The model {name} has a file of the wrong size, {path}.", hint)
    return files


def write(folder: Path, name: str, origin: Mapping[str, str]) -> None:
    """Flush every file of the folder to disk and name its size and sha256 in the manifest."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != NAME):
        files[path.relative_to(folder).as_posix()] = {"size": path.stat().st_size, "sha256": sha256(path)}
        path.chmod(0o644)
        _flush(path)
    content: dict[str, Any] = {"format": FORMAT, "name": name, "origin": dict(origin), "files": files}
    (folder / NAME).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    _flush(folder / NAME)
    for path in [*(path for path in folder.rglob("*") if path.is_dir()), folder]:
        _flush(path)


def weights_sha256(folder: Path) -> str:
    """One sha256 for all weights of a model folder: what adapters, heads and fingerprints name as their base.

    Taken from the manifest where there is one, else computed. A model of one weights file has that file's.
    """
    known = read(folder) or {}
    digests = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in WEIGHTS):
        entry = known.get(path.relative_to(folder).as_posix())
        digests.append(entry.sha256 if entry else sha256(path))
    return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target`, gone afterwards; those that killed processes left go too.

    Raises StorageFailed when the disk cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        prefix = f".{target.name}.{os.getpid()}."
        with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageFailed("The disk is full.", f"Free a gigabyte for {target.parent} and try again.") from error
        raise StorageFailed(
            f"{target} cannot be written: {error.strerror or error}.", "Check its permissions."
        ) from error


def put(fresh: Path, target: Path, aside: Path) -> None:
    """Rename the folder `fresh` to `target`; what stood there moves `aside`."""
    if target.exists():
        target.rename(aside)
    fresh.rename(target)
    _flush(target.parent)


def _sweep(target: Path) -> None:
    """Remove the temporary folders of processes that are no more."""
    for folder in target.parent.glob(f".{target.name}.*.*"):
        owner = folder.name.removeprefix(f".{target.name}.").split(".")[0]
        if owner.isdigit() and not _runs(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _flush(path: Path) -> None:
    """fsync of a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
