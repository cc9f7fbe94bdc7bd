"""Rotations after which every block of dimensions carries its fair share of the variance."""

from __future__ import annotations

import numpy as np

from scannlite.learning.rows import in_pieces
from scannlite.types import AnyArray, Floats

__all__ = ["balanced_rotation", "unevenness"]

_ENOUGH = 16_384  # rows to learn a rotation from, or 8 a dimension
_LEAST_SHARE = 1e-12  # of the largest variance: smaller ones are rounding


def balanced_rotation(X: AnyArray, kept: int, b: int) -> Floats:
    """Principal directions of rows, dealt to blocks so that the blocks' variances multiply alike.

    A block of b dimensions is quantised with an error near the geometric mean of its variances:
    the total is least when those means are equal. Directions are dealt from the largest variance
    down, each to the block whose product is least so far ("eigenvalue allocation" of Ge et al.,
    Optimized Product Quantization, 2013).

    Args:
        X: (n, d), n > 0, any number type. Its mean is not taken off. Of many rows, some are used.
        kept: directions kept, 1 ... d; those of least variance are left out.
        b: dimensions a block.

    Returns:
        (kept, d) float32 with orthonormal rows; rows b j ... b j + b - 1 are block j's, and the
        last block has fewer where b does not divide ``kept``.
    """
    few = X[:: max(1, len(X) // max(_ENOUGH, 8 * X.shape[1]))]
    variances, directions = np.linalg.eigh(_second_moments(few))
    variances, directions = variances[::-1][:kept], directions.T[::-1][:kept]
    shares = _logarithms(variances)
    order = _deal(shares - shares[-1], b)
    return np.asarray(directions[order] * _signs(directions[order])[:, None], np.float32)


def unevenness(X: AnyArray) -> float:
    """The arithmetic mean of rows' variances along principal directions over the geometric mean.

    By this factor the error of codes falls when a rotation shares variance out among blocks
    (the coding gain of transform coding, as in Gersho and Gray, 1992, section 8.6).

    Args:
        X: (n, d), n > 0, any number type. Its mean is not taken off.

    Returns:
        1 where all directions vary alike, else more; more by chance where n is not well above d.
    """
    variances = np.linalg.eigvalsh(_second_moments(X))[::-1]
    mean = variances.mean()
    return float(mean / np.exp(_logarithms(variances).mean())) if mean > 0 else 1.0


def _second_moments(X: AnyArray) -> AnyArray:
    """Means of products of columns (d, d), float64."""
    total = np.zeros((X.shape[1], X.shape[1]))

    def add(part: slice) -> None:
        rows = np.asarray(X[part], np.float64)
        total[...] += rows.T @ rows

    in_pieces(add, len(X))
    return total / len(X)


def _logarithms(variances: AnyArray) -> AnyArray:
    """Of variances, largest first, none of them zero."""
    least = max(float(variances[0]) * _LEAST_SHARE, float(np.finfo(np.float64).tiny))
    return np.log(np.maximum(variances, least))


def _deal(shares: AnyArray, b: int) -> list[int]:
    """The order that puts each share, from the largest down, into the block with the least sum."""
    room = np.full(-(-len(shares) // b), b)
    room[-1] -= b * len(room) - len(shares)
    sums = np.zeros(len(room))
    blocks: list[list[int]] = [[] for _ in room]
    for place, share in enumerate(shares):
        block = int(np.argmin(np.where(room > 0, sums, np.inf)))
        blocks[block].append(place)
        sums[block] += share
        room[block] -= 1
    return [place for block in blocks for place in block]


def _signs(directions: AnyArray) -> AnyArray:
    """1 or -1 for each direction: the one that makes its largest component positive."""
    largest = np.abs(directions).argmax(axis=1)
    return np.where(directions[np.arange(len(directions)), largest] < 0, -1.0, 1.0)
