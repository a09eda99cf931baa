"""What the operator's annotation page works on: pairs of drafts to compare, and what the comparisons add up to."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from sqlalchemy import Engine, func, select

from rewards.elo import Game, ratings
from service.database import FEEDBACK, TURNS
from service.feedback import Feedback

LOOKED_AT = 500
"""Newest answers among which pairs are sought: enough for an afternoon, and read in a moment."""


@dataclass(frozen=True, slots=True)
class Side:
    """A draft as an annotator sees it: `index` into the answer's candidates; neither who wrote it nor its scores."""

    index: int
    text: str
    quotes: tuple[str, ...]
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two drafts of one stored answer, in an order that says nothing."""

    answer_id: str
    dialogue: Sequence[Mapping[str, str]]
    a: Side
    b: Side


@dataclass(frozen=True, slots=True)
class Rated:
    """A policy or tool that took part in comparisons, with its Elo rating."""

    name: str
    rating: float
    comparisons: int


@dataclass
class Probed:
    """How often a rule was found kept, and broken."""

    rule: str
    kept: int = 0
    broken: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """What was annotated so far."""

    pairs: int
    ratings: list[Rated] = field(default_factory=list)
    rules: list[Probed] = field(default_factory=list)


def waiting(engine: Engine, feedback: Feedback, limit: int) -> list[Pair]:
    """Pairs that nobody compared yet, one an answer, the newest answers first."""
    newest = select(TURNS.c.id, TURNS.c.answer).where(TURNS.c.answer.is_not(None))
    found: list[Pair] = []
    with engine.connect() as connection:
        for answer_id, stored in connection.execute(newest.order_by(TURNS.c.created_at.desc()).limit(LOOKED_AT)):
            answer = json.loads(stored)
            done = {texts(row) for row in feedback.export(everything=True, kind="pair", answer_id=answer_id)}
            pair = next((pair for pair in pairs(answer) if texts_of(answer, pair) not in done), None)
            if pair:
                _, dialogue, _ = feedback.answer(answer_id, None)
                a, b = ordered(answer_id, pair)
                found.append(Pair(answer_id, dialogue, side(answer, a), side(answer, b)))
            if len(found) == limit:
                break
    return found


def pairs(answer: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Drafts that say different things; those of different policies first, then those with the best scores."""
    drafts, scores = answer["candidates"], [judgement["score"] for judgement in answer["judgements"]]
    distinct = [(a, b) for a, b in combinations(range(len(drafts)), 2) if drafts[a]["text"] != drafts[b]["text"]]
    alike = {pair: drafts[pair[0]]["origin"] == drafts[pair[1]]["origin"] for pair in distinct}
    yield from sorted(distinct, key=lambda pair: (alike[pair], -scores[pair[0]] - scores[pair[1]]))


def ordered(answer_id: str, pair: tuple[int, int]) -> tuple[int, int]:
    """By chance, and the same at every look."""
    odd = hashlib.sha256(f"{answer_id} {pair}".encode()).digest()[0] % 2
    return (pair[1], pair[0]) if odd else pair


def side(answer: Mapping[str, Any], index: int) -> Side:
    draft = answer["candidates"][index]
    titles = dict.fromkeys(hit["document"]["title"] for hit in draft["evidence"])
    return Side(index, draft["text"], tuple(quote["text"] for quote in draft["quotes"]), tuple(titles))


def texts(row: Mapping[str, Any]) -> frozenset[str]:
    return frozenset((row["a"]["text"], row["b"]["text"]))


def texts_of(answer: Mapping[str, Any], pair: tuple[int, int]) -> frozenset[str]:
    return frozenset(answer["candidates"][index]["text"] for index in pair)


def summary(engine: Engine) -> Summary:
    """Elo ratings from all comparisons, and what became of each rule that was reported or probed. Added up by the
    database, so that a long log is as quick as a short one."""
    pair, count = FEEDBACK.c.kind == "pair", func.count()
    ends = (FEEDBACK.c.origin_a, FEEDBACK.c.origin_b, FEEDBACK.c.label)
    found = (FEEDBACK.c.rule, FEEDBACK.c.label)
    with engine.connect() as connection:
        compared = connection.execute(select(*ends, count).where(pair).group_by(*ends)).all()
        judged = connection.execute(
            select(*found, count).where(FEEDBACK.c.kind == "rule").group_by(*found).order_by(*found)
        ).all()
    games = [Game(*row) for row in compared if row.origin_a != row.origin_b]
    played: Counter[str] = Counter()
    for game in games:
        played.update({game.a: game.count, game.b: game.count})
    rated = sorted(ratings(games).items(), key=lambda item: -item[1])
    rules: dict[str, Probed] = {}
    for rule, label, times in judged:
        own = rules.setdefault(rule, Probed(rule))
        own.kept, own.broken = own.kept + times * (label == 1.0), own.broken + times * (label == 0.0)
    named = [Rated(name, value, played[name]) for name, value in rated]
    return Summary(sum(row[-1] for row in compared), named, list(rules.values()))
