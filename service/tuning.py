"""`passerine train ppo`: the chat model learns from the judges. The one program that joins both.

A reply is a stretch of the passage, or says that the results do not say. A stretch is worth the score by which an
answer is selected, in [0, 1]; silence is worth less than an answer that is likely right and more than a wrong one. What
does not stand in the passage, should it be drawn, is worth -1.
"""

import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from indexing.types import Progress
from models.adapter import POLICY, check_adapter, save_adapter, with_reference
from models.curves import draw, over
from models.demonstrations import demonstrations
from models.encoder import TrunkEncoder, load_encoder
from models.generator import LocalGenerator
from models.heads import file_sha256
from models.measures import token_f1
from models.processes import processes
from models.prompts import NOT_SAID
from models.reader import Reader
from models.reader_rows import Row
from models.scalar_head import FILE as HEAD_FILE
from models.scalar_head import read_head
from models.train_ppo import DemonstrationLoss, Look, RlRecipe, Task, Trainer
from models.train_sft import BASE, SftRecipe, batches, encoded, losses, split
from models.trunk import Trunk
from models.tuned import candidate_of, reading_of
from models.types import Candidate, Conversation
from models.weights import model_folder
from rewards.preference import TrainedPreference
from rewards.readings import Readings
from rewards.rule_judge import TrainedRules
from rewards.rules import load_rules
from rewards.select import Thresholds, kept, load_thresholds, sigmoid
from rewards.support import TrainedSupport
from rewards.types import PreferenceJudge, RuleJudge, SupportJudge
from service.reading_tasks import FILES, Question, drawn_rows, questions, task_of, training_rows
from service.self_play import SelfPlay

DEVELOPMENT = 120
"""Questions of the development articles that the policy is looked at with."""
PTX_TOKENS = 1_200
"""Of demonstrations beside each minibatch, when the recipe mixes them in."""
SILENT, MALFORMED = 0.45, -1.0
"""What silence is worth, and what does not stand in the passage. With the reader's confidence a right stretch is worth
.56 and a wrong one .30, the mean over those that the supervised adapter drew for 300 training questions; the best of a
question that its passage answers .57, of another .39."""
CURVES: Sequence[Mapping[str, str]] = (
    {"reward/total": "reward", "development": "development questions, by their gold answers"},
    {f"reward/{part}": part for part in ("preference", "support", "rules", "format", "abstained")},
    {"reference_kl": "KL to the start", "kl": "KL to the last round"},
)
"""What the picture shows, by panel."""
LIKELY = -1.0
"""ln of the confidence that the support judge is told of where no reader is asked."""
LEAST = 1e-9
"""Confidence in a stretch that the reader does not weigh at all."""


@dataclass(frozen=True, slots=True)
class Judges:
    """The three judges of an answer and what they are summed with."""

    preference: PreferenceJudge
    rule: RuleJudge
    support: SupportJudge
    thresholds: Thresholds

    def parts(self, conversation: Conversation, candidates: Sequence[Candidate]) -> list[dict[str, float]]:
        """The parts of each candidate's reward by name, and their product: the score by which answers are selected."""
        return [
            parts_of(sigmoid(preference - self.thresholds.r_avg), kept(rules), support)
            for preference, rules, support in zip(
                self.preference.judge(conversation, candidates),
                self.rule.judge(conversation, candidates),
                self.support.judge(conversation, candidates),
                strict=True,
            )
        ]


class Rewards:
    """The reward function of the trainer: the three judges and the format, each logged apart. A reply to what nothing
    is `asked` of is out of format: it was a search that was due.

    The support judge weighs how sure the policy is. It is told how sure the `reader` is of a reply, never the policy
    itself, which must not earn by being sure; without a reader LIKELY of each.
    """

    def __init__(self, asked: Mapping[str, Question], judges: Judges, reader: Reader | None = None) -> None:
        self.asked, self.judges, self.reader = asked, judges, reader

    def __call__(self, tasks: Sequence[Task], replies: Sequence[str]) -> list[dict[str, float]]:
        """The parts of each reply's reward; equal replies to one task are judged once."""
        found: dict[tuple[str, str], dict[str, float]] = {}
        for key in dict.fromkeys(task.key for task in tasks):
            own = dict.fromkeys(reply for task, reply in zip(tasks, replies, strict=True) if task.key == key)
            if key in self.asked:
                found |= {(key, reply): parts for reply, parts in self.judged(self.asked[key], list(own)).items()}
            else:
                found |= {(key, reply): parts_of(0.0, 0.0, 0.0, malformed=True) for reply in own}
        return [found[task.key, reply] for task, reply in zip(tasks, replies, strict=True)]

    def judged(self, question: Question, replies: Sequence[str]) -> dict[str, dict[str, float]]:
        """Of distinct replies to one question."""
        drafts = {reply: drafted(question, reply) for reply in replies}
        said = {reply: draft for reply, draft in drafts.items() if isinstance(draft, Candidate)}
        found = {
            reply: parts_of(0.0, 0.0, 0.0, abstained=True) if draft is None else parts_of(0.0, 0.0, 0.0, malformed=True)
            for reply, draft in drafts.items()
            if reply not in said
        }
        judged = self.judges.parts(question.conversation, self.weighed(question, said)) if said else []
        return {**found, **dict(zip(said, judged, strict=True))}

    def weighed(self, question: Question, said: Mapping[str, Candidate]) -> list[Candidate]:
        """The drafts of some replies, each with what the reader thinks of it as its confidence."""
        if self.reader is None:
            return list(said.values())
        asked, passage = question.conversation.question, question.hit.passage.text
        stretches = [draft.short or reply.strip() for reply, draft in said.items()]
        return [
            replace(draft, log_prob=min(0.0, math.log(max(chance, LEAST))))
            for draft, chance in zip(said.values(), self.reader.chances(asked, passage, stretches), strict=True)
        ]


