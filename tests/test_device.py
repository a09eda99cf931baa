"""A search on one torch device finds what the index's own search finds, with the same scores."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import indexing.device
from indexing.dense import FaissEngine
from indexing.device import Device
from indexing.fusion import Fusion, fuse
from indexing.lexical import Mask, Parameters
from indexing.postings import Postings
from indexing.refresh import add_documents
from indexing.search import Searcher, by_both
from indexing.segment import Segment
from indexing.snapshot import Snapshot
from indexing.store import Index
from indexing.types import BadInput, Encoder, Filters, Query, Vectors
from indexing.vocabulary import numbered
from tests.hashing import HashingEncoder, document
from tests.test_lexical import WORDS, corpus

SHAPES = ([500], [130, 1, 300], [40, 60])
FUSIONS = (
    Fusion(),
    Fusion(latin=0, cjk=1),
    Fusion(method="reciprocal"),
    Fusion(length=0.4, coverage=2.0, lexical_gap=-1.5, dense_gap=0.7),
)


def unit(chance: np.random.Generator, n: int) -> Vectors:
    vectors = chance.standard_normal((n, 24), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def snapshot(sizes: list[int], dead: float = 0.1) -> Snapshot:
    """Passages of Zipf-like words with vectors of their own, in segments of these sizes."""
    chance, segments, alive, first = np.random.default_rng(5), [], [], 1
    for place, size in enumerate(sizes):
        keys = np.arange(first, first + size) * 3
        postings = Postings.of(numbered((tokens, tokens[:1]) for tokens in corpus(place, size)))
        segments.append(Segment(f"s{place}", keys, keys, unit(chance, size).astype(np.float16), postings))
        alive.append(chance.random(size) >= dead if dead and place % 2 == 0 else None)
        first += size
    return Snapshot(1, segments, alive, Parameters())


def questions(n: int) -> tuple[list[list[str]], list[bool], Vectors]:
    chance = np.random.default_rng(7)
    asked = [list(chance.choice([*WORDS, "absent"], size=chance.integers(0, 9))) for _ in range(n)]
    return asked, [bool(i % 3 == 0) for i in range(n)], unit(chance, n)


def by_processor(of: Snapshot, asked: list[list[str]], cjk: list[bool], vectors: Vectors, mask: Mask | None) -> list:
    """What the index's own search finds."""
    return by_both(of, FaissEngine(), asked, cjk, vectors, mask)


@pytest.mark.parametrize("sizes", SHAPES)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_both_sides_and_their_fusion_are_as_on_the_processor(sizes: list[int], fusion: Fusion) -> None:
    of, asked = snapshot(sizes), questions(16)
    for mask in (None, np.concatenate([*map(alive_of, of.segments, of.alive)]) & (np.arange(sum(sizes)) % 3 == 0)):
        expected = by_processor(of, *asked, mask)
        found = Device().candidates(of, *asked, 100, mask, fusion)
        for one, other in zip(found, expected, strict=True):
            assert one.lexical.keys.tolist() == other.lexical.keys.tolist()
            assert one.lexical.scores.tolist() == other.lexical.scores.tolist(), "to the last bit"
            assert one.dense.keys.tolist() == other.dense.keys.tolist()
            assert one.dense.scores == pytest.approx(other.dense.scores, abs=1e-6)
            assert one.coverage == pytest.approx(other.coverage)
            both = fuse(replace(other, fused=None), fusion)
            assert one.fused is not None
            assert one.fused.scores == pytest.approx(both.scores, abs=1e-5)
            known = dict(zip(both.keys.tolist(), both.scores.tolist(), strict=True))
            assert [known[key] for key in one.fused.keys.tolist()] == pytest.approx(both.scores, abs=1e-5)


def alive_of(segment: Segment, alive: Mask | None) -> Mask:
    return np.ones(len(segment), np.bool_) if alive is None else alive


