"""Rows to codes: the nearest center of every block, or the ones that keep high scores true."""

from __future__ import annotations

import numpy as np

from scannlite.kernels import implementation
from scannlite.learning.rows import in_pieces, plain, unit
from scannlite.types import AnyArray, Codes, Floats

__all__ = ["encode", "encode_anisotropic"]


def encode(R: AnyArray, codebooks: Floats, *, threads: int = 1) -> Codes:
    """Find the nearest center of every block, by squared L2; the first of equals.

    Args:
        R: (n, d), any number type.
        codebooks: (m, c, b) float32, the last block ending in zeros where b does not divide d.
        threads: the result does not depend on it.

    Returns:
        (n, m) uint8.
    """
    nearest = implementation("encode").nearest
    centers = _side_by_side(codebooks)
    codes = np.empty((len(R), len(codebooks)), np.uint8)

    def choose(part: slice) -> None:
        nearest(plain(R[part]), centers, codes[part])

    in_pieces(choose, len(R), threads=threads)
    return codes


def encode_anisotropic(
    R: AnyArray, X: AnyArray, codebooks: Floats, eta: Floats, *, threads: int = 1
) -> Codes:
    """Choose codes whose error hurts high scores least.

    From the nearest centers, coordinate descent of eta ‖e∥‖² + ‖e⊥‖², where e is what the code
    leaves of a row of R, and e∥ its part along the same row of X (Guo et al., 2020, arXiv
    1908.10396; the order of steps is ScaNN's). Nearest centers leave the least error, so rows with
    eta up to 1 keep them.

    Args:
        R: (n, d), what is encoded: the rows, or what their centroids leave over.
        X: (n, d), the rows themselves.
        codebooks: (m, c, b) float32.
        eta: (n,) float32, as from ``anisotropy``.
        threads: the result does not depend on it.

    Returns:
        (n, m) uint8.
    """
    kernels = implementation("encode")
    centers = _side_by_side(codebooks)
    codes = np.empty((len(R), len(codebooks)), np.uint8)

    def choose(part: slice) -> None:
        rows = plain(R[part])
        kernels.nearest(rows, centers, codes[part])
        kernels.anisotropic(rows, unit(X[part]), centers, plain(eta[part]), codes[part])

    in_pieces(choose, len(R), threads=threads)
    return codes


def _side_by_side(codebooks: Floats) -> Floats:
    """(m, c, b) to (m, b, c): kernels compare a row with all centers of a block at once."""
    return plain(codebooks.swapaxes(1, 2))
