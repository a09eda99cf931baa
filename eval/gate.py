"""Is a new model good enough to replace the live one? Both answered the same questions; the pairs are compared.

On every guarded measure the lower bound of the difference (95%, whole articles drawn with replacement) must lie above
minus one point.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval import metrics
from eval.report import Report, Table, write
from indexing.types import BadInput
from models.heads import file_sha256
from service.registry import checksums

MARGIN = -0.01
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """A guarded measure: for which questions it counts, and what is right (1) or not (0)."""

    counts: Callable[[Row], bool]
    right: Callable[[Row], bool]


MEASURES: Mapping[str, Measure] = {
    "supported and correct": Measure(lambda row: row["answerable"], lambda row: row["said"] and row["correct"]),
    "quote holds the answer": Measure(lambda row: row["answerable"], lambda row: row["said"] and row["holds"]),
    "unanswerable left unanswered": Measure(lambda row: not row["answerable"], lambda row: not row["said"]),
    "completed": Measure(lambda _: True, lambda row: not row["failure"]),
}


@dataclass(frozen=True, slots=True)
class Compared:
    """Of one measure on one set: means before and after, and the difference with its interval."""

    before: float
    after: float
    difference: float
    low: float
    high: float
    n: int
    passed: bool


def run_gate(before: Path, after: Path, model: Path, out: Path) -> Report:
    """Compare two runs of `passerine evaluate answers` (their folders); writes gate.json, which `passerine promote`
    asks for, and the table into `out`. Raises BadInput when the runs did not ask the same questions."""
    old, new = outcomes(before), outcomes(after)
    if list(old) != list(new):
        raise BadInput("The two runs did not ask the same questions.", "Run both with the same data and --limit.")
    found = compared(list(old.values()), list(new.values()))
    passed = all(one.passed for one in found.values())
    result = {
        "passed": passed,
        **checksums(model),
        "measures": {name: asdict(one) for name, one in found.items()},
        "outcomes": {side: file_sha256(folder / OUTCOMES) for side, folder in (("before", before), ("after", after))},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "gate-result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    rows = [
        (name, f"{one.before:.3f}", f"{one.after:.3f}", f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}]",
         f"{one.n}", "yes" if one.passed else "no")
        for name, one in found.items()
    ]  # fmt: skip
    table = Table("Gate", ("measure", "before", "after", "difference", "n", "passed"), tuple(rows))
    verdict = "passed: the model may be promoted" if passed else "not passed: the live model stays"
    report = Report("gate", "passerine evaluate gate", (table,), {}, {"verdict": verdict, "margin": f"{MARGIN}"})
    write(report, out)
    return report


OUTCOMES = "answers-outcomes.jsonl"


def outcomes(folder: Path) -> dict[tuple[str, str], Row]:
    """What became of each question, by set and id, in a fixed order. Raises BadInput when the run left none."""
    try:
        rows = [json.loads(line) for line in (folder / OUTCOMES).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} holds no outcomes ({error}).", "Name a folder of `evaluate answers`.") from None
    return dict(sorted(((row["set"], row["id"]), row) for row in rows))


def compared(before: Sequence[Row], after: Sequence[Row]) -> dict[str, Compared]:
    """Every measure on every set; the rows of both sides are of the same questions."""
    found: dict[str, Compared] = {}
    for name in sorted({row["set"] for row in before}):
        for label, measure in MEASURES.items():
            pairs = [
                (old, new) for old, new in zip(before, after, strict=True) if old["set"] == name and measure.counts(old)
            ]
            if not pairs:
                continue
            old_right = [float(measure.right(old)) for old, _ in pairs]
            new_right = [float(measure.right(new)) for _, new in pairs]
            both = metrics.paired(new_right, old_right, [old["group"] for old, _ in pairs])
            found[f"{name}/{label}"] = Compared(
                sum(old_right) / len(pairs), sum(new_right) / len(pairs), both.mean, both.low, both.high, len(pairs),
                both.low > MARGIN,
            )  # fmt: skip
    return found
