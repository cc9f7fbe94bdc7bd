"""A query's way to its leaves: prepared, met with every centroid, the best leaves chosen."""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.kernels.block import number, region
from scannlite.kernels.jit import inlined
from scannlite.kernels.layout import COSINE, DOT_PRODUCT, LARGEST, LEAST, SQUARED_L2
from scannlite.kernels.select import extract, lowest_byte
from scannlite.kernels.simd import (
    add_f32,
    add_i32,
    at_least,
    broadcast_dword,
    dot4,
    dot_excess,
    load_f32,
    load_f32x16,
    load_i32,
    load_u8,
    load_u8x64,
    magnitude,
    max_f32,
    max_lane,
    min_f32,
    min_lane,
    multiply_f32,
    round_to_i32,
    splat_f32,
    splat_i32,
    splat_u8,
    store,
    store_bytes,
    store_f32,
    store_i32,
    store_u8,
    subtract_f32,
    sum_lanes,
    sum_lanes_i32,
    to_f32,
)

__all__ = ["choose_leaves", "prepare_query", "rank_leaves", "rotate_query", "squared_norm"]

_f4: Any = np.float32
_i8: Any = np.int64
_LEAST = np.float32(LEAST)
_LARGEST = np.float32(LARGEST)
_CLASS = 64  # leaves that share a byte and are few enough to be compared one by one


@inlined
def copy_query(P: int, W: int, q: int) -> Any:
    """Into the workspace, checked; the zeros beyond d stay. The largest magnitude, or -1."""
    d = number(P, "d")
    y = region(P, W, "query")
    whole = d - d % 16
    for t in range(0, whole, 16):
        store(y + 4 * t, load_f32x16(q + 4 * t))
    for t in range(whole, d):
        store_f32(y + 4 * t, load_f32(q + 4 * t))
    largest = splat_f32(_f4(0))
    limit = splat_f32(_LARGEST)
    sound = np.uint64(0xFFFF)
    for t in range(0, d, 16):
        x = magnitude(load_f32x16(y + 4 * t))
        sound &= at_least(limit, x)
        largest = max_f32(largest, x)
    if sound != np.uint64(0xFFFF):
        return _f4(-1)
    return max_lane(largest)


@inlined
def squared_norm(P: int, W: int) -> Any:
    """The prepared query's sum of squares."""
    y = region(P, W, "query")
    total = splat_f32(_f4(0))
    for t in range(0, number(P, "d"), 16):
        x = load_f32x16(y + 4 * t)
        total = add_f32(total, multiply_f32(x, x))
    return sum_lanes(total)


@inlined
def _scale_to_one(P: int, W: int, largest: float) -> None:
    """Divide by the norm, by way of the largest value so that no square leaves float32."""
    d = number(P, "d")
    y = region(P, W, "query")
    if largest < _LEAST:
        for t in range(0, d, 16):
            store(y + 4 * t, splat_f32(_f4(0)))
        return
    by = splat_f32(_f4(1) / largest)
    for t in range(0, d, 16):
        store(y + 4 * t, multiply_f32(load_f32x16(y + 4 * t), by))
    by = splat_f32(_f4(1) / np.sqrt(squared_norm(P, W)))
    for t in range(0, d, 16):
        store(y + 4 * t, multiply_f32(load_f32x16(y + 4 * t), by))


@inlined
def prepare_query(P: int, W: int, q: int) -> Any:
    """Centre (SQUARED_L2) or normalise (COSINE) a query and round it to signed bytes.

    Returns the worth of one step of those bytes and their sum; a worth of -1 for a query that
    is not finite or beyond LARGEST.
    """
    d = number(P, "d")
    metric = number(P, "metric")
    y = region(P, W, "query")
    largest = copy_query(P, W, q)
    if largest < _f4(0):
        return _f4(-1), np.int32(0)
    if metric == SQUARED_L2:
        mean = number(P, "mean")
        for t in range(0, d, 16):
            store(y + 4 * t, subtract_f32(load_f32x16(y + 4 * t), load_f32x16(mean + 4 * t)))
    elif metric == COSINE:
        _scale_to_one(P, W, largest)
    if metric != 0:
        most = splat_f32(_f4(0))
        for t in range(0, d, 16):
            most = max_f32(most, magnitude(load_f32x16(y + 4 * t)))
        largest = max_lane(most)
    if largest < _LEAST:
        largest = _f4(127)  # bytes of a query that is all but zero: zeros
    high = region(P, W, "query_high")
    steps = splat_f32(_f4(127) / largest)
    total = splat_i32(np.int32(0))
    for t in range(0, d, 16):
        x = round_to_i32(multiply_f32(load_f32x16(y + 4 * t), steps))
        total = add_i32(total, x)
        store_bytes(high + t, x)
    return largest / _f4(127), sum_lanes_i32(total)


