"""The selection: score, verdict, reasons."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing.types import BadInput, ModelDamaged, Query
from models.types import Candidate, Kind, Plan, Quote
from rewards.select import (
    CLEAR,
    Selection,
    Thresholds,
    ambiguity,
    effective_support,
    kept,
    load_thresholds,
    save_thresholds,
    select,
    sigmoid,
)
from rewards.types import Rule

SEARCHED = Plan(0.9, (Query("q"),))
TALKED = Plan(0.1)
LIMITS = Thresholds(r_avg=0.0, abstain=0.2, floors={"calm": 0.3}, default_floor=0.1)
CALM = Rule("calm", "g", "Stay calm.", "保持冷静。")
SHARE = st.floats(0.0, 1.0)
KINDS: tuple[Kind, ...] = ("statement", "approved", "tool", "talk", "clarify", "absent")


def said(kind: Kind = "statement", text: str = "words", quoted: bool = True, log_prob: float = -0.1) -> Candidate:
    """A candidate of a kind; statements carry a quote."""
    quotes = (Quote("d", 0, len(text), text),) if quoted and kind == "statement" else ()
    return Candidate(text, quotes=quotes, kind=kind, log_prob=log_prob)


def choose(
    candidates: list[Candidate],
    supports: list[float],
    keeping: list[float] | None = None,
    preferences: list[float] | None = None,
    plan: Plan = SEARCHED,
    question: str = "who?",
) -> Selection:
    """`select` with one rule."""
    rules = [{"calm": share} for share in (keeping or [0.9] * len(candidates))]
    likes = preferences or [0.0] * len(candidates)
    return select(plan, candidates, likes, rules, supports, LIMITS, question=question, book=[CALM])


@st.composite
def drafts(draw: st.DrawFn) -> tuple[list[Candidate], list[float], list[dict[str, float]], list[float]]:
    count = draw(st.integers(0, 6))
    kinds = [draw(st.sampled_from(KINDS)) for _ in range(count)]
    made = [said(kind, f"t{i}", draw(st.booleans()), draw(st.floats(-5, 0))) for i, kind in enumerate(kinds)]
    likes = [draw(st.floats(-5, 5)) for _ in made]
    rules = [{"calm": draw(SHARE), "other": draw(SHARE)} for _ in made]
    return made, likes, rules, [draw(SHARE) for _ in made]


@given(drafts(), st.booleans())
def test_the_verdict_always_fits_the_choice(
    case: tuple[list[Candidate], list[float], list[dict[str, float]], list[float]], searched: bool
) -> None:
    candidates, likes, rules, supports = case
    found = select(SEARCHED if searched else TALKED, candidates, likes, rules, supports, LIMITS, question="who?")
    assert len(found.judgements) == len(candidates)
    assert all(0.0 <= judgement.score <= 1.0 and judgement.reason for judgement in found.judgements)
    assert found.reason
    assert (found.refused_rule is not None) == (found.verdict == "refused")
    if found.verdict == "answered":
        assert found.chosen is not None
        assert candidates[found.chosen].kind not in ("clarify", "absent")
    elif found.verdict == "clarify":
        assert found.chosen is not None
        assert candidates[found.chosen].kind == "clarify"
    elif found.chosen is not None:
        assert found.verdict == "abstained"
        assert candidates[found.chosen].kind == "absent"
    if found.chosen is not None and candidates[found.chosen].kind == "statement":
        rules_of = rules[found.chosen]
        assert rules_of["calm"] >= 0.3
        assert rules_of["other"] >= 0.1
    if found.chosen is not None and candidates[found.chosen].kind == "statement":
        assert found.judgements[found.chosen].score >= LIMITS.abstain


@given(drafts())
def test_the_score_is_the_product_of_its_three_parts(
    case: tuple[list[Candidate], list[float], list[dict[str, float]], list[float]],
) -> None:
    candidates, likes, rules, supports = case
    found = select(SEARCHED, candidates, likes, rules, supports, LIMITS)
    for like, rule, judgement in zip(likes, rules, found.judgements, strict=True):
        geometric = math.sqrt(rule["calm"] * rule["other"])
        assert judgement.score == pytest.approx(sigmoid(like) * geometric * judgement.support, abs=1e-9)


@given(drafts(), st.randoms())
def test_the_order_of_the_candidates_changes_only_exact_ties(
    case: tuple[list[Candidate], list[float], list[dict[str, float]], list[float]], random: object
) -> None:
    candidates, likes, rules, supports = case
    order = list(range(len(candidates)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one = select(SEARCHED, candidates, likes, rules, supports, LIMITS)
    pick = [[column[i] for i in order] for column in (candidates, likes, rules, supports)]
    two = select(SEARCHED, *pick, LIMITS)  # type: ignore[arg-type]
    assert one.verdict == two.verdict
    if one.chosen is not None and two.chosen is not None:
        assert one.judgements[one.chosen].score == pytest.approx(two.judgements[two.chosen].score)


@given(SHARE, SHARE, st.floats(-4, 4), st.floats(-4, 4))
def test_more_support_or_more_liking_never_lowers_the_score(low: float, high: float, a: float, b: float) -> None:
    low, high, a, b = min(low, high), max(low, high), min(a, b), max(a, b)
    first = choose([said()], [low], preferences=[a]).judgements[0].score
    assert choose([said()], [high], preferences=[b]).judgements[0].score >= first


def test_a_rule_broken_puts_the_best_candidate_out_before_ranking() -> None:
    found = choose([said(), said(text="other")], [0.99, 0.7], keeping=[0.29, 0.9])
    assert (found.verdict, found.chosen) == ("answered", 1)
    assert "Stay calm" in found.judgements[0].reason


def test_when_all_break_a_rule_it_refuses_and_names_the_rule() -> None:
    found = choose([said(), said(text="b")], [0.9, 0.9], keeping=[0.1, 0.2])
    assert (found.verdict, found.chosen, found.refused_rule) == ("refused", None, "calm")
    assert "Stay calm" in found.reason


def test_an_honest_absence_does_not_hide_a_refusal() -> None:
    found = choose([said(), said("absent")], [0.9, 1.0], keeping=[0.1, 0.9])
    assert found.verdict == "refused"


def test_a_poor_candidate_that_breaks_a_rule_is_no_reason_to_refuse() -> None:
    found = choose([said(), said("absent")], [0.05, 1.0], keeping=[0.1, 0.9])
    assert (found.verdict, found.chosen) == ("abstained", 1)


def test_a_fact_without_a_quote_counts_nothing_after_a_search() -> None:
    found = choose([said(quoted=False)], [0.9])
    assert found.verdict == "abstained"
    assert found.judgements[0].score == 0.0
    assert choose([said(quoted=False)], [0.0], plan=TALKED).verdict == "answered"


def test_evasions_win_only_when_no_supported_candidate_passes() -> None:
    evasions = [said("talk"), said("absent")]
    found = choose([*evasions, said()], [1.0, 1.0, 0.5], preferences=[4.0, 4.0, 0.0])
    assert (found.verdict, found.chosen) == ("answered", 2)
    found = choose([said("absent"), said()], [1.0, 0.1])
    assert (found.verdict, found.chosen) == ("abstained", 0)
    assert choose([said("talk"), said()], [1.0, 0.1], plan=TALKED).chosen == 0


def test_an_approved_answer_wins_whatever_the_judges_say() -> None:
    found = choose([said(), said("approved")], [0.99, 0.0], keeping=[0.9, 0.01], preferences=[3.0, -3.0])
    assert (found.verdict, found.chosen) == ("answered", 1)
    assert found.judgements[1].support == 1.0


def test_a_tools_result_needs_no_quote() -> None:
    found = choose([said("tool"), said()], [0.0, 0.4])
    assert (found.verdict, found.chosen) == ("answered", 0)


def test_an_ambiguous_question_is_asked_back_and_takes_from_the_statements() -> None:
    candidates = [said("clarify", log_prob=math.log(0.8)), said()]
    assert ambiguity(candidates) == pytest.approx(0.8)
    assert effective_support(candidates[1], 0.5, True, 0.8) == pytest.approx(0.1)
    found = choose(candidates, [0.0, 0.9])
    assert (found.verdict, found.chosen) == ("clarify", 0)
    sure = [said("clarify", log_prob=math.log(0.3)), said()]
    assert choose(sure, [0.0, 0.95]).verdict == "answered"


def test_nothing_proposed_is_an_abstention() -> None:
    assert choose([], []).verdict == "abstained"


def test_a_floor_written_in_the_rules_file_goes_before_the_fitted_one() -> None:
    strict = Rule("calm", "g", "Stay calm.", "保持冷静。", floor=0.95)
    found = select(SEARCHED, [said()], [0.0], [{"calm": 0.9}], [0.9], LIMITS, book=[strict])
    assert found.verdict == "refused"


def test_a_rule_added_later_has_the_default_floor() -> None:
    assert LIMITS.floor("new", {}) == 0.1


def test_reasons_speak_the_language_of_the_question() -> None:
    english = choose([said(), said(text="b")], [0.9, 0.5])
    assert english.judgements[0].reason.startswith("Best of 2")
    assert "candidate 1" in english.judgements[1].reason
    assert "supports it less" in english.judgements[1].reason
    chinese = choose([said(), said(text="b")], [0.9, 0.5], question="是谁？")
    assert "最佳" in chinese.judgements[0].reason
    assert "引文" in chinese.judgements[1].reason


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(BadInput):
        select(SEARCHED, [said()], [], [{}], [1.0], LIMITS)


def test_the_geometric_mean_of_the_rules() -> None:
    assert kept({}) == 1.0
    assert kept({"a": 0.0, "b": 1.0}) == 0.0
    assert kept({"a": 0.25, "b": 1.0}) == pytest.approx(0.5)


def test_thresholds_survive_the_disk_and_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.json"
    save_thresholds(LIMITS, path, {"from": "a test"})
    assert load_thresholds(path) == LIMITS
    for text in ("{", '{"r_avg": 0}', '{"r_avg": 0, "abstain": 3, "default_floor": 0.1, "floors": {}}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ModelDamaged):
            load_thresholds(path)
    with pytest.raises(ModelDamaged):
        load_thresholds(tmp_path / "none.json")


def test_in_doubt_only_what_is_clear_is_said() -> None:
    assert LIMITS.doubting().abstain == CLEAR
    sure = Thresholds(abstain=0.7)
    assert sure.doubting() == sure
