"""Shared words: the sentence that speaks of what was asked holds the larger share."""

from models.overlap import shares, terms


def test_the_sentence_that_speaks_of_the_question_has_the_largest_share() -> None:
    sentences = ["Apollo 11 was launched in July.", "The landing site of Apollo 11 was a plain.", "It was hot."]
    found = shares("Where was the landing site of Apollo 11?", sentences)
    assert max(found) == found[1]
    assert found[2] == 0.0
    assert all(0.0 <= share <= 1.0 for share in found)


def test_a_word_that_every_sentence_says_counts_little() -> None:
    found = shares("Berlin mayor", ["Berlin is large.", "Berlin has a mayor.", "Berlin is old."])
    assert found[1] > 3 * found[0]


def test_forms_of_a_word_match() -> None:
    assert terms("launched") & terms("launching")
    assert terms("discoveries") & terms("discovery")


def test_chinese_matches_by_pairs_of_characters() -> None:
    found = shares("神舟五号是哪一年发射的？", ["神舟五号于2003年发射。", "航天员是杨利伟。"])
    assert found[0] > found[1] == 0.0


def test_chinese_matches_in_either_script() -> None:
    assert terms("飛船發射時間") == terms("飞船发射时间")


def test_nothing_shared_and_nothing_asked_give_zero() -> None:
    assert shares("", ["A sentence."]) == [0.0]
    assert shares("the of", ["The of."]) == [0.0]
    assert shares("anything", []) == []
