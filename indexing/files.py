"""What a path holds: the documents of a folder, or one file, each under a key that stays the same."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from indexing.types import BadInput

DOCUMENT_TYPES = {
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd"), "markdown"),
    **dict.fromkeys((".txt", ".text"), "text"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    ".pdf": "pdf",
    ".docx": "docx",
}
"""File endings that a folder is searched for, and the kind of each."""

_NOT_DOCUMENTS = frozenset({"_sources", "_static", "_images", "_downloads", "node_modules", "__pycache__"})
"""Folders of built documentation and of programs that hold no documents, or the same ones again."""


@dataclass(frozen=True, slots=True)
class File:
    """One file. `key` is its path below the source, with "/"; size in bytes; `modified_at` in UTC.

    `error` says why it cannot be read, or why a folder cannot be listed: what is below it is then not known.
    """

    key: str
    url: str
    path: Path
    size: int
    modified_at: datetime
    error: str = ""


def files(path: Path) -> Iterator[File]:
    """The documents of a folder in a stable order, or the one file named (of whatever kind).

    Hidden files are left out, and files that are no documents. Links are followed, each folder and file
    once. A folder or link that cannot be read is a file with an error.
    Raises BadInput when the path does not exist, OSError when it is a folder that cannot be listed.
    """
    if not os.path.lexists(path):
        raise BadInput(f"There is no file or folder {path}.", "Check the path.")
    path = path.absolute()
    if not path.is_dir():
        yield _file(path, path)
        return
    seen: set[tuple[int, int]] = set()
    waiting: list[Path] = [path]  # the next one last
    while waiting:
        current = waiting.pop()
        try:
            found = current.stat()
            identity = found.st_dev, found.st_ino
            if identity in seen:
                continue
            folder = stat.S_ISDIR(found.st_mode)
            entries = sorted(os.scandir(current), key=lambda entry: entry.name, reverse=True) if folder else []
        except OSError as error:
            if current == path:
                raise
            yield _file(current, path, f"{error.strerror}.")
            continue
        seen.add(identity)
        if not folder:
            yield _file(current, path)
        waiting.extend(Path(entry.path) for entry in entries if _wanted(entry))


def key_of(path: Path, root: Path) -> str:
    """Path below the root with "/", or the file's name when the root is the file; printable whatever its bytes."""
    try:
        relative = path.absolute().relative_to(root.absolute())
    except ValueError:
        relative = Path(path.name)
    name = relative.as_posix() if relative.parts else path.name
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def is_document(key: str) -> bool:
    """Whether a file of this key would be listed of a folder that holds it: by its ending, and not hidden."""
    *folders, name = key.split("/")
    hidden = name.startswith(".") or any(each.startswith(".") or each in _NOT_DOCUMENTS for each in folders)
    return not hidden and PurePosixPath(name).suffix.lower() in DOCUMENT_TYPES


def _wanted(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return False
    try:
        if entry.is_dir():
            return entry.name not in _NOT_DOCUMENTS
        special = entry.is_file() is False and not entry.is_symlink()
    except OSError:  # a link into itself
        special = False
    return not special and Path(entry.name).suffix.lower() in DOCUMENT_TYPES


def _file(path: Path, root: Path, error: str = "") -> File:
    try:
        found = path.stat()
        size = 0 if path.is_dir() else found.st_size
        modified = datetime.fromtimestamp(found.st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        size, modified = 0, datetime.fromtimestamp(0, UTC)
    return File(key_of(path, root), path.as_uri(), path, size, modified, error)
