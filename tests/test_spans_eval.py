"""The comparison of a tuned reader with its start: what is read, what is judged, and what a difference is."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from eval.report import Figure
from eval.spans import WRONG, Read, chosen, compared, divergences, read
from models.reader import BUNDLED, Reader, read_upper
from models.span_choice import SpanPolicy
from rewards.select import Thresholds
from service.tuning import Judges
from tests.evaluation_data import lines, put, seal
from tests.test_demonstrations import OTHER, PASSAGE
from tests.test_tuning import Scripted

NONE = Read(math.nan, math.nan, math.nan, math.nan, 0.1, math.nan, 0.2, 0.3)


def test_questions_are_read_alone_and_among_wrong_passages(tmp_path: Path, reader: Reader) -> None:
    rows = [
        {"id": str(n), "lang": "en", "title": f"T{n}", "context": text, "question": question, "answers": answers,
         "answerable": bool(answers)}
        for n, (text, question, answers) in enumerate([
            (PASSAGE, "When was the mill built?", ["1791"]), (OTHER, "Who was the last keeper of the ferry?", []),
        ])
    ]  # fmt: skip
    put(tmp_path, "qa/squad.test.jsonl.gz", lines(rows))
    judges = Judges(*(Scripted(kind) for kind in ("preference", "rules", "support")), Thresholds())  # type: ignore[arg-type]
    own = chosen(seal(tmp_path), "squad.test", False, 9)
    assert [len(beside.hits) <= 1 + WRONG for beside in own] == [True, True]
    found = {beside.row.id: read(reader, beside, judges, judges, 0.5) for beside in own}
    right, unanswerable = found["0"], found["1"]
    assert (right.f1, right.holds, right.right, right.reward) == (1.0, 1.0, 1.0, pytest.approx(1.0))
    assert math.isnan(unanswerable.f1)
    assert unanswerable.reward == pytest.approx(0.1)
    policy = SpanPolicy(reader, read_upper(BUNDLED, reader.config), 7)
    assert divergences([policy, policy], own[0]) == pytest.approx(0.0, abs=1e-6)


def test_differences_are_paired_and_what_is_not_measured_is_left_out() -> None:
    before = [replace(NONE, f1=0.5, holds=0.0, right=0.0, beside=0.0, answerable=0.9)] * 20 + [NONE] * 20
    after = [replace(one, f1=one.f1 + 0.25, reward=0.4, kl=0.7) for one in before]
    figures: dict[str, Figure] = {}
    answerable = [True] * 20 + [False] * 20
    table = compared("test, zh", before, after, answerable, [str(n % 7) for n in range(40)], figures)
    cells = {row[0]: row[1:] for row in table.rows}
    assert cells["token F1, own passage"] == (".500", ".750", "+0.250 [+0.250, +0.250]", "20")
    assert cells["reward by the judges it was tuned by"][3] == "40"
    assert "reward by the judges for evaluation only" not in cells
    assert cells["unanswerable told from answerable, AUC"][:2] == ("1.000", "1.000")
    assert figures["spans/test, zh/kl"].value == pytest.approx(0.7)
