"""What hypothesis draws: small matrices of every awkward kind, and every layout they come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

__all__ = [
    "LAYOUTS",
    "clustered",
    "exact_distances",
    "examples",
    "layouts",
    "matrices",
    "same_bits",
    "seeds",
]

Array = NDArray[Any]

ROWS = st.integers(0, 40)
DIMENSIONS = st.integers(1, 19)

seeds = st.integers(0, 2**32 - 1)


def examples(count: int) -> settings:
    """So many of them for a property, in any time; of a profile with fewer than 100, that share."""
    return settings(deadline=None, max_examples=-(-count * settings().max_examples // 100))


def _normal(rng: np.random.Generator, n: int, d: int) -> Array:
    return rng.standard_normal((n, d))


def _ties(rng: np.random.Generator, n: int, d: int) -> Array:
    return rng.integers(-2, 3, (n, d))


def _duplicates(rng: np.random.Generator, n: int, d: int) -> Array:
    few = rng.standard_normal((3, d))
    return few[rng.integers(0, 3, n)]


def _zeros(rng: np.random.Generator, n: int, d: int) -> Array:  # noqa: ARG001
    return np.zeros((n, d))


def _mixed_lengths(rng: np.random.Generator, n: int, d: int) -> Array:
    return rng.standard_normal((n, d)) * 10.0 ** rng.integers(-3, 4, (n, 1))


def _far_off(rng: np.random.Generator, n: int, d: int) -> Array:
    return rng.standard_normal((n, d)) + 1000.0


KINDS = (_normal, _ties, _duplicates, _zeros, _mixed_lengths, _far_off)


@st.composite
def matrices(
    draw: st.DrawFn,
    n: st.SearchStrategy[int] = ROWS,
    d: st.SearchStrategy[int] = DIMENSIONS,
    kinds: tuple[Callable[[np.random.Generator, int, int], Array], ...] = KINDS,
) -> NDArray[np.float32]:
    """(n, d) float32, C order: normal, tied, repeated, zero, of mixed lengths, or far off."""
    rng = np.random.default_rng(draw(seeds))
    return draw(st.sampled_from(kinds))(rng, draw(n), draw(d)).astype(np.float32)


def _read_only(X: Array) -> Array:
    X = X.copy()
    X.flags.writeable = False
    return X


def _strided(X: Array) -> Array:
    wide = np.full((2 * len(X), 3 * X.shape[1]), np.nan, X.dtype)
    view = wide[::2, ::3]
    view[:] = X
    return view


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "plain": lambda X: X,
    "read-only": _read_only,
    "strided": _strided,
    "fortran": np.asfortranarray,
    "big-endian": lambda X: X.astype(">f4"),
    "float64": lambda X: X.astype(np.float64),
    "float16": lambda X: X.astype(np.float16),
    "int8": lambda X: X.clip(-99, 99).astype(np.int8),
}

layouts = st.sampled_from(sorted(LAYOUTS)).map(lambda name: LAYOUTS[name])


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays have the same shape, type and bytes."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def clustered(n: int, d: int, *, seed: int, groups: int = 20) -> NDArray[np.float32]:
    """(n, d) float32 around ``groups`` centers that depend on d alone: rows and queries fit."""
    centers = np.random.default_rng(d).standard_normal((groups, d)) * 3
    rng = np.random.default_rng(seed)
    rows = centers[rng.integers(0, groups, n)] + rng.standard_normal((n, d))
    return rows.astype(np.float32)


def exact_distances(Q: Array, X: Array, measure: str) -> NDArray[np.float64]:
    """(q, n) distances in float64, smaller is closer."""
    Q, X = np.asarray(Q, np.float64), np.asarray(X, np.float64)
    if measure == "squared_l2":
        return ((Q[:, None] - X) ** 2).sum(axis=2)
    if measure == "dot_product":
        return -(Q @ X.T)
    lengths = np.linalg.norm(Q, axis=1)[:, None] * np.linalg.norm(X, axis=1)
    return 1 - np.divide(Q @ X.T, lengths, out=np.zeros_like(lengths), where=lengths > 0)
