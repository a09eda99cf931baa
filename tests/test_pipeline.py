"""The answer flow: its order, its evidence, its verdicts, its citations."""

import subprocess
import sys
from dataclasses import dataclass, replace
from itertools import count

import pytest

from indexing.types import Cancelled, Filters
from models.mixed import MixedPolicy
from models.remote_generator import GeneratorFailed
from models.types import Candidate, Conversation, Evidence, Quote
from rewards.types import Rule
from service.events import Cited, Delta, Done, Judged, Proposed, Searched
from service.pipeline import FAST, Counts, Parts, answer, pieces, spread
from service.types import Answer
from tests.scripted import ListRetriever, ScriptedPolicy, asked, document, hit, parts, quoting

MOON = document("moon", "The Eagle landed on 20 July 1969. Collins stayed in orbit. It was a Sunday.", "Moon")
MARS = document("mars", "Viking 1 landed on Mars in 1976. It worked for six years.", "Mars")
VENUS = document("venus", "Venera 7 landed on Venus in 1970.", "Venus")
LISTS = {"first": [hit(MOON), hit(MARS)], "second": [hit(MOON), hit(VENUS), hit(MARS)]}


def run(question: Conversation, with_parts: Parts, counts: Counts = Counts()) -> Answer:  # noqa: B008
    *_, last = answer(question, with_parts, counts)
    assert isinstance(last, Done)
    return last.answer


def test_events_come_in_their_order_and_join_to_the_text() -> None:
    events = list(answer(asked("When did it land?"), parts(quoting("The Eagle landed on 20 July 1969."), LISTS)))
    names = list(dict.fromkeys(type(event).__name__ for event in events))
    assert names == ["Accepted", "Planned", "Searched", "Proposed", "Judged", "Delta", "Cited", "Done"]
    done = events[-1]
    assert isinstance(done, Done)
    assert "".join(event.text for event in events if isinstance(event, Delta)) == done.answer.text
    cited = next(event for event in events if isinstance(event, Cited))
    assert (cited.citations, cited.read) == (done.answer.citations, done.answer.read)


def test_a_quote_is_cited_with_its_place_in_the_document() -> None:
    said = run(asked("When did it land?"), parts(quoting("The Eagle landed on 20 July 1969."), LISTS))
    assert said.verdict == "answered"
    assert said.text == "The Eagle landed on 20 July 1969. [1]"
    [citation] = said.citations
    assert MOON.text[citation.start : citation.end] == citation.quote
    assert (citation.title, citation.document_id, citation.passage_id) == ("Moon", "moon", "moon:0")
    assert [hit.document.id for hit in said.read] == ["mars", "venus"]


def test_a_passage_found_twice_gives_way_to_the_next_hit() -> None:
    evidences = spread([LISTS["first"], LISTS["second"]], 2)
    assert [[found.document.id for found in evidence] for evidence in evidences] == [["moon"], ["mars"], ["venus"]]


def test_careful_mode_asks_for_four_without_evidence_and_one_for_each_passage() -> None:
    with_parts = parts(quoting("Viking 1 landed on Mars in 1976."), LISTS)
    run(asked("?"), with_parts)
    policy = with_parts.policy
    assert isinstance(policy, ScriptedPolicy)
    assert [len(evidence) if evidence else None for evidence in policy.shown] == [None, None, None, None, 1, 1, 1]


def test_fast_mode_asks_for_one_candidate_from_all_passages_of_one_query() -> None:
    with_parts = parts(quoting("Viking 1 landed on Mars in 1976."), LISTS)
    run(asked("?"), with_parts, FAST)
    policy = with_parts.policy
    assert isinstance(policy, ScriptedPolicy)
    assert [len(evidence) if evidence else None for evidence in policy.shown] == [None, 2]


