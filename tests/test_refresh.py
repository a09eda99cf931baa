"""A refresh touches only what changed, commits as it goes, and survives being killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from indexing.dense import FaissEngine
from indexing.rebuild import verify
from indexing.refresh import RefreshReport, Stored, add_documents, refresh, remove_source
from indexing.search import Searcher
from indexing.store import Index
from indexing.types import BadInput, Cancelled, Conflict, Document, EncoderMismatch, Query
from tests.hashing import HashingEncoder, document
from tests.test_files import unlistable

ROOT = Path(__file__).parent.parent


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "alpha.md").write_text("# Alpha\n\nThe zebra grazes.\n")
    (folder / "beta.txt").write_text("The yak climbs.\n")
    (folder / "sub" / "gamma.html").write_text("<html><body><main><p>The gnu runs far.</p></main></body></html>")
    lines = [{"id": f"r{i}", "title": f"Record {i}", "text": f"Record number{i} tells of a lemur."} for i in range(3)]
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def counts(report: RefreshReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.removed, report.same


def texts(index: Index, encoder: HashingEncoder, question: str) -> list[str]:
    """Texts of the passages that a search finds by words."""
    hits = Searcher(index, encoder, engine=FaissEngine()).search(Query(question), 20)
    return sorted(hit.passage.text for hit in hits if hit.lexical)


def test_files_are_indexed_once_and_then_the_same(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    first = refresh([docs], index, hashing)
    assert counts(first) == (6, 0, 0, 0)
    assert first.failed == ()
    encoded = hashing.passages
    assert counts(refresh([docs], index, hashing)) == (0, 0, 0, 6)
    assert hashing.passages == encoded
    assert "yak" in texts(index, hashing, "yak")[0]
    assert [source.source for source in index.sources()] == [str(docs)]
    assert verify(index) == []


def test_only_what_changed_is_touched(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    refresh([docs], index, hashing)
    (docs / "beta.txt").write_text("The camel climbs.\n")
    (docs / "alpha.md").unlink()
    (docs / "delta.txt").write_text("The ibex jumps.\n")
    records = (docs / "records.jsonl").read_text().splitlines()
    (docs / "records.jsonl").write_text("\n".join([records[0].replace("lemur", "tarsier"), records[1]]) + "\n")
    hashing.passages = 0
    assert counts(refresh([docs], index, hashing)) == (1, 2, 2, 2)
    assert hashing.passages == 3
    assert texts(index, hashing, "zebra") == texts(index, hashing, "yak") == []
    assert texts(index, hashing, "camel")
    assert len(texts(index, hashing, "lemur")) == 1


def test_a_touched_file_of_the_same_bytes_is_the_same(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    refresh([docs], index, hashing)
    os.utime(docs / "beta.txt", (1, 1))
    assert counts(refresh([docs], index, hashing)) == (0, 0, 0, 6)
    known = index.catalogue.files(str(docs))["beta.txt"]
    assert known.modified == 10**9


def test_an_unchanged_file_is_not_even_opened(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    refresh([docs], index, hashing)
    seen = (docs / "beta.txt").stat()
    (docs / "beta.txt").write_text("The gnu climbs.\n")
    os.utime(docs / "beta.txt", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert counts(refresh([docs], index, hashing)) == (0, 0, 0, 6)
    assert texts(index, hashing, "yak")


def test_an_edit_encodes_only_the_passages_it_changed(index: Index, hashing: HashingEncoder, tmp_path: Path) -> None:
    folder = tmp_path / "long"
    folder.mkdir()
    parts = [f"# Part {i}\n\n" + f"Sentence {i} tells of word{i} at some length. " * 60 for i in range(8)]
    (folder / "a.md").write_text("\n\n".join(parts))
    refresh([folder], index, hashing)
    everything, hashing.passages = hashing.passages, 0
    parts[5] += "One more sentence about a quokka."
    (folder / "a.md").write_text("\n\n".join(parts))
    assert counts(refresh([folder], index, hashing)) == (0, 1, 0, 0)
    assert everything >= 16
    assert 1 <= hashing.passages <= 2
    assert "quokka" in texts(index, hashing, "quokka")[0]


def test_a_moved_file_is_not_found_twice(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    refresh([docs], index, hashing)
    (docs / "beta.txt").rename(docs / "sub" / "beta.txt")
    assert counts(refresh([docs], index, hashing)) == (1, 0, 1, 5)
    assert len(texts(index, hashing, "yak")) == 1


def test_sources_do_not_touch_each_other(index: Index, hashing: HashingEncoder, docs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.txt").write_text("The okapi hides.\n")
    assert counts(refresh([docs, other], index, hashing)) == (7, 0, 0, 0)
    (docs / "alpha.md").unlink()
    assert counts(refresh([docs], index, hashing)) == (0, 0, 1, 5)
    assert texts(index, hashing, "okapi")
    assert remove_source(str(docs), index) == 5
    assert [source.source for source in index.sources()] == [str(other)]
    assert counts(refresh([docs], index, hashing)) == (5, 0, 0, 0)


def test_a_single_file_is_a_source(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    assert counts(refresh([docs / "beta.txt"], index, hashing)) == (1, 0, 0, 0)
    assert counts(refresh([docs / "beta.txt"], index, hashing)) == (0, 0, 0, 1)
    assert [source.source for source in index.sources()] == [str(docs / "beta.txt")]


def test_bad_files_are_named_and_stop_nothing(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (docs / "empty.txt").write_text("")
    (docs / "binary.txt").write_bytes(b"\x7fELF" + bytes(range(256)))
    with (docs / "records.jsonl").open("a") as file:
        file.write("{not json\n")
    report = refresh([docs], index, hashing)
    assert counts(report) == (6, 0, 0, 0)
    assert sorted(Path(failure.url).name for failure in report.failed) == [
        "binary.txt",
        "broken.pdf",
        "empty.txt",
        "records.jsonl",
    ]
    assert all(failure.reason for failure in report.failed)
    again = refresh([docs], index, hashing)
    assert counts(again) == (0, 0, 0, 6)
    assert again.failed == report.failed


def test_a_file_that_breaks_keeps_its_earlier_version(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    refresh([docs], index, hashing)
    (docs / "beta.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    report = refresh([docs], index, hashing)
    assert counts(report) == (0, 0, 0, 5)
    assert "earlier version stays" in report.failed[0].reason
    assert texts(index, hashing, "yak")


def test_a_missing_or_emptied_source_is_refused_and_kept(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    refresh([docs], index, hashing)
    away = docs.rename(docs.with_name("away"))
    with pytest.raises(BadInput, match=r"docs.*stay in the index"):
        refresh([docs], index, hashing)
    docs.mkdir()
    with pytest.raises(BadInput, match="no files") as error:
        refresh([docs], index, hashing)
    assert "mounted" in error.value.hint
    assert texts(index, hashing, "yak")
    assert counts(refresh([docs], index, hashing, empty_ok=True)) == (0, 0, 6, 0)
    assert away.is_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("mode", [0, 0o311, 0o444])  # closed; entered and not listed; listed and not entered
def test_a_folder_without_permission_loses_nothing(
    index: Index, hashing: HashingEncoder, docs: Path, mode: int
) -> None:
    refresh([docs], index, hashing)
    (docs / "sub").chmod(mode)
    report = refresh([docs], index, hashing)
    (docs / "sub").chmod(0o755)
    assert report.removed == 0
    assert report.failed
    assert texts(index, hashing, "gnu")


def test_a_folder_that_cannot_be_listed_loses_nothing(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    (docs / "sub" / "deep").mkdir()
    (docs / "sub" / "deep" / "delta.txt").write_text("The ibex jumps.\n")
    (docs / "subject.txt").write_text("The okapi hides.\n")
    refresh([docs], index, hashing)
    (docs / "subject.txt").unlink()
    with unlistable(docs / "sub"):
        report = refresh([docs], index, hashing)
    assert counts(report) == (0, 0, 1, 5), "what is not below the folder is really gone"
    assert {failure.url.rpartition("/")[2]: failure.reason for failure in report.failed} == {
        "sub": "sub cannot be read: Input/output error.",
        "gamma.html": "sub cannot be read: Input/output error. Its earlier version stays in the index.",
        "delta.txt": "sub cannot be read: Input/output error. Its earlier version stays in the index.",
    }
    assert texts(index, hashing, "gnu")
    assert texts(index, hashing, "ibex")
    (docs / "sub" / "gamma.html").unlink()
    assert counts(refresh([docs], index, hashing)) == (0, 0, 1, 6)


def test_a_source_that_cannot_be_listed_loses_nothing(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    refresh([docs], index, hashing)
    with unlistable(docs), pytest.raises(BadInput, match=r"cannot be read: Input/output error.*stay in the index"):
        refresh([docs], index, hashing)
    assert texts(index, hashing, "yak")


def test_a_dry_run_reports_and_writes_nothing(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    refresh([docs], index, hashing)
    (docs / "alpha.md").unlink()
    (docs / "beta.txt").write_text("The camel climbs.\n")
    generation, hashing.passages = index.catalogue.generation(), 0
    assert counts(refresh([docs], index, hashing, dry_run=True)) == (0, 1, 1, 4)
    assert (index.catalogue.generation(), hashing.passages) == (generation, 0)
    assert counts(refresh([docs], index, hashing)) == (0, 1, 1, 4)


def test_progress_reaches_its_total(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    refresh([docs], index, hashing, progress=lambda *step: seen.append(step))
    files = [step for step in seen if step[0] == "read"]
    assert files == [("read", done, 4) for done in range(5)]
    assert [step for step in seen if step[0] == "encode"][-1] == ("encode", 6, 0)


def many(folder: Path, n: int) -> Path:
    folder.mkdir()
    for i in range(n):
        (folder / f"f{i:04}.txt").write_text(f"File number{i} tells of a zebra. " * 30)
    return folder


def test_a_cancelled_refresh_keeps_what_it_did(index: Index, hashing: HashingEncoder, tmp_path: Path) -> None:
    folder = many(tmp_path / "many", 400)
    with pytest.raises(Cancelled):
        refresh([folder], index, hashing, cancelled=lambda: hashing.passages >= 160)
    done = index.counts().documents
    assert 0 < done < 400
    assert verify(index) == []
    report = refresh([folder], index, hashing)
    assert (report.added, report.same) == (400 - done, done)


KILLED = """
import sys, time
from pathlib import Path
from indexing.refresh import refresh
from indexing.store import Index
from tests.hashing import HashingEncoder

