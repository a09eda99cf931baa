"""The office sets are sound, and asking them says what became of each question."""

import json
from pathlib import Path

import pytest

from eval import office
from eval.office import KINDS, Asked, asked, names, question_of, run_office
from indexing.extract import extract_file
from service.config import Settings


@pytest.mark.parametrize("name", names())
def test_every_gold_answer_stands_in_a_document_and_every_follow_up_follows(name: str) -> None:
    docs = office.FOLDER / name / "docs"
    texts = {
        path.name: "\n".join(one.document.text for one in extract_file(path, name, docs)) for path in docs.iterdir()
    }
    rows = asked(name)
    assert len({row.id for row in rows}) == len(rows) >= 80
    for row in rows:
        assert row.kind in KINDS
        assert bool(row.answers) == bool(row.documents) == (row.kind != "absent")
        assert bool(row.after) == (row.kind == "follow-up")
        for answer in row.answers:
            assert any(answer in texts[document] for document in row.documents), (row.id, answer)


def test_a_follow_up_is_asked_in_its_conversation_and_figures_are_of_its_set(
    models_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "sets" / "tea-en" / "docs"
    docs.mkdir(parents=True)
    (docs / "tea.md").write_text("# Tea room\n\nThe tea room opens at 07:45. Its manager is Orla Finch.\n")
    (docs / "old.md").write_text("# Old rules\n\nThe tea room opened at 09:15 in former years.\n")
    rows = [
        {"id": "a", "kind": "answerable", "question": "When does the tea room open?", "answers": ["07:45"],
         "documents": ["tea.md"], "form": "when"},
        {"id": "b", "kind": "follow-up", "after": "a", "question": "Who is its manager?", "answers": ["Orla Finch"],
         "documents": ["old.md"], "form": "who"},
        {"id": "n", "kind": "absent", "question": "What is the capital of Peru?", "answers": [], "documents": [],
         "form": "where"},
    ]  # fmt: skip
    (docs.parent / "questions.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    monkeypatch.setattr(office, "FOLDER", tmp_path / "sets")
    report = run_office(tmp_path / "out", Settings.model_validate({"home": models_home}))
    found = {name.removeprefix("office/tea-en/"): figure.value for name, figure in report.figures.items()}
    assert found["answerable, right"] == found["answerable, some passage read holds it"] == 1.0
    assert found["absent, answered"] == 0.0
    kept = [json.loads(line) for line in (tmp_path / "out" / "office-outcomes.jsonl").read_text().splitlines()]
    assert "Orla Finch" in kept[1]["said"]
    assert found["follow-up, right"] == 0.0, "the right words of a document that does not count"
    assert found["follow-up, answered wrongly"] == 1.0


def test_a_question_in_chinese_is_chinese() -> None:
    assert question_of(Asked("1", "absent", "年假几天", "number", "", (), ())).language == "zh"
