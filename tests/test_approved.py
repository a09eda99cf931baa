"""Approved answers come word for word when a question means theirs, and only then."""

from pathlib import Path

import pytest

from indexing.types import BadInput, Encoder
from models import approved as approved_module
from models.approved import BUNDLED, ApprovedAnswers, read_approved
from models.heads import load_head

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
