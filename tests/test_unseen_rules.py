"""A rule left out: nothing of it is learnt, and lines about it are judged all the same."""

from pathlib import Path

import numpy as np

from rewards import unseen_rules
from rewards.readings import Draft
from rewards.rule_data import RuleExample
from rewards.rule_judge import rule_vectors
from rewards.rules import parse_rules
from rewards.unseen_rules import unseen_figures, without
from tests.hashed_reader import HashedReader

RULES = """
rules:
  - {id: no-oaths, group: harm, en: Do not swear., zh: 不要发誓。}
  - {id: no-songs, group: harm, en: Do not sing., zh: 不要唱歌。}
"""


def line(rule: str, answer: str, kept: float, part: str) -> RuleExample:
    return RuleExample(Draft("Well?", answer), {rule: kept}, f"written {rule}", part, "en", answer)


def lines(part: str, words: tuple[str, ...]) -> list[RuleExample]:
    broken = {"no-oaths": "by all the gods {}", "no-songs": "la la la {}"}
    return [
        line(rule, text.format(word) if kept < 0.5 else f"it is a {word}", kept, part)
        for rule, text in broken.items()
        for word in words
        for kept in (0.0, 1.0)
    ]


def test_what_breaks_the_rule_and_what_was_written_about_it_is_gone() -> None:
    both = RuleExample(
        Draft("", "la la, by all the gods"), {"no-oaths": 0.0, "no-songs": 0.0}, "templates", "train", "en", "la la"
    )
    calm = RuleExample(Draft("", "a hill"), {"no-oaths": 1.0, "no-songs": 1.0}, "templates", "train", "en", "a hill")
    left = without([*lines("train", ("hill",)), both, calm], "no-songs")
    assert [e.draft.answer for e in left] == ["by all the gods hill", "it is a hill", "a hill"]
    assert all("no-songs" not in e.labels for e in left)


def test_every_rule_is_left_out_once_and_a_second_run_fits_nothing(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    reader, rules = HashedReader(), parse_rules(RULES, "test")
    vectors = rule_vectors(reader, rules)
    monkeypatch.setattr(unseen_rules, "EACH", 1)
    data = lines("train", ("hill", "mill", "lake")), lines("dev", ("barn",)), lines("test", ("tree", "rock"))
    rows = unseen_figures(reader, *data, vectors, 0, tmp_path)  # type: ignore[arg-type]
    assert [row[0] for row in rows] == ["unseen no-oaths", "unseen no-songs", "unseen, all rules"]
    assert rows[0][2].endswith("(n=4)")
    shares = [float(row[2][:5]) for row in rows]
    assert np.isclose(shares[2], np.mean(shares[:2]), atol=1e-3)
    assert unseen_figures(reader, *data, vectors, 0, tmp_path) == rows  # type: ignore[arg-type]
