"""What the chat model is shown: dialogues in the format of `models/prompts.py`, made from public data.

Every demonstration ends with what Passerine writes: a search query, a tool's name, the bare answer, an honest "the
results do not say", or a reply that needs no search.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from indexing.types import Document, Hit, Passage
from models.calculator import arithmetic
from models.fit import fold
from models.json_lines import read_lines
from models.plan import completed
from models.prompts import BRIEF, CALCULATOR_MARK, NOT_SAID, QUERY_MARK, evidence_prompt, plain_prompt
from models.reader_rows import Row, read_rows
from models.rewrite import rewrite
from models.term_data import Example, answered, canard, made_up
from models.train_plan import OPEN_QUESTIONS, OWN, TITLES, open_questions, questions_of_tests, typed
from models.types import Conversation, Message, Prompt, Turn
from models.words import content_words
from models.written import written_rows

REPLIES = Path(__file__).parent / "examples" / "replies.yaml"
TALK = Path(__file__).parent / "bundled" / "talk.yaml"
FILES = (
    "qa/squad.train.jsonl.gz",
    "qa/qamr.train.jsonl.gz",
    "rewrite/canard.train.jsonl.gz",
    "rewrite/disfl-qa.train.jsonl.gz",
    "search-decision/train.jsonl.gz",
    "rules/redteam-prompts.jsonl.gz",
    *OPEN_QUESTIONS,
    TITLES[0],
)
RELEASABLE = (
    "canard-dev",
    "cast-2019",
    "clinc150-train",
    "clinc150-val",
    "chatterbot-en",
    "chatterbot-zh",
    "cmrc2018-dev",
    "cmrc2018-trial",
    "drcd-dev",
    "template",
    "template+squad",
    "template+drcd/cmrc",
)
"""Sources of the search decision whose licence lets weights be released."""
REPLIED_AS = {
    "chit-chat": "small-talk",
    "code": "creative-or-rewriting",
    "creative": "creative-or-rewriting",
    "translation": "text-given",
}
"""Kinds of our own messages that are replied to as those of another name."""
EARLIER_TURN = 0.15
"""Share of the readings that come after another question about the same passage."""
WRONG_PASSAGE = 0.1
"""Answerable questions shown with another passage of their article, to be answered with NOT_SAID."""
TYPED = 0.25
"""Share of the questions about a passage in lower case and without a mark, as people type them."""
ONE_PASSAGE = 8
"""Questions at most that are asked one after another about a passage, which is read once for all of them."""
RECENT = (2, 4, 6)
"""How many of a long dialogue's last turns are kept before the question that leans on them."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A dialogue whose last message is Passerine's. What Passerine writes after message `asked` is learnt; `group`
    never crosses a split."""

    messages: Prompt
    asked: int
    kind: str
    group: str


@dataclass(frozen=True, slots=True)
class Shares:
    """How many demonstrations of each kind; a kind with fewer gives all it has."""

    written: int = 2_200
    articles: int = 700
    short: int = 200
    answerable: int = 600
    unanswerable: int = 250
    canard: int = 500
    made_up: int = 700
    fluent: int = 100
    alone: int = 500
    alone_zh: int = 300
    unaided: int = 500
    unaided_zh: int = 300
    talk: int = 250
    sums: int = 100
    unsafe: int = 100


def demonstrations(data: Path, seed: int = 0, shares: Shares | None = None) -> list[Demonstration]:
    """All of them, in a fixed order. Raises BadInput when a file is absent."""
    wanted, rng = shares or Shares(), random.Random(seed)
    squad = read_rows(data / "qa" / "squad.train.jsonl.gz")
    decisions = decided(data)
    english_decisions = [row for row in decisions if row["lang"] == "en"]
    chinese_decisions = [row for row in decisions if row["lang"] == "zh"]
    english = [row for row in written_rows() if row.language == "en"]
    kinds = {
        "written": (wanted.written, together(english, rng)),
        "articles": (wanted.articles, together(squad, rng)),
        "short": (wanted.short, together(read_rows(data / "qa" / "qamr.train.jsonl.gz"), rng)),
        "answerable": (wanted.answerable, readings([row for row in squad if row.answers], squad, rng)),
        "unanswerable": (wanted.unanswerable, readings([row for row in squad if not row.answers], squad, rng)),
        "canard": (wanted.canard, (following(one, rng) for one in canard(data))),
        "made_up": (wanted.made_up, (following(one, rng) for one in made_up(squad, rng))),
        "fluent": (wanted.fluent, fluent(data)),
        "alone": (wanted.alone, alone(data, english_decisions, "en")),
        "alone_zh": (wanted.alone_zh, alone(data, chinese_decisions, "zh")),
        "unaided": (wanted.unaided, unaided(english_decisions, rng)),
        "unaided_zh": (wanted.unaided_zh, unaided(chinese_decisions, rng)),
        "talk": (wanted.talk, talk(rng)),
        "sums": (wanted.sums, sums(decisions)),
        "unsafe": (wanted.unsafe, unsafe(data, rng)),
    }
    made: list[Demonstration] = []
    for most, found in kinds.values():
        own = list(found)
        made += rng.sample(own, min(most, len(own)))
    return made


def decided(data: Path) -> list[dict[str, Any]]:
    """Messages with the decision to search, of sources that may be released and of our own hard cases, without the
    questions of the reading tests and without those of ours that measure the search decision."""
    barred = questions_of_tests(data)
    composed = read_lines(data / "search-decision" / "train.jsonl.gz")
    released = [row for row in composed if row["source"] in RELEASABLE and row["text"].strip() not in barred]
    own = [row for row in read_lines(OWN) if fold(f"own-{row.get('group', row['text'])}") != 1]
    return released + own


def is_development(demonstration: Demonstration) -> bool:
    """A fifth of the articles, dialogues and messages, by hash."""
    return fold(demonstration.group) == 0


def readings(rows: Sequence[Row], others: Sequence[Row], rng: random.Random) -> Iterator[Demonstration]:
    """A question, its search, the passage, and the bare answer as it stands there, or NOT_SAID."""
    passages: dict[str, list[Row]] = defaultdict(list)
    for row in others:
        passages[row.article].append(row)
    for row in rows:
        shown, reply = row.context, said(row).text
        if row.answers and rng.random() < WRONG_PASSAGE:
            wrong = wrong_passage(row, passages[row.article], rng)
            shown, reply = (wrong, NOT_SAID) if wrong else (shown, reply)
        earlier: tuple[Turn, ...] = ()
        near = [other for other in passages[row.article] if other.context == row.context and other.answers]
        if near and rng.random() < EARLIER_TURN:
            before = rng.choice(near)
            earlier = (Turn("user", before.question), Turn("assistant", answered(before, rng)))
        question = written_by(row, rng)
        conversation = Conversation((*earlier, Turn("user", question)))
        prompt = evidence_prompt(conversation, (hit_of(row.article, shown),), question, BRIEF)
        kind = f"{row.source} {'said' if reply != NOT_SAID else 'not said'}"
        yield Demonstration((*prompt, Message("assistant", reply)), 1 + len(earlier), kind, row.article)


def together(rows: Sequence[Row], rng: random.Random) -> Iterator[Demonstration]:
    """A question, its search, the passage and the bare answer or NOT_SAID; then more questions about that passage."""
    passages: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        passages[row.context].append(row)
    for context, own in passages.items():
        order = rng.sample(own, len(own))
        for first, *more in (order[at : at + ONE_PASSAGE] for at in range(0, len(order), ONE_PASSAGE)):
            title = first.article if first.article != context else ""
            asked = Conversation((Turn("user", written_by(first, rng)),))
            messages = [*evidence_prompt(asked, (hit_of(title, context),), asked.question, BRIEF), said(first)]
            for row in more:
                messages += [Message("user", f"Question: {written_by(row, rng)}"), said(row)]
            yield Demonstration(tuple(messages), 1, f"{first.source} together", first.article)


def said(row: Row) -> Message:
    """The bare answer, the shortest that is known, or NOT_SAID."""
    return Message("assistant", min(row.answers, key=len) if row.answers else NOT_SAID)


def written_by(row: Row, rng: random.Random) -> str:
    """The question, at times as people type it."""
    return typed(row.question) if rng.random() < TYPED else row.question


def wrong_passage(row: Row, near: Sequence[Row], rng: random.Random) -> str:
    """Another passage of the article without the answer, one that shares words with the question; "" where none is."""
    texts = {one.context for one in near if not any(answer in one.context for answer in row.answers)}
    drawn = rng.sample(sorted(texts), min(8, len(texts)))
    asked = set(content_words(row.question))
    return max(drawn, key=lambda text: len(asked & set(content_words(text))), default="")


def hit_of(title: str, text: str) -> Hit:
    """A passage as search would bring it."""
    return Hit(Passage("p", "d", 0, 0, len(text), text), Document("d", "", title, text), 1.0)


def following(one: Example, rng: random.Random) -> Demonstration:
    """The end of a conversation, searched for by its last turn with what it leaves out behind it: what a search needs,
    and easier to learn than a person's whole rewriting."""
    turns = one.turns[-1 - rng.choice(RECENT) :]
    heard = "\n".join(turn.text for turn in turns[:-1]).casefold()
    resolved = rewrite(Conversation(turns)).text
    query = completed(resolved, [word for word in one.needed if word.casefold() in heard])
    return searching(turns, query, "canard" if one.source == "canard" else "made-up", one.group)


