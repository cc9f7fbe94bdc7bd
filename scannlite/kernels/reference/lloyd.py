"""The NumPy twins of ``kernels.lloyd``."""

from __future__ import annotations

import numpy as np

from scannlite.types import AnyArray

__all__ = ["accumulate"]


def accumulate(R: AnyArray, codes: AnyArray, sums: AnyArray, counts: AnyArray) -> None:
    """Add up, block by block, the rows that share a center: ``kernels.lloyd.accumulate``."""
    d = R.shape[1]
    m, c, b = sums.shape
    sums[:] = 0.0
    for block in range(m):
        center = codes[:, block]
        counts[block] = np.bincount(center, minlength=c)
        for j in range(min(b, d - block * b)):
            # bincount adds its weights one after the other in float64, as the kernel does
            sums[block, :, j] = np.bincount(center, R[:, block * b + j], minlength=c)
