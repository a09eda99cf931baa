"""Nearest vectors by inner product: FAISS, on a GPU where there is one, or torch where FAISS is absent.

The only module that imports faiss. Each segment has its own searcher, made once and shared by all snapshots that hold
the segment; rows that are dead or filtered out are excluded before ranking, never after. The search is exact but for
large segments on the CPU, whose inverted lists are probed (see `lists`).
"""

import math
import threading
import weakref
from collections.abc import Sequence
from importlib import import_module, metadata, util
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.lexical import Mask, Rows
from indexing.lists import Centroids, Half, Lists
from indexing.types import BadInput, Vectors

Kind = Literal["auto", "faiss", "torch"]
_GPU_DEEPEST = 2048  # the most neighbours that FAISS on a GPU returns
_ONE_THREAD = 100_000_000
"""Products below which one thread searches: 24,000 passages took it 1.5 ms, and two threads 44 ms on busy cores."""

PROBES = 72
"""Lists that are looked into, where all rows are admitted; of a million vectors in 4,096 lists for a recall of .97."""

_WIDER = 2 / 3
"""Where a share of the rows is admitted, so many times more lists are looked into: 1 / share, to this power. Of a
hundredth to a half of a million that found .98 to 1 of the best ten, whether they lay in some lists or in all."""

_RADIUS = 0.1
"""What the radius of a list counts beside an inner product; from 0.1 to 0.15 little changes."""

_SPREAD = 32  # numbers that a radius is spread over

_FEW = 2000
"""Admitted rows that are all compared: reading them takes 1 ms, and going through all lists as long."""

_MORE = 20
"""Rows found by their codes beyond those asked for, and then ranked; half as many as asked for where that is more."""


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

    def prepare(self, vectors: Half, lists: Lists | None = None) -> Searchable:
        """Take float16 [n, d], unit length, and their lists, which an exact engine does not need."""
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
    """FAISS on the CPU: inverted lists where a segment has them, of which `probes` are looked into, else exact."""

    def __init__(self, probes: int = PROBES) -> None:
        import faiss

        self._probes = probes
        self._threads = int(faiss.omp_get_max_threads())
        self._routes: list[weakref.ref[FaissRoutes]] = []

    def describe(self) -> str:
        import faiss

        return f"FAISS {faiss.__version__} on the CPU ({self._threads} threads)"

    def prepare(self, vectors: Half, lists: Lists | None = None) -> Searchable:
        if lists is None:
            return FaissVectors(vectors, self._threads)
        return FaissLists(vectors, lists, self._routed(lists.centroids), self._probes, self._threads)

    def _routed(self, centroids: Centroids) -> "FaissRoutes":
        """Those of a segment with the same centroids, if there is one."""
        there = [routes for known in self._routes if (routes := known())]
        for routes in there:
            if routes.centroids.same(centroids):
                return routes
        new = FaissRoutes(centroids)
        self._routes = [weakref.ref(routes) for routes in (*there, new)]
        return new


class FaissVectors:
    """One segment in FAISS on the CPU, over a 32-bit copy in memory: faster than 16-bit codes, and exact."""

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


class FaissRoutes:
    """Which lists to look into first, for all segments with the same centroids.

    A list promises the more, the nearer the mean m of its vectors is to the query, and the more they differ: their
    radius sqrt(1 - |m|^2) counts a little. That order needs half of the vectors that the order of normalised means
    needs for a recall of .97. Mean and radius together have unit length, so that they can be compared by their codes,
    like vectors; the radius is spread over some numbers to be as small as the others.
    """

    def __init__(self, centroids: Centroids) -> None:
        import faiss

        means = centroids.means.astype(np.float32)
        radii = np.sqrt(np.maximum(0, 1 - (means * means).sum(1, keepdims=True)))
        self.centroids = centroids
        kind = faiss.ScalarQuantizer.QT_8bit_direct
        self._index = faiss.IndexScalarQuantizer(means.shape[1] + _SPREAD, kind, faiss.METRIC_L2)
        self._index.add(self._codes(means, radii))
        self._last: tuple[Vectors, int, Rows] | None = None

    def __len__(self) -> int:
        return len(self.centroids)

    def best(self, queries: Vectors, probes: int) -> Rows:
        """int64 [q, probes], the most promising first; remembered for the next segment of the same search."""
        last = self._last
        if last and last[0] is queries and last[1] == probes:
            return last[2]
        _, found = self._index.search(self._codes(queries, np.full((len(queries), 1), _RADIUS, np.float32)), probes)
        self._last = queries, probes, found
        return found

    def _codes(self, vectors: Vectors, radii: Vectors) -> Vectors:
        spread = np.repeat(radii / np.float32(_SPREAD**0.5), _SPREAD, axis=1)
        return self.centroids.codes(np.hstack([vectors, spread])).astype(np.float32)


