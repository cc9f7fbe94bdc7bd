"""Rows, queries and the truth about them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from scannlite.types import AnyArray, Distance, Floats, Ids

__all__ = ["DISTANCES", "K", "Problem", "load", "recall", "synthetic"]

K = 10
QUERIES = 1_000
DISTANCES: dict[str, Distance] = {
    "fashion-mnist-784": "squared_l2",
    "fashion-dsift-128": "squared_l2",
    "w2v-books-128": "cosine",
    "fashion-mnv1q-256": "cosine",
}


class Problem(NamedTuple):
    """Rows X (n, d), queries Q (q, d), and the distance of each query's k-th neighbour (q,)."""

    name: str
    distance: Distance
    X: Floats
    Q: Floats
    farthest: AnyArray


def load(folder: Path, name: str) -> Problem:
    """A set from its folder, as float32: the truth is computed on what is stored."""
    packed = folder / f"{name}.u8.npz"
    if packed.exists():
        with np.load(packed) as arrays:
            return _problem(name, DISTANCES[name], arrays["base"], arrays["queries"])
    rows = next(path for kind in ("u8", "f16") for path in folder.glob(f"{name}.{kind}.npy"))
    queries = rows.with_name(rows.name.replace(name, f"{name}.queries"))
    return _problem(name, DISTANCES[name], np.load(rows), np.load(queries))


def synthetic(distance: Distance, *, n: int = 20_000, d: int = 64, seed: int = 0) -> Problem:
    """Clustered rows and queries from the same clusters."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((200, d), dtype=np.float32)
    which = rng.integers(200, size=n + QUERIES)
    points = centers[which] + 0.5 * rng.standard_normal((n + QUERIES, d), dtype=np.float32)
    return _problem(f"synthetic-{distance}", distance, points[:n], points[n:])


def _problem(name: str, distance: Distance, X: AnyArray, Q: AnyArray) -> Problem:
    X = np.ascontiguousarray(X, np.float32)
    step = max(1, len(Q) // QUERIES)
    Q = np.ascontiguousarray(Q[::step][:QUERIES], np.float32)
    farthest = np.empty(len(Q))
    for first in range(0, len(Q), 50):
        part = slice(first, first + 50)
        near = np.argpartition(_distances(X, Q[part], distance), K - 1, axis=1)[:, :K]
        farthest[part] = _true_distances(X, Q[part], near, distance).max(axis=1)
    return Problem(name, distance, X, Q, farthest)


def _distances(X: Floats, Q: Floats, distance: Distance) -> Floats:
    """All distances (q, n), up to what orders nothing."""
    dots: Floats = Q @ X.T
    squares = np.einsum("ij,ij->i", X, X)
    if distance == "cosine":
        return -dots / np.sqrt(squares)
    return squares - 2 * dots


def _true_distances(X: Floats, Q: Floats, ids: Ids, distance: Distance) -> AnyArray:
    """Distances (q, k) in float64."""
    rows, queries = X[ids].astype(np.float64), Q[:, None].astype(np.float64)
    if distance == "cosine":
        rows /= np.linalg.norm(rows, axis=2, keepdims=True)
        queries /= np.linalg.norm(queries, axis=2, keepdims=True)
    return np.asarray(((rows - queries) ** 2).sum(axis=2))


def recall(problem: Problem, ids: Ids) -> float:
    """The share of ids (q, k) no farther than the true k-th neighbour: ties are as good as it."""
    distances = _true_distances(problem.X, problem.Q, np.maximum(ids, 0), problem.distance)
    near = distances <= problem.farthest[:, None] * (1 + 1e-6) + 1e-9
    return float((near & (ids >= 0)).mean())
