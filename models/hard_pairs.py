"""Harder pairs for the reader's last epoch: what looks like an answer and is none, and answers in single sentences.

Each function gives rows beside passages, as models/reader_pairs.py makes pairs of. A row without answers says that the
passage does not answer it.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from indexing.split import sentences
from models.quotes import CHINESE
from models.reader_rows import Row, gold_places, words

Draft = tuple[Row, str]

NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*|(?<!\d)\d[\d,.]*\d(?!\d)")
"""A Latin name inside a sentence, or a number of more than one digit."""
COUNTED = re.compile(r"[一二三四五六七八九十百千兩两幾几]")
"""Chinese answers that begin so are amounts, which stand in questions by chance."""
CHINESE_NAME = range(2, 9)
"""Lengths of the Chinese answers that count as names when they stand in a question."""


def swapped(rows: Sequence[Row], share: float, rng: random.Random) -> list[Draft]:
    """Questions whose name or number was exchanged for one that the passage does not hold, of the same article where
    there is one: beside its passage, each has no answer."""
    lexicon = {answer for row in rows for answer in row.answers if chinese_name(answer)}
    near: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        near[row.article].update(names(row.question, lexicon))
        near[row.article].update(names(row.context, ()))
    everywhere = sorted(set().union(*near.values())) if near else []
    drafts = []
    for row in rows:
        if not row.answers or rng.random() >= share:
            continue
        own = [name for name in names(row.question, lexicon) if name in row.context and name not in row.answers]
        if not own:
            continue
        name = rng.choice(own)
        for pool in (sorted(near[row.article]), everywhere):
            fitting = [other for other in pool if alike(name, other) and other not in row.context + row.question]
            if fitting:
                question = row.question.replace(name, rng.choice(fitting))
                drafts.append((replace(row, question=question, answers=(), start=None), row.context))
                break
    return drafts


def chinese_name(text: str) -> bool:
    """Whether a short answer is all Chinese."""
    return len(text) in CHINESE_NAME and len(CHINESE.findall(text)) == len(text) and not COUNTED.match(text)


def names(text: str, lexicon: Iterable[str]) -> list[str]:
    """Latin names and numbers of a text, and the Chinese names of the lexicon that stand in it."""
    return list(dict.fromkeys([*NAME.findall(text), *sorted(name for name in lexicon if name in text)]))


def alike(name: str, other: str) -> bool:
    """Whether one can stand for the other: numbers of as many digits, Chinese of as many characters, or Latin names of
    as many words."""
    if name[0].isdigit() or other[0].isdigit():
        return name[0].isdigit() and other[0].isdigit() and len(name) == len(other)
    if CHINESE.match(name) or CHINESE.match(other):
        return bool(CHINESE.match(name)) == bool(CHINESE.match(other)) and len(name) == len(other)
    return len(name.split()) == len(other.split())


def answer_cut_out(rows: Sequence[Row], share: float, rng: random.Random) -> list[Draft]:
    """Passages without the sentences that hold an answer: all of the topic, nothing of the answer."""
    drafts = []
    for row in rows:
        if row.answers and rng.random() < share:
            kept = [text for text in parts(row.context) if not any(answer in text for answer in row.answers)]
            left = "".join(kept).strip()
            if left and not any(answer in left for answer in row.answers):
                drafts.append((row, left))
    return drafts


def single_sentences(rows: Sequence[Row], share: float, rng: random.Random) -> list[Draft]:
    """For a share of the answerable rows the sentence that holds the answer alone, and the one that shares most words
    with the question of those that do not."""
    drafts = []
    for row in rows:
        if not row.answers or rng.random() >= share:
            continue
        own = [text.strip() for text in parts(row.context)]
        places = gold_places(row, row.context)
        bounds = sentences(row.context)
        inside = [
            row.context[low:high] for low, high in bounds for start, end in places if low <= start and end <= high
        ]
        without = [text for text in own if text and not any(answer in text for answer in row.answers)]
        if inside:
            drafts.append((row, inside[0].strip()))
        if without:
            asked = set(words(row.question))
            drafts.append((row, max(without, key=lambda text: len(asked & set(words(text))))))
    return drafts


def parts(text: str) -> list[str]:
    """The sentences with the space behind them: joined, they are the text."""
    bounds = sentences(text)
    ends = [start for start, _ in bounds[1:]] + [len(text)]
    return [text[start:end] for (start, _), end in zip(bounds, ends, strict=True)]
