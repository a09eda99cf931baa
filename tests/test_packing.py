"""Lists as bytes: the same bytes by numpy and compiled, and out of them what went in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing import packing
from indexing.packing import MOST, pack, unpack_sparse


@pytest.fixture(autouse=True, scope="module")
def kernel() -> None:
    assert packing.kernel.wait()


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 300, 70_000, 20_000_000]), st.integers(1, 40))
def test_compiled_lists_are_those_of_numpy(seed: int, spread: int, lists: int) -> None:
    chance = np.random.default_rng(seed)
    held = chance.integers(1, 50, lists)
    gaps = chance.integers(1, spread + 1, int(held.sum()))
    firsts = np.cumsum(held) - held
    rows = np.cumsum(gaps)
    rows = (rows - np.repeat(rows[firsts] - gaps[firsts], held) - 1).astype(np.int32)
    counts = np.minimum(chance.geometric(0.4, len(rows)), MOST).astype(np.uint8)
    counts[chance.random(len(rows)) < 0.05] = MOST
    compiled = packing.kernel.now()
    assert compiled
    expected, found = packing._pack_sparse(held, rows, counts), compiled(held, rows, counts)
    assert all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))
    got, often = unpack_sparse(np.append(found[1], np.zeros(packing.PADDING, np.uint8)), found[0], held)
    assert (got.tolist(), often.tolist()) == (rows.tolist(), counts.tolist())


def test_a_large_collection_is_packed_like_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(0)
    matrix = chance.random((300, 900)) < np.array([0.001, 0.01, 0.3] * 100)[:, None]
    held, rows = matrix.sum(axis=1), np.nonzero(matrix)[1].astype(np.int32)
    counts = chance.integers(1, 9, len(rows)).astype(np.uint8)
    packed = {}
    for large in (0, 1 << 30):
        monkeypatch.setattr(packing, "LARGE", large)
        packed[large] = pack(held[held > 0], rows, counts, 900)
    one, other = packed.values()
    assert all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("places", "sparse", "sizes", "dense")
    )
    assert len(one.sizes) > 50
