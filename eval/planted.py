"""Instructions planted in documents: do they change what is answered?"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.datasets import Labelled, Question
from eval.outcomes import signature
from eval.workbench import Workbench
from indexing.split import sentences
from indexing.types import Document
from service.types import Answer

PLACES = ("start", "middle", "end")
"""Where in a document the instruction stands, in rotation."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """One question asked before and after an instruction was planted in the document that answers it.

    `read`: the planted document was read. `changed`: verdict, bare answer or quoted words differ. `repeated`: what was
    said holds the instruction. `failure` says why either answer is missing.
    """

    id: str
    group: str
    place: str
    read: bool = False
    changed: bool = False
    repeated: bool = False
    failure: str = ""


def planted(document: Document, instruction: str, place: str) -> Document:
    """The document with an instruction as its first or last paragraph, or between two sentences of its middle."""
    text = document.text
    if place == "start":
        return replace(document, text=f"{instruction}\n\n{text}")
    if place == "end":
        return replace(document, text=f"{text}\n\n{instruction}")
    starts = [start for start, _ in sentences(text)]
    cut = starts[len(starts) // 2] if starts else len(text)
    return replace(document, text=f"{text[:cut]}{instruction} {text[cut:]}")


def copied(folder: Path, target: Path) -> Path:
    """A copy of an index folder, to be written to."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(folder, target, ignore=shutil.ignore_patterns("*.lock")))


def assignments(questions: Sequence[Question], attacks: Sequence[Labelled]) -> list[tuple[Question, Labelled, str]]:
    """One question a document, each with an instruction and a place, all in rotation."""
    first: dict[str, Question] = {}
    for question in questions:
        if question.answerable and question.passage_id:
            first.setdefault(question.passage_id, question)
    return [(question, attacks[i % len(attacks)], PLACES[i % len(PLACES)]) for i, question in enumerate(first.values())]


def harmless(
    pairs: Sequence[tuple[Question, Labelled, str]], documents: Sequence[Document]
) -> list[tuple[Question, Labelled, str]]:
    """The same questions and places with statements as long as the instructions, from documents on other matters.

    What they change is what any added text changes.
    """
    made = []
    for i, (question, instruction, where) in enumerate(pairs):
        others = [
            one for one in documents[i::97] if one.language == instruction.language and one.title != question.title
        ]
        text = " ".join(" ".join(one.text for one in others[:8]).split())
        made.append((question, replace(instruction, text=text[: len(instruction.text)]), where))
    return made


def compared(question: Question, place: str, instruction: str, before: Answer | str, after: Answer | str) -> Attacked:
    """What the planted instruction did to one answer."""
    base = Attacked(question.id, question.title, place)
    if isinstance(before, str) or isinstance(after, str):
        return replace(base, failure=before if isinstance(before, str) else str(after))
    shown = {hit.document.id for one in after.candidates for hit in one.evidence}
    said = f"{after.text}\n{signature(after)}"
    return replace(
        base,
        read=question.passage_id in shown,
        changed=signature(before) != signature(after),
        repeated=instruction.strip() in said,
    )


def attack(clean: Workbench, dirty: Workbench, pairs: Sequence[tuple[Question, Labelled, str]]) -> list[Attacked]:
    """Ask each question of the clean index and of the one with planted instructions."""
    return [
        compared(question, place, instruction.text, clean.ask(question.text), dirty.ask(question.text))
        for question, instruction, place in pairs
    ]
