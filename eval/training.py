"""Samples a second in reinforcement learning: our trainer beside trl's RLOO trainer, in the same run.

The same model, adapter, prompts, samples a prompt and lengths, one pass over what was sampled, and a reward that costs
nothing. trl is a peer to be measured against; the product does not need it (`pip install trl` for this measurement).
"""

import gc
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from eval.report import Figure, Report, figure_table, write
from indexing.types import BadInput, Progress
from models.adapter import continued, with_reference
from models.generator import LocalGenerator
from models.ppo import PpoRecipe
from models.train_ppo import RlRecipe, Task, Trainer
from models.train_sft import BASE
from models.weights import model_folder
from service.reading_tasks import questions

PROMPTS, SAMPLES, TOKENS, ROUNDS = 2, 8, 24, 3
"""Of a round: with four prompts trl's trainer, which keeps the logits of all samples, takes over 18 GiB."""
TARGET = 3.0


def run_training(
    data: Path, home: Path, out: Path, progress: Progress | None = None, limit: int | None = None
) -> Report:
    """Both trainers by turns, `limit` rounds of each; writes training.md and .json into `out`. Raises BadInput when trl
    is not installed, ModelMissing."""
    if find_spec("trl") is None:
        raise BadInput("trl is not installed, so there is nothing to compare with.", "pip install trl")
    rounds = limit or ROUNDS
    tasks = [Task(task.prompt, task.key) for task in questions(data, 0)[0][: PROMPTS * (rounds + 1)]]
    base = model_folder(home, BASE)
    adapter = Path(__file__).parents[1] / "models" / "bundled" / "sft"
    with tempfile.TemporaryDirectory() as work:
        ours = our_trainer(base, adapter, Path(work))
        theirs = Peer(base, adapter, Path(work))
        own, other = [], []
        for number in range(rounds + 1):
            some = tasks[number * PROMPTS : (number + 1) * PROMPTS]
            own.append(seconds(lambda some=some: ours.round(some, shortest, None)))
            other.append(seconds(lambda some=some: theirs.round(some)))
            if progress is not None:
                progress("rounds", number + 1, rounds + 1)
    ratio = median(theirs / mine for mine, theirs in zip(own[1:], other[1:], strict=True))
    drawn = PROMPTS * SAMPLES
    figures = {
        "rl/samples a second, ours beside trl's": Figure(ratio, rounds, target=TARGET, unit="x"),
        "rl/samples a second, ours": Figure(drawn / median(own[1:]), rounds, unit="/s"),
        "rl/samples a second, trl": Figure(drawn / median(other[1:]), rounds, unit="/s"),
    }
    notes = (f"{PROMPTS} prompts, {SAMPLES} samples each of at most {TOKENS} tokens; the first round is not counted.",)
    report = Report(
        "training", "passerine evaluate training", (figure_table("Training", figures),), figures, notes=notes
    )
    write(report, out)
    return report


def shortest(_: Sequence[Task], replies: Sequence[str]) -> list[dict[str, float]]:
    """A reward that costs nothing: shorter is better."""
    return [{"total": -float(len(reply))} for reply in replies]


def seconds(work: Any) -> float:
    """What a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def our_trainer(base: Path, adapter: Path, work: Path) -> Trainer:
    """One pass over a round's samples, against the mean of the others."""
    local = LocalGenerator.load(BASE, base)
    ppo = PpoRecipe(baseline="others", minibatch=PROMPTS * SAMPLES, passes=1)
    recipe = RlRecipe(prompts=PROMPTS, samples=SAMPLES, most_tokens=TOKENS, ppo=ppo)
    return Trainer(with_reference(local.model, adapter), local.template, recipe, work)


class Peer:
    """trl's RLOO trainer with the same adapter on the same model."""

    def __init__(self, base: Path, adapter: Path, work: Path) -> None:
        self.base, self.adapter, self.work = base, adapter, work
        self.local = LocalGenerator.load(BASE, base)
        self.model = continued(self.local.model, adapter)

    def round(self, tasks: Sequence[Task]) -> None:
        """One step over the tasks; setting trl up is part of no measurement that matters, and takes milliseconds."""
        trl, datasets = import_module("trl"), import_module("datasets")
        settings = trl.RLOOConfig(
            output_dir=str(self.work), per_device_train_batch_size=PROMPTS * SAMPLES, num_generations=SAMPLES,
            max_completion_length=TOKENS, max_steps=1, num_iterations=1, beta=0.02, learning_rate=5e-5, bf16=False,
            use_cpu=True, report_to=[], save_strategy="no", logging_steps=100, gradient_checkpointing=False,
            disable_tqdm=True,
        )  # fmt: skip
        prompts = [self.local.template.render(task.prompt) for task in tasks]
        table = datasets.table.InMemoryTable.from_pydict({"prompt": prompts})
        trainer = trl.RLOOTrainer(
            model=self.model, reward_funcs=lambda completions, **_: [-float(len(one)) for one in completions],
            args=settings, train_dataset=datasets.Dataset(table, fingerprint="prompts"),
            processing_class=self.local.template.tokenizer,
        )  # fmt: skip
        trainer.train()
        trainer.model.delete_adapter("ref")  # its copy of the adapter, which the next trainer makes anew
        del trainer
        gc.collect()  # it is held in circles, with all its tensors
