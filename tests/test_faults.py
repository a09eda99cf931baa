"""A short cut of `passerine evaluate faults`: what is killed, cut, flipped or hurried stays whole or is named."""

import random
from pathlib import Path

import pytest

from eval import faults
from eval.faults import Folder, Hashed, damaged, state
from indexing.refresh import refresh
from indexing.store import Index


def test_an_index_survives_the_faults(tmp_path: Path) -> None:
    report = faults.run_faults(tmp_path, kills=4, damages=16, fillings=2)
    assert len(report.figures) == (5 if any("may not mount" in note for note in report.notes) else 6)
    assert all(figure.reached for figure in report.figures.values()), report.notes
    assert (tmp_path / "faults.json").is_file()


def test_what_is_lost_or_stale_is_seen(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    folder = Folder(tmp_path / "docs", random.Random(0))
    folder.change()
    index = Index.create(tmp_path / "index", Hashed())
    refresh([folder.path], index, Hashed())
    assert state(tmp_path / "index", folder, folder.versions) == []
    before = folder.change()
    assert state(tmp_path / "index", folder, before) == []
    assert state(tmp_path / "index", folder, folder.versions)
    index.close()


def test_a_wrong_answer_counts_as_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    folder = Folder(tmp_path / "docs", random.Random(0))
    folder.change()
    index = Index.create(tmp_path / "index", Hashed())
    refresh([folder.path], index, Hashed())
    index.close()
    given = iter(range(100))
    monkeypatch.setattr("eval.faults.answers", lambda _: [next(given)])
    assert len(damaged(tmp_path / "index", "segments/*.seg", 4, random.Random(0))) == 4
