"""Distances of rows by codes as the searcher on phones sums them: by groups of blocks, in order."""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.kernels.block import number, region
from scannlite.kernels.device_bounds import find_by_bounds
from scannlite.kernels.device_tables import fill_entries, fill_tables, scale_query
from scannlite.kernels.jit import inlined
from scannlite.kernels.layout import (
    DEVICE_FLOAT,
    DEVICE_INT8,
)
from scannlite.kernels.scan import void_lanes
from scannlite.kernels.simd import (
    add_f32,
    add_u16,
    bounds_pay,
    gather_f32,
    has_wide_registers,
    load_f32x16,
    load_i32,
    load_u8x64,
    lookup_256,
    max_f32,
    multiply_f32,
    odd_bytes,
    raise_bytes,
    splat_f32,
    splat_u8,
    store,
    store_i32,
    to_f32,
    wide_sums_0,
    wide_sums_1,
    wide_sums_2,
    wide_sums_3,
    widen_u8,
)

__all__ = ["scan_codes", "scan_whole"]

_f4: Any = np.float32
_i8: Any = np.int64
_TILE = 4  # blocks of rows that share a lookup table while it lies in wide registers


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
def _sum_block(tables: int, code: int, first: int, last: int) -> Any:
    """The same of 64 rows: with narrow registers, sums of more would not stay in them."""
    a, b = splat_u8(np.uint8(0)), splat_u8(np.uint8(0))
    for j in range(first, last):
        x = lookup_256(tables + 256 * j, load_u8x64(code + 64 * j))
        a, b = add_u16(a, x), add_u16(b, odd_bytes(x))
    return a, b


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
def scan_whole(P: int, W: int, blocks: int, least: float, most: float, steps: float) -> None:
    """Distances of all rows listed, from sums of whole numbers: ``steps`` span least to most."""
    worth = (most - least) / steps
    half = least + worth / _f4(2)
    if has_wide_registers():
        _scan_tiles(P, W, blocks, worth, half)
    else:
        _scan_blocks(P, W, blocks, worth, half)


@inlined
def _scan_blocks(P: int, W: int, blocks: int, worth: float, half: float) -> None:
    m, group, wide = number(P, "m"), number(P, "group"), number(P, "device") != DEVICE_INT8
    tables, codes = region(P, W, "tables"), number(P, "codes")
    listed, out = region(P, W, "list_block"), region(P, W, "scores")
    step = splat_f32(worth)
    for i in range(blocks):
        code = codes + 64 * m * _i8(load_i32(listed + 4 * i))
        for first in range(0, m, group):
            last = min(first + group, m)
            a, b = _sum_block(tables, code, first, last)
            if wide:
                above = _sum_block(tables + 256 * m, code, first, last)
                a, b = add_u16(a, raise_bytes(above[0])), add_u16(b, raise_bytes(above[1]))
            _add_sums(out + 256 * i, a, b, step, splat_f32(_f4(last - first) * half))


@inlined
def _scan_tiles(P: int, W: int, blocks: int, worth: float, half: float) -> None:
    m, group, wide = number(P, "m"), number(P, "group"), number(P, "device") != DEVICE_INT8
    tables, codes = region(P, W, "tables"), number(P, "codes")
    listed, out = region(P, W, "list_block"), region(P, W, "scores")
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
    """Scores are distances but for the sign; -inf for void lanes, and where sums left float32."""
    out, starts = region(P, W, "scores"), region(P, W, "list_start")
    minus, void = splat_f32(_f4(-1)), splat_f32(_f4(-np.inf))
    for i in range(blocks):
        for t in range(0, 256, 64):
            place = out + 256 * i + t
            store(place, max_f32(multiply_f32(load_f32x16(place), minus), void))
        void_lanes(out + 256 * i, load_i32(starts + 4 * i))


@inlined
def scan_codes(P: int, W: int, blocks: int, k: int) -> int:
    """Scores of every row of the blocks listed, of which there is at least one.

    Or, where bounds tell that most rows are not among the k nearest, those of the others alone:
    the number of them, which are ``found`` and scored. Else -1.
    """
    if number(P, "device") == DEVICE_FLOAT:
        _clear(P, W, blocks)
        scale_query(P, W)
        fill_entries(P, W)
        _scan_floats(P, W, blocks)
    else:
        steps = _f4(255) if number(P, "device") == DEVICE_INT8 else _f4(2047)
        least, most = fill_tables(P, W, steps)
        if bounds_pay():
            n = find_by_bounds(P, W, blocks, k, least, most)
            if n >= 0:
                return n
        _clear(P, W, blocks)
        scan_whole(P, W, blocks, least, most, steps)
    _scores_from_distances(P, W, blocks)
    return -1


@inlined
def _clear(P: int, W: int, blocks: int) -> None:
    out = region(P, W, "scores")
    for t in range(0, 256 * (blocks + _TILE - 1), 64):
        store(out + t, splat_f32(_f4(0)))
