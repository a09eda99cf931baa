"""A file's bytes -> Document and its marks. Whatever is wrong with the file, the one error is ExtractFailed."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from indexing.files import DOCUMENT_TYPES, key_of
from indexing.formats.dates import stated_date
from indexing.formats.decode import decode
from indexing.formats.draft import Draft, visible
from indexing.formats.records import Record, read_lines, read_record
from indexing.language import detect_language
from indexing.types import Document, ExtractFailed, Mark, PasserineError

__all__ = [
    "DEFAULT_LIMIT",
    "Extracted",
    "content_hash",
    "detect_language",
    "document_id",
    "extract_file",
    "extract_page",
    "record_document",
]

DEFAULT_LIMIT = 50 * 1024 * 1024
"""Bytes of the largest file that is read: a book of words is under 5 MiB, what is larger is mostly data."""

_TITLE = 300
_OPAQUE = (
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"RIFF", "a sound, picture or film"),
    (b"\x1f\x8b", "a compressed file"),
    (b"7z\xbc\xaf", "an archive"),
    (b"Rar!", "an archive"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database"),
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document with where its headings and pages begin."""

    document: Document
    marks: tuple[Mark, ...] = ()


def extract_file(
    path: Path,
    source: str,
    root: Path,
    *,
    limit: int = DEFAULT_LIMIT,
    on_failure: Callable[[ExtractFailed], None] | None = None,
) -> list[Extracted]:
    """The documents of a file: one, or as many as a JSON Lines file has lines.

    `root` is the folder (or the file itself) that the source reads; with `source` it gives the documents
    their ids. A bad line of a JSON Lines file goes to `on_failure` and the others are read; without
    `on_failure` it is raised. Raises ExtractFailed, naming the file and the reason.
    """
    data, modified = _read(path, limit)
    origin = _Origin(source, key_of(path, root), path.absolute().as_uri(), modified, _kind(path.name, data))
    return _extract(data, path.name, origin, limit, on_failure=on_failure)


def extract_page(
    data: bytes,
    url: str,
    source: str,
    key: str,
    fetched_at: datetime,
    *,
    kind: str = "",
    charset: str = "",
    limit: int = DEFAULT_LIMIT,
    on_failure: Callable[[ExtractFailed], None] | None = None,
) -> list[Extracted]:
    """The documents of what `url` gave; `kind` (a value of DOCUMENT_TYPES) and `charset` as its server names them.

    Otherwise as `extract_file`. Raises ExtractFailed, naming the page and the reason.
    """
    path = unquote(urlsplit(url).path)
    name = path.rstrip("/").rpartition("/")[2] or urlsplit(url).netloc
    if not data.strip():
        raise ExtractFailed(f"{name} is empty.", "Leave it out.")
    origin = _Origin(source, key, url, fetched_at, _kind(name, data, kind))
    return _extract(data, name, origin, limit, charset, on_failure)


def record_document(
    value: Mapping[str, object], source: str, key: str, fetched_at: datetime, where: str = "The document"
) -> Extracted:
    """A document from one record (as in a JSON Lines file) of what `key` names in the source.

    Its own id tells it from the others, else its url, else its text. Raises ExtractFailed naming the wrong field.
    """
    record = read_record(dict(value), where)
    origin = _Origin(source, key, record.url, fetched_at, "record")
    return _from_record(record, origin, f"{key}#{record.id or record.url or record.draft.text}", record.url)


def _extract(
    data: bytes,
    name: str,
    origin: "_Origin",
    limit: int,
    charset: str = "",
    on_failure: Callable[[ExtractFailed], None] | None = None,
) -> list[Extracted]:
    if origin.kind == "jsonl":
        return _extract_lines(data, name, origin, on_failure)
    try:
        draft = _draft(origin.kind, data, name, limit, charset)
    except (PasserineError, OSError, MemoryError):
        raise
    except Exception as error:  # the edge to the parsers, which raise anything on input they did not foresee
        log.warning("%s could not be read as %s.", name, origin.kind, exc_info=True)
        raise ExtractFailed(f"{name} could not be read as {origin.kind}.", "Open it and save it again.") from error
    if not draft.text.strip():
        raise ExtractFailed(f"{name} holds no text of its own.", "Leave it out, or check what is in it.")
    if not draft.title:
        ending = PurePosixPath(name).suffix
        stem = name.removesuffix(ending) if ending.lower() in DOCUMENT_TYPES else name
        draft.title = stem.replace("_", " ").replace("-", " ").strip() or name
    return [origin.extracted(draft, origin.key, origin.url)]


def document_id(source: str, key: str) -> str:
    """The id of the document with this key in this source: 16 hexadecimal digits, the same in every refresh."""
    return hashlib.sha256(f"{source}\0{key}".encode("utf-8", errors="surrogatepass")).hexdigest()[:16]


