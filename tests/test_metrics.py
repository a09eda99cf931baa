"""Measures: known values, both languages, intervals that behave."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval import metrics


def test_a_quote_holds_an_answer_only_as_whole_tokens() -> None:
    assert metrics.holds("It landed in 1969, on the Moon.", ["1969"])
    assert not metrics.holds("Part 19690 was replaced.", ["1969"])
    assert metrics.holds("它在1969年登月。", ["1969年"])
    assert not metrics.holds("", ["1969"])
    assert not metrics.holds("Anything at all.", [""])


def test_an_answer_of_signs_is_compared_by_characters() -> None:
    assert metrics.holds("The sign is +.", ["+"])
    assert not metrics.holds("The sign is -.", ["+"])


def test_ranking_measures_of_a_known_list() -> None:
    relevant = {"b": 2.0, "d": 1.0}
    ranked = ["a", "b", "c", "d"]
    assert metrics.hit_at(ranked, relevant, 1) == 0
    assert metrics.hit_at(ranked, relevant, 2) == 1
    assert metrics.recall_at(ranked, relevant, 3) == 0.5
    assert metrics.reciprocal_rank(ranked, relevant) == 0.5
    expected = (2 / math.log2(3) + 1 / math.log2(5)) / (2 + 1 / math.log2(3))
    assert metrics.ndcg_at(ranked, relevant, 10) == pytest.approx(expected)


@given(st.permutations(list("abcdefgh")))
def test_ndcg_is_one_exactly_when_the_order_is_ideal(ranked: list[str]) -> None:
    relevant = {"a": 3.0, "b": 2.0, "c": 1.0}
    value = metrics.ndcg_at(ranked, relevant, 10)
    assert 0 <= value <= 1 + 1e-12
    assert (value > 1 - 1e-12) == (ranked[:3] == ["a", "b", "c"])


def test_interval_holds_the_mean_and_narrows_with_more_items() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.random(30).tolist(), rng.random(3000).tolist()
    a, b = metrics.interval(few), metrics.interval(many)
    assert a.low < a.mean < a.high
    assert b.high - b.low < (a.high - a.low) / 5


def test_interval_of_whole_groups_is_wider_than_of_items_that_repeat() -> None:
    rng = np.random.default_rng(2)
    groups = [str(i // 20) for i in range(400)]
    values = [float(rng.random() < 0.5) for _ in range(20) for _ in range(1)]
    repeated = [values[i // 20] for i in range(400)]
    by_group, by_item = metrics.interval(repeated, groups), metrics.interval(repeated)
    assert by_group.high - by_group.low > 2 * (by_item.high - by_item.low)


def test_interval_without_items_is_not_a_number() -> None:
    assert math.isnan(metrics.interval([]).mean)
    assert metrics.interval([]).n == 0


def test_paired_sees_a_small_steady_gain_and_no_gain_in_noise() -> None:
    rng = np.random.default_rng(3)
    base = rng.random(200)
    steady = metrics.paired((base + 0.02 + 0.01 * rng.standard_normal(200)).tolist(), base.tolist())
    assert steady.low > 0
    assert steady.p < 0.01
    noise = metrics.paired((base + 0.1 * rng.standard_normal(200)).tolist(), base.tolist())
    assert noise.low < 0 < noise.high
    assert noise.p > 0.05


def test_paired_of_the_same_values_is_zero_and_certain_of_nothing() -> None:
    same = metrics.paired([0.5, 0.1, 0.9], [0.5, 0.1, 0.9])
    assert (same.mean, same.p) == (0, 1)


def test_paired_refuses_different_items() -> None:
    with pytest.raises(ValueError, match="same items"):
        metrics.paired([1.0], [1.0, 2.0])


def test_results_do_not_change_between_runs() -> None:
    values = [0.1, 0.4, 0.8, 0.3]
    assert metrics.interval(values) == metrics.interval(values)
