"""The chat model before and after tuning: what the judges say that it was tuned by, what judges say that it never met,
and what is true.

Every adapter reads the same unseen questions with their own passages, held to them as the policy is. Each is silent on
as many answerable questions as the first one, those where it is least sure, so that none wins by being bolder. What it
says is judged; further replies are drawn freely for the divergence from the first adapter, for diversity and for the
format.
"""

import itertools
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval import datasets, metrics
from eval.outcomes import supported_and_correct
from eval.report import Figure, Report, Table, measured, share, write
from indexing.types import BadInput, Progress
from models.curves import Panel, draw
from models.demonstrations import hit_of
from models.llama_generator import LlamaGenerator
from models.prompts import BRIEF, NOT_SAID, evidence_prompt
from models.train_ppo import Task
from models.train_sft import BASE
from models.trunk import Trunk
from models.tuned import SHORT, SILENCE, TunedPolicy
from models.types import Candidate, Conversation, Sampling, Turn
from models.weights import model_folder
from rewards.elo import Game, ratings
from rewards.interaction import load_network
from rewards.preference import TrainedPreference
from rewards.readings import Readings
from rewards.rule_judge import TrainedRules
from rewards.rules import load_rules
from rewards.select import Thresholds
from rewards.support import TrainedSupport
from rewards.train_second import LAYER, TRUNK
from service.reading_tasks import Question
from service.tuning import Judges, Rewards, rewards
from service.tuning import drafted as draft_of

SECOND = Path(__file__).parent / "bundled" / "judges"
"""The judges for evaluation only."""
QUESTIONS, DRAWS = 300, 4
BROKEN = 0.5
DRAWN = Sampling(max_tokens=SHORT.max_tokens, temperature=1.0, top_p=1.0, stop=SHORT.stop)


@dataclass(frozen=True, slots=True)
class Drafted:
    """What an adapter would say to one question ("" for nothing), how much likelier it is that it says nothing (nats),
    and what was seen of replies drawn freely: nats a reply to the first adapter, and the shares of different texts and
    of those out of format."""

    reply: str
    margin: float
    kl: float
    distinct: float
    malformed: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Said:
    """What became of one question. `reward` is that of the product's judges, `second` that of the judges for evaluation
    only."""

    reply: str
    reward: float
    second: float
    right: bool
    abstained: bool
    violation: bool
    characters: float
    draft: Drafted


def run_rlhf(
    data: Path,
    home: Path,
    out: Path,
    progress: Progress | None = None,
    limit: int | None = None,
    *,
    adapters: Sequence[Path],
    judges: Path = SECOND,
) -> Report:
    """Compare adapters of the chat model with the first of them; writes rlhf.md, .json and .png into `out`. Raises
    BadInput, ModelMissing."""
    if len(adapters) < 2:
        hint = "Name two or more: --adapter runs/sft --adapter runs/ppo."
        raise BadInput("Adapters are compared with the first one, and there is no other.", hint)
    base = model_folder(home, BASE)
    facts = {str(own["name"]): own for own in map(facts_of, adapters)}
    if len(facts) < len(adapters):
        raise BadInput("Two adapters have one name.", "The name stands in passerine.json.")
    first = LlamaGenerator.load(BASE, base, adapters[0])
    others = (LlamaGenerator.load(BASE, base, folder, beside=first) for folder in adapters[1:])
    writers = dict(zip(facts, (first, *others), strict=True))
    asked = datasets.stratified(list(datasets.questions(data, "squad.test")), limit or QUESTIONS)
    tasks = {one.id: Question(Conversation((Turn("user", one.text),)), hit_of(one.title, one.passage)) for one in asked}
    own = rewards(home, tasks)
    other = Rewards(tasks, second_judges(home, judges))
    drafts: dict[str, list[Drafted]] = {name: [] for name in writers}
    for name, writer in writers.items():
        for number, question in enumerate(asked, 1):
            drafts[name].append(drafted(tasks[question.id], writer, first))
            if progress is not None:
                progress(name, number, len(asked))
    silence = silences(drafts, [question.answerable for question in asked])
    said = {
        name: [
            judged(question, tasks[question.id], draft, silence[name], own, other)
            for question, draft in zip(asked, drafts[name], strict=True)
        ]
        for name in writers
    }
    return reported(said, asked, out, made(facts))


