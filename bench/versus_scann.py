"""scannlite beside ScaNN: the same options, the same rows, one thread.

``python -m bench.versus_scann --data DIR`` for the real sets, ``--synthetic`` anywhere.
Builds alternate; so do rounds of single-query loops. All figures are medians.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import scannlite as sl
from bench.machine import about
from bench.peers.scann import build_searcher, saved_bytes
from bench.sets import DISTANCES, K, Problem, filled, load, recall, synthetic, unit
from bench.timing import interleaved, seconds_a_query, timed
from scannlite.types import Floats, Ids

Search = Callable[[Floats], Ids]
SHARES_AND_CANDIDATES = ((0.02, 50), (0.05, 100), (0.10, 100), (0.20, 250))
MOST_RECALL_LOST, LEAST_SPEED, MOST_BUILD = 0.01, 1.5, 2.0


@dataclass(frozen=True)
class Line:
    """One set at one setting; pairs are (scannlite, ScaNN)."""

    set: str
    n: int
    d: int
    distance: str
    leaves: int
    leaves_to_search: int
    candidates: int
    recall: tuple[float, float]
    microseconds: tuple[float, float]
    build_seconds: tuple[float, float]
    megabytes: tuple[float, float]

    @property
    def speed(self) -> float:
        """How many times faster a query is."""
        return self.microseconds[1] / self.microseconds[0]

    @property
    def build(self) -> float:
        """How many times longer a build takes."""
        return self.build_seconds[0] / self.build_seconds[1]

    def failures(self) -> list[str]:
        """The floors this line is below."""
        ours, theirs = self.recall
        where = f"{self.set}, {self.leaves_to_search} leaves, R {self.candidates}"
        failed = []
        if ours < theirs - MOST_RECALL_LOST:
            failed.append(f"{where}: recall {ours:.4f}, ScaNN {theirs:.4f}")
        if self.speed < LEAST_SPEED:
            failed.append(f"{where}: query {self.speed:.2f}x as fast, not {LEAST_SPEED}x")
        if self.build > MOST_BUILD:
            failed.append(f"{self.set}: build {self.build:.2f}x as long, not {MOST_BUILD}x")
        return failed


def _options(problem: Problem) -> sl.ScaNNOptions:
    leaves = round(math.sqrt(len(problem.X)))
    return sl.ScaNNOptions(
        problem.distance,
        tree=sl.Tree(leaves, max(1, leaves // 10)),
        score_ah=sl.ScoreAH(2, 0.2 if problem.distance == "cosine" else None),
        reorder=sl.Reorder(100),
    )


def _build_scann(X: Floats, options: sl.ScaNNOptions) -> Any:
    tree, ah = options.tree, options.score_ah
    if tree is None or ah is None or options.reorder is None:
        raise ValueError("options must have a tree, score_ah and reorder.")
    return build_searcher(
        X,
        options.distance_measure,
        leaves=tree.num_leaves,
        leaves_to_search=tree.num_leaves_to_search,
        dimensions_per_block=ah.dimensions_per_block,
        threshold=ah.anisotropic_quantization_threshold,
        candidates=options.reorder.reordering_num_neighbors,
    )


def _microseconds(pairs: Sequence[tuple[Search, Floats]], rounds: int) -> list[float]:
    """A query's time with each search; the first round only warms up."""
    clocks = [partial(seconds_a_query, search, list(Q)) for search, Q in pairs]
    interleaved(clocks, 1)
    return [1e6 * seconds for seconds in interleaved(clocks, rounds)]


