"""The last values that were made, by what they were made of, with how often that spared making one."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Remembers the values of the last `most` keys; safe to share between threads. `hits` keys were known when they
    were asked for, `misses` were not."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.hits = self.misses = 0
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._turn = threading.Lock()

    def of(self, keys: Sequence[K], make: Callable[[list[K]], Iterable[V]]) -> list[V]:
        """One value a key; `make` is called once, for those that are not known, with each of them once."""
        wanted = dict.fromkeys(keys)
        with self._turn:
            known = {key: self._kept[key] for key in wanted if key in self._kept}
        new = [key for key in wanted if key not in known]
        if new:
            known |= zip(new, make(new), strict=True)
        with self._turn:
            self.hits, self.misses = self.hits + len(wanted) - len(new), self.misses + len(new)
            for key in wanted:
                self._kept[key] = known[key]
                self._kept.move_to_end(key)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
        return [known[key] for key in keys]
