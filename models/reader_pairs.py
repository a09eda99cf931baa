"""What the reader learns from: questions beside passages that answer them, that do not, and that carry planted orders.

Question and passage texts are stored once each; a pair names both by number, so their lower states are computed once.
"""

import hashlib
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from indexing.split import sentences
from models.fit import fold
from models.json_lines import read_lines
from models.quotes import CHINESE, whole_words
from models.reader import MOST_QUESTION, PASSAGE_PREFIX, QUESTION_PREFIX, Text, tokenized

Bounds = tuple[int, int]

SOURCES = ("squad.train", "drcd.train", "cmrc.train", "qamr.train")
QAMR_ROWS = 6_000
"""Of 16,950: their passages are single sentences, easier than what the reader will meet."""
WRONG_SHARE = {"squad.train": 0.5, "drcd.train": 0.75, "cmrc.train": 0.75}
"""Share of answerable rows that also get a wrong passage; SQuAD has unanswerable rows of its own."""
SCRIPTS = {"drcd.train": "t2s", "cmrc.train": "s2t"}
"""Chinese sources that are also read in the other script (OpenCC's names of the conversions)."""
NEAR = 5
"""A wrong passage is drawn from this many best BM25 hits of the question."""
PLANTED_SHARE = 0.3
MOST_PLACES = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a reading set. `article` decides on which side of the development split it falls."""

    id: str
    source: str
    language: str
    article: str
    context: str
    question: str
    answers: tuple[str, ...]
    start: int | None


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

    def checksum(self) -> str:
        """sha256 of all token ids, in order: names the cache of their states."""
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(repr(text.ids).encode())
        return digest.hexdigest()


def read_rows(path: Path) -> list[Row]:
    """Rows of `qa/NAME.jsonl.gz`. Raises BadInput when the file is absent."""
    source = path.name.removesuffix(".jsonl.gz")
    return [
        Row(
            row["id"],
            source,
            row["lang"],
            row["title"] or row["context"],
            row["context"],
            row["question"],
            tuple(row["answers"]) if row["answerable"] else (),
            (row.get("answer_starts") or [None])[0],
        )
        for row in read_lines(path)
    ]


def build(data: Path, tokenizer: Any, seed: int) -> Corpus:
    """The corpus of all SOURCES in `data`/qa, with wrong passages and planted orders."""
    rng = random.Random(seed)
    orders = [order for order in read_orders(data) if not order.held_out]
    corpus = Corpus()
    drafts: list[tuple[Row, str]] = []
    for source in SOURCES:
        rows = read_rows(data / "qa" / f"{source}.jsonl.gz")
        if source == "qamr.train":
            rows = sorted(rows, key=lambda row: hashlib.sha256(row.id.encode()).digest())[:QAMR_ROWS]
        if source in SCRIPTS:
            rows += in_other_script(rows, SCRIPTS[source])
        drafts += [(row, planted_copy(row, orders, rng)) for row in rows]
        drafts += wrong_passages(rows, WRONG_SHARE.get(source, 0.0), rng)
    add_texts(corpus, tokenizer, QUESTION_PREFIX, (row.question for row, _ in drafts), MOST_QUESTION)
    add_texts(corpus, tokenizer, PASSAGE_PREFIX, (passage for _, passage in drafts))
    for row, passage in drafts:
        number = corpus.numbers[PASSAGE_PREFIX + passage]
        golds = gold_tokens(corpus.texts[number], gold_places(row, passage))
        if row.answers and not golds and any(answer in passage for answer in row.answers):
            continue  # the answer is there, but not as whole tokens or past the cut: nothing to learn
        pair = Pair(corpus.numbers[QUESTION_PREFIX + row.question], number, golds, row.language, row.article)
        (corpus.development if fold(row.article) == 0 else corpus.train).append(pair)
    return corpus


def in_other_script(rows: Sequence[Row], conversion: str) -> list[Row]:
    """Copies of Chinese rows in the other script, character for character. The article keeps its name, so that a copy
    falls on the same side of the development split; rows whose length would change are left out."""
    from opencc import OpenCC

    convert = OpenCC(conversion).convert
    copies = []
    for row in rows:
        context, answers = convert(row.context), tuple(convert(answer) for answer in row.answers)
        if len(context) == len(row.context) and all(answer in context for answer in answers):
            copies.append(replace(row, context=context, question=convert(row.question), answers=answers))
    return copies


def add_texts(corpus: Corpus, tokenizer: Any, prefix: str, texts: Iterable[str], most: int = 512) -> None:
    """Tokenize what is new, in the order it first appears; of an over-long text its first tokens."""
    fresh = [text for text in dict.fromkeys(texts) if prefix + text not in corpus.numbers]
    for text, made in zip(fresh, tokenized(tokenizer, prefix, fresh), strict=True):
        corpus.numbers[prefix + text] = len(corpus.texts)
        corpus.texts.append(made[0].cut(most))


def gold_places(row: Row, passage: str) -> list[Bounds]:
    """Character spans of the answers in a passage. Where the source states the place, that one; else every one.

    None in a wrong passage (chosen so that it lacks the answers).
    """
    if not row.answers:
        return []
    if row.start is not None and passage == row.context:
        return [(row.start, row.start + len(row.answers[0]))]
    places: dict[Bounds, None] = {}
    for answer in row.answers:
        for match in re.finditer(re.escape(answer), passage):
            if whole_words(passage, *match.span()):
                places[match.span()] = None
        if not places and answer in passage:
            places[passage.index(answer), passage.index(answer) + len(answer)] = None
    return list(places)[:MOST_PLACES]


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
    from rank_bm25 import BM25Okapi

    passages = {row.context: fold(row.article) == 0 for row in rows}
    sides = {side: [text for text, own in passages.items() if own == side] for side in (True, False)}
    ranks = {side: BM25Okapi([words(text) for text in texts]) for side, texts in sides.items() if texts}
    drawn = []
    for row in rows:
        if not row.answers or rng.random() >= share:
            continue
        side = fold(row.article) == 0
        scores = ranks[side].get_scores(words(row.question))
        best = [sides[side][place] for place in scores.argsort()[::-1][: near + 5]]
        wrong = [text for text in best if text != row.context and not any(answer in text for answer in row.answers)]
        if wrong:
            drawn.append((row, rng.choice(wrong[:near])))
    return drawn


def words(text: str) -> list[str]:
    """Latin words in lower case, and overlapping pairs of Chinese characters."""
    chinese = CHINESE.findall(text)
    return re.findall(r"\w+", CHINESE.sub(" ", text).lower()) + [a + b for a, b in pairwise(chinese)]


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