def _compare(problem: Problem, builds: int, rounds: int) -> Iterator[Line]:
    options = _options(problem)
    X, Q = problem.X, problem.Q
    their_X, their_Q = (X, Q) if problem.distance == "squared_l2" else (unit(X), unit(Q))
    sl.Index.build(X[: len(X) // 4], options).search(Q[0])  # compiles
    ours, theirs = [], []
    for _ in range(builds):
        ours.append(timed(lambda: sl.Index.build(X, options)))
        theirs.append(timed(lambda: _build_scann(their_X, options)))
    seconds = median(t for t, _ in ours), median(t for t, _ in theirs)
    index, searcher = ours[-1][1], theirs[-1][1]
    sizes = index.nbytes / 1e6, saved_bytes(searcher) / 1e6
    leaves = options.tree.num_leaves if options.tree else 1
    for share, R in SHARES_AND_CANDIDATES:
        p = max(1, round(share * leaves))

        def ours_of(q: Floats, p: int = p, R: int = R) -> Ids:
            return index.search(q, K, leaves_to_search=p, pre_reorder_num_neighbors=R).ids

        def theirs_of(q: Floats, p: int = p, R: int = R) -> Ids:
            found = searcher.search(
                q, final_num_neighbors=K, leaves_to_search=p, pre_reorder_num_neighbors=R
            )
            ids: Ids = found[0].astype(np.int64)
            return ids

        pairs = [(ours_of, Q), (theirs_of, their_Q)]
        recalls = [recall(problem, np.stack([filled(find(q)) for q in Y])) for find, Y in pairs]
        ours_us, theirs_us = _microseconds(pairs, rounds)
        yield Line(
            set=problem.name,
            n=len(X),
            d=X.shape[1],
            distance=problem.distance,
            leaves=leaves,
            leaves_to_search=p,
            candidates=R,
            recall=(recalls[0], recalls[1]),
            microseconds=(ours_us, theirs_us),
            build_seconds=seconds,
            megabytes=sizes,
        )


HEAD = (
    "| set | leaves, R | recall scannlite / ScaNN | µs a query | times faster "
    "| build s | times longer | MB |\n|---|---|---|---|---|---|---|---|"
)


def _row(line: Line) -> str:
    (ours, theirs), (our_us, their_us) = line.recall, line.microseconds
    (our_s, their_s), (our_mb, their_mb) = line.build_seconds, line.megabytes
    return (
        f"| {line.set} | {line.leaves_to_search} of {line.leaves}, {line.candidates} "
        f"| {ours:.4f} / {theirs:.4f} | {our_us:.1f} / {their_us:.1f} | {line.speed:.2f} "
        f"| {our_s:.2f} / {their_s:.2f} | {line.build:.2f} | {our_mb:.1f} / {their_mb:.1f} |"
    )


def _problems(arguments: argparse.Namespace) -> Iterator[Problem]:
    if arguments.synthetic:
        yield synthetic("squared_l2")
        yield synthetic("cosine")
        return
    for name in arguments.sets:
        yield load(arguments.data, name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.versus_scann", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder of the sets")
    source.add_argument("--synthetic", action="store_true", help="seeded clusters instead")
    parser.add_argument("--sets", nargs="+", choices=DISTANCES, default=list(DISTANCES))
    parser.add_argument("--builds", type=int, default=3, help="of each, in turn")
    parser.add_argument("--rounds", type=int, default=7, help="of each, in turn")
    parser.add_argument("--json", action="store_true", help="JSON lines, versions first")
    parser.add_argument("--check", action="store_true", help="exit with 1 below a floor")
    return parser


def main() -> int:
    """Measure, print, and with ``--check`` name what is below a floor."""
    arguments = _parser().parse_args()
    versions = about(("numpy", "numba", "scann"))
    print(json.dumps(versions) if arguments.json else f"{versions}\n\n{HEAD}", flush=True)
    failed: list[str] = []
    for problem in _problems(arguments):
        for line in _compare(problem, arguments.builds, arguments.rounds):
            print(json.dumps(asdict(line)) if arguments.json else _row(line), flush=True)
            failed += line.failures()
    for failure in dict.fromkeys(failed):
        print(failure, file=sys.stderr)
    return 1 if arguments.check and failed else 0


if __name__ == "__main__":
    sys.exit(main())
