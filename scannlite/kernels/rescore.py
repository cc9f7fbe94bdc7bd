"""Closer to the truth: candidates scored from signed bytes, finalists from all their bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.kernels.block import number, region
from scannlite.kernels.jit import inlined
from scannlite.kernels.layout import COSINE, FINE, ROWS_LOW, SQUARED_L2
from scannlite.kernels.query import squared_norm
from scannlite.kernels.simd import (
    add_f32,
    dot4,
    dot_excess,
    keep_f32,
    load_f32,
    load_f32x16,
    load_i32,
    load_i32x16,
    load_u8,
    load_u8x64,
    multiply_f32,
    prefetch,
    splat_f32,
    splat_i32,
    store_f32,
    store_i32,
    subtract_f32,
    sum_lanes,
    sum_lanes_i32,
    to_f32,
    widen_i8,
    widen_i16,
)

__all__ = [
    "byte_score",
    "entry_scores",
    "exact_distances",
    "float_distance",
    "float_products",
    "float_squares",
    "negate_scores",
    "places_to_rows",
    "score_distances",
    "score_rows",
]

_f4: Any = np.float32
_i8: Any = np.int64
_AHEAD = 32  # rows fetched ahead of the one that is scored
_FINE = np.float32(FINE)


@inlined
def _byte_dot(row: int, query: int, d: int, excess: int) -> Any:
    """The whole-number dot product of a row's and the query's signed bytes."""
    sums = splat_i32(np.int32(0))
    for t in range(0, d, 64):
        sums = dot4(sums, load_u8x64(row + t), load_u8x64(query + t))
    return sum_lanes_i32(sums) - excess


@inlined
def byte_score(P: int, W: int, row: int, worth: float, total: Any) -> Any:
    """A row's score from signed bytes on both sides; ``total`` is the sum of the query's."""
    d = number(P, "d")
    terms = number(P, "row_terms") + 8 * row
    dot = _byte_dot(
        number(P, "row_high") + d * row, region(P, W, "query_high"), d, dot_excess() * total
    )
    return _f4(dot) * (worth * load_f32(terms)) - load_f32(terms + 4)


@inlined
def _fetch(rows: int, terms: int, row: int, d: int) -> None:
    for t in range(0, d, 64):
        prefetch(rows + d * row + t)
    prefetch(terms + 8 * row)


@inlined
def score_rows(P: int, W: int, n: int, worth: float, total: Any) -> None:
    """Byte scores of n found rows."""
    d = number(P, "d")
    rows, terms = number(P, "row_high"), number(P, "row_terms")
    query, excess = region(P, W, "query_high"), dot_excess() * total
    found, scores = region(P, W, "found"), region(P, W, "found_score")
    for i in range(min(n, _AHEAD)):
        _fetch(rows, terms, _i8(load_i32(found + 4 * i)), d)
    for i in range(n):
        later = _i8(load_i32(found + 4 * min(i + _AHEAD, n - 1)))
        _fetch(rows, terms, later, d)
        row = _i8(load_i32(found + 4 * i))
        dot = _byte_dot(rows + d * row, query, d, excess)
        scale, less = load_f32(terms + 8 * row), load_f32(terms + 8 * row + 4)
        store_f32(scores + 4 * i, _f4(dot) * (worth * scale) - less)


@inlined
def _add_products(total: Any, query: int, x: Any) -> Any:
    return add_f32(total, multiply_f32(load_f32x16(query), x))


@inlined
def _add_squares(total: Any, query: int, x: Any) -> Any:
    y = subtract_f32(load_f32x16(query), x)
    return add_f32(total, multiply_f32(y, y))


@inlined
def _decode(high: int, low: int, t: int, fine: Any) -> Any:
    """16 dimensions of a row, in steps of its byte; ``low`` is 0 where there is no remainder."""
    x = to_f32(widen_i8(high + t))
    if low:
        x = add_f32(x, multiply_f32(to_f32(widen_i16(low + 2 * t)), fine))
    return x


@inlined
def _tail(P: int, d: int) -> Any:
    """Where 16 lanes lie that keep the last d % 16."""
    return number(P, "lanes") + 4 * (16 - d % 16)


@inlined
def _distance(metric: int, total: Any) -> Any:
    """From a sum of squares or of products."""
    if metric == SQUARED_L2:
        return total
    if metric == COSINE:
        return _f4(1) - total
    return -total


@inlined
def _bits_distance(P: int, W: int, row: int, low: int) -> Any:
    """The distance of a row from all the bits that are kept of it."""
    d, metric = number(P, "d"), number(P, "metric")
    query, high = region(P, W, "query"), number(P, "row_high") + d * row
    scale = splat_f32(load_f32(number(P, "row_terms") + 8 * row))
    fine, total = splat_f32(_FINE), splat_f32(_f4(0))
    whole = d - d % 16
    for t in range(0, whole, 16):
        x = multiply_f32(_decode(high, low, t, fine), scale)
        if metric == SQUARED_L2:
            total = _add_squares(total, query + 4 * t, x)
        else:
            total = _add_products(total, query + 4 * t, x)
    if whole < d:
        x = multiply_f32(_decode(high, low, whole, fine), scale)
        x = keep_f32(x, load_i32x16(_tail(P, d)))
        if metric == SQUARED_L2:
            total = _add_squares(total, query + 4 * whole, x)
        else:
            total = _add_products(total, query + 4 * whole, x)
    return _distance(metric, sum_lanes(total))


@inlined
def float_products(P: int, W: int, x: int) -> Any:
    """The query's dot product with d floats at an address."""
    d, query = number(P, "d"), region(P, W, "query")
    total, whole = splat_f32(_f4(0)), d - d % 16
    for t in range(0, whole, 16):
        total = _add_products(total, query + 4 * t, load_f32x16(x + 4 * t))
    if whole < d:
        last = keep_f32(load_f32x16(x + 4 * whole), load_i32x16(_tail(P, d)))
        total = _add_products(total, query + 4 * whole, last)
    return sum_lanes(total)