class FaissLists:
    """One segment as inverted lists, which FAISS reads where they are mapped into memory.

    Codes are compared by their distances, in whole numbers, which for vectors of unit length gives the order of inner
    products. The best are ranked by the 16-bit vectors.
    """

    def __init__(self, vectors: Half, lists: Lists, routes: FaissRoutes, probes: int, threads: int) -> None:
        import faiss

        self._vectors, self._lists, self._routes = vectors, lists, routes
        self._probes, self._threads = probes, threads
        dimension = vectors.shape[1]
        kind = faiss.ScalarQuantizer
        self._half = kind(dimension, kind.QT_fp16)
        self._coarse = faiss.IndexFlatL2(dimension)  # not searched: the lists to look into are given
        self._index: Any = faiss.IndexIVFScalarQuantizer(
            self._coarse, dimension, len(routes), kind.QT_8bit_direct, faiss.METRIC_L2, False
        )
        self._inverted = _mapped(lists, dimension)
        self._index.replace_invlists(self._inverted, False)
        self._index.is_trained, self._index.ntotal = True, len(vectors)
        self._last: tuple[Mask, int, NDArray[np.uint8]] | None = None
        weakref.finalize(self, _unmapped, self._inverted)

    def nearest(self, queries: Vectors, k: int, admitted: Mask | None) -> tuple[Vectors, Rows]:
        import faiss

        every = len(self._vectors)
        n, bits = (every, None) if admitted is None else self._bits(admitted)
        probes = min(len(self._routes), math.ceil(self._probes * (every / max(n, 1)) ** _WIDER))
        products = queries.size * min(n, probes * every // len(self._routes))
        faiss.omp_set_num_threads(1 if products < _ONE_THREAD else self._threads)
        if n <= max(_FEW, k):
            few = np.arange(every) if admitted is None else np.flatnonzero(admitted)
            return self._ranked(queries, np.broadcast_to(few, (len(queries), n)), k)
        parameters = faiss.SearchParametersIVF()
        if bits is not None:
            selector = faiss.IDSelectorBitmap(every, faiss.swig_ptr(bits))
            parameters.sel = selector
        wanted = min(n, k + max(_MORE, k // 2))
        codes = self._lists.centroids.codes(queries).astype(np.float32)
        found = self._found(codes, self._routes.best(queries, probes), wanted, parameters)
        short = found[:, -1] < 0
        if short.any() and probes < len(self._routes):  # what is admitted lies far from these queries
            everywhere = self._routes.best(queries[short], len(self._routes))
            found[short] = self._found(codes[short], everywhere, wanted, parameters)
        return self._ranked(queries, found, k)

    def _bits(self, admitted: Mask) -> tuple[int, NDArray[np.uint8]]:
        """How many rows are admitted, and the mask as bits; remembered, since what is alive seldom changes."""
        last = self._last
        if last is None or last[0] is not admitted:
            last = self._last = admitted, int(np.count_nonzero(admitted)), np.packbits(admitted, bitorder="little")
        return last[1:]

    def _found(self, codes: Vectors, lists: Rows, wanted: int, parameters: Any) -> Rows:
        """Rows of the nearest codes, int64 [q, wanted], -1 where there are no more."""
        faiss = _whole()
        q, parameters.nprobe = lists.shape
        centroids, distances = np.zeros(lists.shape, np.float32), np.empty((q, wanted), np.float32)
        rows = np.empty((q, wanted), np.int64)
        given = map(faiss.swig_ptr, (codes, lists, centroids, distances, rows))
        asked, assigned, apart, *filled = given
        self._index.search_preassigned_c(q, asked, wanted, assigned, apart, *filled, False, parameters)
        return rows

    def _ranked(self, queries: Vectors, found: Rows, k: int) -> tuple[Vectors, Rows]:
        """The best k of the rows found for each query, equal ones in row order."""
        faiss = _whole()
        scores, rows = np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        for place, (query, line) in enumerate(zip(queries, found, strict=True)):
            there = line[line >= 0]
            vectors = self._half.decode(np.take(self._vectors, there, axis=0).view(np.uint8))
            products = np.empty(len(there), np.float32)
            faiss.fvec_inner_products_ny(
                *map(faiss.swig_ptr, (products, np.ascontiguousarray(query), vectors)), len(query), len(there)
            )
            order = np.lexsort((there, -products))[:k]
            scores[place, : len(order)], rows[place, : len(order)] = products[order], there[order]
        return scores, rows


def _whole() -> Any:
    """FAISS with what its type stubs leave out."""
    return import_module("faiss")


def _mapped(lists: Lists, dimension: int) -> Any:
    """FAISS's own view of lists in memory: no copy is made, and nothing is freed with it."""
    faiss = _whole()
    inverted = faiss.OnDiskInvertedLists()
    inverted.this.disown()  # it would unmap the memory, which is not its own
    inverted.nlist, inverted.code_size, inverted.read_only = len(lists.sizes), dimension, True
    inverted.prefetch_nthread = 0  # threads that are started for each search
    every = faiss.OnDiskOneListVector()
    for size, start in zip(lists.sizes.tolist(), lists.starts().tolist(), strict=True):
        one = faiss.OnDiskOneList()
        one.size, one.capacity, one.offset = size, size, start
        every.push_back(one)
    inverted.lists, inverted.totsize, inverted.ptr = every, len(lists.packed), faiss.swig_ptr(lists.packed)
    return inverted


def _unmapped(inverted: Any) -> None:
    inverted.ptr = None
    inverted.this.acquire()


class FaissGpuEngine:
    """FAISS on the first CUDA device, vectors held there in 16 bits."""

    def __init__(self) -> None:
        import faiss

        self._resources = faiss.StandardGpuResources()
        self._turn = threading.Lock()

    def describe(self) -> str:
        import faiss

        return f"FAISS {faiss.__version__} on the GPU (1 of {faiss.get_num_gpus()})"

    def prepare(self, vectors: Half, lists: Lists | None = None) -> "FaissGpuVectors":
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

    def prepare(self, vectors: Half, lists: Lists | None = None) -> "TorchVectors":
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
