"""BM25: its arithmetic against rank_bm25, its statistics over what is alive."""

import math

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from indexing.lexical import Lexical, Parameters
from indexing.postings import Postings
from indexing.vocabulary import numbered

WORDS = [f"w{i}" for i in range(60)]


def corpus(seed: int, size: int) -> list[list[str]]:
    """Passages of Zipf-like words, some empty."""
    generator = np.random.default_rng(seed)
    return [
        [WORDS[min(int(n), 59)] for n in generator.zipf(1.3, size=generator.integers(0, 40)) - 1] for _ in range(size)
    ]


def lexical(passages: list[list[str]], parameters: Parameters | None = None) -> Lexical:
    return Lexical([(Postings.of(numbered((tokens, []) for tokens in passages)), None)], parameters or Parameters())


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.9, 0.4), (2.0, 0.95)])
def test_scores_agree_with_rank_bm25_given_the_same_idf(k1: float, b: float) -> None:
    passages = corpus(1, 300)
    mine = lexical(passages, Parameters(k1, b))
    oracle = BM25Okapi(passages, k1=k1, b=b)
    held = {word: sum(word in passage for passage in passages) for word in WORDS}
    oracle.idf = {word: math.log(1 + (300 - n + 0.5) / (n + 0.5)) for word, n in held.items()}
    generator = np.random.default_rng(2)
    for _ in range(50):
        query = list(generator.choice([*WORDS, "absent"], size=generator.integers(1, 9)))
        assert np.abs(mine.scores(query) - oracle.get_scores(query)).max() < 1e-5


def test_scores_do_not_depend_on_segmentation() -> None:
    passages = corpus(3, 200)
    whole = lexical(passages)
    parts = Lexical(
        [(Postings.of(numbered((tokens, []) for tokens in passages[i : i + 30])), None) for i in range(0, 200, 30)],
        Parameters(),
    )
    query = ["w0", "w3", "w17", "w40"]
    assert np.allclose(whole.scores(query), parts.scores(query), atol=1e-12)
    assert whole.top(query, 20)[0].tolist() == parts.top(query, 20)[0].tolist()


def test_a_passage_given_as_tokens_scores_as_one_of_the_index() -> None:
    passages = corpus(8, 60)
    found = lexical(passages)
    for query in (["w0", "w3", "w3", "w17"], ["absent"], []):
        assert np.allclose([found.score_of(query, passage) for passage in passages], found.scores(query), atol=1e-7)
    assert found.score_of(["w3"], ["w1"], ["w3"]) == found.score_of(["w3"], ["w3"]), "spare ones do not lengthen"


def test_dead_passages_leave_the_scores_and_the_statistics() -> None:
    passages = corpus(4, 100)
    alive = np.random.default_rng(5).random(100) < 0.6
    marked = Lexical([(Postings.of(numbered((tokens, []) for tokens in passages)), alive)], Parameters())
    rest = lexical([tokens for tokens, kept in zip(passages, alive, strict=True) if kept])
    query = ["w0", "w5", "w9"]
    assert marked.passages == rest.passages
    assert np.allclose(marked.scores(query)[alive], rest.scores(query), atol=1e-12)
    assert not marked.scores(query)[~alive].any()


def test_a_passage_without_the_words_is_never_a_hit() -> None:
    found = lexical([["a"], ["b"], ["a", "b"], []])
    rows, scores = found.top(["a", "absent"], 10)
    assert sorted(rows.tolist()) == [0, 2]
    assert (scores > 0).all()
    assert found.top(["absent"], 10)[0].size == 0
    assert found.top([], 10)[0].size == 0


def test_a_word_in_every_passage_scores_above_zero() -> None:
    rows, scores = lexical([["a"], ["a", "b"]]).top(["a"], 10)
    assert rows.tolist() == [0, 1]
    assert (scores > 0).all()


def test_an_empty_corpus_has_no_hits() -> None:
    assert Lexical([], Parameters()).top(["a"], 5)[0].size == 0
    assert lexical([]).top(["a"], 5)[0].size == 0
    assert lexical([[], []]).top(["a"], 5)[0].size == 0


def test_equal_scores_come_in_row_order() -> None:
    rows, _ = lexical([["a", "x"], ["b"], ["a", "y"], ["a", "z"]]).top(["a"], 2)
    assert rows.tolist() == [0, 2]


def test_only_admitted_rows_are_ranked() -> None:
    admitted = np.array([False, True, True])
    rows, _ = lexical([["a"], ["a", "b", "c"], ["b"]]).top(["a"], 1, admitted)
    assert rows.tolist() == [1]


def test_spare_tokens_can_be_asked_for_and_do_not_lengthen() -> None:
    postings = Postings.of(numbered([(["rome"], ["\0who", "\0who"]), (["rome"], [])]))
    assert postings.lengths.tolist() == [1, 1]
    found = Lexical([(postings, None)], Parameters())
    assert found.top(["\0who"], 5)[0].tolist() == [0]
    assert len(set(found.scores(["rome"]).tolist())) == 1


def test_no_score_passes_the_ceiling() -> None:
    found = lexical([["a"] * 500, ["a", "b"], ["c"] * 40])
    for query in (["a"], ["a", "b", "absent"], ["c", "c"]):
        assert 0 < found.scores(query).max() < found.ceiling(query)
