"""Vectors beside others: enlarged from real ones, and a report that says what was reached."""

from pathlib import Path

import numpy as np

from eval.dense_speed import Point, enlarged, measured, reached, reported
from indexing.dense import PROBES

DIMENSION = 32


def unit(seed: int, n: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, DIMENSION)).astype(np.float32)
    scaled: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def test_mixtures_lie_among_the_real_vectors() -> None:
    real = unit(1, 300)
    made = enlarged(real, 1000).astype(np.float32)
    assert made.shape == (1000, DIMENSION)
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-3)
    assert np.array_equal(np.sort(made[:300].sum(1)), np.sort(real.astype(np.float16).astype(np.float32).sum(1)))
    nearest = (made[300:] @ real.T).max(1)
    assert np.median(nearest) > np.median(np.sort(real @ real.T, axis=1)[:, -2])


def test_scores_count_where_they_reach_the_least() -> None:
    assert reached([np.array([0.9, 0.8]), np.array([0.7])], [0.8, 0.7], 2) == 0.75


def test_all_ways_are_asked_and_the_report_says_what_was_reached(tmp_path: Path) -> None:
    vectors, queries = enlarged(unit(2, 300), 3000), unit(3, 31)
    points, filters, builds = measured(vectors, queries, (600, 3000), peer="IVF32,SQ8")
    recall = {(point.passages, point.name, point.k): point.recall for point in points}
    assert recall[600, "exact", 10] == recall[3000, "faiss Flat", 100] == 1.0
    assert recall[3000, "lists, 162 looked into", 10] > recall[3000, "lists, 24 looked into", 10] > 0.3
    assert recall[3000, "faiss IVF32,SQ8, nprobe 32", 10] > 0.8
    assert [one.passages for one in builds] == [600, 3000]
    assert {point.recall for point in filters if "50.0%" in point.name} == {1.0}, "few are searched exactly"
    figures = reported(points, filters, builds, 300, 31, tmp_path).figures
    assert figures["dense/best 10, recall"].value == recall[3000, f"lists, {PROBES} looked into", 10]
    assert figures["dense/best 10"].target == 1000
    assert (tmp_path / "dense.png").is_file()
    slow = [Point(3000, f"lists, {PROBES} looked into", k, 10.0, 0.5) for k in (10, 100)]
    slow += [Point(3000, "faiss Flat", k, 5.0, 1.0) for k in (10, 100)]
    missed = reported(slow, (), builds, 300, 31, tmp_path).figures
    assert not missed["dense/best 10, recall"].reached
    assert not missed["dense/best 10"].reached
