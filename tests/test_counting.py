"""Passages counted into lists: the same lists by numpy and compiled, whatever they were numbered by."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexing import counting
from indexing.counting import Counted, counted
from indexing.tokenize import Analyser
from indexing.vocabulary import BATCH, Numbered, numbered, term_ids


@pytest.fixture(autouse=True, params=[0, 1 << 30], ids=["compiled", "numpy"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts: the compiled functions, or numpy."""
    assert counting.kernel.wait()
    monkeypatch.setattr(counting, "LARGE", request.param)


def listed(found: Counted) -> dict[int, list[tuple[int, int]]]:
    """(row, frequency) of each term."""
    ends = np.cumsum(found.held)
    pairs = list(zip(found.rows.tolist(), found.counts.tolist(), strict=True))
    bounds = zip(found.terms.tolist(), (ends - found.held).tolist(), ends.tolist(), strict=True)
    return {term: pairs[begin:end] for term, begin, end in bounds}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=300), max_size=40), st.integers(1, 7))
def test_each_list_names_its_passages(passages: list[list[str]], parts: int) -> None:
    """Of batches with a vocabulary each, too."""
    size = -(-len(passages) // parts) or 1
    shares = (passages[at : at + size] for at in range(0, len(passages), size))
    batches = [batch for share in shares for batch in numbered((own, ()) for own in share)]
    expected: dict[int, list[tuple[int, int]]] = {}
    for row, tokens in enumerate(passages):
        for token, count in Counter(tokens).items():
            expected.setdefault(int(term_ids([token])[0]), []).append((row, min(count, 191)))
    found = counted(batches)
    assert listed(found) == expected
    assert found.terms.tolist() == sorted(expected)
    assert found.lengths.tolist() == [len(tokens) for tokens in passages]


def test_texts_are_numbered_as_they_are_analysed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where what is remembered is begun anew between batches."""
    texts = [f"The word{n % 97} of os.path, 船长word{n % 5}的話 in {n}" for n in range(BATCH + 500)]
    expected = listed(counted(numbered(map(Analyser().both, texts))))
    assert listed(counted(Analyser().numbered(texts))) == expected
    monkeypatch.setattr("indexing.tokenize._REMEMBERED", 50)
    forgetful = list(Analyser().numbered(texts))
    assert len({id(batch.vocabulary) for batch in forgetful}) == 2
    assert listed(counted(forgetful)) == expected


def test_tokens_of_one_hash_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexing.vocabulary.term_ids", lambda tokens: np.ones(len(tokens), np.uint64))
    found = counted(numbered([(["a", "b"], ()), (["a"], ())]))
    assert (found.held.tolist(), found.rows.tolist()) == ([2, 1], [0, 1, 0])


def test_more_tokens_than_16_bits_tell_apart_are_counted() -> None:
    words = [f"w{n}" for n in range(1 << 17)]
    batch: Numbered
    [batch] = numbered([(words, ()), (words[::2], ())])
    found = counted([batch])
    assert np.bincount(found.held).tolist() == [0, 1 << 16, 1 << 16]
    assert np.bincount(found.rows).tolist() == [1 << 17, 1 << 16]


def test_of_nothing_there_are_no_lists() -> None:
    found = counted([])
    assert (len(found.terms), len(found.rows), len(found.lengths)) == (0, 0, 0)
