"""A follow-up becomes a question that needs no history, in both languages, and loses none of the user's words."""

import json
import subprocess
import sys

import pytest

from models.ambiguity import asked_back
from models.rewrite import Rewrite, rewrite, tells
from models.types import Conversation, Turn
from models.unaided import ABSENT, OUTSIDE
from models.words import units
from service.phrases import abstention, refusal


def after(*turns: str) -> Rewrite:
    """The last turn rewritten; turns alternate and the last one is the user's."""
    roles = ["user" if (len(turns) - number) % 2 else "assistant" for number in range(len(turns))]
    return rewrite(Conversation(tuple(Turn(role, text) for role, text in zip(roles, turns, strict=True))))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        (("Who was the first person in space?", "Yuri Gagarin.", "When was he born?"), "When was Yuri Gagarin born?"),
        (("How tall was the Saturn V?", "111 metres", "How heavy was it?"), "How heavy was Saturn V?"),
        (
            ("Where was Ada Lovelace born?", "London.", "What is her best known work?"),
            "What is Ada Lovelace's best known work?",
        ),
        (("When was Yuri Gagarin born?", "In 1934.", "What about German Titov?"), "When was German Titov born?"),
        (("What is LaMDA?", "A model.", "Thanks, and what about Sparrow?"), "What is Sparrow?"),
        (("神舟五号什么时候发射的？", "2003年10月15日", "那神舟六号呢？"), "神舟六号什么时候发射的？"),
        (("天宫空间站有多重？", "约100吨", "它的轨道高度是多少？"), "天宫空间站的轨道高度是多少？"),
        (("谁是第一个进入太空的中国人？", "杨利伟。", "他什么时候出生的？"), "杨利伟什么时候出生的？"),
        (("尤里·加加林什么时候出生？", "1934年", "他是哪里人？"), "尤里·加加林是哪里人？"),
    ],
)
def test_what_points_back_is_named(turns: tuple[str, ...], text: str) -> None:
    done = after(*turns)
    assert done.text == text
    assert done.followup
    assert not done.unresolved


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        (("Tell me about Paris", "A city.", "What's its population?"), "What's Paris' population?"),
        (("Tell me about Marie Curie", "A chemist.", "Didn't she win twice?"), "Didn't Marie Curie win twice?"),
        (("Who's Marie Curie?", "Here is a text.", "When was she born?"), "When was Marie Curie born?"),
        (("Who’s Ada Lovelace?", "Here is a text.", "What did she write?"), "What did Ada Lovelace write?"),
        (("Isn't Pluto a planet?", "No.", "How big is it?"), "How big is Pluto?"),
        (("Can't Titan hold air?", "No.", "How big is it?"), "How big is Titan?"),
        (("What is Apple's CEO paid?", "Much.", "Why is it so much?"), "Why is Apple's CEO so much?"),
        (("iPad多少钱？", "两千元。", "它有多重？"), "iPad有多重？"),
        (("When did eBay start?", "In 1995.", "Who founded it?"), "Who founded eBay?"),
    ],
)
def test_a_name_is_whole_and_a_contracted_opener_is_none(turns: tuple[str, ...], text: str) -> None:
    assert after(*turns).text == text


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        (("Who was Yuri Gagarin?", "Soviet pilot. “Gagarin was a pilot.”", "When was he born?"), "Yuri Gagarin"),
        (("Who's Marie Curie?", "Physicist and chemist.", "When was she born?"), "Marie Curie"),
        (("What is Python?", "Programming language.", "Who created it?"), "Python"),
        (("What is the Hubble Space Telescope?", "Telescope.", "Who built it?"), "Hubble Space Telescope"),
        (("What is Vostok 1?", "First flight.", "Who flew it?"), "Vostok 1"),
        (("天安门是什么？", "城门。", "它在哪里？"), "天安门"),
        (("什么是神舟五号？", "载人飞船。", "它在哪里？"), "神舟五号"),
        (("谁是杨利伟？", "航天员。", "他多大了？"), "杨利伟"),
        (("爱因斯坦是谁？", "物理学家。", "他的妻子是谁？"), "爱因斯坦"),
        (("Who is the CEO of Apple?", "Tim Cook.", "How old is he?"), "Tim Cook"),
        (("Who wrote Hamlet?", "William Shakespeare.", "When did he die?"), "William Shakespeare"),
        (("What is the capital of France?", "Paris.", "How big is it?"), "Paris"),
        (("美国总统是谁？", "林肯。", "他多大了？"), "林肯"),
        (("苹果公司的创始人是谁？", "史蒂夫·乔布斯。", "他多大了？"), "史蒂夫·乔布斯"),
    ],
)
def test_an_answer_that_says_what_a_name_is_gives_no_other_name(turns: tuple[str, ...], text: str) -> None:
    assert after(*turns).antecedents == (text,)


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        (("誰寫了《紅樓夢》？", "曹雪芹。", "他是哪裡人？"), "曹雪芹是哪裡人？"),
        (("介紹一下李白", "詩人。", "他什麼時候出生？"), "李白什麼時候出生？"),
        (("北京有多少人口？", "兩千萬。", "那麼上海呢？"), "上海有多少人口？"),
        (("長城有多長？", "很長。", "為什麼？"), "為什麼（長城有多長）？"),
        (("北京有多少人口？", "兩千萬。", "這個城市有多大？"), "這個城市有多大（北京）？"),
        (("什麼是光合作用？", "植物的過程。", "它需要什麼條件？"), "光合作用需要什麼條件？"),
        (("屠呦呦為什麼獲獎？", "因為青蒿素。", "她發現了什麼？"), "屠呦呦發現了什麼？"),
        (("楊利偉是誰？", "杨利伟是航天员。", "他是哪裡人？"), "楊利偉是哪裡人？"),
    ],
)
def test_a_turn_in_traditional_characters_is_understood_as_one_in_simplified(turns: tuple[str, ...], text: str) -> None:
    done = after(*turns)
    assert done.text == text
    assert done.followup
    assert not done.unresolved


