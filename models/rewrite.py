"""The stand-alone question: what the last turn asks once its conversation is put into it.

First form: rules. A follow-up is known by its pronouns and its ellipsis; what they point at is the salient name or
topic of the user's earlier turns, or of Passerine's last answer. The user's own words are never dropped.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from models.corrections import correction, set_right, without_opener
from models.mentions import Mention, mentions
from models.rewrite_en import resolve_english
from models.rewrite_zh import resolve_chinese
from models.types import Conversation, Turn
from models.words import language_of

MAX_TURNS = 12
"""Earlier turns that are looked at: what was said before them has faded."""
LONGEST = 2_000
"""Characters of an earlier turn that are looked at: an answer names its topic at its beginning, and a message that
brings a long text along mostly asks at its end."""
SAYS_NOTHING = re.compile(
    "The index does not say|I answer questions from the indexed documents; this is not|"
    "The indexed documents do not answer this|I will not answer this: every answer|What do you mean by that\\?|"
    "索引中没有相关内容|我只根据已索引的文档回答问题，这件事|就我所见，已索引的文档没有回答|我不能回答：我能拟出|请问你指的是什么？"
)
"""Opens what Passerine says where it has no answer (models.unaided, models.ambiguity, service.phrases): words of its
own, not of the documents."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A stand-alone question. `antecedents` are what was put in; `unresolved` means that it points at nothing;
    `rebuilt` that it is the question before with something exchanged, so that nothing is left out."""

    text: str
    followup: bool = False
    antecedents: tuple[str, ...] = ()
    unresolved: bool = False
    rebuilt: bool = False


@dataclass(slots=True)
class Focus:
    """What the conversation has talked of so far, newest last.

    `asked` are mentions of user turns (after rewriting), `told` those of the last answer, `people` the names that a
    he or a she has already pointed at, `counts` how often each mention was heard.
    """

    question: str = ""
    raw: str = ""
    asked: list[Mention] = field(default_factory=list)
    told: list[Mention] = field(default_factory=list)
    answer: str = ""
    people: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


def rewrite(conversation: Conversation) -> Rewrite:
    """The last turn as a question that needs no history."""
    focus = Focus()
    earlier = conversation.turns[:-1][-MAX_TURNS:]
    for turn in earlier:
        listen(focus, turn)
    return resolve(conversation.question.strip(), focus)


def resolve(question: str, focus: Focus) -> Rewrite:
    """One user turn resolved against what was said before it."""
    found = correction(question, focus.question) if focus.question else None
    if found is not None:
        return Rewrite(set_right(focus.question, found), True, (found.right,), rebuilt=True)
    question = without_opener(question) if focus.question else question
    chinese = language_of(question) == "zh"
    text, antecedents, followup, unresolved = (resolve_chinese if chinese else resolve_english)(question, focus)
    rebuilt = focus.question in antecedents and focus.question not in text
    return Rewrite(text, followup, tuple(antecedents), unresolved, rebuilt)


def tells(turn: Turn) -> bool:
    """Whether a turn says anything of the matter: what Passerine says where it has no answer does not."""
    return turn.role == "user" or SAYS_NOTHING.match(turn.text) is None


def listen(focus: Focus, turn: Turn) -> None:
    """Take one earlier turn in; user turns are resolved first, so that "he" keeps its name from turn to turn."""
    if not tells(turn):
        return
    if turn.role == "assistant":
        focus.answer = turn.text
        focus.told = [mention for mention in mentions(turn.text[:LONGEST]) if mention.name][:6]
        focus.counts.update({mention.text for mention in focus.told})
        return
    said = turn.text.strip()[-LONGEST:]
    done = resolve(said, focus)
    focus.raw, focus.question, focus.answer = said, done.text[-LONGEST:], ""
    found = mentions(focus.question)
    # A turn without a name ("why?") leaves the focus where it was; a bare topic joins behind the names.
    if found:
        focus.asked = [*(old for old in focus.asked if old.text not in {new.text for new in found}), *found][-12:]
    focus.counts.update({mention.text for mention in found})
    focus.told = []
