"""How many slips in a query are mended, and how many right queries are left alone.

The queries are questions made from the bundled English examples. A slip is one edit in one of their longer words: a
letter left out, doubled, changed, or swapped with its neighbour. The words of an index are its own: so right questions
are also asked of an index that holds the other half of the documents, where many of their words are absent.
"""

import random
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

from eval.faults import Hashed
from eval.report import Figure, Report, figure_table, write
from indexing.refresh import refresh
from indexing.spelling import WORD
from indexing.store import Index
from models.questions import questions

SLIPS = 5
"""A question; there are some forty."""


def run_spelling(out: Path, seed: int = 0) -> Report:
    """`passerine evaluate spelling`: writes spelling.md and spelling.json into `out`."""
    chance = random.Random(seed)
    with resources.as_file(resources.files("indexing") / "examples" / "en") as examples, TemporaryDirectory() as work:
        files = sorted(examples.glob("*.md"))
        every, half, others = (
            _indexed(some, Path(work) / name)
            for name, some in (("every", files), ("half", files[::2]), ("others", files[1::2]))
        )
        asked, absent = _asked(every), _asked(others)
        right = [every.did_you_mean(question) for question in asked]
        slips = [(question, misspelt(question, chance)) for question in asked * SLIPS]
        mended = [every.did_you_mean(slip) == question for question, slip in slips if slip]
        changed = [half.did_you_mean(question) for question in absent]
        for index in (every, half, others):
            index.close()
    figures = {
        "spelling/slips mended": _share(sum(mended), len(mended)),
        "spelling/right questions left alone": _share(sum(not each for each in right), len(right)),
        "spelling/right questions about other documents left alone": _share(
            sum(not each for each in changed), len(changed)
        ),
    }
    wrong = [f"{a} -> {b}" for a, b in zip(absent, changed, strict=True) if b]
    report = Report(
        "spelling",
        "passerine evaluate spelling",
        (figure_table("Spelling", figures),),
        figures,
        notes=tuple(wrong[:20]),
    )
    write(report, out)
    return report


def misspelt(question: str, chance: random.Random) -> str:
    """The question with one slip in one of its words of five letters or more, "" where it has none."""
    words = [match for match in WORD.finditer(question) if len(match.group()) > 4]
    if not words:
        return ""
    match = chance.choice(words)
    word, place = match.group(), chance.randrange(1, len(match.group()) - 1)
    slipped = chance.choice(
        [
            word[:place] + word[place + 1 :],
            word[:place] + word[place] + word[place:],
            word[:place] + chance.choice("abcdefghijklmnopqrstuvwxyz") + word[place + 1 :],
            word[:place] + word[place + 1] + word[place] + word[place + 2 :],
        ]
    )
    return question[: match.start()] + slipped + question[match.end() :] if slipped != word else ""


def _indexed(files: Sequence[Path], folder: Path) -> Index:
    index = Index.create(folder, Hashed())
    refresh(files, index, Hashed())
    return index


def _asked(index: Index) -> list[str]:
    """The questions that an index answers, each once."""
    documents = index.documents(limit=1000)
    made = (questions(document, passage) for document in documents for passage in index.passages(document.id))
    return list(dict.fromkeys(question.text for each in made for question in each))


def _share(count: int, n: int) -> Figure:
    return Figure(count / max(n, 1), n)
