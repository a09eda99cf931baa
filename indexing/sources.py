"""Where documents come from: a source lists its items, and each item is read when it has changed."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol

from indexing.extract import Extracted, extract_file
from indexing.files import File, files
from indexing.rows import FileState
from indexing.types import BadInput, ExtractFailed


@dataclass(frozen=True, slots=True)
class Failure:
    """A document, or a file of them, that was not indexed, and why."""

    url: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """An item as it is now.

    `state` is remembered when all of it could be indexed, and handed to the next reading; None: nothing tells whether
    it changes. `found` are its documents, and what is wrong with one; None when the item is as it was.
    """

    state: FileState | None
    found: Iterable[Extracted | ExtractFailed] | None = None


class Gone(ExtractFailed):
    """The source lists the item, and it is there no more: its documents are removed."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that holds documents: a file, a page, a feed's entry, the rows of a query.

    `key` is its name in the source, the same in every refresh. `read` is given what was remembered of it; it raises
    Gone, ExtractFailed or OSError.
    """

    key: str
    url: str
    read: Callable[[FileState | None], Reading]


def gone(_key: str) -> str:
    """Of a source whose list can be believed."""
    return ""


def nothing(_known: Mapping[str, FileState]) -> None:
    """Of a source that is read item by item."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source holds now. `complete`: what is not listed is gone. `failed` is what hindered the listing, `skipped`
    counts by their endings the files whose kind nothing here reads.

    `out_of_reach` says why an item that is no longer listed cannot be looked for; "" when it is really gone. `ahead` is
    told what is remembered of all items before they are read in their order, so that some can be fetched beforehand.
    """

    items: Sequence[Item]
    complete: bool = True
    failed: Sequence[Failure] = ()
    out_of_reach: Callable[[str], str] = gone
    ahead: Callable[[Mapping[str, FileState]], None] = nothing
    skipped: Counter[str] = field(default_factory=Counter)


class Source(Protocol):
    """Documents from one place. A refresh of one source never touches another's documents."""

    @property
    def name(self) -> str:
        """What its documents carry as `source`: the absolute path of a folder or file, else a name."""
        ...

    def listing(self) -> Listing:
        """Raises BadInput, or ExtractFailed, when the source cannot be looked at: then nothing of it is removed."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with all below it, or one file. `root` is absolute."""

    root: Path

    @property
    def name(self) -> str:
        return str(self.root)

    def listing(self) -> Listing:
        skipped: Counter[str] = Counter()
        try:
            self.root.stat()
            found = list(files(self.root, skipped))
        except OSError as error:
            raise BadInput(
                f"{self.root} cannot be read: {error.strerror}.", "Check the path and its permissions."
            ) from None
        items = [Item(file.key, file.url, partial(self._read, file)) for file in found]
        unread = {file.key: file for file in found if file.error}
        return Listing(items, out_of_reach=partial(self._out_of_reach, unread), skipped=skipped)

    def _out_of_reach(self, unread: Mapping[str, File], key: str) -> str:
        for folder in PurePosixPath(key).parents:
            if file := unread.get(str(folder)):
                return _reason(file)
        path = self.root if self.root.is_file() else self.root / key
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            return f"{error.strerror}."
        return ""

    def _read(self, file: File, known: FileState | None) -> Reading:
        """A file is looked at when its size or time of change differs, and read when its bytes do."""
        if file.error:
            raise ExtractFailed(_reason(file))
        seen = file.path.stat()
        if known and (known.size, known.modified) == (seen.st_size, seen.st_mtime_ns):
            return Reading(known)
        state = FileState(self.name, file.key, seen.st_size, seen.st_mtime_ns, _digest(file.path))
        if known and known.digest == state.digest:
            return Reading(state)
        problems: list[ExtractFailed] = []
        documents = extract_file(file.path, self.name, self.root, on_failure=problems.append)
        return Reading(state, [*documents, *problems])


def _reason(file: File) -> str:
    return f"{file.path.name} cannot be read: {file.error}"


def _digest(path: Path) -> str:
    """SHA-256 of a file. Raises OSError, and ExtractFailed for what is no file."""
    if not path.is_file():
        raise ExtractFailed(f"{path.name} cannot be read as a file.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
