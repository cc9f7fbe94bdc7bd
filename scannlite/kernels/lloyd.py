"""The sums of one step of Lloyd's k-means, for leaves and for codebooks alike."""

from __future__ import annotations

from scannlite.kernels.jit import kernel
from scannlite.types import AnyArray

__all__ = ["accumulate"]


@kernel
def accumulate(R: AnyArray, codes: AnyArray, sums: AnyArray, counts: AnyArray) -> None:
    """Add up, block by block, the rows that share a center.

    Leaves are the case of one block as wide as the row. Sums run down the rows in float64, so
    they are the same bits however the caller came by its codes.

    Args:
        R: IN, (n, d) float32.
        codes: IN, (n, m) uint8 or int32, the center of each block of each row.
        sums: OUT, (m, c, b) float64; dimensions past d in the last block are zero.
        counts: OUT, (m, c) int64.
    """
    n, d = R.shape
    m, _, b = sums.shape
    sums[:] = 0.0
    counts[:] = 0
    for i in range(n):
        for block in range(m):
            first = block * b
            center = codes[i, block]
            counts[block, center] += 1
            for j in range(min(b, d - first)):
                sums[block, center, j] += R[i, first + j]
