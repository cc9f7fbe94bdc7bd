"""The most memory a build holds at once, beyond its rows: measured in a process of its own.

Linux only: the kernel's high-water mark of resident memory is read, after it has been reset.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.peers import maker
from bench.sets import Problem, unit
from scannlite.types import Distance, Floats

__all__ = ["peak_of_build"]

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")
ROOT = Path(__file__).parents[1]


def peak_of_build(name: str, problem: Problem, *, unit_rows: bool) -> int | None:
    """Bytes at the peak minus bytes before; None where the system does not tell."""
    if not STATUS.exists():
        return None
    X = unit(problem.X) if unit_rows and problem.distance == "cosine" else problem.X
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder, "rows.npy")
        np.save(rows, X)
        command = [sys.executable, "-m", "bench.memory", name, str(rows), problem.distance]
        done = subprocess.run(  # noqa: S603 - this interpreter
            command, cwd=ROOT, capture_output=True, check=True, text=True
        )
    return int(done.stdout.split()[-1])


def _kilobytes(field: str) -> int:
    for line in STATUS.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise OSError(f"{STATUS}: no {field}")


def _measured(name: str, X: Floats, distance: Distance) -> int:
    peer = maker(name)()
    # A small build first: what loading the library and its kernels takes is not the build's.
    peer.build(X[:4_000], distance)
    before = _kilobytes("VmRSS")
    RESET.write_text("5", encoding="ascii")
    peer.build(X, distance)
    return 1024 * (_kilobytes("VmHWM") - before)


if __name__ == "__main__":
    _, entry, rows_path, measure = sys.argv
    print(_measured(entry, np.load(rows_path), measure))  # type: ignore[arg-type]
