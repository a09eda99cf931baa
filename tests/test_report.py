"""Reports: what is written can be read back, compared, and looked at."""

import json
import math
from pathlib import Path

import pytest

from eval import report
from eval.metrics import Interval
from eval.report import Figure, Report, Table
from indexing.types import BadInput, StorageFailed

HIT = Figure(value=0.91, n=200, low=0.88, high=0.94, failures=1, baseline=0.8, target=0.9)


def example(**changed: object) -> Report:
    fields: dict[str, object] = {
        "name": "retrieval",
        "command": "passerine evaluate retrieval",
        "tables": (Table("Hits", ("set", "hit@2"), (("a|b", ".910"),)),),
        "figures": {"squad/hit@2": HIT},
        "curves": {"coverage": {"x": [0.0, 1.0], "y": [math.nan, 0.5]}},
    }
    return Report(**{**fields, **changed})  # type: ignore[arg-type]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    page, data = report.write(example(), tmp_path / "new" / "folder")
    assert report.read_figures(data) == {"squad/hit@2": HIT}
    assert "| a\\|b | .910 |" in page.read_text()
    assert json.loads(data.read_text())["curves"]["coverage"]["y"] == [None, 0.5]


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = report.write(example(), tmp_path / "a")[1].read_bytes()
    assert report.write(example(), tmp_path / "b")[1].read_bytes() == first


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match=r"cannot be written.*--out"):
        report.write(example(), tmp_path / "file")


def test_a_file_that_is_no_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"format": 99, "figures": {}}')
    with pytest.raises(BadInput, match="format 99"):
        report.read_figures(tmp_path / "x.json")


def test_targets_are_judged_in_their_direction() -> None:
    assert HIT.reached is True
    assert Figure(value=600, n=5, target=500, better="lower", unit="ms").reached is False
    assert Figure(value=1, n=5).reached is None


def test_a_regression_needs_intervals_that_part() -> None:
    fallen = Figure(value=0.7, n=200, low=0.66, high=0.74)
    dipped = Figure(value=0.89, n=200, low=0.86, high=0.92)
    assert report.regressions({"x": fallen}, {"x": HIT}) == ["x: .910 -> .700"]
    assert report.regressions({"x": dipped}, {"x": HIT}) == []
    assert report.regressions({"x": HIT}, {"x": fallen}) == []
    assert report.regressions({}, {"x": HIT}) == ["x: gone"]


def test_a_slower_figure_is_a_regression_when_lower_is_better() -> None:
    before = Figure(value=0.1, n=9, low=0.05, high=0.15, better="lower")
    after = Figure(value=0.4, n=9, low=0.3, high=0.5, better="lower")
    assert report.regressions({"x": after}, {"x": before})


def test_the_table_shows_sample_failures_baseline_and_target() -> None:
    table = report.figure_table("All", {"squad/hit@2": HIT})
    assert table.rows == (("squad/hit@2", ".910", ".880 to .940", "200", "1", ".800", ".900 (reached)"),)


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [(1321.6, "MiB", "1,322 MiB"), (99.94, "ms", "99.9 ms"), (0.9163, "x", "0.916 x"), (0.9163, "share", ".916")],
)
def test_a_quantity_is_said_with_its_unit_and_no_more_digits_than_count(value: float, unit: str, said: str) -> None:
    assert report.quantity(Figure(value, 1, unit=unit), value) == said


def test_pictures_are_drawn_without_a_screen(tmp_path: Path) -> None:
    bar = report.bars(tmp_path / "bars.png", "nDCG", ["a", "b"], {"fused": [Interval(0.5, 0.4, 0.6, 9)] * 2}, "nDCG@10")
    curve = report.coverage_picture(
        tmp_path / "curve.png", "Coverage", {"all": ([0.1, 1.0], [0.9, 0.6])}, {"all": (0.5, 0.8)}
    )
    assert bar.read_bytes()[:4] == curve.read_bytes()[:4] == b"\x89PNG"
