"""What the reader's choices are rewarded with, what it is asked, and what `passerine train spans` leaves behind."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexing.types import BadInput
from models.demonstrations import hit_of
from models.reader import Reader
from models.reader_rows import Row
from models.span_choice import Chosen
from models.train_spans import SpanRecipe
from models.trunk import Trunk
from rewards.select import Thresholds
from service.span_tuning import Beside, SpanRewards, besides, train_spans
from service.tuning import LIKELY, SILENT, Judges
from tests.evaluation_data import lines, put
from tests.hashed_reader import one_thread
from tests.test_demonstrations import OTHER, PASSAGE
from tests.test_tuning import Scripted


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with one_thread():
        yield


def row(key: str, question: str, answers: tuple[str, ...], context: str, language: str = "en") -> Row:
    return Row(key, "squad.train", language, f"Article {key}", context, question, answers, None)


BUILT = Beside(
    row("q", "When was the mill built?", ("1791",), PASSAGE), (hit_of("The mill", PASSAGE), hit_of("Ferries", OTHER))
)


def chosen(passage: int, words: str) -> Chosen:
    text = BUILT.shown.passages[passage]
    return Chosen(passage, text.index(words), text.index(words) + len(words))


def test_a_span_pays_its_score_and_silence_its_own_value() -> None:
    judges = [Scripted(kind) for kind in ("preference", "rules", "support")]
    rewards = SpanRewards({"q": BUILT}, Judges(*judges, Thresholds()))  # type: ignore[arg-type]
    right, wrong, elsewhere = chosen(0, "1791"), chosen(0, "Ann Hale"), chosen(1, "1904")
    found = rewards(BUILT.shown, [right, wrong, None, right, elsewhere])
    assert [parts["total"] for parts in found] == pytest.approx([1.0, 0.1, SILENT, 1.0, 0.1])
    assert [parts["abstained"] for parts in found] == [0.0, 0.0, 1.0, 0.0, 0.0]
    assert len(judges[2].seen) == 3, "equal choices are judged once"


def test_the_judges_are_told_no_confidence_that_the_reader_could_earn_by() -> None:
    seen = []

    class Support(Scripted):
        def judge(self, conversation: object, candidates: object) -> list[object]:
            seen.extend(candidates)  # type: ignore[arg-type]
            return super().judge(conversation, candidates)  # type: ignore[arg-type]

    judges = Judges(Scripted("preference"), Scripted("rules"), Support("support"), Thresholds())  # type: ignore[arg-type]
    SpanRewards({"q": BUILT}, judges)(BUILT.shown, [chosen(0, "1791"), chosen(1, "Tom Reed")])
    assert {candidate.log_prob for candidate in seen} == {LIKELY}
    assert all(candidate.short in candidate.quotes[0].text for candidate in seen)


def test_wrong_passages_come_from_the_same_file_and_lack_the_answer() -> None:
    rows = [row("a", "When was the mill built?", ("1791",), PASSAGE), row("b", "Who kept it?", ("Tom Reed",), OTHER),
            row("c", "Who ran the mill built in 1791?", ("Ann",), "In 1791 the mill was built by it.")]  # fmt: skip
    for beside in besides(rows, rows, 2):
        own, *wrong = (hit.passage.text for hit in beside.hits)
        assert own == beside.row.context
        assert own not in wrong
        assert not any(answer in text for text in wrong for answer in beside.row.answers)
        assert beside.hits[0].document.title == beside.row.article


@pytest.fixture
def data(tmp_path: Path) -> Path:
    def asked(key: str, question: str, answers: list[str], context: str, language: str = "en") -> dict[str, object]:
        return {"id": key, "lang": language, "title": "Mills", "context": context, "question": question,
                "answers": answers, "answerable": bool(answers)}  # fmt: skip

    english = [asked("1", "When was the mill built?", ["1791"], PASSAGE), asked("2", "Who sold it?", [], PASSAGE),
               asked("3", "Who kept the ferry?", ["Tom Reed"], OTHER)]  # fmt: skip
    put(tmp_path, "qa/squad.train.jsonl.gz", lines(english))
    put(tmp_path, "qa/drcd.train.jsonl.gz", lines([asked("4", "谁建的？", ["安"], "磨坊是安建的。", "zh")]))
    return tmp_path


def test_the_whole_training_leaves_a_reader_that_answers_and_tells_where_it_is_from(
    data: Path, models_home: Path, trunk: Trunk
) -> None:
    out, recipe = data / "spans", SpanRecipe(rounds=1, questions=2, samples=4, frozen=8)
    assert train_spans(data, models_home, out, recipe=recipe)
    config = json.loads((out / "config.json").read_text())
    assert (config["name"], config["seed"], config["recipe"]["frozen"]) == ("spans", 0, 8)
    assert "`passerine evaluate spans`" in (out / "card.md").read_text()
    assert (out / "curves.png").stat().st_size > 1_000
    reading = Reader.load(trunk, out).read("When was the mill built?", [PASSAGE])[0]
    assert PASSAGE[reading.spans[0].start : reading.spans[0].end] == "1791"


def test_data_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="squad"):
        train_spans(tmp_path, tmp_path, tmp_path / "out")