def content_hash(document: Document) -> str:
    """Hash of everything that a person can see of a document: 32 hexadecimal digits."""
    published = document.published_at.isoformat() if document.published_at else ""
    seen = [
        document.title,
        document.text,
        document.url,
        published,
        document.language,
        sorted(document.metadata.items()),
    ]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Origin:
    source: str
    key: str
    url: str
    modified_at: datetime
    kind: str

    def extracted(self, draft: Draft, key: str, url: str) -> Extracted:
        metadata = {name: value for name, value in draft.metadata.items() if value}
        declared = metadata.pop("lang", "") or metadata.pop("language", "")
        metadata |= {"path": self.key, "type": self.kind}
        document = Document(
            id=document_id(self.source, key),
            url=url,
            title=draft.title[:_TITLE],
            text=draft.text,
            published_at=draft.published_at or stated_date(draft.text),
            fetched_at=self.modified_at,
            language=detect_language(draft.text) or _primary(declared),
            metadata=metadata,
            source=self.source,
        )
        return Extracted(replace(document, content_hash=content_hash(document)), draft.marks)


def _primary(tag: str) -> str:
    """The ISO 639-1 code of a language tag such as "en-GB"."""
    code = tag.lower().replace("_", "-").split("-")[0]
    return code if len(code) == 2 and code.isalpha() else ""


def _read(path: Path, limit: int) -> tuple[bytes, datetime]:
    name = path.name
    try:
        if path.is_dir():
            next(path.iterdir(), None)
            raise ExtractFailed(f"{name} is a folder, not a file.", "Name the files in it, or refresh the folder.")
        if not path.is_file():
            reason = (
                "leads nowhere" if path.is_symlink() else "is no ordinary file" if path.exists() else "is not there"
            )
            raise ExtractFailed(f"{name} {reason}.", "Leave it out.")
        size = path.stat().st_size
        if size <= limit:
            with path.open("rb") as file:
                data = file.read(limit + 1)
                modified = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
            size = len(data)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise ExtractFailed(f"{name} cannot be opened: {reason}.", "Check its permissions and its disk.") from error
    except (ValueError, OverflowError):
        modified = datetime.now(UTC)
    if size > limit:
        raise ExtractFailed(
            f"{name} has {size / 2**20:,.0f} MiB; files over {limit / 2**20:,.0f} MiB are not read.",
            "Split it, or raise the size limit.",
        )
    if not data.strip():
        raise ExtractFailed(f"{name} is empty.", "Leave it out.")
    return data, modified


def _kind(name: str, data: bytes, declared: str = "") -> str:
    """The kind of a file: as declared or by its ending, save where the first bytes say another thing."""
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return "pdf"
    kind = declared or DOCUMENT_TYPES.get(PurePosixPath(name).suffix.lower(), "")
    for magic, what in _OPAQUE:
        if data.startswith(magic):
            raise ExtractFailed(f"{name} is {what}, not a document.", "Leave it out.")
    if data.startswith(b"PK\x03\x04") and kind not in ("docx", "xlsx"):
        for folder, inside in ((b"word/", "docx"), (b"xl/", "xlsx")):
            if folder in data[:4096]:
                return inside
        raise ExtractFailed(f"{name} is an archive, not a document.", "Unpack it first.")
    head = data[:512].lstrip().lower()
    if not kind and head.startswith((b"<!doctype html", b"<html")):
        return "html"
    return kind or "text"


def _draft(kind: str, data: bytes, name: str, limit: int, charset: str) -> Draft:
    if kind == "pdf":
        from indexing.formats.pdf import read_pdf

        return read_pdf(data, name)
    if kind == "docx":
        from indexing.formats.docx import read_docx

        return read_docx(data, name, limit)
    if kind == "xlsx":
        from indexing.formats.xlsx import read_xlsx

        return read_xlsx(data, name, limit)
    if kind == "html":
        from indexing.formats.html import declared_charset, read_html

        text, encoding = decode(data, name, charset or declared_charset(data))
        draft = read_html(text, name)
    elif kind == "markdown":
        from indexing.formats.markdown import read_markdown

        text, encoding = decode(data, name, charset)
        draft = read_markdown(text)
    elif kind == "csv":
        from indexing.formats.delimited import read_delimited

        text, encoding = decode(data, name, charset)
        draft = read_delimited(text)
    else:
        from indexing.formats.plain import read_plain

        text, encoding = decode(data, name, charset)
        draft = read_plain(text)
    if encoding not in ("utf-8", "ascii"):
        draft.metadata["encoding"] = encoding
    return draft


def _extract_lines(
    data: bytes, name: str, origin: _Origin, on_failure: Callable[[ExtractFailed], None] | None
) -> list[Extracted]:
    text, _ = decode(data, name)
    found: dict[str, Extracted] = {}
    for number, record in read_lines(visible(text), name):
        if isinstance(record, ExtractFailed):
            problem = record
        else:
            key = f"{origin.key}#{record.id or number}"
            if key not in found:
                found[key] = _from_record(record, origin, key, record.url or f"{origin.url}#L{number}")
                continue
            problem = ExtractFailed(
                f'Line {number} of {name} has the id "{record.id}" of an earlier line.', "Give each line its own id."
            )
        if on_failure is None:
            raise problem
        on_failure(problem)
    return list(found.values())


def _from_record(record: Record, origin: _Origin, key: str, url: str) -> Extracted:
    draft = record.draft
    if not draft.title:
        first = draft.text.split("\n", 1)[0].strip()
        draft.title = first if len(first) <= 80 else first[:79].rstrip() + "…"
    return origin.extracted(draft, key, url)
