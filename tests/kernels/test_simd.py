"""SIMD values against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from scannlite.kernels import compiled
from tests.strategies import examples, seeds

if not compiled():
    pytest.skip("SIMD values exist in compiled code only", allow_module_level=True)

import llvmlite.binding as llvm

from scannlite.kernels import simd
from scannlite.kernels.jit import kernel

modest = examples(40)

EVERYTHING = {"pshufb16", "pshufb32", "pshufb64", "vpermb", "vbmi2", "vpdpbusd32", "vpdpbusd64"}


@kernel
def bytes_of(x, y, table, wide, out):
    """Every operation on bytes: a line of 64 each."""
    a, b = simd.load_u8x64(simd.address_of(x)), simd.load_u8x64(simd.address_of(y))
    t, o = simd.broadcast_table(simd.address_of(table)), simd.address_of(out)
    simd.store(o, simd.lookup_low(t, a))
    simd.store(o + 64, simd.lookup_high(t, a))
    simd.store(o + 128, simd.lookup_256(simd.address_of(wide), a))
    simd.store(o + 192, simd.average(a, b))
    simd.store(o + 256, simd.add_saturating(a, b))
    chosen = simd.at_most(a, b)
    if simd.has_compress():
        simd.store(o + 320, simd.compress(chosen, a))
        return simd.population(chosen)
    return -simd.population(chosen) - 1


@kernel
def dots_of(x, y, out):
    """A dot product of every four bytes, and what it is too much by for each unit of y."""
    a, b = simd.load_u8x64(simd.address_of(x)), simd.load_u8x64(simd.address_of(y))
    simd.store(simd.address_of(out), simd.dot4(simd.splat_i32(np.int32(5)), a, b))
    return simd.dot_excess()


@kernel
def sum_of(x):
    return simd.sum_lanes(simd.load_f32x16(simd.address_of(x)))


@modest
@given(seeds)
def test_bytes(seed):
    rng = np.random.default_rng(seed)
    x, y, wide = (rng.integers(0, 256, size, dtype=np.uint8) for size in (64, 64, 256))
    table = rng.integers(0, 256, 16, dtype=np.uint8)
    out = np.zeros((6, 64), np.uint8)
    count = bytes_of(x, y, table, wide, out)
    a, b = x.astype(int), y.astype(int)
    expected = [table[x & 15], table[x >> 4], wide[x], (a + b + 1) // 2, np.minimum(a + b, 255)]
    assert np.array_equal(out[:5], expected)
    chosen = x[x <= y]
    if count >= 0:
        assert np.array_equal(out[5, :count], chosen)
    assert len(chosen) == (count if count >= 0 else -count - 1)


@modest
@given(seeds)
def test_dots(seed):
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(-127, 128, 64, dtype=np.int8) for _ in range(2))
    out = np.zeros(16, np.int32)
    excess = dots_of(x.view(np.uint8), y.view(np.uint8), out)
    a, b = (v.astype(np.int32).reshape(16, 4) for v in (x, y))
    assert np.array_equal(out, 5 + (a * b).sum(axis=1) + excess * b.sum(axis=1))


@modest
@given(seeds)
def test_sums_fold_halves(seed):
    x = np.random.default_rng(seed).standard_normal(16).astype(np.float32)
    folded = x
    for half in (8, 4, 2, 1):
        folded = folded[:half] + folded[half:]
    assert sum_of(x) == folded[0]


@pytest.mark.parametrize(
    ("triple", "processor", "expected"),
    [
        ("aarch64-unknown-linux-gnu", "cortex-a72", {"neon"}),
        ("aarch64-unknown-linux-gnu", "cortex-a76", {"neon", "sdot"}),
        ("arm64-apple-darwin", "apple-m1", {"neon", "sdot"}),
        ("armv7l-unknown-linux-gnueabihf", "cortex-a15", set()),
        ("x86_64-unknown-linux-gnu", "x86-64", set()),
        ("x86_64-unknown-linux-gnu", "x86-64-v2", {"pshufb16"}),
        ("x86_64-unknown-linux-gnu", "x86-64-v3", {"pshufb16", "pshufb32"}),
        ("x86_64-unknown-linux-gnu", "x86-64-v4", {"pshufb16", "pshufb32", "pshufb64"}),
        ("x86_64-pc-windows-msvc", "alderlake", {"pshufb16", "pshufb32", "vpdpbusd32"}),
        ("x86_64-unknown-linux-gnu", "znver4", EVERYTHING),
    ],
)
def test_a_processor_is_known_by_its_name(triple, processor, expected):
    """Whatever the list of features says: Linux's and LLVM's differ in names, or it is empty."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    assert simd._abilities((triple, processor, "")) == expected
