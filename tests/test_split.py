"""Sentences in both languages, and passages with exact spans."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.split import CAP, LIMIT, SMALL, TARGET, sentences, size, split
from indexing.types import Document, Mark, Passage


def document(text: str) -> Document:
    return Document(id="d", url="file:///d.txt", title="D", text=text)


def parts(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def in_one(*expected: str, between: str = " ") -> None:
    """Asserts that the joined sentences are split into themselves."""
    assert parts(between.join(expected)) == list(expected)


def passages(text: str, marks: tuple[Mark, ...] = ()) -> list[Passage]:
    found = split(document(text), marks)
    for number, passage in enumerate(found):
        assert text[passage.start : passage.end] == passage.text
        assert passage.id == f"d-{number}"
        assert passage.text.strip() == passage.text != ""
    return found


@pytest.mark.parametrize(
    "expected",
    [
        ["Dr. Okafor met J. R. Lind at the U.S. Embassy at 5 p.m. on Monday.", "They spoke for an hour."],
        ["The probe cost $3.5 million, i.e. less than a bus.", "It flew in Feb. 1998."],
        ["See Fig. 3 and No. 5 of vol. 12 for details, e.g. the valve.", "No.", "It was never tested!"],
        ["Is it safe?", "Yes.", "We checked (twice).", "Then we left..."],
        ["“It works,” she said.", "“Are you sure?” he asked.", "She was."],
        ['He wrote "It is done."', "Nobody read it."],
        ["The firm, Halden Inc. of Oslo, built it.", "It was sold to Brandt Ltd. in 1999.", "25 people stayed."],
        ["They moved to the U.S. in spring.", "He lived in the U.S.", "The winters were mild."],
        ["It cuts a text, pads none, etc.", "The rest is kept."],
        ["Call iter() first.", "next() then returns 3.14 or raises."],
        ["It waited ... and then it moved.", "Version 2.0.1 of config.yaml is used."],
        ["The crew returned in 1975.[4][12]", "A second flight followed.[note 2]", "None came later."],
        ["Marie et al. describe it on pp. 10-12.", "Prof. Wu agrees."],
        ["Yahoo! was young then.", "What now?!", "Wait for it…", "Done."],
    ],
)
def test_english_sentences(expected: list[str]) -> None:
    in_one(*expected)


@pytest.mark.parametrize(
    "expected",
    [
        ["飞船在清晨发射。", "天气怎么样？", "很好！", "大家都到了；", "没有人缺席。"],
        ["他说：“我们走吧。”", "然后大家离开了。", "“明天见！”她说。", "「好。」"],
        ["《谁动了我的奶酪？》是一本书。", "它在1998年出版，售价3.5元。"],
        ["机器响了一声……然后停了。", "（原因不明。）", "维修花了两天。"],
        ["第一次试验失败了？！", "第二次成功了。[3]", "報告寫道：「一切正常。」"],
        ["版本3.11的文档在这里。", "请运行python setup.py命令。", "Is it clear?", "是的。"],
        ['他问:"你好吗？"', '我说:"很好。"'],
    ],
)
def test_chinese_sentences(expected: list[str]) -> None:
    in_one(*expected, between="")


def test_lines_that_end_on_purpose_end_a_sentence() -> None:
    lines = ["Preparing", "1. Close the valve", "2. Open the hatch", "", "- first item", "- second", "a) third"]
    lines += ["一、第一项", "二、第二项"]
    assert parts("\n".join(lines)) == [line for line in lines if line]


def test_wrapped_lines_do_not_end_a_sentence() -> None:
    english = (
        "This paragraph was wrapped by an editor at a width of about seventy\n"
        "columns, so that the ends of its lines say nothing about where a\n"
        "sentence stops, which is why they are joined. The paragraph ends on\nits last line."
    )
    assert len(parts(english)) == 2
    chinese = "这一段文字是由编辑器在大约六十列的宽度处折断的，所以行尾并不能\n说明句子在哪里结束。它在这里结束。"
    assert len(parts(chinese)) == 2


def test_code_lines_stay_apart() -> None:
    code = "import os\n\ndef main():\n    path = os.getcwd()\n    return path"
    assert parts(code) == ["import os", "def main():", "path = os.getcwd()", "return path"]


def test_windows_line_ends() -> None:
    assert parts("One line.\r\n\r\nAnother one\r\n") == ["One line.", "Another one"]


def test_nothing_gives_nothing() -> None:
    assert sentences("") == sentences(" \n\t\u3000") == []
    assert split(document(" \n ")) == []


text_like = st.text(
    alphabet=st.one_of(
        st.sampled_from(" \n\t.!?。！？；…“”\"'’」』()（）[]1aA字-|,，:：\r\u3000\u2028"),
        st.characters(exclude_categories=("Cs",)),
    ),
    max_size=400,
)


@given(text_like)
@settings(max_examples=300, deadline=None)
def test_sentences_cover_everything_visible_in_order(text: str) -> None:
    position = 0
    for start, end in sentences(text):
        assert text[position:start].strip() == ""
        assert start < end
        assert text[start:end].strip() == text[start:end]
        position = end
    assert text[position:].strip() == ""


@given(
    text_like, st.integers(1, 60), st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["A", "A > B", "C", ""])))
)
@settings(max_examples=200, deadline=None)
def test_passages_are_exact_and_cover_everything(text: str, times: int, places: list[tuple[int, str]]) -> None:
    text = text * times
    marks = tuple(Mark(place, heading=heading, page=place + 1) for place, heading in places)
    position = 0
    for passage in passages(text, marks):
        assert text[position : passage.start].strip() == ""
        assert size(passage.text) <= CAP * 1.1  # sizes of sentences add up to a little less than that of all
        position = passage.end
    assert text[position:].strip() == ""


def prose(count: int) -> str:
    return " ".join(f"The {number}th observer wrote a short note about the weather." for number in range(count))


def test_a_long_text_is_split_evenly_into_whole_sentences() -> None:
    text = prose(120)
    found = passages(text)
    assert all(passage.text.endswith(".") for passage in found)
    assert all(0.6 * TARGET <= size(passage.text) <= 1.3 * TARGET for passage in found)


def test_text_beside_a_paragraph_never_moves_the_borders_inside_it() -> None:
    text = prose(90)
    inside = [passage.text for passage in passages(text)]
    added = "Visitors may bring a coat. " * 12
    for changed in (f"{added}\n\n{text}", f"{text}\n\n{added}", f"{added}\n\n{text}\n\n{added}"):
        found = [passage.text.replace(added.strip(), "").strip() for passage in passages(changed)]
        assert [one for one in found if one] == inside


def test_a_short_code_block_moves_no_border() -> None:
    text = prose(30)
    code = '```\nimport os\n\nos.rename("a.txt", "b.txt")\n```'
    place = text.index("The 15th")
    (only,) = passages(f"{text[:place]}Run this first:\n{code} {text[place:]}")
    assert len(passages(text)) == 1
    assert code in only.text


def test_a_long_code_block_is_cut_like_text() -> None:
    code = "\n".join(f"value_{number} = compute(value_{number - 1}, step={number})" for number in range(80))
    found = passages(f"Run this first:\n```\n{code}\n```")
    assert len(found) > 2
    assert all(size(passage.text) <= CAP for passage in found)


def test_a_heading_is_not_left_alone_above_a_long_paragraph() -> None:
    found = passages(f"Weather\n\n{prose(30)}")
    assert found[0].text.startswith("Weather\n\nThe 0th observer")


def test_chinese_passages_are_about_as_large() -> None:
    found = passages("观测站每天记录气温、风速和降水量，并把数据寄到城里。" * 100)
    assert all(passage.text.endswith("。") for passage in found)
    assert all(150 <= len(passage.text) <= 420 for passage in found)


def test_passages_keep_to_their_headings() -> None:
    first, second = f"Guide\n\nInstall\n\n{prose(20)}", f"Use\n\n{prose(20)}"
    text = f"{first}\n\n{second}"
    marks = (
        Mark(0, heading="Guide"),
        Mark(text.index("Install"), heading="Guide > Install"),
        Mark(text.index("Use"), heading="Guide > Use"),
    )
    found = passages(text, marks)
    assert {passage.heading for passage in found} == {"Guide > Install", "Guide > Use"}
    assert found[0].text.startswith("Guide\n\nInstall"), "a heading without text goes with the one below it"
    border = text.index("Use")
    assert not any(passage.start < border < passage.end for passage in found)


def test_small_neighbours_share_a_passage_under_their_parent() -> None:
    text = "Alpha\n\nIt is small.\n\nBeta\n\nIt is small too."
    marks = (Mark(0, heading="Terms > Alpha"), Mark(text.index("Beta"), heading="Terms > Beta"))
    (only,) = passages(text, marks)
    assert only.heading == "Terms"
    assert size(text) < SMALL


def test_strangers_do_not_share_a_passage() -> None:
    text = "Alpha\n\nIt is small.\n\nBeta\n\nIt is small too."
    marks = (Mark(0, heading="Terms > Alpha"), Mark(text.index("Beta"), heading="Names > Beta"))
    assert [passage.heading for passage in passages(text, marks)] == ["Terms > Alpha", "Names > Beta"]


def test_the_page_is_the_one_a_passage_begins_on() -> None:
    text = prose(60)
    marks = (Mark(0, page=4), Mark(len(text) // 2, page=5))
    found = passages(text, marks)
    assert found[0].page == 4
    assert found[-1].page == 5
    assert all(passage.page == (4 if passage.start < len(text) // 2 else 5) for passage in found)


@pytest.mark.parametrize("giant", ["word " * 4000, "字" * 4000, "aGVsbG8gd29ybGQ" * 800, "x=1;y=2;" * 2000])
def test_a_giant_sentence_is_cut(giant: str) -> None:
    found = passages(giant)
    assert max(size(passage.text) for passage in found) <= LIMIT
    if " " in giant:
        assert all(passage.text.split()[0] == passage.text.split()[-1] == "word" for passage in found)


@pytest.mark.parametrize("piece", [". ", "。", "a\n", '"', " ", "...x", "(a.) ", "啊", "\n \n", "[1]", "A.B. "])
def test_time_is_linear_on_hostile_text(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        start = time.process_time()
        split(document(text))
        return time.process_time() - start

    seconds(2_000)
    short, long = (min(seconds(length) for _ in range(3)) for length in (10_000, 80_000))
    assert long < 45 * max(short, 0.005)  # eight times the text; quadratic would be 64 times


def test_a_question_and_its_answer_are_a_passage_of_their_own() -> None:
    answers = {"Can I fly with it?": "Yes.", "Can I wash it?": "No.", "怎么充电？": "用充电线。"}
    sections = [f"{question}\n\n{answer}" for question, answer in answers.items()]
    text = "\n\n".join(["FAQ\n\nIn short.", *sections, "Contact\n\nCall us.", "Hours\n\nAll day."])
    names = ["FAQ", *(f"FAQ > {name}" for name in (*answers, "Contact", "Hours"))]
    marks = tuple(Mark(text.index(name.rpartition(" > ")[2]), heading=name) for name in names)
    found = passages(text, marks)
    assert [passage.text for passage in found[1:4]] == sections
    assert [passage.heading for passage in found[1:4]] == names[1:4]
    assert found[4].text.endswith("All day."), "other small sections still share one"
