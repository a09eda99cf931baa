"""Pages, sitemaps and feeds as sources: what changed is fetched, what did not is not, and nothing is lost."""

import gzip
import json
import time
from datetime import UTC, datetime

import pytest

from indexing import web
from indexing.fetch import Fetched, Fetcher, Validators
from indexing.refresh import RefreshReport, refresh
from indexing.sources import Source
from indexing.store import Index
from indexing.types import BadInput, Cancelled, ExtractFailed, FetchFailed
from indexing.web import Feed, Page, Sitemap, read_feed, read_sitemap
from tests.hashing import HashingEncoder
from tests.pdf_files import make_pdf
from tests.site import LOOPBACK, Answer, Site
from tests.test_refresh import counts, texts


def sitemap(site: Site, *paths: str, lastmod: str = "", path: str = "/sitemap.xml") -> None:
    stamp = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    urls = "".join(f"<url><loc>{site.url}{each}</loc>{stamp}</url>" for each in paths)
    site.write(path, f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>', "application/xml")


def feed(site: Site, *items: str) -> None:
    site.write("/feed", f"<rss version='2.0'><channel><title>News</title>{''.join(items)}</channel></rss>", "text/xml")


def item(link: str, title: str, day: int = 1, content: str = "") -> str:
    encoded = f"<c:encoded xmlns:c='http://purl.org/rss/1.0/modules/content/'><![CDATA[{content}]]></c:encoded>"
    return (
        f"<item><title>{title}</title><link>{link}</link><guid>{link}</guid>"
        f"<pubDate>Mon, {day:02} Jan 2024 10:00:00 GMT</pubDate>{encoded if content else ''}</item>"
    )


# One page


def test_a_page_is_indexed_once_and_fetched_when_it_changed(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder
) -> None:
    site.article("/zebra", "Animals", "The zebra grazes.")
    page = Page("zoo", f"{site.url}/zebra", fetcher)
    assert counts(refresh([page], index, hashing)) == (1, 0, 0, 0)
    (document,) = index.documents("zoo")
    assert (document.title, document.text, document.url) == ("Animals", "The zebra grazes.", f"{site.url}/zebra")
    assert counts(refresh([page], index, hashing)) == (0, 0, 0, 1)
    site.article("/zebra", "Animals", "The camel grazes.")
    assert counts(refresh([page], index, hashing)) == (0, 1, 0, 0)
    assert [status for _, status in site.take_asked()] == [200, 304, 200]
    assert texts(index, hashing, "camel")
    assert texts(index, hashing, "zebra") == []


def test_a_page_without_validators_is_compared_by_its_bytes(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder
) -> None:
    site.pages["/a"] = Answer(b"<p>The zebra grazes.</p>", headers={"content-type": "text/html"})
    page = Page("zoo", f"{site.url}/a", fetcher)
    refresh([page], index, hashing)
    hashing.passages = 0
    assert counts(refresh([page], index, hashing)) == (0, 0, 0, 1)
    assert hashing.passages == 0


def test_a_source_that_is_missing_or_fails_keeps_what_it_had(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder
) -> None:
    site.article("/zebra", "Animals", "The zebra grazes.")
    page = Page("zoo", f"{site.url}/zebra", fetcher)
    refresh([page], index, hashing)
    for status in (404, 403, 500):
        site.pages["/zebra"] = Answer(b"", status)
        report = refresh([page], index, hashing)
        assert counts(report) == (0, 0, 0, 0)
        assert f"{status}" in report.failed[0].reason
        assert "earlier version stays" in report.failed[0].reason
    assert texts(index, hashing, "zebra")


def test_other_kinds_than_html_are_read_by_what_they_are(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder
) -> None:
    site.write("/paper", make_pdf([["The quokka smiles."]]), "application/pdf")
    site.write("/notes.md", "# Notes\n\nThe **ibex** jumps.", "text/plain; charset=utf-8")
    lines = [{"id": n, "title": f"Record {n}", "text": f"The lemur number{n} sleeps."} for n in range(3)]
    site.write("/records.jsonl", "\n".join(json.dumps(line) for line in [*lines, {"title": "x"}]), "application/jsonl")
    site.write("/photo", b"\xff\xd8\xff" + bytes(100), "image/jpeg")
    site.write("/lies", b"\x89PNG\r\n" + bytes(100), "text/html")
    sitemap(site, "/paper", "/notes.md", "/records.jsonl", "/photo", "/lies")
    report = refresh([Sitemap("zoo", f"{site.url}/sitemap.xml", fetcher)], index, hashing)
    assert counts(report) == (5, 0, 0, 0)
    assert [failure.url.rpartition("/")[2] for failure in report.failed] == ["records.jsonl", "photo", "lies"]
    assert all(texts(index, hashing, word) for word in ("quokka", "ibex", "lemur"))


# Sitemaps


def test_a_sitemap_brings_changes_and_removals(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder
) -> None:
    for number, animal in enumerate(("zebra", "yak", "gnu")):
        site.article(f"/{number}", animal.title(), f"The {animal} grazes.")
    sitemap(site, "/0", "/1", "/2")
    source = Sitemap("zoo", f"{site.url}/sitemap.xml", fetcher)
    assert counts(refresh([source], index, hashing)) == (3, 0, 0, 0)
    site.take_asked()
    assert counts(refresh([source], index, hashing)) == (0, 0, 0, 3)
    assert [status for path, status in site.take_asked() if path != "/sitemap.xml"] == [304] * 3
    sitemap(site, "/0", "/2")
    site.article("/2", "Gnu", "The okapi grazes.")
    assert counts(refresh([source], index, hashing)) == (0, 1, 1, 1)
    assert texts(index, hashing, "yak") == []
    assert texts(index, hashing, "okapi")


def test_a_page_that_the_list_dates_is_not_even_asked_for(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.article("/0", "Zebra", "The zebra grazes.")
    sitemap(site, "/0", lastmod="2024-05-01")
    source = Sitemap("zoo", f"{site.url}/sitemap.xml", fetcher)
    refresh([source], index, hashing)
    site.take_asked()
    assert counts(refresh([source], index, hashing)) == (0, 0, 0, 1)
    assert [path for path, _ in site.take_asked()] == ["/sitemap.xml"]
    sitemap(site, "/0", lastmod="2024-05-02")
    refresh([source], index, hashing)
    assert ("/0", 304) in site.take_asked()
    monkeypatch.setattr(web, "_WEEK", 0)  # a week later
    refresh([source], index, hashing)
    assert ("/0", 304) in site.take_asked()


def test_a_listed_page_that_is_gone_is_removed_and_named(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder
) -> None:
    for number, animal in enumerate(("zebra", "yak")):
        site.article(f"/{number}", animal.title(), f"The {animal} grazes.")
    sitemap(site, "/0", "/1")
    source = Sitemap("zoo", f"{site.url}/sitemap.xml", fetcher)
    refresh([source], index, hashing)
    del site.pages["/1"]
    report = refresh([source], index, hashing)
    assert counts(report) == (0, 0, 1, 1)
    assert "404" in report.failed[0].reason
    assert texts(index, hashing, "yak") == []
    site.article("/1", "Yak", "The yak grazes.")
    assert counts(refresh([source], index, hashing)) == (1, 0, 0, 1)


def test_an_index_of_sitemaps_is_followed_and_a_broken_part_removes_nothing(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder
) -> None:
    for number, animal in enumerate(("zebra", "yak")):
        site.article(f"/{number}", animal.title(), f"The {animal} grazes.")
    sitemap(site, "/0", path="/first.xml")
    sitemap(site, "/1", path="/second.xml")
    packed = site.pages["/second.xml"]
    assert isinstance(packed, Answer)
    site.write("/second.xml.gz", gzip.compress(packed.body), "application/gzip")
    parts = "".join(
        f"<sitemap><loc>{site.url}/{name}</loc></sitemap>" for name in ("first.xml", "second.xml.gz", "i.xml")
    )
    site.write("/i.xml", f"<sitemapindex>{parts}</sitemapindex>", "text/xml")
    source = Sitemap("zoo", f"{site.url}/i.xml", fetcher)
    assert counts(refresh([source], index, hashing)) == (2, 0, 0, 0)
    site.pages["/second.xml.gz"] = Answer(b"", 404)
    report = refresh([source], index, hashing)
    assert counts(report) == (0, 0, 0, 1)
    assert report.failed[0].url.endswith("second.xml.gz")
    assert texts(index, hashing, "yak")


def test_a_missing_or_emptied_sitemap_is_refused_and_kept(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder
) -> None:
    site.article("/0", "Zebra", "The zebra grazes.")
    sitemap(site, "/0")
    source = Sitemap("zoo", f"{site.url}/sitemap.xml", fetcher)
    refresh([source], index, hashing)
    sitemap(site)
    with pytest.raises(BadInput, match="stay in the index"):
        refresh([source], index, hashing)
    site.write("/sitemap.xml", "<html><body>We are moving.</body></html>", "text/html")
    with pytest.raises(ExtractFailed, match=r"no sitemap.*stay in the index"):
        refresh([source], index, hashing)
    del site.pages["/sitemap.xml"]
    with pytest.raises(FetchFailed, match="stay in the index"):
        refresh([source], index, hashing)
    assert texts(index, hashing, "zebra")
    sitemap(site)
    assert counts(refresh([source], index, hashing, empty_ok=True)) == (0, 0, 1, 0)


@pytest.mark.parametrize("packed", [False, True])
def test_a_sitemap_that_breaks_off_is_refused_and_keeps_its_pages(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder, packed: bool
) -> None:
    for number in range(6):
        site.article(f"/{number}", f"Page {number}", f"The zebra number{number} grazes.")
    sitemap(site, *(f"/{number}" for number in range(6)))
    answer = site.pages["/sitemap.xml"]
    assert isinstance(answer, Answer)
    whole = gzip.compress(answer.body) if packed else answer.body
    site.write("/sitemap.xml", whole, "application/xml")
    source = Sitemap("zoo", f"{site.url}/sitemap.xml", fetcher)
    assert counts(refresh([source], index, hashing)) == (6, 0, 0, 0)
    site.write("/sitemap.xml", whole[: len(whole) // 2], "application/xml")
    with pytest.raises(ExtractFailed, match=r"(broke off|to its end).*stay in the index"):
        refresh([source], index, hashing)
    assert len(texts(index, hashing, "zebra")) == 6


def test_a_part_of_an_index_of_sitemaps_that_breaks_off_removes_nothing(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder
) -> None:
    for number, animal in enumerate(("zebra", "yak", "gnu")):
        site.article(f"/{number}", animal.title(), f"The {animal} grazes.")
    sitemap(site, "/0", path="/first.xml")
    sitemap(site, "/1", "/2", path="/second.xml")
    parts = "".join(f"<sitemap><loc>{site.url}/{name}.xml</loc></sitemap>" for name in ("first", "second"))
    site.write("/i.xml", f"<sitemapindex>{parts}</sitemapindex>", "text/xml")
    source = Sitemap("zoo", f"{site.url}/i.xml", fetcher)
    assert counts(refresh([source], index, hashing)) == (3, 0, 0, 0)
    site.write("/second.xml", "<urlset>", "application/xml")
    report = refresh([source], index, hashing)
    assert counts(report) == (0, 0, 0, 1)
    assert [failure.url for failure in report.failed] == [f"{site.url}/second.xml"]
    assert texts(index, hashing, "yak")
    assert texts(index, hashing, "gnu")


@pytest.mark.parametrize("flaw", [b"", b"?a&b", b"?a=1 & b", b"<3", b"\x0b", b"caf\xe9", b"&nbsp;"])
def test_a_sitemap_is_read_as_a_whole_or_not_at_all(flaw: bytes) -> None:
    pages = b"".join(b"<url>\n<loc>https://a.org/%d%s</loc><!-- x --></url>" % (n, flaw) for n in range(3))
    whole = (
        b'<?xml version="1.0"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">' + pages + b"</urlset>"
    )
    found, _ = read_sitemap(whole, "s", 10_000)
    assert len(found) == 3
    for end in range(whole.index(b"</urlset>")):
        with pytest.raises(ExtractFailed):
            read_sitemap(whole[:end], "s", 10_000)
    packed = gzip.compress(whole)
    for end in range(len(packed)):
        with pytest.raises(ExtractFailed):
            read_sitemap(packed[:end], "s", 10_000)


@pytest.mark.parametrize(
    ("data", "pages"),
    [
        (b"https://a.org/1\nhttps://a.org/2\n", ["https://a.org/1", "https://a.org/2"]),
        (b"<urlset><url><loc> https://a.org/1 </loc></url><url/><url><loc/></url></urlset>", ["https://a.org/1"]),
        (b"<urlset><url><loc>https://a.org/1?a&b</loc></url></urlset>", ["https://a.org/1?a&b", "https://a.org/1?a"]),
        (b"<urlset><url><loc>https://a.org/1</loc></url></urlset>\n<!-- made by hand --> 0.2 s", ["https://a.org/1"]),
        (
            b"<urlset xmlns:i='x'><url><loc>https://a.org/1</loc><i:image><i:loc>y</i:loc></i:image></url></urlset>",
            ["https://a.org/1"],
        ),
    ],
)
def test_sitemaps_in_use_are_understood(data: bytes, pages: list[str]) -> None:
    found, _ = read_sitemap(data, "s", 10_000)
    assert {entry.url for entry in found} <= set(pages)
    assert found


@pytest.mark.parametrize("data", [b"", b"<html><body>x</body></html>", b"words", b"<", b"\x1f\x8b junk", b"<rss/>"])
def test_what_is_no_sitemap_is_said_so(data: bytes) -> None:
    with pytest.raises(ExtractFailed, match=r"no sitemap|damaged"):
        read_sitemap(data, "s", 10_000)


def test_bombs_in_a_sitemap_are_harmless() -> None:
    with pytest.raises(FetchFailed, match="larger than"):
        read_sitemap(gzip.compress(bytes(1_000_000)), "s", 10_000)
    lol = "".join(f"<!ENTITY l{n + 1} '{f'&l{n};' * 10}'>" for n in range(9))
    bomb = f"<!DOCTYPE u [<!ENTITY l0 'lol'>{lol}]><urlset><url><loc>https://a.org/&l9;</loc></url></urlset>"
    with pytest.raises(ExtractFailed, match="to its end"):
        read_sitemap(bomb.encode(), "s", 10_000)
    outside = b"<!DOCTYPE u [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><urlset><url><loc>https://a.org/&x;</loc></url></urlset>"
    found, _ = read_sitemap(outside, "s", 10_000)
    assert all("root" not in entry.url for entry in found)


# Feeds


def test_entries_are_read_from_the_feed_or_from_their_pages_and_stay(
    site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder
) -> None:
    site.article("/yak", "A page on yaks", "The yak climbs.")
    zebra = item(f"{site.url}/zebra", "Zebra news", 8, "<p>The <b>zebra</b> grazes.</p>")
    feed(site, zebra, item(f"{site.url}/yak", "Yak news", 9))
    source = Feed("news", f"{site.url}/feed", fetcher)
    assert counts(refresh([source], index, hashing)) == (2, 0, 0, 0)
    assert [path for path, _ in site.take_asked()] == ["/feed", "/yak"]
    found = {document.title: document for document in index.documents("news")}
    assert found["Zebra news"].text == "The zebra grazes."
    assert found["Zebra news"].published_at == datetime(2024, 1, 8, 10, tzinfo=UTC)
    assert found["Yak news"].url == f"{site.url}/yak"
    assert found["Yak news"].published_at == datetime(2024, 1, 9, 10, tzinfo=UTC)
    assert counts(refresh([source], index, hashing)) == (0, 0, 0, 2)
    assert [path for path, _ in site.take_asked()] == ["/feed"], "entries of a known date are not asked for"
    changed = item(f"{site.url}/zebra", "Zebra news", 8, "<p>The okapi grazes.</p>")
    feed(site, changed, item(f"{site.url}/gnu", "Gnu", 10, "The gnu runs."))
    assert counts(refresh([source], index, hashing)) == (1, 1, 0, 0)
    assert texts(index, hashing, "yak"), "what has left the feed stays"
    assert texts(index, hashing, "okapi")


def test_an_empty_feed_removes_nothing(site: Site, fetcher: Fetcher, index: Index, hashing: HashingEncoder) -> None:
    feed(site, item(f"{site.url}/gnu", "Gnu", 10, "The gnu runs."))
    source = Feed("news", f"{site.url}/feed", fetcher)
    refresh([source], index, hashing)
    feed(site)
    assert refresh([source], index, hashing) == RefreshReport()
    assert texts(index, hashing, "gnu")


def fetched(data: bytes, charset: str = "") -> Fetched:
    return Fetched("https://a.org/feed", data, "text/xml", charset, Validators())


def test_atom_and_old_dialects_are_understood() -> None:
    atom = """<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>F</title>
      <entry><id>urn:1</id><title>Grüße</title><link href="/one"/><updated>2024-02-03T04:05:06+01:00</updated>
      <content type="html">&lt;p&gt;Text&lt;/p&gt;</content></entry></feed>"""
    (entry,) = read_feed(fetched(atom.encode()))
    assert (entry.key, entry.url, entry.title) == ("urn:1", "https://a.org/one", "Grüße")
    assert entry.published_at == datetime(2024, 2, 3, 3, 5, 6, tzinfo=UTC)
    assert "Text" in entry.content
    rdf = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
      <item rdf:about="https://a.org/1"><title>标题</title><link>https://a.org/1</link></item></rdf:RDF>"""
    (entry,) = read_feed(fetched(rdf.encode("gb18030"), "gb2312"))
    assert (entry.title, entry.url, entry.published_at) == ("标题", "https://a.org/1", None)
    (entry,) = read_feed(
        fetched(rdf.encode("gb18030").replace(b"<rdf:RDF", b'<?xml version="1.0" encoding="gbk"?><rdf:RDF'))
    )
    assert entry.title == "标题"


@pytest.mark.parametrize("data", [b"", b"<html><body>x</body></html>", b"words", b"<urlset/>", b"\x00\x01\x02"])
def test_what_is_no_feed_is_said_so(data: bytes) -> None:
    with pytest.raises(ExtractFailed):
        read_feed(fetched(data))


def test_bombs_in_a_feed_are_harmless() -> None:
    lol = "".join(f"<!ENTITY l{n + 1} '{f'&l{n};' * 10}'>" for n in range(9))
    bomb = f"<!DOCTYPE r [<!ENTITY l0 'lol'>{lol}]><rss version='2.0'><channel><item><title>&l9;</title><link>https://a.org/</link></item></channel></rss>"
    assert all(len(entry.title) < 10_000 for entry in read_feed(fetched(bomb.encode())))
    named = (
        b"<?xml version='1.0' encoding='punycode'?><rss version='2.0'><channel>"
        + b"caf\xe9 " * 30_000
        + b"</channel></rss>"
    )
    began = time.monotonic()
    assert read_feed(fetched(named)) == []
    assert time.monotonic() - began < 30, "decoding took as long as the feed wanted"


def test_an_entry_that_leads_nowhere_is_left_out() -> None:
    items = "<item><title>x</title></item><item><link>javascript:alert(1)</link></item>"
    assert read_feed(fetched(f"<rss version='2.0'><channel>{items}</channel></rss>".encode())) == []


# All of them


@pytest.mark.parametrize("kind", [Page, Sitemap, Feed])
def test_a_stopped_refresh_keeps_what_it_did(kind: type, site: Site, index: Index, hashing: HashingEncoder) -> None:
    for number in range(4):
        site.article(f"/{number}", f"Page {number}", f"The zebra number{number} grazes.")
    site.write("/robots.txt", "", "text/plain")
    sitemap(site, *(f"/{number}" for number in range(4)), path="/list")
    if kind is Feed:
        feed(site, *(item(f"{site.url}/{number}", f"Page {number}") for number in range(4)))
        site.pages["/list"] = site.pages["/feed"]
    if kind is Page:
        site.pages["/list"] = site.pages["/0"]
    stop_after = 1 if kind is Page else 3
    fetcher = Fetcher(LOOPBACK, cancelled := lambda: len([each for each in site.asked if each[1] == 200]) > stop_after)
    source: Source = kind("zoo", f"{site.url}/list", fetcher)
    with pytest.raises(Cancelled):
        refresh([source], index, hashing, cancelled=cancelled)
    done = index.counts().documents
    fetcher.close()
    again = Fetcher(LOOPBACK)
    report = refresh([kind("zoo", f"{site.url}/list", again)], index, hashing)
    assert (report.added, report.same) == ((1 if kind is Page else 4) - done, done)
    again.close()
