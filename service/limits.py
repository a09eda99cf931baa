"""How many requests a minute a key may send, counted in this process."""

import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

WINDOW = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit: `reset` is seconds until the oldest of the counted requests counts no more."""

    limit: int
    remaining: int
    reset: int
    granted: bool

    def headers(self) -> dict[str, str]:
        """The RateLimit headers of the IETF's draft 6, which clients read, and Retry-After when it was not granted."""
        told = {
            "ratelimit-policy": f"{self.limit};w={WINDOW:.0f}",
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(self.remaining),
            "ratelimit-reset": str(self.reset),
        }
        return told if self.granted else {**told, "retry-after": str(self.reset)}


class RequestLimits:
    """The moments of the last minute's granted requests by key: never more than the limit in any 60 seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._granted: defaultdict[str, deque[float]] = defaultdict(deque)

    def take(self, key: str, limit: int) -> Allowance:
        """Counts a request, unless the limit is reached; a refused one does not count."""
        with self._lock:
            now, granted = self._clock(), self._granted[key]
            while granted and granted[0] <= now - WINDOW:
                granted.popleft()
            free = len(granted) < limit
            if free:
                granted.append(now)
            return Allowance(limit, max(0, limit - len(granted)), math.ceil(granted[0] + WINDOW - now), free)