def facts_of(adapter: Path) -> dict[str, Any]:
    """How an adapter was made: its name, its recipe, and the seconds that it took. Raises BadInput."""
    try:
        facts: dict[str, Any] = json.loads((adapter / "passerine.json").read_text(encoding="utf-8"))
        return {"name": facts["name"], "recipe": facts.get("recipe", {}), "seconds": facts.get("seconds")}
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{adapter} holds no adapter ({error}).", "Name a folder that `passerine train` made.") from None


def made(facts: Mapping[str, Mapping[str, Any]]) -> Table:
    """What each adapter cost."""
    rows = []
    for name, own in facts.items():
        recipe = {key: value for key, value in own["recipe"].items() if isinstance(value, int | float)}
        hours = "-" if own["seconds"] is None else f"{own['seconds'] / 3600:.2f}"
        rows.append((name, hours, ", ".join(f"{key} {value:g}" for key, value in recipe.items())))
    return Table("Training", ("adapter", "hours on this kind of machine", "recipe"), tuple(rows))


def second_judges(home: Path, folder: Path = SECOND) -> Judges:
    """The judges for evaluation only, summed up as the product's are."""
    readings = Readings(Trunk.load(model_folder(home, TRUNK)), LAYER)
    average = load_network(folder / "preference")[1].numbers["r_avg"]
    return Judges(
        TrainedPreference.load(readings, folder / "preference"),
        TrainedRules.load(readings, load_rules(), folder / "rules"),
        TrainedSupport.load(readings, folder / "support"),
        Thresholds(r_avg=average),
    )


def drafted(task: Question, writer: LlamaGenerator, first: LlamaGenerator) -> Drafted:
    """One question by one adapter."""
    began = time.perf_counter()
    candidate, margin, _ = TunedPolicy(writer).weighed(task.conversation, task.hit)
    seconds = time.perf_counter() - began
    prompt = evidence_prompt(task.conversation, (task.hit,), task.conversation.question, BRIEF)
    [drawn] = writer.generate([prompt], DRAWS, DRAWN)
    texts = [one.text for one in drawn]
    chances = [model.log_probs([prompt] * len(texts), texts) for model in (writer, first)]
    apart = [math.fsum(a) - math.fsum(b) for a, b in zip(*chances, strict=True)]
    return Drafted(
        reply=candidate.short or candidate.text if candidate else "",
        margin=margin,
        kl=sum(apart) / len(apart),
        distinct=len(set(texts)) / len(texts),
        malformed=sum(isinstance(draft_of(task, text), str) for text in texts) / len(texts),
        seconds=seconds,
    )


def silences(drafts: Mapping[str, Sequence[Drafted]], answerable: Sequence[bool]) -> dict[str, float]:
    """The margin from which each adapter says nothing, so that all are silent on as many answerable questions as the
    first one is from SILENCE on."""
    margins = {
        name: sorted(draft.margin for draft, yes in zip(own, answerable, strict=True) if yes)
        for name, own in drafts.items()
    }
    spoken = sum(margin <= SILENCE for margin in next(iter(margins.values())))
    return {name: own[spoken - 1] if spoken else -math.inf for name, own in margins.items()}


