"""Instructions that the first search of a fresh process executes, beside those of its imports.

``python -m bench.cold_start --check`` fails where a first search, its kernels kept on disk,
executes more than 1.3 times what importing NumPy and Numba does. Instructions are counted by
``perf`` where the machine allows it, else by Valgrind, with kernels for a plain processor, as
Valgrind knows no newer one: unlike times, they hardly differ from run to run.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

import scannlite as sl

__all__ = ["LIMIT", "instructions"]

ROOT = Path(__file__).parents[1]
LIMIT = 1.3
IMPORTS = "import numpy, numba"
SEARCH = """
import sys
import numpy as np
import scannlite as sl
index = sl.Index.load(sys.argv[1])
index.search(np.ones(index.dimensions, np.float32))
"""
PLAIN = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "PYTHONHASHSEED": "0"}


class Counter(NamedTuple):
    """A program that counts instructions of another: how it is called, where it says how many."""

    command: tuple[str, ...]
    count: str

    def of(self, *arguments: str, environment: dict[str, str]) -> int:
        command = [*self.command, sys.executable, "-c", *arguments]
        done = subprocess.run(  # noqa: S603 - this interpreter
            command, cwd=ROOT, env=environment, capture_output=True, check=True, text=True
        )
        found = re.search(self.count, done.stderr)
        if found is None:
            raise OSError(f"{self.command[0]}: no count in {done.stderr!r}")
        return int(found[1].replace(",", ""))


PERF = Counter(("perf", "stat", "-e", "instructions:u"), r"([\d,]+)\s+instructions")
VALGRIND = Counter(
    ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"),
    r"I +refs: +([\d,]+)",
)


def counters() -> Iterator[Counter]:
    """Those that work here, the faster first."""
    for counter in (PERF, VALGRIND):
        if shutil.which(counter.command[0]):
            try:
                counter.of("pass", environment={**os.environ, **PLAIN})
            except (OSError, subprocess.CalledProcessError):
                continue
            yield counter


def _indexes(folder: Path) -> list[Path]:
    X = np.random.default_rng(0).standard_normal((5_000, 32), dtype=np.float32)
    options = sl.ScaNNOptions("dot_product", tree=sl.Tree(70, 7), score_ah=sl.ScoreAH(1, 0.2))
    paths = [folder / "index.npz", folder / "index.ldb"]
    sl.Index.build(X, "squared_l2").save(paths[0])
    sl.Index.build(X, options.for_device(), metadata=[""] * len(X)).save(paths[1])
    return paths


def instructions(counter: Counter) -> dict[str, int]:
    """Of the imports alone, and of a first search in each kind of file."""
    with tempfile.TemporaryDirectory() as folder:
        kept = str(Path(folder, "kernels"))
        environment = {**os.environ, **PLAIN, "SCANNLITE_CACHE_DIR": kept}
        counts = {IMPORTS: counter.of(IMPORTS, environment=environment)}
        for path in _indexes(Path(folder)):
            once = [sys.executable, "-c", SEARCH, str(path)]  # compiles, and writes bytecode
            subprocess.run(once, cwd=ROOT, env=environment, check=True)  # noqa: S603 - this Python
            count = counter.of(SEARCH, str(path), environment=environment)
            counts[f"import scannlite, load a {path.suffix} file, search"] = count
    return counts


def main() -> int:
    """Count, print, and judge where that is asked for."""
    parser = argparse.ArgumentParser(prog="bench.cold_start", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit code 1 beyond the limit")
    arguments = parser.parse_args()
    counter = next(counters(), None)
    if counter is None:
        print("NOT MEASURED: neither perf nor valgrind counts instructions here")
        return int(arguments.check)
    counts = instructions(counter)
    print(f"counted by {counter.command[0]}\n\n| process | million instructions | times |")
    print("|---|---|---|")
    for process, count in counts.items():
        print(f"| `{process}` | {count / 1e6:,.0f} | {count / counts[IMPORTS]:.2f} |")
    return int(arguments.check and max(counts.values()) > LIMIT * counts[IMPORTS])


if __name__ == "__main__":
    sys.exit(main())
