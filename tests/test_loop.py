"""From what people said to another judge: the labels, the training, the simulated people, the gate's last word."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from eval.gate import OUTCOMES
from eval.loop import Rater, Recorded, begun, reported, turned_round
from indexing.types import BadInput, Query
from models.types import Candidate, Conversation, Turn
from rewards.feedback import parse_row, read_feedback
from rewards.interaction import Interaction, Shape, Trained, save_network
from rewards.support import FEATURES, Calibration, load_calibration, save_calibration
from rewards.train_feedback import LEAST, labels_of, train_from_feedback
from service.types import Answer
from tests.hashed_reader import HashedReader, one_thread
from tests.scripted import ListRetriever, ScriptedPolicy, document, hit, quoting
from tests.test_answers_eval import ASKED, RIGHT, WRONG, answered
from tests.test_feedback_data import SAID, row, written


def said(text: str, log_prob: float) -> dict[str, Any]:
    evidence = [{"title": "Lander", "text": text, "score": 0.7}]
    return {**SAID, "text": text, "quotes": [text], "log_prob": log_prob, "evidence": evidence}


def opinions(count: int) -> list[dict[str, Any]]:
    """People who like what the policy was sure of."""
    return [
        row(id=f"f-{n}", answer_id=f"a-{n}", conversation_id=f"c-{n}", a=said(f"Right {n}.", -0.1 - n % 3 / 10),
            b=said(f"Wrong {n}.", -2.0 - n % 5 / 10), label=1.0, choice="a")
        for n in range(count)
    ]  # fmt: skip


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A judge whose sum knows its network alone."""
    shape, folder = Shape(width=16, layers=1, heads=2, inner=16), tmp_path / "start"
    save_network(Interaction(shape), Trained("support", HashedReader.fingerprint, HashedReader.layer, shape), folder)
    alone = Calibration(tuple(float(name == "network") for name in FEATURES), 0.0)
    save_calibration(alone, folder / "calibration.json")
    return folder


def test_votes_and_comparisons_say_which_drafts_are_right() -> None:
    one, other = said("A pilot steered it.", -0.4), said("A computer did it.", -0.6)
    vote = {"kind": "vote", "a": None, "b": None, "choice": None, "candidate": one, "label": 0.0}
    rows = [row(a=one, b=other, choice="both_good", label=0.5), row(**vote), row(answer_id="a-02", a=one, b=other)]
    rows.append(row(answer_id="a-03", a={**one, "kind": "talk"}, b={**other, "quotes": []}))
    labels = labels_of(parse_row(json.dumps(each)) for each in rows)
    assert [(label.draft.answer, label.right) for label in labels] == [
        ("Lander: A pilot steered it.", 0.0),  # the thumb came after the comparison
        ("Lander: A computer did it.", 1.0),
        ("Lander: A pilot steered it.", 1.0),
        ("Lander: A computer did it.", 0.0),
    ]
    assert dict(zip(FEATURES, labels[0].features, strict=True))["hit_score"] == 0.7


