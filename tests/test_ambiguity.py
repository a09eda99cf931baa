"""An ambiguous question is asked back with its readings; a plain one is not."""

from pathlib import Path

import pytest

from indexing.types import Document, Hit, Passage
from models import ambiguity as ambiguity_module
from models.ambiguity import AmbiguityDetector
from models.heads import load_head
from models.readings import readings
from models.types import Conversation, Turn
from rewards.select import ambiguity, effective_support

HEAD = Path(ambiguity_module.__file__).parent / "bundled" / "ambiguity"


@pytest.fixture(scope="module")
def detector() -> AmbiguityDetector:
    return AmbiguityDetector(load_head(HEAD))


def asks(*turns: str) -> Conversation:
    roles = ["user" if (len(turns) - number) % 2 else "assistant" for number in range(len(turns))]
    return Conversation(tuple(Turn(role, text) for role, text in zip(roles, turns, strict=True)))  # type: ignore[arg-type]


def found(*documents: tuple[str, str]) -> list[Hit]:
    hits = []
    for number, (title, text) in enumerate(documents):
        document = Document(f"d{number}", "", title, text)
        hits.append(Hit(Passage(f"p{number}", document.id, 0, 0, len(text), text), document, 0.9, None, 0.85))
    return hits


SATURN = found(
    ("Saturn (planet)", "Saturn is the sixth planet from the Sun and has rings of ice."),
    ("Saturn (rocket)", "The Saturn rockets were built in Huntsville and launched the crews to the Moon."),
)
SONGS = found(
    ("李白（诗人）", "李白是唐代诗人，写了《静夜思》。"), ("李白（歌曲）", "《李白》是李荣浩2013年发行的歌曲。")
)


@pytest.mark.parametrize("question", ["What about that one?", "When was he born?", "那个呢？", "它是什么时候发射的？"])
def test_what_points_at_nothing_is_asked_back(detector: AmbiguityDetector, question: str) -> None:
    unclear = detector.detect(asks(question))
    assert unclear is not None
    assert unclear.readings == ()
    assert unclear.question.endswith(("请说出名称。", "Please name it."))


def test_a_name_with_several_readings_is_asked_back_with_their_names(detector: AmbiguityDetector) -> None:
    for question, hits in (("What is Saturn?", SATURN), ("Saturn", SATURN), ("介绍李白", SONGS)):
        candidate = detector.clarify(asks(question), hits)
        assert candidate is not None, question
        assert (candidate.kind, candidate.origin) == ("clarify", "clarify")
        assert candidate.log_prob <= 0
        assert all(hit.document.title in candidate.text for hit in hits)


@pytest.mark.parametrize(
    ("turns", "hits"),
    [
        (("Where were the Saturn rockets built?",), SATURN),
        (("How many rings does the planet Saturn have?",), SATURN),
        (("What is the difference between the Saturn rocket and the planet?",), SATURN),
        (("Who wrote the Treaty of Tordesillas?",), SATURN),
        (("Saturn",), SATURN[:1]),
        (("When was Yuri Gagarin born?", "In 1934.", "And where did he land?"), ()),
        (("歌曲《李白》是哪年发行的？",), SONGS),
        (("谁写了《静夜思》？",), SONGS),
        (("谁发明了地动仪？", "张衡。", "他是哪里人？"), ()),
        (("hello",), ()),
    ],
)
def test_a_plain_question_is_not(detector: AmbiguityDetector, turns: tuple[str, ...], hits: list[Hit]) -> None:
    assert detector.detect(asks(*turns), hits) is None


@pytest.mark.parametrize(
    ("question", "outdone"), [("When did she win the Nobel Prize?", True), ("When was he born?", False)]
)
def test_a_supported_answer_outdoes_a_question_back_to_a_turn_with_words_of_its_own(
    detector: AmbiguityDetector, question: str, outdone: bool
) -> None:
    asked_back = detector.clarify(asks(question))
    assert asked_back is not None
    unclear = effective_support(asked_back, 1.0, True, ambiguity([asked_back]))
    assert (unclear < 0.7 * (1 - unclear)) is outdone
    assert unclear > 0.3 * (1 - unclear), "what has little support does not"


def test_a_year_or_a_date_is_no_name() -> None:
    titles = ("售后服务条款（2025 版）", "2025 年产品价格表（内部）", "2025 年第二季度经营例会纪要")
    assert readings("2025年5月以后买的血压计保修多久？", found(*((title, "血压计") for title in titles))) == []


def test_a_year_tells_titles_apart_that_share_more() -> None:
    games = found(("2008年夏季奥运会", "北京。"), ("2012年夏季奥运会", "伦敦。"))
    assert [one.name for one in readings("2008年夏季奥运会在哪里？", games)] == ["2008年夏季奥运会"]
    assert len(readings("夏季奥运会在哪里？", games)) == 2
    novel = found(("1984（小说）", "奥威尔。"), ("1984（电影）", "电影。"))
    assert len(readings("1984是什么？", novel)) == 2


def test_the_probability_is_one_and_names_are_few(detector: AmbiguityDetector) -> None:
    many = found(*((f"Falcon {number}", "Falcon flew.") for number in range(9)))
    measured = detector.measure(asks("When did Falcon fly?"), many)
    assert 0 <= measured.probability <= 1
    assert len(measured.readings) <= 4


def test_passages_of_one_document_are_one_reading(detector: AmbiguityDetector) -> None:
    same = found(("Saturn", "Saturn has rings."), ("Saturn", "Saturn has moons."))
    assert detector.detect(asks("Saturn"), same) is None