@inlined
def float_squares(P: int, W: int, x: int) -> Any:
    """The query's squared distance to d floats at an address."""
    d, query = number(P, "d"), region(P, W, "query")
    total, whole = splat_f32(_f4(0)), d - d % 16
    for t in range(0, whole, 16):
        total = _add_squares(total, query + 4 * t, load_f32x16(x + 4 * t))
    if whole < d:
        last = keep_f32(load_f32x16(x + 4 * whole), load_i32x16(_tail(P, d)))
        total = _add_squares(total, query + 4 * whole, last)
    return sum_lanes(total)


@inlined
def float_distance(P: int, W: int, row: int) -> Any:
    """The distance of a float32 row."""
    metric, x = number(P, "metric"), number(P, "rows") + 4 * number(P, "d") * row
    if metric == SQUARED_L2:
        return float_squares(P, W, x)
    return _distance(metric, float_products(P, W, x))


@inlined
def exact_distances(P: int, W: int, n: int) -> None:
    """Distances and ids of n found rows, from all their bits."""
    d, ids = number(P, "d"), number(P, "ids")
    found, numbers = region(P, W, "found"), region(P, W, "found_id")
    out, low = region(P, W, "found_score"), number(P, "row_low")
    kept = number(P, "rows_kind") == ROWS_LOW
    for i in range(n):
        row = _i8(load_i32(found + 4 * i))
        prefetch(ids + 4 * row)
        if kept:
            for t in range(0, 2 * d, 64):
                prefetch(low + 2 * d * row + t)
    for i in range(n):
        row = _i8(load_i32(found + 4 * i))
        remainder = low + 2 * d * row if kept else 0
        store_f32(out + 4 * i, _bits_distance(P, W, row, remainder))
        store_i32(numbers + 4 * i, load_i32(ids + 4 * row))


@inlined
def places_to_rows(P: int, W: int, n: int) -> None:
    """Found places in the list become rows."""
    found, listed = region(P, W, "found"), region(P, W, "list_block")
    block_row = number(P, "block_row")
    for i in range(n):
        place = _i8(load_i32(found + 4 * i))
        block = _i8(load_i32(listed + 4 * (place >> 6)))
        store_i32(found + 4 * i, np.int32(load_i32(block_row + 4 * block) + (place & 63)))


@inlined
def score_distances(P: int, W: int, n: int) -> None:
    """Scores of n found rows become distances, and rows their ids."""
    metric, ids = number(P, "metric"), number(P, "ids")
    found, numbers = region(P, W, "found"), region(P, W, "found_id")
    scores = region(P, W, "found_score")
    norm = squared_norm(P, W) if metric == SQUARED_L2 else _f4(0)
    for i in range(n):
        x = load_f32(scores + 4 * i)
        x = max(norm - _f4(2) * x, _f4(0)) if metric == SQUARED_L2 else _distance(metric, x)
        store_f32(scores + 4 * i, x)
        store_i32(numbers + 4 * i, load_i32(ids + 4 * _i8(load_i32(found + 4 * i))))


@inlined
def negate_scores(P: int, W: int, n: int) -> None:
    """Scores of n found rows that are distances but for the sign become those, and rows ids."""
    numbers, found = region(P, W, "found_id"), region(P, W, "found")
    scores, ids = region(P, W, "found_score"), number(P, "ids")
    for i in range(n):
        store_f32(scores + 4 * i, -load_f32(scores + 4 * i))
        store_i32(numbers + 4 * i, load_i32(ids + 4 * _i8(load_i32(found + 4 * i))))


@inlined
def entry_scores(P: int, W: int, n: int) -> None:
    """Scores of n found places from the float entries of their 4-bit codes."""
    m, size = number(P, "m"), 64 * number(P, "code_lines")
    metric, constants = number(P, "metric"), number(P, "constants")
    found, listed = region(P, W, "found"), region(P, W, "list_block")
    offsets, out = region(P, W, "list_offset"), region(P, W, "found_score")
    entries, block_row = region(P, W, "entries"), number(P, "block_row")
    for i in range(n):
        place = _i8(load_i32(found + 4 * i))
        block, lane = _i8(load_i32(listed + 4 * (place >> 6))), place & 63
        code = number(P, "codes") + size * block + lane
        total = load_f32(offsets + 4 * (place >> 6))
        for j in range(m):
            pair = _i8(load_u8(code + 64 * (j >> 1)))
            k = (pair >> 4) if j & 1 else (pair & 15)
            total += load_f32(entries + 1088 * (j >> 4) + 64 * k + 4 * (j & 15))
        if metric == SQUARED_L2:
            row = _i8(load_i32(block_row + 4 * block)) + lane
            total -= load_f32(constants + 4 * row)
        store_f32(out + 4 * i, total)
