"""scannlite and other libraries at equal recall: who answers sooner, and what an index costs.

``python -m bench.race --data DIR --out results.jsonl``, then ``python -m bench.report``.
Half of the queries choose each library's cheapest setting for a recall, the other half measures.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

from bench import report
from bench.clusters import generated
from bench.contest import HOWS, Line, contest
from bench.machine import about
from bench.peers import ENTRIES, PACKAGES
from bench.sets import DISTANCES, Problem, load, load_hdf5, load_pair

__all__ = ["failures"]

SOURCES = ("data", "hdf5", "pair", "generate", "short")
QUERIES = 2_000  # half to tune, half to test
LOST_BETWEEN_HALVES = 0.03  # recall of the test half may be this much below its target


def failures(lines: Sequence[Line]) -> list[str]:
    """Targets that scannlite missed by more than the halves may differ."""
    ours = [line for line in lines if line["kind"] == "target" and line["peer"] == "scannlite"]
    failed = [] if ours else ["scannlite was not in the race"]
    for line in ours:
        for how in HOWS:
            got = line[how]["recall"] if line[how] else 0.0
            if got < line["target"] - LOST_BETWEEN_HALVES:
                failed.append(f"{line['set']}: recall {got:.4f} {how}, wanted {line['target']}")
    return failed


def _problems(arguments: argparse.Namespace) -> Iterator[Problem]:
    queries = arguments.queries
    if arguments.short:
        yield generated(6_000, 32, "squared_l2", queries=300)
        yield generated(6_000, 32, "cosine", queries=300, seed=1)
    for n, d in arguments.generate:
        yield generated(n, d, arguments.distance, queries=queries)
    for path in arguments.hdf5:
        yield load_hdf5(path, queries=queries)
    if arguments.pair:
        rows, questions = arguments.pair
        yield load_pair(rows, questions, arguments.distance, queries=queries)
    if arguments.data:
        for name in arguments.sets:
            yield load(arguments.data, name, queries=queries)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"must be like 100000x128, got {text!r}")
    return int(found[1]), int(found[2])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.race", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the named sets")
    parser.add_argument("--sets", nargs="+", choices=DISTANCES, default=list(DISTANCES))
    parser.add_argument("--hdf5", nargs="+", type=Path, default=[], help="ann-benchmarks' files")
    parser.add_argument("--pair", nargs=2, type=Path, metavar=("ROWS", "QUERIES"), help=".npy")
    parser.add_argument("--generate", nargs="+", type=_size, default=[], metavar="NxD")
    parser.add_argument("--short", action="store_true", help="two small sets, under a minute")
    measures = ("squared_l2", "cosine", "dot_product")
    parser.add_argument("--distance", choices=measures, default="squared_l2", help="of pair, NxD")
    parser.add_argument("--peers", nargs="+", choices=ENTRIES, default=list(ENTRIES))
    parser.add_argument("--queries", type=int, default=QUERIES, help="both halves together")
    parser.add_argument("--rounds", type=int, default=5, help="of timing, peers taking turns")
    parser.add_argument("--memory", action="store_true", help="the peak of each build too")
    parser.add_argument("--out", type=Path, help="JSON lines, versions first")
    parser.add_argument("--check", action="store_true", help="exit with 1 if recall falls short")
    return parser


def _keep(file: TextIO | None, line: Line) -> Line:
    if file:
        print(json.dumps(line), file=file, flush=True)
    return line


def main() -> int:
    """Race, keep the lines, print the tables."""
    parser = _parser()
    arguments = parser.parse_args()
    if not any(getattr(arguments, source) for source in SOURCES):
        parser.error(f"nothing to race over: one of --{', --'.join(SOURCES)} is needed")
    if arguments.short:
        arguments.rounds = 1
    file = arguments.out.open("w", encoding="utf-8") if arguments.out else None
    keep = partial(_keep, file)
    lines = [keep({"kind": "about", **about(PACKAGES), "rounds": arguments.rounds})]
    for problem in _problems(arguments):
        found = contest(
            problem, arguments.peers, rounds=arguments.rounds, with_memory=arguments.memory
        )
        lines += map(keep, found)
    if file:
        file.close()
    print(report.tables(lines))
    failed = failures(lines)
    for failure in failed:
        print(failure, file=sys.stderr)
    return 1 if arguments.check and failed else 0


if __name__ == "__main__":
    sys.exit(main())
