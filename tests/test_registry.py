"""From a trained model to the live one and back: the gate, the promotion, the rollback."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from eval.gate import OUTCOMES, run_gate
from indexing.types import BadInput, ModelDamaged
from service.app import HEADS, adapter_of, model_folder_of
from service.config import load
from service.registry import BUNDLED, Registry


def run(folder: Path, wrong: float, said_unanswerable: float = 0.3, count: int = 400) -> Path:
    """Outcomes of a run in which a share of the answerable questions goes wrong, the same ones for the same share."""
    rng = random.Random(0)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        draw, answerable = rng.random(), number % 4 != 0
        right = answerable and draw >= wrong
        rows.append(
            {
                "set": "squad", "id": str(number), "group": f"article {number % 40}", "answerable": answerable,
                "said": answerable or draw < said_unanswerable, "correct": right, "holds": right, "failure": "",
            }
        )  # fmt: skip
    folder.mkdir()
    (folder / OUTCOMES).write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return folder


def trained(folder: Path, content: bytes = b"weights") -> Path:
    (folder / "work").mkdir(parents=True)
    (folder / "work" / "checkpoint.pt").write_bytes(b"large")
    (folder / "weights.safetensors").write_bytes(content)
    (folder / "card.md").write_text("# Card\n", encoding="utf-8")
    return folder


def test_a_better_model_passes_and_a_sabotaged_one_is_refused(tmp_path: Path) -> None:
    model = trained(tmp_path / "model")
    before = run(tmp_path / "before", wrong=0.3)
    report = run_gate(before, run(tmp_path / "better", wrong=0.2), model, tmp_path / "good")
    assert report.settings["verdict"].startswith("passed")
    registry = Registry(tmp_path / "registry")
    version = registry.promote("reader", model, tmp_path / "good" / "gate-result.json")
    assert registry.live("reader") == version.folder
    assert (version.folder / "card.md").is_file()
    assert not (version.folder / "work").exists(), "checkpoints stay with the training"

    sabotaged = trained(tmp_path / "sabotaged", b"other")
    report = run_gate(before, run(tmp_path / "worse", wrong=0.6), sabotaged, tmp_path / "bad")
    assert report.settings["verdict"].startswith("not passed")
    with pytest.raises(BadInput, match="supported and correct"):
        registry.promote("reader", sabotaged, tmp_path / "bad" / "gate-result.json")
    assert registry.live("reader") == version.folder


def test_answering_everything_is_no_way_past_the_gate(tmp_path: Path) -> None:
    model, before = trained(tmp_path / "model"), run(tmp_path / "before", wrong=0.3)
    bold = run(tmp_path / "bold", wrong=0.25, said_unanswerable=0.9)
    report = run_gate(before, bold, model, tmp_path / "gate")
    assert report.settings["verdict"].startswith("not passed")
    assert "unanswerable left unanswered" in "".join(row[0] for row in report.tables[0].rows if row[-1] == "no")


def test_the_gate_of_another_model_opens_nothing(tmp_path: Path) -> None:
    before, after = run(tmp_path / "before", 0.3), run(tmp_path / "after", 0.2)
    run_gate(before, after, trained(tmp_path / "one"), tmp_path / "gate")
    with pytest.raises(BadInput, match="another model"):
        Registry(tmp_path / "registry").promote(
            "reader", trained(tmp_path / "two", b"two"), tmp_path / "gate" / "gate-result.json"
        )


def test_a_support_judge_with_another_sum_is_another_model(tmp_path: Path) -> None:
    before, after, model = run(tmp_path / "before", 0.3), run(tmp_path / "after", 0.2), trained(tmp_path / "model")
    (model / "calibration.json").write_text("{}", encoding="utf-8")
    run_gate(before, after, model, tmp_path / "gate")
    registry, gate = Registry(tmp_path / "registry"), tmp_path / "gate" / "gate-result.json"
    version = registry.promote("support", model, gate)
    (version.folder / "calibration.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ModelDamaged):
        registry.live("support")
    (model / "calibration.json").write_text("[]", encoding="utf-8")
    with pytest.raises(BadInput, match="another model"):
        registry.promote("support", model, gate)


def test_runs_of_different_questions_are_not_compared(tmp_path: Path) -> None:
    before, after = run(tmp_path / "before", 0.3), run(tmp_path / "after", 0.3, count=200)
    with pytest.raises(BadInput, match="same questions"):
        run_gate(before, after, trained(tmp_path / "model"), tmp_path / "gate")
    with pytest.raises(BadInput, match="no outcomes"):
        run_gate(tmp_path, after, tmp_path / "model", tmp_path / "gate")


def test_a_rollback_brings_the_one_before_and_ends_at_the_bundled_one(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    before, after = run(tmp_path / "before", 0.3), run(tmp_path / "after", 0.2)
    folders = []
    for name in ("one", "two"):
        model = trained(tmp_path / name, name.encode())
        run_gate(before, after, model, tmp_path / f"gate {name}")
        folders.append(registry.promote("support", model, tmp_path / f"gate {name}" / "gate-result.json").folder)
    assert registry.live("support") == folders[1]
    registry.rollback("support")
    assert registry.live("support") == folders[0]
    assert registry.rollback("support") == BUNDLED
    assert registry.live("support") is None
    with pytest.raises(BadInput, match="no earlier"):
        registry.rollback("support")
    assert len(registry.versions()) == 2, "what was promoted is kept"


def test_a_damaged_version_is_named_and_an_unknown_kind_too(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    model = trained(tmp_path / "model")
    run_gate(run(tmp_path / "before", 0.3), run(tmp_path / "after", 0.2), model, tmp_path / "gate")
    version = registry.promote("rules", model, tmp_path / "gate" / "gate-result.json")
    (version.folder / "weights.safetensors").write_bytes(b"cut")
    with pytest.raises(ModelDamaged, match="damaged"):
        registry.live("rules")
    with pytest.raises(BadInput, match="no kind"):
        registry.live("judge")


def test_the_service_takes_what_is_tried_then_what_is_promoted_then_what_is_bundled(tmp_path: Path) -> None:
    settings, bundled = load({"home": tmp_path / "home"}, {}), tmp_path / "bundled"
    assert model_folder_of(settings, "reader", bundled) == bundled
    model = trained(tmp_path / "model")
    run_gate(run(tmp_path / "before", 0.3), run(tmp_path / "after", 0.2), model, tmp_path / "gate")
    version = Registry(settings.registry_folder).promote("reader", model, tmp_path / "gate" / "gate-result.json")
    assert model_folder_of(settings, "reader", bundled) == version.folder
    trying = load({"home": tmp_path / "home", "trial": f"reader={model}"}, {})
    assert model_folder_of(trying, "reader", bundled) == model
    assert model_folder_of(trying, "rules", bundled) == bundled
    assert adapter_of(settings) == HEADS / "sft"
    assert adapter_of(load({"home": tmp_path, "adapter": "here", "trial": "chat=there"}, {})) == Path("there")
    assert adapter_of(load({"home": tmp_path, "adapter": "here"}, {})) == Path("here")
    with pytest.raises(BadInput, match="no kind"):
        model_folder_of(load({"home": tmp_path, "trial": "raeder=x"}, {}), "reader", bundled)
