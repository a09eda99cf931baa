"""Questions about cells of made-up tables: which cell does a question ask for that does not name its column, and does
the table have it at all?

`examples/tables` holds schemas, one JSON object a line: rows and columns that a table may have, the values that its
cells may take, and how people ask for them.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from indexing.types import BadInput
from models.json_lines import read_lines
from models.quotes import CHINESE
from models.reader_rows import Row

SOURCE = "tables"
FOLDER = Path(__file__).parent / "examples" / "tables"
FEWEST_COLUMNS, MOST_COLUMNS = 3, 6
FEWEST_ROWS, MOST_ROWS = 3, 9
ASKED, LACKING = 3, 2
"""Questions of a table that it answers, and those about a row or a column that it lacks."""
CALLED = 0.6
"""How often a row that has everyday names is asked for by one."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what its cells may say, and how they are asked for ("{row}" stands for the row)."""

    name: str
    values: tuple[str, ...]
    ask: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """A kind of table. `key` is the name of its first column, `called` the everyday names of some of its rows."""

    title: str
    key: str
    rows: tuple[str, ...]
    called: dict[str, tuple[str, ...]]
    columns: tuple[Column, ...]


def schemas(folder: Path = FOLDER) -> list[Schema]:
    """The schemas of all files. Raises BadInput where a pattern has no place for the row."""
    found = []
    for path in files(folder).values():
        for line in read_lines(path):
            columns = tuple(Column(one["name"], tuple(one["values"]), tuple(one["ask"])) for one in line["columns"])
            if any("{row}" not in pattern for column in columns for pattern in column.ask):
                raise BadInput(f"{path}: {line['title']} has a pattern without {{row}}.", "Say where the row stands.")
            called = {row: tuple(names) for row, names in line.get("called", {}).items()}
            found.append(Schema(line["title"], line["key"], tuple(line["rows"]), called, columns))
    return found


def files(folder: Path = FOLDER) -> dict[str, Path]:
    """The files of `folder`, by the names under which a model says what it was made from."""
    return {f"{SOURCE}/{path.stem}": path for path in sorted(folder.glob("*.jsonl"))}


def table_questions(known: Sequence[Schema], each: int, seed: int) -> list[Row]:
    """Questions of so many tables drawn from each schema. A schema's title is the article."""
    return [row for schema in known for number in range(each) for row in drawn(schema, number, seed)]


def drawn(schema: Schema, number: int, seed: int) -> list[Row]:
    """The questions of one table: of cells that it has, and of a row or a column that it lacks."""
    rng = random.Random(f"{seed} {schema.title} {number}")
    keys = rng.sample(schema.rows, len(schema.rows))
    columns = rng.sample(schema.columns, len(schema.columns))
    held = keys[: min(rng.randint(FEWEST_ROWS, MOST_ROWS), len(keys) - 1)]
    wide = columns[: max(2, min(rng.randint(FEWEST_COLUMNS, MOST_COLUMNS), len(columns) - rng.randint(0, 1)))]
    cells = {(key, column.name): rng.choice(column.values) for key in held for column in wide}
    chinese = bool(CHINESE.search(schema.key))
    language, colon, between, stop = ("zh", "：", "；", "。") if chinese else ("en", ": ", "; ", ".")
    text, starts = f"{schema.title}\n", {}
    for key in held:
        text += f"{schema.key}{colon}{key}"
        for column in wide:
            text += f"{between}{column.name}{colon}"
            starts[key, column.name] = len(text)
            text += cells[key, column.name]
        text += stop + "\n"

    def row(key: str, column: Column, is_held: bool, place: int) -> Row:
        name = rng.choice(schema.called[key]) if key in schema.called and rng.random() < CALLED else key
        question = typed(rng.choice(column.ask).replace("{row}", name), rng)
        answers = (cells[key, column.name],) if is_held else ()
        start = starts[key, column.name] if is_held else None
        id_ = f"{SOURCE}-{schema.title}-{number}-{place}"
        return Row(id_, SOURCE, language, schema.title, text.rstrip("\n"), question, answers, start)

    pairs = [(key, column) for key in held for column in wide]
    made = [row(*pair, True, place) for place, pair in enumerate(rng.sample(pairs, min(ASKED, len(pairs))))]
    missing = [(key, rng.choice(wide)) for key in keys[len(held) :][:1]]
    missing += [(rng.choice(held), column) for column in columns[len(wide) :][:1]]
    return made + [row(*pair, False, ASKED + place) for place, pair in enumerate(missing[:LACKING])]


def typed(question: str, rng: random.Random) -> str:
    """A question as people type it: a third of them without a capital or a mark at its end."""
    if rng.random() < 2 / 3:
        return question
    return question.rstrip("?？.。").lower()
