"""What each process does when torchrun starts this module: trainings in one, with the others or alone.

torchrun --nproc_per_node 2 -m tests.launched BASE ADAPTER OUT
"""

import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from models.processes import Processes, processes
from models.train_ppo import Task
from tests import test_train_ppo, test_train_sft


def trained(base: Path, adapter: Path, work: Path, together: Processes) -> dict[str, list[Tensor]]:
    """The weights after supervised tuning, and after PPO with each baseline."""
    run = test_train_sft.begun(base, work / "sft", together=together)
    assert run.go(test_train_sft.EXAMPLES, math.inf, None)
    found = {"sft": run.masters.state()}
    for baseline in ("others", "value"):
        recipe = test_train_ppo.of(baseline)
        template = test_train_ppo.small_template()
        trainer = test_train_ppo.begun(adapter, template, work / baseline, recipe, together=together)
        assert trainer.go(test_train_ppo.TASKS, test_train_ppo.golden, look=red)
        found[baseline] = [*trainer.masters.state(), trainer.value_head.weight.detach()]
    return found


def red(likeliest: Callable[[Task], str]) -> float:
    """How often the likeliest replies say red."""
    return float(sum(likeliest(task).split().count("red") for task in test_train_ppo.TASKS))


def main() -> None:
    base, adapter, out = map(Path, sys.argv[1:])
    together = processes("cpu")
    weights = trained(base, adapter, out / "work", together)
    shared = together.gathered(together.mine(range(5)))
    torch.save({"weights": weights, "shared": shared, "count": together.count}, out / f"{together.rank}.pt")
    together.wait()


if __name__ == "__main__":
    main()
