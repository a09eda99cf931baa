"""Calculator and calendar answer what they understand, exactly, and nothing else."""

import subprocess
import sys
from datetime import datetime

import pytest

from models.tools import tools

NOW = datetime(2026, 11, 21, 9, 30)  # a Saturday


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("2+2", "4"),
        ("What is 15% of 80?", "12"),
        ("what's twelve plus thirty", "42"),
        ("What is 3 times (4 - 1.5)?", "7.5"),
        ("Calculate 1,250 divided by 8", "156.25"),
        ("the square root of 144", "12"),
        ("what is 2 to the power of 10?", "1024"),
        ("Can you tell me what is 7 squared", "49"),
        ("subtract 5 from 20", "15"),
        ("how much is two hundred and five minus six?", "199"),
        ("10 / 4 =", "2.5"),
        ("0.1 + 0.2", "0.3"),
        ("17 mod 5", "2"),
        ("三乘以五", "15"),
        ("12加30等于多少", "42"),
        ("请问一百二十三减去二十三是多少？", "100"),
        ("帮我算一下 36 ÷ 6", "6"),
        ("80的15%是多少", "12"),
        ("根号144等于几", "12"),
        ("2的10次方是多少", "1024"),
        ("三万五千除以七等于多少？", "5000"),
        ("(3+4)/2", "3.5"),
        ("12/4 =", "3"),
        ("calculate 9/12", "0.75"),
        ("9/12等于多少", "0.75"),
        ("100 - 20 - 5", "75"),
        ("ten - three plus one", "8"),
        ("solve 9 * 9", "81"),
        ("3 x 4", "12"),
        ("what is 3x4", "12"),
        ("(2+3) x (1+1)", "10"),
        ("What is 50 + 10%?", "55"),
        ("100 - 20%", "80"),
        ("how much is 100 minus 10 percent", "90"),
        ("50加百分之十", "55"),
        ("10% + 5%", "0.15"),
        ("100 + 200 * 15%", "130"),
        ("20% off 50", "40"),
        ("What is 30 percent off 75?", "52.5"),
        ("what is 2/3 of 90", "60"),
        ("百分之二十的五百", "100"),
        ("１２＋３４", "46"),
        ("５×６", "30"),
        ("２０％的５０", "10"),
        ("（３＋４）×２", "14"),
        ("三萬加五千", "35000"),
        ("兩百乘以三等於多少", "600"),
        ("請問二十減五點五", "14.5"),
        ("2024-1987", "37"),
        ("what is 1024-64", "960"),
        ("15·12", "180"),
        ("5·12 =", "60"),
        ("calculate 1914-1918", "-4"),
    ],
)
def test_calculator_gives_the_exact_value(question: str, value: str) -> None:
    (candidate,) = tools(question, NOW)
    assert (candidate.short, candidate.kind, candidate.origin) == (value, "tool", "calculator")


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("What is 3 million divided by 4?", "750000"),
        ("2 thousand + 1", "2001"),
        ("1,250 million / 5 =", "250000000"),
        ("1.23456 thousand + 1", "1235.56"),
        ("one thousand million + 1", "1000000001"),
        ("twenty-five hundred plus one", "2501"),
        ("3万加2万", "50000"),
        ("1.5亿除以3", "50000000"),
        ("100 万除以4", "250000"),
        ("3万5千加2", "35002"),
        ("20万的5%", "10000"),
        ("三点五万加一", "35001"),
        ("一亿二千万除以三", "40000000"),
        ("一万亿除以二", "500000000000"),
        ("一万二加三", "12003"),
        ("一万零二加三", "10005"),
        ("一百二加一", "121"),
    ],
)
def test_a_number_with_its_scale_is_one_number(question: str, value: str) -> None:
    assert [candidate.short for candidate in tools(question, NOW)] == [value]


@pytest.mark.parametrize(
    "question",
    [
        "what is 9/11?",
        "24/7",
        "1-800-555-1234",
        "555-1234",
        "1914-1918",
        "What is 1939 - 1945?",
        "1914-18",
        "What is 5·12?",
        "9·18",
        "九·一八",
        "五·一",
        "4x4",
        "1920x1080",
        "0x10",
        "what is 12 30 - 5",
        "1 2 + 3",
        "nineteen eighty four minus one",
        "二三十加一",
        "2的平方5",
        "3万5加2",
    ],
)
def test_names_and_numbers_side_by_side_are_no_sums(question: str) -> None:
    assert tools(question, NOW) == []


