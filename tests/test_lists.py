"""Inverted lists: what they find beside exact search, through filters, files and merges."""

from pathlib import Path

import numpy as np
import pytest

from indexing import dense, lists
from indexing.dense import FaissEngine, TorchEngine, nearest
from indexing.lexical import Mask
from indexing.lists import Centroids, Lists, count, joined, train
from indexing.merge import MERGE_AT
from indexing.postings import Postings
from indexing.rebuild import rebuild, verify
from indexing.segment import Segment
from indexing.snapshot import searchable
from indexing.split import split
from indexing.store import Changes, Entry, Index, searched_text
from indexing.types import IndexDamaged, Vectors
from indexing.vocabulary import numbered
from tests.hashing import HashingEncoder, document

N, DIMENSION, QUERIES = 9000, 48, 40
PASSAGES = 4000
"""Of the collection when its centroids were made."""


def unit(vectors: np.ndarray) -> Vectors:
    scaled: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


@pytest.fixture(scope="module")
def stored() -> np.ndarray:
    """Vectors that lie around two hundred points, some of them several times."""
    chance = np.random.default_rng(1)
    points = chance.normal(size=(200, DIMENSION))
    vectors = unit(points[chance.integers(200, size=N)] + 0.7 * chance.normal(size=(N, DIMENSION)))
    vectors[500:505] = vectors[8_000]
    return vectors.astype(np.float16)


@pytest.fixture(scope="module")
def made(stored: np.ndarray) -> Lists:
    centroids = train(stored, count(PASSAGES))
    return Lists.of(stored, centroids, centroids.nearest(stored))


def asked(stored: np.ndarray) -> Vectors:
    chance = np.random.default_rng(2)
    return unit(stored[chance.integers(N, size=QUERIES)] + 0.1 * chance.normal(size=(QUERIES, DIMENSION)))


def recall(stored: np.ndarray, made: Lists, admitted: Mask | None, k: int = 10) -> float:
    """The share of scores that are at least the k-th best score of an exact search."""
    queries, engine, shares = asked(stored), FaissEngine(), []
    for query in queries:
        (exact,), (found,) = (
            nearest([(engine.prepare(stored, given), N, admitted)], query[None], k) for given in (None, made)
        )
        assert len(found[0]) == len(exact[0])
        assert admitted is None or admitted[found[0]].all()
        assert (np.diff(found[1]) <= 0).all()
        shares.append(float((found[1] >= exact[1][-1] - 1e-6).mean()) if len(exact[0]) else 1.0)
    return float(np.mean(shares))


def test_every_row_is_in_the_list_of_its_nearest_mean(stored: np.ndarray, made: Lists) -> None:
    assert count(1_000_000) == 4096
    assert len(made.centroids) == count(PASSAGES) == 256
    means = made.centroids.means.astype(np.float32)
    distances = np.linalg.norm(stored[:300, None].astype(np.float32) - means, axis=2)
    assert np.allclose(np.take_along_axis(distances, made.homes()[:300, None], 1)[:, 0], distances.min(1), atol=1e-4)
    again = train(stored, count(PASSAGES))
    assert again.same(made.centroids), "the same for the same vectors"


def test_looking_in_two_steps_finds_the_nearest_of_nearly_all(
    stored: np.ndarray, made: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "_STEPWISE", 100)
    assert 0.95 < float((made.centroids.nearest(stored) == made.homes()).mean()) <= 1


@pytest.mark.parametrize("share", [1.0, 0.9, 0.4])
def test_lists_find_nearly_all_that_exact_search_finds(stored: np.ndarray, made: Lists, share: float) -> None:
    admitted = None if share == 1.0 else np.random.default_rng(3).random(N) < share
    assert recall(stored, made, admitted) > 0.97


@pytest.mark.parametrize("share", [0.02, 0.0])
def test_few_admitted_rows_are_searched_exactly(stored: np.ndarray, made: Lists, share: float) -> None:
    assert recall(stored, made, np.random.default_rng(4).random(N) < share) == 1.0


def test_where_all_lists_are_searched_scores_and_ties_are_those_of_exact_search(
    stored: np.ndarray, made: Lists
) -> None:
    engine, queries = FaissEngine(probes=len(made.centroids)), asked(stored)
    queries[0] = unit(stored[8_000:11_001].astype(np.float32))[0]
    for query in queries:
        exact, found = (
            nearest([(engine.prepare(stored, given), N, None)], query[None], 10)[0] for given in (None, made)
        )
        assert found[0].tolist() == exact[0].tolist()
        assert found[1].tolist() == exact[1].tolist()
    ((rows, _),) = nearest([(engine.prepare(stored, made), N, None)], queries[:1], 6)
    assert rows.tolist() == [500, 501, 502, 503, 504, 8_000]


