"""Rotations that give every block of dimensions its fair share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scannlite.learning.projection import balanced_rotation, unevenness
from tests.strategies import matrices


def test_four_directions_by_hand():
    """Variances 16, 9, 4, 1 in two blocks: the largest goes with the smallest, 16 · 1 and 9 · 4."""
    X = np.diag([8.0, 6.0, 4.0, 2.0])
    expected = np.eye(4, dtype=np.float32)[[0, 3, 1, 2]]
    assert np.allclose(balanced_rotation(X, 4, 2), expected, atol=1e-6)
    assert np.allclose(balanced_rotation(X, 2, 1), np.eye(4)[:2], atol=1e-6)


@settings(deadline=None)
@given(matrices(n=st.integers(1, 40)), st.data())
def test_rows_are_orthonormal_and_full_rotations_keep_lengths(X, data):
    d = X.shape[1]
    kept = data.draw(st.integers(1, d))
    b = data.draw(st.integers(1, kept))
    rotation = balanced_rotation(X, kept, b)
    assert rotation.shape == (kept, d)
    assert np.allclose(rotation @ rotation.T, np.eye(kept), atol=1e-5)
    if kept == d:
        rotated = X @ rotation.T
        assert np.linalg.norm(rotated) == pytest.approx(np.linalg.norm(X), rel=1e-4, abs=1e-6)


def test_blocks_share_alike():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 32)) * np.geomspace(1, 0.01, 32)
    rotated = X @ balanced_rotation(X, 32, 4).T.astype(np.float64)
    products = np.log((rotated**2).mean(axis=0)).reshape(8, 4).sum(axis=1)
    in_order = np.log((X**2).mean(axis=0)).reshape(8, 4).sum(axis=1)
    assert np.ptp(products) < 0.1 * np.ptp(in_order)


def test_unevenness_by_hand():
    """Variances 16, 4, 4, 1: mean 6.25, geometric mean 4."""
    X = np.diag([8.0, 4.0, 4.0, 2.0])
    assert unevenness(X) == pytest.approx(6.25 / 4)
    assert unevenness(np.eye(5)) == pytest.approx(1)
    assert unevenness(np.zeros((3, 5))) == 1
    assert unevenness(np.ones((3, 5))) > 1e3


@settings(deadline=None)
@given(matrices(n=st.integers(1, 40)))
def test_unevenness_is_finite_and_at_least_one(X):
    assert 1 - 1e-6 <= unevenness(X) < np.inf
