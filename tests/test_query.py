"""The rows of a database as documents, on a real SQLite file."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexing.query import Query, check_query, shown
from indexing.refresh import refresh
from indexing.store import Index
from indexing.types import BadInput
from tests.hashing import HashingEncoder
from tests.test_refresh import counts, texts

STATEMENT = "SELECT number AS id, name AS title, body AS text, day AS published_at, price FROM goods ORDER BY number"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    run(path, "CREATE TABLE goods(number INTEGER, name TEXT, body TEXT, day TEXT, price REAL)")
    rows = [(n, f"Lamp {n}", f"The lamp number{n} shines.", "2024-05-06", 9.5) for n in range(1, 1201)]
    with sqlite3.connect(path) as connection:
        connection.executemany("INSERT INTO goods VALUES (?, ?, ?, ?, ?)", rows)
    return path


def run(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)


def test_rows_become_documents_and_changes_are_found(shop: Path, index: Index, hashing: HashingEncoder) -> None:
    source = Query("goods", f"sqlite:///{shop}", STATEMENT)
    assert counts(refresh([source], index, hashing)) == (1200, 0, 0, 0)
    document = next(each for each in index.documents("goods", limit=2000) if each.title == "Lamp 7")
    assert document.text == "The lamp number7 shines."
    assert document.published_at == datetime(2024, 5, 6, tzinfo=UTC)
    assert document.metadata["price"] == "9.5"
    run(shop, "UPDATE goods SET body = 'The zebra grazes.' WHERE number = 7")
    run(shop, "DELETE FROM goods WHERE number = 8")
    run(shop, "INSERT INTO goods VALUES (2000, 'Yak', 'The yak climbs.', NULL, NULL)")
    assert counts(refresh([source], index, hashing)) == (1, 1, 1, 1198)
    assert texts(index, hashing, "zebra")
    assert texts(index, hashing, "number8") == []


def test_a_bad_row_is_named_and_the_others_are_read(shop: Path, index: Index, hashing: HashingEncoder) -> None:
    run(shop, "DELETE FROM goods WHERE number > 3")
    run(shop, "UPDATE goods SET body = '' WHERE number = 2")
    report = refresh([Query("goods", f"sqlite:///{shop}", STATEMENT)], index, hashing)
    assert counts(report) == (2, 0, 0, 0)
    assert "Row 2 of goods has no text" in report.failed[0].reason


def test_an_emptied_table_and_a_broken_query_keep_what_was_there(
    shop: Path, index: Index, hashing: HashingEncoder
) -> None:
    source = Query("goods", f"sqlite:///{shop}", STATEMENT)
    refresh([source], index, hashing)
    run(shop, "DELETE FROM goods")
    report = refresh([source], index, hashing)
    assert "no rows" in report.failed[0].reason
    run(shop, "DROP TABLE goods")
    report = refresh([source], index, hashing)
    assert "no such table" in report.failed[0].reason
    assert index.counts().documents == 1200


@pytest.mark.parametrize(
    "statement", ["DELETE FROM goods", "DROP TABLE goods", "DELETE FROM goods RETURNING number AS id, body AS text"]
)
def test_a_query_changes_nothing(shop: Path, index: Index, hashing: HashingEncoder, statement: str) -> None:
    report = refresh([Query("goods", f"sqlite:///{shop}", statement)], index, hashing)
    assert "readonly" in report.failed[0].reason
    with sqlite3.connect(shop) as connection:
        assert connection.execute("SELECT count(*) FROM goods").fetchone() == (1200,)


@pytest.mark.parametrize(
    ("url", "statement"),
    [
        ("nonsense", "SELECT 1"),
        ("nodb://x/y", "SELECT 1"),
        ("oracle://x/y", "SELECT 1"),
        ("sqlite:////no/such/file.db", "SELECT 1"),
        ("sqlite://", "SELECT 1"),
    ],
)
def test_what_is_no_database_is_said_so(url: str, statement: str) -> None:
    with pytest.raises(BadInput):
        check_query(url, statement)
    assert not Path("/no").exists()


def test_an_empty_query_is_refused_and_a_password_never_shown(shop: Path) -> None:
    with pytest.raises(BadInput, match="query"):
        check_query(f"sqlite:///{shop}", " ")
    assert "secret" not in shown("postgresql://me:secret@host/db")
    with pytest.raises(BadInput) as caught:
        check_query("nodb://me:secret@host/db", "SELECT 1")
    assert "secret" not in str(caught.value)