class Slow(HashingEncoder):
    def encode_passages(self, texts):
        time.sleep(0.05)
        return super().encode_passages(texts)

refresh([Path(sys.argv[2])], Index.open(Path(sys.argv[1])), Slow())
"""


def test_a_killed_refresh_goes_on_where_it_stopped(index: Index, hashing: HashingEncoder, tmp_path: Path) -> None:
    folder = many(tmp_path / "many", 300)
    done = -1
    for _ in range(2):
        command = [sys.executable, "-c", KILLED, str(index.folder), str(folder)]
        with subprocess.Popen(command, cwd=ROOT) as process:
            deadline = time.monotonic() + 30
            while index.counts().documents <= max(done, 0) and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert index.counts().documents > done
        done = index.counts().documents
        assert done < 300
        assert verify(index) == []
        assert len(index.snapshot()) == index.counts().passages
    report = refresh([folder], index, hashing)
    assert (report.added, report.changed, report.same) == (300 - done, 0, done)
    assert verify(index) == []
    assert counts(refresh([folder], index, hashing)) == (0, 0, 0, 300)


def test_finished_work_is_found_while_the_rest_is_read(index: Index, tmp_path: Path) -> None:
    folder = many(tmp_path / "many", 400)
    reached, go_on = threading.Event(), threading.Event()

    class Waiting(HashingEncoder):
        def encode_passages(self, texts):  # type: ignore[no-untyped-def]
            if self.passages >= 60:
                reached.set()
                assert go_on.wait(20)
            return super().encode_passages(texts)

    worker = threading.Thread(target=lambda: refresh([folder], index, Waiting()))
    worker.start()
    assert reached.wait(20)
    reader, encoder = Index.open(index.folder), HashingEncoder()
    assert 0 < len(reader.snapshot()) < 400
    assert texts(reader, encoder, "number0")
    with pytest.raises(Conflict, match="refreshing"):
        refresh([folder], reader, encoder)
    assert add_documents([document("d", "A lone quokka.")], reader, encoder) == [Stored("d", "added")]
    assert texts(reader, encoder, "quokka") == ["A lone quokka."]
    go_on.set()
    worker.join()
    assert index.counts().documents == 401


def test_a_foreign_encoder_is_refused_before_anything_is_read(index: Index, docs: Path) -> None:
    with pytest.raises(EncoderMismatch):
        refresh([docs], index, HashingEncoder("other"))


def test_documents_over_http_are_upserted_by_id(index: Index, hashing: HashingEncoder) -> None:
    assert add_documents([document("a", "A zebra."), document("b", "A yak.")], index, hashing) == [
        Stored("a", "added"),
        Stored("b", "added"),
    ]
    assert add_documents(
        [document("a", "A camel crosses the desert with its rider."), document("b", "A yak.")], index, hashing
    ) == [
        Stored("a", "changed"),
        Stored("b", "same"),
    ]
    assert texts(index, hashing, "zebra") == []
    assert texts(index, hashing, "camel") == ["A camel crosses the desert with its rider."]
    stored = index.document("a")
    assert (stored.source, stored.language, stored.fetched_at is not None) == ("api", "en", True)
    assert index.delete(["a"]) == 1
    assert texts(index, hashing, "camel") == []


def test_a_document_without_an_id_keeps_the_one_it_gets(index: Index, hashing: HashingEncoder) -> None:
    given = Document("", "https://example.org/x", "X", "A zebra.")
    (first,) = add_documents([given], index, hashing)
    (second,) = add_documents([given], index, hashing)
    assert first == Stored(second.id, "added")
    assert second.outcome == "same"
    assert index.document(first.id).text == "A zebra."


def test_bad_documents_over_http_are_refused(index: Index, hashing: HashingEncoder, docs: Path) -> None:
    with pytest.raises(BadInput, match="no text"):
        add_documents([document("a", " \n")], index, hashing)
    with pytest.raises(BadInput, match="same id"):
        add_documents([document("a", "x"), document("a", "y")], index, hashing)
    refresh([docs], index, hashing)
    (owned, *_) = index.documents(str(docs))
    with pytest.raises(Conflict, match="belongs to the source"):
        add_documents([document(owned.id, "x")], index, hashing)


def test_half_a_surrogate_pair_does_not_stop_a_document(index: Index, hashing: HashingEncoder) -> None:
    add_documents([document("a", "A zebra \ud83d here.")], index, hashing)
    assert index.document("a").text == "A zebra ? here."


def test_files_that_nothing_reads_are_told_and_are_no_failures(
    docs: Path, index: Index, hashing: HashingEncoder
) -> None:
    for name in ("talk.pptx", "other.pptx", "photo.png"):
        (docs / name).write_bytes(b"?")
    report = refresh([docs], index, hashing)
    assert report.counts.endswith(" 0 failed, 3 skipped (.pptx, .png)")
    assert (report + report).skipped.total() == 6
    for name in ("talk.pptx", "other.pptx", "photo.png"):
        (docs / name).unlink()
    assert refresh([docs], index, hashing).counts.endswith("6 same, 0 failed")
