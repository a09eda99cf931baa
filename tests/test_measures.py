"""Short answers against gold ones in both languages, and the area under the curve against a count of pairs."""

import itertools

import numpy as np
import pytest

from models.measures import auc, exact, token_f1, tokens


def test_normalisation_drops_case_punctuation_and_articles() -> None:
    assert tokens("The  Saturn-V, a rocket!") == ["saturn", "v", "rocket"]


def test_a_chinese_character_is_a_token() -> None:
    assert tokens("1969年阿波罗11号。") == ["1969", "年", "阿", "波", "罗", "11", "号"]


def test_f1_takes_the_best_gold_answer() -> None:
    assert token_f1("July 1969", ["1969", "in summer"]) == pytest.approx(2 / 3)
    assert token_f1("阿波罗", ["阿波罗计划"]) == pytest.approx(2 * 3 / 8)


def test_f1_of_nothing_is_zero() -> None:
    assert token_f1("", ["1969"]) == 0
    assert token_f1("1969", []) == 0


def test_exact_ignores_articles_and_case() -> None:
    assert exact("the Moon", ["moon"])
    assert not exact("the Moon base", ["moon"])


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    random = np.random.default_rng(0)
    scores, labels = random.integers(0, 6, 40).astype(float), random.integers(0, 2, 40).astype(float)
    pairs = [(a, b) for a, b in itertools.product(range(40), repeat=2) if labels[a] > labels[b]]
    expected = np.mean([1.0 if scores[a] > scores[b] else 0.5 if scores[a] == scores[b] else 0.0 for a, b in pairs])
    assert auc(scores, labels) == pytest.approx(expected)
    assert np.isnan(auc([1.0, 2.0], [1.0, 1.0])), "one kind is missing"
