"""Approved answers come word for word when a question means theirs, and only then."""

import logging
from pathlib import Path

import pytest

from indexing.types import BadInput, Encoder, NotFound
from models import approved as approved_module
from models.approved import BUNDLED, Approved, ApprovedAnswers, ApprovedFile, read_approved
from models.heads import load_head
from service.approved import ApprovedStore

HEAD = Path(approved_module.__file__).parent / "bundled" / "approved"


@pytest.fixture(scope="module")
def approved(encoder: Encoder) -> ApprovedAnswers:
    return ApprovedAnswers(encoder, load_head(HEAD, encoder.fingerprint), read_approved())


@pytest.mark.parametrize(
    ("question", "entry"),
    [
        ("What documents do you know?", "which-documents"),
        ("how do i add my own documents", "add-documents"),
        ("Do you keep my data?", "privacy"),
        ("How can I remove a document from the index?", "delete-documents"),
        ("What is Passerine?", "what-is-passerine"),
        ("你会保存我的数据吗？", "privacy"),
        ("怎样添加文档？", "add-documents"),
        ("Passerine 是什么", "what-is-passerine"),
    ],
)
def test_the_reviewed_text_is_given_word_for_word(approved: ApprovedAnswers, question: str, entry: str) -> None:
    (candidate,) = approved.candidates(question)
    assert candidate.text in [text for group in approved.entries[entry].answers.values() for text in group]
    assert (candidate.kind, candidate.origin) == ("approved", "approved")


@pytest.mark.parametrize(
    "question",
    [
        "How do I delete a table in PostgreSQL?",
        "Where is user data stored in Android?",
        "Which documents do I need for a passport?",
        "When did Apollo 11 land?",
        "办护照需要哪些文件？",
        "怎么删除数据表？",
        "hello",
    ],
)
def test_another_question_is_not_answered(approved: ApprovedAnswers, question: str) -> None:
    assert approved.candidates(question) == []


def test_the_answer_comes_in_the_language_of_the_question(approved: ApprovedAnswers) -> None:
    assert approved.candidates("Do you keep my data?")[0].text.isascii()
    assert not approved.candidates("你会保存我的数据吗？")[0].text.isascii()


def test_ones_own_file_is_read_and_checked(encoder: Encoder, tmp_path: Path) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text(
        "- id: parking\n  questions: {en: 'Where can visitors park?'}\n  answers: {en: In row B.}\n", "utf-8"
    )
    own = ApprovedAnswers(encoder, load_head(HEAD, encoder.fingerprint), read_approved(path))
    assert own.candidates("Where can visitors park?")[0].text == "In row B."
    assert own.candidates("where can visitors park")[0].text == "In row B."
    with pytest.raises(BadInput):
        read_approved(tmp_path / "absent.yaml")
    path.write_text(
        "- {id: a, questions: {en: b}, answers: {en: c}}\n- {id: a, questions: {en: d}, answers: {en: e}}\n"
    )
    with pytest.raises(BadInput, match="twice"):
        read_approved(path)


def test_the_example_file_speaks_both_languages() -> None:
    entries = read_approved(BUNDLED)
    assert len(entries) >= 8
    for entry in entries:
        assert set(entry.answers) == set(entry.phrases) == {"en", "zh"}


def test_a_change_of_the_file_is_noticed_and_a_fault_leaves_the_answers_as_they_were(
    encoder: Encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ApprovedStore(tmp_path)
    answers = ApprovedFile(encoder, load_head(HEAD, encoder.fingerprint), store.file)
    assert answers.candidates("Do you keep my data?"), "the bundled ones, until the first edit"
    count = len(store.list())
    store.put(Approved("parking", {"en": ("Where can visitors park?",)}, {"en": ("In row B.",)}))
    assert answers.candidates("Where can visitors park?")[0].text == "In row B."
    assert len(store.list()) == count + 1
    store.put(Approved("parking", {"en": ("Where can visitors park?",)}, {"en": ("In row C: 'free'.",)}))
    assert answers.candidates("Where can visitors park?")[0].text == "In row C: 'free'."
    (tmp_path / "approved-answers.yaml").write_text("- {id: broken\n")
    with caplog.at_level(logging.WARNING, "passerine"):
        assert answers.candidates("Where can visitors park?")[0].text == "In row C: 'free'."
        answers.candidates("Where can visitors park?")
    assert len([record for record in caplog.records if "stay as they were" in record.message]) == 1


def test_an_edit_replaces_the_file_in_one_step_and_keeps_what_was_before(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text("# Ours.\n- {id: a, questions: {en: b}, answers: {en: [c, d]}}\n", "utf-8")
    store = ApprovedStore(tmp_path / "home", file)
    store.put(Approved("z", {"zh": ("停车？",)}, {"zh": ("在 B 排。",)}))
    assert [entry.id for entry in store.list()] == ["a", "z"]
    assert store.get("a").answers == {"en": ("c", "d")}, "other entries are not touched"
    assert "# Ours." in (tmp_path / "answers.yaml~").read_text("utf-8")
    assert "停车？" in file.read_text("utf-8")
    store.delete("a")
    with pytest.raises(NotFound, match="no approved answer 'a'"):
        store.delete("a")
    store.delete("z")
    assert store.list() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.yaml", "answers.yaml~"]
