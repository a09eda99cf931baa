"""The doctor finds what is wrong and says what to do."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from indexing.refresh import add_documents
from indexing.store import Index
from indexing.types import Document, Encoder
from service.config import load
from service.database import connect
from service.doctor import Finding, examine


def findings(home: Path, repair: bool = False) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in examine(load({"home": home}, {}), repair):
        found.setdefault(finding.subject, []).append(finding)
    return found


@pytest.fixture
def small(models_home: Path, encoder: Encoder, tmp_path: Path) -> Path:
    """A home of its own with an index of one document."""
    (tmp_path / "models").symlink_to(models_home / "models", target_is_directory=True)
    index = Index.create(tmp_path / "index", encoder)
    add_documents([Document("pond", "", "Pond", "The heron waits by the pond for hours.")], index, encoder)
    index.close()
    return tmp_path


def test_a_whole_installation_has_no_failure(small: Path) -> None:
    found = findings(small)
    assert {"python", "packages", "faiss", "disk", "database", "model", "index", "encoder", "address"} <= set(found)
    assert [finding for each in found.values() for finding in each if finding.level == "fail"] == []


def test_an_empty_home_lacks_model_and_index(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert found["model"][0].level == "fail"
    assert "passerine models install" in found["model"][0].advice
    assert found["index"][0].level == "warn"


def test_a_damaged_index_file_is_named_and_repaired(small: Path) -> None:
    [segment, *_] = sorted((small / "index" / "segments").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 0xFF
    segment.write_bytes(bytes(data))
    [broken] = findings(small)["index"]
    assert broken.level == "fail"
    assert segment.name in broken.message
    assert "--repair" in broken.advice
    found = findings(small, repair=True)
    assert found["repair"][0].level == "ok"
    assert findings(small)["index"][0].level == "ok"


def test_a_damaged_database_is_named(small: Path) -> None:
    (small / "passerine.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    [broken] = findings(small)["database"]
    assert broken.level == "fail"
    assert broken.advice


def page_overwritten(file: Path) -> None:
    """The first page of a table."""
    with closing(sqlite3.connect(file)) as connection:
        [[page]] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'conversations'")
        [[size]] = connection.execute("PRAGMA page_size")
    data = bytearray(file.read_bytes())
    data[(page - 1) * size : (page - 1) * size + 100] = b"\xaa" * 100
    file.write_bytes(data)


def name_overwritten(file: Path) -> None:
    """The name of a table, with what is no text."""
    file.write_bytes(file.read_bytes().replace(b"tablesources", b"tablesourc\xffs"))


@pytest.mark.parametrize("overwrite", [page_overwritten, name_overwritten])
def test_a_database_damaged_inside_is_named_and_the_rest_is_looked_at(
    small: Path, overwrite: Callable[[Path], None]
) -> None:
    connect(load({"home": small}, {}).database).dispose()
    assert findings(small)["database"][0].level == "ok"
    overwrite(small / "passerine.db")
    found = findings(small)
    [broken] = found["database"]
    assert (broken.level, "damaged" in broken.message) == ("fail", True)
    assert broken.advice.startswith("Move passerine.db ")
    assert found["index"][0].level == "ok"


def test_a_misspelt_variable_is_named(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERINE_PROT", "9000")
    [odd] = findings(small)["environment"]
    assert odd.level == "warn"
    assert "PASSERINE_PROT" in odd.message