@pytest.mark.parametrize(
    ("before", "turn", "text"),
    [
        ("What is the GDP of China?", "What about India?", "What is the GDP of India?"),
        ("When was the Battle of Hastings?", "And Waterloo?", "When was the Battle of Waterloo?"),
        ("When was the Battle of Hastings?", "And the Siege of Paris?", "When was the Siege of Paris?"),
        ("Who is the President of the United States?", "And France?", "Who is the President of France?"),
        ("Who wrote Lord of the Rings?", "And Hamlet?", "And Hamlet (Who wrote Lord of the Rings)?"),
        ("Who is Apple's CEO?", "And Microsoft?", "And Microsoft (Who is Apple's CEO)?"),
        ("北京的面积是多少？", "人口呢？", "人口呢（北京的面积是多少）？"),
        ("北京的面积是多少？", "天津的呢？", "天津的面积是多少？"),
        ("特斯拉的创始人是谁？", "总部呢？", "总部呢（特斯拉的创始人是谁）？"),
        ("珠穆朗玛峰的高度是多少？", "乔戈里峰呢？", "乔戈里峰的高度是多少？"),
        ("怎样申请签证？", "要多少钱呢？", "要多少钱呢（怎样申请签证）？"),
        ("张艺谋导演了哪些电影？", "冯小刚呢？", "冯小刚呢（张艺谋导演了哪些电影）？"),
        ("汉江有多长？", "流域面积呢？", "流域面积呢（汉江有多长）？"),
        ("怎么安装Docker？", "那Windows上呢？", "那Windows上呢（怎么安装Docker）？"),
        ("GitHub是谁创办的？", "eBay呢？", "eBay是谁创办的？"),
    ],
)
def test_another_name_takes_no_more_than_its_place(before: str, turn: str, text: str) -> None:
    assert after(before, "42.", turn).text == text


def test_what_happened_is_the_question_before_and_no_person() -> None:
    flown = ("When did Yuri Gagarin fly into space?", "On 12 April 1961.")
    done = after(*flown, "How long did it take?")
    assert done.text == "How long did it take (When did Yuri Gagarin fly into space)?"
    assert done.followup
    assert after(*flown, "How long did it take to prepare?").text == "How long did it take to prepare?"
    war = ("What was the Hundred Years' War?", "A series of conflicts.", "Why did it happen?")
    assert after(*war).text == "Why did Hundred Years' War happen?"


