"""What the preference judge learns from: drafts of one prompt with their order, human or built from reading data."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexing.split import sentences
from models.json_lines import read_lines
from rewards.readings import Draft
from rewards.support_data import BEGINNING, Example, words

BUILT_KINDS = (
    *("right", "same-passage", "other-passage", "wrong-short"),
    *("said-again", "altered-number", "altered-name", "negated", "wrong-quote", "evasive"),
)
"""Kinds of examples that are ranked; the right one of a question comes first."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Drafts of one prompt. `pairs` holds (i, j, share): the share of people who would rather have i than j.

    `group` never crosses a split. `demonstration` is the draft that a person wrote or marked as the best, None where
    there is no such draft.
    """

    drafts: tuple[Draft, ...]
    pairs: tuple[tuple[int, int, float], ...]
    group: str
    source: str
    demonstration: int | None = None


def quote_for(answer: str, evidence: Sequence[dict[str, str]]) -> str:
    """The two sentences of the evidence that share most words with the answer, in their order."""
    said = set(words(answer))
    found = [part["text"][a:b].strip() for part in evidence for a, b in sentences(part["text"])]
    best = sorted(range(len(found)), key=lambda i: (-len(said & set(words(found[i]))), i))[:2]
    return " ".join(found[i] for i in sorted(best))


def pair_rankings(rows: Iterable[dict[str, Any]], source: str) -> Iterator[Ranking]:
    """Pairs of one prompt together, so that all of them fall into one batch. Ties count one half."""
    by_prompt: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_prompt.setdefault("\n".join(turn["text"] for turn in row["dialogue"]), []).append(row)
    for group in by_prompt.values():
        answers = list(dict.fromkeys(row[side] for row in group for side in ("a", "b")))
        place = {answer: i for i, answer in enumerate(answers)}
        asked = group[0]["dialogue"][-1]["text"]
        evidence = group[0]["evidence"]
        drafts = tuple(Draft(asked, a, "", quote_for(a, evidence) if evidence else "") for a in answers)
        share = {"a": 1.0, "b": 0.0, "tie": 0.5}
        pairs = tuple((place[r["a"]], place[r["b"]], share[r["label"]]) for r in group if r["a"] != r["b"])
        if pairs:
            yield Ranking(drafts, pairs, f"{source}:{group[0]['dialogue'][0]['text'][:BEGINNING]}", source)


def ordered_rankings(rows: Iterable[dict[str, Any]], source: str) -> Iterator[Ranking]:
    """Rankings from best to worst: every pair of them."""
    for row in rows:
        drafts = tuple(Draft(row["dialogue"][-1]["text"], text) for text in row["responses"])
        pairs = tuple((i, j, 1.0) for i, j in itertools.combinations(range(len(drafts)), 2))
        if pairs:
            yield Ranking(drafts, pairs, f"{source}:{row['dialogue'][0]['text'][:BEGINNING]}", source, 0)


def built_rankings(examples: Sequence[Example], seed: int = 0) -> Iterator[Ranking]:
    """Of one question: the sentence that answers it before one of the same passage, one of another passage, and
    before the same sentence with a wrong bare answer; and before its own first half where that lacks the answer. Of
    statements beside a quote: the one that the quote bears out before the altered and the evasive ones."""
    random_ = random.Random(seed)
    by_question: dict[tuple[str, str, str], list[Example]] = {}
    for example in examples:
        if example.kind in BUILT_KINDS:
            by_question.setdefault((example.source, example.group, example.draft.question), []).append(example)
    for (_, group, _), members in by_question.items():
        right = [e for e in members if e.label == 1.0]
        wrong = [e.draft for e in members if e.label == 0.0]
        if not right:
            continue
        good = right[0].draft
        at = good.answer.find(good.short) if good.short else -1
        if at > len(good.answer) // 2 and random_.random() < 0.25:
            wrong.append(Draft(good.question, good.answer[: len(good.answer) // 2], ""))
        drafts = (good, *wrong)
        pairs = tuple((0, j, 1.0) for j in range(1, len(drafts)))
        if pairs:
            yield Ranking(drafts, pairs, group, f"built-{right[0].source}", 0)


def human_rankings(data: Path, split: str) -> list[Ranking]:
    """The human comparisons of "train" or "test" whose licences let trained weights be released; PandaLM and HaluEval,
    of unclear licence, are there for testing alone."""
    folder = data / "preference"
    made: list[Ranking] = []
    for name in ("hh-harmless", "qa-feedback") + (("pandalm",) if split == "test" else ()):
        made += pair_rankings(read_lines(folder / f"{name}.{split}.jsonl.gz"), name)
    if split == "test":
        made += pair_rankings(read_lines(folder / "halueval-qa.train.jsonl.gz"), "halueval")
    made += ordered_rankings(read_lines(folder / f"oasst-zh.{split}.jsonl.gz"), "oasst-zh")
    return made
