"""Where the time of a query goes that is answered as on phones: ``python -m bench.device_stages``.

The article's case, generated: 123,287 unit rows of 128 dimensions, 4 of 351 leaves searched, 128
codes a row. Each stage is called again and again for the same query, so what it reads lies in the
near caches; the whole query goes through many, from Python.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import scannlite as sl
from bench.clusters import generated
from bench.machine import processor
from scannlite.cli.cases import ARTICLE, ARTICLE_ROWS
from scannlite.kernels.device import nearest_leaves
from scannlite.kernels.device_scan import scan_whole
from scannlite.kernels.device_tables import fill_tables as fill_device_tables
from scannlite.kernels.jit import kernel
from scannlite.kernels.scan import list_blocks
from scannlite.kernels.select import keep_best, scores_to_bytes, select_bytes
from scannlite.learning.rows import unit
from scannlite.types import Floats

TIMES, QUERIES, K = 200, 40, 10
_f4: Any = np.float32
_LOW, _HIGH, _STEPS = np.float32(-1), np.float32(1), np.float32(255)


@kernel
def choose_leaves(P: int, W: int, p: int, times: int) -> int:
    """Rank all leaves, choose p."""
    leaves = 0
    for _ in range(times):
        leaves += nearest_leaves(P, W, p)
    return leaves


@kernel
def fill_tables(P: int, W: int, p: int, times: int) -> Any:  # noqa: ARG001
    """Lookup tables of all blocks."""
    most = _LOW
    for _ in range(times):
        most = max(most, fill_device_tables(P, W, _STEPS)[1])
    return most


@kernel
def scan(P: int, W: int, p: int, times: int) -> int:
    """Distances of the rows of p leaves."""
    leaves = nearest_leaves(P, W, p)
    blocks = list_blocks(P, W, leaves, _f4(0), _f4(0), True)
    for _ in range(times):
        scan_whole(P, W, blocks, _LOW, _HIGH, _STEPS)
    return blocks


@kernel
def select(P: int, W: int, p: int, times: int) -> int:
    """The K nearest of them."""
    leaves = nearest_leaves(P, W, p)
    blocks = list_blocks(P, W, leaves, _f4(0), _f4(0), True)
    found = 0
    for _ in range(times):
        scores_to_bytes(P, W, blocks)
        found += keep_best(P, W, select_bytes(P, W, blocks, K, True), K, 1)
    return found


STAGES: tuple[Callable[..., Any], ...] = (choose_leaves, fill_tables, scan, select)


def article_case() -> tuple[sl.Index, Floats]:
    """The index of the case, and 1,000 queries."""
    problem = generated(ARTICLE_ROWS, 128, "dot_product", queries=1_000)
    return sl.Index.build(unit(problem.X), ARTICLE), unit(problem.Q)


def microseconds(index: sl.Index, Q: Floats, stage: Callable[..., Any]) -> float:
    """The median over queries of one stage."""
    plan = index._plan  # noqa: SLF001
    workspace = plan.workspace()
    samples = []
    for q in Q[:QUERIES]:
        plan.one(plan.address, workspace, q, np.empty(K, np.float32), np.empty(K, np.int64), 4, 0)
        stage(plan.address, workspace, 4, 1)
        start = time.perf_counter()
        stage(plan.address, workspace, 4, TIMES)
        samples.append((time.perf_counter() - start) / TIMES)
    return 1e6 * median(samples)


def whole(index: sl.Index, Q: Floats) -> float:
    """The median over queries of ``Index.search``."""
    samples = []
    for q in np.concatenate([Q, Q, Q]):
        start = time.perf_counter()
        index.search(q, K)
        samples.append(time.perf_counter() - start)
    return 1e6 * median(samples)


def main() -> None:
    """Print a line a stage."""
    index, Q = article_case()
    print(processor())
    for stage in STAGES:
        print(f"{stage.__doc__:40} {microseconds(index, Q, stage):6.2f} µs")
    print(f"{'A whole query, from Python.':40} {whole(index, Q):6.2f} µs")


if __name__ == "__main__":
    main()
