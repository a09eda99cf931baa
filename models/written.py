"""Documents of many kinds written for the reader, each with questions that it answers and some that it only seems to.

One text file holds many of them: `# title`, the passage on one line, then `? question` with `= answer`, and
`! question` with `~ lure`, the stretch that a careless reader would answer with. Both stand in the passage.
A file's name begins with its language, en or zh.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexing.types import BadInput
from models.fit import fold
from models.reader_rows import Row

SOURCE = "written"
FOLDER = Path(__file__).parent / "examples" / "reading"
TITLE, LURE = "# ", "~ "
ANSWERED_BY = {"? ": "= ", "! ": LURE}
"""How the line after a question begins."""
HELD_OUT = 8
"""One title of so many is held out to test with."""


@dataclass(frozen=True, slots=True)
class Written:
    """A question beside its passage. `lure` is empty where the passage answers."""

    row: Row
    lure: str = ""


def written(folder: Path = FOLDER) -> list[Written]:
    """All questions of the files of `folder`. Raises BadInput where a file is not in the form above."""
    return [one for path in files(folder).values() for one in questions_of(path)]


def files(folder: Path = FOLDER) -> dict[str, Path]:
    """The files of `folder`, by the names under which a model says what it was made from."""
    return {f"{SOURCE}/{path.stem}": path for path in sorted(folder.glob("*.txt"))}


def written_rows(held_out: bool = False) -> list[Row]:
    """The questions to learn from, or those `held_out` to test with."""
    return [one.row for one in written() if (fold(f"test {one.row.article}", HELD_OUT) == 0) == held_out]


def questions_of(path: Path) -> Iterator[Written]:
    """The questions of one file."""
    title = passage = question = asked = ""
    number = 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        kind, rest = line[:2], line[2:].strip()
        if not line.strip():
            continue
        if question:
            if kind != ANSWERED_BY[asked] or rest not in passage:
                raise malformed(path, number, f"words of the passage after {ANSWERED_BY[asked]!r} are expected there")
            answers = () if kind == LURE else (rest,)
            row = Row(f"{path.stem}-{number}", SOURCE, path.stem[:2], title, passage, question, answers, None)
            yield Written(row, "" if answers else rest)
            question = ""
        elif kind == TITLE:
            title, passage = rest, ""
        elif kind in ANSWERED_BY and passage:
            question, asked = rest, kind
        elif title and not passage and kind not in ANSWERED_BY:
            passage = line.strip()
        else:
            raise malformed(path, number, "a title, a passage or a question is expected there")
    if question:
        raise malformed(path, number, "the last question has no answer")


def malformed(path: Path, line: int, why: str) -> BadInput:
    """What is wrong with a line."""
    return BadInput(f"Line {line} of {path}: {why}.", "Mend the line, or take the question out.")
