"""A snippet shows the words that were looked for, and every position counts in the passage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing.tokenize import Analyser
from service.snippets import LENGTH, snippet

ANALYSER = Analyser()
LONG = "Mercury\n\n" + "Nothing of interest happened for years. " * 20 + "Then the capsules reached orbit at last."


def marked(text: str, query: str) -> list[str]:
    found = snippet(text, query, ANALYSER)
    return [found.text[start:end] for start, end in found.marks]


@pytest.mark.parametrize(
    ("text", "query", "words"),
    [
        ("The capsule reached orbit.", "reaching orbits", ["reached orbit"]),
        ("空间站里的水十分宝贵。", "空间站的水", ["空间站", "的水"]),
        ("Réunion lies in the ocean.", "reunion", ["Réunion"]),
        ("It runs on C++ and os.path alone.", "c++ path", ["C++", "os.path"]),
        ("Nothing of it.", "capsule", []),
    ],
)
def test_words_are_marked_as_the_index_finds_them(text: str, query: str, words: list[str]) -> None:
    assert marked(text, query) == words


def test_the_window_lies_where_the_words_are_and_cuts_none() -> None:
    found = snippet(LONG, "capsules in orbit", ANALYSER)
    assert [found.text[start:end] for start, end in found.marks] == ["capsules", "orbit"]
    assert found.text.startswith(("Nothing", "Then"))
    assert found.text.endswith("at last.")


def test_a_heading_is_left_out_and_without_a_word_the_text_begins() -> None:
    assert snippet(LONG, "Mercury", ANALYSER).text.startswith("Nothing of interest")


@given(st.text(max_size=700), st.text(max_size=40))
def test_positions_hold_for_any_text(text: str, query: str) -> None:
    found = snippet(text, query, ANALYSER)
    assert text[found.start : found.start + len(found.text)] == found.text
    assert len(found.text) <= LENGTH
    ends = [0, *(place for mark in found.marks for place in mark), len(found.text)]
    assert ends == sorted(ends)
