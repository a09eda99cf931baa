"""`passerine train spans`: the reader's choice of spans learns from the judges, by the PPO that tunes the chat model.

A question is shown with its passage and the passages that a retriever would rather bring in its stead. A span is worth
the score by which answers are selected, silence what it is worth for the chat model.
"""

import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from indexing.types import Hit, Progress
from models.curves import draw, over
from models.demonstrations import hit_of
from models.encoder import TrunkEncoder, load_encoder
from models.extractive import candidates
from models.fit import fold
from models.heads import file_sha256
from models.reader import BUNDLED, Reader, Reading, read_upper
from models.reader_pairs import Nearby
from models.reader_rows import Row, read_rows
from models.span_choice import Chosen, Shown
from models.spans import Span
from models.train_reader import TRUNK
from models.train_spans import SpanRecipe, SpanTrainer
from models.types import Candidate, Conversation, Turn
from service.tuning import CURVES, LIKELY, Judges, parts_of, shipped_judges

FILES = ("qa/squad.train.jsonl.gz", "qa/drcd.train.jsonl.gz")
SHARES: Mapping[tuple[str, bool], float] = {("en", True): 0.45, ("en", False): 0.25, ("zh", True): 0.3}
"""Of the questions, by language and whether their own passage answers them."""
QUESTIONS = 2_000


@dataclass(frozen=True, slots=True)
class Beside:
    """A row of a reading set and the passages that it is shown with: its own first, then wrong ones."""

    row: Row
    hits: tuple[Hit, ...]

    @property
    def shown(self) -> Shown:
        return Shown(self.row.id, self.row.question, tuple(hit.passage.text for hit in self.hits))


class SpanRewards:
    """The reward function of the trainer: equal choices for one question are judged once."""

    def __init__(self, asked: Mapping[str, Beside], judges: Judges) -> None:
        self.asked, self.judges = asked, judges

    def __call__(self, shown: Shown, choices: Sequence[Chosen | None]) -> list[dict[str, float]]:
        """The parts of each choice's reward. What cannot be quoted is worth nothing, as it is never said."""
        beside = self.asked[shown.key]
        drafts = {choice: drafted(beside, choice) for choice in choices if choice is not None}
        said = {choice: draft for choice, draft in drafts.items() if draft is not None}
        found: dict[Chosen | None, dict[str, float]] = {
            None: parts_of(0.0, 0.0, 0.0, abstained=True),
            **{choice: parts_of(0.0, 0.0, 0.0) for choice in drafts},
        }
        if said:
            conversation = Conversation((Turn("user", shown.question),))
            found |= dict(zip(said, self.judges.parts(conversation, list(said.values())), strict=True))
        return [found[choice] for choice in choices]


def drafted(beside: Beside, choice: Chosen) -> Candidate | None:
    """The candidate that a choice stands for. The support judge is told the same confidence of each: the policy must
    not earn by being sure of itself."""
    reading = Reading((Span(choice.start, choice.end, 1.0),), 1.0)
    [*made] = candidates(beside.row.question, beside.hits[choice.passage], reading)
    return replace(made[0], log_prob=LIKELY) if made else None


def besides(rows: Sequence[Row], chosen: Sequence[Row], wrong: int) -> list[Beside]:
    """Some of the `rows` with their own passage and the `wrong` ones that BM25 likes most among those of all rows."""
    titles = {row.context: row.article for row in rows}
    nearby = {source: Nearby([row for row in rows if row.source == source]) for source in {row.source for row in rows}}
    return [
        Beside(row, tuple(hit_of(titles[text], text) for text in (row.context, *nearby[row.source].wrong(row, wrong))))
        for row in chosen
    ]


def questions(data: Path, recipe: SpanRecipe, seed: int, most: int = QUESTIONS) -> list[Beside]:
    """Questions of the training articles. Raises BadInput when a file is absent."""
    rows = [row for name in FILES for row in read_rows(data / name) if fold(row.article) != 0]
    rng, chosen = random.Random(seed), list[Row]()
    for (language, answerable), part in SHARES.items():
        own = [row for row in rows if row.language == language and bool(row.answers) == answerable]
        chosen += rng.sample(own, min(round(part * most), len(own)))
    return besides(rows, chosen, recipe.wrong)


