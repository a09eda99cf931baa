"""What stands between the matrix products of a step, compiled: a step of a few sequences is many small operations, and
starting each from Python takes longer than the arithmetic."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

LEVELS, MIDDLE = np.float32(127.0), np.float32(128.5)


def compiled(function: Any) -> Any:
    """By numba, kept on disk beside the module, or in the user's cache folder when that is read-only."""
    return njit(cache=True, fastmath=True, nogil=True)(function)


@compiled
def press_row(row: Floats, far: Numbers, values: Bytes, far_values: Floats) -> np.float32:
    """Bytes of a row with its loudest channels apart; returns what one level of a byte stands for."""
    for place in range(len(far)):
        far_values[place] = row[far[place]]
        row[far[place]] = np.float32(0.0)
    most = np.float32(1e-12)
    for at in range(len(row)):
        most = max(most, abs(row[at]))
    scale = most / LEVELS
    inverse = np.float32(1.0) / scale
    for at in range(len(row)):
        values[at] = np.uint8(row[at] * inverse + MIDDLE)
    for place in range(len(far)):
        row[far[place]] = far_values[place]
    return np.float32(scale)


@compiled
def norm_of(row: Floats, epsilon: np.float32) -> np.float32:
    """1 / the root mean square."""
    total = np.float32(0.0)
    for at in range(len(row)):
        total += row[at] * row[at]
    return np.float32(np.float32(1.0) / np.sqrt(total / np.float32(len(row)) + epsilon))


@compiled
def finish(out: Floats, scale: np.float32, far_values: Floats, far_weight: Floats, norm: np.float32) -> None:
    """A product's row as it would be without bytes: scaled, the loud channels added, then the norm."""
    for at in range(len(out)):
        out[at] *= scale
    for place in range(len(far_values)):
        value = far_values[place]
        weights = far_weight[place]
        for at in range(len(out)):
            out[at] += value * weights[at]
    for at in range(len(out)):
        out[at] *= norm


@compiled
def press_normed(
    rows: Floats, far: Numbers, epsilon: np.float32, values: Bytes, scales: Floats, far_values: Floats, norms: Floats
) -> None:
    """Bytes of every row, and its norm, which is applied after the product."""
    for number in range(len(rows)):
        norms[number] = norm_of(rows[number], epsilon)
        scales[number] = press_row(rows[number], far, values[number], far_values[number])


@compiled
def press_plain(rows: Floats, far: Numbers, values: Bytes, scales: Floats, far_values: Floats) -> None:
    """Bytes of every row."""
    for number in range(len(rows)):
        scales[number] = press_row(rows[number], far, values[number], far_values[number])


@compiled
def turn_and_keep(
    products: Floats, scales: Floats, far_values: Floats, far_weight: Floats, norms: Floats, cos: Floats, sin: Floats,
    places: Numbers, queries: Floats, keys: Floats, values: Floats,
) -> None:  # fmt: skip
    """Queries [n, heads, head], turned by their places; keys and values go into the cache [n, shared, room, head]."""
    heads, head = queries.shape[1], queries.shape[2]
    shared = keys.shape[1]
    half = head // 2
    for number in range(len(products)):
        row, place = products[number], places[number]
        finish(row, scales[number], far_values[number], far_weight, norms[number])
        for one in range(heads + shared):
            start = one * head
            for at in range(half):
                low, high = row[start + at], row[start + half + at]
                turned_low = low * cos[place, at] + high * sin[place, at]
                turned_high = high * cos[place, half + at] + low * sin[place, half + at]
                if one < heads:
                    queries[number, one, at] = turned_low
                    queries[number, one, half + at] = turned_high
                else:
                    keys[number, one - heads, place, at] = turned_low
                    keys[number, one - heads, place, half + at] = turned_high
        for one in range(shared):
            start = (heads + shared + one) * head
            for at in range(head):
                values[number, one, place, at] = row[start + at]


@compiled
def add(rows: Floats, products: Floats, scales: Floats, far_values: Floats, far_weight: Floats) -> None:
    """rows += products."""
    for number in range(len(rows)):
        row, product = rows[number], products[number]
        finish(product, scales[number], far_values[number], far_weight, np.float32(1.0))
        for at in range(len(row)):
            row[at] += product[at]


@compiled
def gate(
    products: Floats, scales: Floats, far_values: Floats, far_weight: Floats, norms: Floats, gated: Floats
) -> None:
    """gated = silu(first half) * second half."""
    width = gated.shape[1]
    for number in range(len(products)):
        row, out = products[number], gated[number]
        finish(row, scales[number], far_values[number], far_weight, norms[number])
        for at in range(width):
            out[at] = row[at] / (np.float32(1.0) + np.exp(-row[at])) * row[width + at]
