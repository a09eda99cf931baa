"""The policy that writes: its decisions, and the quotes that its sentences earn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from indexing.types import Document, Hit, Passage
from models.generative import GenerativePolicy, quote_for
from models.generator import LocalGenerator
from models.mixed import MixedPolicy
from models.types import Cancelled, Conversation, Generation, OnText, Prompt, Sampling, Turn, never

TEXT = (
    "Apollo 11 was the first flight to land people on the Moon. "
    "Neil Armstrong and Buzz Aldrin landed the Eagle on 20 July 1969. Michael Collins stayed in orbit."
)
HIT = Hit(Passage("d-0", "d", 0, 0, len(TEXT), TEXT), Document("d", "", "Apollo 11", TEXT), 1.0)


def ask(text: str) -> Conversation:
    return Conversation((Turn("user", text),))


@dataclass
class Scripted:
    """A generator that writes given texts in turn, for the paths that a real model takes only sometimes."""

    texts: list[str]
    name: str = "scripted"
    prompts: list[Prompt] = field(default_factory=list)

    def generate(
        self,
        prompts: Sequence[Prompt],
        n: int,
        sampling: Sampling,
        on_text: OnText | None = None,
        cancelled: Cancelled = never,
    ) -> list[list[Generation]]:
        self.prompts.extend(prompts)
        return [[Generation(self.texts.pop(0), (-0.5, -1.5)) for _ in range(n)] for _ in prompts]

    def log_probs(self, prompts: Sequence[Prompt], replies: Sequence[str]) -> list[list[float]]:
        raise AssertionError("not asked for here")


def test_an_untuned_model_searches_for_a_fact_and_not_for_thanks(models_home: Path) -> None:
    policy = GenerativePolicy(LocalGenerator.load("smollm2", models_home / "models" / "smollm2-135m-instruct"))
    assert policy.plan(ask("When did Apollo 11 land on the Moon?")).queries
    assert not policy.plan(ask("Thanks a lot!")).queries
    for candidate in policy.propose(ask("Who landed the Eagle?"), [(HIT,)], 2):
        assert candidate.origin == "generative"
        assert candidate.log_prob < 0
        assert all(TEXT[quote.start : quote.end] == quote.text for quote in candidate.quotes)


def test_a_sentence_in_the_passage_is_quoted_verbatim() -> None:
    [candidate] = GenerativePolicy(Scripted(["michael collins stayed in orbit."])).propose(ask("Who stayed?"), [(HIT,)])
    [quote] = candidate.quotes
    assert quote.text == "Michael Collins stayed in orbit."
    assert candidate.log_prob == pytest.approx(-1.0)


def test_a_paraphrase_earns_the_sentence_that_shares_its_words() -> None:
    quote = quote_for("The Eagle was landed by Neil Armstrong and Buzz Aldrin.", [HIT])
    assert quote is not None
    assert "20 July 1969" in quote.text


def test_an_invented_sentence_earns_no_quote() -> None:
    assert quote_for("Yuri Gagarin orbited the Earth in 1961.", [HIT]) is None
    assert quote_for("", [HIT]) is None


def test_a_draft_that_only_asks_for_a_search_is_no_candidate() -> None:
    policy = GenerativePolicy(Scripted(["Search Query: moon", "It landed in 1969."]))
    assert [c.text for c in policy.propose(ask("When?"), [None], 2)] == ["It landed in 1969."]


def test_the_users_own_words_are_searched_beside_the_models() -> None:
    plan = GenerativePolicy(Scripted(["Search Query: moon landing date"])).plan(ask("When did they land?"))
    assert [query.text for query in plan.queries] == ["moon landing date", "When did they land?"]


def test_the_mixture_searches_when_either_would_and_keeps_both_drafts() -> None:
    talker, searcher = (
        GenerativePolicy(Scripted(["Hello!", "A."])),
        GenerativePolicy(Scripted(["Search Query: x", "B."])),
    )
    mixed = MixedPolicy(talker, searcher)
    assert mixed.plan(ask("What is x?")).search_probability == 1.0
    assert {candidate.text for candidate in mixed.propose(ask("What is x?"), [(HIT,)])} == {"A.", "B."}
