"""Going through rows by pieces: bounded memory, any input layout, any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from scannlite.types import AnyArray, Floats

__all__ = ["in_pieces", "norms", "plain", "unit"]

PIECE = 1024  # rows; a constant, so that results cannot depend on the machine

Result = TypeVar("Result")


def in_pieces(
    work: Callable[[slice], Result], n: int, *, piece: int = PIECE, threads: int = 1
) -> list[Result]:
    """Call ``work`` for slices that cover n rows; the results in the order of the rows.

    Args:
        work: called with one slice at a time, from ``threads`` threads.
        n: rows.
        piece: rows a slice.
        threads: 1 runs everything in the calling thread.
    """
    slices = [slice(first, min(first + piece, n)) for first in range(0, n, piece)]
    if threads == 1 or len(slices) < 2:
        return [work(part) for part in slices]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, slices))


def plain(X: AnyArray) -> Floats:
    """X as kernels want it: float32, C order, writable; copied only where it is not.

    To Numba a read-only array is another type, for which it would compile again.
    """
    return np.require(X, np.float32, ("C", "W", "E"))


def norms(X: AnyArray) -> Floats:
    """Euclidean lengths of the rows of X (n, d): (n,) float32, summed in float64."""
    lengths = np.empty(len(X), np.float32)

    def measure(part: slice) -> None:
        rows = X[part].astype(np.float64)
        lengths[part] = np.sqrt(np.einsum("ij,ij->i", rows, rows))

    in_pieces(measure, len(X))
    return lengths


def unit(X: AnyArray) -> Floats:
    """The rows of X (n, d) at length 1: (n, d) float32. Zero rows stay zero."""
    lengths = norms(X)
    return plain(X / np.where(lengths > 0, lengths, np.float32(1.0))[:, None])
