"""Where documents come from, kept under names: folders, pages, sitemaps, feeds, queries and buckets."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from indexing.bucket import SCHEME, Bucket, check_bucket, connected
from indexing.fetch import Fetcher, FetchRules, parsed
from indexing.query import Query, check_query, shown
from indexing.refresh import UPLOADED
from indexing.sources import Failure, Folder, Source
from indexing.types import BadInput, Conflict, Document, ExtractFailed, NotFound
from indexing.web import Feed, Page, Sitemap
from models.types import Cancelled, never
from service.database import JOBS, SOURCES
from service.errors import did_you_mean
from service.uploads import SOURCE as UPLOADED_FILES

Kind = Literal["path", "page", "sitemap", "feed", "query", "bucket"]
LOCAL: tuple[Kind, ...] = ("path", "query", "bucket")
"""Kinds that read what only this machine reaches: its files, its databases, what its credentials open."""

SENT = (UPLOADED, UPLOADED_FILES)
"""What documents that came over HTTP carry as `source`: removing a source of that name would remove them."""

MOST_TRIED = 5
"""Documents that a test of a source reads: enough to see whether their titles, dates and texts are right."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FEED = re.compile(r"(?i)\.(rss|atom)$|/(feed|rss|atom)(\.xml)?/?$")
_SITEMAP = re.compile(r"(?i)/[^/]*sitemap[^/]*\.(xml|txt)(\.gz)?$")


@dataclass(frozen=True, slots=True)
class StoredSource:
    """One source as it is kept. `query` is the SQL of a query, "" of any other kind."""

    name: str
    kind: Kind
    location: str
    query: str
    created_at: datetime

    @property
    def key(self) -> str:
        """What its documents carry as `source`, and filters name."""
        return self.location if self.kind == "path" else self.name

    @property
    def place(self) -> str:
        """The location as a person may see it, without a password."""
        return shown(self.location) if self.kind == "query" else self.location


@dataclass(frozen=True, slots=True)
class Tried:
    """What a source holds: how many items it lists, its first documents, and what could not be read of them."""

    listed: int
    documents: tuple[Document, ...]
    failed: tuple[Failure, ...]


