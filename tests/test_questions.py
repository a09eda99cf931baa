"""Questions read as a person would ask them, and of what cannot be asked well none is made."""

import pytest

from indexing.types import Document, Passage
from models.questions import questions


def asked(title: str, text: str, heading: str = "") -> list[str]:
    document = Document("d", "", title, text)
    found = questions(document, Passage("p", "d", 0, 0, len(text), text, heading))
    assert all(each.answer in text[each.start : each.end] or each.answer == title for each in found)
    return [each.text for each in found]


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("Skylab", "Skylab was a station. It was launched on 14 May 1973 and burned.", "When was Skylab launched?"),
        ("Skylab", "Skylab was a station. The station fell to Earth in 1979.", "When did Skylab fall to Earth?"),
        ("Mir", "Mir was a space station. Its core was launched in 1986.", "When was the core of Mir launched?"),
        ("Apollo 11", "Apollo 11 was a flight. Neil Armstrong commanded the mission.", "Who commanded Apollo 11?"),
        ("Apollo 8", "On 24 December Bill Anders photographed the Earth.", "Who photographed the Earth?"),
        ("Apollo 1", "In 1967 Gus Grissom broke the hatch.", "When did Gus Grissom break the hatch?"),
        ("Saturn V", "The Saturn V was a rocket. It is 110.6 metres tall.", "How tall is the Saturn V?"),
        ("LaMDA", "LaMDA is a model. It has 137 billion parameters.", "How many parameters does LaMDA have?"),
        ("Mercury", "John Glenn was the first American in orbit.", "Who was the first American in orbit?"),
        ("Columbia", "Columbia was the first orbiter of NASA.", "Which was the first orbiter of NASA?"),
        ("LaMDA", "LaMDA is a family of language models.", "What is LaMDA?"),
        ("Ada Lovelace", "Ada Lovelace was an English mathematician.", "Who was Ada Lovelace?"),
        ("Ada Lovelace", "Ada Lovelace was born in London.", "Where was Ada Lovelace born?"),
        ("Apollo 10", "Apollo 10 lasted eight days.", "How long did Apollo 10 last?"),
        ("嫦娥四号", "嫦娥四号是探测器。它于2018年12月8日发射，然后落月。", "嫦娥四号是什么时候发射的？"),
        ("酒泉卫星发射中心", "酒泉卫星发射中心建于1958年，位于戈壁。", "酒泉卫星发射中心建于哪一年？"),
        ("杨利伟", "杨利伟，1965年6月21日生于辽宁省绥中县。", "杨利伟是什么时候出生的？"),
        ("长征二号F运载火箭", "火箭全长58.3米，很高。", "长征二号F运载火箭全长多少米？"),
        ("尤里·加加林", "尤里·加加林是第一个进入太空的人。", "第一个进入太空的人是谁？"),
        ("嫦娥五号", "嫦娥五号是中国第一次从月球取回样品的任务。", "中国第一次从月球取回样品的任务是哪一个？"),
        ("天宫空间站", "天宫空间站是中国的空间站。", "天宫空间站是什么？"),
        ("楊利偉", "楊利偉是中國的航天員。", "楊利偉是誰？"),
        ("楊利偉", "楊利偉是航天員。他1965年6月21日出生於遼寧省。", "楊利偉是什麼時候出生的？"),
        ("故宮", "故宮位於北京市中心。", "故宮位於哪裡？"),
        ("故宮", "故宮建成於1420年。", "故宮建成於哪一年？"),
        ("長征二號運載火箭", "火箭飛行58.3公里，很遠。", "長征二號運載火箭飛行多少公里？"),
        ("嫦娥五號", "嫦娥五號是中國第一次取回樣品的任務。", "中國第一次取回樣品的任務是哪一個？"),
        ("乾隆", "乾隆是清朝一位长寿的皇帝。", "乾隆是谁？"),
    ],
)  # fmt: skip
def test_a_statement_is_asked_for_in_its_own_words(title: str, text: str, expected: str) -> None:
    assert expected in asked(title, text)


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("notes_2024.txt", "It was opened in 1999."),
        ("Apollo 1", "Nobody knows why. It was opened in 1999 by them."),
        ("Apollo 1", "When it opened in 1999, people came. However was built in 1990."),
        ("Apollo 1", "The hatch opened in 1967."),
        ("Apollo 1", "Apollo 1 burned. He was born in 1926."),
        ("神舟五号", "航天员是杨利伟。他1965年出生。"),
        ("Crew Dragon", "Crew Dragon carried two astronauts."),
        ("羊水栓塞", "其中一种于2001年发现。该病是由水造成的。"),
        ("某城", "某城市区3平方公里。她的丈夫，1985年11月3日开馆。"),
    ],
)
def test_what_would_read_badly_is_not_asked(title: str, text: str) -> None:
    assert [each for each in asked(title, text) if not each.startswith("How many astronauts")] == []


def test_a_heading_that_asks_is_the_question() -> None:
    assert asked("Manual", "Hold the button.", "Printer > How to reset the printer") == ["How do I reset the printer?"]
    assert asked("Manual", "Hold the button.", "Why does it blink red?") == ["Why does it blink red?"]
    assert asked("手册", "按住按钮。", "如何重置打印机") == ["如何重置打印机？"]
    assert asked("手冊", "按住按鈕。", "怎樣重設印表機") == ["怎樣重設印表機？"]
    assert asked("Manual", "Hold the button.", "Resetting") == []


def test_a_bare_question_says_what_it_is_about() -> None:
    text = "LaMDA is a family of language models. It has 137 billion parameters."
    document = Document("d", "", "LaMDA", text)
    found = questions(document, Passage("p", "d", 0, 0, len(text), text))
    assert [each.about for each in found] == ["LaMDA", ""]
    text = "楊利偉是中國的航天員。"
    found = questions(Document("d", "", "楊利偉", text), Passage("p", "d", 0, 0, len(text), text))
    assert [each.about for each in found] == ["楊利偉"]