def vote(label: float, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    shown = {"kind": "vote", "a": None, "b": None, "choice": None, "label": label, "reason": reason}
    return row(**{"candidate": said("A pilot steered it.", -0.4), **shown, **fields})


def rights(*rows: dict[str, Any]) -> dict[str, float]:
    """By draft what the rows say of it."""
    return {label.draft.answer[-2:-1]: label.right for label in labels_of(parse_row(json.dumps(one)) for one in rows)}


def test_a_comparison_says_what_nobody_said_outright_whatever_came_first() -> None:
    a, b, c = (said(f"Draft {name}.", -0.3) for name in "ABC")
    one, two = row(a=a, b=b), row(a=b, b=c)
    for rows in ((one, two), (two, one)):
        assert rights(*rows) == {"A": 1.0, "C": 0.0}, "B is better than one and worse than the other"
    for outright in (vote(1.0, "right", candidate=b), row(a=b, b=c, choice="both_good", label=0.5)):
        for rows in ((one, outright), (outright, one)):
            assert rights(*rows)["B"] == 1.0
            assert rights(*rows)["A"] == 1.0
    assert rights(vote(1.0, candidate=a), vote(0.0, candidate=a)) == {"A": 0.0}, "the last thumb counts"


def test_a_thumb_down_for_something_else_says_nothing_of_support() -> None:
    for reason in ("wrong", "quote_does_not_say_it", "off_topic", None):
        assert list(rights(vote(0.0, reason)).values()) == [0.0]
    for reason in ("incomplete", "out_of_date", "should_have_asked", "should_have_answered", "harmful", "other"):
        assert rights(vote(0.0, reason)) == {}
        assert list(rights(vote(1.0), vote(0.0, reason)).values()) == [1.0], reason


def test_opinions_turned_round_are_learnt_anew_in_the_same_folder(tmp_path: Path, start: Path) -> None:
    told = written(tmp_path / "feedback.jsonl", *opinions(LEAST))
    turned = written(tmp_path / "turned.jsonl", *({**each, "label": 0.0, "choice": "b"} for each in opinions(LEAST)))

    def weights(feedback: Path, out: str) -> bytes:
        made = train_from_feedback(feedback, start, tmp_path, tmp_path / out, corpus=HashedReader())  # type: ignore[arg-type]
        return (made / "weights.safetensors").read_bytes()

    with one_thread():
        first = weights(told, "made")
        assert weights(told, "made") == first
        assert weights(turned, "made") == weights(turned, "fresh") != first


def voted(*conversations: tuple[str, float, int]) -> list[dict[str, Any]]:
    """Votes by conversation, label and number; every answer is another one."""
    return [
        vote(label, id=f"{name}-{label}-{n}", answer_id=f"{name}-{label}-{n}", conversation_id=name,
             candidate=said(f"Said {name} {label} {n}.", -0.1 - n % 5 / 10))
        for name, label, count in conversations
        for n in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (voted(("c", 1.0, LEAST), ("c", 0.0, LEAST)), "right draft: 1, with a wrong one: 1"),
        (voted(("c", 1.0, LEAST), ("d", 0.0, LEAST)), "right draft: 1, with a wrong one: 1"),
        (voted(("c", 1.0, LEAST), ("d", 1.0, 1), ("e", 0.0, LEAST)), "right draft: 2, with a wrong one: 1"),
    ],
)
def test_opinions_of_too_few_conversations_are_refused_with_their_number(
    tmp_path: Path, start: Path, rows: list[dict[str, Any]], found: str
) -> None:
    told = written(tmp_path / "feedback.jsonl", *rows)
    with pytest.raises(BadInput, match=found):
        train_from_feedback(told, start, tmp_path, tmp_path / "out", corpus=HashedReader())  # type: ignore[arg-type]


def test_few_conversations_are_dealt_so_that_each_part_holds_both_kinds(tmp_path: Path, start: Path) -> None:
    mixed = voted(("a", 1.0, LEAST), ("b", 0.0, LEAST), ("c", 1.0, 2), ("c", 0.0, 2))
    for seed in (0, 4, 6):
        told = written(tmp_path / "feedback.jsonl", *mixed)
        out = tmp_path / f"out-{seed}"
        with one_thread():
            made = train_from_feedback(told, start, tmp_path, out, seed, corpus=HashedReader())  # type: ignore[arg-type]
        assert "(n=84)" in (made / "card.md").read_text(encoding="utf-8")


def test_an_answer_outside_any_conversation_stands_for_itself() -> None:
    rows = [row(answer_id="a-1", conversation_id=""), row(answer_id="a-2", conversation_id="")]
    assert {label.group for label in labels_of(parse_row(json.dumps(each)) for each in rows)} == {"a-1", "a-2"}


