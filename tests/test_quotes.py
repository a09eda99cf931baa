"""Quotes are verbatim, whole where they fit, and never longer than the allowance."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.split import sentences, split
from indexing.types import Document, Hit, Passage
from models.quotes import align, quotes_of, sentence_bounds, size, verify
from models.types import Quote

ENGLISH = (
    "The kestrel hovers before it strikes. It can hold still in a wind of 40 km/h, as Dr. Hale measured in 1987. "
    "Voles are most of its food."
)
CHINESE = "红隼在俯冲之前会悬停。它能在每小时四十公里的风中保持不动。田鼠是它的主要食物，占了七成。"


def whole(text: str, offset: int = 0) -> Hit:
    """A document of one passage, which begins at `offset`."""
    document = Document("bird", "file:///bird", "Kestrel", "x" * offset + text)
    return Hit(Passage("bird-0", "bird", 0, offset, offset + len(text), text), document, 1.0)


def around(text: str, words: str, offset: int = 0, also: str = "") -> str:
    """The verified quote around `words`."""
    hit = whole(text, offset)
    start = text.index(words)
    other = (text.index(also), text.index(also) + len(also)) if also else None
    [quote] = quotes_of(hit, [sentence_bounds(text, start, start + len(words), other)])
    return quote.text


def test_the_whole_sentence_is_quoted() -> None:
    assert around(ENGLISH, "Voles") == "Voles are most of its food."
    assert around(CHINESE, "七成") == "田鼠是它的主要食物，占了七成。"


def test_offsets_are_those_of_the_document() -> None:
    assert around(ENGLISH, "Voles", offset=17) == "Voles are most of its food."


def test_an_abbreviation_does_not_end_the_quote() -> None:
    assert around(ENGLISH, "1987").endswith("as Dr. Hale measured in 1987.")


def test_a_sentence_that_points_back_brings_the_one_before_it() -> None:
    assert around(ENGLISH, "40 km/h").startswith("The kestrel hovers before it strikes. It can hold")
    assert around(CHINESE, "四十公里").startswith("红隼在俯冲之前会悬停。它能")


def test_a_heading_on_its_own_line_is_not_brought_along() -> None:
    text = "Speed\n\nIt flies at 39 km/h."
    assert around(text, "39 km/h") == "It flies at 39 km/h."


def test_a_second_span_next_door_brings_its_sentence() -> None:
    text = "Gulls nest on cliffs. Terns nest on sand. Auks nest in burrows."
    assert around(text, "sand", also="burrows") == "Terns nest on sand. Auks nest in burrows."
    assert around(text, "cliffs", also="burrows") == "Gulls nest on cliffs."


def test_a_span_across_sentences_keeps_the_first_two() -> None:
    text = "One is here. Two is here. Three is here."
    assert around(text, text) == "One is here. Two is here."


def test_a_long_sentence_is_cut_at_clauses_around_the_span() -> None:
    text = ", ".join(f"in month {n} the {n} birds of colony {n} left" for n in range(1, 30)) + "."
    quote = around(text, "colony 15")
    assert size(quote) <= 1
    assert quote.startswith("in month")
    assert quote.endswith("left,")


def test_a_long_chinese_sentence_is_cut_at_clauses_around_the_span() -> None:
    text = "，".join(f"第{n}个月有{n}只鸟离开了岛" for n in range(1, 40)) + "。"
    quote = around(text, "第20个月")
    assert size(quote) <= 1
    assert quote.startswith("第")
    assert "第20个月有20只鸟离开了岛，" in quote


def test_words_without_clauses_are_cut_between_words() -> None:
    text = " ".join(f"word{n}" for n in range(300))
    quote = around(text, "word150")
    assert size(quote) <= 1
    assert set(quote.split()) <= set(text.split())
    assert around(text, text).startswith("word0 ")


def test_a_span_outside_the_passage_is_refused() -> None:
    for start, end in ((3, 3), (-1, 4), (0, len(ENGLISH) + 1)):
        with pytest.raises(ValueError, match="does not lie"):
            sentence_bounds(ENGLISH, start, end)


def test_verify_refuses_what_the_document_does_not_say() -> None:
    document = whole(ENGLISH).document
    true = Quote("bird", 0, 37, ENGLISH[:37])
    assert verify(true, document)
    assert not verify(Quote("bird", 0, 37, ENGLISH[:36] + "!"), document)
    assert not verify(Quote("bird", 1, 38, ENGLISH[:37]), document)
    assert not verify(Quote("fish", 0, 37, ENGLISH[:37]), document)
    assert not verify(Quote("bird", 0, 0, ""), document)
    assert not verify(Quote("bird", 0, len(ENGLISH), ENGLISH), document), "three sentences are one too many"


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab. ,，。他A1!？\n“”", min_size=1, max_size=400), st.data())
def test_every_quote_of_any_text_is_verbatim_and_within_the_allowance(text: str, data: st.DataObject) -> None:
    hit = whole(text, offset=3)
    filled = [place for place, letter in enumerate(text) if not letter.isspace()]
    if not filled:
        return
    start = data.draw(st.sampled_from(filled))
    end = data.draw(st.integers(start + 1, len(text)))
    begin, stop = sentence_bounds(text, start, end)
    assert 0 <= begin < stop <= len(text)
    assert text[begin:stop] == text[begin:stop].strip()
    assert size(text[begin:stop]) <= 1
    for quote in quotes_of(hit, [(begin, stop)]):
        assert hit.document.text[quote.start : quote.end] == quote.text == text[begin:stop]


def test_every_sentence_of_a_split_document_can_be_quoted() -> None:
    document = whole("\n\n".join([ENGLISH, CHINESE] * 8)).document
    for passage in split(document):
        for start, end in sentences(passage.text):
            [quote] = quotes_of(Hit(passage, document, 1.0), [sentence_bounds(passage.text, start, end)])
            assert passage.text[start:end].strip() in quote.text


def test_align_forgives_space_width_case_and_marks() -> None:
    passage = "Flight AS-506  landed on\nJuly 20, 1969. 他说：「这是一小步」，然后走了ＡＢＣ步。"
    for text in ("flight as-506 landed ON July 20, 1969", "“这是一小步”", "走了ABC步。", "“Flight AS–506”"):
        found = align(text, passage)
        assert found is not None, text
    start, end = align("landed on July 20", passage) or (0, 0)
    assert passage[start:end] == "landed on\nJuly 20"


def test_align_finds_nothing_where_nothing_is() -> None:
    assert align("light", "The flight landed.") is None
    assert align("1", "In 1969 it landed.") is None
    assert align("", "In 1969 it landed.") is None
    assert align("它着陆了两次", "它着陆了一次。") is None


def test_a_stretch_that_fails_its_check_takes_the_others_with_it() -> None:
    hit = whole(ENGLISH, offset=4)
    assert [quote.start for quote in quotes_of(hit, [(0, 38), (109, len(ENGLISH))])] == [4, 113]
    assert quotes_of(hit, [(0, 38), (0, len(ENGLISH))]) == (), "three sentences are one too many"


def test_what_semicolons_set_apart_in_a_line_is_quoted_with_its_subject() -> None:
    row = "型号：AH-200；价格：1,200；保修：两年。"
    text = f"型号：AH-100；价格：900；保修：一年。\n{row}\n另见目录。"
    assert around(text, "两年") == row
    assert around("员工可以报销打车费；晚上九点以前的除外。其他费用自理。", "打车费").endswith("除外。")
    english = "City: London; Hotel limit: £165; Meals: £38."
    assert around(f"City: Paris; Hotel limit: €150; Meals: €40.\n{english}", "£38") == english


def test_semicolons_end_a_quote_where_all_of_them_would_be_too_much() -> None:
    text = "；".join(f"第{n}项规定适用于全体员工以及他们的家属" for n in range(1, 12)) + "。"
    assert around(text, "第5项") == "第5项规定适用于全体员工以及他们的家属；"


def test_an_item_is_quoted_with_its_list_and_what_introduces_it() -> None:
    documents = "You need these documents:\n\n- a passport\n- a visa. It must be valid.\n- two photos"
    text = f"Apply online. {documents}\n\nIt takes a week."
    assert around(text, "a passport") == around(text, "two photos") == around(text, "You need") == documents
    assert around(text, "a week") == "It takes a week."
    chinese = "办理时需要以下材料：\n（1）身份证；\n（2）户口本；\n（3）照片两张。"
    assert around(f"{chinese}\n办理需要三天。", "户口本", offset=5) == chinese


def test_an_item_of_a_list_that_is_too_long_is_quoted_alone() -> None:
    items = [f"- document {n} of all the many that the office may ask for" for n in range(9)]
    assert around("\n".join(["You need:", *items]), "document 4") == items[4]
