"""A conversation as Markdown: what was asked, what was said, and the quotes."""

from datetime import UTC, datetime

from indexing.types import Document, Hit, Passage
from service.conversations import StoredTurn, Summary
from service.schemas import answer_json
from service.transcript import markdown
from service.types import Answer, Citation

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SUMMARY = Summary("c-1", "The  lander", NOW, NOW, 4)


def turns(question: str, answer: Answer) -> list[StoredTurn]:
    return [
        StoredTurn("t-1", "user", question, "done", NOW),
        StoredTurn(answer.id, "assistant", answer.text, "done", NOW, answer_json(answer)),
    ]


def test_a_citation_becomes_a_footnote_with_its_quote_and_where_it_stands() -> None:
    citation = Citation(1, "d-1", "Landers", "https://example.org/l", NOW, 3, "It landed\nin 1969.", 0, 18)
    text = markdown(SUMMARY, turns("When did it\nland?", Answer("a-1", "In 1969. [1]", citations=(citation,))))
    assert text.startswith("# The lander\n\n2026-03-01 12:30 UTC\n\n## When did it land?\n\nIn 1969. [^1-1]\n")
    assert "[^1-1]: “It landed in 1969.” — Landers, p. 3, 2026-03-01, https://example.org/l\n" in text


def test_an_abstention_shows_what_came_near_and_a_failure_why() -> None:
    hit = Hit(Passage("p", "d", 0, 0, 4, "Near."), Document("d", "", "Landers", "Near."), 0.5)
    stopped = StoredTurn("t-2", "user", "And then?", "stopped", NOW, error='{"message": "Stopped."}')
    text = markdown(SUMMARY, [*turns("Why?", Answer("a", "Not said.", nearest=(hit,), verdict="abstained")), stopped])
    assert "Not said.\n\n- Landers: Near.\n" in text
    assert text.endswith("## And then?\n\n*Stopped.*\n")
