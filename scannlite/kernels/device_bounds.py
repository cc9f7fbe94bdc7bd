"""The nearest rows by 8-bit codes, most of the others ruled out by a quarter of the work.

A lookup among 256 entries is sixteen instructions with the registers of ARM, one among 64 is four.
So every four entries of a table are stood for by the least of them: sums of those bound a row's
distance from below, and only rows that the bound leaves in are summed exactly, as if all had been.
Centers are in order (``bounded``), so that the four have entries that are much alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.kernels.block import number, region
from scannlite.kernels.jit import inlined
from scannlite.kernels.layout import SPARE_FINALISTS
from scannlite.kernels.scan import void_lanes
from scannlite.kernels.select import gather_scores, keep_best, scores_to_bytes, select_bytes
from scannlite.kernels.simd import (
    add_high_half,
    add_low_half,
    at_least,
    count_trailing_zeros,
    fours,
    high_words,
    load_f32,
    load_f32x16,
    load_i32,
    load_u8,
    load_u8x64,
    lookup_64,
    low_words,
    multiply_f32,
    splat_f32,
    splat_u8,
    store,
    store_f32,
    store_i32,
    to_f32,
)

__all__ = ["find_by_bounds"]

_f4: Any = np.float32
_i8: Any = np.int64
_STEPS = np.float32(255)
_ROUNDED = np.float32(8e-6)  # more than roundings of distances add up to, as a share of all terms
_MOST_SLACK = np.float32(1e6)  # steps; beyond it nothing would be ruled out
_ALONE = 3  # times as long as among the 64 of a block, about, a row takes that is summed alone
_FAR = np.float32(3e38)


@inlined
def _bound_scores(P: int, W: int, blocks: int) -> None:
    """``scores`` of all rows listed: sums of bounds, the least the highest."""
    m, codes, bounds = number(P, "m"), number(P, "codes"), region(P, W, "bounds")
    listed, starts = region(P, W, "list_block"), region(P, W, "list_start")
    out, minus = region(P, W, "scores"), splat_f32(_f4(-1))
    for i in range(blocks):
        code = codes + 64 * m * _i8(load_i32(listed + 4 * i))
        low, high = splat_u8(np.uint8(0)), splat_u8(np.uint8(0))
        for j in range(m):
            x = lookup_64(bounds + 64 * j, fours(load_u8x64(code + 64 * j)))
            low, high = add_low_half(low, x), add_high_half(high, x)
        place = out + 256 * i
        store(place, multiply_f32(to_f32(low_words(low)), minus))
        store(place + 64, multiply_f32(to_f32(high_words(low)), minus))
        store(place + 128, multiply_f32(to_f32(low_words(high)), minus))
        store(place + 192, multiply_f32(to_f32(high_words(high)), minus))
        void_lanes(place, load_i32(starts + 4 * i))


@inlined
def _sum_row(tables: int, code: int, first: int, last: int) -> int:
    """The sum of a row's table entries over some blocks of dimensions."""
    total = 0
    for j in range(first, last):
        total += _i8(load_u8(tables + 256 * j + _i8(load_u8(code + 64 * j))))
    return total


@inlined
def _measure(P: int, W: int, start: int, end: int, worth: float, half: float) -> None:
    """Scores of the rows found from ``start`` to ``end``, added up as ``scan_whole`` does.

    A group of blocks of dimensions for all rows, then the next: its tables stay in a near cache.
    """
    m, group, codes = number(P, "m"), number(P, "group"), number(P, "codes")
    tables, listed = region(P, W, "tables"), region(P, W, "list_block")
    found, out = region(P, W, "found"), region(P, W, "found_score")
    for i in range(start, end):
        store_f32(out + 4 * i, _f4(0))
    for first in range(0, m, group):
        last = min(first + group, m)
        bias = _f4(last - first) * half
        for i in range(start, end):
            place = _i8(load_i32(found + 4 * i))
            code = codes + 64 * m * _i8(load_i32(listed + 4 * (place >> 6))) + (place & 63)
            part = worth * _f4(_sum_row(tables, code, first, last)) + bias
            store_f32(out + 4 * i, load_f32(out + 4 * i) + part)
    for i in range(start, end):
        store_f32(out + 4 * i, -load_f32(out + 4 * i))


@inlined
def _wanted(k: int) -> int:
    """How many rows that are nearest by bounds are measured to learn how far the k-th may be."""
    return 2 * k + SPARE_FINALISTS


@inlined
def _measure_nearest(P: int, W: int, blocks: int, k: int, worth: float, half: float) -> int:
    """The k nearest of those that are nearest by bounds, ``found`` and scored: how many.

    None of those measured is among ``scores`` afterwards.
    """
    wanted = _wanted(k)
    scores_to_bytes(P, W, blocks)
    n = select_bytes(P, W, blocks, wanted, True)
    gather_scores(P, W, n)
    n = keep_best(P, W, n, wanted, wanted >> 3)
    _measure(P, W, 0, n, worth, half)
    scores, found = region(P, W, "scores"), region(P, W, "found")
    for i in range(n):
        store_f32(scores + 4 * _i8(load_i32(found + 4 * i)), _f4(-np.inf))
    return keep_best(P, W, n, k, k >> 3)


@inlined
def _farthest(P: int, W: int, n: int, k: int) -> Any:
    """The lowest score found, or -inf where fewer than k are."""
    scores, lowest = region(P, W, "found_score"), _f4(np.inf)
    for i in range(n):
        lowest = min(lowest, load_f32(scores + 4 * i))
    return lowest if n >= k else _f4(-np.inf)


@inlined
def find_by_bounds(P: int, W: int, blocks: int, k: int, least: float, most: float) -> int:
    """Rows that may be among the k nearest, all of those, ``found`` and scored: how many.

    Or -1 where the tables, which span least to most, are no ground for bounds, and where so many
    rows are left that summing all of them together takes less time.
    """
    worth: Any = (most - least) / _STEPS
    half: Any = least + worth / _f4(2)
    m = _f4(number(P, "m"))
    slack = _f4(2) + _ROUNDED * m * (_STEPS + abs(half / worth))
    room = 64 * blocks // _ALONE
    if number(P, "bounded") == 0 or not slack < _MOST_SLACK or _wanted(k) > room:
        return -1
    _bound_scores(P, W, blocks)
    nearest = _measure_nearest(P, W, blocks, k, worth, half)
    farthest = (-_farthest(P, W, nearest, k) - m * half) / worth
    bounds, limit = region(P, W, "scores"), splat_f32(-min(farthest + slack, _FAR))
    found, n = region(P, W, "found"), nearest
    for places in range(0, 64 * blocks, 16):
        chosen = at_least(load_f32x16(bounds + 4 * places), limit)
        while chosen:
            place = places + count_trailing_zeros(chosen)
            chosen &= chosen - np.uint64(1)
            store_i32(found + 4 * n, np.int32(place))
            n += 1
    if n > room:
        return -1
    _measure(P, W, nearest, n, worth, half)
    return n