def train_spans(
    data: Path,
    home: Path,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    recipe: SpanRecipe | None = None,
    seconds: float = math.inf,
    start: Path = BUNDLED,
) -> bool:
    """Tune the reader of `start` and write the new one (weights, config.json, card.md, curves.png) into `out`.

    A checkpoint is kept under `out`/work after each round; the same call goes on from there. True when complete.
    """
    recipe, until = recipe or SpanRecipe(), time.monotonic() + seconds
    asked = {beside.row.id: beside for beside in questions(data, recipe, seed)}
    encoder = load_encoder(TRUNK, home)
    assert isinstance(encoder, TrunkEncoder)
    reader = Reader.load(encoder.trunk, start)
    trainer = SpanTrainer(reader, read_upper(start, reader.config), recipe, out / "work", seed)
    facts = {
        "tuned_from": file_sha256(start / "weights.safetensors"),
        "seed": seed,
        "recipe": asdict(recipe),
        "data": {name: file_sha256(data / name) for name in FILES},
    }
    # A recipe with more rounds goes on from one with fewer: no round depends on their number.
    trainer.resume(json.dumps({**facts, "recipe": asdict(replace(recipe, rounds=0))}, sort_keys=True))
    reward = SpanRewards(asked, shipped_judges(encoder.trunk))
    if not trainer.go([beside.shown for beside in asked.values()], reward, until, progress):
        return False
    facts["seconds"] = math.fsum(one["seconds"] for one in trainer.history)
    save(out, trainer, facts, start)
    return True


def save(out: Path, trainer: SpanTrainer, facts: Mapping[str, object], start: Path) -> None:
    """Weights in 16 bits, config.json of the start with what became of it, the history, its picture and a card."""
    from safetensors.torch import save_file

    out.mkdir(parents=True, exist_ok=True)
    weights = out / "weights.safetensors"
    save_file({name: own.half().contiguous() for name, own in trainer.policy.upper.state_dict().items()}, weights)
    weights.chmod(0o644)
    config = json.loads((start / "config.json").read_text(encoding="utf-8"))
    written = {**config, **facts, "name": "spans", "weights_sha256": file_sha256(weights)}
    (out / "config.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    (out / "history.json").write_text(json.dumps(trainer.history, indent=1) + "\n", encoding="utf-8")
    draw([over(trainer.history, labels, "round") for labels in CURVES], out / "curves.png")
    (out / "card.md").write_text(card(trainer, facts), encoding="utf-8")


def card(trainer: SpanTrainer, facts: Mapping[str, object]) -> str:
    """What the weights are, and how the rounds went."""
    recipe, history = trainer.recipe, trainer.history
    part = max(1, len(history) // 10)

    def mean(rows: Sequence[Mapping[str, float]], key: str) -> str:
        return f"{sum(row[key] for row in rows) / len(rows):.3f}"

    rows = [
        f"| {title} | {mean(history[:part], key)} | {mean(history[-part:], key)} |"
        for title, key in (
            ("reward by the judges", "reward/total"),
            ("silent", "reward/abstained"),
            ("KL to the start, nats a question", "reference_kl"),
        )
    ]
    return "\n".join([
        "# Reader tuned by the judges",
        "",
        f"The reader {facts['tuned_from']}, its layers from {recipe.frozen} on and its heads tuned by PPO against the",
        f"shipped judges: {len(history)} rounds of {recipe.questions} questions with {recipe.samples} choices each,",
        f"{recipe.wrong} wrong passages beside each question's own, KL penalty {recipe.ppo.beta:g},",
        f"rate {recipe.rate:g}, seed {facts['seed']}.",
        "",
        f"| | first {part} rounds | last {part} rounds |",
        "|---|---|---|",
        *rows,
        "",
        "Data: questions of the training articles of SQuAD and DRCD (CC BY-SA). `passerine evaluate spans` compares it",
        "with its start on questions that it never met.",
        "",
    ])  # fmt: skip
