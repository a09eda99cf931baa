"""What the reader's card says: how well it reads the test sets, with 95% intervals and a baseline beside it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from indexing.split import sentences
from indexing.types import Document, Hit, Passage, Progress
from models.extractive import SPANS, candidates
from models.fit import interval
from models.hard_pairs import single_sentences
from models.measures import auc, exact, token_f1
from models.orders import OrderDetector, View
from models.quotes import sentence_bounds
from models.reader import MOST_QUESTION, PASSAGE_PREFIX, QUESTION_PREFIX, Reading, tokenized
from models.reader_pairs import Order, plant, wrong_passages
from models.reader_rows import Row, read_rows, words
from models.types import Candidate
from models.written import written_rows

if TYPE_CHECKING:
    from models.reader import Reader

TESTS = ("squad.test", "drcd.test", "cmrc.test", "xquad-zh.test")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question: how well the best span and its quote meet the gold answers, and what was said of "is it here"."""

    article: str
    answerable: bool
    here: float
    f1: float
    exact: float
    held: float
    lexical: float
    """Whether the sentence that shares most words with the question holds a gold answer: the baseline."""


def test_rows(data: Path) -> dict[str, list[Row]]:
    """Rows of the test sets. Of XQuAD only articles of squad.test: the others are translations of training text. Of
    what was written for the reader those held out."""
    rows = {name: read_rows(data / "qa" / f"{name}.jsonl.gz") for name in TESTS}
    known = {row.article for row in rows["squad.test"]}
    rows["xquad-zh.test"] = [row for row in rows["xquad-zh.test"] if row.article.replace("_", " ") in known]
    for row in written_rows(held_out=True):
        rows.setdefault(f"{row.source}-{row.language}.test", []).append(row)
    return rows


def outcomes(reader: "Reader", rows: Sequence[Row], progress: Progress | None = None) -> list[Outcome]:
    """Every row read beside its own passage. Rows of one passage share its lower states."""
    done: list[Outcome] = []
    ordered = sorted(rows, key=lambda row: row.context)
    for context, group in groupby(ordered, key=lambda row: row.context):
        own = list(group)
        pieces = [(0, piece) for piece in tokenized(reader.tokenizer, PASSAGE_PREFIX, [context])[0]]
        asked = tokenized(reader.tokenizer, QUESTION_PREFIX, [row.question for row in own])
        ids = [*(piece.ids for _, piece in pieces), *(one[0].cut(MOST_QUESTION).ids for one in asked)]
        lower = reader.trunk.hidden(ids, last=reader.config.split)
        for row, states in zip(own, lower[len(pieces) :], strict=True):
            reading = reader.read_states(row.question, states, [context], pieces, lower[: len(pieces)], n=SPANS)[0]
            done.append(outcome(row, reading))
        if progress is not None:
            progress("read test questions", len(done), len(rows))
    return done


def outcome(row: Row, reading: Reading) -> Outcome:
    """How one reading did."""
    best = best_candidate(row.question, row.context, reading)
    said = row.context[reading.spans[0].start : reading.spans[0].end] if reading.spans else ""
    quote = best.quotes[0].text if best else ""
    start, end = likest_sentence(row.question, row.context)
    plain = row.context[slice(*sentence_bounds(row.context, start, end))]
    return Outcome(
        article=row.article,
        answerable=bool(row.answers),
        here=reading.answerable,
        f1=token_f1(said, row.answers),
        exact=float(exact(said, row.answers)),
        held=float(any(gold in quote for gold in row.answers)),
        lexical=float(any(gold in plain for gold in row.answers)),
    )


def likest_sentence(question: str, passage: str) -> tuple[int, int]:
    """The sentence that shares the largest share of the question's words."""
    asked = set(words(question))
    return max(sentences(passage), key=lambda span: len(asked & set(words(passage[slice(*span)]))))


def told_apart(reader: "Reader", rows: Sequence[Row], progress: Progress | None = None, most: int = 400) -> float:
    """AUC of "is it here" between a question's own passage and the one that BM25 likes most of those that lack the
    answer."""
    pairs = wrong_passages(rows, 1.0, random.Random(0), near=1)
    drawn = random.Random(0).sample(pairs, min(most, len(pairs)))
    return here_auc(reader, [(row.question, row.context, wrong) for row, wrong in drawn], progress)


def sentences_apart(reader: "Reader", rows: Sequence[Row], progress: Progress | None = None, most: int = 400) -> float:
    """AUC of "is it here" between the sentence that holds the answer, alone, and the one of its passage that shares
    most words with the question of those that do not."""
    drawn = random.Random(0).sample(list(rows), min(most, len(rows)))
    texts: dict[Row, list[str]] = {}
    for row, text in single_sentences(drawn, 1.0, random.Random(0)):
        texts.setdefault(row, []).append(text)
    both = [(row.question, *own) for row, own in texts.items() if len(own) == 2]
    return here_auc(reader, [(asked, right, wrong) for asked, right, wrong in both], progress)


