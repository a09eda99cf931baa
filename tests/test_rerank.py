"""Hits read again: a better order, scores in [0, 1], nothing lost, nothing read twice."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from indexing.refresh import add_documents
from indexing.rerank import RerankedRetriever
from indexing.search import Searcher
from indexing.store import Index
from indexing.types import Filters, Query, Retriever, Vectors
from models.orders import OrderDetector
from models.reader import Reader, Reading
from models.reranker import KEPT, ReadingReranker, RememberingReader
from models.types import Cancelled, never
from tests.hashing import HashingEncoder, document

TEXTS = {
    "bridge": "The bridge over the Orne was opened in 1934, and the bridge carries two lanes.",
    "opened": "The new library was opened in May. The bridge club meets there.",
    "floods": "Floods closed the bridge for three weeks.",
    "frogs": "Tree frogs have discs on their toes.",
}


class Likes:
    """Scores by a word; remembers what it read."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def score(self, query: str, passages: Sequence[str]) -> Vectors:
        self.asked.append((query, tuple(passages)))
        return np.array([float(self.word in text) for text in passages], dtype=np.float32)


@pytest.fixture
def searcher(tmp_path: Path) -> Searcher:
    encoder = HashingEncoder()
    index = Index.create(tmp_path / "index", encoder)
    add_documents([document(key, text) for key, text in TEXTS.items()], index, encoder)
    return Searcher(index, encoder)


def names(retriever: Retriever, *queries: str, k: int = 3) -> list[list[str]]:
    found = retriever.search_many([Query(text) for text in queries], k, Filters())
    return [[hit.document.id for hit in hits] for hits in found]


def test_the_reranker_moves_its_passage_up(searcher: Searcher) -> None:
    question = "When was the bridge opened?"
    assert names(searcher, question)[0][0] != "floods"
    assert names(RerankedRetriever(searcher, Likes("Floods"), 0.9), question)[0][0] == "floods"
    assert names(RerankedRetriever(searcher, Likes("Floods"), 0.0), question) == names(searcher, question)


def test_scores_stay_between_0_and_1_and_in_order(searcher: Searcher) -> None:
    hits = RerankedRetriever(searcher, Likes("bridge"), 0.5).search(Query("When was the bridge opened?"), 4)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_all_queries_are_read_once_beside_the_first(searcher: Searcher) -> None:
    reranker = Likes("1934")
    found = names(RerankedRetriever(searcher, reranker, 0.5, depth=3), "When was the bridge opened?", "bridge opened")
    [(query, passages)] = reranker.asked
    assert query == "When was the bridge opened?"
    assert len(passages) == len(set(passages)) == 3
    assert found[0][0] == found[1][0] == "bridge"


def test_more_hits_than_are_read_come_after_those_that_were(searcher: Searcher) -> None:
    reranker = Likes("bridge")
    found = names(RerankedRetriever(searcher, reranker, 0.9, depth=1), "bridge opened frogs", k=4)
    assert len(reranker.asked[0][1]) == 1
    assert len(found[0]) == 4
    assert TEXTS[found[0][0]] == reranker.asked[0][1][0]


def test_nothing_found_is_nothing_read(searcher: Searcher) -> None:
    reranker = Likes("bridge")
    assert names(RerankedRetriever(searcher, reranker, 0.5), " ") == [[]]
    assert reranker.asked == []


class Counting:
    """A reader that counts what it reads."""

    def __init__(self) -> None:
        self.count = 0

    def read(self, question: str, passages: Sequence[str], n: int = 1, cancelled: Cancelled = never) -> list[Reading]:
        self.count += len(passages)
        return [Reading((), len(text) / 1000) for text in passages]


def test_what_was_read_is_not_read_again() -> None:
    counting = Counting()
    reader = RememberingReader(counting)
    first = reader.read("q", ["a", "bb", "a"], 3)
    assert counting.count == 2
    assert [reading.answerable for reading in first] == [0.001, 0.002, 0.001]
    assert reader.read("q", ["bb", "ccc"], 3)[0] is first[1]
    assert counting.count == 3
    reader.read("another", ["a"], 3)
    reader.read("q", ["a"], 1)
    assert counting.count == 5
    for number in range(KEPT):
        reader.read("q", [f"text {number}"], 3)
    reader.read("q", ["a"], 3)
    assert counting.count == 6 + KEPT


LONGER = [
    " ".join(sentences)
    for sentences in (
        (
            "The bridge over the Orne was designed by Marta Lindqvist.",
            "It was opened on 4 May 1934, and floods closed it.",
        ),
        ("The Orne is a river of the north.", "It rises near Aunou and is 170 kilometres long.", "Bridges cross it."),
        (
            "Tree frogs have discs on their toes.",
            "They hunt at night.",
            "Most of them live in warm forests, near water.",
        ),
    )
]


def test_the_reader_prefers_the_passage_that_answers(reader: Reader) -> None:
    reranker = ReadingReranker(reader, OrderDetector.load())
    scores = reranker.score("When was the bridge over the Orne opened?", LONGER)
    assert scores.shape == (3,)
    assert scores.argmax() == 0
    assert scores[0] > 0.5 > scores[2]
    assert all(0 <= score <= 1 for score in scores)