def parts_of(
    preference: float, rules: float, support: float, abstained: bool = False, malformed: bool = False
) -> dict[str, float]:
    """The parts of a reward by name, and its total."""
    score = preference * rules * support
    total = MALFORMED if malformed else SILENT if abstained else score
    return {
        "total": total,
        "preference": preference,
        "rules": rules,
        "support": support,
        "format": 0.0 if malformed else 1.0,
        "abstained": float(abstained),
    }


def drafted(question: Question, reply: str) -> Candidate | str | None:
    """The candidate that a reply stands for, None for NOT_SAID, and the reply itself when it does not stand in the
    passage."""
    short = reply.strip()
    if short == NOT_SAID:
        return None
    reading = reading_of(question.conversation, question.hit)
    return candidate_of(question.conversation.question, reading, short, LIKELY, "generative") or reply


def truth(rows: Sequence[Row]) -> Look:
    """What the likeliest replies to some questions are worth by their gold answers: the mean of token F1 where the
    passage answers, and of silence where it does not (SQuAD 2.0's F1, Rajpurkar et al. 2018)."""

    def look(likeliest: Callable[[Task], str]) -> float:
        return math.fsum(worth(row, likeliest(task_of(row)[0]).strip()) for row in rows) / len(rows)

    return look


def worth(row: Row, reply: str) -> float:
    """Token F1 with the nearest gold answer; of a question without one, whether nothing is said."""
    if reply == NOT_SAID:
        return float(not row.answers)
    return token_f1(reply, row.answers)


def train_ppo(
    data: Path,
    home: Path,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    recipe: RlRecipe | None = None,
    seconds: float = math.inf,
    start: Path | None = None,
    reward: Path | None = None,
    device: str = "cpu",
) -> bool:
    """Tune the adapter `start` (default: `sft` beside `out`) and write the new one, passerine.json and curves.png into
    `out`. With a value head as baseline, that begins as the head of the reward model in `reward` (default: `reward`
    beside `out`, where there is one). Raises BadInput when there is no such adapter, or it does not fit the base.

    A checkpoint is kept under `out`/work after each round; the same call goes on from there. True when complete. Trains
    on `device`, or on those of the processes that `accelerate launch` started.
    """
    recipe, until = recipe or RlRecipe(), time.monotonic() + seconds
    base, start = model_folder(home, BASE), start or out.parent / "sft"
    check_adapter(start, base)
    tasks, asked = questions(data, seed)
    together = processes(device)
    progress = progress if together.first else None
    local = LocalGenerator.load(BASE, base, str(together.device))
    model = with_reference(local.model, start)
    facts = {
        "name": "ppo",
        "base": BASE,
        "start": file_sha256(start / "adapter_model.safetensors"),
        "seed": seed,
        "recipe": asdict(recipe),
        "data": {name: file_sha256(data / name) for name in FILES},
    }
    head = value_start(recipe, reward or out.parent / "reward", int(model.config.hidden_size))
    if head is not None:
        facts["value_head"] = file_sha256((reward or out.parent / "reward") / HEAD_FILE)
    trainer = Trainer(model, local.template, recipe, out / "work", seed, head, together)
    trainer.resume(json.dumps(facts, sort_keys=True))
    shown = demonstration_loss(model, local, data, seed) if recipe.ptx else None
    look = truth(drawn_rows(data, seed, DEVELOPMENT, development=True))
    grow = SelfPlay(training_rows(data), asked).grow
    if not trainer.go(tasks, rewards(home, asked), until, progress, shown, look, grow):
        return False
    if not together.first:
        return True
    facts["seconds"] = math.fsum(one["seconds"] for one in trainer.history)
    save_adapter(model, out, base, {**facts, "history": trainer.history[-1:]}, POLICY)
    (out / "history.json").write_text(json.dumps(trainer.history, indent=1) + "\n", encoding="utf-8")
    draw([over(trainer.history, labels, "round") for labels in CURVES], out / "curves.png")
    return True


def value_start(recipe: RlRecipe, reward: Path, width: int) -> nn.Linear | None:
    """The head of the reward model in `reward`; None for a baseline that needs none, and where no model is."""
    if recipe.ppo.baseline != "value" or not reward.is_dir():
        return None
    return read_head(reward, width)


def demonstration_loss(model: Any, local: LocalGenerator, data: Path, seed: int) -> DemonstrationLoss:
    """What supervised tuning minimises, on a small batch of its own training demonstrations."""
    recipe = SftRecipe(tokens=PTX_TOKENS)
    made = demonstrations(data, seed)
    _, kept = split([encoded(local, one) for one in made], made, recipe)
    steps = batches(kept, recipe, seed)

    def loss(order: random.Random) -> Tensor:
        each, weights = losses(model, order.choice(steps))
        return (each * weights).sum() / weights.sum()

    return loss


def rewards(home: Path, asked: Mapping[str, Question]) -> Rewards:
    """The shipped judges as a reward."""
    encoder = load_encoder("multilingual-e5-small", home)
    assert isinstance(encoder, TrunkEncoder)
    return Rewards(asked, shipped_judges(encoder.trunk), Reader.load(encoder.trunk))


def shipped_judges(trunk: Trunk) -> Judges:
    """The judges that come with the install, on the encoder's trunk."""
    readings = Readings(trunk)
    return Judges(
        TrainedPreference.load(readings),
        TrainedRules.load(readings, load_rules()),
        TrainedSupport.load(readings),
        load_thresholds(),
    )
