"""Threads that each run torch on one core.

Texts are independent of each other, so cores work best on different texts. Were each small operation shared out among
the cores instead, they would meet hundreds of times a pass, and on a busy machine each meeting waits for the slowest:
measured beside another program on two cores, 2.8 passages a second that way and 20 this way.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """As many threads as torch has cores to use, or `count`; each is kept to one core."""

    def __init__(self, count: int | None = None) -> None:
        cores = torch.get_num_threads()
        self.count = count or cores
        self._pool = ThreadPoolExecutor(self.count, "trunk", initializer=_keep_to_one_core)
        # Every thread is started now: setting its share of cores also sets the one of threads that start later,
        # which the last line puts right again.
        started = Barrier(self.count)
        for task in [self._pool.submit(started.wait) for _ in range(self.count)]:
            task.result()
        torch.set_num_threads(cores)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """function(item) of every item, in their order. Raises what a call raised."""
        return list(self._pool.map(function, items))


def _keep_to_one_core() -> None:
    """For the thread that calls it. torch gives a thread the common share at its first question or operation and never
    again: asking first makes what is set afterwards last."""
    torch.get_num_threads()
    torch.set_num_threads(1)
