"""The persisted index: one commit covers all, damage is named, a full disk loses nothing."""

import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from indexing.lexical import Mask
from indexing.lock import locked
from indexing.merge import LARGEST, MERGE_AT, SMALLEST_TIER, runs
from indexing.rebuild import verify
from indexing.refresh import refresh
from indexing.rows import FileState, SegmentRow
from indexing.search import Searcher
from indexing.segment import read_arrays, write_arrays
from indexing.split import split
from indexing.store import FORMAT, Changes, Entry, Index, searched_text
from indexing.types import (
    Conflict,
    Document,
    EncoderMismatch,
    Filters,
    IndexDamaged,
    IndexMissing,
    NotFound,
    Passage,
    Query,
    StorageFailed,
)
from service.library import repair_index
from tests.hashing import HashingEncoder, document

ROOT = Path(__file__).parent.parent


def entry(of: Document, encoder: HashingEncoder, file: str = "") -> Entry:
    passages = split(of)
    return Entry(of, passages, encoder.encode_passages([searched_text(of, passage) for passage in passages]), file)


def found(index: Index, word: str) -> list[str]:
    """Ids of the documents whose live passages hold a word."""
    snapshot = index.snapshot()
    rows, _ = snapshot.lexical.top([word], 100)
    held = index.catalogue.passages(snapshot.keys[rows].tolist())
    return sorted(document.id for _, document in held.values())


def test_what_was_committed_is_read_back_by_another_opener(index: Index, hashing: HashingEncoder) -> None:
    text = "Alpha launches.\n\nBeta lands 登月。"
    given = document("d1", text, title="Titles", source="s", language="en", metadata={"tag": "x"}, content_hash="h")
    index.commit(Changes(entries=[entry(given, hashing, "f.txt")], files=[FileState("s", "f.txt", 3, 4, "digest")]))
    again = Index.open(index.folder)
    assert again.document("d1") == given
    (passage,) = again.passages("d1")
    assert passage == split(given)[0]
    assert again.passage(passage.id) == passage
    assert again.documents() == [given]
    assert again.catalogue.files("s") == {"f.txt": FileState("s", "f.txt", 3, 4, "digest")}
    assert (again.counts().documents, again.counts().passages, again.counts().sources) == (1, 1, 1)
    stored = again.known_vectors("d1")[searched_text(given, passage)]
    assert stored @ hashing.encode_passages([searched_text(given, passage)])[0] == pytest.approx(1, abs=2e-3)


def test_passages_keep_their_spans_headings_and_pages(index: Index) -> None:
    given = document("d", "One. Two. Three.")
    passages = [Passage("d-0", "d", 0, 0, 4, "One.", "A > B", 3), Passage("d-1", "d", 1, 5, 9, "Two.", "", None)]
    index.commit(Changes(entries=[Entry(given, passages, np.eye(64, dtype=np.float32)[:2])]))
    assert index.passages("d") == passages


def test_a_changed_document_replaces_its_older_self(index: Index, hashing: HashingEncoder) -> None:
    index.commit(Changes(entries=[entry(document("d", "the zebra"), hashing)]))
    index.commit(Changes(entries=[entry(document("d", "the yak"), hashing)]))
    assert (found(index, "zebra"), found(index, "yak")) == ([], ["d"])
    assert len(index.snapshot()) == 1


def test_a_deleted_document_is_gone_from_results_and_statistics(index: Index, hashing: HashingEncoder) -> None:
    index.commit(Changes(entries=[entry(document(key, f"zebra {key}"), hashing) for key in ("a", "b", "c")]))
    assert index.delete(["b", "absent"]) == 1
    assert found(index, "zebra") == ["a", "c"]
    assert index.snapshot().lexical.passages == 2
    assert index.snapshot().lexical.idf(2) == pytest.approx(np.log(1 + 0.5 / 2.5))
    with pytest.raises(NotFound, match="no document b"):
        index.document("b")


