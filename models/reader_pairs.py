"""What the reader learns from: questions beside passages that answer them, that do not, and that carry planted orders.

Question and passage texts are stored once each; a pair names both by number, so their lower states are computed once.
"""

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from indexing.split import sentences
from models.clozes import Text as Plain
from models.clozes import clozes
from models.fit import fold
from models.hard_pairs import answer_cut_out, single_sentences, swapped
from models.json_lines import read_lines
from models.reader import MOST_QUESTION, PASSAGE_PREFIX, QUESTION_PREFIX, Text, tokenized
from models.reader_rows import Bounds, Row, drawn, gold_places, read_rows, words
from models.table_questions import schemas, table_questions
from models.written import written_rows

SOURCES = ("squad.train", "drcd.train", "cmrc.train", "qamr.train")
QAMR_ROWS = 6_000
"""Of 16,950: their passages are single sentences, easier than what the reader will meet."""
WRONG_SHARE = {"squad.train": 0.5, "drcd.train": 0.75, "cmrc.train": 0.75}
"""Share of answerable rows that also get a wrong passage; SQuAD has unanswerable rows of its own."""
WRITTEN_WRONG = 0.4
"""The same of what was written."""
HARD_SHARE = 0.3
"""Share of the rows that get a harder copy of one kind: a swapped name, a passage without the answer, and for QAMR a
wrong sentence."""
SINGLE_SHARE = 0.15
"""Share of the rows that are also read beside single sentences."""
NEAR = 5
"""A wrong passage is drawn from this many best BM25 hits of the question."""
PLANTED_SHARE = 0.3
TESTS = ("squad.test", "drcd.test", "cmrc.test")
"""Sets whose articles no question is made from."""
CLOZES = 18_000
"""Questions made from plain text, half of them Chinese."""
TABLES = 40
"""Made-up tables of each schema."""
CUT_OUT = 0.15
"""Share of them that are also read beside their passage without the answer."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Text numbers of a question and a passage, and the gold token spans (inclusive) in the passage: none when it
    does not answer."""

    question: int
    passage: int
    golds: tuple[Bounds, ...]
    language: str
    article: str


@dataclass(slots=True)
class Corpus:
    """Every text once, tokenized, and the pairs of training and development."""

    texts: list[Text] = field(default_factory=list)
    train: list[Pair] = field(default_factory=list)
    development: list[Pair] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    hard: list[Pair] = field(default_factory=list)
    """Harder training pairs."""
    written: list[Pair] = field(default_factory=list)
    """Training pairs of what was written, for the epochs after those."""
    tables: list[Pair] = field(default_factory=list)
    """Training pairs about made-up tables, for the last epoch."""
    first: list[Pair] = field(default_factory=list)
    """Pairs made from plain text and disfluent questions, for the epoch before all others."""

    def checksum(self) -> str:
        """sha256 of all token ids, in order: names the cache of their states."""
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(repr(text.ids).encode())
        return digest.hexdigest()


def build(data: Path, tokenizer: Any, seed: int) -> Corpus:
    """The corpus of all SOURCES in `data`/qa and of what was written, with wrong passages and planted orders."""
    rng = random.Random(seed)
    orders = [order for order in read_orders(data) if not order.held_out]
    corpus = Corpus()
    drafts: list[tuple[Row, str]] = []
    hard: list[tuple[Row, str]] = []
    for source in SOURCES:
        rows = read_rows(data / "qa" / f"{source}.jsonl.gz")
        if source == "qamr.train":
            rows = drawn(rows, QAMR_ROWS)
        drafts += [(row, planted_copy(row, orders, rng)) for row in rows]
        drafts += wrong_passages(rows, WRONG_SHARE.get(source, 0.0), rng)
        hard += harder(rows, source, random.Random(f"{seed} {source}"))
    rows = written_rows()
    own = [(row, planted_copy(row, orders, rng)) for row in rows] + wrong_passages(rows, WRITTEN_WRONG, rng)
    first = made_up(data, [row for row, _ in drafts], random.Random(f"{seed} first"))
    tables = [(row, row.context) for row in table_questions(schemas(), TABLES, seed)]
    every = drafts + hard + first + own + tables
    add_texts(corpus, tokenizer, QUESTION_PREFIX, (row.question for row, _ in every), MOST_QUESTION)
    add_texts(corpus, tokenizer, PASSAGE_PREFIX, (passage for _, passage in every))

    def pairs(some: Sequence[tuple[Row, str]], development: bool = False) -> list[Pair]:
        """Those on one side of the development split."""
        side = ((row, passage) for row, passage in some if (fold(row.article) == 0) == development)
        return [pair for row, passage in side if (pair := pair_of(corpus, row, passage))]

    corpus.development = pairs([*drafts, *own, *tables], development=True)
    corpus.train, corpus.hard, corpus.first = (pairs(some) for some in (drafts, hard, first))
    corpus.written, corpus.tables = pairs(own), pairs(tables)
    return corpus


