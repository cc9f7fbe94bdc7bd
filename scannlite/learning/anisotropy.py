"""How much more an error along a row costs than one across it.

Guo et al., 2020 (arXiv 1908.10396), section 3: only scores above T count, queries point anywhere.
Then an error along a row x costs eta times one across it, with t = T / ‖x‖, α = arccos t and

    eta = (d - 1) (I_{d-2} - I_d) / I_d,    I_d = ∫₀^α sin^d.
"""

from __future__ import annotations

import functools

import numpy as np

from scannlite.types import AnyArray, Floats

__all__ = ["eta_asymptotic", "eta_exact"]

STEPS = 4096  # of the table over t; linear between, true to 1e-4 for d up to some thousands
NODES = 128  # of each integral


def eta_asymptotic(threshold: float, norms: Floats, d: int) -> Floats:
    """The limit for many dimensions, which is ScaNN's formula: (d - 1) t² / (1 - t²).

    Args:
        threshold: T, in the units of the scores of unit queries.
        norms: (n,) float32, the lengths of the rows.
        d: dimensions.

    Returns:
        (n,) float32; 1, no effect, for rows no longer than T.
    """
    t = _relative(threshold, norms)
    eta = (d - 1) * t * t / (1.0 - t * t)
    return np.where(t > 0.0, eta, 1.0).astype(np.float32)


def eta_exact(threshold: float, norms: Floats, d: int) -> Floats:
    """The true ratio for d dimensions, always above 1.

    Args:
        threshold: T, in the units of the scores of unit queries.
        norms: (n,) float32, the lengths of the rows.
        d: dimensions.

    Returns:
        (n,) float32; 1, no effect, for rows no longer than T.
    """
    t = _relative(threshold, norms)
    eta = np.interp(t, np.linspace(0.0, 1.0, STEPS + 1), _table(d)) / (1.0 - t * t)
    return np.where(t > 0.0, eta, 1.0).astype(np.float32)


def _relative(threshold: float, norms: Floats) -> AnyArray:
    """The threshold in lengths of rows, t (n,) float64; 0 for rows no longer than T."""
    lengths = np.asarray(norms, np.float64)
    t = np.zeros(len(lengths))
    np.divide(threshold, lengths, out=t, where=lengths > threshold)
    return t


@functools.lru_cache(maxsize=8)
def _table(d: int) -> AnyArray:
    """(1 - t²) eta at STEPS + 1 even steps of t from 0 to 1; dear enough to keep."""
    return _damped_eta(np.linspace(0.0, 1.0, STEPS + 1), d)


def _damped_eta(t: AnyArray, d: int) -> AnyArray:
    """(1 - t²) eta, which runs smoothly from 1 at t = 0 to d + 1 at t = 1.

    Integration by parts gives eta = 1 + t (1 - t²)^{(d-1)/2} / I_d, and y = cos θ gives
    I_d = ∫_t^1 (1 - y²)^{(d-1)/2} dy. With e = 2 / (d + 1), (1 - y²) = (1 - t²) exp(-(r² - t²))
    and r = t + x this becomes, without powers that underflow,

        (1 - t²) eta = (1 - t²) + t / ∫₀^∞ exp(-(2 t x + x²) / e) r / y dx,

    where y² = 1 - (1 - t²) exp(-(2 t x + x²)). Gauss-Legendre does the rest: x runs to 40 times
    the width at which the exponent is 1, more densely near 0.
    """
    t = t[:, None]
    e = 2.0 / (d + 1)
    points, weights = np.polynomial.legendre.leggauss(NODES)
    v = (points + 1.0) / 2.0
    reach = 40.0 * e / (t + np.sqrt(t * t + e))
    x = reach * v * v
    exponent = 2.0 * t * x + x * x
    y = np.sqrt(t * t - (1.0 - t * t) * np.expm1(-exponent))
    integrand = np.exp(-exponent / e) * (t + x) / y * 2.0 * reach * v
    integral = integrand @ (weights / 2.0)
    t = t[:, 0]
    return (1.0 - t * t) + t / integral
