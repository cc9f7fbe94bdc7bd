"""Memory of a process that opens an index of a million rows and searches it.

``python -m bench.search_memory --keep DIR --check`` builds, once, an index of 1,000,000 x 128 with
options chosen here (.npz) and one as phones store it (.ldb), and searches each in a process that
is refused more than 512 MB of memory of its own. Linux only. What a file is mapped into comes on
top where there is room: the system takes it back when it must.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import scannlite as sl
from scannlite.cli.memory import memory

__all__ = ["LIMIT", "measured"]

ROOT = Path(__file__).parents[1]
LIMIT = 512_000_000
SHARE_SEARCHED = 100  # leaves for each that a phone's index searches


def _device(n: int, folder: Path) -> Path:
    from bench.clusters import rows  # noqa: PLC0415 - takes memory, which is measured elsewhere

    path = folder / f"device-{n}x128.ldb"
    if not path.exists():
        leaves = round(n**0.5)
        tree = sl.Tree(leaves, max(1, leaves // SHARE_SEARCHED))
        options = sl.ScaNNOptions("dot_product", tree, score_ah=sl.ScoreAH(1, 0.2))
        sl.Index.build(rows(n, 128), options.for_device()).save(path)
    return path


def _search(path: Path, limit: int) -> None:
    """Load and search under a limit, and print what it took."""
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    began = time.perf_counter()
    index = sl.Index.load(path)
    for q in np.load(path.parent / "queries.npy"):
        index.search(q)
    seconds = time.perf_counter() - began
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    own = next(line for line in status.splitlines() if line.startswith("RssAnon:"))
    facts = {"own": 1024 * int(own.split()[1]), "seconds": seconds}
    print(json.dumps(memory([path]) | facts))


def measured(path: Path, limit: int = LIMIT) -> dict[str, float] | None:
    """Bytes and seconds of a process that searches an index; None where it needs more."""
    command = [sys.executable, "-m", "bench.search_memory", "--search", str(path), str(limit)]
    done = subprocess.run(  # noqa: S603 - this interpreter
        command, cwd=ROOT, capture_output=True, check=False, text=True
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return None
    facts: dict[str, float] = json.loads(done.stdout)
    return facts


def _table(paths: list[Path]) -> Iterator[tuple[str, bool]]:
    """Lines of Markdown, each with whether it is within the limit."""
    yield "| file | MB on disk | own memory | file's pages | peak of both |", True
    yield "|---|---|---|---|---|", True
    for path in paths:
        facts = measured(path)
        if facts is None:
            yield f"| {path.name} | NEEDS MORE THAN {LIMIT / 1e6:.0f} MB | | | |", False
            continue
        sizes = path.stat().st_size, facts["own"], facts["mapped"], facts["peak"]
        yield f"| {path.name} | " + " | ".join(f"{size / 1e6:.0f}" for size in sizes) + " |", True


def main() -> int:
    """Build what is missing, search, print, and judge where that is asked for."""
    parser = argparse.ArgumentParser(prog="bench.search_memory", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, required=True, metavar="DIR")
    parser.add_argument("--check", action="store_true", help="exit code 1 beyond the limit")
    arguments = parser.parse_args()
    from scannlite.cli.cases import Case  # noqa: PLC0415 - takes memory, likewise

    case = Case(arguments.rows, arguments.keep)
    case.index()
    np.save(arguments.keep / "queries.npy", case.queries)
    lines = list(_table([case.path, _device(arguments.rows, arguments.keep)]))
    print("\n".join(line for line, _ in lines))
    return int(arguments.check and not all(within for _, within in lines))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--search"]:
        _search(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main())