def test_what_is_admitted_is_found_however_far_it_lies(
    stored: np.ndarray, made: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense, "_FEW", 10)
    query = asked(stored)[:1]
    far = np.argsort(stored.astype(np.float32) @ query[0])[:200]
    admitted = np.zeros(N, np.bool_)
    admitted[far] = True
    ((rows, _),) = nearest([(FaissEngine(probes=2).prepare(stored, made), N, admitted)], query, 10)
    assert rows.tolist() == far[::-1][:10].tolist()


def test_segments_with_the_same_centroids_and_a_batch_find_what_one_segment_finds(
    stored: np.ndarray, made: Lists
) -> None:
    engine, cut, homes, queries = FaissEngine(), 5000, made.homes(), asked(stored)
    parts = [
        (engine.prepare(part, Lists.of(part, made.centroids, home)), len(part), None)
        for part, home in ((stored[:cut], homes[:cut]), (stored[cut:], homes[cut:]))
    ]
    whole = nearest([(engine.prepare(stored, made), N, None)], queries, 10)
    for (rows, scores), (expected, equal) in zip(nearest(parts, queries, 10), whole, strict=True):
        assert rows.tolist() == expected.tolist()
        assert scores.tolist() == equal.tolist()


def test_what_a_merge_does_with_lists(stored: np.ndarray, made: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    def merged(rows: int, known: Centroids | None, passages: int) -> Lists | None:
        kept = np.arange(0, 2 * rows, 2)
        return joined(stored[kept], [(made, kept[:1000]), (None, kept[1000:])], known, passages)

    old = made.centroids
    assert merged(4500, None, 4500) is None, "a small collection is searched exactly"
    assert merged(1500, old, PASSAGES) is None, "and so is a small segment"
    kept = merged(4500, old, PASSAGES)
    assert kept
    assert kept.centroids is old
    assert np.array_equal(kept.homes(), made.homes()[::2])
    monkeypatch.setattr(lists, "LARGE", 4000)
    for known, passages, expected in ((None, 1000, 128), (old, 2 * PASSAGES, 256), (old, 4 * PASSAGES, 512)):
        found = merged(4500, known, passages)
        assert found
        assert len(found.centroids) == expected
        assert (found.centroids is old) == (expected == 256)
        assert np.array_equal(found.homes(), found.centroids.nearest(stored[::2]))


def test_an_index_gains_lists_as_it_grows_and_keeps_them_through_damage_and_repair(
    index: Index, hashing: HashingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "LARGE", 60)
    monkeypatch.setattr(lists, "SMALLEST", 16)
    monkeypatch.setattr(dense, "_FEW", 5)
    for n in range(MERGE_AT):
        entries = []
        for m in range(8):
            given = document(f"d{n}-{m}", f"Topic{m} of part{n}, word{n * m}.")
            passages = split(given)
            vectors = hashing.encode_passages([searched_text(given, passage) for passage in passages])
            entries.append(Entry(given, passages, vectors))
        index.commit(Changes(entries=entries))
    index.delete(["d3-3"])
    again = Index.open(index.folder)
    snapshot = again.snapshot()
    (segment,) = snapshot.segments
    assert segment.lists
    assert int(segment.lists.sizes.sum()) == len(segment) == 8 * MERGE_AT
    queries = hashing.encode_queries([f"topic{m} part{n}" for m, n in ((1, 2), (3, 3), (5, 7))])
    for ours, exact in zip(
        snapshot.nearest(FaissEngine(), queries, 5, None),
        snapshot.nearest(TorchEngine(), queries, 5, None),
        strict=True,
    ):
        assert np.allclose(ours[1], exact[1], atol=1e-6)
    assert verify(again) == []
    path, at = again.path(segment.name), again.path(segment.name).read_bytes().index(bytes(segment.lists.packed[:200]))
    with path.open("r+b") as file:
        file.seek(at + 7)
        file.write(bytes([segment.lists.packed[7] ^ 4]))
    with pytest.raises(IndexDamaged, match=r"fails its checksum \(list_rows\)"):
        Segment.open(path)
    assert len(verify(Index.open(index.folder))) == 1
    mended = Index.open(index.folder)
    rebuild(mended, hashing)
    assert verify(mended) == []
    assert len(mended.snapshot()) == 63


def test_lists_are_read_where_the_file_is_mapped(stored: np.ndarray, made: Lists, tmp_path: Path) -> None:
    keys = np.arange(1, N + 1)
    postings = Postings.of(numbered((("word",), ()) for _ in keys))
    Segment("s", keys, keys, stored, postings, made).write(tmp_path / "s.seg")
    opened, query, engine = Segment.open(tmp_path / "s.seg"), asked(stored)[:1], FaissEngine()
    (tmp_path / "s.seg").unlink()  # merged away meanwhile
    ready = searchable(opened, engine)
    assert opened.lists
    assert np.shares_memory(opened.lists.packed, opened.lists.packed.base)
    found, expected = (nearest([(one, N, None)], query, 10)[0] for one in (ready, engine.prepare(stored, made)))
    assert found[0].tolist() == expected[0].tolist()
    del ready
    opened.memory.clear()  # what FAISS was shown is not freed by it
    assert opened.lists.packed[-8:].view("<i8")[0] < N
