"""What Word and Excel files have in common: a zip archive that is looked at before it is opened."""

import io
import zipfile
import zlib
from dataclasses import dataclass

from indexing.types import ExtractFailed

ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_UNPACKED = 20
"""A file may unpack to this many times the size limit of files: pictures do not grow, text grows tenfold."""


@dataclass(frozen=True, slots=True)
class Office:
    """A program, what its files are called ("Word document"), and their ending."""

    program: str
    what: str
    ending: str

    def broken(self, name: str) -> ExtractFailed:
        return ExtractFailed(
            f"{name} is a damaged {self.what} or none at all.", f"Open it in {self.program} and save it again."
        )

    def check(self, data: bytes, name: str, limit: int) -> None:
        """Raises ExtractFailed for a file that is protected, of an old format, no archive, or grows beyond measure."""
        if data.startswith(_OLD_OFFICE):
            if _ENCRYPTED in data:
                raise ExtractFailed(
                    f"{name} is protected with a password.", "Save a copy without the password, or leave it out."
                )
            raise ExtractFailed(f"{name} is in {self.program}'s format from before 2007.", f"Save it as {self.ending}.")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                entries = archive.infolist()
        except ZIP_ERRORS as error:
            raise self.broken(name) from error
        if any(entry.flag_bits & 1 for entry in entries):
            raise ExtractFailed(f"{name} is protected with a password.", "Save a copy without the password.")
        unpacked = sum(entry.file_size for entry in entries)
        text = sum(entry.file_size for entry in entries if entry.filename.endswith(".xml"))
        if unpacked > _UNPACKED * limit or text > 4 * limit:
            raise ExtractFailed(
                f"{name} would unpack to {unpacked >> 20} MiB, which is more than is read.",
                "Leave it out if you do not know where it comes from, else split it or raise the size limit.",
            )
