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
from typing import Any, TextIO

from bench import report
from bench.choice import Tried, cheapest, climb, front, promising
from bench.clusters import generated
from bench.entrants import Entrant, Half, Measured, build_all, measure, split
from bench.machine import about
from bench.memory import peak_of_build
from bench.peers import ENTRIES, PACKAGES, entered
from bench.peers.peer import Setting
from bench.sets import DISTANCES, K, Problem, load, load_hdf5, load_pair, recall
from bench.timing import timed

__all__ = ["TARGETS", "race"]

TARGETS = (0.90, 0.95, 0.99)
QUERIES = 2_000  # half to tune, half to test
LOST_BETWEEN_HALVES = 0.03  # recall of the test half may be this much below its target
FRONT_POINTS = 10
Line = dict[str, Any]


def race(
    problem: Problem,
    peers: Sequence[str],
    *,
    targets: Sequence[float] = TARGETS,
    rounds: int = 5,
    with_memory: bool = False,
) -> Iterator[Line]:
    """One line for each peer and target, and one for each peer's best settings.

    Args:
        problem: rows, queries and truth.
        peers: names of ENTRIES.
        targets: recalls to reach at the least price.
        rounds: of timing, the peers taking turns.
        with_memory: also build each in a process of its own, for its peak.
    """
    tuning, test = split(problem)
    entrants = build_all(entered(peers, problem.distance), problem)
    grids = [_grid(entrant, tuning) for entrant in entrants]
    likely = [_likely(tried, targets) for tried in grids]
    timed_ = measure(list(zip(entrants, likely, strict=True)), tuning, max(1, rounds // 2))
    chosen = [_chosen(e, tuning, found, targets) for e, found in zip(entrants, timed_, strict=True)]
    drawn = [_thinned(front(one.tried("single") for one in found)) for found in timed_]
    finals = [
        list(dict.fromkeys([*(s for s in choice.values() if s is not None), *points]))
        for choice, points in zip(chosen, drawn, strict=True)
    ]
    tested = measure(list(zip(entrants, finals, strict=True)), test, rounds)
    for i, entrant in enumerate(entrants):
        tuned = {one.setting: one for one in timed_[i]}
        final = {one.setting: one for one in tested[i]}
        about_peer = _about_entrant(problem, entrant, with_memory=with_memory)
        best = max(one.recall for one in grids[i])
        for target in targets:
            yield {
                "kind": "target",
                **about_peer,
                "target": target,
                "best_tuned_recall": best,
                **{
                    how: _figures(chosen[i][target, how], tuned, final, how)
                    for how in ("single", "batch")
                },
            }
        yield {"kind": "front", **about_peer, "points": _points(drawn[i], final)}


def _grid(entrant: Entrant, half: Half) -> list[Tried]:
    """Recall of the whole grid, each setting by one batch call that gives a rough time too."""
    peer = entrant.peer
    Q = half.queries(peer)

    def attempt(setting: Setting) -> Tried:
        seconds, ids = timed(lambda: peer.search_batch(Q, K, setting))
        return Tried(setting, recall(half.problem, ids), seconds / len(Q))

    tried = climb(peer.settings(), attempt)
    print(f"{half.problem.name}: {peer.name}, {len(tried)} settings tried", file=sys.stderr)
    return tried


def _likely(tried: list[Tried], targets: Sequence[float]) -> list[Setting]:
    """Settings to time with care: those that may win a target, and the front for the plot."""
    wanted = [one for target in targets for one in promising(tried, target)]
    points = [one for one in front(tried) if one.recall >= min(targets) - 0.2]
    return list(dict.fromkeys(one.setting for one in [*wanted, *points])) or [tried[-1].setting]


def _chosen(
    entrant: Entrant, half: Half, found: list[Measured], targets: Sequence[float]
) -> dict[tuple[float, str], Setting | None]:
    """The cheapest setting for each target, singly and by batch; None where none reaches it."""
    chosen: dict[tuple[float, str], Setting | None] = {}
    for target in targets:
        own = entrant.peer.proposed(half.queries(entrant.peer), K, target)
        for how in ("single", "batch"):
            best = cheapest((one.tried(how) for one in found), target)
            chosen[target, how] = own or (best.setting if best else None)
    return chosen


def _thinned(points: list[Tried]) -> list[Setting]:
    """At most FRONT_POINTS of a front, its ends among them."""
    last = len(points) - 1
    steps = min(last, FRONT_POINTS - 1)
    return [points[round(i * last / max(1, steps))].setting for i in range(steps + 1)]


def _about_entrant(problem: Problem, entrant: Entrant, *, with_memory: bool) -> Line:
    peer = entrant.peer
    peak = peak_of_build(peer.name, problem, unit_rows=peer.unit_rows) if with_memory else None
    return {
        "set": problem.name,
        "n": len(problem.X),
        "d": problem.X.shape[1],
        "distance": problem.distance,
        "peer": peer.name,
        "turns": list(peer.turns),
        "build_seconds": entrant.build_seconds,
        "first_call_seconds": entrant.first_call_seconds,
        "bytes": entrant.nbytes,
        "peak_bytes": peak,
    }


def _figures(
    setting: Setting | None,
    tuned: dict[Setting, Measured],
    final: dict[Setting, Measured],
    how: str,
) -> Line | None:
    if setting is None:
        return None
    return {
        "setting": list(setting),
        "tuned_recall": tuned[setting].recall if setting in tuned else None,
        "recall": final[setting].recall,
        "microseconds": 1e6 * getattr(final[setting], how),
    }


def _points(drawn: list[Setting], final: dict[Setting, Measured]) -> list[tuple[float, ...]]:
    found = [final[setting] for setting in drawn]
    return [(one.recall, 1e6 * one.single, 1e6 * one.batch) for one in found]


def failures(lines: Sequence[Line]) -> list[str]:
    """Targets that scannlite missed by more than the halves may differ."""
    failed = []
    for line in lines:
        if line["kind"] != "target" or line["peer"] != "scannlite":
            continue
        for how in ("single", "batch"):
            got = line[how]["recall"] if line[how] else 0.0
            if got < line["target"] - LOST_BETWEEN_HALVES:
                failed.append(f"{line['set']}: recall {got:.4f} {how}, wanted {line['target']}")
    return failed


def _problems(arguments: argparse.Namespace) -> Iterator[Problem]:
    queries = arguments.queries
    if arguments.short:
        yield generated(8_000, 32, "squared_l2", queries=400)
        yield generated(8_000, 32, "cosine", queries=400, seed=1)
    for n, d in arguments.generate:
        yield generated(n, d, arguments.distance, queries=queries)
    for path in arguments.hdf5:
        yield load_hdf5(path, queries=queries)
    if arguments.pair:
        yield load_pair(*arguments.pair, arguments.distance, queries=queries)
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
    arguments = _parser().parse_args()
    if arguments.short:
        arguments.rounds = 1
    file = arguments.out.open("w", encoding="utf-8") if arguments.out else None
    keep = partial(_keep, file)
    lines = [keep({"kind": "about", **about(PACKAGES), "rounds": arguments.rounds})]
    for problem in _problems(arguments):
        found = race(
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
