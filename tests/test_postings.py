"""Posting lists: what goes in comes out, whatever its shape, and bounds hold."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexing import postings as postings_module
from indexing.lexical import Lexical, Parameters, kernel
from indexing.postings import Postings
from indexing.vocabulary import numbered, term_ids

WORDS = ["a", "b", "Zürich", "登月", "\0the", "x" * 70]


def listed(postings: Postings) -> dict[int, list[tuple[int, int]]]:
    """(row, frequency) of each term."""
    held, rows, counts = postings.lists(np.arange(len(postings.terms)))
    pairs, ends = list(zip(rows.tolist(), counts.tolist(), strict=True)), np.cumsum(held).tolist()
    begins = (np.cumsum(held) - held).tolist()
    return {int(t): pairs[a:b] for t, a, b in zip(postings.terms, begins, ends, strict=True)}


def counted(passages: list[list[str]]) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for row, tokens in enumerate(passages):
        for token, count in Counter(tokens).items():
            found.setdefault(int(term_ids([token])[0]), []).append((row, min(count, 191)))
    return found


def fields(postings: Postings) -> list[list[object]]:
    return [getattr(postings, name).tolist() for name in Postings.__dataclass_fields__]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=12), max_size=200))
def test_lists_hold_what_was_counted(passages: list[list[str]]) -> None:
    postings = Postings.of(numbered((tokens, ()) for tokens in passages))
    assert listed(postings) == counted(passages)
    assert postings.lengths.tolist() == [len(tokens) for tokens in passages]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_joined_and_cut_postings_equal_those_made_at_once(data: st.DataObject) -> None:
    words = st.lists(st.sampled_from(WORDS), max_size=8)
    parts = data.draw(st.lists(st.lists(words, max_size=90), min_size=1, max_size=4))
    kept = [np.array(sorted(data.draw(st.sets(st.integers(0, len(p) - 1)))) if p else [], np.int64) for p in parts]
    made = [Postings.of(numbered((tokens, ["\0x"]) for tokens in part)) for part in parts]
    chosen = [part[row] for part, rows in zip(parts, kept, strict=True) for row in rows]
    assert fields(Postings.join(made, kept)) == fields(Postings.of(numbered((tokens, ["\0x"]) for tokens in chosen)))


@pytest.mark.parametrize("distance", [1, 254, 255, 256, 65_535, 65_536, 300_000])
def test_far_apart_and_frequent_postings_survive(distance: int) -> None:
    rows = np.array([0, distance, distance + 1, 2 * distance + 1], np.int32)
    counts = np.array([1, 3, 4, 191], np.uint8)
    lengths = np.full(int(rows[-1]) + 1, 7, np.int32)
    terms = np.array([5], np.uint64)
    postings = Postings.of_lists(terms, np.array([4]), rows, counts, lengths)
    assert listed(postings) == {5: list(zip(rows.tolist(), counts.tolist(), strict=True))}


def test_a_vocabulary_larger_than_the_first_table_is_counted() -> None:
    passages = [[f"w{row}-{i}" for i in range(row % 7 * 100)] + ["same"] for row in range(60)]
    assert listed(Postings.of(numbered((tokens, ()) for tokens in passages))) == counted(passages)


def test_a_posting_takes_under_three_bytes_beside_its_term() -> None:
    generator = np.random.default_rng(1)
    passages = [[f"w{n}" for n in generator.zipf(1.3, 50) if n < 5000] for _ in range(4000)]
    postings = Postings.of(numbered((tokens, ()) for tokens in passages))
    beside = postings.terms.nbytes + postings.held.nbytes + postings.places.nbytes
    assert (postings.bytes - beside) / int(postings.held.sum()) < 3


def exhaustive(lexical: Lexical, query: list[str], k: int, admitted: np.ndarray | None) -> tuple[list, list]:  # type: ignore[type-arg]
    scores = lexical.scores(query)
    if admitted is not None:
        scores[~admitted] = 0
    rows = np.flatnonzero(scores > 0)
    order = np.lexsort((rows, -scores[rows]))[:k]
    return rows[order].tolist(), scores[rows[order]].tolist()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.sampled_from([1, 3, 10, 1000]), st.data())
def test_the_best_are_those_of_exhaustive_scoring(
    monkeypatch: pytest.MonkeyPatch, seed: int, segments: int, k: int, data: st.DataObject
) -> None:
    """Equal to the last bit, ties in row order; segments of different lengths, dead and filtered rows."""
    assert kernel.wait()
    generator = np.random.default_rng(seed)
    parameters = data.draw(st.sampled_from([Parameters(), Parameters(0.9, 0.4), Parameters(2.0, 1.0)]))
    skew, vocabulary = data.draw(st.sampled_from([1.05, 1.3, 2.0])), data.draw(st.sampled_from([5, 300]))
    parts = []
    for _ in range(segments):
        size, longest = generator.integers(0, 400), int(generator.choice([3, 20, 120]))
        drawn = (generator.zipf(skew, generator.integers(0, longest)) for _ in range(size))
        postings = Postings.of(numbered(([f"w{n % vocabulary}" for n in row], ()) for row in drawn))
        alive = None if generator.random() < 0.3 else generator.random(size) < generator.random()
        parts.append((postings, alive))
    lexical = Lexical(parts, parameters)
    rows = sum(len(postings) for postings, _ in parts)
    for share in (None, 0.5, 0.01):
        admitted = None if share is None else generator.random(rows) < share
        for size in (1, 4, 8):
            query = [f"w{n % (vocabulary + 2)}" for n in generator.zipf(skew, size)]
            expected = exhaustive(lexical, query, k, admitted)
            for large in (0, 1_000_000):  # by the kernel, then by numpy
                monkeypatch.setattr("indexing.lexical.LARGE", large)
                found, scores = lexical.top(query, k, admitted)
                assert (found.tolist(), scores.tolist()) == expected


def test_compiled_bounds_are_those_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert postings_module.kernel.wait()
    chance, found = np.random.default_rng(0), []
    often = ["a"] * 5 + ["b"] * 300
    passages = [(["a", "b", *chance.choice(often, chance.integers(0, 400))], ()) for _ in range(700)]
    for large in (0, 1 << 30):
        monkeypatch.setattr(postings_module, "LARGE", large)
        found.append(Postings.of(numbered(passages)))
        assert len(found[-1].bounds) == 2
    assert fields(found[0]) == fields(found[1])
    assert np.array_equal(found[0].bounds_for(0.9, 0.4), found[1].bounds_for(0.9, 0.4))
