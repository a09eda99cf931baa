"""Segments are joined while others write: nothing that happens meanwhile is lost or comes back."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import indexing.merge
import indexing.store
from indexing.merge import MERGE_AT
from indexing.rebuild import rebuild, verify
from indexing.refresh import refresh
from indexing.store import Changes, Index
from indexing.types import StorageFailed
from tests.hashing import HashingEncoder, document
from tests.test_store import entry, found


class Held:
    """Holds every merge between reading the old segments and writing the new one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on, join = threading.Event(), threading.Event(), indexing.merge.join

        def slow(*given: object) -> object:
            self.begun.set()
            assert self.go_on.wait(20)
            return join(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(indexing.merge, "join", slow)
        monkeypatch.setattr(indexing.store, "AT_ONCE", 0)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(monkeypatch)
    yield held
    held.go_on.set()


def add(index: Index, *keys: str) -> None:
    for key in keys:
        index.commit(Changes(entries=[entry(document(key, f"zebra {key}"), HashingEncoder())]))


KEYS = [f"d{i}" for i in range(MERGE_AT)]


def settled(index: Index, held: Held) -> list[str]:
    held.go_on.set()
    index.settle()
    assert len(index.catalogue._open) == 1, "the thread that merged has let go of its connection"
    assert verify(index) == []
    named = {row.name for row in index.catalogue.segments()}
    assert {path.stem for path in (index.folder / "segments").iterdir()} == named
    return found(index, "zebra")


def test_others_write_while_segments_are_merged(index: Index, held: Held) -> None:
    add(index, *KEYS)
    assert held.begun.wait(20)
    index.delete(["d3"])
    add(index, "d5", "new")  # one is replaced
    other = Index.open(index.folder)  # a writer that removes what a killed one may have left
    other.delete(["d6"])
    add(other, "last")
    assert found(index, "zebra") == found(other, "zebra")
    left = sorted({*KEYS, "new", "last"} - {"d3", "d6"})
    assert sorted(found(index, "zebra")) == left
    assert sorted(settled(index, held)) == left
    assert sorted(found(other, "zebra")) == left
    assert found(index, "d3") == found(index, "d6") == []
    assert found(index, "d5") == ["d5"]
    assert len(index.catalogue.segments()) < MERGE_AT


def test_a_merge_of_segments_that_were_replaced_meanwhile_is_dropped(index: Index, held: Held) -> None:
    add(index, *KEYS)
    assert held.begun.wait(20)
    rebuild(index, HashingEncoder())
    index.delete(["d0"])
    assert sorted(settled(index, held)) == KEYS[1:]


def test_an_index_that_is_closed_waits_for_its_merge(index: Index, held: Held) -> None:
    add(index, *KEYS)
    assert held.begun.wait(20)
    threading.Timer(0.2, held.go_on.set).start()
    index.close()
    assert len(Index.open(index.folder).catalogue.segments()) == 1


def test_a_refresh_ends_when_all_is_merged(index: Index, held: Held, tmp_path: Path) -> None:
    add(index, *KEYS)
    assert held.begun.wait(20)
    stages: list[str] = []

    def progress(stage: str, *_: int) -> None:
        stages.append(stage)
        if stage == "merge":
            threading.Timer(0.1, held.go_on.set).start()

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "new.md").write_text("A zebra.")
    refresh([tmp_path / "docs"], index, HashingEncoder(), progress)
    assert stages[-1] == "merge"
    assert len(index.catalogue.segments()) < MERGE_AT


def test_a_merge_that_finds_no_room_leaves_all_as_it_was(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> object:
        raise StorageFailed("Full.", "")

    monkeypatch.setattr(indexing.merge, "join", full)
    add(index, *KEYS)
    assert len(index.catalogue.segments()) == MERGE_AT
    monkeypatch.undo()
    add(index, "new")
    assert len(index.catalogue.segments()) < MERGE_AT
    assert sorted(found(index, "zebra")) == [*KEYS, "new"]