def test_a_pronoun_keeps_its_name_from_turn_to_turn() -> None:
    done = after(
        "Who was Valentina Tereshkova?",
        "A cosmonaut from the Soviet Union.",
        "When did she fly?",
        "In June 1963 aboard Vostok 6.",
        "Where did she land?",
    )
    assert done.text == "Where did Valentina Tereshkova land?"


@pytest.mark.parametrize("question", ["Why?", "And in 1972?", "What else?", "为什么？", "什么时候？"])
def test_an_ellipsis_takes_the_question_before_along(question: str) -> None:
    done = after("Did Apollo 11 carry 阿波罗 samples?", "Yes.", question)
    assert "Apollo 11" in done.text
    assert done.text.startswith(question.rstrip("?？"))


@pytest.mark.parametrize(
    "question", ["What about that one?", "When was he born?", "Why?", "它什么时候发射的？", "那个呢？", "他是谁？"]
)
def test_a_pointer_without_history_points_at_nothing(question: str) -> None:
    done = after(question)
    assert done.unresolved
    assert done.text == question


@pytest.mark.parametrize(
    "question",
    [
        "How long does it take to reach Mars?",
        "Did Gagarin finish his training?",
        "What is the capital of France?",
        "What time is it?",
        "Is it true that the Moon has no air?",
        "那不勒斯在哪里？",
        "其他国家的空间站有哪些？",
        "地球的半径是多少？",
    ],
)
def test_a_question_that_stands_alone_stays_as_it_is(question: str) -> None:
    for turns in ((question,), ("When was Neil Armstrong born?", "In 1930.", question)):
        assert after(*turns).text == question


@pytest.mark.parametrize(
    "question",
    [
        "Which book did he write about the flight?",
        "When did the mission end?",
        "And its crew?",
        "它的船员有哪些？",
        "这次任务有什么意义？",
        "北京呢？",
    ],
)
def test_the_users_content_words_survive(question: str) -> None:
    done = after("Who was the commander of Apollo 11?", "Neil Armstrong.", question)
    assert set(units(question)) <= set(units(done.text)), done.text


def test_a_long_conversation_stays_quick() -> None:
    import time

    turns = ["Who commanded Apollo 11 and what did they do on the Moon?", "Neil Armstrong walked there. " * 20] * 100
    start = time.perf_counter()
    after(*turns, "When was he born?")
    assert time.perf_counter() - start < 0.2


REWRITES = """
import json, sys
from tests.test_rewrite import after
json.dump(after(*json.load(sys.stdin)).text, sys.stdout)
"""


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        (("他" * 2000,), "他" * 2000),
        (("谁是第一个进入太空的中国人？", "杨利伟。", "他" * 2000), "杨利伟" * 2000),
        (("长江有多长？", "这条河流全长约六千三百公里" * 10_000, "它在哪里？"), "长江在哪里？"),
        (("天地玄黄宇宙洪荒" * 200, "好。", "它" * 2000), "它" * 2000),
        (("How long is the Yangtze?", "It flows past Wuhan " * 10_000, "Where is it?"), "Where is Yangtze?"),
    ],
    ids=["pronouns", "pronouns-resolved", "answer-zh", "no-name-is-so-long", "answer-en"],
)
def test_no_turn_keeps_the_service_busy(turns: tuple[str, ...], text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REWRITES],
        input=json.dumps(turns),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == text


def test_a_long_earlier_message_is_asked_about_by_its_end() -> None:
    pasted = "The mill stood by the weir for years. " * 100
    assert after(f"{pasted}Who was Ada Lovelace?", "A writer.", "When was she born?").text == (
        "When was Ada Lovelace born?"
    )


def test_a_sentence_that_the_answer_quotes_is_no_name() -> None:
    said = "杨利伟。“神舟五号是中国第一艘载人飞船，航天员是杨利伟。”"
    turns = (Turn("user", "谁是中国第一位航天员？"), Turn("assistant", said), Turn("user", "他什么时候飞上太空？"))
    assert rewrite(Conversation(turns)).text.startswith("杨利伟什么时候飞上太空")


STOCK = (
    *ABSENT.values(),
    *OUTSIDE.values(),
    *(abstention(question, near) for question in ("Who?", "谁？") for near in (True, False)),
    *(refusal(question, None, "no-harm") for question in ("Who?", "谁？")),
    *(asked_back(question, Rewrite(question, unresolved=True), ()) for question in ("Who was he?", "他是谁？")),
)


