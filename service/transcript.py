"""A conversation as a Markdown text, to keep and to pass on: questions, answers, and the quotes behind them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.conversations import StoredTurn, Summary


def markdown(summary: Summary, turns: Sequence[StoredTurn]) -> str:
    """Every turn in order; a citation becomes a footnote with its quote, title, date, page and address."""
    lines = [f"# {line(summary.title)}", "", f"{summary.created_at:%Y-%m-%d %H:%M} UTC", ""]
    for number, turn in enumerate(turns):
        if turn.role == "user":
            lines += [f"## {line(turn.text)}", ""]
            if turn.error:
                lines += [f"*{json.loads(turn.error)['message']}*", ""]
        elif turn.answer:
            lines += [*answered(json.loads(turn.answer), number), ""]
    return "\n".join(lines).rstrip() + "\n"


def answered(answer: Mapping[str, Any], turn: int) -> Iterator[str]:
    """The answer's text with footnotes; `turn` keeps the footnotes of several answers apart."""
    text = answer["text"]
    for citation in answer["citations"]:
        text = text.replace(f"[{citation['number']}]", f"[^{turn}-{citation['number']}]")
    yield text
    for citation in answer["citations"]:
        facts = [line(citation["title"]), (citation["published_at"] or "")[:10], citation["url"]]
        if citation["page"]:
            facts.insert(1, f"p. {citation['page']}")
        where = ", ".join(fact for fact in facts if fact)
        yield ""
        yield f"[^{turn}-{citation['number']}]: “{line(citation['quote'])}” — {where}"
    if answer["nearest"]:
        yield ""
        for hit in answer["nearest"]:
            yield f"- {line(hit['document']['title'])}: {line(hit['passage']['text'])}"


def line(text: str) -> str:
    """The text on one line: a line break would end a heading or a footnote."""
    return " ".join(text.split())
