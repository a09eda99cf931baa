"""A table whose files are damaged: named, never shown, mended; and one that is made anew for another encoder."""

import json
import random
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from indexing import table_upkeep
from indexing.refresh import add_documents, refresh
from indexing.search import Searcher
from indexing.table import LOOK_SECONDS, Table
from indexing.table_rows import Place, schema, table_of
from indexing.types import Cancelled, EncoderMismatch, IndexDamaged, Query
from service.cli import build_cli
from service.config import load
from service.doctor import index, mend
from service.library import repair_index
from tests.hashing import HashingEncoder, document
from tests.test_table import collection, plain

pytest.importorskip("lance", reason="lance is not installed")

QUERIES = [Query("word1 word2"), Query("word30"), Query("zebra")]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for each in collection(6):
        (folder / f"{each.id}.md").write_text(f"# {each.title}\n\n{each.text}")
    return folder


@pytest.fixture
def place(tmp_path: Path, docs: Path, hashing: HashingEncoder) -> Place:
    """A table of three fragments: files, a document that came over HTTP, and the last of them alone with the facts."""
    place = Place(str(tmp_path / "table"))
    table = Table.create(place, hashing)
    refresh([docs], table, hashing)
    place.open().optimize.compact_files()
    add_documents([document("sent", "The zebra grazes.", language="en")], table, hashing)
    add_documents([document("late", "The zebra sleeps.", language="en")], table, hashing)
    return place


def data(place: Place, document_id: str) -> Path:
    """The data file that holds a document."""
    for fragment in place.open().get_fragments():
        if document_id in fragment.to_table(columns=["key"])["key"].to_pylist():
            (file,) = fragment.metadata.files
            return Path(place.uri) / "data" / file.path
    raise KeyError(document_id)


