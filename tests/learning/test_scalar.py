"""Whole numbers: what they lose, and what shaping the noise wins back."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from scannlite.learning.rows import norms
from scannlite.learning.scalar import quantize_rows, quantize_table, shape_noise, table_scores
from tests.strategies import layouts, matrices, same_bits, seeds

modest = settings(deadline=None, max_examples=50)


def test_rows_by_hand():
    high, low, scale = quantize_rows(np.float32([[254, -3, 1, 0], [0, 0, 0, 0]]))
    assert scale.tolist() == [2, 0]
    assert high.tolist() == [[127, -2, 0, 0], [0, 0, 0, 0]]  # -1.5 and 0.5 round to even
    assert low.tolist() == [[0, 32767, 32767, 0], [0, 0, 0, 0]]


@modest
@given(matrices(), layouts)
def test_rows_come_back(X, layout):
    given_rows = layout(X)
    X = np.ascontiguousarray(given_rows, np.float32)
    high, low, scale = quantize_rows(given_rows, threads=2)
    assert (high.dtype, low.dtype, scale.dtype) == (np.int8, np.int16, np.float32)
    assert high.min(initial=0) >= -127
    assert low.min(initial=0) >= -32767
    unit = scale[:, None].astype(np.float64)
    assert (np.abs(unit * high - X) <= unit * 0.50002 + 1e-30).all()
    assert (np.abs(unit * (high + low / 65534) - X) <= unit * 2.5e-5 + 1e-30).all()


def test_rows_at_the_ends_of_float32():
    X = np.float32([[1e-45, 0], [1e-38, -1e-38], [3.4e38, -3.4e38]])
    high, low, scale = quantize_rows(X)
    assert high.tolist() == [[0, 0], [0, 0], [127, -127]]
    assert not low.any()
    assert np.isfinite(scale).all()


def cost(X, high, scale, eta):
    X = X.astype(np.float64)
    error = X - high * scale[:, None].astype(np.float64)
    length = np.maximum(np.linalg.norm(X, axis=1), 1e-300)
    parallel = ((error * X).sum(axis=1) / length) ** 2
    return eta * parallel + (error**2).sum(axis=1) - parallel


def test_shaping_by_hand():
    # 127 fixes the scale at 1. Both 0.4s round down: along the row the error is 0.32 / length.
    X = np.float32([[127, 0.4, 0.4]])
    high, _, scale = quantize_rows(X)
    assert high.tolist() == [[127, 0, 0]]
    assert shape_noise(X, high, scale, np.float32([1])).tolist() == [[127, 0, 0]]
    # the error along the row is (0.4² + 0.4²) / 127: weigh it a million times, and one moves up
    shaped = shape_noise(X, high, scale, np.float32([1e6]))
    assert shaped.tolist() == [[127, 1, 0]]


@modest
@given(matrices(), layouts, seeds)
def test_shaping_never_costs_more_and_moves_by_few_steps(X, layout, seed):
    given_rows = layout(X)
    X = np.ascontiguousarray(given_rows, np.float32)
    eta = np.random.default_rng(seed).choice(np.float32([1, 2, 16, 99]), len(X))
    high, _, scale = quantize_rows(X)
    before = high.copy()
    shaped = shape_noise(given_rows, high, scale, eta)
    assert same_bits(high, before)
    assert shaped.dtype == np.int8
    assert np.array_equal(shaped[eta == 1], high[eta == 1])
    assert np.abs(shaped.astype(int) - high).max(initial=0) <= 1
    old, new = cost(X, high, scale, eta), cost(X, shaped, scale, eta)
    assert (new <= old * (1 + 1e-4) + 1e-9 * norms(X) ** 2).all()


def test_shaping_keeps_high_scores_truer_with_any_number_of_threads():
    X = np.random.default_rng(0).standard_normal((5000, 32)).astype(np.float32)
    high, _, scale = quantize_rows(X)
    eta = np.full(len(X), 8, np.float32)
    shaped = shape_noise(X, high, scale, eta)
    along = [abs(((q * scale[:, None] - X) * X).sum(axis=1)).mean() for q in (high, shaped)]
    assert along[1] < 0.6 * along[0]
    assert same_bits(shaped, shape_noise(X, high, scale, eta, threads=3))


def test_table_by_hand():
    table, multiplier = quantize_table(np.float32([[0.5, -0.5], [127, 1.5], [-2.5, 0]]))
    assert multiplier == 1
    assert table.tolist() == [[1, -1], [127, 2], [-3, 0]]
    codes = np.uint8([[0, 0, 0], [1, 1, 1]])
    assert table_scores(table, 0.5, codes).tolist() == [250, 2]


def test_table_of_zeros():
    table, multiplier = quantize_table(np.zeros((2, 16), np.float32))
    assert not table.any()
    assert multiplier == 1


@modest
@given(matrices())
def test_table_entries_are_off_by_half_at_most(table):
    whole, multiplier = quantize_table(table)
    assert np.abs(whole.astype(int)).max(initial=0) <= 127
    assert (np.abs(whole - table * np.float64(multiplier)) <= 0.50002).all()
