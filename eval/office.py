"""Office documents: does Passerine answer what people ask of the documents of a small organisation?

Documents and questions of invented organisations (eval/data/office/NAME: docs, questions.jsonl), in the formats that
offices have, with tables, versions and near-alike items. A question's gold answers are verbatim stretches of the
documents; it is right when it was answered and a quote of one of the documents that hold it has such a stretch.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from eval.datasets import Question
from eval.outcomes import Outcome, mean, outcome_of
from eval.report import Figure, Report, Table, figure_table, measured, write
from eval.workbench import Workbench
from indexing.refresh import refresh
from indexing.search import Searcher
from indexing.store import Index
from indexing.types import BadInput, Progress
from models.json_lines import read_lines
from models.types import Turn
from models.words import CHINESE_RUN
from rewards.rules import load_rules
from service.app import make_encoder, make_parts
from service.config import Settings
from service.library import Library
from service.pipeline import CAREFUL
from service.types import Answer

FOLDER = Path(__file__).parent / "data" / "office"
KINDS = ("answerable", "absent", "follow-up")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of people in an office: `kind` is one of KINDS, `form` what is asked for ("when", "table").

    `after` is the id of the question before it in its conversation, "" for a first one. `answers` are stretches of the
    files `documents`, none where no document says it.
    """

    id: str
    kind: str
    text: str
    form: str
    after: str
    answers: tuple[str, ...]
    documents: tuple[str, ...]


def names() -> list[str]:
    """The sets; a name ends in the language of most of its documents ("rental-en")."""
    return sorted(path.parent.name for path in FOLDER.glob("*/questions.jsonl"))


def asked(name: str) -> list[Asked]:
    """The questions of a set, each after the one that it follows. Raises BadInput for a question that follows none."""
    found: dict[str, Asked] = {}
    for row in read_lines(FOLDER / name / "questions.jsonl"):
        one = Asked(
            row["id"], row["kind"], row["question"], row["form"], row.get("after", ""),
            tuple(row["answers"]), tuple(row["documents"]),
        )  # fmt: skip
        if one.after and one.after not in found:
            raise BadInput(f"{name}: {one.id} follows {one.after}, which does not stand before it.", "Order the lines.")
        found[one.id] = one
    return list(found.values())


def run_office(
    out: Path, settings: Settings, progress: Progress | None = None, limit: int | None = None, sets: Sequence[str] = ()
) -> Report:
    """Index the documents of each set (all, if none is named) and ask its first `limit` questions; writes office.md,
    .json and office-outcomes.jsonl into `out`. Raises BadInput, ModelMissing, StorageFailed.
    """
    found: dict[str, Figure] = {}
    tables, kept = [], []
    for name in sets or names():
        rows = asked(name)[:limit]
        with tempfile.TemporaryDirectory() as folder:
            outcomes, answers = ask_all(desk(FOLDER / name / "docs", Path(folder), settings, progress), rows, progress)
        own = dict(zip((row.id for row in rows), outcomes, strict=True))
        found |= office_figures(name, rows, own)
        tables.append(by_form(name, rows, own))
        kept += [
            json.dumps(line(name, row, own[row.id], answer), ensure_ascii=False)
            for row, answer in zip(rows, answers, strict=True)
        ]
    report = Report("office", "passerine evaluate office", (figure_table("Office documents", found), *tables), found)
    write(report, out)
    (out / "office-outcomes.jsonl").write_text("".join(f"{each}\n" for each in kept), encoding="utf-8")
    return report


def desk(documents: Path, folder: Path, settings: Settings, progress: Progress | None) -> Workbench:
    """Passerine over a folder of documents, indexed as `passerine refresh` does it."""
    encoder = make_encoder(settings)
    index = Index.create(folder, encoder)
    report = refresh([documents], index, encoder, progress)
    if report.failed:
        raise BadInput(f"{report.failed[0].url} cannot be read: {report.failed[0].reason}", "Mend the file.")
    library = Library(
        index, encoder, Searcher(index, encoder, per_document=settings.passages_per_document), settings.document_limit
    )
    return Workbench(library, make_parts(settings, encoder, library, load_rules()), CAREFUL, encoder)


