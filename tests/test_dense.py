"""Nearest vectors: exact, filtered before ranking, the same from every engine."""

import sys
from pathlib import Path

import numpy as np
import pytest

from indexing import dense
from indexing.dense import Engine, FaissEngine, TorchEngine, choose, nearest
from indexing.types import BadInput, Vectors

ENGINES = {"chosen": choose(), "faiss": FaissEngine(), "torch": TorchEngine()}
"""The chosen one is FAISS on the GPU where there is one."""


def unit(seed: int, n: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(n, 32)).astype(np.float32)
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def by_hand(stored: Vectors, queries: Vectors, k: int, admitted: np.ndarray) -> list[list[int]]:
    scores = queries @ stored.astype(np.float32).T
    scores[:, ~admitted] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")
    return [[int(row) for row in line if admitted[row]][:k] for line in order]


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize("share", [1.0, 0.5, 0.02, 0.0])
def test_finds_exactly_the_nearest_admitted_rows_across_segments(engine: Engine, share: float) -> None:
    stored, queries = unit(1, 700).astype(np.float16), unit(2, 7)
    admitted = np.random.default_rng(3).random(700) < share
    cuts = [(0, 200), (200, 450), (450, 700)]
    parts = [(engine.prepare(stored[a:b]), b - a, None if share == 1.0 else admitted[a:b]) for a, b in cuts]
    found = nearest(parts, queries, 100)
    for (rows, scores), expected in zip(found, by_hand(stored, queries, 100, admitted), strict=True):
        assert rows.tolist() == expected
        assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_asks_for_more_than_there_is(engine: Engine) -> None:
    stored = unit(4, 3).astype(np.float16)
    ((rows, _),) = nearest([(engine.prepare(stored), 3, np.array([True, False, True]))], unit(5, 1), 100)
    assert sorted(rows.tolist()) == [0, 2]


def test_no_segment_gives_no_row() -> None:
    assert [rows.size for rows, _ in nearest([], unit(6, 2), 10)] == [0, 0]


def test_equal_vectors_come_in_row_order() -> None:
    stored = np.repeat(unit(7, 1), 5, axis=0).astype(np.float16)
    engine = FaissEngine()
    parts = [(engine.prepare(stored), 5, None), (engine.prepare(stored), 5, None)]
    ((rows, _),) = nearest(parts, unit(7, 1), 10)
    assert rows.tolist() == list(range(10))


def test_rows_that_were_asked_for_in_vain_are_dropped_line_by_line() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.6], [0.5, 0.4, 0.3, -1.0]], np.float32)
    rows = np.array([[3, 1, 0, 2], [0, 1, 2, -1]])
    kept_scores, kept = dense._keep(scores, rows, np.array([True, False, True, False]), 3)
    assert kept.tolist() == [[0, 2, -1], [0, 2, -1]]
    assert np.array_equal(kept_scores[:, :2], np.array([[0.7, 0.6], [0.5, 0.3]], np.float32))


def test_the_choice_is_named_for_people() -> None:
    assert choose("torch").describe().startswith("torch ")
    assert choose().describe().startswith("FAISS ")


def test_both_faiss_distributions_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("faiss_cpu", "faiss_gpu"):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(BadInput, match="both installed") as refused:
        choose()
    assert "pip uninstall" in refused.value.hint


def test_torch_takes_over_where_faiss_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr(dense.util, "find_spec", lambda _: None)
    assert choose().describe().startswith("torch ")
    with pytest.raises(BadInput, match="not installed"):
        choose("faiss")
