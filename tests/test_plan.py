"""The plan: search where documents are needed, two different queries, a reason for people."""

from time import perf_counter

import pytest

from indexing.types import Encoder
from models.heads import load_head
from models.plan import BUNDLED, FOLLOWUP, Planner
from models.queries import variant
from models.types import Conversation, Turn


@pytest.fixture(scope="module")
def planner(encoder: Encoder) -> Planner:
    return Planner(encoder, *(load_head(folder, encoder.fingerprint) for folder in (BUNDLED, FOLLOWUP)))


def asks(*turns: str) -> Conversation:
    roles = ["user" if (len(turns) - number) % 2 else "assistant" for number in range(len(turns))]
    return Conversation(tuple(Turn(role, text) for role, text in zip(roles, turns, strict=True)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "question",
    [
        "When did Skylab fall back to Earth?",
        "tell me about the Treaty of Tordesillas",
        "height of the eiffel tower",
        "How are you supposed to store insulin?",
        "Explain how nuclear fusion works",
        "thanks, and what about the Gemini programme?",
        "天问一号是什么时候发射的？",
        "介绍一下都江堰",
        "谢谢，那神舟十号呢？",
        "出差怎么报销",
    ],
)
def test_questions_of_fact_are_searched(planner: Planner, question: str) -> None:
    plan = planner.plan(asks(question))
    assert plan.search_probability > planner.head.config.thresholds["search"]
    assert plan.queries


@pytest.mark.parametrize(
    "turn",
    [
        "hello",
        "Thanks a lot!",
        "how are you?",
        "Write me a poem about spring",
        "Translate 'good evening' into Spanish",
        "what is 17 * 3",
        "what day is it today?",
        "你好",
        "谢谢你",
        "写一首关于春天的诗",
        "把“晚上好”翻译成英文",
        "今天星期几",
    ],
)
def test_talk_tasks_and_sums_are_not(planner: Planner, turn: str) -> None:
    plan = planner.plan(asks(turn))
    assert plan.search_probability < planner.head.config.thresholds["search"]
    assert plan.doubtful or not plan.queries


def test_what_may_be_a_question_all_the_same_is_searched_in_doubt(planner: Planner) -> None:
    for turn in ("can i pay cash", "mri cost", "员工内购打几折"):
        assert planner.plan(asks(turn)).queries, turn
    for turn in (
        "Write me a poem about spring",
        "写一首关于春天的诗",
        "",
        "Translate: “the good evening of all evenings”",
    ):
        assert not planner.plan(asks(turn)).queries, turn


def test_the_first_query_holds_the_history(planner: Planner) -> None:
    plan = planner.plan(asks("Who was the first woman in space?", "Valentina Tereshkova.", "When did she fly?"))
    assert plan.queries[0].text == "When did Valentina Tereshkova fly?"
    assert plan.queries[0].origin == "rewrite"
    assert "Valentina Tereshkova" in plan.reason
    plan = planner.plan(asks("天宫空间站有多重？", "约100吨。", "它的轨道有多高？"))
    assert plan.queries[0].text == "天宫空间站的轨道有多高？"
    assert "天宫空间站" in plan.reason


def test_a_turn_that_leans_on_the_conversation_is_also_searched_with_the_question_before(planner: Planner) -> None:
    talk = Turn("user", "Who was Valentina Tereshkova?"), Turn("assistant", "The first woman in space.")
    first, second = planner.plan(Conversation((*talk, Turn("user", "When did she fly?")))).queries
    assert second.text == f"{first.text} Who was Valentina Tereshkova?"
    assert second.origin == "history"
    whole = planner.plan(Conversation((*talk, Turn("user", "When was Skylab launched?")))).queries
    assert "history" not in {query.origin for query in whole}, "it says all itself"


def test_queries_differ(planner: Planner) -> None:
    for question in ("Skylab", "天宫", "When did Skylab fall back to Earth?", "谁发明了地动仪？"):
        texts = [query.text.lower() for query in planner.plan(asks(question)).queries]
        assert len(set(texts)) == len(texts) >= 1


@pytest.mark.parametrize(
    ("question", "text", "origin"),
    [
        ("When did the Skylab station fall back to Earth?", "Skylab station fall back Earth", "keywords"),
        ("Who designed the Saturn V and when did it first fly?", "when did Saturn V first fly?", "decomposition"),
        ("What is the difference between fission and fusion?", "fusion", "decomposition"),
        ("谁发明了地动仪？", "发明 地动仪", "keywords"),
        ("长征五号和长征七号有什么区别？", "长征七号", "decomposition"),
        ("地球的半径是多少？", "地球 半径", "keywords"),
        ("誰發明了地動儀？", "發明 地動儀", "keywords"),
        ("長征五號和長征七號有什麼區別？", "長征七號", "decomposition"),
        ("紅樓夢是誰寫的，為什麼沒有寫完？", "紅樓夢 為什麼沒有寫完", "decomposition"),
    ],
)
def test_the_variant_says_the_need_in_other_words(question: str, text: str, origin: str) -> None:
    query = variant(question)
    assert query is not None
    assert (query.text, query.origin) == (text, origin)


def test_a_bare_topic_has_no_variant() -> None:
    assert variant("Skylab") is None
    assert variant("天宫") is None


def test_the_reason_speaks_the_language_of_the_question(planner: Planner) -> None:
    assert "probability" in planner.plan(asks("When did Skylab fall?")).reason
    assert "概率" in planner.plan(asks("天问一号什么时候发射？")).reason


def test_an_empty_turn_is_not_searched(planner: Planner) -> None:
    assert planner.plan(asks("  ")).queries == ()


def test_the_same_turn_gives_the_same_plan_quickly(planner: Planner) -> None:
    turn = asks("Who was Yuri Gagarin?", "A cosmonaut.", "Where was he born?")
    first = planner.plan(turn)
    start = perf_counter()
    assert planner.plan(turn) == first
    assert perf_counter() - start < 0.025


def test_a_later_turn_that_asks_is_searched_in_doubt(planner: Planner) -> None:
    leave = asks("工作满12年年假有几天", "12 天。", "请5天要提前多久申请")
    assert planner.plan(leave).queries


@pytest.mark.parametrize(
    ("turn", "searched"),
    [
        ("thanks!", False),
        ("I see", False),
        ("bye", False),
        ("谢谢", False),
        ("go on", True),
        ("why?", True),
        ("继续", True),
        ("haha, nice", False),
        ("太好了", False),
        ("which crew?", True),
        ("how heavy was the capsule", True),
        ("一共几圈", True),
        ("跟谁一起去的", True),
    ],
)
def test_small_talk_inside_a_conversation_is_not_searched(planner: Planner, turn: str, searched: bool) -> None:
    said = (Turn("user", "How long did Gagarin's flight last?"), Turn("assistant", "108 minutes."), Turn("user", turn))
    assert bool(planner.plan(Conversation(said)).queries) is searched