def test_a_quote_that_is_not_in_its_document_is_dropped_with_its_marker() -> None:
    def misquotes(evidence: Evidence | None) -> Candidate | None:
        if not evidence:
            return None
        wrong = Quote("moon", 0, 30, "The Eagle landed on 21 July 1969.")
        elsewhere = Quote("unread", 0, 5, "Words")
        return Candidate("The Eagle landed on 21 July 1969.", "", evidence, (wrong, elsewhere), -0.1, "scripted")

    said = run(asked("When?"), parts(misquotes, LISTS))
    assert said.citations == ()
    assert "[" not in said.text
    assert all(candidate.quotes == () for candidate in said.candidates)
    assert said.verdict == "abstained", "a statement whose quotes fail has no support"


def test_without_support_it_abstains_and_shows_what_came_near() -> None:
    said = run(asked("谁第一个登月？"), parts(quoting("The Eagle landed on 20 July 1969."), LISTS, support=0.1))
    assert said.verdict == "abstained"
    assert "没有回答" in said.text, "it speaks the language of the question"
    assert [found.document.id for found in said.nearest] == ["moon", "mars", "venus"]
    assert said.short == ""
    assert said.citations == ()


def test_a_refusal_names_the_rule_by_its_text() -> None:
    broken = parts(quoting("The Eagle landed on 20 July 1969."), LISTS, kept={"no-insults": 0.01})
    rule = Rule("no-insults", "hate", "Do not insult anybody.", "不侮辱任何人。")
    said = run(asked("When?"), replace(broken, rules=(rule,)))
    assert said.verdict == "refused"
    assert "Do not insult anybody" in said.text
    assert said.chosen is None


def test_without_a_search_nothing_is_read() -> None:
    def talks(evidence: Evidence | None) -> Candidate | None:
        return Candidate("Hello.", kind="talk", origin="talk") if evidence is None else None

    said = run(asked("Hi"), parts(talks, LISTS, queries=()))
    assert (said.text, said.verdict, said.read, said.plan.queries) == ("Hello.", "answered", (), ())


def test_filters_reach_the_retriever() -> None:
    with_parts = parts(quoting("x"), LISTS)
    wanted = Filters(languages=("en",))
    for _ in answer(asked("?"), with_parts, filters=wanted):
        pass
    retriever = with_parts.retriever
    assert isinstance(retriever, ListRetriever)
    assert set(retriever.asked) == {wanted} if hash_works(wanted) else all(f == wanted for f in retriever.asked)


def hash_works(filters: Filters) -> bool:
    return not isinstance(filters.metadata, dict)


@pytest.mark.parametrize("looks", range(5))
def test_it_stops_at_every_stage(looks: int) -> None:
    calls = count()
    flow = answer(
        asked("?"), parts(quoting("The Eagle landed on 20 July 1969."), LISTS), cancelled=lambda: next(calls) >= looks
    )
    with pytest.raises(Cancelled):
        for _ in flow:
            pass


def test_candidates_and_judgements_stand_in_the_same_order_with_the_time_of_each_stage() -> None:
    events = list(answer(asked("?"), parts(quoting("Viking 1 landed on Mars in 1976."), LISTS)))
    done, judged = events[-1], next(event for event in events if isinstance(event, Judged))
    assert isinstance(done, Done)
    said = done.answer
    assert len(said.candidates) == len(said.judgements)
    assert judged.judgements == said.judgements
    assert said.chosen is not None
    assert said.judgements[said.chosen].score == max(judgement.score for judgement in said.judgements)
    stages = ["plan", "search", "propose", "judge", "select", "cite"]
    assert list(said.timings) == [*stages, "total"]
    assert sum(said.timings[stage] for stage in stages) <= said.timings["total"] + 1e-3


def test_a_search_that_finds_nothing_still_ends_in_an_answer() -> None:
    said = run(asked("?"), parts(quoting("x"), {}))
    assert (said.verdict, said.nearest, said.read) == ("abstained", (), ())
    events = list(answer(asked("?"), parts(quoting("x"), {})))
    searched = next(event for event in events if isinstance(event, Searched))
    assert searched.evidence == ()


