"""Codebooks: k-means of every block, ragged ends, few rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scannlite.learning.codebooks import train_codebooks
from scannlite.learning.encode import encode
from tests.strategies import layouts, matrices, same_bits, seeds

modest = settings(deadline=None, max_examples=40)


def train(R, b=2, c=16, seed=0, **options):
    options = {"iterations": 6, **options}
    return train_codebooks(R, b, c, **options, rng=np.random.default_rng(seed))


def decode(codes, codebooks, d):
    blocks = codebooks[np.arange(len(codebooks)), codes]
    width = codebooks.shape[0] * codebooks.shape[2]
    return blocks.reshape(len(codes), width)[:, :d]


def test_by_hand():
    R = np.float32([[0, 0, 7], [0, 2, 7], [9, 0, 8], [9, 2, 8]])
    first, last = train(R, 2, 2, iterations=9)
    groups = [[[0, 1], [9, 1]], [[4.5, 0], [4.5, 2]]]  # both are where Lloyd's steps can end
    assert sorted(first.tolist()) in groups
    assert sorted(last.tolist()) == [[7, 0], [8, 0]]


@modest
@given(matrices(), st.integers(1, 6), st.sampled_from([1, 2, 16, 256]), seeds, layouts)
def test_shape_padding_and_the_same_bytes_again(R, b, c, seed, layout):
    d = R.shape[1]
    given_rows = layout(R)
    codebooks = train(given_rows, b, c, seed)
    assert (codebooks.dtype, codebooks.shape) == (np.float32, (-(-d // b), c, b))
    assert np.isfinite(codebooks).all()
    assert not codebooks.swapaxes(0, 1).reshape(c, -1)[:, d:].any()
    plain = np.ascontiguousarray(given_rows, np.float32)
    assert same_bits(codebooks, train(plain, b, c, seed, threads=2))


@modest
@given(matrices(n=st.integers(1, 16)), st.integers(1, 4), seeds)
def test_up_to_c_rows_are_encoded_without_error(R, b, seed):
    codebooks = train(R, b, 16, seed)
    decoded = decode(encode(R, codebooks), codebooks, R.shape[1])
    np.testing.assert_allclose(decoded, R, rtol=1e-6, atol=1e-9)


def test_centers_where_most_rows_are_equal_are_not_wasted():
    R = np.zeros((5000, 2), np.float32)
    R[:40] = np.random.default_rng(0).standard_normal((40, 2))
    codes = encode(R, train(R, iterations=10))
    assert len(np.unique(codes)) == 16


@pytest.mark.parametrize("c", [16, 256])
def test_threads_do_not_matter_and_steps_lower_the_error(c):
    R = np.random.default_rng(1).standard_normal((9000, 5)).astype(np.float32)
    errors = []
    for iterations in (0, 1, 8):
        codebooks = train(R, 2, c, iterations=iterations)
        assert same_bits(codebooks, train(R, 2, c, iterations=iterations, threads=3))
        errors.append(np.square(R - decode(encode(R, codebooks), codebooks, 5)).sum())
    assert errors == sorted(errors, reverse=True)
