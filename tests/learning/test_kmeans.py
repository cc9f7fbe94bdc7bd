"""Leaves: the nearest centroid, no empty leaf, the same bytes again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scannlite.learning.kmeans import assign, train_centroids
from tests.strategies import layouts, matrices, same_bits, seeds

modest = settings(deadline=None, max_examples=50)


def train(X, L, seed=0, **options):
    defaults = {"iterations": 5, "min_size": 50, "spherical": False, "random_init": True}
    return train_centroids(X, L, **{**defaults, **options}, rng=np.random.default_rng(seed))


def test_two_groups_by_hand():
    # wherever Lloyd's steps start, they can only end here
    X = np.float32([[0, 0], [0, 2], [100, 0], [100, 2], [100, 4]])
    for random_init in (True, False):
        centroids = train(X, 2, random_init=random_init, iterations=9)
        assert sorted(centroids.tolist()) == [[0, 1], [100, 2]]


def test_ties_go_to_the_first():
    centroids = np.float32([[1, 0], [-1, 0], [1, 0]])
    assert assign(np.float32([[0, 5], [3, 0], [-3, 0]]), centroids).tolist() == [0, 0, 1]


@modest
@given(matrices(), matrices(n=st.integers(1, 9)), layouts)
def test_nearest_is_nearest(X, centroids, layout):
    d = min(X.shape[1], centroids.shape[1])
    given_rows, centroids = layout(X[:, :d]), np.ascontiguousarray(centroids[:, :d])
    leaf = assign(given_rows, centroids)
    assert (leaf.dtype, leaf.shape) == (np.int32, (len(X),))
    difference = given_rows.astype(np.float64)[:, None] - centroids.astype(np.float64)
    distances = (difference**2).sum(axis=2)
    chosen = distances[np.arange(len(X)), leaf]
    # the error of float32 grows with how far everything is from the middle of the centroids
    middle = centroids.mean(axis=0, dtype=np.float64)
    reach = max(np.abs(given_rows - middle).max(initial=0), np.abs(centroids - middle).max())
    assert (chosen <= distances.min(axis=1) + 1e-5 * d * reach**2).all()


@modest
@given(matrices(), st.integers(1, 50), seeds, st.booleans())
def test_no_leaf_is_empty_while_there_are_distinct_rows(X, L, seed, random_init):
    centroids = train(X, L, seed, random_init=random_init)
    assert (centroids.dtype, centroids.shape) == (np.float32, (L, X.shape[1]))
    assert np.isfinite(centroids).all()
    distinct = len(np.unique(X, axis=0))
    if len(X) and np.ptp(X) < 100:  # rows of one length: float32 can tell them apart
        assert len(np.unique(assign(X, centroids))) >= min(L, distinct)
    again = train(X, L, seed, random_init=random_init)
    assert same_bits(centroids, again)


@pytest.mark.parametrize("random_init", [True, False])
def test_finds_well_separated_groups(random_init):
    rng = np.random.default_rng(3)
    truth = rng.standard_normal((20, 8)) * 100
    X = (truth[rng.integers(0, 20, 4000)] + rng.standard_normal((4000, 8))).astype(np.float32)
    centroids = train(X, 40, random_init=random_init, iterations=12)
    error = np.linalg.norm(X - centroids[assign(X, centroids)], axis=1)
    assert np.sqrt((error**2).mean()) < 3.0


@pytest.mark.parametrize("seed", range(4))
def test_small_leaves_start_anew_and_the_rest_evens_out(seed):
    rng = np.random.default_rng(seed)
    X = np.concatenate([rng.standard_normal((12, 4)) * 30, rng.standard_normal((1000, 4))])
    small, scanned = [], []
    for min_size in (0, 10):
        centroids = train(X, 20, seed, min_size=min_size, iterations=12, random_init=False)
        counts = np.bincount(assign(X, centroids), minlength=20)
        small.append((counts < 10).sum())
        scanned.append((counts**2).sum())
    assert small[1] < small[0]
    assert scanned[1] < scanned[0]


def test_spherical_centroids_have_length_one():
    X = np.random.default_rng(5).standard_normal((300, 6)).astype(np.float32)
    lengths = np.linalg.norm(train(X, 7, spherical=True), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)


def test_steps_only_lower_the_distortion():
    X = np.random.default_rng(6).standard_normal((2000, 6)).astype(np.float32)
    errors = []
    for iterations in (0, 1, 3, 12):
        centroids = train(X, 30, iterations=iterations, min_size=0)
        errors.append(np.square(X - centroids[assign(X, centroids)]).sum())
    assert errors == sorted(errors, reverse=True)


BYTES = """
import hashlib, numpy as np
from scannlite.learning.kmeans import assign, train_centroids
X = np.random.default_rng(0).standard_normal((6000, 70)).astype(np.float32)
centroids = train_centroids(X, 61, iterations=4, min_size=50, spherical=False, random_init=True,
                            rng=np.random.default_rng(1))
leaf = assign(X, centroids)
print(hashlib.sha256(centroids.tobytes() + leaf.tobytes()).hexdigest())
"""


def test_the_same_bytes_however_many_threads_blas_has():
    printed = {
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", BYTES],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in "12"
    }
    assert len(printed) == 1
    assert len(printed.pop().strip()) == hashlib.sha256().digest_size * 2
