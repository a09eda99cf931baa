"""The measurement beside trl: what it says without trl, and the reward that both are given."""

import importlib.util
from pathlib import Path

import pytest

from eval import training
from indexing.types import BadInput


def test_without_the_peer_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "find_spec", lambda name: None if name == "trl" else importlib.util.find_spec(name))
    with pytest.raises(BadInput, match="trl is not installed") as caught:
        training.run_training(tmp_path, tmp_path, tmp_path)
    assert caught.value.hint == "pip install trl"


def test_a_shorter_reply_is_worth_more() -> None:
    long, short = training.shortest([], ["a long reply", "short"])
    assert short["total"] > long["total"]
