"""From rows to the arrays of an index, in bounded memory: learn, assign, encode.

Rows are read by chunks, in order, and each is read twice: once for its leaf, once for its codes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scannlite.engine.arrays import IndexArrays
from scannlite.engine.learned import learn
from scannlite.engine.options import ScaNNOptions
from scannlite.engine.source import Source
from scannlite.engine.writer import write_rows
from scannlite.errors import InvalidInput
from scannlite.learning.kmeans import assign
from scannlite.types import AnyArray, Floats, Leaves, Progress

__all__ = ["build_arrays"]


def build_arrays(
    X: AnyArray, options: ScaNNOptions, seed: int, threads: int, progress: Progress
) -> IndexArrays:
    """Learn from rows and encode them.

    Args:
        X: (n, d), n > 0.
        options: what to build.
        seed: of every random choice.
        threads: workers of the encoding; the arrays do not depend on it.
        progress: called with a stage, and how much of it is done of how much.

    Raises:
        InvalidInput: a number is not finite, or options ask for more leaves than rows, or for more
            dimensions than there are.
    """
    n, d = X.shape
    _check_fit(options, n, d)
    rng = np.random.default_rng(seed)
    raw = Source(X, options.distance_measure == "cosine", np.zeros(d, np.float32))
    progress("train", 0, 1)
    learned = learn(raw, options, rng, threads)
    progress("train", 1, 1)
    source = replace(raw, mean=learned.mean)
    leaf = _assign_rows(source, learned.centroids, progress)
    return write_rows(source, leaf, learned, options, threads=threads, progress=progress)


def _check_fit(options: ScaNNOptions, n: int, d: int) -> None:
    if options.tree is not None and options.tree.num_leaves > n:
        raise InvalidInput(
            f"Tree.num_leaves must be from 1 to the number of rows ({n}), "
            f"got {options.tree.num_leaves}."
        )
    if options.device is not None and options.device.block_dims is not None:
        raise InvalidInput(
            "Device.block_dims must be None for a build, which makes blocks of "
            f"ScoreAH.dimensions_per_block dimensions, got {options.device.block_dims}."
        )
    ah = options.score_ah
    if ah is not None and ah.projection is not None and ah.projection > d:
        raise InvalidInput(
            f"ScoreAH.projection must be from 1 to the number of dimensions ({d}), "
            f"got {ah.projection}."
        )


def _assign_rows(source: Source, centroids: Floats, progress: Progress) -> Leaves:
    n = len(source.X)
    leaf = np.zeros(n, np.int32)
    for chunk in source.chunks():
        rows = source.read(chunk)
        if len(centroids) > 1:
            leaf[chunk] = assign(rows, centroids)
        progress("assign", chunk.stop, n)
    return leaf
