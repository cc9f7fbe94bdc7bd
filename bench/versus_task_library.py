"""scannlite beside Task Library's TextSearcher: the same file, the same queries, one thread each.

``python -m bench.versus_task_library --reference .venv-reference/bin/python``; ``make reference``
makes that interpreter. The two live in processes of their own and take turns, never at once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

import scannlite as sl
from bench.clusters import generated
from bench.machine import about
from bench.sets import unit
from bench.timing import CHUNK, interleaved, seconds_a_query
from scannlite.cli.cases import ARTICLE
from scannlite.types import Floats
from tests.reference.client import Found, Reference

Search = Callable[[Floats], object]
D, QUERIES = 128, 1_000
KS = (10, 5)
LEAST_SPEED, MOST_OPENING = 10.0, 0.050
OPENING = """
import json, sys, time
import numpy as np
import numba, cramjam, flatbuffers, google_crc32c, google.protobuf.message
from scannlite import Index
path, *before = sys.argv[1:]
for small in before:
    index = Index.load(small)
    index.search(np.ones(index.dimensions, np.float32))
start = time.perf_counter()
index = Index.load(path)
opened = time.perf_counter()
index.search(np.ones(index.dimensions, np.float32))
print(json.dumps([opened - start, time.perf_counter() - opened]))
"""


@dataclass(frozen=True)
class Times:
    """Microseconds a query at one k.

    Attributes:
        searcher: ``TextSearcher.search``.
        embedder: ``TextEmbedder.embed`` with the same model.
        nothing: ``TextSearcher.search`` with the same model, and an index of which it searches no
            leaf: all that a search is but the search.
        index: ``Index.search``.
        and_metadata: the same, and metadata of what it found, each read from the file.
        and_listed: the same, and metadata from a list into which all were read before.
    """

    searcher: float
    embedder: float
    nothing: float
    index: float
    and_metadata: float
    and_listed: float

    @property
    def less_embedder(self) -> float:
        """What their search takes if the embedder takes as long inside it as by itself."""
        return self.searcher - self.embedder

    @property
    def less_nothing(self) -> float:
        """What their search takes."""
        return self.searcher - self.nothing


ROWS: dict[str, Callable[[Times], float]] = {
    "µs of TextSearcher.search": lambda t: t.searcher,
    "µs of TextEmbedder.embed": lambda t: t.embedder,
    "µs of TextSearcher.search in an index of nothing": lambda t: t.nothing,
    "µs of their search part, less TextEmbedder.embed": lambda t: t.less_embedder,
    "µs of their search part, less the index of nothing": lambda t: t.less_nothing,
    "µs of Index.search": lambda t: t.index,
    "µs of Index.search and metadata from the file": lambda t: t.and_metadata,
    "µs of Index.search and metadata from a list": lambda t: t.and_listed,
    "times faster, less TextEmbedder.embed": lambda t: t.less_embedder / t.index,
    "times faster, less the index of nothing": lambda t: t.less_nothing / t.index,
    "the latter, metadata from the file": lambda t: t.less_nothing / t.and_metadata,
    "the latter, metadata from a list": lambda t: t.less_nothing / t.and_listed,
}


class Files(NamedTuple):
    """One case as files.

    Attributes:
        Q: the queries (q, d).
        table: the index by itself.
        searcher: the index inside an embedder.
        embedder: that answers texts with the queries.
        nothing: an index of one leaf, of which no share is searched.
        small: an index of a few rows, to warm up with.
    """

    Q: Floats
    table: Path
    searcher: Path
    embedder: Path
    nothing: Path
    small: Path


def made(reference: Reference, folder: Path, n: int) -> Files:
    """One case of n rows, written to a folder."""
    problem = generated(n, D, "dot_product", queries=QUERIES)
    X, Q = unit(problem.X), unit(problem.Q)
    names = "index.ldb", "searcher.tflite", "embedder.tflite", "nothing.ldb", "small.ldb"
    files = Files(Q, *(folder / name for name in names))
    vectors, arrays = folder / "queries.npy", folder / "arrays.npz"
    np.save(vectors, Q)
    reference.ask("text_model", queries=vectors, to=files.embedder)
    index = sl.Index.build(X, ARTICLE, metadata=[str(i) for i in range(n)])
    index.save(files.table)
    index.save(files.searcher, embedder=files.embedder)
    few = sl.ScaNNOptions("dot_product", sl.Tree(4, 2), score_ah=sl.ScoreAH(1)).for_device()
    sl.Index.build(X[:300], few).save(files.small)
    zeros = np.zeros((1, D), np.float32)
    np.savez(arrays, centroids=zeros, rows=zeros, leaf=np.zeros(1, np.uint32))
    config = {
        "distance": "DOT_PRODUCT",
        "leaf_distance": "DOT_PRODUCT",
        "search_fraction": 0.0,
        "metadata": [""],
        "userinfo": "",
    }
    reference.ask("build", arrays=arrays, to=files.nothing, config=config, compression=False)
    return files


def _identical(theirs: list[Found], index: sl.Index, Q: Floats) -> int:
    """Queries whose distances are the same to the last bit."""
    return sum(
        index.search(q, len(found.distances)).distances.tobytes() == found.distances.tobytes()
        for q, found in zip(Q, theirs, strict=True)
    )


def _and_metadata(index: sl.Index, metadata: Sequence[str | bytes], k: int) -> Search:
    def search(q: Floats) -> list[tuple[float, str | bytes]]:
        distances, ids = index.search(q, k)
        return [(x, metadata[i]) for x, i in zip(distances.tolist(), ids.tolist(), strict=True)]

    return search


def _times(reference: Reference, index: sl.Index, files: Files, rounds: int) -> list[Times]:
    """For each k; the first round only warms up."""
    asked: dict[str, Any] = {"model": files.searcher, "questions": len(files.Q)}
    reference.ask("open_embedder", name="embedder", **{**asked, "model": files.embedder})
    queries, metadata = list(files.Q), index.metadata or ()
    clocks: list[Callable[[], list[float]]] = []
    for k in KS:
        reference.ask("open_texts", name=f"searcher {k}", k=k, **asked)
        reference.ask("open_texts", name=f"nothing {k}", k=k, index=files.nothing, **asked)
        names = f"searcher {k}", "embedder", f"nothing {k}"
        clocks += [partial(reference.clock, name, CHUNK) for name in names]
        clocks += [
            partial(seconds_a_query, search, queries)
            for search in (
                partial(index.search, k=k),
                _and_metadata(index, metadata, k),
                _and_metadata(index, list(metadata), k),
            )
        ]
    interleaved(clocks, 1)
    us = [1e6 * seconds for seconds in interleaved(clocks, rounds)]
    size = len(us) // len(KS)
    return [Times(*us[first : first + size]) for first in range(0, len(us), size)]


def _opening(*files: Path, processes: int) -> list[float]:
    """Seconds that ``load`` of the first file and then a search take in a fresh process.

    All imports are done before, and the other files were loaded and searched.
    """
    samples = []
    for _ in range(processes):
        command = [sys.executable, "-c", OPENING, *map(str, files)]
        done = subprocess.run(  # noqa: S603 - this interpreter
            command, capture_output=True, check=True, text=True
        )
        samples.append(json.loads(done.stdout))
    return [median(column) for column in zip(*samples, strict=True)]


def _shown(figure: float) -> str:
    return f"{figure:.{1 if figure >= 1 else 2}f}"


def _print(times: list[Times]) -> None:
    """The table."""
    print(f"| | {' | '.join(f'k = {k}' for k in KS)} |\n|---|{'---|' * len(KS)}")
    for row, of in ROWS.items():
        print(f"| {row} | {' | '.join(map(_shown, map(of, times)))} |")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.versus_task_library", description=__doc__)
    parser.add_argument("--reference", required=True, help="a Python that has tflite-support")
    parser.add_argument("--rows", type=int, default=123_287, help="indexed")
    parser.add_argument("--rounds", type=int, default=9, help="of each, in turn")
    parser.add_argument("--processes", type=int, default=9, help="fresh ones that open the file")
    parser.add_argument("--check", action="store_true", help="exit with 1 below a floor")
    return parser


def main() -> int:
    """Measure, print, and with ``--check`` name what is below a floor."""
    arguments = _parser().parse_args()
    print(about(("numpy", "numba")), flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Reference(arguments.reference)) as reference,
    ):
        files = made(reference, Path(folder), arguments.rows)
        index = sl.Index.load(files.searcher)
        print(f"{index}; {files.table.stat().st_size / 1e6:.1f} MB as .ldb", flush=True)
        opened = reference.ask(
            "open_texts", name="first", model=files.searcher, questions=len(files.Q), k=KS[0]
        )
        same = _identical(reference.search("first"), index, files.Q)
        print(f"the same distances to the last bit: {same} of {len(files.Q)} queries\n", flush=True)
        times = _times(reference, index, files, arguments.rounds)
        _print(times)
        warm = _opening(files.table, files.small, processes=arguments.processes)
        cold = _opening(files.table, processes=arguments.processes)
    print("\n| ms in a fresh process | Index.load | first search |\n|---|---|---|")
    print(f"| after another device index | {1e3 * warm[0]:.1f} | {1e3 * warm[1]:.1f} |")
    print(f"| after imports alone | {1e3 * cold[0]:.1f} | {1e3 * cold[1]:.1f} |")
    print(f"\nTextSearcher opened the searcher in {1e3 * opened['seconds']:.1f} ms.")
    speed = times[0].less_nothing / times[0].index
    floors = {
        f"{same} of {len(files.Q)} queries have the same distances": same == len(files.Q),
        f"{speed:.1f} times as fast, not {LEAST_SPEED:g}": speed >= LEAST_SPEED,
        f"opened in {1e3 * warm[0]:.1f} ms, not {1e3 * MOST_OPENING:g}": warm[0] < MOST_OPENING,
    }
    failed = [words for words, held in floors.items() if not held]
    for words in failed:
        print(words, file=sys.stderr)
    return 1 if arguments.check and failed else 0


if __name__ == "__main__":
    sys.exit(main())
