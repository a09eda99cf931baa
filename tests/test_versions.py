"""Versions of one document: which is meant."""

from datetime import UTC, datetime

import pytest

from indexing.types import Document, Hit, Passage, Query
from models.readings import readings
from models.types import Candidate, Plan, Quote
from models.versions import are_versions
from rewards.select import Thresholds, select


def document(title: str, published: str = "", name: str = "") -> Document:
    moment = datetime.fromisoformat(published).replace(tzinfo=UTC) if published else None
    return Document(name or title, f"file:///{title}", title, "10 km/h", published_at=moment)


def said(where: Document, text: str) -> Candidate:
    hit = Hit(Passage(f"{where.id}#0", where.id, 0, 0, len(text), text), where, 1.0)
    return Candidate(text, text, (hit,), (Quote(where.id, 0, len(text), text),), -0.1, "extractive", "statement")


def answered(question: str, *drafts: tuple[Document, str, float]) -> str:
    candidates = [said(where, text) for where, text, _ in drafts]
    found = select(
        Plan(0.9, (Query(question),)), candidates, [0.0] * len(drafts), [{}] * len(drafts),
        [2 * score for _, _, score in drafts], Thresholds(abstain=0.1), question=question,
    )  # fmt: skip
    assert found.chosen is not None
    return candidates[found.chosen].text


OLD, NEW = document("Safety policy 2024", "2024-02-01"), document("Safety Policy 2026", "2026-01-01")
LIMITS = ((OLD, "15 km/h", 0.45), (NEW, "10 km/h", 0.4))


@pytest.mark.parametrize(
    ("question", "limit"),
    [
        ("what is the speed limit in the yard", "10 km/h"),
        ("what was the speed limit in the yard in 2024", "15 km/h"),
        ("what is the speed limit in the yard in 2026", "10 km/h"),
        ("what was the speed limit in the yard in 1999", "10 km/h"),
    ],
)
def test_the_newer_version_answers_unless_the_question_names_the_year_of_another(question: str, limit: str) -> None:
    assert answered(question, *LIMITS) == limit
    assert answered(question, *reversed(LIMITS)) == limit


def test_a_newer_version_that_hardly_answers_does_not_win() -> None:
    assert answered("what is the speed limit", LIMITS[0], (NEW, "Lower.", 0.2)) == "15 km/h"


def test_other_documents_are_no_versions() -> None:
    note = document("Press release", "2026-05-06")
    assert answered("what is the speed limit", LIMITS[0], (note, "12 km/h", 0.44)) == "15 km/h"


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("售后服务条款（2023 版）", "售后服务条款（2025版）", True),
        ("售後服務條款（舊版）", "售后服务条款（新版）", True),
        ("员工手册 2025", "员工手册 2024 修订", True),
        ("Price list 2026", "Price List v2 (draft)", True),
        ("Meeting, 14 April 2026", "Meeting, 12 May 2026", False),
        ("2025", "2026", False),
        ("Employee handbook", "Onboarding checklist", False),
        ("AH-200 使用说明书", "AH-350 使用说明书", False),
        ("AH-200 manual v2", "AH-200 manual v3.1", True),
    ],
)
def test_titles_that_differ_in_dates_and_versions_alone_are_of_one_document(one: str, other: str, alike: bool) -> None:
    assert are_versions(document(one), document(other)) is alike
    assert not are_versions(document(one), document(one))


@pytest.mark.parametrize(
    ("titles", "names"),
    [
        (("售后服务条款（2023 版）", "售后服务条款（2025 版）"), ["售后服务条款（2025 版）"]),
        (("夏季奥运会（2008）", "夏季奥运会（2012）"), ["夏季奥运会（2008）", "夏季奥运会（2012）"]),
    ],
)
def test_nobody_is_asked_which_edition_of_a_document_is_meant(titles: tuple[str, ...], names: list[str]) -> None:
    hits = [said(document(title), "400-820-6118").evidence[0] for title in titles]
    assert [one.name for one in readings(f"{titles[0][:5]}的热线现在是多少号", hits)] == names


def test_without_dates_the_better_answer_stays() -> None:
    drafts = (document("Policy (old)"), "15 km/h", 0.45), (document("Policy (new)"), "10 km/h", 0.4)
    assert answered("what is the speed limit", *drafts) == "15 km/h"
    dated = (document("Policy 2024"), "15 km/h", 0.45), (document("Policy 2026"), "10 km/h", 0.4)
    assert answered("what is the speed limit", *dated) == "10 km/h"
