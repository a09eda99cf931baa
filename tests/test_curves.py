"""A training's picture shows what was measured."""

from pathlib import Path

from matplotlib.image import imread

from models.curves import Panel, draw, over


def test_curves_of_a_history() -> None:
    history = [{"round": 1.0, "loss": 3.0}, {"round": 2.0, "loss": 2.5}]
    panel = over(history, {"loss": "training loss"}, "round")
    assert panel == Panel({"training loss": [(1.0, 3.0), (2.0, 2.5)]}, "round")
    history[1]["development"] = 0.7
    looked = over(history, {"loss": "loss", "development": "right", "absent": "nothing"}, "round")
    assert looked.curves == {"loss": [(1.0, 3.0), (2.0, 2.5)], "right": [(2.0, 0.7)]}, (
        "what was not measured is no point"
    )


def test_a_picture_has_a_panel_beside_each_other(tmp_path: Path) -> None:
    one, two = Panel({"loss": [(0.0, 1.0), (1.0, 0.5)]}), Panel({"right": [(0.0, 0.1), (1.0, 0.9)]}, y="share")
    draw([one], tmp_path / "new" / "one.png")
    draw([one, two], tmp_path / "two.png")
    narrow, wide = imread(tmp_path / "new" / "one.png"), imread(tmp_path / "two.png")
    assert wide.shape[1] == 2 * narrow.shape[1]
    assert wide.std() > 0.01
