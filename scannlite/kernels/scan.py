"""A query's way through its leaves: lookup tables, the list of blocks, a score for every row."""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.kernels.block import number, real, region
from scannlite.kernels.jit import inlined
from scannlite.kernels.layout import LEAST_SPAN, ROWS_FLOAT, SQUARED_L2
from scannlite.kernels.rescore import byte_score, float_distance, float_products
from scannlite.kernels.simd import (
    add_f32,
    add_i32,
    add_saturating,
    average,
    broadcast_table,
    load_f32,
    load_f32x16,
    load_i32,
    load_i64,
    load_u8x64,
    lookup_256,
    lookup_high,
    lookup_low,
    magnitude,
    max_f32,
    max_lane,
    merge,
    min_f32,
    min_u8,
    multiply_f32,
    pack4,
    prefetch,
    quarter_0,
    quarter_1,
    quarter_2,
    quarter_3,
    round_away,
    round_to_i32,
    splat_f32,
    splat_i32,
    splat_u8,
    store,
    store_f32,
    store_i32,
    store_i64,
    store_tables,
    store_u8,
    subtract_f32,
    sum_lanes,
    to_f32,
)

__all__ = [
    "deal_query",
    "exact_offsets",
    "list_blocks",
    "offset_range",
    "quantize_constants",
    "quantize_entries",
    "quantize_wide",
    "scan_codes16",
    "scan_codes256",
    "scan_rows",
    "spread_entries",
    "void_lanes",
]

_f4: Any = np.float32
_i8: Any = np.int64
_LEAST_SPAN = np.float32(LEAST_SPAN)


@inlined
def exact_offsets(P: int, W: int, leaves: int) -> None:
    """Offsets of the leaves chosen from unrounded centroids, where scores become distances."""
    if number(P, "residual") == 0:
        return
    d, centroids = number(P, "d"), number(P, "centroid_floats")
    chosen, offset = region(P, W, "leaves"), region(P, W, "offset")
    start = number(P, "leaf_offset")
    for i in range(leaves):
        leaf = _i8(load_i32(chosen + 4 * i))
        dot = float_products(P, W, centroids + 4 * d * leaf)
        store_f32(offset + 4 * leaf, dot + load_f32(start + 4 * leaf))


@inlined
def offset_range(P: int, W: int, leaves: int) -> Any:
    """The highest and lowest offset of the leaves chosen; both 0 without residuals."""
    if number(P, "residual") == 0:
        return _f4(0), _f4(0)
    chosen, offset = region(P, W, "leaves"), region(P, W, "offset")
    most, least = _f4(-np.inf), _f4(np.inf)
    for i in range(leaves):
        x = load_f32(offset + 4 * _i8(load_i32(chosen + 4 * i)))
        most, least = max(most, x), min(least, x)
    return most, least


