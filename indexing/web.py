"""Sources on the web: one page, the pages that a sitemap lists, the entries of a feed.

A page is asked for with the validators of its last answer, so that one that has not changed is not sent again. Where
the sitemap or feed says when a page last changed and that moment is the known one, it is not even asked for, save once
a week: such dates are not always true.
"""

import hashlib
import io
import re
import time
from calendar import timegm
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from indexing.extract import Extracted, extract_page
from indexing.fetch import Fetched, Fetcher, Missing, Validators, unpacked
from indexing.formats.dates import as_utc
from indexing.formats.decode import decode
from indexing.formats.html import declared_charset
from indexing.rows import FileState
from indexing.sources import Failure, Gone, Item, Listing, Reading
from indexing.types import ExtractFailed, FetchFailed

MOST_PAGES = 50_000
"""Pages of one source: what the sitemap protocol allows in one file, and a day's work at a polite pace."""

MOST_SITEMAPS = 1_000
"""Files that an index of sitemaps may lead to."""

_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_WEEK = 7 * 24 * 3600 * 10**9  # nanoseconds for which a stamp is believed
_KINDS = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
}
_GUESSED = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream", "application/json"})
"""Types that say little: the ending and the first bytes decide."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One page as a list knows it: the fields that the list does not give are empty.

    `content` is its whole text as HTML, `stamp` says when it last changed, in whatever words.
    """

    key: str
    url: str
    title: str = ""
    content: str = ""
    published_at: datetime | None = None
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, or one file on the web."""

    name: str
    url: str
    fetcher: Fetcher

    def listing(self) -> Listing:
        return Listing([Item(self.url, self.url, self._read)])

    def _read(self, known: FileState | None) -> Reading:
        try:
            return _read_page(self.fetcher, self.name, Entry(self.url, self.url), known)
        except Gone as error:  # perhaps a slip of the site: a source that is missing keeps what it had
            raise FetchFailed(error.message, error.hint) from None


@dataclass(frozen=True, slots=True)
class Sitemap:
    """The pages that a sitemap lists, or an index of sitemaps. What is no longer listed is removed."""

    name: str
    url: str
    fetcher: Fetcher

    def listing(self) -> Listing:
        failed: list[Failure] = []
        pages: dict[str, Entry] = {}
        waiting, seen = [self.url], {self.url}
        while waiting:
            url = waiting.pop(0)
            try:
                found, further = read_sitemap(_fetched(self.fetcher, url).data, url, self.fetcher.rules.limit)
            except ExtractFailed as error:
                if url == self.url:
                    raise
                failed.append(Failure(url, error.message))
                continue
            pages |= {entry.key: entry for entry in found}
            new = [each for each in further if each not in seen]
            if len(seen) + len(new) > MOST_SITEMAPS:
                failed.append(Failure(url, f"It leads to more than {MOST_SITEMAPS:,} sitemaps."))
                new = new[: MOST_SITEMAPS - len(seen)]
            seen.update(new)
            waiting += new
        if len(pages) > MOST_PAGES:
            failed.append(Failure(self.url, f"It lists {len(pages):,} pages; the first {MOST_PAGES:,} are read."))
        kept = list(pages.values())[:MOST_PAGES]
        items = [Item(entry.key, entry.url, partial(_read_page, self.fetcher, self.name, entry)) for entry in kept]
        return Listing(items, complete=not failed, failed=failed)


@dataclass(frozen=True, slots=True)
class Feed:
    """The entries of an RSS or Atom feed. A feed shows the newest ones: those that leave it stay in the index.

    An entry that brings its whole text is taken from the feed, any other from the page that it links to.
    """

    name: str
    url: str
    fetcher: Fetcher

    def listing(self) -> Listing:
        entries = read_feed(_fetched(self.fetcher, self.url))
        items = {entry.key: Item(entry.key, entry.url, partial(self._read, entry)) for entry in entries}
        return Listing(list(items.values()), complete=False)

    def _read(self, entry: "Entry", known: FileState | None) -> Reading:
        if not entry.content:
            return _read_page(self.fetcher, self.name, entry, known)
        data = entry.content.encode()
        state = _State(hashlib.sha256(repr(entry).encode()).hexdigest()).remembered(self.name, entry.key, len(data))
        if known and known.digest == state.digest:
            return Reading(known)
        now = datetime.now(UTC)
        pages = extract_page(data, entry.url, self.name, entry.key, now, kind="html", charset="utf-8")
        return Reading(state, [_as_listed(page, entry) for page in pages])


def read_sitemap(data: bytes, url: str, limit: int) -> tuple[list[Entry], list[str]]:
    """(pages, addresses of further sitemaps) of a sitemap.

    XML, a list of addresses one a line, and both packed with gzip are understood. Small flaws in the XML are passed
    over. Raises ExtractFailed, also for what cannot be read to its end: half a list would look like pages gone.
    """
    from lxml import etree  # type: ignore[import-untyped]

    if data.startswith(b"\x1f\x8b"):
        data = unpacked(data, limit, url)
    if not data.lstrip().startswith((b"<", b"\xef\xbb\xbf<")):
        lines = data.decode("utf-8-sig", "replace").split()
        pages = [line for line in lines if line.startswith(("http://", "https://"))]
        if not pages or len(pages) < len(lines):
            raise ExtractFailed(f"{url} is no sitemap.", "A sitemap is XML, or lists addresses, one a line.")
        return [Entry(page, page) for page in pages], []
    parser = partial(etree.XMLParser, resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    try:
        root = etree.fromstring(data, parser())
        kind = etree.QName(root).localname if root is not None else ""
    except (etree.XMLSyntaxError, ValueError):
        kind = ""
    if kind not in ("urlset", "sitemapindex"):
        raise ExtractFailed(f"{url} is no sitemap.", "Name a feed with --kind feed, a single page with --kind page.")
    if etree.fromstring(data, parser(target=_Open())):
        raise ExtractFailed(f"{url} cannot be read to its end.", "It is cut off, or a tag in it is not closed.")
    found = [dict(_texts(each)) for each in root.iterchildren("{*}url", "{*}sitemap")]
    found = [each for each in found if each.get("loc")]
    if kind == "sitemapindex":
        return [], [each["loc"] for each in found]
    return [
        Entry(
            each["loc"],
            each["loc"],
            stamp=each.get("lastmod", ""),
            published_at=as_utc(each.get("publication_date")),
        )
        for each in found
    ], []


class _Open:
    """Counts the elements that a parser saw no end of: in the tree that it recovers, all of them have one."""

    def __init__(self) -> None:
        self.count = 0

    def start(self, _tag: str, _attributes: Mapping[str, str]) -> None:
        self.count += 1

    def end(self, _tag: str) -> None:
        self.count -= 1

    def close(self) -> int:
        return self.count


def _texts(entry: Any) -> Iterator[tuple[str, str]]:
    """(local name, text) of every element below an element of a sitemap."""
    for element in entry.iterdescendants("{*}loc", "{*}lastmod", "{*}publication_date"):
        name = element.tag.rpartition("}")[2]
        if name != "loc" or element.getparent() is entry:  # pictures and films have a loc of their own
            yield name, (element.text or "").strip()


def read_feed(fetched: Fetched) -> list[Entry]:
    """The entries of a feed that have an address or a text. Raises FetchFailed for what is no feed."""
    import feedparser

    charset = fetched.charset or declared_charset(fetched.data)
    text, _ = decode(fetched.data, fetched.url, charset)  # feedparser would decode with whatever the feed names
    headers = {"content-location": fetched.url, "content-type": "application/xml; charset=utf-8"}
    parsed = feedparser.parse(io.BytesIO(_DECLARATION.sub("", text).encode()), response_headers=headers)
    if not parsed.get("version"):
        raise FetchFailed(f"{fetched.url} is no feed.", "Name its RSS or Atom address, not the page that links to it.")
    entries = [_entry(each) for each in parsed.entries]
    return [replace(each, url=each.url or fetched.url) for each in entries if each.url or each.content]


def _entry(given: Any) -> Entry:
    updated = "updated" if "updated" in given else "published"  # feedparser warns where it would say the same itself
    link = str(given.get("link", ""))
    url = link if link.startswith(("http://", "https://")) else ""
    content = next((str(part.value) for part in given.get("content", ()) if part.value.strip()), "")
    return Entry(
        key=str(given.get("id") or url or hashlib.sha256(content.encode()).hexdigest()),
        url=url,
        title=str(given.get("title", "")),
        content=content,
        published_at=_moment(given.get("published_parsed") or given.get(f"{updated}_parsed")),
        stamp=str(given.get(updated, "")),
    )


def _moment(parsed: time.struct_time | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, OSError):  # a year that no calendar has
        return None


@dataclass(frozen=True, slots=True)
class _State:
    """What is remembered of a page: SHA-256 of its bytes, its validators, and when the list said it last changed."""

    digest: str
    validators: Validators = field(default_factory=Validators)
    stamp: str = ""

    def remembered(self, source: str, key: str, size: int) -> FileState:
        """As the index keeps it: the parts on lines of their own, and now as the time of the look."""
        parts = (self.digest, self.validators.etag, self.validators.modified, self.stamp)
        packed = "\n".join(part.replace("\n", " ") for part in parts)
        return FileState(source, key, size, time.time_ns(), packed)

    @classmethod
    def of(cls, known: FileState | None) -> "_State":
        digest, etag, modified, stamp = ((known.digest if known else "") + "\n\n\n").split("\n")[:4]
        return cls(digest, Validators(etag, modified), stamp)


def _read_page(fetcher: Fetcher, source: str, entry: Entry, known: FileState | None) -> Reading:
    """A page, unless it is as it was. Raises Gone, ExtractFailed, Cancelled."""
    before = _State.of(known)
    if known and entry.stamp and before.stamp == entry.stamp and time.time_ns() - known.modified < _WEEK:
        return Reading(known)
    try:
        fetched = fetcher.fetch(entry.url, before.validators)
    except Missing as error:
        raise Gone(error.message, error.hint) from None
    if fetched is None:
        assert known
        return Reading(replace(before, stamp=entry.stamp).remembered(source, entry.key, known.size))
    digest = hashlib.sha256(fetched.data).hexdigest()
    state = _State(digest, fetched.validators, entry.stamp).remembered(source, entry.key, len(fetched.data))
    if digest == before.digest:
        return Reading(state)
    problems: list[ExtractFailed] = []
    pages = extract_page(
        fetched.data,
        fetched.url,
        source,
        entry.key,
        datetime.now(UTC),
        kind=_kind(fetched),
        charset=fetched.charset,
        limit=fetcher.rules.limit,
        on_failure=problems.append,
    )
    return Reading(state, [*(_as_listed(page, entry) for page in pages), *problems])


def _kind(fetched: Fetched) -> str:
    """The kind of document that a server says it sends, "" where it says little. Raises ExtractFailed for no text."""
    kind = fetched.media_type
    if kind in _KINDS or kind in _GUESSED:
        return _KINDS.get(kind, "")
    if kind.startswith("text/") or kind.endswith(("xml", "json")):
        return "text"
    raise ExtractFailed(f"{fetched.url} is of the type {kind}, which holds no text.", "Leave it out.")


def _as_listed(page: Extracted, entry: Entry) -> Extracted:
    """The page under the title that its list gives, and with the date of the list where it names none."""
    document = page.document
    title, published_at = entry.title or document.title, document.published_at or entry.published_at
    return replace(page, document=replace(document, title=title, published_at=published_at, content_hash=""))


def _fetched(fetcher: Fetcher, url: str) -> Fetched:
    """What is at the address of a list. Raises FetchFailed, also for one that is not there."""
    fetched = fetcher.fetch(url)
    assert fetched
    return fetched