@inlined
def _dot_tile(tile: int, high: int, quads: int, less: Any) -> Any:
    """Whole-number dot products of a query's bytes with 64 rows side by side, from ``less`` on."""
    t0, t1, t2, t3 = less, less, less, less
    for quad in range(quads):
        x = broadcast_dword(high + 4 * quad)
        t0 = dot4(t0, load_u8x64(tile), x)
        t1 = dot4(t1, load_u8x64(tile + 64), x)
        t2 = dot4(t2, load_u8x64(tile + 128), x)
        t3 = dot4(t3, load_u8x64(tile + 192), x)
        tile += 256
    return t0, t1, t2, t3


@inlined
def _store_dealt(out: int, scale: int, total: Any, step: Any) -> None:
    """16 dimensions of the rotated query from whole-number dot products."""
    store(out, multiply_f32(to_f32(total), multiply_f32(step, load_f32x16(scale))))


@inlined
def rotate_query(P: int, W: int, worth: float, total: Any) -> None:
    """The dimensions kept of the query after the rotation, 16 blocks side by side."""
    quads, groups = (number(P, "d") + 3) // 4, (number(P, "m") + 15) // 16
    tile, scale = number(P, "rotation"), number(P, "rotation_scale")
    high, out = region(P, W, "query_high"), region(P, W, "dealt")
    less = splat_i32(-dot_excess() * total)
    step = splat_f32(worth)
    for g in range(0, 64 * number(P, "b") * groups, 256):
        t0, t1, t2, t3 = _dot_tile(tile, high, quads, less)
        _store_dealt(out + g, scale + g, t0, step)
        _store_dealt(out + g + 64, scale + g + 64, t1, step)
        _store_dealt(out + g + 128, scale + g + 128, t2, step)
        _store_dealt(out + g + 192, scale + g + 192, t3, step)
        tile += 256 * quads


@inlined
def _store_ranks(P: int, W: int, at: int, total: Any, step: Any, lean: Any) -> None:
    """Offsets and ranks of 16 leaves from whole-number dot products."""
    worth = multiply_f32(step, load_f32x16(number(P, "centroid_scale") + at))
    score = multiply_f32(to_f32(total), worth)
    score = add_f32(score, load_f32x16(number(P, "leaf_offset") + at))
    store(region(P, W, "offset") + at, score)
    rank = add_f32(score, multiply_f32(lean, load_f32x16(number(P, "leaf_bias") + at)))
    store(region(P, W, "rank") + at, rank)


@inlined
def rank_leaves(P: int, W: int, worth: float, total: Any) -> Any:
    """Score every centroid: ``offset`` is where a leaf's rows start, ``rank`` orders leaves.

    Returns the highest and lowest rank.
    """
    num_leaves = number(P, "num_leaves")
    quads = (number(P, "d") + 3) // 4
    tile = number(P, "centroids")
    high = region(P, W, "query_high")
    less = splat_i32(-dot_excess() * total)
    step = splat_f32(worth)
    norm = np.sqrt(squared_norm(P, W)) if number(P, "metric") == DOT_PRODUCT else _f4(1)
    lean = splat_f32(norm)
    for g in range(0, num_leaves, 64):
        t0, t1, t2, t3 = _dot_tile(tile, high, quads, less)
        tile += 256 * quads
        _store_ranks(P, W, 4 * g, t0, step, lean)
        _store_ranks(P, W, 4 * g + 64, t1, step, lean)
        _store_ranks(P, W, 4 * g + 128, t2, step, lean)
        _store_ranks(P, W, 4 * g + 192, t3, step, lean)
    return rank_range(P, W)


