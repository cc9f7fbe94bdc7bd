"""Options for those who give none: from n, d, the distance, and how variance is spread."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scannlite.engine.door import as_rows, finite_floats
from scannlite.engine.learned import take_off
from scannlite.engine.options import Reorder, ScaNNOptions, ScoreAH, ScoreBruteForce, Tree
from scannlite.learning.kmeans import train_centroids
from scannlite.learning.projection import unevenness
from scannlite.learning.rows import unit
from scannlite.types import Distance

__all__ = ["choose_options", "options_for"]

_FEW = 2_000  # rows that exact search is through with as soon as any other
_LOOKED_AT = 5_000  # rows whose variance is looked at, or 2 d
_MOST_LOOKED_AT = 4_096  # dimensions: principal directions of more take minutes
_ETA = 5.0  # weight of the error along a unit row; anything from 4 to 8 finds the same
_UNEVEN = 2.0  # beyond it, half the bits after a rotation lose no more than all without
_MOST_PROJECTED = 192  # dimensions kept after a rotation; a query pays for each


def options_for(X: Any, distance_measure: Distance) -> ScaNNOptions:
    """Options for these rows: ``choose_options`` after a look at a sample of them.

    Args:
        X: (n, d), any number type.
        distance_measure: as in ``ScaNNOptions``.

    Raises:
        InvalidInput: X is not (n, d), a number looked at is not finite, or the distance is unknown.
        InvalidType: X is not made of numbers.
    """
    X = as_rows(X)
    n, d = X.shape
    unseen = choose_options(n, d, distance_measure)
    if n < max(_FEW, 2 * d) or d > _MOST_LOOKED_AT:
        return unseen
    rng = np.random.default_rng(0)
    looked_at = max(_LOOKED_AT, 2 * d)
    picked = np.sort(rng.choice(n, min(n, looked_at), replace=False))
    rows = finite_floats("X", X[picked], picked=picked)
    rows = unit(rows) if distance_measure == "cosine" else rows
    centroids = train_centroids(
        rows,
        len(rows) // 80,
        iterations=3,
        min_size=0,
        spherical=False,
        random_init=True,
        rng=rng,
    )
    take_off(centroids, rows)
    return choose_options(n, d, distance_measure, unevenness(rows))


def choose_options(n: int, d: int, distance_measure: Distance, uneven: float = 1.0) -> ScaNNOptions:
    """Options for n rows of d dimensions.

    Below 2,000 rows exact search is as fast as anything. Above: about sqrt(n) leaves of which a
    tenth is searched, and the best 100 scored again. Codes take two dimensions a block; where
    variance is so uneven that a rotation makes up for it, three of the three quarters that matter
    most, up to 192, which halves what a query reads. The threshold gives errors along a unit row
    the same weight in any dimension; other rows gain nothing from one.

    Args:
        n: rows.
        d: dimensions.
        distance_measure: as in ``ScaNNOptions``.
        uneven: what ``unevenness`` says of the rows less their centroids.
    """
    if n < _FEW:
        return ScaNNOptions(distance_measure, score_brute_force=ScoreBruteForce())
    leaves = max(16, round(math.sqrt(n)))
    threshold = None
    if distance_measure == "cosine" and d > 1:
        threshold = round(math.sqrt(_ETA / (d - 1 + _ETA)), 3)
    codes = ScoreAH(2 if d > 1 else 1, threshold)
    if uneven >= _UNEVEN and d >= 8:
        codes = ScoreAH(3, threshold, projection=min(3 * -(-d // 4), _MOST_PROJECTED))
    return ScaNNOptions(
        distance_measure,
        tree=Tree(leaves, max(4, round(leaves / 10))),
        score_ah=codes,
        reorder=Reorder(100),
    )
