"""Rotations after which every block of dimensions carries its fair share of the variance."""

from __future__ import annotations

import numpy as np

from scannlite.types import AnyArray, Floats

__all__ = ["balanced_rotation"]


def balanced_rotation(X: AnyArray, kept: int, b: int) -> Floats:
    """Principal directions of rows, dealt to blocks so that the blocks' variances multiply alike.

    A block of b dimensions is quantised with an error near the geometric mean of its variances:
    the total is least when those means are equal. Directions are dealt from the largest variance
    down, each to the block whose product is least so far ("eigenvalue allocation" of Ge et al.,
    Optimized Product Quantization, 2013).

    Args:
        X: (n, d), n > 0, any number type. Its mean is not taken off.
        kept: directions kept, 1 ... d; those of least variance are left out.
        b: dimensions a block.

    Returns:
        (kept, d) float32 with orthonormal rows; rows b j ... b j + b - 1 are block j's, and the
        last block has fewer where b does not divide ``kept``.
    """
    rows = np.asarray(X, np.float64)
    variances, directions = np.linalg.eigh(rows.T @ rows / len(rows))
    variances, directions = variances[::-1][:kept], directions.T[::-1][:kept]
    shares = np.log(np.maximum(variances, variances[0] * 1e-12 + np.finfo(np.float64).tiny))
    order = _deal(shares - shares[-1], b)
    return np.asarray(directions[order] * _signs(directions[order])[:, None], np.float32)


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
