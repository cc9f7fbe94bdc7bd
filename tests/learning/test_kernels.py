"""Kernels and their NumPy twins: the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite.kernels.reference import encode as twin_encode
from scannlite.kernels.reference import lloyd as twin_lloyd
from scannlite.learning.rows import unit
from tests.strategies import examples, matrices, same_bits, seeds

pytest.importorskip("numba", reason="kernels are compiled by Numba")

from scannlite.kernels import encode, lloyd

modest = examples(60)


def books(rng, d, b, c):
    """Centers (m, b, c), some of them equal, zero past d; m."""
    m = -(-d // b)
    centers = rng.standard_normal((m * b, c)).astype(np.float32)
    centers[:, c // 2] = centers[:, 0]
    centers[d:] = 0
    return centers.reshape(m, b, c)


@modest
@given(matrices(), st.integers(1, 6), st.sampled_from([1, 2, 16, 33]), seeds)
def test_nearest(R, b, c, seed):
    centers = books(np.random.default_rng(seed), R.shape[1], b, c)
    found, expected = (np.full((len(R), len(centers)), 99, np.uint8) for _ in range(2))
    encode.nearest(R, centers, found)
    twin_encode.nearest(R, centers, expected)
    assert same_bits(found, expected)


@modest
@given(matrices(), st.integers(1, 6), st.sampled_from([1, 2, 16, 33]), seeds)
def test_anisotropic(R, b, c, seed):
    rng = np.random.default_rng(seed)
    centers = books(rng, R.shape[1], b, c)
    U = unit(R + rng.standard_normal(R.shape).astype(np.float32) * rng.integers(0, 2))
    eta = rng.choice(np.float32([0, 1, 1.5, 4, 50]), len(R))
    found = np.empty((len(R), len(centers)), np.uint8)
    twin_encode.nearest(R, centers, found)
    expected = found.copy()
    encode.anisotropic(R, U, centers, eta, found)
    twin_encode.anisotropic(R, U, centers, eta, expected)
    assert same_bits(found, expected)


def test_more_rows_than_a_tile_and_codes_of_a_byte():
    rng = np.random.default_rng(0)
    R = rng.standard_normal((300, 5)).astype(np.float32)
    centers = books(rng, 5, 2, 256)
    found, expected = (np.empty((300, 3), np.uint8) for _ in range(2))
    encode.nearest(R, centers, found)
    twin_encode.nearest(R, centers, expected)
    assert same_bits(found, expected)
    assert found.max() > 200


@modest
@given(matrices(), seeds)
def test_shape_noise(X, seed):
    rng = np.random.default_rng(seed)
    V = X / np.maximum(np.abs(X).max(axis=1, initial=0), np.float32(1e-9))[:, None]
    V = np.ascontiguousarray(V * np.float32(127))
    eta = rng.choice(np.float32([1, 1.5, 4, 50]), len(X))
    found = np.rint(V).astype(np.int8)
    expected = found.copy()
    encode.shape_noise(V, unit(X), eta, found)
    twin_encode.shape_noise(V, unit(X), eta, expected)
    assert same_bits(found, expected)


@modest
@given(matrices(), st.integers(1, 6), st.sampled_from([np.uint8, np.int32]), seeds)
def test_accumulate(R, b, kind, seed):
    n, d = R.shape
    m, c = -(-d // b), 5
    codes = np.random.default_rng(seed).integers(0, c, (n, m)).astype(kind)
    found, expected = (np.full((m, c, b), np.nan) for _ in range(2))
    counted, counts = (np.full((m, c), -1) for _ in range(2))
    lloyd.accumulate(R, codes, found, counted)
    twin_lloyd.accumulate(R, codes, expected, counts)
    assert same_bits(found, expected)
    assert same_bits(counted, counts)


def test_accumulate_by_hand():
    R = np.float32([[1, 2, 3], [10, 20, 30], [100, 200, 300]])
    codes = np.uint8([[0, 1], [1, 1], [0, 1]])
    sums, counts = np.empty((2, 2, 2)), np.empty((2, 2), np.int64)
    lloyd.accumulate(R, codes, sums, counts)
    assert sums.tolist() == [[[101, 202], [10, 20]], [[0, 0], [333, 0]]]
    assert counts.tolist() == [[2, 1], [0, 3]]
