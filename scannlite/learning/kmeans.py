"""The leaves: k-means with squared L2, and the nearest centroid of any row."""

from __future__ import annotations

import numpy as np

from scannlite.kernels import implementation
from scannlite.learning.partition import group_by_leaf
from scannlite.learning.rows import in_pieces, plain, unit
from scannlite.types import AnyArray, Floats, Ids, Leaves

__all__ = ["assign", "train_centroids"]

SCORES = 1 << 20  # float32 scores that one matrix product holds: 4 MB
REPAIRS = 16  # the most rounds of filling empty leaves; each fills at least one


def assign(X: AnyArray, centroids: Floats) -> Leaves:
    """Find the nearest centroid of every row; the first of equals.

    Args:
        X: (n, d), any number type.
        centroids: (L, d) float32.

    Returns:
        (n,) int32.
    """
    return _nearest(X, centroids)[0]


def _nearest(X: AnyArray, centroids: Floats) -> tuple[Leaves, Floats]:
    """The nearest centroid of each row (n,) int32, and its squared distance (n,) float32.

    One matrix product a piece: ‖x - c‖² = ‖x‖² - 2 (⟨x, c⟩ - ‖c‖²/2). Both sides are moved to
    the middle of the centroids first, or float32 would lose the differences of far-off data.
    """
    middle = centroids.mean(axis=0, dtype=np.float64).astype(np.float32)
    centers = centroids - middle
    halves = np.einsum("ij,ij->i", centers, centers) / np.float32(2.0)
    leaf = np.empty(len(X), np.int32)
    distance = np.empty(len(X), np.float32)

    def compare(part: slice) -> None:
        rows = np.subtract(X[part], middle, dtype=np.float32, order="C")
        scores = rows @ centers.T
        scores -= halves
        best = scores.argmax(axis=1)
        leaf[part] = best
        score = scores[np.arange(len(best)), best]
        distance[part] = np.einsum("ij,ij->i", rows, rows) - np.float32(2.0) * score

    in_pieces(compare, len(X), piece=max(64, SCORES // len(centroids)))
    return leaf, distance


def train_centroids(  # noqa: PLR0913
    X: AnyArray,
    L: int,
    *,
    iterations: int,
    min_size: int,
    spherical: bool,
    random_init: bool,
    rng: np.random.Generator,
    tolerance: float = 1e-5,
) -> Floats:
    """Learn L centroids with Lloyd's algorithm.

    Empty leaves start anew beside rows of the largest leaves, and in the first half of the steps
    so do leaves below ``min_size``. No leaf stays empty while there are distinct rows left.

    Args:
        X: (s, d), the training rows, any number type.
        L: leaves; may exceed the number of (distinct) rows, then centroids repeat.
        iterations: the most steps.
        min_size: rows below which a leaf is small; a quarter of the mean size if that is less.
        spherical: keep centroids at unit length.
        random_init: start from random rows; False starts with k-means++.
        rng: the only source of chance.
        tolerance: stop when the mean squared distance drops by less than this part of itself.

    Returns:
        (L, d) float32.
    """
    X = plain(X)
    if len(X) == 0:
        return np.zeros((L, X.shape[1]), np.float32)
    centroids = _random_rows(X, L, rng) if random_init else _spread_rows(X, L, rng)
    least = max(1, min(min_size, len(X) // (4 * L)))
    before = np.inf
    for step in range(iterations):
        centroids = unit(centroids) if spherical else centroids
        leaf, distance = _nearest(X, centroids)
        counts = _move_to_means(X, leaf, centroids)
        (small,) = np.nonzero(counts < (least if step < iterations // 2 else 1))
        _start_anew(small, X, leaf, centroids, rng)
        mean = float(distance.mean(dtype=np.float64))
        if len(small) == 0 and before - mean <= tolerance * mean:
            break
        before = mean
    return _fill_empty(X, unit(centroids) if spherical else centroids, spherical=spherical)


def _random_rows(X: Floats, L: int, rng: np.random.Generator) -> Floats:
    """L rows (L, d), no row twice before all came once."""
    return X[np.resize(rng.permutation(len(X))[:L], L)]


def _spread_rows(X: Floats, L: int, rng: np.random.Generator) -> Floats:
    """L rows (L, d) by k-means++ (Arthur and Vassilvitskii, 2007) among a sample of 4 L rows."""
    pool = X[rng.permutation(len(X))[: 4 * L]]
    centroids = np.empty((L, X.shape[1]), np.float32)
    centroids[0] = pool[0]
    distance = _squared_distances(pool, centroids[0])
    for place in range(1, L):
        reach = np.cumsum(distance, dtype=np.float64)
        drawn = int(np.searchsorted(reach, rng.random() * reach[-1], side="right"))
        centroids[place] = pool[min(drawn, len(pool) - 1)]
        np.minimum(distance, _squared_distances(pool, centroids[place]), out=distance)
    return centroids


def _squared_distances(X: Floats, points: Floats) -> Floats:
    """Between rows of X (n, d) and one point (d,), or a point each (n, d); 0 only for equals."""
    difference = X - points
    distance: Floats = np.einsum("ij,ij->i", difference, difference)
    return distance


def _move_to_means(X: Floats, leaf: Leaves, centroids: Floats) -> Ids:
    """Move each centroid that has rows to their mean. Returns the rows a leaf, (L,) int64."""
    sums = np.empty((1, *centroids.shape), np.float64)
    counts: Ids = np.empty((1, len(centroids)), np.int64)
    implementation("lloyd").accumulate(X, leaf[:, None], sums, counts)
    (filled,) = np.nonzero(counts[0])
    centroids[filled] = sums[0, filled] / counts[0, filled, None]
    rows: Ids = counts[0]
    return rows


def _start_anew(
    leaves: Ids, X: Floats, leaf: Leaves, centroids: Floats, rng: np.random.Generator
) -> None:
    """Move the centroids of some leaves onto random rows of the largest leaves."""
    order, start = group_by_leaf(leaf, len(centroids))
    counts = np.diff(start)
    load = counts.astype(np.float64)
    load[leaves] = 0
    for one in leaves:
        donor = int(load.argmax())
        if counts[donor] == 0:
            break
        load[donor] /= 2  # the two will share its rows
        centroids[one] = X[order[start[donor] + rng.integers(counts[donor])]]


def _fill_empty(X: Floats, centroids: Floats, *, spherical: bool) -> Floats:
    """Move centroids without rows onto the rows farthest from all centroids, one by one."""
    for _ in range(REPAIRS):
        leaf, _ = _nearest(X, centroids)
        (empty,) = np.nonzero(np.bincount(leaf, minlength=len(centroids)) == 0)
        if len(empty) == 0:
            break
        distance = _exact_distances(X, centroids, leaf)
        if not distance.any():
            break
        for one in empty:
            farthest = X[int(distance.argmax())]
            centroids[one] = unit(farthest[None])[0] if spherical else farthest
            np.minimum(distance, _exact_distances(X, centroids, int(one)), out=distance)
    return centroids


def _exact_distances(X: Floats, centroids: Floats, leaf: Leaves | int) -> Floats:
    """Squared distance of each row to its centroid, or of all rows to one; (s,) float32."""
    own = np.broadcast_to(leaf, len(X))
    pieces = in_pieces(lambda part: _squared_distances(X[part], centroids[own[part]]), len(X))
    return np.concatenate(pieces)
