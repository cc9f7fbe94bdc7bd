"""The best of many, by counting: thresholds instead of heaps, so that no branch depends on data."""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.kernels.block import region
from scannlite.kernels.jit import inlined
from scannlite.kernels.layout import BISECTIONS, MANY_FINALISTS
from scannlite.kernels.simd import (
    add_i32,
    at_least,
    at_most,
    compress,
    count_trailing_zeros,
    equal_f32,
    has_compress,
    lane_numbers,
    load_f32,
    load_f32x16,
    load_i32,
    load_i32x16,
    load_u8,
    load_u8x64,
    max_f32,
    max_lane,
    min_f32,
    min_lane,
    multiply_f32,
    population,
    round_to_i32,
    splat_f32,
    splat_i32,
    splat_u8,
    store,
    store_bytes,
    store_f32,
    store_i32,
    store_i64,
    store_u8,
    subtract_f32,
    widen_u8,
)

__all__ = [
    "extract",
    "gather_scores",
    "keep_best",
    "lowest_byte",
    "place",
    "scores_to_bytes",
    "select_bytes",
]

_f4: Any = np.float32
_i8: Any = np.int64
_VOID = 255  # the byte of a lane that holds no row
_SAMPLED = 48  # lists of more lines than this are first counted on a sample
_SAMPLE = 24


@inlined
def lowest_byte(bytes_: int, lines: int, step: Any, k: int) -> int:
    """The smallest t below 255 such that k bytes of every step-th line are at most t, or 254."""
    low, high = 0, _VOID - 1
    while low < high:
        t = (low + high) >> 1
        limit = splat_u8(np.uint8(t))
        count = 0
        for i in range(0, lines, step):
            count += population(at_most(load_u8x64(bytes_ + 64 * i), limit))
        if count >= k:
            high = t
        else:
            low = t + 1
    return low


@inlined
def extract(P: int, W: int, bytes_: int, lines: int, limit: Any, rows: int, out: int) -> int:
    """Number and byte of every lane at most ``limit``, in order: to ``out`` and ``found_byte``.

    A lane's number is its place in its line plus ``rows[line]``, or plus 64 * line without rows.
    Returns how many there are. ``out`` has room for as many lanes as there are.
    """
    values = region(P, W, "found_byte")
    if has_compress():
        return _extract_compressed(P, W, bytes_, lines, limit, rows, out, values)
    n = 0
    for i in range(lines):
        line = bytes_ + 64 * i
        chosen = at_most(load_u8x64(line), limit)
        first = load_i32(rows + 4 * i) if rows else np.int32(64 * i)
        while chosen:
            lane = count_trailing_zeros(chosen)
            chosen &= chosen - np.uint64(1)
            store_i32(out + 4 * n, np.int32(first + lane))
            store_u8(values + n, load_u8(line + lane))
            n += 1
    return n


@inlined
def _extract_compressed(
    P: int, W: int, bytes_: int, lines: int, limit: Any, rows: int, out: int, values: int
) -> int:
    lanes = region(P, W, "found_lane")
    numbers = lane_numbers()
    n = 0
    for i in range(lines):
        line = load_u8x64(bytes_ + 64 * i)
        chosen = at_most(line, limit)
        count = population(chosen)
        first = splat_i32(load_i32(rows + 4 * i) if rows else np.int32(64 * i))
        store(lanes + n, compress(chosen, numbers))
        store(values + n, compress(chosen, line))
        store(out + 4 * n, first)
        if count > 16:
            store(out + 4 * n + 64, first)
            store(out + 4 * n + 128, first)
            store(out + 4 * n + 192, first)
        n += count
    for i in range(0, n, 16):
        store(out + 4 * i, add_i32(load_i32x16(out + 4 * i), widen_u8(lanes + i)))
    return n


