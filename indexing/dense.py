"""Exact nearest vectors by inner product: FAISS, on a GPU where there is one, or torch where FAISS is absent.

The only module that imports faiss. Each segment has its own searcher, made once and shared by all snapshots that hold
the segment; rows that are dead or filtered out are excluded before ranking, never after.
"""

import threading
from collections.abc import Sequence
from importlib import metadata, util
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.lexical import Mask, Rows
from indexing.types import BadInput, Vectors

Half = NDArray[np.float16]
Kind = Literal["auto", "faiss", "torch"]
_GPU_DEEPEST = 2048  # the most neighbours that FAISS on a GPU returns
_ONE_THREAD = 100_000_000
"""Products below which one thread searches: 24,000 passages took it 1.5 ms, and two threads 44 ms on busy cores."""


class Searchable(Protocol):
    """The vectors of one segment, ready to be searched."""

    def nearest(self, queries: Vectors, k: int, admitted: Mask | None) -> tuple[Vectors, Rows]:
        """(scores float32 [q, k], rows int64 [q, k]), best first; rows are -1 where fewer than k are admitted."""
        ...


class Engine(Protocol):
    """Makes vectors searchable."""

    def describe(self) -> str:
        """What runs where, for people: "FAISS 1.15.1 on the CPU (2 threads)"."""
        ...

    def prepare(self, vectors: Half) -> Searchable:
        """Take float16 [n, d], unit length."""
        ...


def choose(kind: Kind = "auto") -> Engine:
    """FAISS on the GPU, else FAISS on the CPU, else torch. Raises BadInput for a broken installation."""
    both = [name for name in ("faiss-cpu", "faiss-gpu") if _installed(name)]
    if len(both) == 2:
        raise BadInput(
            "faiss-cpu and faiss-gpu are both installed; they write the same files, so that either may be broken.",
            "Run `pip uninstall faiss-cpu faiss-gpu`, then install the extra `cpu` or `gpu`, one of them.",
        )
    if kind == "torch" or (kind == "auto" and util.find_spec("faiss") is None):
        return TorchEngine()
    if util.find_spec("faiss") is None:
        raise BadInput("FAISS is not installed.", "Install the extra `cpu` or `gpu`.")
    import faiss

    if hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0:
        return FaissGpuEngine()
    return FaissEngine()


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


class FaissEngine:
    """FAISS on the CPU, over a 32-bit copy in memory: at this size faster than 16-bit codes, and exact."""

    def __init__(self) -> None:
        import faiss

        self._threads = int(faiss.omp_get_max_threads())

    def describe(self) -> str:
        import faiss

        return f"FAISS {faiss.__version__} on the CPU ({self._threads} threads)"

    def prepare(self, vectors: Half) -> "FaissVectors":
        return FaissVectors(vectors, self._threads)


class FaissVectors:
    """One segment in FAISS on the CPU."""

    def __init__(self, vectors: Half, threads: int) -> None:
        import faiss

        self._threads = threads
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        for start in range(0, len(vectors), 65536):
            self._index.add(vectors[start : start + 65536].astype(np.float32))

    def nearest(self, queries: Vectors, k: int, admitted: Mask | None) -> tuple[Vectors, Rows]:
        import faiss

        small = len(queries) * self._index.ntotal * self._index.d < _ONE_THREAD
        faiss.omp_set_num_threads(1 if small else self._threads)  # holds for the calling thread alone
        if admitted is None:
            scores, rows = self._index.search(queries, k)
            return scores, rows
        bits = np.packbits(admitted, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(admitted), faiss.swig_ptr(bits))
        parameters = faiss.SearchParameters()
        parameters.sel = selector
        scores, rows = self._index.search(queries, k, params=parameters)
        return scores, rows


class FaissGpuEngine:
    """FAISS on the first CUDA device, vectors held there in 16 bits."""

    def __init__(self) -> None:
        import faiss

        self._resources = faiss.StandardGpuResources()
        self._turn = threading.Lock()

    def describe(self) -> str:
        import faiss

        return f"FAISS {faiss.__version__} on the GPU (1 of {faiss.get_num_gpus()})"

    def prepare(self, vectors: Half) -> "FaissGpuVectors":
        return FaissGpuVectors(vectors, self._resources, self._turn)