@pytest.mark.parametrize("text", ["One. Two! 三。四？", "", "  lead", "no stop", "A.\n\nB.  "])
def test_pieces_lose_nothing(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_the_page_knows_neither_web_framework_nor_model_library() -> None:
    code = (
        "import sys, service.pipeline\n"
        "heavy = {'fastapi', 'starlette', 'torch', 'transformers', 'faiss', 'sqlalchemy', 'uvicorn'}\n"
        "known = heavy & set(sys.modules)\n"
        "assert not known, known"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def mixture(enough: float) -> tuple[Parts, ScriptedPolicy]:
    """A mixture whose first policy quotes the one sentence and the second the other."""
    with_parts = parts(quoting("Viking 1 landed on Mars in 1976."), LISTS)
    second = ScriptedPolicy(quoting("The Eagle landed on 20 July 1969."))
    return replace(with_parts, policy=MixedPolicy(with_parts.policy, second), enough=enough), second


def test_a_mixture_shows_the_first_policys_drafts_while_the_second_is_asked() -> None:
    with_parts, second = mixture(1.0)
    events = list(answer(asked("When did it land?"), with_parts))
    rounds = [len(event.candidates) for event in events if isinstance(event, Proposed)]
    early, late = (event for event in events if isinstance(event, Judged))
    assert rounds == [1, 2]
    assert (early.final, late.final) == (False, True)
    assert early.chosen == 0, "it can be shown before the second policy has begun"
    assert early.judgements[0].support == late.judgements[0].support
    done = events[-1]
    assert isinstance(done, Done)
    assert len(done.answer.candidates) == len(done.answer.judgements) == 2
    assert done.answer.judgements == late.judgements
    assert second.shown == evidence_shown(with_parts), "it saw the same evidence, and nothing to answer from memory"


def evidence_shown(with_parts: Parts) -> list[Evidence | None]:
    """The evidence that the first policy of a mixture was shown."""
    assert isinstance(with_parts.policy, MixedPolicy)
    assert isinstance(with_parts.policy.first, ScriptedPolicy)
    return [evidence for evidence in with_parts.policy.first.shown if evidence is not None]


def test_a_mixture_asks_both_policies_what_needs_no_search() -> None:
    with_parts, second = mixture(1.0)
    assert isinstance(with_parts.policy, MixedPolicy)
    first = ScriptedPolicy(quoting("x"), queries=())
    run(asked("Hello"), replace(with_parts, policy=replace(with_parts.policy, first=first)))
    assert second.shown == [None] * Counts().without_evidence


def test_a_mixture_does_not_ask_the_second_policy_when_a_draft_is_good_enough() -> None:
    with_parts, second = mixture(0.1)
    said = run(asked("When did it land?"), with_parts)
    assert said.text == "Viking 1 landed on Mars in 1976. [1]"
    assert not second.shown


@dataclass
class UnreachablePolicy(ScriptedPolicy):
    """Its model's server is down."""

    def propose(self, *given: object, **named: object) -> list[Candidate]:
        raise GeneratorFailed("The model does not answer.", "Start its server.")


def test_a_second_policy_that_cannot_be_asked_costs_no_answer() -> None:
    with_parts, _ = mixture(1.0)
    assert isinstance(with_parts.policy, MixedPolicy)
    down = UnreachablePolicy(quoting("x"))
    events = list(
        answer(asked("When did it land?"), replace(with_parts, policy=replace(with_parts.policy, second=down)))
    )
    assert [event.final for event in events if isinstance(event, Judged)] == [False, True]
    done = events[-1]
    assert isinstance(done, Done)
    assert done.answer.text == "Viking 1 landed on Mars in 1976. [1]"
    assert done.answer.failed == "The model does not answer. Start its server."


def test_a_first_policy_that_cannot_be_asked_is_an_error() -> None:
    down = replace(parts(quoting("x"), LISTS), policy=UnreachablePolicy(quoting("x")))
    with pytest.raises(GeneratorFailed):
        run(asked("When did it land?"), down)


def test_what_both_policies_draft_is_judged_once() -> None:
    with_parts, _ = mixture(1.0)
    same = ScriptedPolicy(quoting("Viking 1 landed on Mars in 1976."))
    assert isinstance(with_parts.policy, MixedPolicy)
    said = run(asked("?"), replace(with_parts, policy=replace(with_parts.policy, second=same)))
    assert [candidate.text for candidate in said.candidates] == ["Viking 1 landed on Mars in 1976."]
    assert same.shown
