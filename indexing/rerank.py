"""A Retriever that looks twice: the first hits of another one, read again and put in a better order."""

from collections.abc import Sequence
from dataclasses import replace

from indexing.types import Filters, Hit, Query, Reranker, Retriever

_NO_FILTERS = Filters()


class RerankedRetriever:
    """Hits of `retriever`, of which the best `depth` are scored by `reranker`.

    Their scores are `merged`: a hit that is not read again comes after every one that is about as good and was.

    >>> RerankedRetriever(searcher, reranker, weight=0.5).search(Query("Who was first?"), k=2)  # doctest: +SKIP
    """

    def __init__(self, retriever: Retriever, reranker: Reranker, weight: float, depth: int = 6) -> None:
        self.retriever = retriever
        self.reranker = reranker
        self.weight = weight
        self.depth = depth

    def search(self, query: Query, k: int, filters: Filters = _NO_FILTERS) -> list[Hit]:
        """At most k hits, best first."""
        return self.search_many([query], k, filters)[0]

    def search_many(self, queries: Sequence[Query], k: int, filters: Filters = _NO_FILTERS) -> list[list[Hit]]:
        """One list of hits a query. The queries of one call ask the same thing: what any of them found is read beside
        the first, which is the one in whole words."""
        found = self.retriever.search_many(queries, max(k, self.depth), filters)
        best: dict[str, Hit] = {}
        for hit in sorted((hit for hits in found for hit in hits), key=lambda hit: -hit.score):
            best.setdefault(hit.passage.id, hit)
        read = list(best.values())[: self.depth]
        seconds = self.reranker.score(queries[0].text, [hit.passage.text for hit in read]) if read else ()
        scores = {hit.passage.id: float(score) for hit, score in zip(read, seconds, strict=True)}
        again = (
            [replace(hit, score=merged(hit.score, scores.get(hit.passage.id, 0.0), self.weight)) for hit in hits]
            for hits in found
        )
        return [sorted(hits, key=lambda hit: -hit.score)[:k] for hits in again]


def merged(first: float, second: float, weight: float) -> float:
    """The retriever's score and the reranker's (0 for a hit that was not read again) as one, all in [0, 1]."""
    return (1 - weight) * first + weight * second
