"""Seeded rows that resemble real embeddings, as many as wanted.

Few directions carry most of the variance, clusters are uneven in size and spread, and each
stretches along directions of its own. Rows are made by chunks, each from a seed of its own:
the first rows of a longer set are the rows of a shorter one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bench.sets import Problem, problem_of
from scannlite.types import Distance, Floats

__all__ = ["CHUNK", "chunks", "generated", "rows"]

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


def chunks(n: int, d: int, *, seed: int = 0) -> Iterator[Floats]:
    """The rows of ``rows(n, d)``, at most CHUNK at a time."""
    shape = _shape(d, seed)
    for number, first in enumerate(range(0, n, CHUNK)):
        # A whole chunk always, so that what is kept of it does not depend on n.
        yield _chunk(shape, CHUNK, seed, number)[: n - first]


def rows(n: int, d: int, *, seed: int = 0) -> Floats:
    """(n, d) rows; fewer of them are the first of more."""
    X = np.empty((n, d), np.float32)
    first = 0
    for part in chunks(n, d, seed=seed):
        X[first : first + len(part)] = part
        first += len(part)
    return X


def generated(
    n: int, d: int, distance: Distance, *, queries: int = 2_000, seed: int = 0
) -> Problem:
    """Rows and queries from the same clusters."""
    Q = _chunk(_shape(d, seed), queries, seed, QUERY_STREAM)
    return problem_of(
        f"generated-{n}x{d}-{distance}", distance, rows(n, d, seed=seed), Q, queries=queries
    )
