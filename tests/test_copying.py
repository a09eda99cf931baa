"""A copy takes the likeliest words that stand in the text, and ends where a word ends."""

import pytest
import torch

from models.copying import GIVEN_UP, Copy, Race, Stretches, Vocabulary

PIECES = ["<end>", "Ann", " Hale", " Hales", "Anne", "Tom", " Ha", "le", " in", " 17", "91", "Hale"]
END = frozenset({0})
WORDS = Vocabulary(END, lambda tokens: "".join(PIECES[token] for token in tokens), len(PIECES))
TEXT = "It was built by Ann Hale in 1791."


def logits(**chances: float) -> torch.Tensor:
    """By piece, its name without the space before it written with an underscore; all others are very unlikely."""
    found = torch.full((len(PIECES),), -50.0)
    for name, value in chances.items():
        found[0 if name == "end" else PIECES.index(name.replace("_", " "))] = value
    return found


def written(copy: Copy, *steps: torch.Tensor) -> str:
    for step in steps:
        token, score = copy.next(step, PIECES, END)
        assert score <= 0
        if token in (None, 0):
            break
    return copy.written


def test_the_likeliest_piece_that_stands_there_is_taken() -> None:
    copy = Copy(TEXT)
    assert copy.next(logits(Tom=9.0, Anne=8.0, Ann=1.0), PIECES, END)[0] == PIECES.index("Ann")
    assert copy.next(logits(_Hales=9.0, _Hale=2.0), PIECES, END)[0] == PIECES.index(" Hale")
    assert copy.next(logits(end=3.0, _in=1.0), PIECES, END)[0] == 0
    assert copy.written == "Ann Hale"


def test_it_neither_begins_nor_ends_within_a_word() -> None:
    half = Copy(TEXT)
    assert written(half, logits(Ann=1.0), logits(_Ha=1.0), logits(end=9.0, le=1.0), logits(end=1.0)) == "Ann Hale"
    inside = Copy("Johann Hale")
    assert inside.next(logits(Ann=9.0, Hale=1.0), PIECES, END)[0] == PIECES.index("Hale")


def test_an_empty_copy_does_not_end_at_once() -> None:
    assert Copy(TEXT).next(logits(end=9.0, Ann=1.0), PIECES, END)[0] == PIECES.index("Ann")


def test_copies_of_one_text_begin_differently() -> None:
    first = logits(Tom=9.0, Ann=3.0, Hale=2.0)
    assert [PIECES[Copy(TEXT, rank).next(first, PIECES, END)[0] or 0] for rank in range(2)] == ["Ann", "Hale"]


def test_a_copy_far_behind_a_whole_one_is_given_up() -> None:
    race = Race()
    first, second = Copy(TEXT, 0, race), Copy(TEXT, 1, race)
    begun = logits(Ann=9.0, Hale=1.0)
    assert written(first, begun, logits(end=9.0)) == "Ann"
    assert second.next(begun, PIECES, END) == (None, GIVEN_UP)
    alone = Copy(TEXT, 1)
    assert alone.next(begun, PIECES, END)[0] == PIECES.index("Hale"), "nothing to be behind of"


@pytest.mark.parametrize("text", ["", "   ", "Nothing of it."])
def test_where_nothing_goes_on_it_gives_up(text: str) -> None:
    token, score = Copy(text).next(logits(Ann=1.0), PIECES, END)
    assert token is None
    assert score < -10


def named(tokens: list[int]) -> list[str]:
    return [PIECES[token] for token in tokens]


def test_stretches_say_all_that_may_follow() -> None:
    held = Stretches(TEXT, WORDS)
    assert named(held.after([])) == ["Ann", "Hale"]
    assert named(held.after([PIECES.index("Ann")])) == ["<end>", " Hale", " Ha"]
    assert named(held.after([PIECES.index("Ann"), PIECES.index(" Ha")])) == ["le"], "not within a word"
    assert held.after([PIECES.index("Tom")]) == []


def test_stretches_know_every_place_where_a_beginning_stands() -> None:
    held = Stretches("Ann Hale, not Ann in 1791", WORDS)
    assert named(held.after([PIECES.index("Ann")])) == ["<end>", " Hale", " Ha", " in"]


def test_another_reply_may_be_given_whole() -> None:
    held = Stretches(TEXT, WORDS, others=[[PIECES.index("Tom"), PIECES.index(" Hales")]])
    assert named(held.after([])) == ["Ann", "Tom", "Hale"]
    assert named(held.after([PIECES.index("Tom")])) == [" Hales"]
    assert named(held.after([PIECES.index("Tom"), PIECES.index(" Hales")])) == ["<end>"]


def test_a_word_that_no_token_goes_on_with_can_only_end() -> None:
    held = Stretches("Ann Hað saw it.", WORDS)
    assert named(held.after([PIECES.index("Ann"), PIECES.index(" Ha")])) == ["<end>"]
