"""The truth, recall against it, and rows made from a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.clusters import CHUNK, chunks, generated, rows
from bench.sets import K, Problem, filled, halves, load_pair, problem_of, recall, unit
from scannlite.types import Distance

DISTANCES: tuple[Distance, ...] = ("squared_l2", "cosine", "dot_product")


def exact(problem: Problem) -> np.ndarray:
    X, Q = problem.X.astype(np.float64), problem.Q.astype(np.float64)
    if problem.distance == "squared_l2":
        distances = ((Q[:, None] - X) ** 2).sum(axis=2)
    elif problem.distance == "cosine":
        distances = -unit(Q) @ unit(X).T
    else:
        distances = -Q @ X.T
    return np.argsort(distances, axis=1)[:, :K]


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_true_neighbours_have_recall_one(distance: Distance) -> None:
    problem = generated(500, 8, distance, queries=20)
    assert recall(problem, exact(problem)) == 1.0


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_wrong_neighbour_and_a_missing_one_count_alike(distance: Distance) -> None:
    problem = generated(500, 8, distance, queries=20)
    near = exact(problem)
    missing, wrong = near.copy(), near.copy()
    missing[:, -1] = -1
    # The neighbours of the farthest row are far from all that is asked.
    wrong[:, 0] = exact(problem._replace(Q=-1e3 * problem.Q))[:, 0]
    assert recall(problem, missing) == pytest.approx(0.9)
    assert recall(problem, wrong) == pytest.approx(0.9, abs=0.01)


def test_ties_are_as_good_as_the_truth() -> None:
    X = np.zeros((40, 4), np.float32)
    X[30:] = 5
    problem = problem_of("ties", "squared_l2", X, np.zeros((1, 4)))
    assert recall(problem, np.arange(20, 30)[None]) == 1.0
    assert recall(problem, np.arange(25, 35)[None]) == 0.5


def test_known_neighbours_give_the_same_truth() -> None:
    problem = generated(500, 8, "squared_l2", queries=20)
    given = problem_of("given", "squared_l2", problem.X, problem.Q, nearest=exact(problem))
    np.testing.assert_allclose(given.farthest, problem.farthest)


def test_queries_are_taken_evenly_and_halved() -> None:
    Q = np.arange(100, dtype=np.float32)[:, None]
    problem = problem_of("line", "squared_l2", np.arange(50)[:, None], Q, queries=10)
    np.testing.assert_array_equal(problem.Q[:, 0], np.arange(0, 100, 10))
    first, second = halves(problem)
    np.testing.assert_array_equal(first.Q[:, 0], np.arange(0, 100, 20))
    np.testing.assert_array_equal(second.farthest, problem.farthest[1::2])


def test_a_pair_of_files(tmp_path: Path) -> None:
    problem = generated(300, 4, "cosine", queries=10)
    np.save(tmp_path / "rows.npy", problem.X)
    np.save(tmp_path / "questions.npy", problem.Q)
    loaded = load_pair(tmp_path / "rows.npy", tmp_path / "questions.npy", "cosine")
    assert loaded.name == "rows"
    np.testing.assert_array_equal(loaded.farthest, problem.farthest)


def test_what_was_not_found_is_minus_one() -> None:
    assert filled(np.array([3, 1], np.uint32), 4).tolist() == [3, 1, -1, -1]


def test_rows_come_from_the_seed() -> None:
    np.testing.assert_array_equal(rows(100, 6, seed=3), rows(100, 6, seed=3))
    assert not np.array_equal(rows(100, 6, seed=3), rows(100, 6, seed=4))


def test_a_shorter_set_is_the_start_of_a_longer_one() -> None:
    longer = rows(CHUNK + 10, 3)
    np.testing.assert_array_equal(rows(CHUNK + 4, 3), longer[:-6])
    assert [len(part) for part in chunks(CHUNK + 10, 3)] == [CHUNK, 10]
    assert not np.array_equal(longer[:10], longer[CHUNK:])


def test_clusters_are_uneven_and_of_few_dimensions() -> None:
    X = rows(20_000, 128)
    variance = np.linalg.eigvalsh(np.cov(X.T))[::-1]
    assert variance[:32].sum() > 0.95 * variance.sum()
    assert np.isfinite(X).all()
