"""Names of a question: is what is read about them, or about another of their series?"""

import pytest

from rewards.names import names_another, names_another_code, names_another_day


@pytest.mark.parametrize(
    ("question", "title", "is_another"),
    [
        ("When was Apollo 9 launched?", "Apollo 11", True),
        ("When was Apollo 1 launched?", "Apollo 11", True),
        ("When was Apollo 11 launched?", "Apollo 11", False),
        ("When did the Apollo-11 crew land?", "Apollo 11", False),
        ("How did World War 2 end?", "World War II", False),
        ("How did World War 1 end?", "World War II", True),
        ("Who won Formula 1 races?", "Formula One", False),
        ("Who played Bond 007 first?", "James Bond 007", False),
        ("What happened on May 5?", "5 May", False),
        ("What did the Human Rights Act 1998 change?", "Human Rights Act of 1998", False),
        ("When was it launched?", "Apollo 11", False),
    ],
)
def test_another_of_a_series_is_told_from_the_one_that_is_asked_about(
    question: str, title: str, is_another: bool
) -> None:
    assert names_another(question, f"{title} It took place on 16 July 1969, as planned.") is is_another


@pytest.mark.parametrize(
    ("question", "title", "is_another"),
    [
        ("土星五号有多高？", "神舟五号", True),
        ("神舟五号有多高？", "神舟十五号", True),
        ("神舟五号有多高？", "神舟5号", False),
        ("请问神舟五号有多高？", "神舟五號", False),
        ("神舟15號有多高？", "神舟十五号", False),
        ("阿波罗9号有多高？", "阿波罗11号", True),
        ("北京地铁一号线有多长？", "1号线（北京地铁）", False),
        ("伊丽莎白二世是谁？", "伊丽莎白一世", True),
        ("路易十四世和路易十五世是谁？", "路易十四世", True),
        ("土星五号有多高？", "Saturn V", False),
        ("第五号是谁写的？", "贝多芬", False),
        ("5月3号发生了什么？", "劳动节", False),
        ("二十世纪初谁在这里？", "火箭", False),
    ],
)
def test_one_of_a_chinese_series_is_known_in_either_script_and_by_either_digits(
    question: str, title: str, is_another: bool
) -> None:
    told = "It stands 110 m high." if title.isascii() else "全长约五十八米，于当年起飞。"
    assert names_another(question, f"{title} {told}") is is_another


@pytest.mark.parametrize(
    ("question", "told", "is_another"),
    [
        ("AH-210充电要多久", "AH-200 使用说明书 充电时间约 2.5 小时", True),
        ("AH-210充电要多久", "AH-210 使用说明书 充电时间约 2.5 小时", False),
        ("ah210充电要多久", "AH‑210 使用说明书", False),
        ("AH-210充电要多久", "型号AH 200，充电时间约 2.5 小时", True),
        ("AH-350W多重", "AH-350 家用制氧机", False),
        ("AH-350W多重", "制氧机 16.2 kg", False),
        ("E18 的报警怎么处理", "报警时请联系售后", False),
        ("E18 的报警怎么处理", "E2 | 氧浓度低", True),
        ("E5 的报警怎么处理", "E1–E6 的报警须记录", False),
        ("How high does the brandt b16 reach?", "Brandt B26 | 26.4", True),
        ("How big is A4?", "a 5 day week", False),
        ("What is new in v3.2?", "v3.1 brings a map", True),
        ("What is new in v3?", "v3.1 brings a map", False),
        ("Are we certified for ISO 9001?", "The ISO 13485 audit was passed.", True),
        ("Are we certified for ISO 9001?", "ISO 9001:2015", False),
        ("How high is the S-Lift 26?", "S-Lift 16 | 16 m", True),
        ("What did the EU 2030 plan say?", "the EU 2020 plan", False),
        ("AH-200和AH-210哪个轻", "AH-200 重 138 g", False),
        ("What is kept for 20 weeks?", "kept for 30 weeks", False),
    ],
)
def test_another_code_is_told_from_the_one_that_is_asked_about(question: str, told: str, is_another: bool) -> None:
    assert names_another_code(question, told) is is_another


def test_the_first_text_that_names_a_code_decides() -> None:
    assert names_another_code("AH-210零售价", "AH-200 | 399", "AH-200 | 399 AH-210 | 289")
    assert not names_another_code("AH-210零售价", "便携式 | 289", "AH-200 | 399 AH-210 | 289")


def test_a_number_of_any_length_is_read() -> None:
    long = "1" * 5_000
    assert names_another_code("What does E5 mean?", f"E{long}-E{long}")
    assert not names_another_code(f"What does E{long} mean?", f"E{long}-E{long}")


@pytest.mark.parametrize(
    ("question", "row", "is_another"),
    [
        ("who is on call on 20 may", "Date: 2026-05-05; On call: Ann Reed.", True),
        ("who is on call on May 5th", "Date: 2026-05-05; On call: Ann Reed.", False),
        ("5月20日谁值班", "日期：2026-05-05；值班：李明。", True),
        ("5月5日谁值班", "日期：5月5日；值班：李明。", False),
        ("5月20日之前谁值班", "日期：2026-05-05；值班：李明。", False),
        ("what is due before 20 may", "Item: Pump; Due: 2026-05-05.", False),
        ("who is on call on 20 may", "On 5 May Ann Reed is on call.", False),
        ("who is on call on 20 may", "From: 2026-05-05; To: 2026-05-25; On call: Ann Reed.", False),
        ("who is on call", "Date: 2026-05-05; On call: Ann Reed.", False),
    ],
)
def test_a_row_of_another_day_is_told(question: str, row: str, is_another: bool) -> None:
    assert names_another_day(question, row) is is_another