@inlined
def rank_range(P: int, W: int) -> Any:
    """The highest and lowest rank; lanes beyond L are given the first leaf's."""
    num_leaves = number(P, "num_leaves")
    rank = region(P, W, "rank")
    first = load_f32(rank)
    for leaf in range(num_leaves, (num_leaves + 63) // 64 * 64):
        store_f32(rank + 4 * leaf, first)
    most, least = splat_f32(first), splat_f32(first)
    for g in range(0, num_leaves, 16):
        x = load_f32x16(rank + 4 * g)
        most, least = max_f32(most, x), min_f32(least, x)
    return max_lane(most), min_lane(least)


@inlined
def _rank_bytes(P: int, W: int, most: float, least: float) -> None:
    """Ranks from ``most`` to ``least`` as bytes 1 ... 254; above is 0, below and void is 255."""
    num_leaves = number(P, "num_leaves")
    rank, out = region(P, W, "rank"), region(P, W, "leaf_bytes")
    steps = splat_f32(min(_f4(253) / (most - least), _f4(3e38)))
    top = splat_f32(most)
    one, floor, ceiling = splat_f32(_f4(1)), splat_f32(_f4(0)), splat_f32(_f4(255))
    for g in range(0, num_leaves, 16):
        x = multiply_f32(subtract_f32(top, load_f32x16(rank + 4 * g)), steps)
        x = min_f32(max_f32(add_f32(x, one), floor), ceiling)
        store_bytes(out + g, round_to_i32(x))
    for leaf in range(num_leaves, (num_leaves + 63) // 64 * 64):
        store_u8(out + leaf, np.uint8(255))


@inlined
def _compact(P: int, W: int, n: int) -> int:
    """Close the gaps among n leaves found: those whose byte is 255 were dropped."""
    dropped, leaves = region(P, W, "found_byte"), region(P, W, "leaves")
    kept = 0
    for i in range(n):
        if load_u8(dropped + i) != np.uint8(255):
            store_i32(leaves + 4 * kept, load_i32(leaves + 4 * i))
            kept += 1
    return kept


@inlined
def _drop_lowest(P: int, W: int, n: int, edge: int, drop: int) -> int:
    """Of n leaves found, drop the lowest-ranked among those whose byte is ``edge``; later first."""
    rank, out = region(P, W, "rank"), region(P, W, "found_byte")
    leaves = region(P, W, "leaves")
    for _ in range(drop):
        worst, place = _f4(np.inf), 0
        for i in range(n):
            if _i8(load_u8(out + i)) == edge:
                x = load_f32(rank + 4 * _i8(load_i32(leaves + 4 * i)))
                if x <= worst:
                    worst, place = x, i
        store_u8(out + place, np.uint8(255))
    return _compact(P, W, n)


@inlined
def _drop_last(P: int, W: int, n: int, edge: int, drop: int) -> int:
    """Of n leaves found, drop the last among those whose byte is ``edge``: all rank alike."""
    out = region(P, W, "found_byte")
    for back in range(n):
        i = n - 1 - back
        if drop > 0 and _i8(load_u8(out + i)) == edge:
            store_u8(out + i, np.uint8(255))
            drop -= 1
    return _compact(P, W, n)


@inlined
def _class_range(P: int, W: int, edge: int) -> Any:
    """The highest and lowest rank among leaves whose byte is ``edge``."""
    rank, out = region(P, W, "rank"), region(P, W, "leaf_bytes")
    most, least = _f4(-np.inf), _f4(np.inf)
    for leaf in range(number(P, "num_leaves")):
        if _i8(load_u8(out + leaf)) == edge:
            x = load_f32(rank + 4 * leaf)
            most, least = max(most, x), min(least, x)
    return most, least


@inlined
def choose_leaves(P: int, W: int, p: int, most: float, least: float) -> int:
    """The p leaves of highest rank, earlier leaves first among equals, in the leaves' order."""
    num_leaves: int = number(P, "num_leaves")
    leaves = region(P, W, "leaves")
    if p >= num_leaves:
        for leaf in range(num_leaves):
            store_i32(leaves + 4 * leaf, np.int32(leaf))
        return num_leaves
    bytes_ = region(P, W, "leaf_bytes")
    lines = (num_leaves + 63) // 64
    top, low = _f4(np.inf), _f4(-np.inf)
    # A far outlier may leave all others one byte: look again, closer, at the byte that decides.
    while most > least:
        _rank_bytes(P, W, most, least)
        edge = lowest_byte(bytes_, lines, 1, p)
        n = extract(P, W, bytes_, lines, splat_u8(np.uint8(edge)), 0, leaves)
        if n == p:
            return n
        shared = 0
        for i in range(n):
            shared += _i8(load_u8(region(P, W, "found_byte") + i)) == edge
        # A range too narrow for its bytes to tell ranks apart does not shrink.
        if shared <= _CLASS or (most == top and least == low):
            return _drop_lowest(P, W, n, edge, n - p)
        top, low = most, least
        most, least = _class_range(P, W, edge)
        if most == least:
            return _drop_last(P, W, n, edge, n - p)
    for leaf in range(p):
        store_i32(leaves + 4 * leaf, np.int32(leaf))
    return p
