"""Seeded rows that resemble real embeddings, as many as wanted, for who has none at hand.

Few directions carry most of the variance, clusters are uneven in size and spread, and each
stretches along directions of its own. Rows are made by chunks, each from a seed of its own:
the first rows of a longer set are the rows of a shorter one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from scannlite.types import Floats

__all__ = ["CHUNK", "chunks", "queries"]

CHUNK = 50_000
CLUSTERS = 2_000
LATENT = 32
NOISE = 0.05
QUERY_STREAM = 2**31  # a chunk number that no row has


class Shape(NamedTuple):
    """Where the clusters are: c of them, r latent directions."""

    share: Floats  # (c,) of the rows, summing to 1
    center: Floats  # (c, d)
    stretch: Floats  # (c, r)
    basis: Floats  # (r, d)


def chunks(n: int, d: int, *, seed: int = 0) -> Iterator[Floats]:
    """N rows of d dimensions, at most CHUNK at a time."""
    shape = _shape(d, seed)
    for number, first in enumerate(range(0, n, CHUNK)):
        # A whole chunk always, so that what is kept of it does not depend on n.
        yield _chunk(shape, CHUNK, seed, number)[: n - first]


def queries(count: int, d: int, *, seed: int = 0) -> Floats:
    """(count, d) rows from the same clusters, none of which ``chunks`` gives."""
    return _chunk(_shape(d, seed), count, seed, QUERY_STREAM)


def _shape(d: int, seed: int) -> Shape:
    rng = np.random.default_rng(seed)
    r = min(LATENT, d)
    variance = np.arange(1, r + 1, dtype=np.float32) ** -0.5
    basis = rng.standard_normal((r, d), dtype=np.float32) / np.float32(np.sqrt(d))
    share = np.arange(1, CLUSTERS + 1) ** -0.7
    center = rng.standard_normal((CLUSTERS, r), dtype=np.float32) * variance
    spread = rng.lognormal(-0.7, 0.3, (CLUSTERS, 1)) * rng.lognormal(0, 0.5, (CLUSTERS, r))
    return Shape(
        share=(share / share.sum()).astype(np.float32),
        center=center @ basis,
        stretch=(spread * variance).astype(np.float32),
        basis=basis,
    )


def _chunk(shape: Shape, count: int, seed: int, number: int) -> Floats:
    rng = np.random.default_rng([seed, number])
    c, r = shape.stretch.shape
    d = shape.basis.shape[1]
    edges = np.cumsum(shape.share, dtype=np.float64)
    which = np.minimum(np.searchsorted(edges, rng.random(count)), c - 1)
    latent = rng.standard_normal((count, r), dtype=np.float32) * shape.stretch[which]
    noise = rng.standard_normal((count, d), dtype=np.float32)
    made: Floats = shape.center[which] + latent @ shape.basis
    made += np.float32(NOISE / np.sqrt(d)) * noise
    return made
