"""Training by several processes at once, one a GPU, as `accelerate launch` or torchrun starts them; or by one alone.

Every process holds the whole model. Each reads its own share of a batch; gradients and figures are added up, so that
all take the same step and stay the same. The first one writes files.
"""

import time
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

Item = TypeVar("Item")


class Processes:
    """One process alone: its share is everything, and nothing is waited for.

    >>> Processes().mine([1, 2, 3])
    [1, 2, 3]
    """

    rank, count = 0, 1

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def mine(self, items: Sequence[Item]) -> list[Item]:
        """This process's share: every `count`-th."""
        return list(items[self.rank :: self.count])

    def part(self, rows: Tensor) -> Tensor:
        """This process's share of numbers [n]: a run of them, since neighbours belong together; some may get none."""
        return rows.tensor_split(self.count)[self.rank]

    def sums(self, *values: float) -> list[float]:
        """Each value added up over the processes."""
        return list(values)

    def late(self, until: float) -> bool:
        """Whether the time `until` (time.monotonic) is over for any of them: all stop together."""
        return self.sums(float(time.monotonic() > until))[0] > 0

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """The gradients become their sums over the processes; where a process has none it counts as zero."""

    def gathered(self, items: Sequence[Item]) -> list[Item]:
        """The items of all processes, in the order that `mine` shared them out."""
        return list(items)

    def wait(self) -> None:
        """Until all have come this far."""


class Launched(Processes):
    """Those that were started together, through accelerate."""

    def __init__(self, cpu: bool) -> None:
        from accelerate import PartialState

        self._state = PartialState(cpu=cpu)
        super().__init__("cpu" if cpu else self._state.device)
        self.rank, self.count = self._state.process_index, self._state.num_processes

    def sums(self, *values: float) -> list[float]:
        found: list[float] = self._added(torch.tensor(values, dtype=torch.float64, device=self.device)).tolist()
        return found

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        own = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        added = self._added(torch.cat([gradient.flatten() for gradient in own]))
        parts = torch.split(added, [one.numel() for one in own])
        for parameter, gradient in zip(parameters, parts, strict=True):
            parameter.grad = gradient.view_as(parameter).clone()

    def gathered(self, items: Sequence[Item]) -> list[Item]:
        from accelerate.utils import gather_object

        placed = [(place * self.count + self.rank, item) for place, item in enumerate(items)]
        return [item for _, item in sorted(gather_object(placed), key=lambda one: one[0])]

    def wait(self) -> None:
        self._state.wait_for_everyone()

    def _added(self, tensor: Tensor) -> Tensor:
        from accelerate.utils import reduce

        added: Tensor = reduce(tensor, "sum")
        return added


def processes(device: str = "auto") -> Processes:
    """Those that were started together, each on its own device of that kind; else this one, on `device` (auto: a GPU
    where there is one)."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if torch.distributed.is_torchelastic_launched():
        return Launched(device == "cpu")
    return Processes(device)