def made_up(data: Path, rows: Sequence[Row], rng: random.Random) -> list[tuple[Row, str]]:
    """Questions made from encyclopedia leads and from the rows' own passages, some of them beside the passage without
    the answer; and the questions of the rows that people have rewritten in broken speech (Disfl-QA)."""
    tested = {row.article for name in TESTS for row in read_rows(data / "qa" / f"{name}.jsonl.gz")}
    texts = {row.context: Plain(row.article, row.context, row.language) for row in rows if row.source != "qamr.train"}
    for row in read_lines(data / "lm" / "wiki-leads.jsonl.gz"):
        texts[row["text"]] = Plain(row["title"], row["text"], row["lang"])
    kept = [text for text in texts.values() if text.article not in tested and fold(text.article) != 0]
    made = clozes(kept, CLOZES, rng)
    spoken = {}
    for row in read_lines(data / "rewrite" / "disfl-qa.train.jsonl.gz"):
        spoken[row["title"].replace("_", " "), row["rewrite"]] = row["question"]
    broken = [
        replace(row, question=spoken[row.article.replace("_", " "), row.question])
        for row in dict.fromkeys(rows)
        if (row.article.replace("_", " "), row.question) in spoken
    ]
    return [(row, row.context) for row in made + broken] + answer_cut_out(made, CUT_OUT, rng)


def pair_of(corpus: Corpus, row: Row, passage: str) -> Pair | None:
    """Both as numbers of texts. None where the answer is there, but not as whole tokens or past the cut: nothing to
    learn."""
    number = corpus.numbers[PASSAGE_PREFIX + passage]
    golds = gold_tokens(corpus.texts[number], gold_places(row, passage))
    if row.answers and not golds and any(answer in passage for answer in row.answers):
        return None
    return Pair(corpus.numbers[QUESTION_PREFIX + row.question], number, golds, row.language, row.article)


def harder(rows: Sequence[Row], source: str, rng: random.Random) -> list[tuple[Row, str]]:
    """The harder drafts of one source (models/hard_pairs.py). QAMR's passages are single sentences: only wrong ones."""
    if source == "qamr.train":
        return wrong_passages(rows, HARD_SHARE, rng)
    return [
        *swapped(rows, HARD_SHARE, rng),
        *answer_cut_out(rows, HARD_SHARE, rng),
        *single_sentences(rows, SINGLE_SHARE, rng),
    ]


def add_texts(corpus: Corpus, tokenizer: Any, prefix: str, texts: Iterable[str], most: int = 512) -> None:
    """Tokenize what is new, in the order it first appears; of an over-long text its first tokens."""
    fresh = [text for text in dict.fromkeys(texts) if prefix + text not in corpus.numbers]
    for text, made in zip(fresh, tokenized(tokenizer, prefix, fresh), strict=True):
        corpus.numbers[prefix + text] = len(corpus.texts)
        corpus.texts.append(made[0].cut(most))


def gold_tokens(text: Text, places: Sequence[Bounds]) -> tuple[Bounds, ...]:
    """First and last token of each character span."""
    spans = []
    for start, end in places:
        touched = [n for n, (low, high) in enumerate(text.offsets) if low < high and low < end and high > start]
        if touched:
            spans.append((touched[0], touched[-1]))
    return tuple(dict.fromkeys(spans))


def wrong_passages(rows: Sequence[Row], share: float, rng: random.Random, near: int = NEAR) -> list[tuple[Row, str]]:
    """For a share of the answerable rows, one of the `near` passages of the same file that BM25 likes most and that
    lack the answers.

    Stays on the row's own side of the development split.
    """
    if not share:
        return []
    nearby, chosen = Nearby(rows), []
    for row in rows:
        if not row.answers or rng.random() >= share:
            continue
        if wrong := nearby.wrong(row, near):
            chosen.append((row, rng.choice(wrong)))
    return chosen


class Nearby:
    """The passages of some rows, found by BM25; those on the other side of the development split are never seen."""

    def __init__(self, rows: Sequence[Row]) -> None:
        from rank_bm25 import BM25Okapi

        passages = {row.context: fold(row.article) == 0 for row in rows}
        self.sides = {side: [text for text, own in passages.items() if own == side] for side in (True, False)}
        self.ranks = {side: BM25Okapi([words(text) for text in texts]) for side, texts in self.sides.items() if texts}

    def wrong(self, row: Row, count: int) -> list[str]:
        """The `count` likeliest passages for a question that are not its own and lack its answers, best first."""
        side = fold(row.article) == 0
        scores = self.ranks[side].get_scores(words(row.question))
        best = [self.sides[side][place] for place in scores.argsort()[::-1][: count + 5]]
        return [text for text in best if text != row.context and not any(answer in text for answer in row.answers)][
            :count
        ]


@dataclass(frozen=True, slots=True)
class Order:
    """An instruction to plant in a document; a fifth of the categories is held out to measure with."""

    text: str
    category: str
    held_out: bool


def read_orders(data: Path) -> list[Order]:
    """The BIPIA attacks. Raises BadInput when the file is absent."""
    rows = read_lines(data / "rules" / "bipia-attacks.train.jsonl.gz")
    return [Order(row["text"], row["category"], fold(row["category"]) == 0) for row in rows]


def planted_copy(row: Row, orders: Sequence[Order], rng: random.Random) -> str:
    """The row's passage, or for PLANTED_SHARE of the passages a copy with an order in it (the same copy each time).

    Half of those rows keep the clean passage.
    """
    own = random.Random(f"planted {row.context}")
    if len(sentences(row.context)) < 2 or own.random() >= PLANTED_SHARE or rng.random() < 0.5:
        return row.context
    return plant(row.context, own.choice(orders).text, own)


def plant(text: str, order: str, rng: random.Random) -> str:
    """`text` with `order` between two of its sentences, or at its end."""
    stops = [end for _, end in sentences(text)]
    place = rng.choice(stops)
    return f"{text[:place]} {order} {text[place:].lstrip()}".strip()
