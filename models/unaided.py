"""Candidates that need no evidence: approved answers, small talk, the tools, what a person told of themselves, a
question back, an honest "not here"."""

from collections.abc import Callable, Sequence
from datetime import datetime
from math import log

from indexing.types import Hit
from models.ambiguity import AmbiguityDetector
from models.approved import ApprovedAnswers, ApprovedFile
from models.memory import recalled
from models.plan import Planner, asks
from models.talk import Talk
from models.tools import tools
from models.types import Candidate, Conversation
from models.words import language_of

ABSENT = {
    "en": "The index does not say.",
    "zh": "索引中没有相关内容。",
}
OUTSIDE = {
    "en": "I answer questions from the indexed documents; this is not something that I can do.",
    "zh": "我只根据已索引的文档回答问题，这件事我做不了。",
}
"""Said to a task (a poem, an alarm) for which nothing is searched and nothing else applies."""
SURE = 0.9
"""A turn that is so likely a question to the documents is small talk only to the letter: "在哪里" is not "在吗"."""

LIKELY = 0.05
"""What was searched in doubt, found nothing and is so likely a question is said to be absent, not to be no question."""


class Unaided:
    """Drafts at most four candidates without evidence, each only where it applies."""

    def __init__(
        self,
        planner: Planner,
        approved: ApprovedAnswers | ApprovedFile,
        talk: Talk,
        ambiguity: AmbiguityDetector | None = None,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.planner = planner
        self.approved = approved
        self.talk = talk
        self.ambiguity = ambiguity
        self.clock = clock

    def propose(self, conversation: Conversation, n: int = 4, hits: Sequence[Hit] = ()) -> list[Candidate]:
        """At most n, most telling first. `hits` are what was found: a question with several readings among them
        gets a question back; without hits only a turn that points at nothing does."""
        question = conversation.question
        language = language_of(question)
        made = self.ready(conversation)
        plan = self.planner.plan(conversation)
        unclear = None
        if self.ambiguity is not None and not made and not plan.doubtful:
            unclear = self.ambiguity.clarify(conversation, hits)
        if unclear is not None:
            made.append(unclear)
        likely = plan.search_probability >= LIKELY or asks(question)
        if plan.queries and (not plan.doubtful or (likely and not made)):
            # The surer the planner is that documents are needed, the likelier "not here" is what remains to be said.
            chance = log(max(plan.search_probability, 1e-9))
            made.append(Candidate(ABSENT[language], log_prob=min(0.0, chance), origin="absent", kind="absent"))
        elif not made:
            made.append(Candidate(OUTSIDE[language], origin="talk", kind="talk"))
        return made[:n]

    def ready(self, conversation: Conversation) -> list[Candidate]:
        """What is known of the turn before anything is searched: none for most questions."""
        question = conversation.question
        vector = self.planner.vector(question)
        made = self.approved.candidates(question, 1, vector)
        made += tools(question, self.clock())
        made += recalled(conversation)
        sure = self.planner.plan(conversation).search_probability >= SURE
        return made + [one for one in self.talk.candidates(question, 2, vector) if one.log_prob == 0.0 or not sure]