def ask_all(
    bench: Workbench, rows: Sequence[Asked], progress: Progress | None
) -> tuple[list[Outcome], list[Answer | str]]:
    """Every question in its conversation, with what was answered before."""
    turns: dict[str, tuple[Turn, ...]] = {}
    outcomes, answers = [], []
    for number, row in enumerate(rows, 1):
        before = turns.get(row.after, ())
        answer = bench.ask(row.text, before)
        said = answer if isinstance(answer, str) else answer.text
        turns[row.id] = (*before, Turn("user", row.text), Turn("assistant", said))
        outcomes.append(of_right_documents(row, answer, outcome_of(question_of(row), answer, bench.parts.thresholds)))
        answers.append(answer)
        if progress is not None:
            progress("ask", number, len(rows))
    return outcomes, answers


def question_of(row: Asked) -> Question:
    """The question as the other sets have it; a conversation is drawn whole."""
    language = "zh" if CHINESE_RUN.search(row.text) else "en"
    return Question(row.id, language, row.after or row.id, "", "", row.text, row.answers, bool(row.answers))


def of_right_documents(row: Asked, answer: Answer | str, outcome: Outcome) -> Outcome:
    """Right words in the quote of another document (an older version) are not right."""
    if isinstance(answer, str) or answer.chosen is None or not outcome.said:
        return outcome
    cited = {unquote(hit.document.url.rpartition("/")[2]) for hit in answer.candidates[answer.chosen].evidence}
    good = bool(cited & set(row.documents))
    return replace(outcome, holds=outcome.holds and good, correct=outcome.correct and good)


def office_figures(name: str, rows: Sequence[Asked], outcomes: Mapping[str, Outcome]) -> dict[str, Figure]:
    """What became of the questions of each kind."""
    found: dict[str, Figure] = {}

    def add(label: str, among: Sequence[Outcome], values: Sequence[bool], better: str = "higher") -> None:
        if among:
            failures = sum(bool(one.failure) for one in among)
            found[f"office/{name}/{label}"] = measured(mean(among, values), failures=failures, better=better)

    for kind in KINDS:
        own = [outcomes[row.id] for row in rows if row.kind == kind]
        if kind == "absent":
            add("absent, answered", own, [one.said for one in own], "lower")
            continue
        add(f"{kind}, right", own, [one.holds and one.said for one in own])
        add(f"{kind}, right and the bare answer too", own, [one.correct and one.said for one in own])
        add(f"{kind}, answered wrongly", own, [one.said and not one.holds for one in own], "lower")
        add(f"{kind}, not found", own, [one.verdict == "abstained" for one in own], "lower")
        add(f"{kind}, some passage read holds it", own, [one.read_holds for one in own])
        turned = [not one.said and one.verdict != "abstained" for one in own]
        add(f"{kind}, talked to, refused or asked back", own, turned, "lower")
    return found


def by_form(name: str, rows: Sequence[Asked], outcomes: Mapping[str, Outcome]) -> Table:
    """Right answers by what is asked for."""
    forms = Counter(row.form for row in rows if row.answers)
    right = Counter(row.form for row in rows if row.answers and outcomes[row.id].said and outcomes[row.id].holds)
    return Table(
        f"{name}, by what is asked for",
        ("form", "questions", "right"),
        tuple((form, str(n), str(right[form])) for form, n in forms.most_common()),
    )


def line(name: str, row: Asked, outcome: Outcome, answer: Answer | str) -> dict[str, object]:
    """A question with what was said, to be read."""
    said = answer if isinstance(answer, str) else answer.text
    quotes = [] if isinstance(answer, str) else [citation.quote for citation in answer.citations]
    return {
        "set": name, "id": row.id, "kind": row.kind, "form": row.form, "question": row.text, "answers": row.answers,
        "verdict": outcome.verdict, "score": round(outcome.score, 3), "right": outcome.said and outcome.holds,
        "said": said, "quotes": quotes, "read_holds": outcome.read_holds,
    }  # fmt: skip