def test_the_judge_takes_up_what_people_said(tmp_path: Path, start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewards.train_feedback.PARTS", 2)
    told = written(tmp_path / "feedback.jsonl", *opinions(LEAST))
    with one_thread():
        made = train_from_feedback(told, start, tmp_path, tmp_path / "made", corpus=HashedReader())  # type: ignore[arg-type]
    weights = dict(zip(FEATURES, load_calibration(made / "calibration.json").weights, strict=True))
    assert weights["log_prob"] > 0.5
    assert "judged by people" in (made / "card.md").read_text(encoding="utf-8")


def test_sabotage_says_the_opposite() -> None:
    vote = {"kind": "vote", "a": None, "b": None, "choice": None, "candidate": said("A pilot did.", -0.4)}
    rows = [*opinions(2), row(choice="both_bad", label=0.5), row(**vote, label=1.0)]
    turned = [json.loads(turned_round(json.dumps(each))) for each in rows]
    assert [each["label"] for each in turned] == [0.0, 0.0, 0.5, 0.0]
    assert [each["choice"] for each in turned] == ["b", "b", "both_good", None]
    for each, other in zip(rows, turned, strict=True):
        before, after = (labels_of([parse_row(json.dumps(one))]) for one in (each, other))
        assert [label.right for label in after] == [1 - label.right for label in before]


def test_a_few_opinions_train_nothing(tmp_path: Path, start: Path) -> None:
    few = written(tmp_path / "feedback.jsonl", *opinions(LEAST - 1))
    with pytest.raises(BadInput, match=f"{LEAST - 1} drafts right"):
        train_from_feedback(few, start, tmp_path, tmp_path / "out", corpus=HashedReader())  # type: ignore[arg-type]


def test_a_simulated_person_knows_what_is_right() -> None:
    def given(answer: Answer) -> list[tuple[Any, ...]]:
        found = Rater(ASKED).opinions(answer, random.Random(0))
        return [(one.kind, one.thumb, one.text, one.choice and getattr(one, one.choice)) for one in found]

    assert given(answered(RIGHT, WRONG, scores=(0.8, 0.3), chosen=0)) == [
        ("vote", "up", None, None), ("pair", None, None, 0),
    ]  # fmt: skip
    assert given(answered(RIGHT, WRONG, scores=(0.3, 0.8), chosen=1)) == [
        ("vote", "down", None, None), ("edit", None, "1969", None), ("pair", None, None, 0),
    ]  # fmt: skip
    silent = given(answered(RIGHT, WRONG, scores=(0.1, 0.1), chosen=None, verdict="abstained"))
    assert silent == [("pair", None, None, 0)], "drafts of an answer that was not given are compared all the same"


def test_judges_are_exchanged_over_the_same_drafts() -> None:
    mill = document("mill", "The mill stands by the weir.")
    policy, conversation = ScriptedPolicy(quoting(mill.text)), Conversation((Turn("user", "Where?"),))
    recorded = Recorded(policy, ListRetriever({"first": [hit(mill)]}))
    drafts: list[list[Candidate]] = []
    for _ in range(2):
        found = recorded.search_many([Query("first")], 2)
        drafts.append(recorded.propose(conversation, [tuple(found[0])]))
        policy.shown = []
    assert drafts[0] == drafts[1]
    assert policy.shown == [], "the policy was asked once"


def test_what_passes_is_promoted_and_what_was_sabotaged_is_refused(tmp_path: Path) -> None:
    judges = {}
    for name, wrong in (("before", 0.4), ("bundled", 0.2), ("after", 0.2), ("sabotaged", 0.8)):
        rng = random.Random(0)
        rows = [
            {"set": "squad", "id": str(n), "group": f"article {n % 20}", "answerable": True, "said": True,
             "failure": "", "correct": right, "holds": right}
            for n in range(200) for right in [rng.random() >= wrong]
        ]  # fmt: skip
        judges[name] = begun(tmp_path / name)
        (judges[name] / "weights.safetensors").write_bytes(name.encode())
        (tmp_path / f"run-{name}").mkdir()
        path = tmp_path / f"run-{name}" / OUTCOMES
        path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    export = written(tmp_path / "feedback.jsonl", *opinions(2))
    report = reported(tmp_path, judges, export)
    assert sum(1 for _ in read_feedback(export)) == 2
    after, sabotaged = report.tables[1].rows
    assert after[2].startswith("promoted")
    assert sabotaged[2].startswith("refused: The model did not pass the gate")
    assert report.figures["loop/after/squad/supported and correct"].value > 0.7
    assert (tmp_path / "loop.png").is_file()
    assert (tmp_path / "registry" / "support" / "live.json").is_file()
