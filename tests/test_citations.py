"""Numbers of citations: in order of first use, at the right sentence, never for a quote that fails."""

from models.types import Candidate, Quote
from service.citations import WORD_JOINER, checked, cite, without_markers
from tests.scripted import document, hit

TEXT = "Alpha was built in 1961. Beta flew in 1963. Gamma never flew."
DOCUMENT = document("d", TEXT)
HIT = hit(DOCUMENT)


def quote(words: str) -> Quote:
    start = TEXT.index(words)
    return Quote("d", start, start + len(words), words)


def candidate(text: str, *quotes: Quote) -> Candidate:
    return Candidate(text, "", (HIT,), quotes)


def test_numbers_follow_the_order_of_first_use_in_the_text() -> None:
    text, citations = cite(
        candidate(
            "Beta flew in 1963. Alpha was built in 1961.",
            quote("Alpha was built in 1961."),
            quote("Beta flew in 1963."),
        ),
        (),
    )
    assert text == "Beta flew in 1963. [1] Alpha was built in 1961. [2]"
    assert [citation.quote for citation in citations] == ["Beta flew in 1963.", "Alpha was built in 1961."]


def test_one_quote_has_one_number() -> None:
    same = quote("Beta flew in 1963.")
    text, citations = cite(candidate("Beta flew in 1963.", same, same), ())
    assert text == "Beta flew in 1963. [1]"
    assert len(citations) == 1


def test_a_paraphrase_is_marked_at_its_end() -> None:
    text, _ = cite(candidate("It happened two years later", quote("Beta flew in 1963.")), ())
    assert text == "It happened two years later [1]"


def test_a_short_answer_with_its_sentence_is_marked_after_the_sentence() -> None:
    text, _ = cite(candidate("1963. “Beta flew in 1963.”", quote("Beta flew in 1963.")), ())
    assert text == "1963. “Beta flew in 1963.”[1]"


def test_chinese_markers_stand_without_a_space() -> None:
    chinese = document("z", "神舟五号于2003年发射。杨利伟飞行了21小时。")
    words = "神舟五号于2003年发射。"
    draft = Candidate(
        "2003年。“神舟五号于2003年发射。”", "2003年", (hit(chinese),), (Quote("z", 0, len(words), words),)
    )
    text, citations = cite(draft, ())
    assert text.endswith("”[1]")
    assert citations[0].quote == words


def test_brackets_of_the_quoted_words_are_not_taken_for_markers() -> None:
    code = document("c", "The script's name is argv[0], its first word argv[1].")
    words = code.text
    text, _ = cite(Candidate(words, "", (hit(code),), (Quote("c", 0, len(words), words),)), ())
    assert f"argv[{WORD_JOINER}1]" in text
    assert text.endswith(" [1]")
    assert without_markers(text) == words


def test_unverified_quotes_never_reach_a_judge() -> None:
    true, false = quote("Beta flew in 1963."), Quote("d", 0, 5, "Omega")
    assert checked(candidate("x", true, false), ()).quotes == (true,)


def test_a_quote_past_the_allowance_is_dropped() -> None:
    words = " ".join(f"word{n}" for n in range(70)) + "."
    long = document("l", words)
    assert checked(Candidate("x", "", (hit(long),), (Quote("l", 0, len(words), words),)), ()).quotes == ()