@inlined
def deal_query(P: int, W: int) -> None:
    """The query's dimensions, 16 blocks side by side; zeros where blocks have no dimension."""
    d, m, b = number(P, "d"), number(P, "m"), number(P, "b")
    y, dealt = region(P, W, "query"), region(P, W, "dealt")
    if b == 2:
        for j in range(d // 2):
            place = dealt + 128 * (j >> 4) + 4 * (j & 15)
            store_f32(place, load_f32(y + 8 * j))
            store_f32(place + 64, load_f32(y + 8 * j + 4))
        if d & 1:
            store_f32(dealt + 128 * (m - 1 >> 4) + 4 * (m - 1 & 15), load_f32(y + 4 * (d - 1)))
        return
    for j in range(m):
        place = dealt + 64 * b * (j >> 4) + 4 * (j & 15)
        for h in range(min(b, d - b * j)):
            store_f32(place + 64 * h, load_f32(y + 4 * (b * j + h)))


@inlined
def _entry(dealt: int, codebook: int, b: int) -> Any:
    """Products of 16 blocks' query dimensions with one center each, summed."""
    total = multiply_f32(load_f32x16(dealt), load_f32x16(codebook))
    for h in range(1, b):
        x = multiply_f32(load_f32x16(dealt + 64 * h), load_f32x16(codebook + 64 * h))
        total = add_f32(total, x)
    return total


@inlined
def spread_entries(P: int, W: int, worth: float) -> Any:
    """Fill ``entries`` with c entries and their maximum, 16 blocks side by side.

    Returns the sum of the maxima and the standard deviation of a score, which is squared in
    units of 127 ``worth``, the query's largest value: else it might leave float32.
    """
    m, b, c = number(P, "m"), number(P, "b"), number(P, "lookup")
    dealt, out = region(P, W, "dealt"), region(P, W, "entries")
    codebook, variance = number(P, "codebooks"), number(P, "variance")
    tops, spread = splat_f32(_f4(0)), splat_f32(_f4(0))
    largest = _f4(127) * worth
    by = splat_f32(_f4(1) / largest)
    for _ in range(0, m, 16):
        for h in range(b):
            x = multiply_f32(load_f32x16(dealt + 64 * h), by)
            x = multiply_f32(multiply_f32(x, x), load_f32x16(variance + 64 * h))
            spread = add_f32(spread, x)
        top = splat_f32(_f4(-3e38))
        for k in range(c):
            x = _entry(dealt, codebook + 64 * b * k, b)
            store(out + 64 * k, x)
            top = max_f32(top, x)
        store(out + 64 * c, top)
        tops = add_f32(tops, top)
        dealt += 64 * b
        variance += 64 * b
        codebook += 64 * b * c
        out += 64 * (c + 1)
    return sum_lanes(tops), np.sqrt(sum_lanes(spread)) * largest


@inlined
def _step_down(entries: int, tops: Any, scale: Any, ceiling: Any) -> Any:
    """How far 16 blocks' entries are below their block's best, in steps, at most 255."""
    x = multiply_f32(subtract_f32(tops, load_f32x16(entries)), scale)
    return round_to_i32(min_f32(x, ceiling))


@inlined
def quantize_entries(P: int, W: int, scale: float) -> None:
    """Turn 16 entries a block into ``tables`` of bytes: distance to the best, times ``scale``."""
    entries, out = region(P, W, "entries"), region(P, W, "tables")
    by, ceiling = splat_f32(scale), splat_f32(_f4(255))
    for _ in range(0, number(P, "m"), 16):
        tops = load_f32x16(entries + 1024)
        w0 = pack4(
            _step_down(entries, tops, by, ceiling),
            _step_down(entries + 64, tops, by, ceiling),
            _step_down(entries + 128, tops, by, ceiling),
            _step_down(entries + 192, tops, by, ceiling),
        )
        w1 = pack4(
            _step_down(entries + 256, tops, by, ceiling),
            _step_down(entries + 320, tops, by, ceiling),
            _step_down(entries + 384, tops, by, ceiling),
            _step_down(entries + 448, tops, by, ceiling),
        )
        w2 = pack4(
            _step_down(entries + 512, tops, by, ceiling),
            _step_down(entries + 576, tops, by, ceiling),
            _step_down(entries + 640, tops, by, ceiling),
            _step_down(entries + 704, tops, by, ceiling),
        )
        w3 = pack4(
            _step_down(entries + 768, tops, by, ceiling),
            _step_down(entries + 832, tops, by, ceiling),
            _step_down(entries + 896, tops, by, ceiling),
            _step_down(entries + 960, tops, by, ceiling),
        )
        store_tables(out, w0, w1, w2, w3)
        entries += 1088
        out += 256


@inlined
def quantize_constants(P: int, W: int, unit: float) -> None:
    """Two more tables, for the low and the high nibble of a constant byte of ``unit`` steps."""
    out = region(P, W, "tables") + 256 * ((number(P, "m") + 15) // 16)
    for k in range(16):
        low = min(_f4(k) * unit, _f4(254)) + _f4(0.5)
        high = min(_f4(16 * k) * unit, _f4(254)) + _f4(0.5)
        store_u8(out + k, np.uint8(low))
        store_u8(out + 16 + k, np.uint8(high))


@inlined
def quantize_wide(P: int, W: int) -> Any:
    """Turn 256 entries a block into ``tables`` of signed bytes plus 128, as ScaNN rounds them.

    Returns what one step is worth.
    """
    m = number(P, "m")
    m16 = (m + 15) // 16 * 16
    entries, tables = region(P, W, "entries"), region(P, W, "tables")
    largest = splat_f32(_f4(0))
    for g in range(0, m, 16):
        start = entries + 64 * 257 * (g >> 4)
        for k in range(256):
            largest = max_f32(largest, magnitude(load_f32x16(start + 64 * k)))
    most = max_lane(largest)
    if most < _LEAST_SPAN:
        most = _f4(127)
    steps, middle = splat_f32(_f4(127) / most), splat_i32(np.int32(128))
    turned = tables + 256 * m16
    for g in range(0, m, 16):
        start = entries + 64 * 257 * (g >> 4)
        for k in range(0, 256, 16):
            _turn_wide(start + 64 * k, steps, middle, turned)
            for j in range(16):
                place = tables + 256 * (g + j) + k
                store_i64(place, load_i64(turned + 16 * j))
                store_i64(place + 8, load_i64(turned + 16 * j + 8))
    return most / _f4(127)


@inlined
def _wide_step(entries: int, steps: Any, middle: Any) -> Any:
    return add_i32(round_away(multiply_f32(load_f32x16(entries), steps)), middle)


@inlined
def _wide_word(entries: int, steps: Any, middle: Any) -> Any:
    return pack4(
        _wide_step(entries, steps, middle),
        _wide_step(entries + 64, steps, middle),
        _wide_step(entries + 128, steps, middle),
        _wide_step(entries + 192, steps, middle),
    )


@inlined
def _turn_wide(entries: int, steps: Any, middle: Any, out: int) -> None:
    """16 entries of 16 blocks, as 16 pieces of 16 bytes."""
    store_tables(
        out,
        _wide_word(entries, steps, middle),
        _wide_word(entries + 256, steps, middle),
        _wide_word(entries + 512, steps, middle),
        _wide_word(entries + 768, steps, middle),
    )


@inlined
def list_blocks(P: int, W: int, leaves: int, best: float, scale: float, by_place: bool) -> int:
    """List the blocks of the leaves chosen; rows go by their place in the list, or their number.

    ``list_start`` is how far the leaf's offset is below ``best``, in steps, and 256 times the
    void lanes of a leaf's last block.
    """
    residual = number(P, "residual")
    chosen, offset = region(P, W, "leaves"), region(P, W, "offset")
    leaf_block, block_row = number(P, "leaf_block"), number(P, "block_row")
    blocks, starts = region(P, W, "list_block"), region(P, W, "list_start")
    offsets, rows = region(P, W, "list_offset"), region(P, W, "list_row")
    n = 0
    for i in range(leaves):
        leaf = _i8(load_i32(chosen + 4 * i))
        start = load_f32(offset + 4 * leaf) if residual else _f4(0)
        below = (best - start) * scale
        below = min(below, _f4(253)) if below > _f4(0) else _f4(0)  # not a number: 0
        steps = np.int32(below + _f4(0.5))
        first = _i8(load_i32(leaf_block + 4 * leaf))
        end = _i8(load_i32(leaf_block + 4 * leaf + 4))
        for block in range(first, end):
            store_i32(blocks + 4 * n, np.int32(block))
            store_i32(starts + 4 * n, steps)
            store_f32(offsets + 4 * n, start)
            row = np.int32(64 * n) if by_place else load_i32(block_row + 4 * block)
            store_i32(rows + 4 * n, row)
            n += 1
        if end > first:
            last = load_i32(block_row + 4 * end) - load_i32(block_row + 4 * end - 4)
            store_i32(starts + 4 * n - 4, np.int32(steps + 256 * (64 - last)))
    return n


@inlined
def _scan_block(codes: int, ahead: int, tables: int, lines: int, constants: int, start: Any) -> Any:
    """Byte scores of 64 rows: four saturating sums, joined by averages so that no bit is lost."""
    a, b, c, d = start, start, start, start
    for j in range(0, lines, 2):
        prefetch(ahead + 64 * j)
        prefetch(ahead + 64 * j + 64)
        line = load_u8x64(codes + 64 * j)
        a = add_saturating(a, lookup_low(broadcast_table(tables + 32 * j), line))
        b = add_saturating(b, lookup_high(broadcast_table(tables + 32 * j + 16), line))
        line = load_u8x64(codes + 64 * j + 64)
        c = add_saturating(c, lookup_low(broadcast_table(tables + 32 * j + 32), line))
        d = add_saturating(d, lookup_high(broadcast_table(tables + 32 * j + 48), line))
    total = average(average(a, b), average(c, d))
    if constants:
        prefetch(ahead + 64 * lines)
        line = load_u8x64(codes + 64 * lines)
        total = add_saturating(total, lookup_low(broadcast_table(constants), line))
        total = add_saturating(total, lookup_high(broadcast_table(constants + 16), line))
    return total


@inlined
def scan_codes16(P: int, W: int, blocks: int) -> None:
    """Byte scores of every row of the blocks listed: at most 254, and 255 in void lanes."""
    size = 64 * number(P, "code_lines")
    lines = (number(P, "m") + 3) // 4 * 2
    tables = region(P, W, "tables")
    constants = tables + 256 * ((number(P, "m") + 15) // 16)
    if real(P, "constant_unit") == _f4(0):
        constants = 0
    codes, tails = number(P, "codes"), number(P, "tails")
    listed, starts = region(P, W, "list_block"), region(P, W, "list_start")
    out = region(P, W, "bytes")
    if blocks == 0:
        return
    last = load_i32(listed + 4 * blocks - 4)
    store_i32(listed + 4 * blocks, last)
    most = splat_u8(np.uint8(254))
    block = codes + size * _i8(load_i32(listed))
    for i in range(blocks):
        ahead = codes + size * _i8(load_i32(listed + 4 * i + 4))
        start = load_i32(starts + 4 * i)
        first = splat_u8(np.uint8(start & 255))
        scores = min_u8(_scan_block(block, ahead, tables, lines, constants, first), most)
        store(out + 64 * i, merge(scores, load_u8x64(tails + _i8(start >> 8))))
        block = ahead


@inlined
def void_lanes(scores: int, start: Any) -> None:
    """Scores of -inf for the void lanes of a block."""
    for lane in range(64 - _i8(start >> 8), 64):
        store_f32(scores + 4 * lane, _f4(-np.inf))


@inlined
def _store_sums(place: int, total: Any, worth: Any, start: Any, constants: int) -> None:
    """Scores of 16 rows from whole sums; ``constants`` is below 256 where rows have none."""
    x = add_f32(multiply_f32(to_f32(total), worth), start)
    if constants >= 256:
        x = subtract_f32(x, load_f32x16(constants))
    store(place, x)


@inlined
def scan_codes256(P: int, W: int, blocks: int, worth: float) -> None:
    """Scores of every row of the blocks listed, from whole sums of table entries."""
    m = number(P, "m")
    tables, codes = region(P, W, "tables"), number(P, "codes")
    listed, starts = region(P, W, "list_block"), region(P, W, "list_start")
    offsets, out = region(P, W, "list_offset"), region(P, W, "scores")
    block_row, constants = number(P, "block_row"), number(P, "constants")
    by, zero = splat_f32(worth), splat_i32(np.int32(-128 * m))
    squares = number(P, "metric") == SQUARED_L2
    for i in range(blocks):
        block = _i8(load_i32(listed + 4 * i))
        code = codes + 64 * m * block
        s0, s1, s2, s3 = zero, zero, zero, zero
        for j in range(m):
            x = lookup_256(tables + 256 * j, load_u8x64(code + 64 * j))
            s0 = add_i32(s0, quarter_0(x))
            s1 = add_i32(s1, quarter_1(x))
            s2 = add_i32(s2, quarter_2(x))
            s3 = add_i32(s3, quarter_3(x))
        start = splat_f32(load_f32(offsets + 4 * i))
        row = constants + 4 * _i8(load_i32(block_row + 4 * block)) if squares else 0
        place = out + 256 * i
        _store_sums(place, s0, by, start, row)
        _store_sums(place + 64, s1, by, start, row + 64)
        _store_sums(place + 128, s2, by, start, row + 128)
        _store_sums(place + 192, s3, by, start, row + 192)
        void_lanes(out + 256 * i, load_i32(starts + 4 * i))


@inlined
def scan_rows(P: int, W: int, blocks: int, worth: float, total: Any) -> None:
    """Scores of every row of the blocks listed, from the rows themselves."""
    kind = number(P, "rows_kind")
    listed, starts = region(P, W, "list_block"), region(P, W, "list_start")
    out, block_row = region(P, W, "scores"), number(P, "block_row")
    for i in range(blocks):
        first = _i8(load_i32(block_row + 4 * _i8(load_i32(listed + 4 * i))))
        start = load_i32(starts + 4 * i)
        for lane in range(64 - _i8(start >> 8)):
            if kind == ROWS_FLOAT:
                x = -float_distance(P, W, first + lane)
            else:
                x = byte_score(P, W, first + lane, worth, total)
            store_f32(out + 256 * i + 4 * lane, x)
        void_lanes(out + 256 * i, start)
