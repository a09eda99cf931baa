"""What a path holds: the documents of a folder, or one file, each under a key that stays the same."""

import os
import stat
from collections import Counter
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
    ".xlsx": "xlsx",
    **dict.fromkeys((".csv", ".tsv"), "csv"),
}
"""File endings that a folder is searched for, and the kind of each."""

_NOT_DOCUMENTS = frozenset({"_sources", "_static", "_images", "_downloads", "node_modules", "__pycache__"})
"""Folders of built documentation and of programs that hold no documents, or the same ones again."""

_OWN = "passerine.db"
"""What tells the folder that Passerine keeps its own files in, which nobody misses among the documents."""

_LEFT_BEHIND = ("~$", "thumbs.db", "desktop.ini")
"""How the names of files begin that Word and Windows leave in a folder and nobody wrote."""


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


def files(path: Path, skipped: Counter[str] | None = None) -> Iterator[File]:
    """The documents of a folder in a stable order, or the one file named (of whatever kind).

    Hidden files are left out, and files that are no documents. Links are followed, each folder and file
    once. A folder or link that cannot be read is a file with an error. `skipped` counts, by their endings, the files
    that are left out because nothing here reads their kind.
    Raises BadInput when the path does not exist, OSError when it is a folder that cannot be listed.
    """
    if not os.path.lexists(path):
        raise BadInput(f"There is no file or folder {path}.", "Check the path.")
    path = path.absolute()
    if not path.is_dir():
        yield _file(path, path)
        return
    seen: set[tuple[int, int]] = set()
    waiting = [(path, skipped)]  # the next one last
    while waiting:
        current, counted = waiting.pop()
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
        if any(entry.name == _OWN for entry in entries):
            counted = None
        for entry in filter(_may_hold, entries):
            if _is_folder(entry) or _read(entry.name):
                waiting.append((Path(entry.path), counted))
            elif counted is not None:
                counted[_ending(entry.name)] += 1


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
    return _read(name) and not (_hidden(name) or any(_hidden(each) or each in _NOT_DOCUMENTS for each in folders))


def _may_hold(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file or a folder of somebody's: not hidden, not left behind by a program, no pipe or socket."""
    if _hidden(entry.name):
        return False
    if _is_folder(entry):
        return entry.name not in _NOT_DOCUMENTS
    try:
        return entry.is_file() or entry.is_symlink()
    except OSError:  # a link into itself
        return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into itself
        return False


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower().startswith(_LEFT_BEHIND)


def _read(name: str) -> bool:
    """Whether the ending of a file's name is one that is read."""
    return PurePosixPath(name).suffix.lower() in DOCUMENT_TYPES


def _ending(name: str) -> str:
    """What tells the kind of a file: its ending, or the name of one that has none."""
    return PurePosixPath(name).suffix.lower() or name


def _file(path: Path, root: Path, error: str = "") -> File:
    try:
        found = path.stat()
        size = 0 if path.is_dir() else found.st_size
        modified = datetime.fromtimestamp(found.st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        size, modified = 0, datetime.fromtimestamp(0, UTC)
    return File(key_of(path, root), path.as_uri(), path, size, modified, error)
