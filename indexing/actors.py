"""Shards as actors of a Ray cluster, each in a process of its own on whichever machine has room.

An actor that dies is started anew by Ray and loads what the next question is about, so that an answer is about all
fragments of its version or there is none. Actors claim no processor: one that starts anew never waits for a free one.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from indexing.shard import Part, Shard, divided
from indexing.table_rows import Place
from indexing.types import BadInput, ClusterFailed, PasserineError

ANSWER_SECONDS = 120.0
"""Wait for one round of the shards, in which a dead one is started anew and maps its segments."""
LOCAL = "local"
"""The address of a cluster that is started in this machine's memory and ends with the process."""

STORE_BYTES = 256 << 20
"""Room of that cluster for what its processes hand each other: a few batches of items."""


def ray() -> Any:
    """The package, of the extra `cluster`. Raises BadInput where it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise BadInput(
            "A cluster needs the packages of the extra `cluster`.", "Run `pip install 'passerine[cluster]'`."
        ) from error
    return ray


def connect(address: str, processors: int | None = None) -> Any:
    """Ray, connected to the cluster at an address (`host:port`, `ray://host:port`, `auto`), or to one that is started
    here (`local`) with so many processors. A connection that is there is used. Raises BadInput, ClusterFailed."""
    module = ray()
    if module.is_initialized():
        return module
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        options |= {"address": "local", "num_cpus": processors, "include_dashboard": False}
        options |= {"object_store_memory": STORE_BYTES}
    else:
        options |= {"address": address}
    try:
        module.init(**options)
    except Exception as error:  # noqa: BLE001 - Ray raises a bare Exception for a start that takes too long
        if "AuthToken" in str(error.__cause__):
            raise ClusterFailed(
                f"The Ray cluster at {address} asks for a token.",
                "Set RAY_AUTH_MODE=token, and copy ~/.ray/auth_token from the machine of its head.",
            ) from None
        raise ClusterFailed(
            f"There is no Ray cluster at {address}: {str(error).partition('. ')[0]}.",
            "Start one with `ray start --head`, or say `local`.",
        ) from None
    return module


class ActorShards:
    """Shards held by actors of a cluster."""

    def __init__(self, place: Place, address: str, count: int, cache: Path | None = None) -> None:
        """`count` actors; `cache` is a folder on the disk of the machine where each runs."""
        self._ray = connect(address)
        kind = self._ray.remote(Shard).options(
            num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy="SPREAD"
        )
        self.actors = [kind.remote(place, cache) for _ in range(count)]
        self._before: list[tuple[int, ...]] = [()] * count
        self._guard = threading.Lock()

    def divide(self, fragments: Mapping[int, int]) -> list[tuple[int, ...]]:
        with self._guard:
            self._before = divided(fragments, len(self.actors), self._before)
            return self._before

    def ask(self, question: str, parts: Sequence[Part], *given: object) -> list[Any]:
        shared = [self._ray.put(each) for each in given]
        asked = [getattr(actor, question).remote(part, *shared) for actor, part in zip(self.actors, parts, strict=True)]
        errors = self._ray.exceptions
        try:
            found: list[Any] = self._ray.get(asked, timeout=ANSWER_SECONDS)
            return found
        except errors.RayTaskError as error:
            if isinstance(error.cause, PasserineError):
                raise error.cause from None
            raise ClusterFailed(
                f"A shard of the table failed: {type(error.cause).__name__}: {error.cause}.", "Its log says more."
            ) from error
        except (errors.GetTimeoutError, errors.RayError) as error:
            raise ClusterFailed(
                f"A shard of the table does not answer ({type(error).__name__}).",
                "Look at the cluster with `ray status`; a search is whole or there is none.",
            ) from error

    def close(self) -> None:
        for actor in self.actors:
            self._ray.kill(actor)
        self.actors = []