class FaissGpuVectors:
    """One segment in FAISS on the GPU.

    A flat index on the GPU takes no selector. Where few rows are excluded it is asked for that many more and they are
    dropped; where many are, the admitted rows are copied and searched alone. Both are exact. Searches take turns, since
    the memory that FAISS works in on a GPU is not safe to share between threads.
    """

    def __init__(self, vectors: Half, resources: Any, turn: threading.Lock) -> None:
        import faiss

        self._vectors, self._resources, self._turn = vectors, resources, turn
        config = faiss.GpuIndexFlatConfig()
        config.useFloat16 = True
        self._index = faiss.GpuIndexFlatIP(resources, vectors.shape[1], config)
        for start in range(0, len(vectors), 65536):
            self._index.add(vectors[start : start + 65536].astype(np.float32))

    def nearest(self, queries: Vectors, k: int, admitted: Mask | None) -> tuple[Vectors, Rows]:
        with self._turn:
            return self._nearest(queries, min(k, _GPU_DEEPEST), admitted)

    def _nearest(self, queries: Vectors, k: int, admitted: Mask | None) -> tuple[Vectors, Rows]:
        if admitted is None:
            return self._search(queries, k)
        excluded = len(admitted) - int(admitted.sum())
        if k + excluded <= _GPU_DEEPEST:
            scores, rows = self._search(queries, k + excluded)
            return _keep(scores, rows, admitted, k)
        import faiss

        kept = np.flatnonzero(admitted)
        if not len(kept):
            return np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        scores, found = faiss.knn_gpu(
            self._resources,
            queries,
            self._vectors[kept].astype(np.float32),
            min(k, len(kept)),
            metric=faiss.METRIC_INNER_PRODUCT,
        )
        return scores, kept[found]

    def _search(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        scores, rows = self._index.search(queries, k)
        return scores, rows


def _keep(scores: Vectors, rows: Rows, admitted: Mask, k: int) -> tuple[Vectors, Rows]:
    """The first k admitted entries of each line."""
    bad = (rows < 0) | ~admitted[rows]
    order = np.argsort(bad, axis=1, kind="stable")[:, :k]
    scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
    dropped = np.take_along_axis(bad, order, 1)
    return np.where(dropped, np.float32(-np.inf), scores), np.where(dropped, -1, rows)


class TorchEngine:
    """Matrix product in torch, float32 on the CPU and 16 bits on CUDA."""

    def __init__(self) -> None:
        import torch

        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def describe(self) -> str:
        import torch

        where = "the GPU" if self._device.type == "cuda" else f"the CPU ({torch.get_num_threads()} threads)"
        return f"torch {torch.__version__} on {where}"

    def prepare(self, vectors: Half) -> "TorchVectors":
        return TorchVectors(vectors, self._device)


class TorchVectors:
    """One segment as a torch matrix."""

    def __init__(self, vectors: Half, device: Any) -> None:
        import torch

        matrix = torch.from_numpy(np.array(vectors))
        self._matrix = matrix.to(device) if device.type == "cuda" else matrix.float()

    def nearest(self, queries: Vectors, k: int, admitted: Mask | None) -> tuple[Vectors, Rows]:
        import torch

        asked = torch.from_numpy(queries).to(self._matrix)
        scores = (asked @ self._matrix.T).float()
        if admitted is not None:
            scores[:, ~torch.from_numpy(admitted).to(scores.device)] = -torch.inf
        values, rows = scores.topk(min(k, scores.shape[1]), dim=1)
        rows = torch.where(torch.isinf(values), -1, rows)
        return values.cpu().numpy(), rows.cpu().numpy()


def nearest(
    parts: Sequence[tuple[Searchable, int, Mask | None]], queries: Vectors, k: int
) -> list[tuple[Rows, Vectors]]:
    """The k best rows of several segments for each query, best first, equal ones in row order.

    `parts` holds each segment's vectors, the number of its rows, and the admitted ones (None: all). Rows are numbered
    across the segments. Fewer than k come back where fewer are admitted.
    """
    all_scores: list[Vectors] = []
    all_rows: list[Rows] = []
    base = 0
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    for searchable, size, admitted in parts:
        if admitted is None or admitted.any():
            scores, rows = searchable.nearest(queries, min(k, size), admitted)
            all_scores.append(scores)
            all_rows.append(np.where(rows >= 0, rows + base, -1))
        base += size
    if not all_scores:
        return [(np.zeros(0, np.int64), np.zeros(0, np.float32)) for _ in queries]
    return [_line(scores, rows, k) for scores, rows in zip(np.hstack(all_scores), np.hstack(all_rows), strict=True)]


def _line(scores: Vectors, rows: Rows, k: int) -> tuple[Rows, Vectors]:
    found = rows >= 0
    scores, rows = scores[found], rows[found]
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]
