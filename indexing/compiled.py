"""Functions compiled by numba, where there is so much to do that they are worth it."""

import logging
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np

LARGE = 50_000
"""Passages from which compiled functions are worth numba's 130 MB and, once after an install, the seconds that it takes
to compile them: what is smaller numpy does within milliseconds."""

U = np.uint64
"""For numbers that are known to be 0 or more: they need no wrapping where they index, which halves an inner loop."""

Made = TypeVar("Made")

log = logging.getLogger(__name__)


class Kernel(Generic[Made]):
    """What `load` compiles, fetched in the background by the first who could use it."""

    def __init__(self, load: Callable[[], Made]) -> None:
        self._load = load
        self._made: Made | None = None
        self._fetching: threading.Thread | None = None
        self._guard = threading.Lock()

    def now(self) -> Made | None:
        """What was compiled, or None until it is there; begins to fetch it."""
        if self._made is None and self._fetching is None:
            with self._guard:
                if self._fetching is None:
                    self._fetching = threading.Thread(target=self._fetch, name="kernel", daemon=True)
                    self._fetching.start()
        return self._made

    def wait(self) -> bool:
        """Wait until it is there, or is known not to come."""
        self.now()
        if self._fetching:
            self._fetching.join()
        return self._made is not None

    def _fetch(self) -> None:
        try:
            self._made = self._load()
        except Exception as error:  # noqa: BLE001 - whatever a compiler may raise, numpy goes on
            log.warning("Going on without compiled code, since it could not be made: %s", error)


def compiled(function: Callable[..., Any], signature: Any) -> Any:
    """A function by numba, for one signature: compiled, which takes seconds, or read from its cache beside the source,
    which lies in the user's cache folder where that is read-only. Where nothing can be kept it is compiled for this
    process."""
    from numba import njit

    options: Any = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    try:
        return njit(signature, cache=True, **options)(function)
    except (OSError, RuntimeError):  # no folder to keep it in, or no room there
        return njit(signature, **options)(function)


def array(kind: Any, dimensions: int = 1, readonly: bool = True) -> Any:
    """numba's type of an array whose rows lie one after the other, for a signature."""
    from numba import types

    return types.Array(kind, dimensions, "C", readonly=readonly)
