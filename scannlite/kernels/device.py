"""A query as the searcher on phones answers it: the same float32 operations in the same order.

What the order is was found by experiment and is written down in ``docs/file-format.md``: dot
products run over the dimensions one by one (from 128 on in columns of 16), and the numbers of the
lookup tables are cut off, not rounded, for which half a step a block makes up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.kernels.block import number, region
from scannlite.kernels.jit import inlined, kernel
from scannlite.kernels.layout import (
    BAD_QUERY,
    DEVICE_FLOAT,
    DEVICE_INT8,
    LEAST_STEP,
    LONG_BLOCK,
    LONG_COLUMN,
    MANY_LEAVES,
    SHORT_COLUMN,
    SQUARED_L2,
)
from scannlite.kernels.query import choose_leaves, copy_query, rank_range
from scannlite.kernels.rescore import negate_scores, places_to_rows
from scannlite.kernels.scan import list_blocks, scan_rows, void_lanes
from scannlite.kernels.select import (
    gather_scores,
    keep_best,
    place,
    scores_to_bytes,
    select_bytes,
)
from scannlite.kernels.simd import (
    add_f32,
    add_u16,
    address_of,
    gather_f32,
    load_f32,
    load_f32x16,
    load_i32,
    load_u8x64,
    lookup_256,
    low_byte,
    max_f32,
    max_lane,
    min_f32,
    min_lane,
    multiply_f32,
    odd_bytes,
    pack4,
    raise_bytes,
    shift_down,
    splat_f32,
    splat_u8,
    store,
    store_i32,
    subtract_f32,
    to_f32,
    truncate_to_i32,
    wide_sums_0,
    wide_sums_1,
    wide_sums_2,
    wide_sums_3,
    widen_u8,
)
from scannlite.types import Floats, Ids

__all__ = ["search_on_device", "search_on_device_many"]

_f4: Any = np.float32
_i8: Any = np.int64
_LEAST_STEP = np.float32(LEAST_STEP)
_TILE = 4  # blocks of rows that share a lookup table while it lies in registers


# --- leaves --------------------------------------------------------------------------------------


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
        store(rank + 4 * g, t0)
        store(rank + 4 * g + 64, t1)
        store(rank + 4 * g + 128, t2)
        store(rank + 4 * g + 192, t3)
    return rank_range(P, W)


@inlined
def _choose_leaves(P: int, W: int, p: int) -> int:
    if p >= number(P, "num_leaves"):
        return choose_leaves(P, W, p, _f4(0), _f4(0))
    most, least = _rank_leaves(P, W)
    return choose_leaves(P, W, p, most, least)


# --- lookup tables -------------------------------------------------------------------------------


@inlined
def _scale_query(P: int, W: int) -> None:
    """Minus the query, or minus twice, so that products with it are the terms of an entry."""
    y, out = region(P, W, "query"), region(P, W, "dealt")
    by = splat_f32(_f4(-2) if number(P, "metric") == SQUARED_L2 else _f4(-1))
    for t in range(0, number(P, "d"), 16):
        store(out + 4 * t, multiply_f32(load_f32x16(y + 4 * t), by))


@inlined
def _square(y: int, i: int) -> Any:
    x = load_f32(y + 4 * i)
    return x * x


@inlined
def _part_norm(y: int, b: int) -> Any:
    """The squared norm of b numbers: four lanes, every other four of them in lanes of their own."""
    if b < 4:
        total = _square(y, 0)
        for i in range(1, b):
            total += _square(y, i)
        return total
    s0, s1, s2, s3 = _square(y, 0), _square(y, 1), _square(y, 2), _square(y, 3)
    whole, pairs = b - b % 4, b - b % 8
    if whole > 4:
        u0, u1, u2, u3 = _square(y, 4), _square(y, 5), _square(y, 6), _square(y, 7)
        for i in range(8, pairs, 8):
            s0 += _square(y, i)
            s1 += _square(y, i + 1)
            s2 += _square(y, i + 2)
            s3 += _square(y, i + 3)
            u0 += _square(y, i + 4)
            u1 += _square(y, i + 5)
            u2 += _square(y, i + 6)
            u3 += _square(y, i + 7)
        s0, s1, s2, s3 = s0 + u0, s1 + u1, s2 + u2, s3 + u3
        if whole > pairs:
            s0 += _square(y, pairs)
            s1 += _square(y, pairs + 1)
            s2 += _square(y, pairs + 2)
            s3 += _square(y, pairs + 3)
    total = (s0 + s2) + (s1 + s3)
    for i in range(whole, b):
        total += _square(y, i)
    return total


@inlined
def _products(tile: int, step: int, y: int, b: int, column: int) -> Any:
    """Products of b numbers with 16 centers, whose dimensions lie ``step`` apart, summed."""
    if b == 1:
        return multiply_f32(splat_f32(load_f32(y)), load_f32x16(tile))
    total = splat_f32(_f4(0))
    for first in range(0, b, column):
        part = splat_f32(_f4(0))
        for h in range(first, min(first + column, b)):
            x = multiply_f32(splat_f32(load_f32(y + 4 * h)), load_f32x16(tile + step * h))
            part = add_f32(part, x)
        total = add_f32(total, part)
    return total


@inlined
def _fill_entries(P: int, W: int) -> Any:
    """``entries`` (m, c padded to 64): minus products, or squared distances. The least and most."""
    m, c = number(P, "m"), number(P, "centers")
    step = 4 * ((c + 63) // 64 * 64)
    y, scaled = region(P, W, "query"), region(P, W, "dealt")
    tile, squares = number(P, "entry_tiles"), number(P, "entry_squares")
    dims, out = number(P, "block_dims"), region(P, W, "entries")
    least, most = splat_f32(_f4(np.inf)), splat_f32(_f4(-np.inf))
    for j in range(m):
        b = _i8(load_i32(dims + 4 * j))
        column = LONG_COLUMN if b >= LONG_BLOCK and c > 1 else b
        if number(P, "metric") == SQUARED_L2:
            norm = splat_f32(_part_norm(y, b))
            for t in range(0, step, 64):
                x = _products(tile + t, step, scaled, b, column)
                x = add_f32(add_f32(norm, load_f32x16(squares + t)), x)
                store(out + t, x)
                least, most = min_f32(least, x), max_f32(most, x)
        else:
            for t in range(0, step, 64):
                x = _products(tile + t, step, scaled, b, column)
                store(out + t, x)
                least, most = min_f32(least, x), max_f32(most, x)
        y, scaled = y + 4 * b, scaled + 4 * b
        tile += step * number(P, "b")
        squares, out = squares + step, out + step
    return min_lane(least), max_lane(most)


@inlined
def _steps(entries: Any, least: Any, scale: Any) -> Any:
    return truncate_to_i32(multiply_f32(subtract_f32(entries, least), scale))


@inlined
def _cut_entries(P: int, W: int, least: float, scale: float) -> None:
    """``tables`` of bytes, 256 a block: how many steps an entry is above the least one.

    For 16 bits the low bytes of all blocks, then the high ones.
    """
    m, lines = number(P, "m"), (number(P, "centers") + 63) // 64
    entries, out = region(P, W, "entries"), region(P, W, "tables")
    wide = number(P, "device") != DEVICE_INT8
    low, by = splat_f32(least), splat_f32(scale)
    for _ in range(m):
        for t in range(lines):
            w = _steps(load_f32x16(entries), low, by)
            x = _steps(load_f32x16(entries + 64), low, by)
            y = _steps(load_f32x16(entries + 128), low, by)
            z = _steps(load_f32x16(entries + 192), low, by)
            entries += 256
            if wide:
                above = shift_down(w), shift_down(x), shift_down(y), shift_down(z)
                store(out + 256 * m + 64 * t, pack4(above[0], above[1], above[2], above[3]))
                w, x, y, z = low_byte(w), low_byte(x), low_byte(y), low_byte(z)
            store(out + 64 * t, pack4(w, x, y, z))
        out += 256


@inlined
def _single_range(P: int, W: int) -> Any:
    """The least and the most product of single dimensions with their centers.

    Rounding keeps order, so the extreme centers of a block give its extreme entries.
    """
    m, scaled = number(P, "m"), region(P, W, "dealt")
    bounds = number(P, "entry_bounds")
    size = 4 * ((m + 15) // 16 * 16)
    least, most = splat_f32(_f4(np.inf)), splat_f32(_f4(-np.inf))
    for t in range(0, size, 64):
        q = load_f32x16(scaled + t)
        x = multiply_f32(q, load_f32x16(bounds + t))
        y = multiply_f32(q, load_f32x16(bounds + size + t))
        least, most = min_f32(least, min_f32(x, y)), max_f32(most, max_f32(x, y))
    return min_lane(least), max_lane(most)


@inlined
def _cut_products(P: int, W: int, least: float, scale: float) -> None:
    """``tables`` of bytes as ``_cut_entries`` makes them, of products with single dimensions."""
    lines = (number(P, "centers") + 63) // 64
    scaled, tile = region(P, W, "dealt"), number(P, "entry_tiles")
    out = region(P, W, "tables")
    low, by = splat_f32(least), splat_f32(scale)
    for j in range(number(P, "m")):
        q = splat_f32(load_f32(scaled + 4 * j))
        for t in range(lines):
            w = _steps(multiply_f32(q, load_f32x16(tile)), low, by)
            x = _steps(multiply_f32(q, load_f32x16(tile + 64)), low, by)
            y = _steps(multiply_f32(q, load_f32x16(tile + 128)), low, by)
            z = _steps(multiply_f32(q, load_f32x16(tile + 192)), low, by)
            tile += 256
            store(out + 64 * t, pack4(w, x, y, z))
        out += 256


@inlined
def _fill_tables(P: int, W: int, steps: float) -> Any:
    """Lookup tables of whole numbers, ``steps`` from the least entry to the most."""
    _scale_query(P, W)
    if number(P, "single"):
        least, most = _single_range(P, W)
        _cut_products(P, W, least, steps / max(most - least, _LEAST_STEP))
    else:
        least, most = _fill_entries(P, W)
        _cut_entries(P, W, least, steps / max(most - least, _LEAST_STEP))
    return least, most


# --- rows ----------------------------------------------------------------------------------------


@inlined
def _fill_tile(listed: int, blocks: int) -> None:
    """The last block again, so that blocks come by whole tiles."""
    last = load_i32(listed + 4 * blocks - 4)
    for i in range(blocks, blocks + _TILE - 1):
        store_i32(listed + 4 * i, last)


@inlined
def _sum_tile(tables: int, c0: int, c1: int, c2: int, c3: int, first: int, last: int) -> Any:
    """Whole sums of table entries of 4 x 64 rows over some blocks of dimensions.

    Of each 64 rows: pairs of bytes summed as 16-bit numbers, and the odd bytes alone.
    """
    zero = splat_u8(np.uint8(0))
    a0, a1, a2, a3 = zero, zero, zero, zero
    b0, b1, b2, b3 = zero, zero, zero, zero
    for j in range(first, last):
        table = tables + 256 * j
        x0 = lookup_256(table, load_u8x64(c0 + 64 * j))
        x1 = lookup_256(table, load_u8x64(c1 + 64 * j))
        x2 = lookup_256(table, load_u8x64(c2 + 64 * j))
        x3 = lookup_256(table, load_u8x64(c3 + 64 * j))
        a0, b0 = add_u16(a0, x0), add_u16(b0, odd_bytes(x0))
        a1, b1 = add_u16(a1, x1), add_u16(b1, odd_bytes(x1))
        a2, b2 = add_u16(a2, x2), add_u16(b2, odd_bytes(x2))
        a3, b3 = add_u16(a3, x3), add_u16(b3, odd_bytes(x3))
    return a0, b0, a1, b1, a2, b2, a3, b3


@inlined
def _add_16(out: int, sums: Any, step: Any, bias: Any) -> None:
    x = add_f32(multiply_f32(step, to_f32(sums)), bias)
    store(out, add_f32(load_f32x16(out), x))


@inlined
def _add_sums(out: int, pairs: Any, odd: Any, step: Any, bias: Any) -> None:
    """Add what one group of blocks of dimensions says of 64 rows to their distances."""
    _add_16(out, wide_sums_0(pairs, odd), step, bias)
    _add_16(out + 64, wide_sums_1(pairs, odd), step, bias)
    _add_16(out + 128, wide_sums_2(pairs, odd), step, bias)
    _add_16(out + 192, wide_sums_3(pairs, odd), step, bias)


@inlined
def _scan_whole(P: int, W: int, blocks: int, least: float, most: float, steps: float) -> None:
    """Distances of all rows listed, from sums of whole numbers: ``steps`` span least to most."""
    m, group, wide = number(P, "m"), number(P, "group"), number(P, "device") != DEVICE_INT8
    tables, codes = region(P, W, "tables"), number(P, "codes")
    listed, out = region(P, W, "list_block"), region(P, W, "scores")
    worth = (most - least) / steps
    half = least + worth / _f4(2)
    step = splat_f32(worth)
    _fill_tile(listed, blocks)
    for i in range(0, blocks, _TILE):
        c0 = codes + 64 * m * _i8(load_i32(listed + 4 * i))
        c1 = codes + 64 * m * _i8(load_i32(listed + 4 * i + 4))
        c2 = codes + 64 * m * _i8(load_i32(listed + 4 * i + 8))
        c3 = codes + 64 * m * _i8(load_i32(listed + 4 * i + 12))
        for first in range(0, m, group):
            last = min(first + group, m)
            a0, b0, a1, b1, a2, b2, a3, b3 = _sum_tile(tables, c0, c1, c2, c3, first, last)
            if wide:
                above = _sum_tile(tables + 256 * m, c0, c1, c2, c3, first, last)
                a0, b0 = add_u16(a0, raise_bytes(above[0])), add_u16(b0, raise_bytes(above[1]))
                a1, b1 = add_u16(a1, raise_bytes(above[2])), add_u16(b1, raise_bytes(above[3]))
                a2, b2 = add_u16(a2, raise_bytes(above[4])), add_u16(b2, raise_bytes(above[5]))
                a3, b3 = add_u16(a3, raise_bytes(above[6])), add_u16(b3, raise_bytes(above[7]))
            bias = splat_f32(_f4(last - first) * half)
            place = out + 256 * i
            _add_sums(place, a0, b0, step, bias)
            _add_sums(place + 256, a1, b1, step, bias)
            _add_sums(place + 512, a2, b2, step, bias)
            _add_sums(place + 768, a3, b3, step, bias)


@inlined
def _scan_floats(P: int, W: int, blocks: int) -> None:
    """Distances of all rows listed, from sums of the entries themselves."""
    m, group, codes = number(P, "m"), number(P, "group"), number(P, "codes")
    step = 4 * ((number(P, "centers") + 63) // 64 * 64)
    listed, out = region(P, W, "list_block"), region(P, W, "scores")
    entries = region(P, W, "entries")
    for i in range(blocks):
        code = codes + 64 * m * _i8(load_i32(listed + 4 * i))
        for t in range(0, 64, 16):
            place = out + 256 * i + 4 * t
            for first in range(0, m, group):
                part = splat_f32(_f4(0))
                for j in range(first, min(first + group, m)):
                    part = add_f32(
                        part, gather_f32(entries + step * j, widen_u8(code + 64 * j + t))
                    )
                store(place, add_f32(load_f32x16(place), part))


@inlined
def _scores_from_distances(P: int, W: int, blocks: int) -> None:
    """Scores are distances but for the sign; -inf for the void lanes of a block."""
    out, starts = region(P, W, "scores"), region(P, W, "list_start")
    minus = splat_f32(_f4(-1))
    for i in range(blocks):
        for t in range(0, 256, 64):
            place = out + 256 * i + t
            store(place, multiply_f32(load_f32x16(place), minus))
        void_lanes(out + 256 * i, load_i32(starts + 4 * i))


@inlined
def _scan_codes(P: int, W: int, blocks: int) -> None:
    out = region(P, W, "scores")
    for t in range(0, 256 * (blocks + _TILE - 1), 64):
        store(out + t, splat_f32(_f4(0)))
    if number(P, "device") == DEVICE_FLOAT:
        _scale_query(P, W)
        _fill_entries(P, W)
        _scan_floats(P, W, blocks)
    else:
        steps = _f4(255) if number(P, "device") == DEVICE_INT8 else _f4(2047)
        least, most = _fill_tables(P, W, steps)
        _scan_whole(P, W, blocks, least, most, steps)
    _scores_from_distances(P, W, blocks)


# --- a whole query -------------------------------------------------------------------------------


@inlined
def _on_device(P: int, W: int, q: int, k: int, p: int, distances: int, ids: int) -> int:
    if copy_query(P, W, q) < _f4(0):
        return BAD_QUERY
    leaves = _choose_leaves(P, W, p)
    blocks = list_blocks(P, W, leaves, _f4(0), _f4(0), True)
    if number(P, "lookup") == 0:
        scan_rows(P, W, blocks, _f4(0), np.int32(0))
    elif blocks > 0:
        _scan_codes(P, W, blocks)
    scores_to_bytes(P, W, blocks)
    n = select_bytes(P, W, blocks, k, True)
    gather_scores(P, W, n)
    n = keep_best(P, W, n, k, k >> 3)
    places_to_rows(P, W, n)
    negate_scores(P, W, n)
    place(P, W, n, k, distances, ids)
    return 0


@kernel
def search_on_device(P: int, W: int, q: Floats, distances: Floats, ids: Ids, p: int, R: int) -> int:  # noqa: ARG001
    """One query as on phones: arguments as of ``search_by_codes``, of which R says nothing."""
    places = address_of(distances), address_of(ids)
    return _on_device(P, W, address_of(q), len(ids), p, places[0], places[1])


@kernel
def search_on_device_many(
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
    """Queries of a batch as on phones: arguments as of ``search_by_codes_many``."""
    d = number(P, "d")
    for i in range(first, last):
        if _on_device(P, W, Q + 4 * d * i, k, p, D + 4 * k * i, I + 8 * k * i):
            return i + 1
    return 0
