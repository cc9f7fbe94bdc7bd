"""Time batch searches over a grid of p and R, and fit the work model of ``scannlite tune``.

``python -m bench.work_model --data DIR``; the constants go to ``scannlite/engine/cost.py``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

import scannlite as sl
from bench.sets import Problem, load
from scannlite.engine.cost import Work, WorkModel

SETS = ("fashion-mnist-784", "fashion-dsift-128", "w2v-books-128", "fashion-mnv1q-256")
SCORINGS = {
    "lut16": {"score_ah": sl.ScoreAH(2), "reorder": sl.Reorder(100)},
    "lut256": {"score_ah": sl.ScoreAH(4, hash_type="lut256"), "reorder": sl.Reorder(100)},
    "float rows": {"score_brute_force": sl.ScoreBruteForce()},
    "byte rows": {"score_brute_force": sl.ScoreBruteForce(quantize=True)},
}
LEAVES = (2, 4, 8, 16, 32, 64, 128)
CANDIDATES = (20, 50, 100, 200, 500, 1_000, 2_000)
REPEATS, SETTINGS, QUERIES, K = 9, 16, 200, 10


def shortest(index: sl.Index, Q: np.ndarray, **settings: int) -> float:
    """The shortest of several searches of a batch, in ns of processor a query, one thread."""
    times = []
    for _ in range(REPEATS + 1):  # the first warms
        started = time.thread_time_ns()
        index.search(Q, K, **settings)
        times.append(time.thread_time_ns() - started)
    return min(times[1:]) / len(Q)


def measure(problem: Problem, scoring: str) -> list[tuple[list[float], float]]:
    """Work and nanoseconds of each setting."""
    leaves = round(len(problem.X) ** 0.5)
    options = sl.ScaNNOptions(problem.distance, sl.Tree(leaves, 10), **SCORINGS[scoring])
    index = sl.Index.build(problem.X, options)
    model = WorkModel.of(index._arrays, options, problem.Q)  # noqa: SLF001 - to fit what is inside
    rng, measured = np.random.default_rng(0), []
    coded = options.reorder is not None
    grid = [(p, R) for p in LEAVES for R in (CANDIDATES if coded else (K,))]
    for i in rng.permutation(len(grid))[:SETTINGS]:
        p, R = grid[i]
        knobs = {"leaves_to_search": p}
        if coded:
            knobs["pre_reorder_num_neighbors"] = R
        ns = shortest(index, problem.Q[:QUERIES], **knobs)
        measured.append((list(model.work(p, R if coded else 0)), ns))
        print(f"{problem.name:20} {scoring:10} {p:4} {R:5} {ns / 1e3:9.1f} µs", flush=True)
    return measured


def main() -> None:
    """Measure and fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    folder = parser.parse_args().data
    measured: dict[str, list[tuple[list[float], float]]] = {name: [] for name in SCORINGS}
    for problem in (load(folder, name) for name in SETS):
        for scoring, settings in measured.items():
            settings.extend(measure(problem, scoring))
    for scoring, settings in measured.items():
        work, ns = np.array([w for w, _ in settings]), np.array([t for _, t in settings])
        prices = fit(work, ns)
        errors = np.abs(np.log(work @ prices / ns))
        print(f"{scoring}: {dict(zip(Work._fields, prices.round(4).tolist(), strict=True))}")
        print(f"{scoring}: error {np.median(errors):.1%} median, {errors.max():.1%} most")


def fit(work: np.ndarray, ns: np.ndarray) -> np.ndarray:
    """Prices, not negative, for which the squared logarithms of the errors' ratios are least."""
    used = work.any(axis=0)
    prices = np.zeros(work.shape[1])
    prices[used] = least_squares(
        lambda x: np.log(work[:, used] @ x / ns),
        np.full(used.sum(), 0.1),
        x_scale=ns.mean() / work[:, used].mean(axis=0),
        bounds=(1e-9, np.inf),
    ).x
    return prices


if __name__ == "__main__":
    main()
