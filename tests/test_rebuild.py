"""Vectors and postings made anew from the stored texts, beside the live index."""

from pathlib import Path

import pytest

from indexing.dense import FaissEngine
from indexing.merge import MERGE_AT
from indexing.rebuild import rebuild, verify
from indexing.refresh import add_documents
from indexing.search import Searcher
from indexing.store import Index
from indexing.types import Cancelled, EncoderMismatch, IndexDamaged, Query, Vectors
from tests.hashing import HashingEncoder, document
from tests.writers import commits_meanwhile


@pytest.fixture
def index(tmp_path: Path) -> Index:
    encoder = HashingEncoder()
    index = Index.create(tmp_path / "index", encoder)
    add_documents([document(f"d{i}", f"A zebra of number{i}.") for i in range(90)], index, encoder)
    index.delete(["d3"])
    return index


def ids(index: Index, encoder: HashingEncoder, question: str) -> list[str]:
    hits = Searcher(index, encoder, engine=FaissEngine()).search(Query(question), 3)
    return [hit.document.id for hit in hits if hit.lexical]


def test_another_encoder_takes_over_whole(index: Index) -> None:
    old, new = HashingEncoder(), HashingEncoder("new", 128)
    searcher = Searcher(index, old)
    assert rebuild(index, new) == 89
    assert index.meta()["encoder"] == "new"
    assert ids(index, new, "number7") == ["d7"]
    assert verify(index) == []
    assert len(list((index.folder / "segments").iterdir())) == len(index.catalogue.segments())
    with pytest.raises(EncoderMismatch, match="rebuilt"):
        searcher.search(Query("number7"), 3)
    with pytest.raises(EncoderMismatch):
        add_documents([document("x", "Late.")], index, old)


def test_the_old_index_serves_until_the_swap_and_keeps_what_was_committed_meanwhile(index: Index) -> None:
    old = HashingEncoder()

    class Busy(HashingEncoder):
        def encode_passages(self, texts):  # type: ignore[no-untyped-def]
            if self.passages == 0:
                assert ids(index, old, "number8") == ["d8"]
                add_documents([document("late", "A late quokka.")], Index.open(index.folder), old)
                index.delete(["d9"])
            return super().encode_passages(texts)

    new = Busy("new", 128)
    rebuild(index, new)
    assert ids(index, new, "quokka") == ["late"]
    assert ids(index, new, "number9") == []
    assert verify(index) == []


def test_a_stopped_rebuild_goes_on_and_leaves_the_old_index(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexing.rebuild._PART", 32)
    new = HashingEncoder("new", 128)
    with pytest.raises(Cancelled):
        rebuild(index, new, cancelled=lambda: new.passages >= 60)
    assert ids(index, HashingEncoder(), "number7") == ["d7"]
    assert verify(index) == []
    again = HashingEncoder("new", 128)
    assert rebuild(index, again) == 89 - new.passages
    assert 0 < again.passages < 89
    assert ids(index, again, "number80") == ["d80"]


def test_an_abandoned_rebuild_is_forgotten_by_the_next(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexing.rebuild._PART", 32)
    first = HashingEncoder("first", 128)
    with pytest.raises(Cancelled):
        rebuild(index, first, cancelled=lambda: first.passages >= 60)
    other = HashingEncoder("other", 32)
    assert rebuild(index, other) == 89
    assert {row.build for row in index.catalogue.segments(None)} == {""}
    assert len(list((index.folder / "segments").iterdir())) == len(index.catalogue.segments())


@pytest.mark.parametrize("damage", ["flip", "missing"])
def test_a_damaged_segment_is_mended_from_the_texts(index: Index, damage: str) -> None:
    add_documents([document("e", "A whole yak.")], index, HashingEncoder())
    path = index.path(index.catalogue.segments()[0].name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if damage == "missing":
        path.unlink()
    opened = Index.open(index.folder)
    with pytest.raises(IndexDamaged):
        opened.snapshot()
    encoder = HashingEncoder()
    encoded = rebuild(opened, encoder)
    assert 0 < encoded < 90, "vectors in whole files are taken over"
    assert verify(opened) == []
    assert ids(opened, encoder, "number7") == ["d7"]
    assert ids(opened, encoder, "yak") == ["e"]


def test_another_analyser_makes_postings_anew_and_keeps_vectors(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexing.tokenize.VERSION", 999)
    encoder = HashingEncoder()
    with pytest.raises(EncoderMismatch):
        Searcher(index, encoder)
    assert rebuild(index, encoder) == 0
    assert ids(index, encoder, "number7") == ["d7"]


@pytest.mark.parametrize("commits", [1, MERGE_AT], ids=["a commit", "a merge"])
def test_an_index_is_whole_when_others_write_to_it_while_it_is_read(
    index: Index, commits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = commits_meanwhile(index, commits, monkeypatch)
    assert verify(index) == []
    assert (waiting, index.counts().documents) == ([], 89 + commits)


def test_a_document_that_is_replaced_while_it_is_read_is_whole(index: Index) -> None:
    waiting = [document(f"d{i}", f"An altered zebra of number{i}.") for i in range(90)]

    def busy(statement: str) -> None:
        if "FROM passages WHERE document IN" in statement and waiting:
            add_documents(waiting, Index.open(index.folder), HashingEncoder())
            waiting.clear()

    index.catalogue.connection.set_trace_callback(busy)
    assert verify(index) == []
    assert (waiting, index.document("d0").text) == ([], "An altered zebra of number0.")


def test_progress_counts_passages(index: Index) -> None:
    seen: list[tuple[str, int, int]] = []
    rebuild(index, HashingEncoder("new"), progress=lambda *step: seen.append(step))
    assert seen[-1] == ("encode", 89, 89)


def test_an_empty_index_can_be_rebuilt(tmp_path: Path) -> None:
    index = Index.create(tmp_path / "empty", HashingEncoder())
    assert rebuild(index, HashingEncoder("new")) == 0
    assert index.meta()["encoder"] == "new"


def test_rebuilt_vectors_are_the_new_encoders(index: Index) -> None:
    new = HashingEncoder("new", 128)
    rebuild(index, new)
    ((text, vector),) = index.known_vectors("d5").items()
    expected: Vectors = new.encode_passages([text])[0]
    assert vector @ expected == pytest.approx(1, abs=2e-3)
