"""Approved answers: questions and answers that a person reviewed, read and edited while the service runs."""

import threading
from pathlib import Path

from indexing.types import NotFound
from models.approved import BUNDLED, Approved, read_approved, write_approved
from service.errors import did_you_mean

FILE = "approved-answers.yaml"


class ApprovedStore:
    """The file of approved answers: the one that is named, else the one in `home`, else the bundled one.

    The first edit of the bundled ones makes the file in `home`.
    """

    def __init__(self, home: Path, named: Path | None = None) -> None:
        self.own = named or home / FILE
        self.named = named is not None
        self._lock = threading.Lock()

    def file(self) -> Path:
        """The one that holds now."""
        return self.own if self.named or self.own.is_file() else BUNDLED

    def list(self) -> "list[Approved]":
        """In the order of the file. Raises BadInput when it cannot be read."""
        return read_approved(self.file())

    def get(self, entry_id: str) -> Approved:
        """Raises NotFound, naming the nearest."""
        entries = self.list()
        for entry in entries:
            if entry.id == entry_id:
                return entry
        raise unknown(entry_id, entries)

    def put(self, entry: Approved) -> None:
        """Replaces the entry of the same id where it stands, or adds one at the end."""
        with self._lock:
            entries = self.list()
            if any(each.id == entry.id for each in entries):
                entries = [entry if each.id == entry.id else each for each in entries]
            else:
                entries.append(entry)
            write_approved(self.own, entries)

    def delete(self, entry_id: str) -> None:
        """Raises NotFound."""
        with self._lock:
            entries = self.list()
            kept = [entry for entry in entries if entry.id != entry_id]
            if len(kept) == len(entries):
                raise unknown(entry_id, entries)
            write_approved(self.own, kept)


def unknown(entry_id: str, entries: "list[Approved]") -> NotFound:
    hint = did_you_mean(entry_id, [entry.id for entry in entries])
    return NotFound(f"There is no approved answer '{entry_id}'.", f"{hint}GET /v1/approved-answers lists them.")