def overwrite(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    assert content.count(old) > 0
    file.write_bytes(content.replace(old, new))


def run(place: Place, *arguments: str) -> tuple[int, str, str]:
    command = ["--home", str(Path(place.uri).parent / "home"), "--set", f"table={place.uri}", "index", *arguments]
    done = CliRunner().invoke(build_cli(), command, env={"COLUMNS": "250"})
    return done.exit_code, done.stdout, done.stderr


def answers(place: Place) -> list[list[tuple[object, ...]]]:
    table = Table.open(place)
    return [plain(hits) for hits in Searcher(table, HashingEncoder()).search_many(QUERIES, 5)]


def zebras(table: Table) -> list[str]:
    hits = Searcher(table, HashingEncoder()).search(Query("zebra"), 5)
    return [hit.document.id for hit in hits if hit.lexical]


def test_a_whole_table_is_inspected_verified_and_exported(
    place: Place, tmp_path: Path, docs: Path, hashing: HashingEncoder
) -> None:
    status, out, _ = run(place, "inspect")
    assert status == 0
    for said in ("8 documents", "table 2", f"{docs}", "whole", "fragment"):
        assert said in out
    assert [each.documents for each in table_upkeep.fragments(place)] == [6, 1, 1]
    status, out, _ = run(place, "verify")
    assert (status, "All rows of" in out) == (0, True)
    assert run(place, "export", str(tmp_path / "out.jsonl"))[0] == 0
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(each.id for each in Table.open(place).documents())
    again = Table.create(Place(str(tmp_path / "again")), hashing)
    assert refresh([tmp_path / "out.jsonl"], again, hashing).added == 8
    assert "Nothing is damaged" in run(place, "repair")[1]


def test_a_damaged_text_is_named_and_never_shown_and_read_again_after_a_repair(
    place: Place, docs: Path, hashing: HashingEncoder
) -> None:
    overwrite(data(place, "sent"), b"grazes", b"grates")
    with pytest.raises(IndexDamaged, match=r"holds a damaged (document|passage) \(.*sent") as error:
        Searcher(Table.open(place), hashing).search(Query("zebra"), 3)
    assert "index repair" in error.value.hint
    status, out, err = run(place, "verify")
    assert (status, "holds a damaged document (sent)" in out) == (1, True)
    assert "index repair" in err
    done = repair_index(place, hashing, None)
    assert (any("sent" in each for each in done.removed), done.encoded) == (True, None)
    assert run(place, "verify")[0] == 0
    table = Table.open(place)
    assert zebras(table) == ["late"]
    hashing.passages = 0
    assert refresh([docs], table, hashing).same == 6
    assert hashing.passages == 0


def test_a_fragment_that_cannot_be_read_is_taken_out_and_its_files_are_read_again(
    place: Place, docs: Path, hashing: HashingEncoder
) -> None:
    before, known = answers(place), Table.open(place).documents()
    file = data(place, known[0].id)
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(IndexDamaged, match="file of the table"):
        Table.open(place).documents()
    status, out, err = run(place, "inspect")
    assert (status, "cannot be read" in out, "is damaged" in err) == (1, True, True)
    removed = table_upkeep.mend(place)
    assert len(removed) == 1
    assert "cannot be read" in removed[0]
    table = Table.open(place)
    assert [each.id for each in table.documents()] == ["late", "sent"]
    assert refresh([docs], table, hashing).added == 6
    assert answers(place) == before


def test_lost_facts_come_from_an_earlier_version_and_deleted_documents_do_not(place: Place) -> None:
    table = Table.open(place)
    table.delete(["sent"])
    (file,) = (Path(place.uri) / "data" / f.metadata.files[0].path for f in place.open().get_fragments()[-1:])
    file.write_bytes(b"")
    with pytest.raises(IndexDamaged):
        Table.open(place)
    assert table_upkeep.mend(place)
    table = Table.open(place)
    assert "late" in [each.id for each in table.documents()]
    assert zebras(table) == ["late"]


def test_damage_anywhere_is_named_or_without_consequence(place: Place, tmp_path: Path) -> None:
    chance, truth, copy = random.Random(0), answers(place), Place(str(tmp_path / "copy"))
    for number in range(24):
        shutil.copytree(place.uri, copy.uri)
        file = chance.choice(sorted((Path(copy.uri) / "data").iterdir()))
        content = bytearray(file.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
        named = table_upkeep.verify(copy)
        if not named:
            assert answers(copy) == truth, number
        else:
            table_upkeep.mend(copy)
            assert table_upkeep.verify(copy) == [], number
        shutil.rmtree(copy.uri)


def test_another_encoder_takes_over_whole(place: Place, docs: Path) -> None:
    old, new = HashingEncoder(), HashingEncoder("new", 128)
    searcher = Searcher(Table.open(place), old)
    table = Table.open(place)
    count, held = table.counts().passages, [each.text for each in table.documents()]

    class Busy(HashingEncoder):
        def encode_passages(self, texts):  # type: ignore[no-untyped-def]
            if self.passages == 0:
                add_documents([document("quokka", "A late quokka.", language="en")], Table.open(place), old)
                Table.open(place).delete(["sent"])
            return super().encode_passages(texts)

    seen: list[tuple[str, int, int]] = []
    assert table_upkeep.rebuild(table, Busy("new", 128), lambda *step: seen.append(step)) >= count
    assert seen[0][2] == count
    again = Table.open(place)
    again.check(new)
    assert {*held, "A late quokka."} - {each.text for each in again.documents()} == {"The zebra grazes."}
    assert [hit.document.id for hit in Searcher(again, new).search(Query("zebra quokka"), 2)] == ["quokka", "late"]
    assert table_upkeep.verify(place) == []
    assert refresh([docs], again, new).same == 6
    time.sleep(LOOK_SECONDS)
    with pytest.raises(EncoderMismatch, match="rebuil"):
        searcher.search(Query("zebra"), 3)


def test_a_stopped_rebuild_leaves_the_old_table(place: Place) -> None:
    before = answers(place)
    with pytest.raises(Cancelled, match="old table serves"):
        table_upkeep.rebuild(Table.open(place), HashingEncoder("new", 128), cancelled=lambda: True)
    assert answers(place) == before


def test_a_table_of_the_first_format_is_read_and_gets_checksums_from_a_rebuild(
    tmp_path: Path, hashing: HashingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(str(tmp_path / "table"))
    with monkeypatch.context() as patch:
        patch.setattr("indexing.table.FORMAT", "table 1")
        patch.setattr("indexing.table.schema", lambda dimension, _=None: schema(dimension, sealed=False))
        add_documents(collection(3), Table.create(place, hashing), hashing)
    table = Table.open(place)
    add_documents(collection(5), table, hashing)
    assert ("seal" in place.open().schema.names, len(table.documents())) == (False, 5)
    assert (table_upkeep.verify(place), table_upkeep.rebuild(table, hashing)) == ([], 0)
    assert ("seal" in place.open().schema.names, len(Table.open(place).documents())) == (True, 5)


def test_the_doctor_looks_at_a_table_and_mends_it(place: Place, hashing: HashingEncoder, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.encoder.load_encoder", lambda *_: hashing)
        settings = load({"home": tmp_path, "table": place.uri, "encoder": "hashing"}, {})
        overwrite(data(place, "late"), b"sleeps", b"sleepy")
        (found,) = (each for each in index(settings) if each.subject == "table")
        assert (found.level, "(late)" in found.message) == ("fail", True)
        (found,) = (each for each in mend(settings) if each.subject == "repair")
        assert found.level == "warn"
        (found,) = (each for each in index(settings) if each.subject == "table")
        assert (found.level, "7 documents" in found.message) == ("ok", True)


def test_rows_without_unit_length_are_named(place: Place, hashing: HashingEncoder) -> None:
    columns = place.open().schema
    rows = place.open().to_table(filter="id IS NOT NULL AND key = 'late'").to_pylist()
    place.open().delete("key = 'late' AND kind = 'passage'")
    rows[0]["vector"] = [0.5] * hashing.dimension
    import lance

    lance.write_dataset(table_of(rows, columns), place.uri, mode="append")
    assert [each for each in table_upkeep.verify(place) if "damaged vector" in each]