@pytest.mark.parametrize("said", STOCK)
def test_what_passerine_says_without_an_answer_is_nothing_to_point_at(said: str) -> None:
    assert not tells(Turn("assistant", said))
    assert after("What is overtime?", said, "How is it paid?").text == "How is overtime paid?"


def test_an_answer_is_something_to_point_at() -> None:
    assert tells(Turn("assistant", "The index does not lie in the vault. “Nothing lies there.”[1]"))
    assert tells(Turn("user", ABSENT["en"]))


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        (("how much is a mini excavator 1.9 t per week", "£392", "is it new"), "is mini excavator 1.9 new"),
        (
            ("Who is the safety officer?", "Carys Bevan.", "and who reports to the HSE?"),
            "and who reports to the HSE?",
        ),
        (("what can i spend on meals in dublin", "€42", "and in london"), "what can i spend on meals in london"),
        (("notice period for managers?", "3 months", "and for fitters?"), "notice period for fitters?"),
        (("Who won in France in 1998?", "Brazil lost.", "and in 2002?"), "Who won in France in 2002?"),
        (("hotel limit london?", "£165. “London | £165”[1]", "and in edinburgh"), "hotel limit edinburgh?"),
        (("hotel limit london?", ABSENT["en"], "and in edinburgh"), "and in edinburgh (hotel limit london)"),
        (("what is a crane per week", "£98", "and for 4 weeks?"), "what is a crane for 4 weeks"),
        (("Who is the Microsoft CEO?", "Satya Nadella", "And Apple?"), "Who is the Apple CEO?"),
        (("工作满12年年假有几天", "12 天", "那满20年呢"), "工作满20年年假有几天"),
        (("试用期满3个月工资多少", "五千", "那6个月呢"), "试用期满6个月工资多少"),
        (("工作满12年年假有几天", "12 天", "那2024年呢"), "那2024年呢（工作满12年年假有几天）"),
        (("2023年保修多久", "两年", "那2024年呢"), "2024年保修多久"),
        (("谁是第一个登上月球的人", ABSENT["zh"], "他出生在哪里"), "他出生在哪里（谁是第一个登上月球的人）"),
        (("ah-200充满电能用多久", "约 120 分钟", "它有多重？"), "ah-200有多重？"),
    ],
)
def test_a_follow_up_in_everyday_writing_keeps_what_is_asked(turns: tuple[str, ...], text: str) -> None:
    assert after(*turns).text == text


@pytest.mark.parametrize("between", ["充电要多长时间", "充电要多久"])
def test_a_device_stays_the_topic_behind_a_question_that_names_none(between: str) -> None:
    done = after("AH-200充满电能用多久", "约 120 分钟", between, "约 2.5 小时", "它有多重？")
    assert done.text == "AH-200有多重？"


def test_brackets_are_not_put_into_brackets() -> None:
    turns = ["hotel limit london?", "and in edinburgh", "what about meals there", "why?", "and at the airport"]
    said = [text for turn in turns for text in (turn, ABSENT["en"])][:-1]
    assert after(*said[:5]).text == "what about meals there (and in edinburgh; hotel limit london)"
    assert all(after(*said[: 2 * count + 1]).text.count("(") == 1 for count in range(1, 5))
    chinese = ["投诉找谁", "旧版的电话呢", "为什么？", "真的吗？"]
    said = [text for turn in chinese for text in (turn, ABSENT["zh"])][:-1]
    assert after(*said[:5]).text == "为什么（旧版的电话呢；投诉找谁）？"
    assert all(after(*said[: 2 * count + 1]).text.count("（") <= 1 for count in range(1, 4))


@pytest.mark.parametrize(
    "question",
    [
        "is there a weekend surcharge and does it apply to vaccinations",
        "can employees rent a machine privately and what does it cost",
        "what does rto mean and how long is it for the booking database",
        "do forklift drivers need a course and when do they take it",
    ],
)
def test_a_pronoun_that_its_own_question_explains_asks_for_nothing_back(question: str) -> None:
    done = after(question)
    assert (done.text, done.unresolved) == (question, False)


@pytest.mark.parametrize("question", ["what is the price of it", "who wrote it and when was it printed"])
def test_a_pronoun_without_another_clause_to_explain_it_points_back(question: str) -> None:
    assert after(question).unresolved
