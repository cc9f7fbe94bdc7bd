"""What memory can deliver: one thread that only reads.

``Stream`` reads buffers of any size, line by line. For stages that pick their lines, ``READERS``
read just those, in the same order and fetched as far ahead, and do nothing with them.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np

from bench.kernels.stages import BLOCK, BLOCKS, FOUND, KEPT
from scannlite.kernels.block import number, region
from scannlite.kernels.jit import kernel
from scannlite.kernels.simd import (
    add_i32,
    load_i32,
    load_i32x16,
    prefetch,
    splat_i32,
    sum_lanes_i32,
)
from scannlite.types import Floats, Ids

__all__ = ["READERS", "Stream"]

_i8: Any = np.int64

SIZES = tuple(1 << bits for bits in range(14, 29, 2))  # 16 KB, which L1 holds, to 256 MB
STEP = 4096  # bytes that a size is rounded up to
READ = 1 << 25  # bytes a sample reads at least: milliseconds
SAMPLES = 7
AHEAD = 32  # rows that ``score_rows`` fetches ahead


@kernel
def read(start: int, size: int, times: int) -> Any:
    """Read ``size`` bytes, a multiple of 256, from an address on, ``times`` over."""
    zero = splat_i32(np.int32(0))
    a, b, c, d = zero, zero, zero, zero
    for _ in range(times):
        for at in range(start, start + size, 256):
            a = add_i32(a, load_i32x16(at))
            b = add_i32(b, load_i32x16(at + 64))
            c = add_i32(c, load_i32x16(at + 128))
            d = add_i32(d, load_i32x16(at + 192))
    return sum_lanes_i32(add_i32(add_i32(a, b), add_i32(c, d)))


@kernel
def read_codes(desk: Ids, W: Ids, S: Floats) -> None:
    """The codes of the blocks listed, as ``scan_codes16`` comes by them."""
    P, total = desk[BLOCK], splat_i32(np.int32(0))
    codes, size = number(P, "codes"), 64 * number(P, "code_lines")
    for i in range(len(W)):
        listed, blocks = region(P, W[i], "list_block"), _i8(S[i, BLOCKS])
        for n in range(blocks):
            block = codes + size * _i8(load_i32(listed + 4 * n))
            ahead = codes + size * _i8(load_i32(listed + 4 * min(n + 1, blocks - 1)))
            for at in range(0, size, 64):
                prefetch(ahead + at)
                total = add_i32(total, load_i32x16(block + at))
    S[0, 15] = sum_lanes_i32(total)


@kernel
def read_candidates(desk: Ids, W: Ids, S: Floats) -> None:
    """The signed bytes and terms of the rows found, as ``score_rows`` comes by them."""
    P, total = desk[BLOCK], splat_i32(np.int32(0))
    d, rows, terms = number(P, "d"), number(P, "row_high"), number(P, "row_terms")
    for i in range(len(W)):
        found, n = region(P, W[i], "found"), _i8(S[i, FOUND])
        for j in range(-AHEAD, n):
            later = _i8(load_i32(found + 4 * min(j + AHEAD, n - 1)))
            for t in range(0, d, 64):
                prefetch(rows + d * later + t)
            prefetch(terms + 8 * later)
            if j >= 0:
                row = _i8(load_i32(found + 4 * j))
                for t in range(0, d, 64):
                    total = add_i32(total, load_i32x16(rows + d * row + t))
                total = add_i32(total, splat_i32(load_i32(terms + 8 * row)))
    S[0, 15] = sum_lanes_i32(total)


@kernel
def read_finalists(desk: Ids, W: Ids, S: Floats) -> None:
    """All bits of the rows kept and their ids, as ``exact_distances`` comes by them."""
    P, total = desk[BLOCK], splat_i32(np.int32(0))
    d, high, low, ids = (
        number(P, "d"),
        number(P, "row_high"),
        number(P, "row_low"),
        number(P, "ids"),
    )
    for i in range(len(W)):
        found, n = region(P, W[i], "found"), _i8(S[i, KEPT])
        for j in range(n):
            row = _i8(load_i32(found + 4 * j))
            prefetch(ids + 4 * row)
            for t in range(0, 2 * d, 64):
                prefetch(low + 2 * d * row + t)
        for j in range(n):
            row = _i8(load_i32(found + 4 * j))
            for t in range(0, d, 64):
                total = add_i32(total, load_i32x16(high + d * row + t))
            for t in range(0, 2 * d, 64):
                total = add_i32(total, load_i32x16(low + 2 * d * row + t))
            total = add_i32(total, splat_i32(load_i32(ids + 4 * row)))
    S[0, 15] = sum_lanes_i32(total)


# By the name of the stage whose lines they read.
READERS: dict[str, Any] = {
    "scan_codes16": read_codes,
    "scan_codes256": read_codes,
    "score_rows": read_candidates,
    "exact_distances": read_finalists,
}


class Stream:
    """Bytes a nanosecond (GB/s) with which a buffer is read over and over."""

    def __init__(self) -> None:
        self._memory = np.ones(SIZES[-1] + 64, np.uint8)  # written: every page is its own
        start = int(self._memory.ctypes.data)
        self._start = start + -start % 64
        self._known: dict[int, float] = {}
        self.rates = {size: self.rate(size) for size in SIZES}

    def rate(self, size: float) -> float:
        """Of a buffer of ``size`` bytes, or of the nearest size that is measured."""
        whole = min(max(-(-int(size) // STEP) * STEP, SIZES[0]), SIZES[-1])
        if whole not in self._known:
            self._known[whole] = _rate(self._start, whole)
        return self._known[whole]


def _rate(start: int, size: int) -> float:
    times = max(1, READ // size)
    read(start, size, 1)
    samples = []
    for _ in range(SAMPLES):
        before = time.perf_counter_ns()
        read(start, size, times)
        samples.append(time.perf_counter_ns() - before)
    return size * times / median(samples)
