"""What the tuned chat model does by itself: reading with the gold passage, knowing when it is not said, deciding to
search, and writing queries for follow-ups."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval import datasets, metrics
from eval.datasets import Question
from eval.followups import DEPTH, follow_ups, recalls, share_of_the_way
from eval.report import Figure, Report, figure_table, measured, write
from eval.retrieval import cached
from indexing.types import Progress
from models.demonstrations import hit_of
from models.measures import auc, token_f1
from models.tuned import TunedPolicy
from models.types import Conversation, Turn
from service.app import adapter_of, make_tuned
from service.config import Settings

READ, DECIDED = 400, 400
"""Questions and messages at most, where the command does not say."""
TARGETS = {"f1": 0.62, "abstained": 0.15, "auc": 0.75, "decision": 0.95, "way": 0.9}


def run(
    data: Path, settings: Settings, out: Path, progress: Progress | None = None, limit: int | None = None
) -> Report:
    """Writes chat.md and chat.json into `out`. Raises BadInput, ModelMissing."""
    policy = make_tuned(settings)
    figures = {
        **reading(policy, sampled(data, limit or READ), progress),
        **decisions(policy, data, limit or DECIDED, progress),
        **queries(policy, data, settings.home, limit, progress),
    }
    notes = (f"Chat model: {settings.generator} with the adapter “{adapter_of(settings)}”, decoded without chance.",)
    table = figure_table("The chat model by itself", figures)
    report = Report("chat", "passerine evaluate chat", (table,), figures, notes=notes)
    write(report, out)
    return report


def sampled(data: Path, limit: int) -> list[Question]:
    """Questions of squad.test, evenly from its articles."""
    return datasets.stratified(list(datasets.questions(data, "squad.test")), limit)


def reading(policy: TunedPolicy, questions: Sequence[Question], progress: Progress | None) -> dict[str, Figure]:
    """Token F1 of the bare answer with the gold passage, and whether "not said" tells what is not."""
    f1: list[float] = []
    silent: list[float] = []
    chances: list[float] = []
    quoted: list[bool] = []
    for number, question in enumerate(questions, 1):
        chance, short, quote = read(policy, question)
        chances.append(chance)
        f1.append(token_f1(short, question.answers) if question.answerable else 0.0)
        silent.append(float(not short))
        quoted.append(metrics.holds(quote, question.answers))
        if progress is not None:
            progress("read", number, len(questions))
    yes = [number for number, question in enumerate(questions) if question.answerable]
    groups = [questions[number].title for number in yes]

    def over(values: Sequence[float], **more: float | str) -> Figure:
        return measured(metrics.interval([float(values[number]) for number in yes], groups), **more)

    unsaid = [not question.answerable for question in questions]
    return {
        "chat/short F1, abstentions count 0": over(f1, target=TARGETS["f1"]),
        "chat/quote holds the answer": over(quoted),
        "chat/answerable abstained from": over(silent, target=TARGETS["abstained"], better="lower"),
        "chat/not said, AUC": Figure(auc(chances, unsaid), len(questions), baseline=0.5, target=TARGETS["auc"]),
    }


def read(policy: TunedPolicy, question: Question) -> tuple[float, str, str]:
    """The probability of "not said", the bare answer and the quote from a question's own passage."""
    hit = hit_of(question.title, question.passage)
    conversation = Conversation((Turn("user", question.text),))
    best, chance = policy.answer(conversation, hit)
    return (chance, best.short or best.text, best.quotes[0].text) if best else (chance, "", "")


def decisions(policy: TunedPolicy, data: Path, limit: int, progress: Progress | None) -> dict[str, Figure]:
    """Accuracy of the decision to search, by language."""
    found: dict[str, Figure] = {}
    rows = datasets.decisions(data, "test")
    for language in ("en", "zh"):
        own = {row.id: row for row in rows if row.language == language}
        right, wanted = [], []
        for number, key in enumerate(datasets.ordered(list(own))[:limit], 1):
            plan = policy.plan(Conversation((Turn("user", own[key].text),)))
            right.append(float(bool(plan.queries) == (own[key].label == "search")))
            wanted.append(float(own[key].label == "search"))
            if progress is not None:
                progress(f"decide {language}", number, min(limit, len(own)))
        common = max(np.mean(wanted), 1 - np.mean(wanted))
        target = {"target": TARGETS["decision"]} if language == "en" else {}
        found[f"chat/{language}/search decision"] = measured(metrics.interval(right), baseline=float(common), **target)
    return found


def queries(
    policy: TunedPolicy, data: Path, home: Path, limit: int | None, progress: Progress | None
) -> dict[str, Figure]:
    """R@5 of the model's own queries for the English follow-ups, beside the raw turn and the human rewrite."""
    asked = follow_ups("en", limit)
    encoder = cached(home, None, None, progress)
    values = recalls(asked, datasets.collection(data, "squad-ir").entries, policy, encoder, progress)
    groups = [one.passage_id for one in asked]
    found = {
        f"chat/en/R@{DEPTH}/{system}": measured(metrics.interval(values[system], groups))
        for system in ("raw turn", "rewrite", "both queries", "human rewrite")
    }
    for system in ("rewrite", "both queries"):
        way = share_of_the_way(values, system)
        found[f"chat/en/share of the way/{system}"] = Figure(way, len(asked), baseline=0.0, target=TARGETS["way"])
    return found
