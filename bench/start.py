"""How long a fresh process takes to its first answer: ``python -m bench.start``.

Once with an empty kernel cache, then five times with the filled one: seconds from the start of
``python -c`` to its end, which imports, loads a saved index and searches once.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import scannlite as sl

PROGRAM = """
import sys
import numpy as np
import scannlite as sl
sl.Index.load(sys.argv[1]).search(np.ones(64, np.float32))
"""


def run(index: Path, cache: str) -> float:
    """Seconds of one process."""
    started = time.perf_counter()
    subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROGRAM, index],
        check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": cache},
    )
    return time.perf_counter() - started


def main() -> None:
    """Build a small index, time the processes, print two lines."""
    X = np.random.default_rng(0).normal(size=(5000, 64))
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index.npz"
        sl.Index.build(X, "squared_l2").save(index)
        cache = str(Path(folder) / "cache")
        print(f"cold cache: {run(index, cache):.2f} s")
        print(f"kernels cached: {statistics.median(run(index, cache) for _ in range(5)):.2f} s")


if __name__ == "__main__":
    main()
