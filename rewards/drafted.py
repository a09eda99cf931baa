"""What the extractive policy drafts for questions whose answers are known, as examples for the support judge.

Errors made up are not those that a judge meets: it has to tell the policy's right drafts from its wrong ones, and
learns that from them (Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems", section 4.2).
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from indexing.types import Progress
from models.demonstrations import hit_of
from models.extractive import SPANS, candidates
from models.fit import fold
from models.json_lines import kept_lines
from models.measures import token_f1
from models.reader_pairs import Nearby
from models.reader_rows import Row, read_rows
from models.written import SOURCE as WRITTEN
from rewards.readings import laid_out
from rewards.support_data import Example

if TYPE_CHECKING:
    from models.reader import Reader

SETS = ("squad", "drcd", "cmrc")
MOST_TESTED = 400
"""Questions of a test set."""
NEAR = 6
"""The wrong passages of a question are two of as many that BM25 likes most."""
OWN, OTHER = 3, 2
"""Drafts of a question from its own passage, and from the wrong ones."""
TITLED = 0.85
"""Share of the questions whose passages stand under the title of their article, as they mostly do in an index."""
CORRECT = 0.5
"""Token F1 with a gold answer from which on a bare answer is right."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """What the policy drafted from one passage for a question."""

    passage: str
    text: str
    short: str
    quotes: tuple[str, ...]
    log_prob: float


def drafted_examples(
    data: Path,
    split: str,
    reader: "Reader",
    kept: Path,
    progress: Progress | None = None,
    written: Sequence[Row] = (),
) -> list[Example]:
    """The policy's drafts for the questions of "train" and those `written`, without the development articles, or for a
    sample of "test", each with whether it is supported and correct. `kept` is a file from which a killed run goes
    on."""
    sets = {name: read_rows(data / "qa" / f"{name}.{split}.jsonl.gz") for name in SETS}
    sets[WRITTEN] = list(written)
    asked = [(name, row) for name, rows in sets.items() for row in questions(rows, split)]
    near = {name: Nearby(rows) for name, rows in sets.items()}
    titles = {row.context: row.article for rows in sets.values() for row in rows if row.article != row.context}
    found = read_kept(kept)
    made: list[Example] = []
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.open("a", encoding="utf-8") as file:
        for count, (name, row) in enumerate(asked, 1):
            key = f"{name}.{split} {row.id}"
            if key not in found:
                found[key] = drafts_of(row, near[name], reader, random.Random(key))
                drafts = [asdict(one) for one in found[key]]
                file.write(json.dumps({"key": key, "drafts": drafts}, ensure_ascii=False) + "\n")
            titled = random.Random(f"titled {key}").random() < TITLED
            made += examples_of(row, found[key], titles if titled else {}, name)
            if progress is not None:
                progress("draft", count, len(asked))
    return made


def questions(rows: Sequence[Row], split: str) -> list[Row]:
    """Those that are asked."""
    if split == "train":
        return [row for row in rows if fold(row.article) != 0]
    return random.Random(0).sample(list(rows), min(MOST_TESTED, len(rows)))


def read_kept(path: Path) -> dict[str, list[Drafted]]:
    """The drafts that an earlier run kept, by question."""
    return {
        row["key"]: [Drafted(**{**one, "quotes": tuple(one["quotes"])}) for one in row["drafts"]]
        for row in kept_lines(path)
    }


def drafts_of(row: Row, near: Nearby, reader: "Reader", rng: random.Random) -> list[Drafted]:
    """The policy's drafts from the question's own passage and from two others."""
    wrong, passages = near.wrong(row, NEAR), [row.context]
    for among in (wrong[:2], wrong):
        if left := [text for text in among if text not in passages]:
            passages.append(rng.choice(left))
    readings = reader.read(row.question, passages, SPANS)
    return [
        Drafted(passage, one.text, one.short, tuple(quote.text for quote in one.quotes), one.log_prob)
        for passage, reading in zip(passages, readings, strict=True)
        for one in candidates(row.question, hit_of("", passage), reading)
    ]


def examples_of(row: Row, found: Sequence[Drafted], titles: Mapping[str, str], source: str) -> list[Example]:
    """The likeliest drafts of the own passage and of the others, under the title of what they were read in."""
    ordered = sorted(found, key=lambda one: -one.log_prob)
    own = [one for one in ordered if one.passage == row.context][:OWN]
    other = [one for one in ordered if one.passage != row.context][:OTHER]
    made = []
    for one in (*own, *other):
        drafted = laid_out(row.question, one.text, one.short, one.quotes, titles.get(one.passage, ""))
        place = "own-passage" if one.passage == row.context else "other-passage"
        kind = place if row.answers else f"unanswerable-{place}"
        label = float(is_right(one, row.answers))
        made.append(Example(drafted, label, f"{source}:{row.article}", f"drafted-{source}", kind))
    return made


def is_right(one: Drafted, golds: Sequence[str]) -> bool:
    """Whether a quote holds a gold answer and the bare answer, where there is one, says it."""
    held = any(gold in quote for gold in golds for quote in one.quotes)
    return held and (not one.short or token_f1(one.short, golds) >= CORRECT)
