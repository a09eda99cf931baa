"""What the search decision of later turns is learnt from."""

import gzip
import json
import random
from pathlib import Path

import pytest

from models.train_followup import INSIDE, behind, contexts, kdconv, question_phrase, questions
from models.train_plan import Row, read_rows


def written(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("question", "language", "phrase"),
    [
        ("How many objects are on show there?", "en", "how many objects?"),
        ("Who was its first owner?", "en", "who?"),
        ("In which year did it open?", "en", "in which year?"),
        ("Name the owner.", "en", ""),
        ("这座桥有多长？", "zh", "有多长？"),
        ("它在哪一年通车？", "zh", "哪一年通车？"),
        ("请说说它。", "zh", ""),
    ],
)
def test_a_question_is_cut_down_to_what_it_asks(question: str, language: str, phrase: str) -> None:
    assert question_phrase(question, language) == phrase


def test_conversations_made_of_an_article_end_with_a_turn_to_be_searched(tmp_path: Path) -> None:
    context = "The Harbour Bridge was opened in 1932. The Harbour Bridge has six hinges. A tunnel followed in 1992."
    rows = [
        {"id": "1", "title": "Harbour", "question": "When was the Harbour Bridge opened?", "answers": ["1932"]},
        {"id": "2", "title": "Harbour", "question": "How many hinges has the Harbour Bridge?", "answers": ["six"]},
        {
            "id": "3",
            "title": "Harbour",
            "question": "What followed the Harbour Bridge in 1992?",
            "answers": ["A tunnel"],
        },
    ]
    path = tmp_path / "qa" / "squad.train.jsonl.gz"
    written(path, [{**row, "context": context, "lang": "en", "answerable": True} for row in rows])
    made = [one for seed in range(30) for one in questions(tmp_path, "squad.train", 3, random.Random(seed))]
    assert {"question", "phrase", "led back", "put right"} >= {one.kind for one in made} > {"question", "phrase"}
    assert all(one.search and len(one.conversation.turns) > 2 and one.group == "Harbour" for one in made)


def test_chat_is_to_be_searched_where_it_was_answered_with_facts(tmp_path: Path) -> None:
    def row(last: str, facts: bool) -> dict[str, object]:
        said = [{"role": "user", "text": "你看过这部电影吗？"}, {"role": "assistant", "text": "看过。"}]
        evidence = [{"title": "电影", "text": "1993年上映。"}] if facts else []
        return {"dialogue": [*said, {"role": "user", "text": last}], "evidence": evidence, "topic": "电影"}

    rows = [row("哪年上映的？", True), row("真好看。", True), row("我也喜欢。", False), row("你最喜欢谁？", False)]
    written(tmp_path / "sft" / "kdconv.train.jsonl.gz", [*rows, row("谁演的？", False)])
    found = {one.conversation.question: one.search for one in kdconv(tmp_path, random.Random(0))}
    assert found == {"哪年上映的？": True, "我也喜欢。": False, "你最喜欢谁？": False}


def test_a_remark_is_put_behind_a_conversation_in_its_language(tmp_path: Path) -> None:
    rows = [
        {"dialogue": [{"role": "user", "text": text} for text in ("说说这本书", "哪年出版的？")], "evidence": ["1"]}
        for _ in range(2)
    ]
    written(tmp_path / "sft" / "kdconv.train.jsonl.gz", [{**row, "topic": "书"} for row in rows])
    before = contexts(list(kdconv(tmp_path, random.Random(0))))
    later = behind(Row("原来如此", False, "understood", "zh", "g", True), before, random.Random(0))
    assert [turn.text for turn in later.conversation.turns] == ["说说这本书", "原来如此"]
    assert not later.search


def test_our_short_turns_say_which_are_searched_in_both_languages() -> None:
    rows = read_rows(INSIDE)
    for language in ("en", "zh"):
        searched = [row.search for row in rows if row.lang == language]
        assert 60 < sum(searched) < len(searched) - 60
    assert len({row.text for row in rows}) == len(rows)
