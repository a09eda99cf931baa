"""Heads learn, keep their word across a save, and refuse what does not fit them."""

from pathlib import Path

import numpy as np
import pytest

from indexing.types import EncoderMismatch, ModelDamaged, ModelMissing
from models.fit import Recipe, best_threshold, binary_loss, calibrated, fit, fold, interval, threshold_curve
from models.heads import Head, HeadConfig, load_head, sigmoid


def data() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    features = random.normal(5, 3, (600, 8)).astype(np.float32)
    features[:, 7] = 1.0  # a column that says nothing
    return features, (features[:, 0] + features[:, 1] > 10).astype(np.float32)


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_a_head_learns_and_is_the_same_every_time(hidden: tuple[int, ...]) -> None:
    features, labels = data()
    recipe = Recipe(hidden=hidden, epochs=80, rate=1e-2)
    first, second = (fit(features, binary_loss(labels), HeadConfig("t"), recipe) for _ in range(2))
    said = first.probabilities(features)[:, 0]
    assert ((said > 0.5) == (labels > 0.5)).mean() > 0.95
    np.testing.assert_array_equal(said, second.probabilities(features)[:, 0])
    wild = features.copy()
    wild[:, 7] = 0.0
    assert abs(first.logits(wild) - first.logits(features)).max() < 50


def test_a_saved_head_says_the_same(tmp_path: Path) -> None:
    features, labels = data()
    head = fit(features, binary_loss(labels), HeadConfig("t", base="abc"), Recipe(epochs=10))
    head.save(tmp_path, bits=32)
    again = load_head(tmp_path, base="abc")
    np.testing.assert_array_equal(head.logits(features), again.logits(features))
    assert again.config == head.config


def test_a_head_refuses_damage_absence_and_a_foreign_base(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        load_head(tmp_path)
    layer = (np.ones((1, 2), np.float32), np.zeros(1, np.float32))
    Head(HeadConfig("t", base="abc"), (layer,)).save(tmp_path)
    with pytest.raises(EncoderMismatch):
        load_head(tmp_path, base="other")
    (tmp_path / "weights.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ModelDamaged):
        load_head(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelDamaged):
        load_head(tmp_path)


def test_calibration_makes_probabilities_honest() -> None:
    features, labels = data()
    head = fit(features, binary_loss(labels), HeadConfig("t"), Recipe(epochs=30, rate=1e-2))
    weight, bias = head.layers[-1]
    loud = Head(head.config, ((weight * 20, bias * 20 + 5),))

    def loss(one: Head) -> float:
        chance = np.clip(one.probabilities(features)[:, 0], 1e-6, 1 - 1e-6)
        return float(-(labels * np.log(chance) + (1 - labels) * np.log(1 - chance)).mean())

    assert loss(calibrated(loud, features, labels)) < loss(loud)


def test_groups_stay_together_in_a_batch() -> None:
    features, _ = data()
    groups = np.arange(600) // 4
    seen: list[bool] = []

    def loss(outputs, rows):  # type: ignore[no-untyped-def]
        members, counts = np.unique(groups[rows.numpy()], return_counts=True)
        seen.append(bool((counts == 4).all()) and len(members) > 0)
        return outputs.square().mean()

    fit(features, loss, HeadConfig("t"), Recipe(epochs=1, batch=10), groups=groups)
    assert len(seen) == 15
    assert all(seen)


def test_the_threshold_is_the_best_point_of_its_curve() -> None:
    said = np.array([0.1, 0.2, 0.6, 0.7, 0.9], dtype=np.float32)
    curve = threshold_curve(said, np.array([0, 0, 0, 1, 1], dtype=np.float32))
    assert 0.6 < best_threshold(curve) <= 0.7


def test_intervals_hold_the_mean_and_widen_with_groups() -> None:
    values = np.repeat([0.0, 1.0] * 10, 10)
    mean, low, high = interval(values)
    _, wide_low, wide_high = interval(values, np.repeat(np.arange(20), 10).tolist())
    assert low < mean == 0.5 < high
    assert wide_high - wide_low > high - low


def test_folds_are_stable_and_even() -> None:
    folds = [fold(f"row {number}") for number in range(1000)]
    assert folds == [fold(f"row {number}") for number in range(1000)]
    assert min(folds.count(part) for part in range(5)) > 150


def test_sigmoid_does_not_overflow() -> None:
    np.testing.assert_allclose(sigmoid(np.array([-1e4, 0, 1e4], dtype=np.float32)), [0, 0.5, 1])
