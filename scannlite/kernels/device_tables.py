"""Lookup tables as the searcher on phones fills them, from a query and the codebooks.

Dot products run over the dimensions one by one, from 128 on in columns of 16; the numbers of the
tables are cut off, not rounded, in steps that span the entries of all blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.kernels.block import number, region
from scannlite.kernels.jit import inlined
from scannlite.kernels.layout import (
    DEVICE_INT8,
    LEAST_STEP,
    LONG_BLOCK,
    LONG_COLUMN,
    SQUARED_L2,
)
from scannlite.kernels.simd import (
    add_f32,
    bounds_pay,
    load_f32,
    load_f32x16,
    load_i32,
    low_byte,
    max_f32,
    max_lane,
    min_f32,
    min_i32,
    min_lane,
    multiply_f32,
    pack4,
    shift_down,
    splat_f32,
    store,
    store_bytes,
    store_f32,
    subtract_f32,
    truncate_to_i32,
)

__all__ = ["fill_entries", "fill_tables", "scale_query"]

_f4: Any = np.float32
_i8: Any = np.int64
_LEAST_STEP = np.float32(LEAST_STEP)


@inlined
def scale_query(P: int, W: int) -> None:
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
def fill_entries(P: int, W: int) -> Any:
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

    Rounding keeps order, so the extreme centers of a block give its extreme entries. Lanes beyond
    m are given the first block's.
    """
    m, scaled = number(P, "m"), region(P, W, "dealt")
    for j in range(m, (m + 15) // 16 * 16):
        store_f32(scaled + 4 * j, load_f32(scaled))
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
    """``tables`` of bytes as ``_cut_entries`` makes them, of products with single dimensions.

    And ``bounds``, 64 bytes a block, the least of each four, where anything reads those.
    """
    lines = (number(P, "centers") + 63) // 64
    scaled, tile = region(P, W, "dealt"), number(P, "entry_tiles")
    out, bounds = region(P, W, "tables"), region(P, W, "bounds")
    bounded = bounds_pay() and number(P, "bounded") != 0
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
            if bounded:
                # Of four centers in order, the first or the last has the least entry.
                store_bytes(bounds + 16 * t, min_i32(w, z))
        out += 256
        bounds += 64


@inlined
def fill_tables(P: int, W: int, steps: float) -> Any:
    """Lookup tables of whole numbers, ``steps`` from the least entry to the most."""
    scale_query(P, W)
    if number(P, "single"):
        least, most = _single_range(P, W)
        _cut_products(P, W, least, steps / max(most - least, _LEAST_STEP))
    else:
        least, most = fill_entries(P, W)
        _cut_entries(P, W, least, steps / max(most - least, _LEAST_STEP))
    return least, most
