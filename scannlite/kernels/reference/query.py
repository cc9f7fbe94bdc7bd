"""The NumPy twins of ``kernels.query``, and sums in the order of a register's 16 lanes."""

from __future__ import annotations

import numpy as np

from scannlite.kernels.layout import COSINE, DOT_PRODUCT, LEAST, SQUARED_L2, Layout
from scannlite.types import AnyArray, Floats, Ids

__all__ = [
    "choose_leaves",
    "prepare_query",
    "rank_leaves",
    "root",
    "rotate_query",
    "squared_norm",
    "sum_lanes",
    "sum_products",
    "sum_squares",
    "whole_products",
]

_f4 = np.float32
_LEAST = _f4(LEAST)


def sum_lanes(lanes: Floats) -> Floats:
    """(..., 16) to (...): lane i meets lane i + 8, then i + 4, and so on."""
    for half in (8, 4, 2, 1):
        lanes = lanes[..., :half] + lanes[..., half : 2 * half]
    return lanes[..., 0]


def sum_products(x: Floats, y: Floats) -> Floats:
    """The dot product of each row of (n, d) with its own or with the one (d,) row of y."""
    lanes = np.zeros((len(x), 16), np.float32)
    for t in range(0, x.shape[-1], 16):
        products = x[..., t : t + 16] * y[..., t : t + 16]
        lanes[:, : products.shape[-1]] += products
    return sum_lanes(lanes)


def sum_squares(x: Floats, y: Floats) -> Floats:
    """The squared distance of each row of x (n, d) from y (d,)."""
    lanes = np.zeros((len(x), 16), np.float32)
    for t in range(0, x.shape[-1], 16):
        less = y[..., t : t + 16] - x[..., t : t + 16]
        lanes[:, : less.shape[-1]] += less * less
    return sum_lanes(lanes)


def root(x: np.float32) -> np.float32:
    """The square root, rounded once: NumPy's of float32 is an estimate on ARM of 32 bits."""
    return _f4(np.sqrt(x, dtype=np.float64))


def whole_products(x: AnyArray, y: AnyArray) -> Ids:
    """The dot product of each row of x (n, d) with y (d,), both of signed bytes."""
    products: Ids = np.einsum("ij,j->i", x, y, dtype=np.int64)
    return products


def squared_norm(query: Floats) -> np.float32:
    """The prepared query's sum of squares."""
    return _f4(sum_products(query[None], query)[0])


def _scale_to_one(query: Floats) -> Floats:
    """Divide by the norm, by way of the largest value so that no square leaves float32."""
    largest = np.abs(query).max()
    if largest < _LEAST:
        return np.zeros_like(query)
    query = query * (_f4(1) / largest)
    unit: Floats = query * (_f4(1) / root(squared_norm(query)))
    return unit


def prepare_query(layout: Layout, q: Floats) -> tuple[Floats, AnyArray, np.float32]:
    """Centre (SQUARED_L2) or normalise (COSINE) a query and round it to signed bytes.

    Returns:
        The query (d,), its bytes (d,) int8, and what one step of those bytes is worth.
    """
    query = np.array(q, np.float32)
    if layout.metric == SQUARED_L2:
        query = query - layout.mean[: layout.d]
    elif layout.metric == COSINE:
        query = _scale_to_one(query)
    largest = _f4(np.abs(query).max())
    if largest < _LEAST:
        largest = _f4(127)
    high = np.rint(query * (_f4(127) / largest)).astype(np.int8)
    return query, high, largest / _f4(127)


def _rows_of_tiles(tiles: AnyArray, d: int) -> AnyArray:
    """(t, ceil(d/4), 4, 16, 4) to (64 t, d)."""
    rows = tiles.transpose(0, 2, 3, 1, 4).reshape(64 * len(tiles), -1)
    return rows[:, :d]


def rotate_query(layout: Layout, high: AnyArray, worth: np.float32) -> Floats:
    """The dimensions kept of the query after the rotation, (ceil(m/16), b, 16)."""
    total = whole_products(_rows_of_tiles(layout.rotation, layout.d), high).astype(np.float32)
    dealt: Floats = total * (worth * layout.rotation_scale)
    groups = -(-layout.m // 16)
    return dealt[: groups * layout.b * 16].reshape(groups, layout.b, 16)


def rank_leaves(
    layout: Layout, query: Floats, high: AnyArray, worth: np.float32
) -> tuple[Floats, Floats]:
    """Score every centroid.

    Returns:
        (L,) offsets, where the leaves' rows start, and (L,) ranks, which order the leaves.
    """
    L = layout.num_leaves
    centroids = _rows_of_tiles(layout.centroids, layout.d)[:L]
    total = whole_products(centroids, high).astype(np.float32)
    offset = total * (worth * layout.centroid_scale[:L]) + layout.leaf_offset[:L]
    norm = root(squared_norm(query)) if layout.metric == DOT_PRODUCT else _f4(1)
    return offset, offset + norm * layout.leaf_bias[:L]


def choose_leaves(rank: Floats, p: int) -> Ids:
    """The p leaves of highest rank, earlier leaves first among equals, in the leaves' order."""
    best = np.argsort(-rank, kind="stable")[:p]
    return np.sort(best)
