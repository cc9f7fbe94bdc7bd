"""The codebooks: plain k-means, one for every block of dimensions, all blocks in one pass."""

from __future__ import annotations

import numpy as np

from scannlite.kernels import implementation
from scannlite.learning.encode import encode
from scannlite.learning.rows import in_pieces, plain
from scannlite.types import AnyArray, Codes, Floats, Ids

__all__ = ["train_codebooks"]


def train_codebooks(  # noqa: PLR0913
    R: AnyArray,
    b: int,
    c: int,
    *,
    iterations: int,
    rng: np.random.Generator,
    threads: int = 1,
) -> Floats:
    """Learn c centers for every b dimensions, with Lloyd's algorithm and squared L2.

    Centers without rows start anew on rows drawn by squared error. Fewer (distinct) rows than c
    are fine: centers repeat.

    Args:
        R: (s, d), the training rows, any number type.
        b: dimensions a block; where it does not divide d, the last block ends in zeros.
        c: centers a block, up to 256.
        iterations: the most steps; fewer when nothing changes.
        rng: the only source of chance.
        threads: the result does not depend on it.

    Returns:
        (m, c, b) float32 with m = ceil(d / b); in ascending order where b is 1.
    """
    R = plain(R)
    codebooks = _random_rows(R, b, c, rng)
    if len(R) == 0:
        return codebooks
    for _ in range(iterations):
        before = codebooks.copy()
        codes = encode(R, codebooks, threads=threads)
        counts = _move_to_means(R, codes, codebooks, threads)
        for block in np.flatnonzero((counts == 0).any(axis=1)):
            columns = R[:, block * b : (block + 1) * b]
            _start_anew(columns, codes[:, block], codebooks[block], counts[block], rng)
        if np.array_equal(codebooks, before):
            break
    if b == 1:
        codebooks.sort(axis=1)  # so that codes next to each other stand for numbers that are
    return codebooks


def _random_rows(R: Floats, b: int, c: int, rng: np.random.Generator) -> Floats:
    """The blocks of c rows (m, c, b), no row twice before all came once; zeros without rows."""
    s, d = R.shape
    m = -(-d // b)
    rows = np.zeros((c, m * b), np.float32)
    if s > 0:
        rows[:, :d] = R[np.resize(rng.permutation(s)[:c], c)]
    return np.ascontiguousarray(rows.reshape(c, m, b).swapaxes(0, 1))


def _move_to_means(R: Floats, codes: Codes, codebooks: Floats, threads: int) -> Ids:
    """Move each center that has rows to their mean. Returns the rows a center, (m, c) int64."""
    accumulate = implementation("lloyd").accumulate

    def total(part: slice) -> tuple[AnyArray, Ids]:
        sums = np.empty(codebooks.shape, np.float64)
        counts = np.empty(codebooks.shape[:2], np.int64)
        accumulate(R[part], codes[part], sums, counts)
        return sums, counts

    parts = in_pieces(total, len(R), threads=threads)
    sums = np.sum([part[0] for part in parts], axis=0)  # by rows, whoever ran first
    counts: Ids = np.sum([part[1] for part in parts], axis=0)
    filled = counts > 0
    codebooks[filled] = sums[filled] / counts[filled][:, None]
    return counts


def _start_anew(
    columns: Floats, code: Codes, centers: Floats, counts: Ids, rng: np.random.Generator
) -> None:
    """Move the centers of one block that have no rows onto rows drawn by squared error."""
    width = columns.shape[1]
    error = np.square(columns - centers[code, :width]).sum(axis=1)
    reach = np.cumsum(error, dtype=np.float64)
    if reach[-1] == 0:
        return
    (empty,) = np.nonzero(counts == 0)
    drawn = np.searchsorted(reach, rng.random(len(empty)) * reach[-1], side="right")
    centers[empty, :width] = columns[np.minimum(drawn, len(code) - 1)]