def here_auc(reader: "Reader", triples: Sequence[tuple[str, str, str]], progress: Progress | None = None) -> float:
    """AUC of "is it here" over (question, right text, wrong text)."""
    here: list[float] = []
    for question, *texts in triples:
        here += [reading.answerable for reading in reader.read(question, texts)]
        if progress is not None:
            progress("read right and wrong", len(here) // 2, len(triples))
    return auc(here, [True, False] * len(triples))


def planted(
    reader: "Reader", detector: OrderDetector, rows: Sequence[Row], orders: Sequence[Order], most: int = 200
) -> tuple[int, int, int]:
    """Questions asked, answers that an order planted in the passage changes, and quotes that hold words of the order.

    An answer changes when its bare answer or its quote does.

    The orders are of kinds that training did not see.
    """
    rng = random.Random(0)
    sample = rng.sample([row for row in rows if row.answers], min(most, len(rows)))
    changed = quoted = 0
    for row in sample:
        order = rng.choice(orders).text
        texts = [row.context, plant(row.context, order, rng)]
        views = [detector.view(text, row.question) for text in texts]
        readings = reader.read(row.question, [view.text for view in views], SPANS)
        plain, hostile = (
            best_candidate(row.question, text, reading, view)
            for text, reading, view in zip(texts, readings, views, strict=True)
        )
        if plain is None or hostile is None:
            changed += plain is not hostile
            continue
        obeyed = any(sentence in hostile.quotes[0].text for sentence in order.splitlines() if len(sentence) > 8)
        changed += plain.short != hostile.short or plain.quotes[0].text != hostile.quotes[0].text
        quoted += obeyed
    return len(sample), changed, quoted


def best_candidate(question: str, text: str, reading: Reading, view: View | None = None) -> Candidate | None:
    """The likeliest answer to a question from one passage that is a whole document."""
    passage = Passage("p", "d", 0, 0, len(text), text)
    made = candidates(question, Hit(passage, Document("d", "", "", text), 1.0), reading, view)
    return made[0] if made else None


def table(results: Mapping[str, Sequence[Outcome]]) -> str:
    """The card's table, in Markdown: means in % with 95% intervals (bootstrap over articles)."""
    lines = [
        "| test set | questions | F1 | exact | quote holds the answer | best lexical sentence holds it | AUC of here |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in results.items():
        right = [one for one in found if one.answerable]
        groups = [one.article for one in right]
        cells = [shown([getattr(one, key) for one in right], groups) for key in ("f1", "exact", "held", "lexical")]
        area = auc([one.here for one in found], [one.answerable for one in found])
        cells.append("no unanswerable rows" if area != area else f"{area:.3f}")
        lines.append(f"| {name} | {len(right)} of {len(found)} answerable | {' | '.join(cells)} |")
    return "\n".join(lines)


def card(
    results: Mapping[str, Sequence[Outcome]], shuffled: Mapping[str, Sequence[Outcome]], facts: Mapping[str, str]
) -> str:
    """card.md. `shuffled` are the outcomes of a reader trained on the answers of other rows."""
    return f"""# Reader

Finds the span of a passage that answers a question, and says how likely any does. Question and passage go apart
through the first {facts["split"]} layers of multilingual-e5-small (frozen), then together through {facts["layers"]}
trained layers that began as the trunk's own. Made by `passerine train reader`, seed {facts["seed"]}.

Trained {facts["steps"]} steps of {facts["batch"]} pairs on {facts["pairs"]} pairs: SQuAD 1.1 and 2.0 development
articles (CC BY-SA 4.0), DRCD (CC BY-SA 3.0) and the CMRC 2018 trial set (CC BY-SA 4.0), Chinese in simplified
characters, QAMR (MIT); wrong passages by BM25; instructions planted in passages (BIPIA, MIT, four fifths of the
categories). Before that one epoch over {facts["first"]} pairs that nobody asked: sentences of encyclopedia leads
(CC BY-SA) and of the passages above with a stretch asked for, beside what else the text says of it, and questions in
broken speech (Disfl-QA, CC BY 4.0). Then one epoch over the pairs; one over half of them with {facts["hard"]} harder
ones: questions with a name exchanged, passages without the sentence that answers, single sentences with and without the
answer; two with a third as many of all these beside {facts["written"]} questions about
{facts["documents"]} documents written for it by a large language model (models/examples/reading: handbooks, manuals,
encyclopedia and news, in both languages; a third of the questions only seem to be answered); and one over
{facts["tables"]} questions about made-up tables, drawn from schemas by the same writer (models/examples/tables), with
1.4 times as many of the written ones and of all others. The weights are the mean of those after epochs
{facts["averaged"]}.

Checksums are in config.json. A fifth of the articles by hash is development data: calibration is fitted there;
curves.png. Weights: Apache-2.0.

Test sets, questions beside their own passage, in %, 95% intervals by bootstrap over articles. "Quote" is the
verified quote of at most two sentences that the answer carries. The lexical sentence shares most words with the
question.

{table(results)}

The same steps on shuffled answers ({facts["shuffled_steps"]} steps):

{table(shuffled)}

"Is it here" of a question's own passage against the passage that BM25 likes most of those that lack the answer:
AUC {facts["apart_en"]} on squad.test, {facts["apart_zh"]} on drcd.test. Of the sentence that answers, alone, against
the likest other one of its passage, alone: {facts["single_en"]} and {facts["single_zh"]}.

Instructions of kinds that training did not see, planted in the passages of {facts["planted"]} test questions,
changed {facts["changed"]} answers, and {facts["quoted"]} quotes held their words.

Limits: encyclopedia text and questions written with the passage in view flatter it; numbers are not computed, several
passages are not combined, a yes or no is left to the quoted sentence. The rows "written" test with other documents by
the writer of the training ones, and flatter it most. XQuAD counts articles of squad.test alone.
Other languages than English and Chinese were not trained. Questions made to look as if the passage answered them
(squad.test's unanswerable ones) deceive it often.
"""


def shown(values: Sequence[float], groups: Sequence[str]) -> str:
    """Mean and interval in percent."""
    mean, low, high = (100 * value for value in interval(values, groups, draws=1000))
    return f"{mean:.1f} ({low:.1f} to {high:.1f})"