class Sources:
    """The store of sources."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add(self, location: str, name: str = "", kind: Kind | None = None, query: str = "") -> StoredSource:
        """Keeps a source; without a name it is named after its location, and its kind is guessed from that. Refreshes
        of its path that were there before are its own from now on.

        Raises BadInput for a location or name that cannot be, Conflict for one that is there.
        """
        stored = described(location, name, kind, query)
        for other in self.list():
            if (other.kind, other.location, other.query) == (stored.kind, stored.location, stored.query):
                raise Conflict(f"This is the source '{other.name}' already.", f"`passerine refresh {other.name}`")
        values = {field: getattr(stored, field) for field in SOURCES.c.keys()}  # noqa: SIM118 - not a mapping
        try:
            with self.engine.begin() as connection:
                connection.execute(insert(SOURCES).values(values))
                connection.execute(update(JOBS).where(JOBS.c.source == stored.key).values(source=stored.name))
        except IntegrityError:
            raise Conflict(f"There is a source '{stored.name}' already.", "Give this one another name.") from None
        return stored

    def list(self) -> list[StoredSource]:
        """By name."""
        with self.engine.connect() as connection:
            return [StoredSource(*row) for row in connection.execute(select(SOURCES).order_by(SOURCES.c.name))]

    def get(self, name: str) -> StoredSource:
        """Raises NotFound, naming the nearest."""
        with self.engine.connect() as connection:
            row = connection.execute(select(SOURCES).where(SOURCES.c.name == name)).one_or_none()
        if row is None:
            hint = did_you_mean(name, [source.name for source in self.list()])
            raise NotFound(f"There is no source '{name}'.", f"{hint}`passerine source list` shows all.")
        return StoredSource(*row)

    def find(self, name: str) -> StoredSource:
        """The source of a name, a path, an address or a bucket: one that is kept, else one for this time, whose name is
        its location. Raises NotFound, and BadInput for a location that cannot be."""
        path, kept = Path(name).expanduser(), self.list()
        if any(source.name == name for source in kept) or not ("://" in name or path.exists() or path.name != name):
            return self.get(name)
        if "://" in name:
            once = described(name, "once")
        else:
            once = StoredSource("", "path", str(path.resolve()), "", datetime.now(UTC))
        same = (source for source in kept if (source.kind, source.location) == (once.kind, once.location))
        return next(same, replace(once, name=once.location))

    def remove(self, name: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(SOURCES).where(SOURCES.c.name == name))


def described(location: str, name: str = "", kind: Kind | None = None, query: str = "") -> StoredSource:
    """A source that is not kept yet. Raises BadInput for a location or name that cannot be."""
    location = location.strip()
    if not location:
        raise BadInput("The source has no location.", "Name a folder, a file, an address, a bucket, or a database.")
    kind = kind or guessed(location, query)
    if query and kind != "query":
        raise BadInput(f"A source of the kind {kind} takes no query.", "Leave it out, or name a database.")
    if kind == "path":
        path = Path(location).expanduser()
        if not path.exists():
            raise BadInput(f"There is no file or folder {path}.", "Check the path.")
        location = str(path.resolve())
    elif kind == "query":
        check_query(location, query)
    elif kind == "bucket":
        location = check_bucket(location)
    else:
        try:
            location = str(parsed(location))
        except ExtractFailed as error:
            raise BadInput(error.message, error.hint) from None
    name = name or suggested(location, kind)
    if not _NAME.fullmatch(name) or name in SENT:
        raise BadInput(
            f"'{name[:80]}' cannot be the name of a source.",
            f"Use up to 64 letters, digits, dots, dashes and underscores, not {' or '.join(SENT)} alone.",
        )
    return StoredSource(name, kind, location, query, datetime.now(UTC))


def guessed(location: str, query: str) -> Kind:
    """The kind that a location looks like."""
    if query:
        return "query"
    if location.startswith(("http://", "https://")):
        path = urlsplit(location).path
        return "sitemap" if _SITEMAP.search(path) else "feed" if _FEED.search(path) else "page"
    if location.startswith(SCHEME):
        return "bucket"
    return "query" if "://" in location else "path"


def suggested(location: str, kind: Kind) -> str:
    """A name for a source from its location: that of its folder, file, host, bucket or database."""
    if kind == "path":
        word = Path(location).name
    elif kind == "query":
        word = urlsplit(location).path.rpartition("/")[2]
    else:
        word = urlsplit(location).hostname or ""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", word).strip("-._")[:64] or "source"


@contextmanager
def opened(stored: StoredSource, rules: FetchRules, cancelled: Cancelled = never) -> Iterator[Source]:
    """The source itself, to list and read; what it holds open is closed with the block."""
    if stored.kind == "path":
        yield Folder(Path(stored.location))
    elif stored.kind == "query":
        yield Query(stored.name, stored.location, stored.query)
    elif stored.kind == "bucket":
        with connected() as client:
            yield Bucket(stored.name, stored.location, client, rules.limit, cancelled)
    else:
        kinds: dict[Kind, Callable[[str, str, Fetcher], Source]] = {"page": Page, "sitemap": Sitemap, "feed": Feed}
        with closing(Fetcher(rules, cancelled)) as fetcher:
            yield kinds[stored.kind](stored.name, stored.location, fetcher)


def tried(source: Source) -> Tried:
    """The first documents of a source, read and not kept. Raises BadInput or ExtractFailed when it cannot be listed."""
    listing = source.listing()
    documents: list[Document] = []
    failed = list(listing.failed)
    for item in listing.items[:MOST_TRIED]:
        try:
            for found in item.read(None).found or ():
                if isinstance(found, ExtractFailed):
                    failed.append(Failure(item.url, found.message))
                else:
                    documents.append(found.document)
                if len(documents) + len(failed) >= MOST_TRIED:
                    break
        except ExtractFailed as error:
            failed.append(Failure(item.url, error.message))
        except OSError as error:
            failed.append(Failure(item.url, f"{item.key} cannot be read: {error.strerror}."))
    return Tried(len(listing.items), tuple(documents), tuple(failed))