def test_a_snapshot_does_not_change_under_its_reader(index: Index, hashing: HashingEncoder) -> None:
    index.commit(Changes(entries=[entry(document("a", "zebra"), hashing)]))
    before = index.snapshot()
    index.delete(["a"])
    assert before.lexical.top(["zebra"], 5)[0].tolist() == [0]
    assert index.snapshot().lexical.top(["zebra"], 5)[0].size == 0


def test_many_small_commits_are_merged_and_answer_alike(index: Index, hashing: HashingEncoder) -> None:
    for i in range(3 * MERGE_AT):
        index.commit(Changes(entries=[entry(document(f"d{i:02}", f"zebra number{i}"), hashing)]))
    index.delete(["d03", "d20"])
    files = list((index.folder / "segments").iterdir())
    assert len(files) == len(index.catalogue.segments()) < MERGE_AT
    assert found(index, "zebra") == [f"d{i:02}" for i in range(3 * MERGE_AT) if i not in (3, 20)]
    assert found(index, "number7") == ["d07"]
    assert verify(index) == []


def test_a_segment_that_is_mostly_dead_is_rewritten(index: Index, hashing: HashingEncoder) -> None:
    index.commit(Changes(entries=[entry(document(f"d{i}", "zebra"), hashing) for i in range(10)]))
    index.delete([f"d{i}" for i in range(6)])
    assert [(row.passages, row.dead.size) for row in index.catalogue.segments()] == [(4, 0)]


def test_an_index_can_become_empty(index: Index, hashing: HashingEncoder) -> None:
    index.commit(Changes(entries=[entry(document("a", "zebra"), hashing)]))
    index.delete(["a"])
    assert len(index.snapshot()) == 0
    assert found(index, "zebra") == []
    assert verify(index) == []


