"""Either Chinese script is read as one, character for character."""

from indexing.chinese import simplified


def test_places_stay_the_same() -> None:
    text = "太空梭在1981年升空, 乾隆年間 Tea 與臺灣𠮷。"
    read = simplified(text)
    assert len(read) == len(text)
    assert read.startswith("太空梭在1981年升空")
    assert "与台湾𠮷" in read


def test_what_is_simplified_or_no_chinese_stays_as_it_is() -> None:
    for text in ("", "Über 太空船与卫星。", "ひらがな", "plain"):
        assert simplified(text) == text
