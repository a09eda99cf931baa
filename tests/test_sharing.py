"""A link opens one conversation as it was when it was shared, until it is taken back, and nothing else."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from indexing.types import Document, Hit, Passage
from service.schemas import answer_json
from service.sharing import Share
from service.types import Answer, Citation
from tests.serving import Served, running
from tests.test_api import error_of

QUOTE = "It was launched on 14 May 1973 <b>& so on</b>."


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with running(tmp_path, load_models=False, sharing=True) as service:
        yield service


def told(served: Served, question: str, conversation: str = "") -> str:
    """A question with its answer, kept; returns the conversation's id."""
    conversation, turn = served.application.conversations.begin(question, conversation)
    finish(served, conversation, turn)
    return conversation


def finish(served: Served, conversation: str, turn: str, text: str = "In 1973.[1]") -> None:
    document = Document("d", "javascript:alert(1)", "Skylab", QUOTE)
    hit = Hit(Passage("d-0", "d", 0, 0, len(QUOTE), QUOTE), document, 1.0)
    cited = Citation(1, "d", "Skylab", "https://example.org/?a=1&b", datetime(2026, 11, 1, tzinfo=UTC), 3, QUOTE, 0, 46)
    answer = Answer(turn + "a", text, citations=(cited,), nearest=(hit,), conversation_id=conversation)
    served.application.conversations.finish(conversation, turn, answer.id, answer.text, answer_json(answer))


def test_two_who_share_at_the_same_moment_get_one_link(served: Served) -> None:
    conversation, shares = told(served, "When was Skylab launched?"), served.application.shares
    first: list[Share] = []
    waiting = [conversation]

    def meanwhile(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        del connection, cursor
        if waiting and not statement.startswith("SELECT"):
            first.append(shares.share(waiting.pop()))

    event.listen(served.application.database, "before_cursor_execute", meanwhile)
    second = shares.share(conversation)
    assert (second.token, second.turns) == (first[0].token, first[0].turns)


def test_who_has_the_link_reads_what_was_shared_and_no_more(served: Served) -> None:
    conversation = told(served, "When was <i>Skylab</i> launched?")
    path = f"/v1/conversations/{conversation}/share"
    assert served.client.get(path).json()["path"] is None
    shared = served.client.post(path).json()
    assert len(shared["path"]) >= 40
    assert shared["turns"] == 2
    told(served, "A private question", conversation)
    page = served.client.get(shared["path"])
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["x-robots-tag"] == "noindex"
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "When was &lt;i&gt;Skylab&lt;/i&gt; launched?" in page.text
    assert "It was launched on 14 May 1973 &lt;b&gt;&amp; so on&lt;/b&gt;." in page.text
    assert 'href="https://example.org/?a=1&amp;b"' in page.text
    assert "2026-11-01 · page 3" in page.text
    for absent in ("javascript:", "A private question", "<script", conversation):
        assert absent not in page.text
    again = served.client.post(path).json()
    assert again["path"] == shared["path"]
    assert "A private question" in served.client.get(shared["path"]).text


def test_a_title_that_is_given_after_sharing_is_not_shown(served: Served) -> None:
    conversation = told(served, "When was Skylab launched?")
    link = served.client.post(f"/v1/conversations/{conversation}/share").json()["path"]
    served.client.patch(f"/v1/conversations/{conversation}", json={"title": "For the case against J. D."})
    page = served.client.get(link).text
    assert "J. D." not in page
    assert "<title>When was Skylab launched?</title>" in page


def test_of_questions_asked_at_once_the_page_shows_each_with_its_answer_from_before_sharing(served: Served) -> None:
    kept = served.application.conversations
    conversation, first = kept.begin("When was Skylab launched?")
    asked = [kept.begin(question, conversation)[1] for question in ("Who flew?", "Who paid?")]
    finish(served, conversation, first, "In May 1973.")
    finish(served, conversation, asked[1], "The taxpayer.")
    path = f"/v1/conversations/{conversation}/share"
    shared = served.client.post(path).json()
    assert shared["turns"] == 5
    finish(served, conversation, asked[0], "Conrad's crew.")
    page = served.client.get(shared["path"]).text
    assert page.index("launched?") < page.index("In May 1973.") < page.index("Who paid?") < page.index("The taxpayer.")
    for absent in ("Who flew?", "Conrad"):
        assert absent not in page
    served.client.post(path)
    page = served.client.get(shared["path"]).text
    assert page.index("Who flew?") < page.index("Conrad") < page.index("Who paid?") < page.index("The taxpayer.")


def test_a_link_that_was_taken_back_opens_nothing(served: Served) -> None:
    conversation = told(served, "天空实验室是什么时候发射的？")
    path = f"/v1/conversations/{conversation}/share"
    first = served.client.post(path).json()["path"]
    assert "引用的来源" in served.client.get(first).text
    assert served.client.delete(path).status_code == 204
    gone = served.client.get(first, headers={"accept-language": "zh-CN,zh"})
    assert gone.status_code == 404
    assert "已失效" in gone.text
    second = served.client.post(path).json()["path"]
    assert second != first
    served.client.delete(f"/v1/conversations/{conversation}")
    assert served.client.get(second).status_code == 404
    assert error_of(served.client.post(path))["code"] == "not_found"


def test_without_the_operators_leave_nothing_is_shared(served: Served, tmp_path: Path) -> None:
    conversation = told(served, "When was Skylab launched?")
    link = served.client.post(f"/v1/conversations/{conversation}/share").json()["path"]
    with running(tmp_path, load_models=False) as closed:  # the same data, the setting as it is by default
        refused: httpx.Response = closed.client.post(f"/v1/conversations/{conversation}/share")
        assert refused.status_code == 403
        assert "`sharing`" in error_of(refused)["hint"]
        assert closed.client.get(link).status_code == 404
        assert closed.client.get("/v1/status").json()["sharing"] is False