@inlined
def _trim(P: int, W: int, n: int, k: int) -> int:
    """Of n found, keep the k lowest bytes and their ties, of many ties k // 2 more at most."""
    found, values = region(P, W, "found"), region(P, W, "found_byte")
    store(values + n, splat_u8(np.uint8(_VOID)))
    edge = lowest_byte(values, (n + 63) // 64, 1, k)
    below = 0
    if edge > 0:
        limit = splat_u8(np.uint8(edge - 1))
        for i in range(0, n, 64):
            below += population(at_most(load_u8x64(values + i), limit))
    room = k + (k >> 1) - below
    kept = 0
    for i in range(n):
        value = _i8(load_u8(values + i))
        row = load_i32(found + 4 * i)
        store_i32(found + 4 * kept, row)
        tie = value == edge and room > 0
        room -= tie
        kept += value < edge or tie
    return kept


@inlined
def select_bytes(P: int, W: int, lines: int, k: int, ties: bool) -> int:
    """The k lowest bytes below 255 of a list of lines, as ``found`` rows in the list's order.

    Rows that share the k-th byte stay too: with ``ties`` all, else up to k // 2 of them beyond k,
    the first in the list.
    """
    bytes_ = region(P, W, "bytes")
    found, rows = region(P, W, "found"), region(P, W, "list_row")
    if lines > _SAMPLED and not ties:
        # Aim a little beyond k on the sample, so that one extraction is nearly always enough.
        step = lines // _SAMPLE
        share = k // step
        share += _i8(_f4(1.5) * np.sqrt(_f4(share))) + 2
        edge = lowest_byte(bytes_, lines // step * step, step, share)
        n = extract(P, W, bytes_, lines, splat_u8(np.uint8(edge)), rows, found)
        if n >= k or edge == _VOID - 1:
            return _trim(P, W, n, k) if n > k else n
    edge = lowest_byte(bytes_, lines, 1, k)
    n = extract(P, W, bytes_, lines, splat_u8(np.uint8(edge)), rows, found)
    return _trim(P, W, n, k) if n > k and not ties else n


@inlined
def scores_to_bytes(P: int, W: int, lines: int) -> None:
    """Float scores of a list of lines as bytes, high scores low; lanes of -inf are void."""
    scores, bytes_ = region(P, W, "scores"), region(P, W, "bytes")
    least, most = splat_f32(_f4(np.inf)), splat_f32(_f4(-np.inf))
    void = splat_f32(_f4(-np.inf))
    for i in range(0, 64 * lines, 16):
        x = load_f32x16(scores + 4 * i)
        most = max_f32(most, x)
        if equal_f32(x, void) == 0:
            least = min_f32(least, x)
    top, low = max_lane(most), min_lane(least)
    # Lines of which some lane is void did not count for the lowest score: it may be below `low`.
    spread = top - low
    steps = min(_f4(254) / spread, _f4(3e38)) if spread > _f4(0) else _f4(0)
    tops, scale = splat_f32(top), splat_f32(steps)
    floor, ceiling = splat_f32(_f4(0)), splat_f32(_f4(254))
    for i in range(0, 64 * lines, 16):
        x = load_f32x16(scores + 4 * i)
        y = multiply_f32(subtract_f32(tops, x), scale)
        store_bytes(bytes_ + i, round_to_i32(max_f32(min_f32(y, ceiling), floor)))
        holes = equal_f32(x, void)
        while holes:
            lane = count_trailing_zeros(holes)
            holes &= holes - np.uint64(1)
            store_u8(bytes_ + i + lane, np.uint8(_VOID))


@inlined
def gather_scores(P: int, W: int, n: int) -> None:
    """The scores of n found places."""
    found, out = region(P, W, "found"), region(P, W, "found_score")
    scores = region(P, W, "scores")
    for i in range(n):
        store_f32(out + 4 * i, load_f32(scores + 4 * _i8(load_i32(found + 4 * i))))


@inlined
def keep_best(P: int, W: int, n: int, k: int, slack: int) -> int:
    """Of n found and scored, keep the k ... k + slack of highest score, and all that tie.

    The threshold is bisected between the lowest and the highest score.
    """
    if n <= k:
        return n
    found, scores = region(P, W, "found"), region(P, W, "found_score")
    lines = (n + 15) // 16
    first = load_f32(scores)
    for i in range(n, 16 * lines):
        store_f32(scores + 4 * i, first)
    most_, least_ = splat_f32(first), splat_f32(first)
    for i in range(lines):
        x = load_f32x16(scores + 64 * i)
        most_, least_ = max_f32(most_, x), min_f32(least_, x)
    most, least = max_lane(most_), min_lane(least_)
    for i in range(n, 16 * lines):
        store_f32(scores + 4 * i, _f4(-np.inf))
    for _ in range(BISECTIONS):
        middle = _f4(0.5) * least + _f4(0.5) * most
        limit = splat_f32(middle)
        count = 0
        for i in range(lines):
            count += population(at_least(load_f32x16(scores + 64 * i), limit))
        if count >= k:
            least = middle
            if count <= k + slack:
                break
        else:
            most = middle
    limit = splat_f32(least)
    kept = 0
    for i in range(lines):
        chosen = at_least(load_f32x16(scores + 64 * i), limit)
        while chosen:
            lane = 16 * i + count_trailing_zeros(chosen)
            chosen &= chosen - np.uint64(1)
            store_i32(found + 4 * kept, load_i32(found + 4 * lane))
            store_f32(scores + 4 * kept, load_f32(scores + 4 * lane))
            kept += 1
    return kept


@inlined
def _before(P: int, W: int, i: int, j: int) -> Any:
    """Whether finalist i comes after finalist j: farther, or as far with a higher id."""
    scores, ids = region(P, W, "found_score"), region(P, W, "found_id")
    x, y = load_f32(scores + 4 * i), load_f32(scores + 4 * j)
    return x > y or (x == y and load_i32(ids + 4 * i) > load_i32(ids + 4 * j))


@inlined
def _sort(P: int, W: int, n: int) -> None:
    """Shell's sort of the finalists, nearest first, lower ids first among equals."""
    scores, ids = region(P, W, "found_score"), region(P, W, "found_id")
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for start in range(gap, n):
            i = start
            while i >= gap and _before(P, W, i - gap, i):
                x, y = load_f32(scores + 4 * i), load_f32(scores + 4 * (i - gap))
                store_f32(scores + 4 * i, y)
                store_f32(scores + 4 * (i - gap), x)
                u, v = load_i32(ids + 4 * i), load_i32(ids + 4 * (i - gap))
                store_i32(ids + 4 * i, v)
                store_i32(ids + 4 * (i - gap), u)
                i -= gap
        gap //= 3


@inlined
def _earlier(P: int, W: int, n: int, i: int) -> int:
    """How many finalists as far as finalist i have a lower id."""
    scores, ids = region(P, W, "found_score"), region(P, W, "found_id")
    own, number = load_f32(scores + 4 * i), load_i32(ids + 4 * i)
    count = 0
    for j in range(n):
        count += load_f32(scores + 4 * j) == own and load_i32(ids + 4 * j) < number
    return count


@inlined
def place(P: int, W: int, n: int, k: int, distances: int, ids: int) -> None:
    """Write the k nearest of n finalists, and inf and -1 where there are fewer.

    ``found_score`` holds distances here. Each finalist counts those before it: that is its place.
    """
    scores, numbers = region(P, W, "found_score"), region(P, W, "found_id")
    if n > MANY_FINALISTS:
        _sort(P, W, n)
        for i in range(min(n, k)):
            store_f32(distances + 4 * i, load_f32(scores + 4 * i))
            store_i64(ids + 8 * i, _i8(load_i32(numbers + 4 * i)))
    else:
        lines = (n + 15) // 16
        for i in range(n, 16 * lines):
            store_f32(scores + 4 * i, _f4(np.inf))
        for i in range(n):
            own = load_f32(scores + 4 * i)
            limit = splat_f32(own)
            before, alike = 16 * lines, 0
            for j in range(lines):
                x = load_f32x16(scores + 64 * j)
                before -= population(at_least(x, limit))
                alike += population(equal_f32(x, limit))
            if alike > 1:
                before += _earlier(P, W, n, i)
            if before < k:
                store_f32(distances + 4 * before, own)
                store_i64(ids + 8 * before, _i8(load_i32(numbers + 4 * i)))
    for i in range(n, k):
        store_f32(distances + 4 * i, _f4(np.inf))
        store_i64(ids + 8 * i, _i8(-1))
