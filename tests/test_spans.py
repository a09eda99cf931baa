"""Of a passage's spans the best come first, none that cannot be meant, and each once."""

import pytest
import torch

from models.spans import MOST_TOKENS, Span, apart, best_spans, fitting, span_table


def test_a_reading_that_is_not_asked_for_goes_with_its_other_borders() -> None:
    passage = "Apollo 13 was meant to be the third landing. It lasted six days."
    third, more, days = (passage.index(text) for text in ("third", "13 was", "six days"))
    spans = [
        Span(third, third + 5, 0.6),
        Span(more, third + 5, 0.3),
        Span(days, days + 8, 0.1),
        Span(days, days + 6, 0.05),
    ]
    assert fitting("How long did Apollo 13 last?", passage, spans) == [spans[2]]
    assert len(fitting("Which landing was it?", passage, spans)) == 3


def test_the_number_of_a_name_is_no_count() -> None:
    passage = "Apollo 11 carried 3 people."
    name, count = Span(7, 9, 0.7), Span(18, 19, 0.2)
    assert fitting("How many people flew?", passage, [name, count]) == [count]
    assert fitting("Which Apollo flew?", passage, [name, count]) == [name, count]
    ended = "Columbia belonged to Apollo 11."
    assert fitting("How many people flew?", ended, [Span(28, 31, 0.7)]) == []
    early = "Over 11 people flew."
    assert fitting("How many people flew?", early, [Span(5, 7, 0.7)]) == [Span(5, 7, 0.7)]


def test_the_span_table_weighs_every_span_up_to_the_longest() -> None:
    logits = torch.arange(80.0).view(40, 2)
    table = span_table(logits)
    assert table.shape == (40, MOST_TOKENS)
    assert table[3, 2] == logits[3, 0] + logits[5, 1]
    assert table[39, 1] == -torch.inf


def test_tokens_without_characters_are_in_no_best_span() -> None:
    offsets = [(0, 0), (0, 3), (3, 7), (0, 0)]
    logits = torch.tensor([[9.0, 9.0], [1.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
    spans = best_spans("one two", offsets, logits)
    assert max(spans, key=lambda span: span.probability).end == 7
    assert sum(span.probability for span in spans) == pytest.approx(1.0)


def test_spans_of_other_sentences_come_before_a_second_of_the_same() -> None:
    text = "Red and blue. Green."
    spans = [Span(0, 3, 0.5), Span(8, 12, 0.3), Span(0, 12, 0.1), Span(14, 19, 0.05)]
    assert [text[span.start : span.end] for span in apart(text, spans, 3)] == ["Red", "Green", "blue"]


def said(question: str, passage: str, *likely: tuple[str, float]) -> list[str]:
    """What is left of spans, named by their words, best first."""
    spans = [Span(passage.index(words), passage.index(words) + len(words), chance) for words, chance in likely]
    return [passage[span.start : span.end] for span in fitting(question, passage, spans)]


def test_a_faqs_question_says_nothing_and_the_sentence_below_it_answers() -> None:
    faq = "雾化器可以带上飞机吗？\n\n可以，作为手提行李携带。电池须拆下。"
    likely = [("雾化器可以带上飞机", 0.6), ("手提行李", 0.2), ("电池", 0.1)]
    assert said("雾化器能带上飞机吗", faq, *likely) == ["可以，作为手提行李携带", "手提行李", "电池"]
    both = "Can I fly with it?\nMay I take it along?\nYes, in the cabin."
    assert said("Can I fly with it?", both, ("fly with it", 0.6), ("cabin", 0.1)) == ["Yes, in the cabin.", "cabin"]


def test_a_question_within_a_paragraph_is_read_as_before() -> None:
    passage = "The crew asked one thing: who fixed the pump? It was Hale."
    assert said("What did the crew ask?", passage, ("who fixed the pump", 0.7)) == ["who fixed the pump"]


def test_a_list_of_questions_alone_can_be_quoted() -> None:
    form = "What is your name?\nWhat is your age?"
    assert said("What does the form ask first?", form, ("your name", 0.7)) == ["your name"]


def test_a_heading_says_nothing() -> None:
    passage = "2. Hotel limits\n\nIn London a room may cost £165 a night."
    assert said("What is the hotel limit?", passage, ("Hotel limits", 0.6), ("£165", 0.2)) == ["£165"]
    chinese = "三、住宿标准\n\n伦敦每晚不超过165英镑。"
    assert said("住宿标准是什么", chinese, ("住宿标准", 0.6), ("165英镑", 0.2)) == ["165英镑"]


@pytest.mark.parametrize(
    ("passage", "fact"),
    [
        ("Start of the policy\n\n1 March 2024\n\nIt replaces the one before.", "1 March 2024"),
        ("Owner: Jane Doe\n\nThis policy is about travel.", "Jane Doe"),
        ("The Raven\n\nEdgar Allan Poe\n\nOnce upon a midnight dreary, he pondered.", "Edgar Allan Poe"),
        ("Ask for:\n\nJane Doe\n\nShe is in on Mondays.", "Jane Doe"),
        ("Start it with this command.\n\nmake serve\n\nThen open the page.", "make serve"),
        ("Jane Doe\n\nJohn Roe", "Jane Doe"),
    ],
)
def test_a_short_line_that_tells_something_is_no_heading(passage: str, fact: str) -> None:
    assert said("What does it say?", passage, (fact, 0.6)) == [fact]
    other = passage[-8:-1]
    assert said("What does it say?", passage, (fact, 0.6), (other, 0.1))[0] == fact


def test_the_head_row_of_a_table_says_nothing() -> None:
    table = "City | Hotel limit\nLondon | £165\nParis | €150"
    assert said("What is the hotel limit in London?", table, ("Hotel limit", 0.6), ("£165", 0.2)) == ["£165"]
    people = "Anna | Sales\nBob | Support"
    assert said("Where does Anna work?", people, ("Sales", 0.6), ("Support", 0.2))[0] == "Sales"
