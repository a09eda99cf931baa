"""What the support judge learns from: a question, words that may answer it, and whether they do."""

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexing.split import sentences
from models.fit import fold
from models.json_lines import read_lines
from models.quotes import CHINESE
from models.reader_rows import Row
from models.written import SOURCE as WRITTEN
from models.written import written_rows
from rewards.altered import EVASIVE, altered, names_of, said_again
from rewards.readings import Draft, titled

WORD = re.compile(r"[\u3400-\u9fff]|[^\W_]+")
SPAN = re.compile(
    r"\d[\d,.]*%?|[A-Z][\w'-]*(?: (?:of |the )?[A-Z][\w'-]*)*|[\u3400-\u9fff]{2,6}|[a-z]{4,}(?: [a-z]{4,})?"
)
MOST_ROWS = {"qamr.train": 1500, "squad.train": 5100, "cmrc.test": 300, "squad.test": 1200}
"""Rows taken of the large sets, evenly spaced."""
SAID = {"squad": {"train": 1500, "test": 400}, "drcd": {"train": 1200, "test": 400}}
"""Questions of a set whose right quote is also said again and altered."""
TITLED = 0.6
"""Share of drafts whose evidence names its title, as a passage in the index mostly does."""


@dataclass(frozen=True, slots=True)
class Example:
    """A draft with its label. `group` is the article or dialogue, which never crosses a split; `kind` says how the
    example came about: right, same-passage, other-passage, unanswerable, wrong-short; said-again, altered-number,
    altered-name, negated, wrong-quote, evasive for a statement beside its quote; or BEGIN's own labels."""

    draft: Draft
    label: float
    group: str
    source: str
    kind: str


BEGINNING = 80
"""Characters of a dialogue's first turn by which it falls into a group."""


def held_out(group: str) -> bool:
    """Whether a group is development data: a fifth of the titles by hash, the same in every trainer."""
    return fold(group.partition(":")[2]) == 0


def words(text: str) -> list[str]:
    """Words in lower case; a Chinese character is a word."""
    return WORD.findall(text.lower())


class Passages:
    """The passages of a reading set, cut into quotes as a policy would cite them: a sentence, in a third of the cases
    with the next one, mostly under the title of its article. And which quote elsewhere looks most like an answer."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        titles = {row["context"]: row["title"] for row in rows}
        self.texts = list(titles)
        self.quotes = [self._cut(text, titles[text]) for text in self.texts]
        self.number = {text: i for i, text in enumerate(self.texts)}
        self.where: dict[str, list[int]] = {}
        for i, text in enumerate(self.texts):
            for word in set(words(text)):
                self.where.setdefault(word, []).append(i)

    @staticmethod
    def _cut(text: str, title: str) -> list[str]:
        random_ = random.Random(text)
        say = title if random_.random() < TITLED else ""
        spans = sentences(text)
        ends = [min(i + (random_.random() < 0.33), len(spans) - 1) for i in range(len(spans))]
        found = [text[spans[i][0] : spans[end][1]].strip() for i, end in enumerate(ends)]
        return [titled(say, quote) for quote in found if len(words(quote)) > 3]

    def rarity(self, word: str) -> float:
        """ln(1 + passages / passages with the word)."""
        return math.log(1 + len(self.texts) / (1 + len(self.where.get(word, ()))))

    def elsewhere(self, row: dict[str, Any]) -> str:
        """The likeliest quote of the three other passages that share the question's rarest words; "" without one."""
        scores: Counter[int] = Counter()
        for word in sorted(set(words(row["question"]))):
            found = self.where.get(word, ())
            if len(found) < len(self.texts) / 5:
                for i in found:
                    scores[i] += self.rarity(word)  # type: ignore[assignment]
        del scores[self.number[row["context"]]]
        near = [i for i, _ in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:3]]
        choice = [s for i in near for s in self.quotes[i] if not any(gold in s for gold in row["answers"])]
        return self.ranked(row["question"], choice)[0] if choice else ""

    def ranked(self, question: str, choice: Sequence[str]) -> list[str]:
        """Sentences by the rarity of the words they share with a question."""
        asked = set(words(question))
        score = {s: sum(self.rarity(word) for word in sorted(asked & set(words(s)))) for s in choice}
        return sorted(choice, key=lambda s: (-score[s], s))