def test_runs_are_neighbours_of_like_size() -> None:
    small, large = SegmentRow("s", 0, 100), SegmentRow("l", 0, 3 * SMALLEST_TIER)
    huge = SegmentRow("h", 0, 1000 * SMALLEST_TIER)
    assert runs([]) == []
    assert runs([large] + [small] * (MERGE_AT - 1)) == []
    assert runs([huge] + [large] * (MERGE_AT - 1)) == []
    assert runs([huge, large, *[small] * MERGE_AT, large]) == [(2, 2 + MERGE_AT)]
    assert runs([large] + [small] * MERGE_AT) == [(1, 1 + MERGE_AT)]
    assert runs([large] * MERGE_AT) == [(0, MERGE_AT)]
    assert runs([SegmentRow("h", 0, LARGEST // MERGE_AT + 1)] * MERGE_AT) == []


def test_filters_admit_documents(index: Index, hashing: HashingEncoder) -> None:
    from datetime import UTC, datetime, timedelta, timezone

    moments = [datetime(2020, 1, 1), datetime(2021, 1, 1, tzinfo=timezone(timedelta(hours=8))), None]
    given = [
        document(
            f"d{i}", "zebra", source=f"s{i}", language="zh" if i else "en", published_at=moment, metadata={"n": f"{i}"}
        )
        for i, moment in enumerate(moments)
    ]
    index.commit(Changes(entries=[entry(each, hashing) for each in given]))

    def admitted(filters: Filters) -> list[int]:
        mask = index.admitted(filters, index.snapshot())
        return [0, 1, 2] if mask is None else np.flatnonzero(mask).tolist()

    assert admitted(Filters()) == [0, 1, 2]
    assert admitted(Filters(sources=("s0", "s2"))) == [0, 2]
    assert admitted(Filters(languages=("zh",))) == [1, 2]
    assert admitted(Filters(metadata={"n": "1"})) == [1]
    assert admitted(Filters(metadata={"n": "1", "m": "1"})) == []
    assert admitted(Filters(published_from=datetime(2020, 1, 1, tzinfo=UTC))) == [0, 1]
    assert admitted(Filters(published_to=datetime(2020, 12, 31, 16, tzinfo=UTC))) == [0, 1]
    assert admitted(Filters(published_to=datetime(2020, 12, 31, 15, tzinfo=UTC))) == [0]
    assert admitted(Filters(metadata={"n') OR 1 --": "1"})) == []


def test_what_filters_admit_is_remembered_for_the_last_of_them_only(index: Index, hashing: HashingEncoder) -> None:
    index.commit(Changes(entries=[entry(document(f"d{i}", "zebra", source=f"s{i}"), hashing) for i in range(3)]))
    snapshot, masks, wrong = index.snapshot(), list[weakref.ref[Mask]](), list[Filters]()

    def ask(thread: int) -> None:
        for i in range(200):
            filters = Filters(sources=(f"s{i % 3}",), metadata={} if i < 3 else {"n": f"{thread} {i}"})
            mask = index.admitted(filters, snapshot)
            assert mask is not None
            masks.append(weakref.ref(mask))
            if np.flatnonzero(mask).tolist() != ([i] if i < 3 else []):
                wrong.append(filters)

    threads = [threading.Thread(target=ask, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(masks), wrong) == (800, [])
    assert sum(mask() is not None for mask in masks) < 100
    again = index.admitted(Filters(sources=("s1",)), snapshot)
    assert index.admitted(Filters(sources=("s1",)), snapshot) is again


def test_what_is_counted_may_vanish_meanwhile(index: Index, hashing: HashingEncoder) -> None:
    assert index.empty()
    index.commit(Changes(entries=[entry(document("a", "zebra"), hashing)]))
    assert not index.empty()
    passing, over = index.folder / "segments" / "merged.seg", threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            passing.touch()
            passing.unlink()

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        for _ in range(1_000):
            assert index.counts().passages == 1
            assert index.added_at()
    finally:
        over.set()
        other.join()


THREADS = """
import resource, sys, threading
from pathlib import Path
from indexing.store import Index

index = Index.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
answers = []
for _ in range(100):
    threads = [threading.Thread(target=lambda: answers.append(index.counts().documents)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(len(answers), set(answers))
"""


def test_threads_that_have_ended_hold_no_files_open(index: Index, hashing: HashingEncoder) -> None:
    """The process may have 64 files open, and 200 threads read the index, two at a time."""
    index.commit(Changes(entries=[entry(document("a", "zebra"), hashing)]))
    command = [sys.executable, "-c", THREADS, str(index.folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "200 {1}\n", run.stderr[-500:]


def test_another_process_sees_a_commit_within_a_second(index: Index, hashing: HashingEncoder) -> None:
    index.commit(Changes(entries=[entry(document("a", "zebra"), hashing)]))
    program = """
import sys, time
from pathlib import Path
from indexing.store import Index
index = Index.open(Path(sys.argv[1]))
print(len(index.snapshot()), flush=True)
sys.stdin.readline()
end = time.monotonic() + 1
while len(index.snapshot()) != 2 and time.monotonic() < end:
    time.sleep(0.02)
print(len(index.snapshot()), flush=True)
"""
    command = [sys.executable, "-c", program, str(index.folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline() == "1\n"
        index.commit(Changes(entries=[entry(document("b", "zebra"), hashing)]))
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "2\n"


def test_readers_are_served_while_a_writer_commits_and_merges(index: Index, hashing: HashingEncoder) -> None:
    index.commit(Changes(entries=[entry(document("base", "zebra"), hashing)]))
    reader, seen, done = Index.open(index.folder), [], threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(len(found(reader, "zebra")))

    thread = threading.Thread(target=read)
    thread.start()
    for i in range(30):
        index.commit(Changes(entries=[entry(document(f"d{i}", "zebra"), hashing)]))
    done.set()
    thread.join()
    assert len(seen) > 5
    assert seen == sorted(seen)
    assert len(found(reader, "zebra")) == 31


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "missing", "header", "other"])
def test_a_damaged_file_is_named_with_the_command_that_mends_it(
    index: Index, hashing: HashingEncoder, damage: str
) -> None:
    index.commit(Changes(entries=[entry(document(f"d{i}", f"zebra {i}"), hashing) for i in range(50)]))
    (path,) = (index.folder / "segments").iterdir()
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    else:
        content[len(content) // 2] ^= 1 if damage == "flip" else 0
        content[20] ^= 1 if damage == "header" else 0
        content[0] ^= 1 if damage == "other" else 0
        end = {"cut": len(content) // 2, "empty": 0}.get(damage, len(content))
        path.write_bytes(content[:end])
    with pytest.raises(IndexDamaged, match=path.name) as error:
        Index.open(index.folder).snapshot()
    assert "passerine doctor --repair" in error.value.hint
    assert any(path.name in problem for problem in verify(index))


@pytest.mark.parametrize("bit", [1, 0x80], ids=["another letter", "no letter"])
def test_a_damaged_catalogue_is_named(index: Index, hashing: HashingEncoder, bit: int) -> None:
    index.commit(Changes(entries=[entry(document("d", "zebra " * 3000), hashing)]))
    index.catalogue.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    index.close()
    path = index.folder / "catalogue.sqlite"
    content = bytearray(path.read_bytes())
    place = content.rindex(b"zebra zebra")
    content[place] ^= bit
    path.write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"catalogue\.sqlite"):
        Index.open(index.folder).document("d")
    content[: len(content) // 2] = b"\1" * (len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"catalogue\.sqlite"):
        Index.open(index.folder)


DAMAGES = {
    "a title": "UPDATE documents SET title = 'zebrb' WHERE key = 2",
    "an address": "UPDATE documents SET url = url || '/' WHERE key = 2",
    "a date": "UPDATE documents SET published = 5 WHERE key = 2",
    "its file": "UPDATE documents SET file = 'x.txt' WHERE key = 2",
    "no seal": "UPDATE documents SET seal = NULL WHERE key = 2",
    "a span": 'UPDATE passages SET "end" = "end" - 1 WHERE document = 2',
    "a heading": "UPDATE passages SET heading = 'Other' WHERE document = 2",
    "a passage moved": "UPDATE passages SET document = 3 WHERE document = 2",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_row_is_named_and_never_shown_and_read_again_after_a_repair(
    tmp_path: Path, hashing: HashingEncoder, damage: str
) -> None:
    (tmp_path / "docs").mkdir()
    for name in "abcd":
        (tmp_path / "docs" / f"{name}.txt").write_text(f"zebra {name * 3} stands\n")
    index = Index.create(tmp_path / "index", hashing)
    refresh([tmp_path / "docs"], index, hashing)
    before = {(each.id, each.title, each.url, each.text, each.published_at) for each in index.documents()}
    index.catalogue.rows(damage)
    with pytest.raises(IndexDamaged, match=r"catalogue\.sqlite holds a damaged (document|passage)") as error:
        Searcher(index, hashing).search(Query("zebra"), 4)
    assert "passerine index repair" in error.value.hint
    lost = len(verify(index))
    assert lost == (2 if "document = 3" in damage else 1)
    done = repair_index(tmp_path / "index", hashing, None)
    assert (len(done.removed), done.encoded) == (lost, None)
    assert verify(index) == []
    assert len(Searcher(index, hashing).search(Query("zebra"), 4)) == 4 - lost
    assert refresh([tmp_path / "docs"], index, hashing).added == lost
    assert {(each.id, each.title, each.url, each.text, each.published_at) for each in index.documents()} == before


def test_a_schema_that_is_no_text_is_named(index: Index, hashing: HashingEncoder) -> None:
    index.commit(Changes(entries=[entry(document("d", "zebra"), hashing)]))
    index.close()
    content = bytearray(index.catalogue.path.read_bytes())
    content[content.index(b"NULL", content.index(b"CREATE TABLE segments")) + 3] = 0xCC
    index.catalogue.path.write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"catalogue\.sqlite is damaged"):
        Index.open(index.folder)


def test_an_index_without_checksums_is_read_and_gets_them_from_the_next_writer(
    index: Index, hashing: HashingEncoder
) -> None:
    index.commit(Changes(entries=[entry(document(f"d{i}", f"zebra {i}"), hashing) for i in range(4)]))
    for table in ("documents", "passages", "segments"):
        index.catalogue.rows(f"ALTER TABLE {table} DROP COLUMN seal")
    index.catalogue.rows("DELETE FROM meta WHERE name = 'seal'")
    index.catalogue.rows("UPDATE meta SET value = '2' WHERE name = 'format'")
    index.catalogue.rows("UPDATE documents SET text = 'zebrb 3' WHERE id = 'd3'")
    index.close()
    again = Index.open(index.folder)
    assert again.document("d1").text == "zebra 1"
    assert len(found(again, "0")) == 1
    Index.create(index.folder, hashing)
    assert again.meta()["format"] == FORMAT
    assert again.document("d1").text == "zebra 1"
    assert len(verify(again)) == 1, "what was damaged before is not sealed"
    index.catalogue.rows("UPDATE documents SET title = 'x' WHERE id = 'd1'")
    with pytest.raises(IndexDamaged, match="d1"):
        Index.open(index.folder).document("d1")


def test_damaged_settings_and_lost_passages_are_named(index: Index, hashing: HashingEncoder) -> None:
    index.commit(Changes(entries=[entry(document(f"d{i}", f"zebra {i}"), hashing) for i in range(4)]))
    index.catalogue.rows("DELETE FROM passages WHERE document = 2")
    with pytest.raises(IndexDamaged, match="lost passages"):
        Searcher(index, hashing).search(Query("zebra"), 4)
    index.catalogue.rows("UPDATE meta SET value = '1.3' WHERE name = 'k1'")
    with pytest.raises(IndexDamaged, match="settings"):
        Index.open(index.folder)


def test_a_damaged_list_of_the_dead_and_lost_facts_are_named(index: Index, hashing: HashingEncoder) -> None:
    index.commit(Changes(entries=[entry(document(f"d{i}", f"zebra {i}"), hashing) for i in range(4)]))
    index.catalogue.rows("UPDATE segments SET dead = ?", (np.array([2, 900], "<i8").tobytes(),))
    with pytest.raises(IndexDamaged, match=r"catalogue\.sqlite holds a damaged row"):
        Index.open(index.folder).snapshot()
    index.catalogue.rows("DELETE FROM meta WHERE name = 'encoder_fingerprint'")
    with pytest.raises(IndexDamaged, match="encoder_fingerprint"):
        Index.open(index.folder)


def test_no_index_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="no index") as error:
        Index.open(tmp_path)
    assert "passerine refresh" in error.value.hint
    (tmp_path / "catalogue.sqlite").write_bytes(b"")
    with pytest.raises(IndexMissing):
        Index.open(tmp_path)


def test_a_foreign_encoder_is_refused_with_the_command_that_rebuilds(index: Index) -> None:
    with pytest.raises(EncoderMismatch, match="hashing") as error:
        Index.create(index.folder, HashingEncoder("other"))
    assert "passerine refresh --rebuild" in error.value.hint


def test_another_analyser_is_refused(index: Index, hashing: HashingEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexing.tokenize.VERSION", 999)
    with pytest.raises(EncoderMismatch, match="analyser"):
        Index.open(index.folder).check(hashing)


FULL = """
import resource, signal, sys
from pathlib import Path
from indexing.store import Changes, Index
from indexing.types import StorageFailed
from tests.hashing import HashingEncoder, document
from tests.test_store import entry

encoder = HashingEncoder()
index = Index.open(Path(sys.argv[1]))
large = [entry(document(f"n{i}", f"yak number{i} " * 90), encoder) for i in range(300)]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    index.commit(Changes(removed=["a"], entries=large))
except StorageFailed as error:
    print(error.message, error.hint)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(len(index.snapshot()))
index.commit(Changes(entries=[entry(document("b", "zebra"), encoder)]))
print(len(index.snapshot()))
"""


@pytest.mark.parametrize("room", [20_000, 160_000], ids=["segment", "text"])
def test_a_full_disk_is_said_so_and_loses_nothing(index: Index, hashing: HashingEncoder, room: int) -> None:
    """The process may write files of a certain size only: what a full disk does to it, without one."""
    index.commit(Changes(entries=[entry(document("a", "zebra"), hashing)]))
    index.catalogue.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    command = [sys.executable, "-c", FULL, str(index.folder), str(room)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    message, before, after = run.stdout.splitlines()
    assert "written: " in message
    assert (before, after) == ("1", "2")
    assert found(index, "zebra") == ["a", "b"]
    assert found(index, "yak") == []
    assert verify(index) == []
    assert len(list((index.folder / "segments").iterdir())) == 2


def test_leftovers_of_a_killed_writer_are_removed_by_the_next(index: Index, hashing: HashingEncoder) -> None:
    for name in ("x.part", "orphan.seg"):
        (index.folder / "segments" / name).write_bytes(b"half")
    index.commit(Changes(entries=[entry(document("a", "zebra"), hashing)]))
    assert [path.stem for path in (index.folder / "segments").iterdir()] == [index.catalogue.segments()[0].name]


def test_a_lock_names_its_owner_and_ends_with_him(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = f"""
import sys, time
from pathlib import Path
from indexing.lock import locked
with locked(Path({str(path)!r}), "testing"):
    print("held", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(Conflict, match=f"{owner.pid}.*is testing"), locked(path, "testing"):
            pass
        owner.kill()
        owner.wait()
        with locked(path, "testing"):
            assert path.read_text().split()[0] == str(os.getpid())


def test_threads_take_turns_at_writing(index: Index, hashing: HashingEncoder) -> None:
    entries = [entry(document(f"d{i}", f"zebra {i}"), hashing) for i in range(12)]
    threads = [threading.Thread(target=lambda one=one: index.commit(Changes(entries=[one]))) for one in entries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found(index, "zebra")) == 12
    assert verify(index) == []


def test_arrays_survive_a_round_trip_as_memory_maps(tmp_path: Path) -> None:
    arrays = {"a": np.arange(7), "empty": np.zeros((0, 3), np.float16), "m": np.ones((3, 5), np.float32)}
    write_arrays(tmp_path / "x.seg", arrays)
    again = read_arrays(tmp_path / "x.seg")
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        assert np.array_equal(again[name], array)
    assert not again["m"].flags.writeable
    with pytest.raises(StorageFailed, match="could not be written"):
        write_arrays(tmp_path / "no" / "x.seg", arrays)


def test_titles_and_headings_belong_to_the_searched_text() -> None:
    given = document("d", "Install\n\nRun it.", title="Manual")
    assert (
        searched_text(given, Passage("p", "d", 0, 9, 16, "Run it.", "Manual > Install")) == "Manual\nInstall\nRun it."
    )
    assert searched_text(given, Passage("p", "d", 0, 0, 16, given.text, "Manual > Install")) == f"Manual\n{given.text}"


def test_an_index_of_the_first_format_is_read_and_written_anew(index: Index, hashing: HashingEncoder) -> None:
    """Format 1 kept every posting unpacked, as term, offset, row and frequency."""
    index.commit(Changes(entries=[entry(document(f"d{i}", f"zebra {'yak ' * i}"), hashing) for i in range(40)]))
    before = index.snapshot().lexical.top(["zebra", "yak"], 40)
    (segment,) = index.snapshot().segments
    held, rows, counts = segment.postings.lists(np.arange(len(segment.postings.terms)))
    write_arrays(
        index.path(segment.name),
        {
            "keys": segment.keys, "owners": segment.owners, "vectors": segment.vectors,
            "terms": segment.postings.terms, "offsets": np.cumsum([0, *held]),
            "rows": rows.astype(np.int32), "counts": counts.astype(np.uint16),
            "lengths": segment.postings.lengths.astype(np.int32),
        },
    )  # fmt: skip
    index.catalogue.rows("UPDATE meta SET value = '1' WHERE name = 'format'")
    again = Index.open(index.folder)
    found = again.snapshot().lexical.top(["zebra", "yak"], 40)
    assert [part.tolist() for part in found] == [part.tolist() for part in before]
    again.delete([f"d{i}" for i in range(30)])
    assert again.meta()["format"] == FORMAT
    assert len(Index.open(index.folder).snapshot()) == 10
    assert "offsets" not in read_arrays(again.path(again.catalogue.segments()[0].name))
    assert verify(again) == []
