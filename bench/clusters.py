"""Problems of generated rows: those that ``scannlite bench`` makes where it is given none."""

from __future__ import annotations

import numpy as np

from bench.sets import Problem, problem_of
from scannlite.cli.generated import CHUNK, chunks
from scannlite.cli.generated import queries as generated_queries
from scannlite.types import Distance, Floats

__all__ = ["CHUNK", "chunks", "generated", "rows"]


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
    Q = generated_queries(queries, d, seed=seed)
    return problem_of(
        f"generated-{n}x{d}-{distance}", distance, rows(n, d, seed=seed), Q, queries=queries
    )