def reading_examples(rows: Sequence[dict[str, Any]], source: str, seed: int) -> list[Example]:
    """Right and wrong drafts for the rows of a reading set (`qa/`)."""
    random_, passages, made = random.Random(seed), Passages(rows), list[Example]()
    for row in rows:
        question, golds, number = row["question"], row["answers"], passages.number[row["context"]]
        group, own = f"{source}:{row['title'] or row['context']}", passages.quotes[number]

        def add(text: str, short: str, label: float, kind: str) -> None:
            bare = short if kind == "wrong-short" or random_.random() < 0.7 else ""
            drafted = Draft(question, text, bare)  # noqa: B023
            made.append(Example(drafted, label, group, source, kind))  # noqa: B023

        wrong = passages.ranked(question, [s for s in own if not any(gold in s for gold in golds)])
        if golds:
            right = passages.ranked(question, [s for s in own if golds[0] in s])
            if not right:
                continue
            add(right[0], golds[0], 1.0, "right")
            other = _other_span(right[0], golds, random_)
            if other and random_.random() < 0.35:
                add(right[0], other, 0.0, "wrong-short")
            if wrong:
                text = wrong[0] if random_.random() < 0.6 else random_.choice(wrong)
                add(text, _other_span(text, golds, random_), 0.0, "same-passage")
        elif wrong:
            add(wrong[0], _other_span(wrong[0], (), random_), 0.0, "unanswerable")
        if random_.random() < 0.5:
            far = passages.elsewhere(row)
            if far:
                add(far, _other_span(far, golds, random_), 0.0, "other-passage")
    return made


def said_examples(examples: Sequence[Example], source: str, seed: int, most: int | None = None) -> list[Example]:
    """Statements beside the quote that they rest on, as a writing policy drafts them: the right quote said again, and
    the same statement altered, beside a quote that does not hold it, or evading the question."""
    random_ = random.Random(f"{seed} said {source}")
    by_question: dict[tuple[str, str], list[Example]] = {}
    for example in examples:
        by_question.setdefault((example.group, example.draft.question), []).append(example)
    right = [members for members in by_question.values() if members[0].kind == "right"]
    right = random_.sample(right, min(len(right), most or len(right)))
    quotes = [members[0].draft.answer for members in right]
    names = names_of(quotes, [members[0].draft.short for members in right])
    made = []
    for members, quote in zip(right, quotes, strict=True):
        one = members[0]
        statement = said_again(bare(quote), random_)
        drafted = {
            "said-again": (statement, quote),
            **{kind: (text, quote) for kind, text in altered(statement, names, random_).items()},
        }
        wrong = [e.draft.answer for e in members if e.kind in ("same-passage", "other-passage")]
        if wrong:
            drafted["wrong-quote"] = (statement, random_.choice(wrong))
        evasions = EVASIVE["zh" if CHINESE.search(quote) else "en"]
        drafted["evasive"] = (random_.choice(evasions), random_.choice([quote, *wrong]))
        for kind, (text, evidence) in drafted.items():
            draft = Draft(one.draft.question, text, "", evidence)
            made.append(Example(draft, float(kind == "said-again"), one.group, f"said-{source}", kind))
    return made


def bare(quote: str) -> str:
    """A quote without the title before it."""
    title, mark, rest = quote.partition(": ")
    return rest if mark and len(title) < 60 and rest else quote


def _other_span(text: str, golds: Sequence[str], random_: random.Random) -> str:
    """A name, number or pair of words of the text that is no gold answer; "" when there is none."""
    found = [m.group() for m in SPAN.finditer(text)]
    spans = [s for s in found if not any(s in gold or gold in s for gold in golds)]
    return random_.choice(spans) if spans else ""


def begin_examples(rows: Iterable[dict[str, Any]], source: str) -> Iterator[Example]:
    """BEGIN's replies beside their evidence; generic replies say nothing that could be supported and are left out."""
    for row in rows:
        if row["label"] == "generic":
            continue
        evidence = " ".join(part["text"] for part in row["evidence"])
        asked = row["dialogue"][-1]["text"] if row["dialogue"] else ""
        drafted = Draft(asked, row["statement"], "", evidence)
        yield Example(drafted, float(row["label"] == "supported"), f"{source}:{evidence[:60]}", source, row["label"])


def as_read(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows as a reading set's file holds them."""
    return [
        {"title": row.article, "context": row.context, "question": row.question, "answers": list(row.answers)}
        for row in rows
    ]


def support_examples(data: Path, split: str, seed: int = 0) -> list[Example]:
    """All examples of "train" or "test". BEGIN's Wizard of Wikipedia development part is its test here; HaluEval, of
    unclear licence, is there for testing alone."""
    made: list[Example] = []
    sets = ("squad", "drcd", "cmrc", "qamr") if split == "train" else ("squad", "drcd", "cmrc")
    for name in sets:
        rows = read_lines(data / "qa" / f"{name}.{split}.jsonl.gz")
        most = MOST_ROWS.get(f"{name}.{split}", len(rows))
        rows = rows[:: max(1, len(rows) // most)]
        own = reading_examples(rows, name, seed)
        made += own
        if name in SAID:
            made += said_examples(own, name, seed, SAID[name][split])
    made += reading_examples(as_read(written_rows(held_out=split == "test")), WRITTEN, seed)
    parts = ("begin-wow.train", "begin-cmu-dev", "begin-tc-dev") if split == "train" else ("begin-wow-dev",)
    for part in parts:
        made += begin_examples(read_lines(data / "support" / f"{part}.jsonl.gz"), part)
    if split == "test":
        made += begin_examples(read_lines(data / "support" / "halueval-qa.train.jsonl.gz"), "halueval")
    return made
