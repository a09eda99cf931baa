"""The sequences of all callers continued in one batch: a step of eight costs hardly more than a step of one.

There is no thread for it. One of the waiting callers makes the steps for everybody, until its own drafts are done;
then the next one does.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from indexing.types import Cancelled
from models.copying import Copy, Stretches, Vocabulary, held_to
from models.generator import cut, draw, stopped
from models.llama import Cache, Llama
from models.types import Cancelled as CancelledCheck
from models.types import Generation, OnText, Sampling, never

PATIENCE = 0.02
"""Seconds between two looks of a caller whether its drafts are done, or the steps are its own to make."""


@dataclass(slots=True)
class Draft:
    """A sequence that grows: tokens drawn, and the log-probability of each (the end token's too). With a `copy` only
    what goes on with that is taken; `held` to stretches of a text it is drawn from what may follow there."""

    copy: Copy | None = None
    held: Stretches | None = None
    tokens: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    finished: bool = False


class Task:
    """One caller's sequences: what the model holds after their prompts, and logits [sequences, vocabulary] for the
    first token of each."""

    def __init__(
        self, cache: Cache, logits: Tensor, sampling: Sampling, on_text: OnText | None = None,
        cancelled: CancelledCheck = never, copies: Sequence[Copy] = (), held: Sequence[Stretches] = (),
    ) -> None:  # fmt: skip
        """One of `copies`, or of `held`, a sequence, where the drafts are to stand in a text."""
        self.cache, self.logits, self.sampling = cache, logits, sampling
        self.on_text, self.cancelled = on_text, cancelled
        self.random = torch.Generator().manual_seed(sampling.seed)
        self.drafts = [
            *(Draft(copy) for copy in copies),
            *(Draft(held=one) for one in held),
        ] or [Draft() for _ in cache.lengths]
        self.going = list(self.drafts)
        self.done = threading.Event()
        self.error: BaseException | None = None

    def grow(self, logits: Tensor, vocabulary: Vocabulary) -> list[int]:
        """One token more for every sequence still going; the places [of logits] of those that go on."""
        if self.cancelled():
            raise Cancelled("The generation was stopped.")
        stops, decode = self.sampling.stop, vocabulary.decode
        still = []
        for place, (draft, (token, score)) in enumerate(zip(self.going, self.drawn(logits, vocabulary), strict=True)):
            draft.scores.append(score)
            if token is None:
                draft.tokens, draft.finished = [], True
            elif token in vocabulary.ends:
                draft.finished = True
            else:
                draft.tokens.append(token)
                draft.finished = bool(stops) and stopped(decode(draft.tokens), stops)
            if not draft.finished and len(draft.scores) < self.sampling.max_tokens:
                still.append(place)
            if draft is self.drafts[0] and self.on_text is not None:
                self.on_text(cut(decode(draft.tokens), stops))
        self.going = [self.going[place] for place in still]
        return still

    def drawn(self, logits: Tensor, vocabulary: Vocabulary) -> list[tuple[int | None, float]]:
        """The next token of each sequence still going, with its log-probability; None where nothing can be copied."""
        if self.drafts[0].copy is None:
            if self.drafts[0].held:
                logits = held_to(logits, [draft.held.after(draft.tokens) for draft in self.going if draft.held])
            tokens, scores = draw(logits, self.sampling, self.random)
            return list(zip(tokens.tolist(), scores.tolist(), strict=True))
        return [
            draft.copy.next(row, vocabulary.pieces, vocabulary.ends)
            for draft, row in zip(self.going, logits, strict=True)
            if draft.copy
        ]


class Batch:
    """Everybody's tasks on one model."""

    def __init__(self, model: Llama, vocabulary: Vocabulary) -> None:
        self._model, self.vocabulary = model, vocabulary
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._waiting: list[Task] = []
        self._tasks: list[Task] = []
        self._caches: list[Cache] = []
        self._logits: list[Tensor] = []
        """Of all sequences still going, in the order of the tasks: one of each after a step, and those of tasks that
        joined since."""

    def run(self, task: Task) -> list[Generation]:
        """The drafts of a task, once they are done. Raises Cancelled, and what a step raised."""
        with self._lock:
            self._waiting.append(task)
        while not task.done.is_set():
            if self._turn.acquire(timeout=PATIENCE):
                try:
                    while not task.done.is_set():
                        self._step()
                finally:
                    self._turn.release()
        if task.error is not None:
            raise task.error
        stops = task.sampling.stop
        return [
            Generation(cut(self.vocabulary.decode(draft.tokens), stops), tuple(draft.scores), draft.finished)
            for draft in task.drafts
        ]

    def _step(self) -> None:
        """A token more for every sequence; new tasks join first."""
        with self._lock:
            fresh, self._waiting = self._waiting, []
        self._tasks += fresh
        self._caches += [task.cache for task in fresh]
        self._logits += [task.logits for task in fresh]
        try:
            cache, logits = joined(self._caches), torch.cat(self._logits)
            still = self._grown(logits)
            if len(still) < len(cache.lengths):
                cache = Cache(cache.held[:, :, still], [cache.lengths[row] for row in still])
            for task in self._tasks:
                if not task.going:
                    task.done.set()
            self._tasks = [task for task in self._tasks if task.going]
            tokens = [[draft.tokens[-1]] for task in self._tasks for draft in task.going]
            self._caches = [cache] if tokens else []
            self._logits = [self._model.logits(self._model.extend(cache, tokens))] if tokens else []
        except BaseException as error:  # noqa: BLE001 - whoever makes the step, all tasks were in it
            for task in self._tasks:
                task.error = task.error or error
                task.done.set()
            self._tasks, self._caches, self._logits = [], [], []

    def _grown(self, logits: Tensor) -> list[int]:
        """A token more for every sequence; the rows of those that go on. What a task raises is its own caller's."""
        still, first = [], 0
        for task in self._tasks:
            rows = range(first, first + len(task.going))
            try:
                still += [rows[place] for place in task.grow(logits[rows.start : rows.stop], self.vocabulary)]
            except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                task.error, task.going = error, []
            first = rows.stop
        return still


def joined(caches: Sequence[Cache]) -> Cache:
    """Sequences of several caches side by side, with the room of the longest."""
    if len(caches) == 1:
        return caches[0]
    room = max(cache.held.shape[4] for cache in caches)
    shape = list(caches[0].held.shape)
    shape[2], shape[4] = sum(cache.held.shape[2] for cache in caches), room
    held = caches[0].held.new_zeros(shape)
    row = 0
    for cache in caches:
        count, own = cache.held.shape[2], cache.held.shape[4]
        held[:, :, row : row + count, :, :own] = cache.held
        row += count
    return Cache(held, [length for cache in caches for length in cache.lengths])