def searching(turns: Sequence[Turn], query: str, kind: str, group: str) -> Demonstration:
    """A dialogue that Passerine goes on with a search query."""
    return replying(turns, f"{QUERY_MARK} {query}", kind, group)


def replying(turns: Sequence[Turn], reply: str, kind: str, group: str) -> Demonstration:
    """A dialogue that Passerine goes on with `reply`."""
    prompt = plain_prompt(Conversation(tuple(turns)), BRIEF)
    return Demonstration((*prompt, Message("assistant", reply)), len(prompt) - 1, kind, group)


def fluent(data: Path) -> Iterator[Demonstration]:
    """Questions with slips of the tongue, searched for as they were meant."""
    for row in read_lines(data / "rewrite" / "disfl-qa.train.jsonl.gz"):
        yield searching((Turn("user", row["question"]),), row["rewrite"], "disfluent", row["title"])


def alone(data: Path, decisions: Sequence[dict[str, Any]], language: str) -> Iterator[Demonstration]:
    """Questions and topics that stand alone are searched for as they are."""
    texts = [row["text"] for row in decisions if row["search"]]
    for text in (*texts, *(row.text for row in open_questions(data) if row.lang == language)):
        yield searching((Turn("user", text),), text, f"stand-alone {language}", text)


def unaided(decisions: Sequence[dict[str, Any]], rng: random.Random) -> Iterator[Demonstration]:
    """Messages that need no search, with what Passerine has to say to their kind."""
    replies = yaml.safe_load(REPLIES.read_text(encoding="utf-8"))
    for row in decisions:
        kind = REPLIED_AS.get(row["kind"], row["kind"])
        own = replies.get(kind, {}).get(row["lang"])
        if not row["search"] and own:
            yield replying((Turn("user", row["text"]),), rng.choice(own), f"{kind} {row['lang']}", row["text"])


def talk(rng: random.Random) -> Iterator[Demonstration]:
    """Small talk of the bundled list, in both languages."""
    for entry in yaml.safe_load(TALK.read_text(encoding="utf-8")):
        for language, phrases in entry["phrases"].items():
            for phrase in phrases:
                yield replying((Turn("user", phrase),), rng.choice(entry["answers"][language]), "talk", phrase)


def sums(decisions: Sequence[dict[str, Any]]) -> Iterator[Demonstration]:
    """Arithmetic goes to the calculator."""
    for row in decisions:
        expression = arithmetic(row["text"]) if row["kind"] == "arithmetic" else None
        if expression:
            yield replying((Turn("user", row["text"]),), f"{CALCULATOR_MARK} {expression}", "arithmetic", row["text"])


def unsafe(data: Path, rng: random.Random) -> Iterator[Demonstration]:
    """Hostile messages are declined."""
    replies = yaml.safe_load(REPLIES.read_text(encoding="utf-8"))["hostile"]["en"]
    for row in read_lines(data / "rules" / "redteam-prompts.jsonl.gz"):
        yield replying((Turn("user", row["text"]),), rng.choice(replies), "hostile", row["text"])
