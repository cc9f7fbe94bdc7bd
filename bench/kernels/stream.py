"""What memory can deliver: one thread that reads buffers of growing size, line by line."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np

from scannlite.kernels.jit import kernel
from scannlite.kernels.simd import add_i32, load_i32x16, splat_i32, sum_lanes_i32

__all__ = ["Stream"]

SIZES = tuple(1 << bits for bits in range(14, 29, 2))  # 16 KB, which L1 holds, to 256 MB
STEP = 4096  # bytes that a size is rounded up to
READ = 1 << 25  # bytes a sample reads at least: milliseconds
SAMPLES = 7


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
