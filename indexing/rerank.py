"""A Retriever that looks twice: the first hits of another one, read again and put in a better order."""

from collections.abc import Sequence
from dataclasses import replace

from indexing.types import Filters, Hit, Query, Reranker, Retriever

_NO_FILTERS = Filters()


class RerankedRetriever:
    """Hits of `retriever`, of which the best `depth` are scored by `reranker`.

    score = (1 - weight) * the retriever's score + weight * the reranker's. Both lie in [0, 1]; a hit that is not read
    again has 0 from the reranker, so it comes after every one that is about as good and was.

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
        return [sorted((self._merged(hit, scores) for hit in hits), key=lambda hit: -hit.score)[:k] for hits in found]

    def _merged(self, hit: Hit, scores: dict[str, float]) -> Hit:
        second = scores.get(hit.passage.id, 0.0)
        return replace(hit, score=(1 - self.weight) * hit.score + self.weight * second)
