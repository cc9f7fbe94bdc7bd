"""A query as the searcher on phones answers it: the same float32 operations in the same order.

What the order is was found by experiment and is written down in ``docs/file-format.md``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.kernels.block import number, region
from scannlite.kernels.device_scan import scan_codes
from scannlite.kernels.jit import inlined, searcher
from scannlite.kernels.layout import (
    BAD_QUERY,
    HIGHEST_RANK,
    LONG_BLOCK,
    LONG_COLUMN,
    MANY_LEAVES,
    SHORT_COLUMN,
    SQUARED_L2,
)
from scannlite.kernels.query import choose_leaves, copy_query, rank_range
from scannlite.kernels.rescore import negate_scores, places_to_rows
from scannlite.kernels.scan import list_blocks, scan_rows
from scannlite.kernels.select import (
    gather_scores,
    keep_best,
    place,
    scores_to_bytes,
    select_bytes,
)
from scannlite.kernels.simd import (
    add_f32,
    load_f32,
    load_f32x16,
    max_f32,
    min_f32,
    multiply_f32,
    splat_f32,
    store,
    subtract_f32,
)

__all__ = ["nearest_leaves", "search_on_device"]

_f4: Any = np.float32


@inlined
def _within(rank: Any) -> Any:
    """A rank that left float32 as the highest or, also where it is no number, the lowest."""
    limit = _f4(HIGHEST_RANK)
    return min_f32(max_f32(rank, splat_f32(-limit)), splat_f32(limit))


@inlined
def _rank_leaves(P: int, W: int) -> Any:
    """Higher is nearer: q·c, or 2 q·c - |c|². Returns the highest and lowest rank."""
    d, num_leaves = number(P, "d"), number(P, "num_leaves")
    y, rank = region(P, W, "query"), region(P, W, "rank")
    tile, squares = number(P, "leaf_tiles"), number(P, "leaf_squares")
    column = d
    if d >= LONG_BLOCK:
        column = SHORT_COLUMN if num_leaves >= MANY_LEAVES else LONG_COLUMN
    two = splat_f32(_f4(2))
    for g in range(0, num_leaves, 64):
        zero = splat_f32(_f4(0))
        t0, t1, t2, t3 = zero, zero, zero, zero
        for first in range(0, d, column):
            s0, s1, s2, s3 = zero, zero, zero, zero
            for j in range(first, min(first + column, d)):
                x = splat_f32(load_f32(y + 4 * j))
                s0 = add_f32(s0, multiply_f32(x, load_f32x16(tile)))
                s1 = add_f32(s1, multiply_f32(x, load_f32x16(tile + 64)))
                s2 = add_f32(s2, multiply_f32(x, load_f32x16(tile + 128)))
                s3 = add_f32(s3, multiply_f32(x, load_f32x16(tile + 192)))
                tile += 256
            t0, t1, t2, t3 = add_f32(t0, s0), add_f32(t1, s1), add_f32(t2, s2), add_f32(t3, s3)
        if number(P, "leaf_metric") == SQUARED_L2:
            at = squares + 4 * g
            t0 = subtract_f32(multiply_f32(two, t0), load_f32x16(at))
            t1 = subtract_f32(multiply_f32(two, t1), load_f32x16(at + 64))
            t2 = subtract_f32(multiply_f32(two, t2), load_f32x16(at + 128))
            t3 = subtract_f32(multiply_f32(two, t3), load_f32x16(at + 192))
        store(rank + 4 * g, _within(t0))
        store(rank + 4 * g + 64, _within(t1))
        store(rank + 4 * g + 128, _within(t2))
        store(rank + 4 * g + 192, _within(t3))
    return rank_range(P, W)


@inlined
def nearest_leaves(P: int, W: int, p: int) -> int:
    """The p leaves of highest rank, earlier leaves first among equals; or all, unranked."""
    if p >= number(P, "num_leaves"):
        return choose_leaves(P, W, p, _f4(0), _f4(0))
    most, least = _rank_leaves(P, W)
    return choose_leaves(P, W, p, most, least)


@inlined
def _on_device(P: int, W: int, q: int, k: int, p: int, distances: int, ids: int) -> int:
    if copy_query(P, W, q) < _f4(0):
        return BAD_QUERY
    leaves = nearest_leaves(P, W, p)
    blocks = list_blocks(P, W, leaves, _f4(0), _f4(0), True)
    n = -1
    if number(P, "lookup") == 0:
        scan_rows(P, W, blocks, _f4(0), np.int32(0))
    elif blocks > 0:
        n = scan_codes(P, W, blocks, k)
    if n < 0:
        scores_to_bytes(P, W, blocks)
        n = select_bytes(P, W, blocks, k, True)
        gather_scores(P, W, n)
    n = keep_best(P, W, n, k, k >> 3)
    places_to_rows(P, W, n)
    negate_scores(P, W, n)
    place(P, W, n, k, distances, ids)
    return 0


@searcher
def search_on_device(
    P: int,
    W: int,
    Q: int,
    D: int,
    I: int,  # noqa: E741
    k: int,
    first: int,
    last: int,
    p: int,
    R: int,  # noqa: ARG001
) -> int:
    """Queries of a batch as on phones: arguments as of ``search_by_codes``."""
    d = number(P, "d")
    for i in range(first, last):
        if _on_device(P, W, Q + 4 * d * i, k, p, D + 4 * k * i, I + 8 * k * i):
            return i + 1
    return 0
