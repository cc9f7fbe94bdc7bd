"""Rows in leaf order."""

from __future__ import annotations

import numpy as np

from scannlite.types import Ids, Leaves

__all__ = ["group_by_leaf"]


def group_by_leaf(leaf: Leaves, L: int) -> tuple[Ids, Ids]:
    """Put the rows of each leaf side by side, in the order they came.

    Args:
        leaf: (n,) int32, the leaf of each row, from 0 to L - 1.
        L: leaves.

    Returns:
        ``order`` (n,) int64, the row at each place, and ``start`` (L + 1,) int64: leaf l holds the
        rows ``order[start[l]:start[l + 1]]``.
    """
    # NumPy sorts 16-bit integers stably by radix, in linear time
    keys = leaf.astype(np.uint16) if L <= 1 << 16 else leaf
    order = np.argsort(keys, kind="stable").astype(np.int64, copy=False)
    start = np.zeros(L + 1, np.int64)
    np.cumsum(np.bincount(leaf, minlength=L), out=start[1:])
    return order, start
