"""A search whole on one device beside the processor's engines: made passages, what agrees, a report."""

from pathlib import Path

import numpy as np
import pytest

import eval.device_speed
from eval.dense_speed import enlarged
from eval.device_speed import Agreement, Point, Questions, agreed, halves, rates, reported, snapshots
from eval.report import write
from indexing.device import Device
from tests.test_dense_speed import unit
from tests.test_lexical import WORDS, corpus


def test_both_answer_alike_and_the_report_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eval.device_speed, "SECONDS", 0.05)
    words = [(tokens, tokens[:1]) for tokens in corpus(1, 200)]
    made = halves(words, 900)
    assert made[:200] == words
    assert 0 < np.mean([len(tokens) for tokens, _ in made[200:]]) < 2 * np.mean([len(tokens) for tokens, _ in words])
    whole, exact = snapshots(made, enlarged(unit(2, 200), 900))
    assert len(whole) == len(exact) < 900, "some are deleted"
    chance = np.random.default_rng(3)
    asked = Questions([list(chance.choice(WORDS, 5)) for _ in range(20)], [False] * 20, unit(4, 20))
    found = agreed(Device(), exact, asked)
    assert (found.lexical, found.dense, found.fused) == (1.0, 1.0, 1.0)
    other = Questions(asked.tokens, asked.cjk, asked.vectors[::-1].copy())
    assert asked.some(18, 4).tokens == [*asked.tokens[18:], *asked.tokens[:2]]
    assert all(rate > 0 for rate in rates(Device(), whole, other, 8))
    points = [Point(900, 1, 50.0, 100.0), Point(900, 16, 400.0, 100.0)]
    report = reported(Device(), points, [found, Agreement(900, 1.0, 0.95, 1.0)], 20)
    write(report, tmp_path)
    assert report.figures["device/batch 16"].baseline == 100.0
    assert not report.figures["device/dense as on the processor"].reached
    assert "4.00" in (tmp_path / "device.md").read_text()
