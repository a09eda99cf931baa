"""Two ranked lists into one."""

import numpy as np
import pytest

from indexing.fusion import Candidates, Fusion, Ranked, fuse, reciprocal, scaled


def ranked(*pairs: tuple[int, float]) -> Ranked:
    return Ranked(np.array([key for key, _ in pairs]), np.array([score for _, score in pairs], np.float32))


def test_the_first_hit_is_one_and_the_hundredth_zero() -> None:
    scores = np.linspace(30, 10, 100).astype(np.float32)
    assert scaled(scores)[[0, 50, 99]].tolist() == pytest.approx([1, 1 - 50 / 99, 0])


def test_a_short_list_keeps_its_last_hit_above_zero() -> None:
    scores = np.array([8, 4, 2], np.float32)
    assert scaled(scores, natural_zero=True).tolist() == [1, 0.5, 0.25]
    assert scaled(scores).tolist() == [1, 0.5, 0.25]
    assert scaled(np.array([3.0], np.float32)).tolist() == [1]
    assert scaled(np.array([2, 2], np.float32)).tolist() == [1, 1]
    assert scaled(np.zeros(0, np.float32)).size == 0


def test_equal_weights_prefer_what_both_sides_found() -> None:
    candidates = Candidates(ranked((1, 9.0), (2, 8.0)), ranked((3, 0.9), (2, 0.88), (4, 0.5)))
    fused = fuse(candidates, Fusion())
    assert fused.keys[0] == 2
    assert set(fused.keys.tolist()) == {1, 2, 3, 4}
    assert (np.diff(fused.scores) <= 0).all()
    assert 0 < fused.scores.min() <= fused.scores.max() <= 1


@pytest.mark.parametrize(("share", "first"), [(0.0, 1), (1.0, 3)])
def test_one_side_alone_keeps_its_order_and_adds_nothing_of_the_other(share: float, first: int) -> None:
    candidates = Candidates(ranked((1, 9.0), (2, 8.0)), ranked((3, 0.9), (2, 0.88)))
    fused = fuse(candidates, Fusion(latin=share))
    assert fused.keys.tolist() == [first, 2]


def test_the_writing_of_the_query_chooses_the_weight() -> None:
    sides = ranked((1, 9.0)), ranked((2, 0.9))
    fusion = Fusion(latin=0.9, cjk=0.1)
    assert fuse(Candidates(*sides, cjk=False), fusion).keys[0] == 2
    assert fuse(Candidates(*sides, cjk=True), fusion).keys[0] == 1


def test_slopes_move_the_share_within_bounds() -> None:
    long = Candidates(ranked((1, 9.0), (2, 1.0)), ranked((2, 0.9), (1, 0.1)), tokens=64)
    short = Candidates(long.lexical, long.dense, tokens=2)
    fusion = Fusion(length=0.5)
    assert 0 < fusion.share(short) < 0.5 < fusion.share(long) < 1
    assert Fusion().share(long) == 0.5
    assert Fusion(coverage=-2.0).share(Candidates(long.lexical, long.dense, coverage=0.9)) < 0.5
    assert Fusion(lexical_gap=-2.0).share(long) < 0.5
    assert Fusion(dense_gap=2.0).share(long) > 0.5
    assert Fusion(latin=0.0, length=5.0).share(long) == 0.0


def test_reciprocal_ranks_ignore_the_scores() -> None:
    assert reciprocal(np.array([9, 1], np.float32)).tolist() == pytest.approx([1, 61 / 62])
    candidates = Candidates(ranked((1, 100.0), (2, 99.0)), ranked((2, 0.9), (1, 0.1)))
    fused = fuse(candidates, Fusion(method="reciprocal"))
    assert fused.scores[0] == pytest.approx(fused.scores[1])


def test_nothing_found_gives_nothing() -> None:
    assert len(fuse(Candidates(Ranked(), Ranked()), Fusion())) == 0
