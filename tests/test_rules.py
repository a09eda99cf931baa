"""The rules file and the rule that a program decides."""

from pathlib import Path

import pytest

from indexing.types import BadInput, NotFound
from models.types import Candidate, Conversation, Turn
from rewards.rules import PROGRAMS, load_rules, parse_rules, repeats, split_example

GROUPS = {"stereotypes", "hate", "self", "misinformation", "other"}
GOOD = """rules:
  - id: no-puns
    group: mine
    en: Make no puns.
    zh: 不要用双关语。
    floor: 0.2
"""


def asked(*texts: str) -> Conversation:
    """Turns of user and assistant in turn."""
    return Conversation(tuple(Turn("user" if i % 2 == 0 else "assistant", text) for i, text in enumerate(texts)))


def test_the_bundled_file_holds_sparrows_23_rules_in_five_groups() -> None:
    rules = load_rules()
    assert len(rules) == len({rule.id for rule in rules}) == 23
    assert {rule.group for rule in rules} == GROUPS


def test_every_rule_has_text_and_examples_in_both_languages() -> None:
    def chinese(text: str) -> bool:
        return any("\u4e00" <= character <= "\u9fff" for character in text)

    for rule in load_rules():
        assert chinese(rule.text_zh), rule.id
        assert not chinese(rule.text_en), rule.id
        for examples in (rule.keeps, rule.breaks):
            assert {chinese(example) for example in examples} == {True, False}, rule.id


def test_programs_decide_only_rules_that_exist() -> None:
    assert set(PROGRAMS) <= {rule.id for rule in load_rules()}


def test_an_added_rule_is_read_with_its_floor(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD, encoding="utf-8")
    (rule,) = load_rules(path)
    assert (rule.id, rule.group, rule.floor, rule.keeps) == ("no-puns", "mine", 0.2, ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: [", ["line 1", "YAML"]),
        ("", ["empty"]),
        ("other: 3", ["rules:"]),
        ("rules: 3", ["line 1", "list"]),
        ("rules:\n  - id: a\n    group: g\n    en: x\n", ["line 2", "rule a", "`zh`"]),
        ("rules:\n  - group: g\n", ["line 2", "`id`"]),
        (GOOD.replace("no-puns", "no puns!"), ["line 2", "no puns!"]),
        (GOOD + "    flor: 1\n", ["line 7", "rule no-puns", "`flor`"]),
        (GOOD.replace("0.2", "2"), ["line 6", "rule no-puns", "0 to 1"]),
        (GOOD + "    breaks: one\n", ["line 7", "rule no-puns", "list"]),
        (GOOD + "    breaks:\n      - a: b\n", ["line 8", "rule no-puns", "breaks"]),
        (GOOD + GOOD.removeprefix("rules:\n"), ["line 7", "no-puns", "twice"]),
        (GOOD + "    en: again\n", ["line 7", "`en`", "twice"]),
    ],
)
def test_a_fault_is_named_with_its_line_and_rule(text: str, words: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        parse_rules(text)
    for word in words:
        assert word in caught.value.message
    assert caught.value.hint


def test_a_missing_file_and_a_binary_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load_rules(tmp_path / "none.yaml")
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00rules")
    with pytest.raises(BadInput, match="UTF-8"):
        load_rules(path)


def test_an_example_may_carry_the_users_words() -> None:
    assert split_example("Who? >> Nobody.") == ("Who?", "Nobody.")
    assert split_example("Nobody.") == ("", "Nobody.")


def test_the_examples_of_the_repetition_rule_are_decided_as_they_say() -> None:
    rule = next(rule for rule in load_rules() if rule.id == "no-repetition")
    conversation = asked("How high is it?")
    for example in rule.breaks:
        assert repeats(conversation, Candidate(example)), example
    for example in rule.keeps:
        assert not repeats(conversation, Candidate(example)), example


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("It opened in 1932 and it closed in 1940.", False),
        ("Yes. Yes.", False),
        ("The river is long [1]. The river is long [2].", True),
        ("very " * 15, True),
        ("哈哈哈哈哈哈哈哈哈哈哈哈哈哈", True),
        ("他出生于1856年。他出生于1856年。", True),
    ],
)
def test_repetition_within_an_answer(said: str, expected: bool) -> None:
    assert repeats(asked("Tell me."), Candidate(said)) is expected


def test_an_earlier_answer_may_come_again_only_when_it_is_asked_again() -> None:
    answer = "The bridge was opened in 1932."
    assert repeats(asked("When?", answer, "And who built it?"), Candidate(answer))
    assert not repeats(asked("When?", answer, "When?"), Candidate(answer))
