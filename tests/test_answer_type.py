"""What a question asks for, and what cannot be it."""

import pytest

from models.answer_type import answer_type, fits, lasts
from models.spans import Span, fitting


@pytest.mark.parametrize(
    ("question", "short", "may_be"),
    [
        ("How long did Apollo 13 last?", "the third", False),
        ("How long did Apollo 13 last?", "to be the third", False),
        ("How long did Apollo 13 last?", "almost six days", True),
        ("How long did he rule?", "from 1492 to 1509", True),
        ("How long did he rule?", "4 May 1934", False),
        ("How long have they been there?", "since 4 May 1934", True),
        ("How long is the wall?", "the river", False),
        ("How many people walked on the Moon?", "Nobody", False),
        ("How many people walked on the Moon?", "twelve", True),
        ("How many of them voted?", "a third", True),
        ("How tall is it?", "the tower", False),
        ("How tall is it?", "110.6 metres", True),
        ("When was it opened?", "after the flood", True),
        ("When was it opened?", "Marta Lindqvist", False),
        ("When plants are hurt, what can become plastids?", "chloroplasts", True),
        ("What year was it?", "the bridge", False),
        ("Who designed it?", "Marta Lindqvist", True),
        ("Who designed it?", "1934", True),
        ("Who was the first person in space?", "Salyut 1", False),
        ("who was the first woman in space", "Vostok-6", False),
        ("And by whom was it built?", "Apollo 11", False),
        ("Who may visit?", "children under 16", True),
        ("Who reigned then?", "Louis XIV", True),
        ("Whose ship was it?", "U-47", True),
        ("谁是中国第一位航天员？", "神舟五号", False),
        ("誰發明了它？", "第二十二號", False),
        ("谁是中国第一位航天员？", "杨利伟", True),
        ("哪一位置最好？", "三号", True),
        ("杨利伟在太空待了多久？", "1965年6月21日", False),
        ("杨利伟在太空待了多久？", "21个多小时", True),
        ("带回了多少月壤？", "1731克", True),
        ("带回了多少月壤？", "探测器", False),
        ("它是什麼時候發射的？", "酒泉", False),
        ("它是什么时候发射的？", "南宋", True),
        ("它是什么时候着陆的？", "月球背面", False),
        ("它是什么时候着陆的？", "三月", True),
        ("它是什么时候着陆的？", "从天宫返回", False),
        ("在哪一年哪个国家参战？", "英国", True),
        ("血压计保修多久？", "2025 年 3 月 18 日", False),
        ("血压计保修多久？", "12 月 31 日", False),
        ("血压计保修多久？", "2026 年 3 月", False),
        ("血压计保修多久？", "36 个月", True),
        ("血压计保修多久？", "2025 年 1 月至 2026 年 3 月", True),
        ("How long did the war last?", "1914-1918", True),
        ("要多久之内上报？", "总经理", False),
        ("要多久之内上报？", "30 分钟内", True),
        ("发射之前多久之前？", "总经理", True),
        ("起订多少台？", "AH-210）", False),
        ("有多少台？", "2018-06-15,76000", False),
        ("型号是多少？", "AH-210", True),
        ("电话是多少？", "400-820-6118", True),
        ("How many rooms are there?", "AH-210", False),
        ("How many people came?", "RM50", True),
        ("噪音多大？", "很吵", False),
        ("噪音多大？", "≤48 dB(A)", True),
        ("影响多大？", "很大", True),
        ("员工内购打几折？", "总经理", False),
        ("员工内购打几折？", "7 折", True),
        ("啥时候付款？", "总经理", False),
        ("啥时候付款？", "15 日内", True),
        ("周日几点到几点开门？", "1,260 人次", False),
        ("周日几点到几点开门？", "9:00 – 12:00", True),
        ("周日几点开门？", "休息", True),
        ("周日几点开门？", "上午九点", True),
        ("有几点建议？", "加强培训", True),
        ("", "", True),
    ],
)
def test_only_what_cannot_be_asked_for_does_not_fit(question: str, short: str, may_be: bool) -> None:
    assert fits(question, short) is may_be


@pytest.mark.parametrize(
    "short",
    (  # noqa: SIM905
        "nine o'clock|nine o’clock|half past five|quarter to nine|about nine|9 a.m.|noon|dawn|dusk|sunset|midnight|"
        "Mondays|Tuesdays and Fridays|weekdays|weekends|most nights|Thanksgiving|Ramadan|Diwali|Halloween|"
        "Christmas Eve|the Middle Ages|the Renaissance|the Jurassic|the Miocene|Cambrian|the Bronze Age|"
        "the Ming dynasty|Victorian|Nov|上午九点|下午两点|凌晨三点|正午|子夜|黄昏|清晨|三刻|圣诞节|圣诞|端午|除夕|"
        "重阳|七夕|雨季|侏罗纪|文艺复兴|上旬|下午兩點|聖誕節|重陽|黃昏"
    ).split("|"),
)
def test_whatever_tells_a_time_may_answer_when(short: str) -> None:
    assert fits("When is it?", short)
    assert fits("什麼時候？", short)


