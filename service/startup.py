"""Loading what takes seconds beside a server that already answers, with a state that says what is waited for."""

import ctypes
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from indexing.types import PasserineError
from service.errors import NotReady, explain

State = Literal["waiting", "loading", "ready", "failed"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the start, as /readyz and /v1/status show it. `detail` is the failure in one sentence."""

    name: str
    state: State
    seconds: float
    detail: str = ""


class Lazy(Generic[T]):
    """A value made once, by the first who needs it; others wait for it or learn that it is not ready."""

    def __init__(self, name: str, make: Callable[[], T]) -> None:
        self.name, self._make = name, make
        self._lock = threading.RLock()
        self._state: State = "waiting"
        self._seconds = 0.0
        self._error: PasserineError | None = None
        self._value: list[T] = []

    def now(self) -> T:
        """The value, made by this call when nobody has; a failure is raised to everybody who asks."""
        with self._lock:
            if not self._value:
                self._state, began = "loading", time.perf_counter()
                try:
                    self._value.append(self._make())
                except BaseException as error:
                    self._state, self._error = "failed", explain(error)
                    raise
                self._seconds, self._state, self._error = time.perf_counter() - began, "ready", None
            return self._value[0]

    def get(self) -> T:
        """The value, without waiting. Raises NotReady while it is loaded, and its failure when that failed."""
        if self._value:
            return self._value[0]
        if self._error is not None:
            raise self._error
        raise NotReady(f"Passerine is starting and still loads: {self.name}.", "Ask again in a few seconds.")

    def fail(self, error: PasserineError) -> None:
        """Not made because an earlier stage failed with `error`; a later `now` may still make it."""
        if not self._value:
            self._state, self._error = "failed", error

    @property
    def stage(self) -> Stage:
        return Stage(self.name, self._state, round(self._seconds, 3), str(self._error or ""))


class Startup:
    """The stages in order. `start` runs them beside the caller; the first failure ends the run."""

    def __init__(self, stages: Sequence[Lazy[Any]]) -> None:
        self._stages = list(stages)
        self._begun, self._done, self._stop = threading.Event(), threading.Event(), threading.Event()

    def start(self, report: Callable[[BaseException], None]) -> threading.Thread:
        """Loads in a thread; `report` is told of a failure, which every later request then names."""
        thread = threading.Thread(target=self._run, args=(report,), name="startup", daemon=True)
        self._begun.set()
        thread.start()
        return thread

    def stop(self, seconds: float) -> None:
        """Loads no further stage, and waits for the one that is being loaded: a process that leaves amid native code
        of another thread is aborted."""
        self._stop.set()
        if self._begun.is_set():
            self._done.wait(seconds)

    def _run(self, report: Callable[[BaseException], None]) -> None:
        try:
            for stage in self._stages:
                if self._stop.is_set():
                    return
                stage.now()
                hand_back()
        except Exception as error:  # noqa: BLE001 - the edge of this thread: reported, and kept by the stages
            for stage in self._stages:
                stage.fail(explain(error))
            report(error)
        finally:
            self._done.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Until loading ended, well or not; False when the time ran out first."""
        return self._done.wait(seconds)

    @property
    def ready(self) -> bool:
        return all(stage.stage.state == "ready" for stage in self._stages)

    def stages(self) -> list[Stage]:
        return [stage.stage for stage in self._stages]


def hand_back() -> None:
    """Gives the system the memory that loading has freed, where the C library can: it keeps 150 MiB otherwise."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
