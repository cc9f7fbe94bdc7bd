"""Rows, queries and the truth about them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from scannlite.types import AnyArray, Distance, Floats, Ids

__all__ = [
    "DISTANCES",
    "K",
    "Problem",
    "filled",
    "halves",
    "load",
    "load_hdf5",
    "load_pair",
    "problem_of",
    "recall",
    "synthetic",
    "unit",
]

K = 10
QUERIES = 1_000
DISTANCES: dict[str, Distance] = {
    "fashion-mnist-784": "squared_l2",
    "fashion-dsift-128": "squared_l2",
    "w2v-books-128": "cosine",
    "fashion-mnv1q-256": "cosine",
}
HDF5_DISTANCES: dict[str, Distance] = {"angular": "cosine", "euclidean": "squared_l2"}


class Problem(NamedTuple):
    """Rows X (n, d), queries Q (q, d), and the distance of each query's k-th neighbour (q,)."""

    name: str
    distance: Distance
    X: Floats
    Q: Floats
    farthest: AnyArray


def load(folder: Path, name: str, *, queries: int = QUERIES) -> Problem:
    """A set from its folder, as float32: the truth is computed on what is stored."""
    packed = folder / f"{name}.u8.npz"
    if packed.exists():
        with np.load(packed) as arrays:
            X, Q = arrays["base"], arrays["queries"]
        return problem_of(name, DISTANCES[name], X, Q, queries=queries)
    rows = next(path for kind in ("u8", "f16") for path in folder.glob(f"{name}.{kind}.npy"))
    return load_pair(
        rows,
        rows.with_name(rows.name.replace(name, f"{name}.queries")),
        DISTANCES[name],
        name=name,
        queries=queries,
    )


def load_pair(
    rows: Path, questions: Path, distance: Distance, *, name: str = "", queries: int = QUERIES
) -> Problem:
    """Rows from one ``.npy`` file and queries from another."""
    return problem_of(
        name or rows.stem, distance, np.load(rows), np.load(questions), queries=queries
    )


def load_hdf5(path: Path, *, queries: int = QUERIES) -> Problem:
    """A file in the layout of ann-benchmarks; its neighbours are taken for the truth."""
    import h5py  # noqa: PLC0415 - of the bench group, and for this alone

    with h5py.File(path, "r") as file:
        measure = str(file.attrs["distance"])
        if measure not in HDF5_DISTANCES:
            raise ValueError(
                f"{path}: distance must be one of {', '.join(HDF5_DISTANCES)}, got {measure}."
            )
        nearest = np.asarray(file["neighbors"])[:, :K] if "neighbors" in file else None
        return problem_of(
            path.stem,
            HDF5_DISTANCES[measure],
            np.asarray(file["train"]),
            np.asarray(file["test"]),
            queries=queries,
            nearest=nearest,
        )


def synthetic(distance: Distance, *, n: int = 20_000, d: int = 64, seed: int = 0) -> Problem:
    """Clustered rows and queries from the same clusters."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((200, d), dtype=np.float32)
    which = rng.integers(200, size=n + QUERIES)
    points = centers[which] + 0.5 * rng.standard_normal((n + QUERIES, d), dtype=np.float32)
    return problem_of(f"synthetic-{distance}", distance, points[:n], points[n:])


def problem_of(  # noqa: PLR0913 - what a set is made of
    name: str,
    distance: Distance,
    X: AnyArray,
    Q: AnyArray,
    *,
    queries: int = QUERIES,
    nearest: AnyArray | None = None,
) -> Problem:
    """A problem of at most ``queries`` queries, evenly taken.

    Args:
        name: for tables.
        distance: by which nearest is meant.
        X: rows (n, d) of any type.
        Q: queries (q, d) of any type.
        queries: the most to keep.
        nearest: ids (q, K) of the true neighbours where they are known, else they are searched.
    """
    X = np.ascontiguousarray(X, np.float32)
    step = max(1, len(Q) // queries)
    Q = np.ascontiguousarray(Q[::step][:queries], np.float32)
    if nearest is not None:
        nearest = nearest[::step][:queries]
    offsets = _offsets(X, distance)
    farthest = np.empty(len(Q))
    for first in range(0, len(Q), 50):
        part = slice(first, first + 50)
        near = _nearest(X, Q[part], offsets, distance) if nearest is None else nearest[part]
        farthest[part] = _true_distances(X, Q[part], near, distance).max(axis=1)
    return Problem(name, distance, X, Q, farthest)


def halves(problem: Problem) -> tuple[Problem, Problem]:
    """Every other query to tune with, the rest to test with; the same rows."""
    first, second = (
        problem._replace(Q=np.ascontiguousarray(problem.Q[i::2]), farthest=problem.farthest[i::2])
        for i in (0, 1)
    )
    return first, second


def unit(X: Floats) -> Floats:
    """Rows scaled to length 1; those of length 0 stay."""
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return np.ascontiguousarray(X / np.where(norms > 0, norms, 1), np.float32)


def filled(ids: AnyArray, k: int = K) -> Ids:
    """Ids (k,) as int64, with -1 where fewer were found."""
    return np.pad(ids.astype(np.int64), (0, k - len(ids)), constant_values=-1)


def _offsets(X: Floats, distance: Distance) -> Floats:
    """What each row adds to, or for cosine multiplies, its dots with a query (n,)."""
    squares: Floats = np.einsum("ij,ij->i", X, X)
    if distance == "cosine":
        return np.where(squares > 0, squares, np.float32(1)) ** np.float32(-0.5)
    return squares if distance == "squared_l2" else np.zeros_like(squares)


def _nearest(X: Floats, Q: Floats, offsets: Floats, distance: Distance) -> Ids:
    """Ids (q, K) of the nearest, in any order."""
    distances = -(Q @ X.T)
    if distance == "cosine":
        distances *= offsets
    else:
        distances *= 2
        distances += offsets
    return np.argpartition(distances, K - 1, axis=1)[:, :K]


def _true_distances(X: Floats, Q: Floats, ids: AnyArray, distance: Distance) -> AnyArray:
    """Distances (q, k) in float64."""
    rows, queries = X[ids].astype(np.float64), Q[:, None].astype(np.float64)
    if distance == "dot_product":
        return np.asarray(-(rows * queries).sum(axis=2))
    if distance == "cosine":
        norms = np.linalg.norm(rows, axis=2, keepdims=True)
        rows /= np.where(norms > 0, norms, 1)
        queries /= np.linalg.norm(queries, axis=2, keepdims=True)
    return np.asarray(((rows - queries) ** 2).sum(axis=2))


def recall(problem: Problem, ids: AnyArray) -> float:
    """The share of ids (q, k) no farther than the true k-th neighbour: ties are as good as it."""
    distances = _true_distances(problem.X, problem.Q, np.maximum(ids, 0), problem.distance)
    allowed = problem.farthest + 1e-6 * np.abs(problem.farthest) + 1e-9
    return float(((distances <= allowed[:, None]) & (ids >= 0)).mean())
