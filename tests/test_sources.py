"""Sources are kept under names; their kinds are guessed; what cannot be is said so at once."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexing.fetch import FetchRules
from indexing.types import BadInput, Conflict, NotFound
from service.database import connect
from service.sources import Sources, StoredSource, described, guessed, opened, suggested, tried
from tests.site import LOOPBACK, Site, serving


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[Sources]:
    engine = connect(f"sqlite:///{tmp_path / 'passerine.db'}")
    yield Sources(engine)
    engine.dispose()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "My docs"
    folder.mkdir()
    (folder / "a.md").write_text("# Alpha\n\nThe zebra grazes.\n")
    return folder


def test_a_source_is_kept_found_and_removed(sources: Sources, docs: Path) -> None:
    added = sources.add(str(docs))
    assert (added.name, added.kind, added.location, added.key) == ("My-docs", "path", str(docs), str(docs))
    assert sources.list() == [sources.get("My-docs")] == [added]
    assert sources.find("My-docs") == sources.find(str(docs)) == sources.find(f"{docs}/../{docs.name}") == added
    sources.remove("My-docs")
    assert sources.list() == []


def test_a_path_needs_no_name(sources: Sources, docs: Path) -> None:
    once = sources.find(str(docs / "a.md"))
    assert (once.name, once.kind, once.key) == (str(docs / "a.md"), "path", str(docs / "a.md"))
    assert sources.list() == []
    assert sources.find("/gone/away").kind == "path", "what was indexed from it is kept, and the refresh says so"


def test_an_address_and_a_bucket_need_no_name(sources: Sources) -> None:
    once = sources.find("https://example.org/feed")
    assert (once.name, once.kind, once.key) == ("https://example.org/feed", "feed", "https://example.org/feed")
    assert sources.list() == []
    kept = sources.add("https://example.org/feed", "news")
    assert sources.find("https://example.org/feed") == kept
    with pytest.raises(BadInput, match="no database"):
        sources.find("ftp://example.org/a")


def test_a_name_wins_over_a_path_of_the_same_name(
    sources: Sources, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blog").mkdir()
    assert sources.find("blog").location == str(tmp_path / "blog")
    sources.add(str(docs), "blog")
    assert sources.find("blog").location == str(docs)


def test_names_and_locations_are_taken_once(sources: Sources, docs: Path) -> None:
    sources.add(str(docs), "one")
    with pytest.raises(Conflict, match="'one' already"):
        sources.add(f"{docs}/", "two")
    with pytest.raises(Conflict, match="'one' already"):
        sources.add(str(docs / "a.md"), "one")


def test_an_unknown_name_names_the_nearest(sources: Sources, docs: Path) -> None:
    sources.add(str(docs), "handbook")
    with pytest.raises(NotFound) as caught:
        sources.find("handbok")
    assert "'handbook'" in caught.value.hint


@pytest.mark.parametrize(
    ("location", "query", "kind", "name"),
    [
        ("/a/b/docs", "", "path", "docs"),
        ("records.jsonl", "", "path", "records.jsonl"),
        ("https://a.org/", "", "page", "a.org"),
        ("https://a.org/sitemap.xml", "", "sitemap", "a.org"),
        ("https://a.org/x/sitemap_index.xml.gz", "", "sitemap", "a.org"),
        ("https://a.org/how-to-write-a-sitemap", "", "page", "a.org"),
        ("https://a.org/feed/", "", "feed", "a.org"),
        ("https://a.org/blog/index.rss", "", "feed", "a.org"),
        ("https://a.org/atom.xml", "", "feed", "a.org"),
        ("https://a.org/feeding-birds", "", "page", "a.org"),
        ("postgresql+psycopg://me:secret@host/shop", "SELECT 1", "query", "shop"),
        ("sqlite:////tmp/a/shop.db", "", "query", "shop.db"),
        ("s3://shop/docs/", "", "bucket", "shop"),
    ],
)
def test_kinds_and_names_are_guessed(location: str, query: str, kind: str, name: str) -> None:
    found = guessed(location, query)
    assert (found, suggested(location, found)) == (kind, name)


@pytest.mark.parametrize(
    ("location", "given", "said"),
    [
        ("", {}, "no location"),
        ("/no/such/folder", {}, "no file or folder"),
        ("https://", {}, "no address"),
        ("https://me:pw@a.org/", {}, "user name"),
        ("https://a.org/", {"query": "SELECT 1", "kind": "page"}, "takes no query"),
        ("/tmp", {"name": "api"}, "cannot be the name"),
        ("/tmp", {"name": "upload"}, "cannot be the name"),
        ("s3://upload/docs", {}, "cannot be the name"),
        ("/tmp", {"name": "a/b"}, "cannot be the name"),
        ("/tmp", {"name": "-x"}, "cannot be the name"),
        ("nodb://host/x", {}, "no database"),
        ("sqlite:////no/such.db", {"query": "SELECT 1"}, "no database"),
    ],
)
def test_what_cannot_be_a_source_is_said_so(sources: Sources, location: str, given: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        sources.add(location, **given)  # type: ignore[arg-type]
    assert sources.list() == []


def test_a_password_is_not_shown() -> None:
    stored = StoredSource("shop", "query", "postgresql://me:secret@host/x", "SELECT 1", datetime.now(UTC))
    assert stored.place == "postgresql://me:***@host/x"


def test_a_test_reads_the_first_documents_of_every_kind(docs: Path, tmp_path: Path) -> None:
    for number in range(9):
        (docs / f"{number}.md").write_text(f"# Page {number}\n\nThe zebra number{number} grazes.\n")
    (docs / "0.md").write_text("")
    with opened(described(str(docs)), FetchRules()) as source:
        found = tried(source)
    assert (found.listed, len(found.documents), len(found.failed)) == (10, 4, 1)
    database = tmp_path / "shop.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE goods AS SELECT 'Lamp' AS title, 'It shines.' AS text")
    with opened(described(f"sqlite:///{database}", query="SELECT * FROM goods"), FetchRules()) as source:
        assert [document.title for document in tried(source).documents] == ["Lamp"]
    with serving(Site()) as site:
        site.article("/zebra", "Animals", "The zebra grazes.")
        site.write("/sitemap.xml", f"<urlset><url><loc>{site.url}/zebra</loc></url></urlset>", "text/xml")
        for path in ("/zebra", "/sitemap.xml"):
            with opened(described(f"{site.url}{path}"), LOOPBACK) as source:
                assert [document.title for document in tried(source).documents] == ["Animals"]
        with opened(described(f"{site.url}/zebra"), FetchRules(rate=1000)) as source:
            assert "not a public address" in tried(source).failed[0].reason
