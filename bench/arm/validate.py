"""The same model about this x86 machine, beside the clock: ``python -m bench.arm.validate``.

Kernels are compiled for AVX2 and the queries counted by the same plugin in QEMU's x86 emulation,
which knows no wider registers; then they are timed here, compiled alike.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numba
import numpy as np

import scannlite as sl
from bench.arm.band import Band, Clock, band
from bench.arm.boards import Board, Processor
from bench.arm.cases import CASES, K
from bench.arm.compiling import ROOT, compile_kernels, settings
from bench.arm.counting import HOME, PROFILE, counted
from bench.arm.inside import WARMING
from bench.machine import processor as name_of_processor

ROUNDS, CHAIN, COUNT = 30, 2_000_000, 20
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def _host(model: str) -> Board:
    """This machine: caches as it says, clock and bandwidth measured, the rest assumed."""
    return Board(
        name_of_processor(),
        Processor("haswell", "", "max", model, "x86_64-unknown-linux-gnu"),
        gigahertz=_gigahertz(),
        caches=_caches(),
        instructions_a_cycle=(2, 4),
        gigabytes_a_second=_gigabytes_a_second(),
        latency=100,
        shared_bytes_a_cycle=32,
    )


def _caches() -> tuple[tuple[int, int], ...]:
    """Bytes and ways: instructions, data, shared ones."""
    found = {}
    for folder in _CACHES.glob("index*"):
        level, kind, size, ways = (
            (folder / name).read_text(encoding="ascii").strip()
            for name in ("level", "type", "size", "ways_of_associativity")
        )
        found[int(level), kind != "Instruction"] = (1024 * int(size.rstrip("K")), int(ways))
    return tuple(found[key] for key in sorted(found))


def _shortest(run: Callable[[], object], times: int = 10) -> float:
    run()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


@numba.njit
def _chain(n: int) -> int:
    x = np.uint64(3)
    for i in range(n):
        x = x * x + np.uint64(i)  # a product takes 3 cycles and a sum 1: neither can begin earlier
    return x


def _gigahertz() -> float:
    return 4 * CHAIN / _shortest(lambda: _chain(CHAIN)) / 1e9


def _gigabytes_a_second() -> tuple[float, float]:
    """Read by one core in order, at best; and less, as others share the memory."""
    X = np.ones(1 << 25, np.float64)
    best = X.nbytes / _shortest(X.sum) / 1e9
    return best / 1.5, best


def _timed(index: Path, queries: Path, count: int) -> list[float]:
    """Milliseconds of each query after the one before it, the shortest of many rounds."""
    search, Q = sl.Index.load(index, verify=False).search, list(np.load(queries))
    Q = Q[: WARMING + count]
    rounds = []
    for _ in range(ROUNDS):
        spent = []
        for q in Q:
            start = time.perf_counter()
            search(q, K)
            spent.append(1e3 * (time.perf_counter() - start))
        rounds.append(spent[WARMING:])
    return [min(one) for one in zip(*rounds, strict=True)]


def _measured(host: Board, code: Path, files: tuple[Path, Path]) -> list[float]:
    """``_timed`` in a process that compiles for AVX2."""
    command = [sys.executable, "-m", "bench.arm.validate", "--time", *map(str, files)]
    done = subprocess.run(  # noqa: S603 - this interpreter
        command,
        cwd=ROOT,
        env={**os.environ, **settings(host.processor, code)},
        stdout=subprocess.PIPE,
        check=True,
    )
    spent: list[float] = json.loads(done.stdout)
    return spent


def _row(title: str, bands: Sequence[Band], spent: Sequence[float]) -> str:
    least, most = median(b.least for b in bands), median(b.most for b in bands)
    within = sum(b.least <= t <= b.most for b, t in zip(bands, spent, strict=True))
    real = median(spent)
    cells = [title, f"{1e3 * least:.1f} .. {1e3 * most:.1f}", f"{1e3 * real:.1f}"]
    return f"| {' | '.join([*cells, f'{within} of {len(spent)}'])} |"


def main() -> None:
    """Model, measure, print them side by side."""
    parser = argparse.ArgumentParser(prog="bench.arm.validate", description=__doc__)
    parser.add_argument(
        "--model", default="znver4", help="llvm-mca's name of a processor like this"
    )
    parser.add_argument("--time", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.time:
        print(json.dumps(_timed(*arguments.time, COUNT)))
        return
    host = _host(arguments.model)
    code, clock = PROFILE / "code" / host.processor.name, Clock(host.processor)
    compile_kernels(host.processor, code)
    slow, fast = host.gigabytes_a_second
    print(f"{host.name}, {host.gigahertz:.2f} GHz, {slow:.1f} .. {fast:.1f} GB/s\n")
    print("| µs a query | modelled | measured | queries within their band |\n|---|---|---|---|")
    for name in ("article", "article-foreign", "article-fast", "million"):
        files = CASES[name].files(HOME / "cases")
        *warm, _ = counted(host.processor, host.caches, code, files, COUNT)
        bands = [band(stretch, host, clock) for stretch in warm]
        print(_row(CASES[name].title, bands, _measured(host, code, files)))


if __name__ == "__main__":
    main()
