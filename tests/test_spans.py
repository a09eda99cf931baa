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
