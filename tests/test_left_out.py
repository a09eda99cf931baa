"""Questions that the documents come close to and do not answer."""

from eval.datasets import Entry, Question
from eval.left_out import is_left_out, left_out, without

PASSAGES = [f"Town {number} lies on the river and was founded in {1200 + number}." for number in range(40)]
GONE = [passage for passage in PASSAGES if is_left_out(passage)]
KEPT = [passage for passage in PASSAGES if not is_left_out(passage)]


def asked(passage: str, answer: str, title: str = "Towns") -> Question:
    return Question(passage[:8], "en", title, passage, "", "When was it founded?", (answer,), bool(answer))


def test_some_passages_are_left_out_and_the_same_ones_every_time() -> None:
    assert 8 <= len(GONE) <= 24
    assert [is_left_out(passage) for passage in GONE] == [True] * len(GONE)


def test_only_passages_that_are_asked_about_are_left_out_of_a_corpus() -> None:
    corpus = [Entry(passage[:8], "Towns", passage, "en") for passage in PASSAGES]
    assert [entry.text for entry in without(corpus, [asked(GONE[0], "1200"), asked(KEPT[0], "1200")])] == [
        passage for passage in PASSAGES if passage != GONE[0]
    ]


def test_a_question_is_unanswerable_only_when_nothing_else_of_its_article_holds_the_answer() -> None:
    year, river = GONE[0][-5:-1], "the river"
    others = [asked(passage, passage[-5:-1]) for passage in PASSAGES if passage != GONE[0]]
    [found] = [one for one in left_out([asked(GONE[0], year), *others]) if one.passage == GONE[0]]
    assert (found.answerable, found.answers) == (False, ())
    assert not [one for one in left_out([asked(GONE[0], river), *others]) if one.passage == GONE[0]]
    assert not left_out([asked(GONE[0], ""), asked(KEPT[0], "1200")])