@pytest.mark.parametrize("question", ["50 + 10% + 5", "10% + 50", "2 * 50 + 10%", "(50 + 10%) * 2"])
def test_a_share_of_nobody_knows_what_is_no_sum(question: str) -> None:
    assert tools(question, NOW) == []


@pytest.mark.parametrize(
    "question",
    [
        "What happened 1969-1972 in space?",
        "How many people walked on the Moon?",
        "Apollo 11",
        "What is the power of the Saturn V?",
        "2024-05-01",
        "一年有多少天",
        "三国演义",
        "神舟五号",
        "__import__('os').system('ls')",
        "What is 5?",
        "What day was the Moon landing?",
        "When was the 1969 landing?",
        "How many days did Apollo 11 last?",
        "今天的任务是什么",
        "What is the date of the Treaty of Lisbon?",
        "",
    ],
)
def test_tools_keep_silent_where_they_do_not_apply(question: str) -> None:
    assert tools(question, NOW) == []


@pytest.mark.parametrize(
    "question",
    [
        "9**9**9**9",
        "2 to the power of 100000",
        "1/0",
        "3 mod 0",
        "sqrt(-4)",
        "(0)**-1",
        "What is 9^999/7?",
        "9^999*9^999*9^999*9^999*9^999",
        "1/(10^999*10^10)",
        "sqrt(10^-999)",
        "(10^-998)^-0.3",
        "(10^-300)^1.5",
    ],
)
def test_calculator_bounds_its_work_and_says_so(question: str) -> None:
    (candidate,) = tools(question, NOW)
    assert "cannot be computed" in candidate.text
    assert candidate.short == ""


def test_a_sum_as_long_as_a_page_is_not_computed() -> None:
    assert tools("1" + "+1" * 990, NOW) == []
    assert tools("-" * 3000 + "1-1", NOW) == []


@pytest.mark.parametrize(
    "question",
    ["等于多少" * 40 + "x", "1" * 100_000 + "x", "1" + " " * 100_000 + "x", "1% " * 60 + "+1%+"],
)
def test_no_question_keeps_the_calculator_busy(question: str) -> None:
    code = "import sys; from models.calculator import calculator; print(calculator(sys.stdin.read()))"
    command = [sys.executable, "-X", "utf8", "-c", code]
    done = subprocess.run(command, input=question, capture_output=True, encoding="utf-8", timeout=60, check=True)
    assert done.stdout == "None\n"


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("What day is it today?", "2026-11-21"),
        ("what's the date", "2026-11-21"),
        ("What is today's date?", "2026-11-21"),
        ("今天几号？", "2026-11-21"),
        ("今天星期几", "星期六"),
        ("明天是星期几？", "星期日"),
        ("What day of the week is tomorrow?", "Sunday"),
        ("What day was 20 July 1969?", "Sunday"),
        ("On what day of the week did July 20, 1969 fall?", "Sunday"),
        ("1969年7月20日是星期几？", "星期日"),
        ("How many days between 1969-07-16 and 1969-07-24?", "8"),
        ("从1969年7月16日到1969年7月24日有多少天？", "8"),
        ("How many days until 25 December 2026?", "34"),
        ("距离2026年12月25日还有多少天", "34"),
        ("what date is it in 30 days", "2026-12-21"),
        ("30天后是几号", "2026-12-21"),
        ("what date was 30 days ago", "2026-10-22"),
        ("What time is it?", "09:30"),
        ("What year is it?", "2026"),
        ("今年是哪一年", "2026"),
        ("今天星期幾", "星期六"),
        ("明天幾號？", "2026-11-22"),
        ("現在幾點鐘", "09:30"),
        ("1969年7月20日是禮拜幾", "星期日"),
        ("距離2026年12月25日還有多少天", "34"),
        ("30天後是幾號", "2026-12-21"),
        ("What day was 11 Sept 2001?", "Tuesday"),
    ],
)
def test_calendar_follows_the_clock_it_is_given(question: str, short: str) -> None:
    (candidate,) = tools(question, NOW)
    assert (candidate.short, candidate.kind, candidate.origin) == (short, "tool", "date")


def test_answers_come_in_the_language_of_the_question() -> None:
    assert tools("今天星期几", NOW)[0].text == "2026年11月21日是星期六。"
    assert tools("What day is it today?", NOW)[0].text == "Today is Saturday, 21 November 2026."


def test_impossible_dates_are_not_answered() -> None:
    assert tools("What day was 31 February 2020?", NOW) == []
