"""What an evaluation hands over: tables for people, one JSON file for programs, pictures.

Every figure carries its sample size, its failures, its interval and, where there is one, the baseline beside it.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eval.metrics import Interval
from indexing.types import BadInput, StorageFailed

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    `n` items were measured and `failures` more could not be; `low` and `high` end the 95% interval, None without one.
    `baseline` is the plainest thing that could have been done, `target` what was to be reached.
    """

    value: float
    n: int
    low: float | None = None
    high: float | None = None
    failures: int = 0
    baseline: float | None = None
    target: float | None = None
    unit: str = "share"
    better: str = "higher"

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached, None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.better == "higher" else self.value <= self.target


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """`figures` maps a stable name ("retrieval/squad-ir/hit@2/fused") to a figure; `settings` says what ran."""

    name: str
    command: str
    tables: tuple[Table, ...]
    figures: Mapping[str, Figure]
    settings: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    pictures: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def measured(values: Interval, **rest: float | int | str | None) -> Figure:
    """A figure from a mean with its interval; further fields by name."""
    return Figure(value=values.mean, n=values.n, low=values.low, high=values.high, **rest)  # type: ignore[arg-type]


def share(value: float | None) -> str:
    """A share as .xyz, a dash for nothing."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def quantity(figure: Figure, value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    if figure.unit == "share":
        return share(value)
    return f"{value:,.0f} {figure.unit}" if abs(value) >= 100 else f"{value:.3g} {figure.unit}"


def figure_table(title: str, figures: Mapping[str, Figure]) -> Table:
    """One row a figure: value, interval, sample, failures, baseline, target."""
    rows = []
    for name, figure in figures.items():
        interval = f"{share(figure.low)} to {share(figure.high)}" if figure.low is not None else "-"
        met = {True: " (reached)", False: " (missed)", None: ""}[figure.reached]
        rows.append(
            (
                name,
                quantity(figure, figure.value),
                interval,
                f"{figure.n:,}",
                str(figure.failures),
                quantity(figure, figure.baseline),
                quantity(figure, figure.target) + met,
            )
        )
    return Table(title, ("figure", "value", "95% interval", "n", "failed", "baseline", "target"), tuple(rows))


def markdown(report: Report) -> str:
    """The report as a Markdown page."""
    parts = [f"# {report.name}", f"`{report.command}`"]
    parts += ["\n".join(f"- {key}: {value}" for key, value in report.settings.items())] if report.settings else []
    for table in report.tables:
        head = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
        body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table.rows]
        parts.append("\n".join([f"## {table.title}", "", *head, *body]))
    parts += ["\n".join(f"- {note}" for note in report.notes)] if report.notes else []
    parts += [f"![{path.stem}]({path.name})" for path in report.pictures]
    return "\n\n".join(parts) + "\n"


def as_json(report: Report) -> str:
    """The report for programs: sorted keys, numbers of six places, nan as null."""
    content = {
        "format": FORMAT,
        "name": report.name,
        "command": report.command,
        "settings": dict(report.settings),
        "figures": {name: clean(asdict(figure)) for name, figure in report.figures.items()},
        "curves": {
            name: {axis: rounded(values) for axis, values in curve.items()} for name, curve in report.curves.items()
        },
        "notes": list(report.notes),
    }
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def clean(row: Mapping[str, object]) -> dict[str, object]:
    return {key: rounded([value])[0] if isinstance(value, float) else value for key, value in row.items()}


def rounded(values: Iterable[float]) -> list[float | None]:
    return [None if math.isnan(value) else round(float(value), 6) for value in values]


def write(report: Report, out: Path) -> tuple[Path, Path]:
    """Write `<name>.md` and `<name>.json` into `out`. Raises StorageFailed when that cannot be written."""
    page, data = out / f"{report.name}.md", out / f"{report.name}.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        page.write_text(markdown(report), encoding="utf-8")
        data.write_text(as_json(report), encoding="utf-8")
    except OSError as error:
        raise StorageFailed(
            f"The report cannot be written to {out}: {error.strerror}.", "Name another --out."
        ) from error
    return page, data


def read_figures(path: Path) -> dict[str, Figure]:
    """Figures of an earlier report. Raises BadInput when the file is not one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        assert_format(content["format"])
        return {name: figure_of(row) for name, row in content["figures"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} is not a report: {error}.", "Name a JSON file that passerine evaluate wrote."
        ) from error


def figure_of(row: dict[str, Any]) -> Figure:
    return Figure(**{**row, "value": math.nan if row["value"] is None else row["value"]})


def assert_format(version: object) -> None:
    if version != FORMAT:
        raise ValueError(f"format {version}, expected {FORMAT}")


def regressions(new: Mapping[str, Figure], old: Mapping[str, Figure]) -> list[str]:
    """Names of figures that are worse than before beyond both 95% intervals, and of those that vanished."""
    found = []
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            found.append(f"{name}: gone")
        elif None not in (before.low, before.high, after.low, after.high):
            worse = after.high < before.low if before.better == "higher" else after.low > before.high  # type: ignore[operator]
            found += [f"{name}: {share(before.value)} -> {share(after.value)}"] if worse else []
    return found


def bars(path: Path, title: str, labels: Sequence[str], series: Mapping[str, Sequence[Interval]], ylabel: str) -> Path:
    """A picture of grouped bars with their intervals."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(max(6.0, 1.3 * len(labels)), 4.0), dpi=120, layout="constrained")
    axes = canvas.add_subplot()
    width = 0.8 / len(series)
    for i, (name, values) in enumerate(series.items()):
        places = [x + (i - (len(series) - 1) / 2) * width for x in range(len(labels))]
        means = [value.mean for value in values]
        errors = [
            [value.mean - value.low for value in values],
            [value.high - value.mean for value in values],
        ]
        axes.bar(places, means, width, label=name, yerr=errors, error_kw={"linewidth": 0.8})
    axes.set_xticks(range(len(labels)), labels, rotation=20, ha="right")
    axes.set(title=title, ylabel=ylabel, ylim=(0, 1))
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path)
    return path


def coverage_picture(
    path: Path,
    title: str,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    marks: Mapping[str, tuple[float, float]],
) -> Path:
    """Accuracy of what was answered over the share that was answered; the chosen threshold is a dot on its curve."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(6.0, 4.2), dpi=120, layout="constrained")
    axes = canvas.add_subplot()
    for name, (coverage, accuracy) in curves.items():
        (line,) = axes.plot(coverage, accuracy, label=name)
        if name in marks:
            x, y = marks[name]
            axes.plot([x], [y], "o", color=line.get_color())
            axes.annotate("chosen", (x, y), textcoords="offset points", xytext=(6, 6), fontsize=8)
    axes.set(title=title, xlabel="share of questions answered", ylabel="share of the answers that is correct")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path)
    return path