def judged(
    question: datasets.Question, task: Question, draft: Drafted, silence: float, own: Rewards, other: Rewards
) -> Said:
    """What an adapter says to one question, by both kinds of judges."""
    reply = draft.reply if draft.reply and draft.margin <= silence else NOT_SAID
    said = draft_of(task, reply)
    candidate = said if isinstance(said, Candidate) else None
    [mine], [theirs] = (judge([Task((), question.id)], [reply]) for judge in (own, other))
    kept = other.judges.rule.judge(task.conversation, [candidate])[0] if candidate else {}
    return Said(
        reply=reply,
        reward=mine["total"],
        second=theirs["total"],
        right=candidate is not None and question.answerable and supported_and_correct(candidate, question.answers),
        abstained=candidate is None,
        violation=min(kept.values(), default=1.0) < BROKEN,
        characters=float(len(candidate.short or candidate.text)) if candidate else 0.0,
        draft=draft,
    )


def reported(said: Mapping[str, Sequence[Said]], asked: Sequence[datasets.Question], out: Path, made: Table) -> Report:
    """Figures of each adapter, and the differences to the first one."""
    groups = [question.title for question in asked]
    yes = [place for place, question in enumerate(asked) if question.answerable]
    no = [place for place, question in enumerate(asked) if not question.answerable]
    start = next(iter(said))
    everywhere = range(len(asked))
    columns: dict[str, tuple[Sequence[int], str]] = {
        "reward": (everywhere, "reward"), "second": (everywhere, "reward by the second judges"),
        "right": (yes, "supported and correct"), "abstained": (yes, "answerable abstained from"),
        "silent": (no, "unanswerable abstained from"), "violation": (everywhere, "a rule broken"),
        "characters": (everywhere, "characters"), "kl": (everywhere, "KL to the first, nats a reply"),
        "distinct": (everywhere, "different among drawn"), "malformed": (everywhere, "drawn out of format"),
        "seconds": (everywhere, "seconds a reply"),
    }  # fmt: skip
    figures: dict[str, Figure] = {}
    rows, differences = [], []
    for name, own in said.items():
        cells = []
        for key, (places, _) in columns.items():
            values = [measure(own[place], key) for place in places]
            own_groups = [groups[place] for place in places]
            figures[f"rlhf/{name}/{key}"] = measured(metrics.interval(values, own_groups), unit="")
            cells.append(share(float(np.mean(values))))
            if key in ("reward", "second", "right") and name != start:
                before = [measure(said[start][place], key) for place in places]
                both = metrics.paired(values, before, own_groups)
                cell = f"{both.mean:+.3f} [{both.low:+.3f}, {both.high:+.3f}]"
                differences.append((f"{name} - {start}", columns[key][1], cell, f"{both.n}"))
        rows.append((name, *cells))
    elo = ratings(games(said))
    tables = (
        Table("Adapters", ("adapter", *(title for _, title in columns.values())), tuple(rows)),
        Table("Differences", ("adapters", "measure", "difference, 95%", "questions"), tuple(differences)),
        Table("Elo by the second judges", ("adapter", "rating"), tuple((k, f"{v:.0f}") for k, v in elo.items())),
        made,
    )
    points = {name: [(figures[f"rlhf/{name}/kl"].value, figures[f"rlhf/{name}/second"].value)] for name in said}
    draw([Panel(points, "KL to the first, nats a reply", "reward by the second judges")], out / "rlhf.png")
    report = Report("rlhf", "passerine evaluate rlhf", tables, figures, pictures=(out / "rlhf.png",))
    write(report, out)
    return report


def measure(said: Said, key: str) -> float:
    """A figure of one question by its name."""
    if key == "silent":
        return float(said.abstained)
    return float(getattr(said, key) if hasattr(said, key) else getattr(said.draft, key))


def games(said: Mapping[str, Sequence[Said]]) -> list[Game]:
    """Every two adapters on every question, by the second judges' reward."""
    found = []
    for a, b in itertools.combinations(said, 2):
        for one, other in zip(said[a], said[b], strict=True):
            share_of_a = 0.5 if one.second == other.second else float(one.second > other.second)
            found.append(Game(a, b, share_of_a))
    return found
