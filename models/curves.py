"""Pictures of how a training went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves by label over one pair of axes; an axis without a name has none written."""

    curves: Mapping[str, Points]
    x: str = "step"
    y: str = ""


def over(history: Sequence[Mapping[str, float]], labels: Mapping[str, str], x: str = "step") -> Panel:
    """The numbers under some keys of a history, labelled, over its key `x`; a key that no row has gives no curve."""
    curves = {label: [(row[x], row[key]) for row in history if key in row] for key, label in labels.items()}
    return Panel({label: points for label, points in curves.items() if points}, x)


def draw(panels: Sequence[Panel], path: Path) -> None:
    """The panels side by side, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(panels), 4), layout="constrained")
    FigureCanvasAgg(figure)
    for panel, axis in zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
        for label, points in panel.curves.items():
            axis.plot([x for x, _ in points], [y for _, y in points], marker=".", label=label)
        axis.set_xlabel(panel.x)
        axis.set_ylabel(panel.y)
        axis.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
