"""Dialogues that the chat model learns from, grown by its own turns: self-play, as of Sparrow (Glaese et al. 2022).

A question that was answered well gets a follow-up about the same passage, which leaves out a name that was said before.
The model searches for it, is shown what its query finds, and answers from that.
"""

import random
from collections import defaultdict
from collections.abc import Sequence

from models.demonstrations import hit_of
from models.prompts import BRIEF, NOT_SAID, QUERY_MARK, evidence_prompt, plain_prompt
from models.reader_rows import Row, words
from models.term_data import left_out, shared_name
from models.train_ppo import Task
from models.types import Conversation, Turn
from service.reading_tasks import Question

MOST_QUESTIONS = 3
"""Of one dialogue."""
BETWEEN = "\t"
"""Stands in a key between a question's id, the reply to it, the id of the next question, and so on."""


class SelfPlay:
    """Follow-ups of English questions, and a search over their passages; `asked` is told what each task asks."""

    def __init__(self, rows: Sequence[Row], asked: dict[str, Question]) -> None:
        from rank_bm25 import BM25Okapi

        self.asked = asked
        self.rows = {row.id: row for row in rows}
        self.beside: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if row.answers:
                self.beside[row.context].append(row)
        self.hits = [hit_of(row.article, row.context) for row in {row.context: row for row in rows}.values()]
        self.ranks = BM25Okapi([words(f"{hit.document.title} {hit.passage.text}") for hit in self.hits])

    def grow(self, key: str, reply: str) -> Task | None:
        """The next question of the dialogue in which the task `key` was answered by `reply`: None where the dialogue is
        long enough, or no question about the passage shares a name with what was said."""
        *_, last = said = key.split(BETWEEN)
        if last not in self.rows or len(said) > 2 * MOST_QUESTIONS - 3 or reply.strip() == NOT_SAID or BETWEEN in reply:
            return None
        before = f"{self.rows[last].question}\n{reply}"
        follow_ups = [
            row
            for row in self.beside[self.rows[last].context]
            if row.id not in said and shared_name(before, row.question, row.language)
        ]
        if not follow_ups:
            return None
        chosen = random.Random(f"{key} {reply}").choice(follow_ups)
        grown = BETWEEN.join([*said, reply, chosen.id])
        turns = self.turns(grown)
        return Task(plain_prompt(Conversation(turns), BRIEF), grown, then=lambda query: self.found(grown, turns, query))

    def turns(self, key: str) -> tuple[Turn, ...]:
        """What was said until the last question of a task, each but the first asked without the name it shares."""
        said = key.split(BETWEEN)
        turns = [Turn("user", self.rows[said[0]].question)]
        for place in range(1, len(said), 2):
            before = f"{self.rows[said[place - 1]].question}\n{said[place]}"
            row, order = self.rows[said[place + 1]], random.Random(BETWEEN.join(said[: place + 2]))
            name = shared_name(before, row.question, row.language) or ""
            turns += [
                Turn("assistant", said[place]),
                Turn("user", left_out(row.question, name, row.language, order) if name else row.question),
            ]
        return tuple(turns)

    def found(self, key: str, turns: tuple[Turn, ...], reply: str) -> Task | None:
        """The task of answering from the passage that a query finds first; None for a reply that asks for no search.
        The judges are told the question as it was meant."""
        if not reply.startswith(QUERY_MARK):
            return None
        place = self.search(reply.removeprefix(QUERY_MARK))
        hit, task = self.hits[place], BETWEEN.join([key, f"passage {place}"])
        meant = self.rows[key.split(BETWEEN)[-1]].question
        self.asked[task] = Question(Conversation((Turn("user", meant),)), hit)
        conversation = Conversation(turns)
        prompt = evidence_prompt(conversation, (hit,), conversation.question, BRIEF)
        return Task(prompt, task, hit.passage.text, (NOT_SAID,))

    def search(self, query: str) -> int:
        """Which of the `hits` BM25 likes most."""
        return int(self.ranks.get_scores(words(query)).argmax())
