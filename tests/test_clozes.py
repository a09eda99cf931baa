"""Questions made from plain text: what is asked for stands in the passage, and not in the question."""

import random
from collections import Counter

import pytest

from models.clozes import TOKEN, Text, asked, clozes, near, rows_of

MILL = (
    "The Orne mill was built by Marta Lindqvist for the dyers of Halden. Its wheel turned until the great flood. "
    "After the fire Marta Lindqvist rebuilt the upper floors in brick."
)
TEMPLE = "龙泉寺始建于辽代，后来由德清和尚重修。寺中藏有石碑十二块。德清和尚圆寂以后，弟子们为他建了一座白塔。"
SHEEP = "There was rain over the hills on day {}, and the sheep stayed inside."
NOISE = [Text(f"noise {n}", SHEEP.format(n), "en") for n in range(300)]


def test_a_name_that_the_text_says_twice_is_asked_for_beside_the_rest() -> None:
    rows = rows_of(Text("mill", MILL, "en"), Counter(), 5, random.Random(0))
    assert any(row.answers == ("Marta Lindqvist",) for row in rows)
    for row in rows:
        assert row.answers[0] in row.context
        assert row.answers[0] not in row.question
        assert row.question.endswith("?")
        assert (row.source, row.article, row.language) == ("cloze", "mill", "en")


def test_chinese_stretches_end_where_the_text_repeats_them() -> None:
    every = [row for seed in range(6) for row in rows_of(Text("寺", TEMPLE, "zh"), Counter(), 5, random.Random(seed))]
    assert {"德清和尚"} <= {row.answers[0] for row in every}
    assert all(row.question.endswith("？") and row.answers[0] in row.context for row in every)


def test_no_answer_is_asked_for_twice_in_a_text() -> None:
    rows = rows_of(Text("mill", MILL, "en"), Counter(), 5, random.Random(3))
    assert len({row.answers[0].lower() for row in rows}) == len(rows)


def test_languages_share_the_number_and_lists_of_namesakes_are_left_out() -> None:
    listed = Text("list", MILL.replace("After the fire", "Orne may refer to a river. After the fire"), "en")
    made = clozes([Text("mill", MILL, "en"), Text("寺", TEMPLE, "zh"), listed, *NOISE], 2, random.Random(0))
    assert Counter(row.language for row in made) == {"en": 1, "zh": 1}
    assert "list" not in {row.article for row in made}
    again = clozes([Text("mill", MILL, "en"), Text("寺", TEMPLE, "zh"), listed, *NOISE], 2, random.Random(0))
    assert made == again


@pytest.mark.parametrize(
    ("sentence", "answer", "words"),
    [
        ("The mill burnt in 1877.", "1877", ("when", "in what year")),
        ("The mill had 12 wheels.", "12", ("how many", "how much", "what number")),
        ("The mill was sold to Aldine.", "Aldine", ("who", "what", "which", "where")),
    ],
)
def test_the_word_that_asks_fits_what_is_asked_for(sentence: str, answer: str, words: tuple[str, ...]) -> None:
    start = sentence.index(answer)
    question = asked(sentence, start, start + len(answer), "en", random.Random(1), 1.0)
    assert any(word in question.lower() for word in words)
    assert answer not in question


def test_a_sentence_that_the_passage_holds_is_thinned() -> None:
    sentence = "The mill beside the river burnt to the ground in the dry summer of 1877."
    start = sentence.index("1877")
    kept = [len(TOKEN.findall(asked(sentence, start, start + 4, "en", random.Random(n), 0.5))) for n in range(20)]
    assert sum(kept) / 20 < 0.75 * len(TOKEN.findall(sentence))


def test_a_window_holds_the_answer_and_whole_sentences() -> None:
    for seed in range(10):
        window = near(MILL, "great flood", 60, random.Random(seed))
        assert "great flood" in window
        assert window in MILL
        assert window.endswith(".")
