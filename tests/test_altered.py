"""Altered statements say something else than their quote, and said-again ones do not."""

import random

import pytest

from rewards.altered import altered, names_of, negated, other_name, other_number, said_again

QUOTE = "The Halden bridge, designed by Marta Lindqvist, was opened on 4 May 1934, after three years of work."
ZH = "峨眉山位于四川省，最高峰海拔3099米，是佛教名山。"


def test_said_again_keeps_the_quotes_words() -> None:
    made = {said_again(QUOTE, random.Random(seed)) for seed in range(20)}
    assert made == {QUOTE, "The Halden bridge, designed by Marta Lindqvist, was opened on 4 May 1934."}
    assert {said_again(ZH, random.Random(seed)) for seed in range(20)} == {ZH, "峨眉山位于四川省，最高峰海拔3099米。"}


@pytest.mark.parametrize("seed", range(8))
def test_a_number_or_a_month_changes_and_nothing_else(seed: int) -> None:
    made = other_number(QUOTE, random.Random(seed))
    assert made is not None
    before, after = QUOTE.split(), made.split()
    assert sum(one != two for one, two in zip(before, after, strict=True)) == 1
    changed = other_number(ZH, random.Random(seed))
    assert changed is not None
    assert len(changed) == len(ZH)
    assert changed != ZH
    assert other_number("No figures here.", random.Random(seed)) is None


def test_a_name_changes_into_one_that_the_text_lacks() -> None:
    made = other_name(QUOTE, ["Marta Lindqvist", "Nikola Tesla"], random.Random(0))
    assert made == QUOTE.replace("Marta Lindqvist", "Nikola Tesla")
    assert other_name(ZH, ["峨眉山", "五台山"], random.Random(0)) == ZH.replace("峨眉山", "五台山")
    assert other_name("nothing named here", ["Nikola Tesla"], random.Random(0)) is None


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("It was opened in May.", "It was not opened in May."),
        ("It was not opened.", "It was opened."),
        ("他是导演。", "他不是导演。"),
        ("这里没有水。", "这里有水。"),
        ("这里有水。", "这里没有水。"),
        ("Opened in May.", None),
    ],
)
def test_a_not_comes_or_goes(text: str, changed: str | None) -> None:
    assert negated(text, random.Random(0)) == changed


def test_each_kind_is_made_where_the_text_allows_it() -> None:
    names = names_of([QUOTE, "In 1931 Nikola Tesla and Ada Lovelace met."], ["峨眉山"])
    assert set(altered(QUOTE, names, random.Random(0))) == {"altered-number", "altered-name", "negated"}
    assert altered("Frogs eat insects", names, random.Random(0)) == {}
    assert names_of([], ["峨眉山", "3099", "峨眉山位于四川省西南部"]) == ["峨眉山"]