@pytest.mark.parametrize(
    "short",
    (  # noqa: SIM905
        "Tim Berners-Lee|Paris|the Titanic|Irene|the Knights Templar|the Maritime Museum|the scene|two men|酒泉|刘洋|"
        "地点|环节|纪念馆|深刻|冠军季军|宾夕法尼亚"
    ).split("|"),
)
def test_people_places_and_things_are_no_times(short: str) -> None:
    assert not fits("When was it?", short)


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("为什么时间会变慢？", None),
        ("為什麼時間會變慢？", None),
        ("什么时间开门？", "time"),
        ("這座塔是什麼時候建成的？", "time"),
        ("有多重要？", None),
        ("为什么有多重身份？", None),
        ("它是多高级的相机？", None),
        ("它有多重？", "number"),
        ("它多高才算高？", "number"),
        ("有幾個人？", "number"),
        ("有多高？", "number"),
        ("飛了多長時間？", "duration"),
        ("誰寫的？", "person"),
        ("做檢查多少錢？", "money"),
        ("有多少元素？", "number"),
        ("價錢是多少，起訂多少台？", "number"),
        ("在哪裡？", None),
        ("有多長？", None),
    ],
)
def test_a_question_asks_for_the_same_in_either_script(question: str, asked: str | None) -> None:
    assert answer_type(question) == asked


@pytest.mark.parametrize(
    ("question", "passage", "short"),
    [
        ("商店什么时候开门？", "商店上午九点开门，周一休息。", "上午九点"),
        ("When do shops close?", "Shops close half past five.", "half past five"),
        ("When did castles become common?", "Castles became common in the Middle Ages.", "the Middle Ages"),
    ],
)
def test_a_time_in_a_passage_is_kept_as_an_answer(question: str, passage: str, short: str) -> None:
    start = passage.index(short)
    assert fitting(question, passage, [span := Span(start, start + len(short), 0.5)]) == [span]


@pytest.mark.parametrize(
    "question",
    [
        "一晚最多报销多少钱？",
        "检测费是多少？",
        "How much does a machine cost for 4 weeks?",
        "What does an operator cost per hour?",
        "What is the deposit for the lift?",
    ],
)
def test_what_costs_is_told_in_money(question: str) -> None:
    for short in (
        "£38",
        "2,000",
        "3280",
        "550 元/晚",
        "免费",
        "包邮",
        "free of charge",
        "half price",
        "80%",
        "百八十元",
    ):
        assert fits(question, short), short
    for short in (
        "6 小时",
        "two hours",
        "20 kVA",
        "15.5 kg",
        "2026.",
        "2025 年",
        "10 台",
        "K-2010",
        "2025-08-31",
        "早餐",
    ):
        assert not fits(question, short), short


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("What does the cost per hour include?", "insurance"),
        ("What is a deposit?", "a sum held back"),
        ("What is the deposit for?", "damage"),
        ("What does it cost and who pays?", "the hirer"),
        ("How much of it is water?", "a litre"),
    ],
)
def test_a_question_about_a_price_that_asks_for_something_else_takes_any_answer(question: str, short: str) -> None:
    assert fits(question, short)


@pytest.mark.parametrize(
    ("question", "short", "may_be"),
    [
        ("AH-350什么时候上市？", "AH-350", False),
        ("ah-350雾化版零售价", "AH-350", False),
        ("AH-200经销商价是多少，起订多少台", "200", False),
        ("generator 20 kva price for a week", "20 kVA", False),
        ("What does RTO mean?", "RTO", False),
        ("什么是雾化？", "雾化", False),
        ("AH-350和AH-200哪个更吵？", "AH-350", True),
        ("保修是12个月还是36个月？", "36个月", True),
        ("Does it take 4 or 8 hours?", "8 hours", True),
        ("Which of the B16 and the B26 is taller?", "the B26", True),
        ("When must I be there for a slot at 5 pm?", "before 5 pm", True),
        ("What country is the Bank of China in?", "China", True),
    ],
)
def test_an_answer_that_only_says_what_was_asked_is_none(question: str, short: str, may_be: bool) -> None:
    assert fits(question, short) is may_be


@pytest.mark.parametrize(
    ("passage", "figure", "lasting"),
    [
        ("型号：AH-350；保修期（月）：36；起订量：10 台。", "36", True),
        ("Role: manager; Notice (days): 30; Leave: 26.", "30", True),
        ("Role: manager; Notice: 30; Leave: 26.", "30", False),
        ("The AH-350 is new.", "350", False),
        ("Repairs take 30 days.", "30 days", True),
    ],
)
def test_a_bare_figure_lasts_only_under_a_unit_of_time(passage: str, figure: str, lasting: bool) -> None:
    start = passage.index(figure)
    assert lasts(passage, start, start + len(figure)) is lasting
