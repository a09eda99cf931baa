"""`passerine index`: what an index holds, whether it is whole, and its documents taken out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from indexing.inventory import records, segments
from indexing.merge import MERGE_AT
from indexing.rebuild import verify
from indexing.refresh import add_documents, refresh
from indexing.store import Index
from service.cli import build_cli
from tests.hashing import HashingEncoder, document
from tests.writers import commits_meanwhile


@pytest.fixture
def home(tmp_path: Path) -> Path:
    encoder = HashingEncoder()
    index = Index.create(tmp_path / "home" / "index", encoder)
    add_documents(
        [document(f"d{i}", f"A zebra of number{i}. 登月", metadata={"n": f"{i}"}) for i in range(9)], index, encoder
    )
    index.delete(["d3"])
    index.close()
    return tmp_path / "home"


def run(home: Path, *arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(build_cli(), ["--home", str(home), "index", *arguments], env={"COLUMNS": "200"})
    return done.exit_code, done.stdout, done.stderr


def flip(home: Path) -> Path:
    (path,) = (home / "index" / "segments").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


def test_segments_are_counted_and_weighed(home: Path) -> None:
    (one,) = segments(Index.open(home / "index"))
    assert (one.passages, one.dead, one.problem) == (8, 1, "")
    assert one.bytes > one.packed > one.postings > 9
    status, out, _ = run(home, "inspect")
    assert status == 0
    assert "8 documents" in out
    assert "exact" in out
    assert "whole" in out


def test_damage_is_one_sentence_and_an_exit_status(home: Path) -> None:
    assert run(home, "verify")[0] == 0
    path = flip(home)
    status, out, err = run(home, "verify")
    assert status == 1
    assert f"{path.name} fails its checksum" in out.replace("\n", "")
    assert "passerine index repair" in err
    assert "fails its checksum" in segments(Index.open(home / "index"))[0].problem
    path.unlink()
    assert segments(Index.open(home / "index"))[0].problem == f"{path} is missing."


def test_segments_that_are_merged_away_while_they_are_counted_are_not_missing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index.open(home / "index")
    commits_meanwhile(index, MERGE_AT, monkeypatch)
    found = segments(index)
    assert {one.problem for one in found} == {""}
    assert sum(one.passages for one in found) == 8 + MERGE_AT


def test_a_missing_file_is_named_however_often_others_commit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index.open(home / "index")
    (missing,) = (home / "index" / "segments").iterdir()
    missing.unlink()
    path = index.path

    def busy(segment: str) -> Path:
        writer = Index.open(index.folder)
        with writer.catalogue.transaction() as connection:
            writer.catalogue.advance(connection)
        return path(segment)

    monkeypatch.setattr(index, "path", busy)
    assert verify(index) == [f"{missing} is missing."]
    assert segments(index)[0].problem == f"{missing} is missing."


def test_exported_documents_are_read_back_by_a_refresh(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "out" / "documents.jsonl"
    status, _, err = run(home, "export", str(file))
    assert (status, "could not be written" in err) == (1, True)
    file.parent.mkdir()
    assert run(home, "export", str(file))[0] == 0
    encoder = HashingEncoder()
    again = Index.create(tmp_path / "again", encoder)
    assert refresh([file], again, encoder).added == 8
    (fourth,) = (found for found in again.documents() if "number4" in found.text)
    assert (fourth.text, fourth.metadata["n"]) == ("A zebra of number4. 登月", "4")
    lines = list(records(Index.open(home / "index"), "api"))
    assert [json.loads(line)["id"] for line in lines] == [f"d{i}" for i in range(9) if i != 3]


def test_no_index_is_said_so(tmp_path: Path) -> None:
    for command in ("inspect", "verify", "repair", "export"):
        status, _, err = run(tmp_path, command)
        assert (status, "no index" in err.replace("\n", " ")) == (1, True), command
