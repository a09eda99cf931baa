"""A file that came over HTTP as the documents in it: what a folder can hold, a person can drop on the page."""

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from indexing.extract import Extracted, extract_file
from indexing.types import BadInput, Document

SOURCE = "upload"
"""The source of all uploaded documents; the same file name again replaces the document."""
LONGEST_NAME = 255
"""What common file systems take."""


def read_upload(name: str, data: bytes, modified: datetime | None = None) -> list[Extracted]:
    """The documents of a file with this name. Raises BadInput for what is no file name, ExtractFailed naming why.

    `modified` is when the file was last changed: the date of a document that states none.
    """
    if Path(name).name != name or name in (".", "..") or len(os.fsencode(name)) > LONGEST_NAME:
        raise BadInput(f"'{name[:80]}' is no file name.", f"At most {LONGEST_NAME} bytes, without folders.")
    with TemporaryDirectory(prefix="passerine-upload-") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        if modified is not None:
            os.utime(path, (modified.timestamp(), modified.timestamp()))
        found, address = extract_file(path, SOURCE, Path(folder)), path.as_uri()
    return [replace(each, document=named(each.document, address, name)) for each in found]


def named(document: Document, address: str, name: str) -> Document:
    """The document with the file's name where the address of the temporary file stands."""
    if not document.url.startswith(address):
        return document
    return replace(document, url=name + document.url.removeprefix(address))
