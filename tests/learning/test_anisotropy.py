"""Eta: the table of the paper's formula, and its edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scannlite.learning.anisotropy import eta_asymptotic, eta_exact

TABLE = {  # d: (exact, asymptotic) at T = 0.1, 0.2, 0.3 and norm 1
    16: [(1.44, 0.15), (2.16, 0.63), (3.26, 1.48)],
    64: [(2.11, 0.64), (4.39, 2.63), (8.22, 6.23)],
    100: [(2.55, 1.00), (5.95, 4.13), (11.84, 9.79)],
    384: [(5.63, 3.87), (17.94, 15.96), (40.0, 37.9)],
    768: [(9.60, 7.75), (33.99, 31.96), (78.0, 75.9)],
}


def by_quadrature(t, d, steps=200_000):
    """(d - 1) (I_{d-2} - I_d) / I_d by midpoints, with sines relative to the largest."""
    alpha = np.arccos(t)
    angle = (np.arange(steps) + 0.5) * alpha / steps
    sine = np.sin(angle) / np.sin(alpha)
    low, high = (sine ** (d - 2)).sum(), (sine**d).sum() * np.sin(alpha) ** 2
    return (d - 1) * (low - high) / high


@pytest.mark.parametrize("d", TABLE)
def test_table(d):
    one = np.ones(1, np.float32)
    for T, (exact, asymptotic) in zip((0.1, 0.2, 0.3), TABLE[d], strict=True):
        assert eta_exact(T, one, d)[0] == pytest.approx(exact, rel=2e-3, abs=6e-3)
        assert eta_asymptotic(T, one, d)[0] == pytest.approx(asymptotic, rel=2e-3, abs=6e-3)


@pytest.mark.parametrize("d", [2, 3, 10, 128, 1000, 4096])
@pytest.mark.parametrize("t", [0.001, 0.0123, 0.1, 0.2, 0.5, 0.9, 0.999])
def test_exact_is_the_integral(d, t):
    assert eta_exact(t, np.ones(1), d)[0] == pytest.approx(by_quadrature(t, d), rel=1e-4)


@pytest.mark.parametrize("eta", [eta_exact, eta_asymptotic])
def test_rows_no_longer_than_the_threshold_are_left_alone(eta):
    norms = np.float32([0, 0.1, 0.2, 0.2000001, 1])
    found = eta(0.2, norms, 768)
    assert found.dtype == np.float32
    assert found[:3].tolist() == [1, 1, 1] or found[2] > 1  # float32 0.2 is above 0.2
    assert np.isfinite(found).all()
    assert (found[3:] > 1).all()
    assert eta(0.2, norms[:0], 768).shape == (0,)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 8192), st.floats(1e-6, 10), st.floats(1e-6, 10))
def test_exact_exceeds_one_and_its_limit_and_grows_with_the_threshold(d, T, more):
    norms = np.array([T * 1.001 + more])
    low, high = eta_exact(T, norms, d)[0], eta_exact(T + more / 2, norms, d)[0]
    assert 1 <= low <= high * (1 + 1e-6)
    assert np.isfinite(high)
    assert low >= eta_asymptotic(T, norms, d)[0] * (1 - 1e-4)
