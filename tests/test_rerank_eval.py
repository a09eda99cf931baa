"""Reranking is measured against the fused order of the same run."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from eval.rerank import run_rerank
from indexing.types import Encoder, Vectors
from models.reranker import WEIGHT
from tests.evaluation_data import ASKED, RIVERS, make_data


class Knowing:
    """Knows which passage answers; with `wrong`, says the opposite."""

    def __init__(self, wrong: bool = False) -> None:
        self.wrong = wrong

    def score(self, query: str, passages: Sequence[str]) -> Vectors:
        right = RIVERS[ASKED[query][0]][1] if query in ASKED else ""
        return np.array([float((text == right) != self.wrong) for text in passages], dtype=np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


def test_the_report_tells_a_good_reranker_from_a_bad_one(data: Path, encoder: Encoder, tmp_path: Path) -> None:
    good, bad = (
        run_rerank(data, tmp_path / "home", tmp_path / name, None, encoder=encoder, reranker=Knowing(wrong))
        for name, wrong in (("good", False), ("bad", True))
    )
    assert 0 < WEIGHT < 1
    assert good.figures["rerank/squad-ir/hit@1"].value == 1
    assert bad.figures["rerank/squad-ir/hit@1"].value < 1
    assert good.figures["rerank/squad-ir/hit@1"].baseline == bad.figures["rerank/squad-ir/hit@1"].baseline
    assert json.loads((tmp_path / "good" / "rerank.json").read_text())["settings"]["weight"] == str(WEIGHT)
    assert "development" in (tmp_path / "good" / "rerank.md").read_text()
