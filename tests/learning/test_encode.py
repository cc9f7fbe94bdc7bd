"""Codes: nearest is nearest, and anisotropic costs no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scannlite.learning.encode import encode, encode_anisotropic
from scannlite.learning.rows import in_pieces, norms, plain, unit
from tests.strategies import LAYOUTS, layouts, matrices, same_bits, seeds

modest = settings(deadline=None, max_examples=50)


def books(seed, d, b, c):
    m = -(-d // b)
    centers = np.random.default_rng(seed).standard_normal((c, m * b)).astype(np.float32)
    centers[:, d:] = 0
    return np.ascontiguousarray(centers.reshape(c, m, b).swapaxes(0, 1))


def decode(codes, codebooks, d):
    blocks = codebooks[np.arange(len(codebooks)), codes]
    width = codebooks.shape[0] * codebooks.shape[2]
    return blocks.reshape(len(codes), width)[:, :d].astype(np.float64)


def cost(R, X, codes, codebooks, eta):
    error = R - decode(codes, codebooks, R.shape[1])
    direction = X / np.maximum(np.linalg.norm(X.astype(np.float64), axis=1), 1e-300)[:, None]
    parallel = (error * direction).sum(axis=1) ** 2
    return eta * parallel + (error**2).sum(axis=1) - parallel


def test_nearest_by_hand():
    codebooks = np.float32([[[0, 0], [1, 1]], [[5, 0], [-5, 0]]])  # the last block has d - b = 1
    R = np.float32([[0.2, 0.2, 4], [0.9, 0.8, -9], [0.5, 0.5, 0]])
    assert encode(R, codebooks).tolist() == [[0, 0], [1, 1], [0, 0]]  # the last row is a tie


def test_anisotropic_by_hand():
    # Along the diagonal. Nearest: (0.4, 0.4) -> (0, 0), error 0.8 / sqrt 2 along, none across.
    # One block up: (1, 0), error (-0.6, 0.4): -0.2 / sqrt 2 along, 0.5 across: cheaper from
    # eta 0.32 + 0 = 0.02 + 0.5 / eta, that is eta > 5 / 3.
    codebooks = np.float32([[[0], [1]], [[0], [1]]])
    R = np.float32([[0.4, 0.4]])
    stays = encode_anisotropic(R, R, codebooks, np.float32([1.6]))
    moves = encode_anisotropic(R, R, codebooks, np.float32([1.7]))
    assert stays.tolist() == [[0, 0]]
    assert moves.tolist() == [[1, 0]]  # blocks are equal: the first goes first


@modest
@given(matrices(), st.integers(1, 6), st.sampled_from([1, 2, 16, 256]), seeds)
def test_nearest_is_nearest(R, b, c, seed):
    codebooks = books(seed, R.shape[1], b, c)
    codes = encode(R, codebooks)
    m = len(codebooks)
    assert codes.dtype == np.uint8
    padded = np.pad(R, ((0, 0), (0, m * b - R.shape[1]))).reshape(-1, m, 1, b).astype(np.float64)
    errors = ((padded - codebooks) ** 2).sum(axis=3)
    chosen = np.take_along_axis(errors, codes[:, :, None].astype(int), axis=2)[:, :, 0]
    np.testing.assert_allclose(chosen, errors.min(axis=2), rtol=1e-5)


@modest
@given(matrices(), st.integers(1, 4), seeds, st.booleans())
def test_anisotropic_never_costs_more_than_nearest(R, b, seed, residual):
    rng = np.random.default_rng(seed)
    X = R + rng.standard_normal(R.shape).astype(np.float32) if residual else R
    eta = rng.choice(np.float32([0.5, 1, 2, 8, 64]), len(R))
    codebooks = books(seed, R.shape[1], b, 16)
    nearest, codes = encode(R, codebooks), encode_anisotropic(R, X, codebooks, eta)
    before, after = (cost(R, X, these, codebooks, eta) for these in (nearest, codes))
    assert (after <= before * (1 + 1e-5) + 1e-9).all()
    assert np.array_equal(codes[eta <= 1], nearest[eta <= 1])


@modest
@given(matrices(), layouts, seeds)
def test_layout_and_order_of_rows_do_not_matter(R, layout, seed):
    given_rows = layout(R)
    R = np.ascontiguousarray(given_rows, np.float32)
    codebooks = books(seed, R.shape[1], 2, 16)
    eta = np.full(len(R), 5, np.float32)
    codes = encode_anisotropic(R, R, codebooks, eta)
    assert same_bits(encode(given_rows, codebooks), encode(R, codebooks))
    assert same_bits(encode_anisotropic(given_rows, given_rows, codebooks, eta), codes)
    order = np.random.default_rng(seed).permutation(len(R))
    assert same_bits(encode(R[order], codebooks), encode(R, codebooks)[order])
    assert same_bits(encode_anisotropic(R[order], R[order], codebooks, eta), codes[order])


def test_threads_and_read_only_codebooks_do_not_matter():
    R = np.random.default_rng(0).standard_normal((9000, 6)).astype(np.float32)
    eta = np.full(len(R), 5, np.float32)
    codebooks, frozen = books(1, 6, 2, 16), LAYOUTS["read-only"](books(1, 6, 2, 16))
    assert same_bits(encode(R, codebooks), encode(R, frozen, threads=3))
    one, three = (encode_anisotropic(R, R, frozen, eta, threads=threads) for threads in (1, 3))
    assert same_bits(one, three)


def test_pieces_cover_the_rows_in_order():
    for threads in (1, 4):
        parts = in_pieces(lambda part: (part.start, part.stop), 10, piece=4, threads=threads)
        assert parts == [(0, 4), (4, 8), (8, 10)]
    assert in_pieces(lambda part: part, 0) == []


@modest
@given(matrices(), layouts)
def test_plain_rows_are_ready_for_kernels(X, layout):
    rows = plain(layout(X))
    assert (rows.dtype, type(rows)) == (np.float32, np.ndarray)
    assert rows.flags.c_contiguous
    assert rows.flags.writeable
    assert np.array_equal(rows, layout(X).astype(np.float32))
    assert plain(rows) is rows


def test_units_and_norms():
    X = np.float32([[3, 4], [0, 0], [1e-30, 0], [0, -3e38]])
    assert norms(X) == pytest.approx([5, 0, 1e-30, 3e38])
    np.testing.assert_allclose(unit(X), [[0.6, 0.8], [0, 0], [1, 0], [0, -1]], rtol=1e-6)
