"""The first search of a fresh process: import, load, search; and what an empty cache adds.

``python -m bench.start``
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

import scannlite as sl

RUNS = 5
CHILD = """
import json, sys, time
t = [time.perf_counter()]
import numpy as np
t.append(time.perf_counter())
import scannlite as sl
t.append(time.perf_counter())
index = sl.Index.load(sys.argv[1])
q = np.ones(index.dimensions, np.float32)
t.append(time.perf_counter())
index.search(q)
t.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(t, t[1:])] + [t[-1] - t[0]]))
"""
STAGES = ("import numpy", "import scannlite", "load", "first search", "all")


def _fresh(index: Path, cache: Path) -> list[float]:
    """Seconds of each stage, in a process of its own."""
    # A setting that is so anyway, but for which no other folder holds a kernel.
    new = {"SCANNLITE_CACHE_DIR": str(cache), "NUMBA_LOOP_VECTORIZE": "1"}
    environment = {**os.environ, **new}
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", CHILD, str(index)],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def main() -> None:
    """Measure and print: one process that compiles, then the median of those that load."""
    X = np.random.default_rng(0).standard_normal((5_000, 32), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        index, cache = Path(folder, "index.npz"), Path(folder, "cache")
        sl.Index.build(X, "squared_l2").save(index)
        cold = _fresh(index, cache)
        warm = [
            median(column)
            for column in zip(*(_fresh(index, cache) for _ in range(RUNS)), strict=True)
        ]
    print(f"| seconds | kernels cached, median of {RUNS} | empty cache |\n|---|---|---|")
    for stage, cached, compiled in zip(STAGES, warm, cold, strict=True):
        print(f"| {stage} | {cached:.3f} | {compiled:.3f} |")


if __name__ == "__main__":
    main()
