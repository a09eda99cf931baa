"""The measures by which judges are compared, and the evaluation's demands."""

import json
from pathlib import Path

import numpy as np
import pytest

from eval.preferences import preference_table
from indexing.types import BadInput
from rewards.interaction import Interaction, Shape
from rewards.measures import (
    auc_interval,
    balanced_accuracy,
    balanced_interval,
    calibration_error,
    evened_interval,
    mean_interval,
    pair_hits,
    reliability,
)
from rewards.preference_data import Ranking
from rewards.readings import Draft
from rewards.train_support import shuffled
from rewards.training import checksums, write_card
from tests.hashed_reader import HashedReader
from tests.hashing import HashingEncoder

ROOT = Path(__file__).parent.parent
BUNDLED = ROOT / "rewards" / "bundled"


def test_intervals_hold_the_value_and_widen_when_whole_groups_are_drawn() -> None:
    random = np.random.default_rng(1)
    labels = np.repeat(random.integers(0, 2, 30), 10).astype(float)
    scores = labels + np.repeat(random.normal(size=30), 10)
    alone = auc_interval(scores, labels, [str(i) for i in range(300)])
    grouped = auc_interval(scores, labels, [str(i // 10) for i in range(300)])
    assert alone.low < alone.value < alone.high
    assert grouped.high - grouped.low > alone.high - alone.low
    mean = mean_interval(labels, [str(i // 10) for i in range(300)])
    assert mean.low <= labels.mean() <= mean.high
    assert str(mean).endswith("(n=300)")


def test_balanced_accuracy_is_as_sure_as_its_groups_are_many() -> None:
    random = np.random.default_rng(4)
    labels = (np.arange(300) % 3 == 0).astype(float)
    right = np.repeat(random.random(30) < 0.7, 10)  # a judge that gets a topic or does not
    said = np.where(right, labels, 1 - labels)
    alone = balanced_interval(said, labels, 0.5, [str(i) for i in range(300)])
    grouped = balanced_interval(said, labels, 0.5, [str(i // 10) for i in range(300)])
    assert alone.value == grouped.value == pytest.approx(balanced_accuracy(said, labels, 0.5))
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_a_pair_is_a_hit_when_judge_and_people_agree() -> None:
    assert pair_hits([2, 1, 1], [1, 2, 1], [1.0, 1.0, 0.0]).tolist() == [1.0, 0.0, 0.5]


def test_perfect_probabilities_have_no_calibration_error() -> None:
    random = np.random.default_rng(2)
    said = random.random(20_000)
    true = (random.random(20_000) < said).astype(float)
    assert calibration_error(said, true) < 0.02
    assert calibration_error(np.full(100, 0.9), np.zeros(100)) == pytest.approx(0.9)
    assert sum(count for *_, count in reliability(said, true)) == 20_000


def test_shuffled_labels_are_the_same_labels_in_another_order() -> None:
    labels = [float(i % 3 == 0) for i in range(60)]
    assert sorted(shuffled(labels, 0)) == sorted(labels)
    assert shuffled(labels, 0) != labels


def test_weights_are_never_trained_on_data_that_forbids_their_release(tmp_path: Path) -> None:
    rows = [{"file": "a", "weights": "yes", "sha256": "1"}, {"file": "b", "weights": "unclear", "sha256": "2"}]
    (tmp_path / "catalogue.json").write_text(json.dumps(rows), encoding="utf-8")
    assert checksums(tmp_path, ["a"]) == {"a": "1"}
    for name in ("b", "c"):
        with pytest.raises(BadInput):
            checksums(tmp_path, [name])


def test_evened_by_length_the_longer_answer_is_right_half_of_the_time() -> None:
    random = np.random.default_rng(3)
    longer = (random.random(400) < 0.8).astype(float)  # people liked the longer one of four pairs in five
    groups = [str(i // 4) for i in range(400)]
    assert evened_interval(longer, longer, groups).value == 0.5
    judge = np.where(random.random(400) < 0.7, 1.0, 0.0)
    found = evened_interval(judge, longer, groups)
    assert found.low < 0.7 < found.high
    assert evened_interval(judge, np.ones(400), groups).value == pytest.approx(judge.mean())
    even = np.where(np.arange(400) % 5 == 0, 0.5, longer)
    assert evened_interval(judge, even, groups).count == 320, "answers of one length are left out"


def test_preference_has_its_baselines(hashing: HashingEncoder) -> None:
    network = Interaction(Shape(width=16, inner=16, heads=2, layers=1))
    drafts = (Draft("When did it open?", "It opened in 1932."), Draft("When did it open?", "No."))
    test = [Ranking(drafts, ((0, 1, 1.0),), f"g{n}", "qa-feedback") for n in range(4)]
    test += [
        Ranking(drafts[::-1], ((0, 1, 1.0),), "h", "built-squad"),
        Ranking(drafts, ((0, 1, 1.0),), "i", "halueval"),
    ]
    table = preference_table(network, HashedReader(), hashing, test)  # type: ignore[arg-type]
    rows = {row[0]: row[1:] for row in table.rows}
    assert list(rows) == ["built-squad", "halueval", "qa-feedback", "human", "built", "all"]
    assert rows["human"][0] == "4"
    assert [rows[name][2][:5] for name in ("human", "built", "all")] == ["1.000", "0.000", "0.833"], "the longer answer"
    assert rows["human"][3][:5] == "1.000", "it shares words with the question"


def test_a_card_names_data_figures_and_limits(tmp_path: Path) -> None:
    write_card(tmp_path, "Judge", "What it is.", {"a.gz": "0" * 64}, [["set", "AUC"], ["x", "0.9"]], "Small.")
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    for part in ("# Judge", "`a.gz`", "| set | AUC |", "| x | 0.9 |", "## Limits"):
        assert part in text


@pytest.mark.parametrize("name", ["preference", "rules", "support"])
def test_the_bundled_judges_are_small_and_say_what_they_were_made_from(name: str) -> None:
    folder = BUNDLED / name
    assert (folder / "weights.safetensors").stat().st_size < 2 * 2**20
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["base"]
    assert config["data"]
    card = (folder / "card.md").read_text(encoding="utf-8")
    for part in ("## Data", "## Figures", "shuffled labels", "longer text", "## Limits"):
        assert part in card