@pytest.mark.parametrize(("cells", "postings"), [(1, 1 << 25), (1 << 27, 1), (1500, 2000)])
def test_a_batch_is_cut_where_there_is_no_room_for_all(
    monkeypatch: pytest.MonkeyPatch, cells: int, postings: int
) -> None:
    of, asked = snapshot([200, 300]), questions(9)
    whole = Device().candidates(of, *asked, 100, None, Fusion())
    monkeypatch.setattr(indexing.device, "CELLS", cells)
    monkeypatch.setattr(indexing.device, "POSTINGS", postings)
    monkeypatch.setattr(indexing.device, "_LOADED", 50)
    cut = Device().candidates(snapshot([200, 300]), *asked, 100, None, Fusion())
    for one, other in zip(cut, whole, strict=True):
        assert one.lexical.keys.tolist() == other.lexical.keys.tolist()
        assert one.dense.keys.tolist() == other.dense.keys.tolist()
        assert one.fused is not None
        assert other.fused is not None
        assert one.fused.keys.tolist() == other.fused.keys.tolist()


def test_passages_that_say_the_same_stand_in_their_order() -> None:
    tokens, vector = [["zebra", "lion"]] * 12, np.full((12, 24), 24**-0.5, np.float16)
    keys = np.arange(12) + 5
    of = Snapshot(
        1, [Segment("s", keys, keys, vector, Postings.of(numbered((t, ()) for t in tokens)))], [None], Parameters()
    )
    (found,) = Device().candidates(of, [["zebra"]], [False], np.eye(1, 24, dtype=np.float32), 100, None, Fusion())
    assert found.fused is not None
    for side in (found.lexical, found.dense, found.fused):
        assert side.keys.tolist() == keys.tolist()


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(BadInput, match="no device 'nonsense'"):
        Device("nonsense")


TEXTS = {
    "apollo": "Apollo 11 was the first mission to land people on the Moon, in July 1969.",
    "shuttle": "航天飞机是美国设计的可重复使用的载人飞船，一九八一年首次飞行。",
    "kitchen": "To bake bread, knead the dough, let it rise for an hour and heat the oven.",
    "orchard": "Apple trees are pruned in late winter, before their buds open.",
}
ASKED = ("Who landed on the Moon first?", "how do I bake a loaf", "航天飛機", "?!", "winter trees and bread")


@pytest.fixture
def index(tmp_path: Path, hashing: HashingEncoder) -> Index:
    index = Index.create(tmp_path / "index", hashing)
    for place, (key, text) in enumerate(TEXTS.items()):  # a segment each
        add_documents([document(key, text, published_at=datetime(2020 + place, 1, 1, tzinfo=UTC))], index, hashing)
    return index


@pytest.mark.parametrize("half_life", [0.0, 30.0])
def test_a_searcher_on_a_device_finds_the_same_through_changes(
    index: Index, hashing: HashingEncoder, half_life: float
) -> None:
    one = Searcher(index, hashing, half_life=half_life)
    other = Searcher(index, hashing, half_life=half_life, device=Device())
    filters = Filters(languages=("en",))

    def same() -> None:
        for question in ASKED:
            for given in (Filters(), filters):
                expected = one.search(Query(question), 4, given)
                found = other.search(Query(question), 4, given)
                assert [hit.passage.id for hit in found] == [hit.passage.id for hit in expected], question
                assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-5)
        passage = index.passages("orchard")[0].id
        assert [hit.document.id for hit in one.similar(passage, 3)] == [
            hit.document.id for hit in other.similar(passage, 3)
        ]

    same()
    index.delete(["apollo"])
    same()
    add_documents([document("moon", "The Moon has mountains, and bread does not.")], index, hashing)
    same()
    one, other = (searcher.seeing(lambda text, _: text.split(",")[0]) for searcher in (one, other))
    same()
    assert "torch" in other.describe()


def test_an_empty_index_has_no_hits(tmp_path: Path, hashing: HashingEncoder) -> None:
    searcher = Searcher(Index.create(tmp_path / "index", hashing), hashing, device=Device())
    assert searcher.search(Query("anything"), 5) == []
    assert [len(each.lexical) for each in searcher.candidates(["anything"])] == [0]


def test_the_real_encoder_leaves_its_vectors_on_the_device(tmp_path: Path, encoder: Encoder) -> None:
    index = Index.create(tmp_path / "index", encoder)
    add_documents([document(key, text) for key, text in TEXTS.items()], index, encoder)
    device = Device()
    vectors = device.encoded(encoder, ASKED)
    assert np.allclose(vectors.numpy(), encoder.encode_queries(ASKED), atol=1e-6)
    (hit,) = Searcher(index, encoder, device=device).search(Query("What do gardeners cut in the cold season?"), 1)
    assert hit.document.id == "orchard"
