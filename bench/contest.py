"""Libraries at equal recall: half of the queries choose the settings, the other half measures."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bench.choice import Tried, cheapest, climb, front, promising
from bench.entrants import Entrant, Half, Measured, build_all, measure, split
from bench.memory import peak_of_build
from bench.peers import entered
from bench.peers.peer import Setting
from bench.sets import K, Problem, recall
from bench.timing import timed

__all__ = ["HOWS", "TARGETS", "Line", "contest"]

TARGETS = (0.90, 0.95, 0.99)
HOWS = ("single", "batch")
FRONT_POINTS = 10
Line: TypeAlias = dict[str, Any]


def contest(
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
    choices = _tune(entrants, tuning, targets, max(1, rounds // 2))
    tested = measure([(choice.entrant, choice.wanted) for choice in choices], test, rounds)
    for choice, found in zip(choices, tested, strict=True):
        final = {one.setting: one for one in found}
        known = _about_entrant(problem, choice.entrant, with_memory=with_memory)
        for target in targets:
            yield {
                "kind": "target",
                **known,
                "target": target,
                "best_tuned_recall": choice.best_recall,
                **{how: _figures(choice, target, how, final) for how in HOWS},
            }
        yield {"kind": "front", **known, "points": _points(choice.drawn, final)}


@dataclass(frozen=True)
class Choice:
    """What the tuning half says of one entrant.

    Attributes:
        entrant: of whom.
        best_recall: of the whole grid.
        timed: the settings that were timed with care.
        chosen: the cheapest for each target, singly and by batch; None where none reaches it.
        drawn: settings for the plot.
    """

    entrant: Entrant
    best_recall: float
    timed: dict[Setting, Measured]
    chosen: dict[tuple[float, str], Setting | None]
    drawn: list[Setting]

    @property
    def wanted(self) -> list[Setting]:
        """Settings to test."""
        winners = [setting for setting in self.chosen.values() if setting is not None]
        return list(dict.fromkeys([*winners, *self.drawn]))


def _tune(
    entrants: Sequence[Entrant], half: Half, targets: Sequence[float], rounds: int
) -> list[Choice]:
    """Search the grids, time what is promising, choose."""
    grids = [_grid(entrant, half) for entrant in entrants]
    own = [_proposed(entrant, half, targets) for entrant in entrants]
    likely = [
        list(dict.fromkeys([*_likely(tried, targets), *proposed.values()]))
        for tried, proposed in zip(grids, own, strict=True)
    ]
    measured = measure(list(zip(entrants, likely, strict=True)), half, rounds)
    return [
        Choice(
            entrant,
            best_recall=max(one.recall for one in tried),
            timed={one.setting: one for one in found},
            chosen=_chosen(found, proposed, targets),
            drawn=_thinned(front(one.tried("single") for one in found)),
        )
        for entrant, tried, proposed, found in zip(entrants, grids, own, measured, strict=True)
    ]


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


def _proposed(entrant: Entrant, half: Half, targets: Sequence[float]) -> dict[float, Setting]:
    """What the library itself would take for each target, if it has a way to say."""
    peer = entrant.peer
    proposals = {target: peer.proposed(half.queries(peer), K, target) for target in targets}
    return {target: setting for target, setting in proposals.items() if setting is not None}


def _chosen(
    found: list[Measured], proposed: dict[float, Setting], targets: Sequence[float]
) -> dict[tuple[float, str], Setting | None]:
    """The cheapest setting for each target, singly and by batch; None where none reaches it."""
    chosen: dict[tuple[float, str], Setting | None] = {}
    for target in targets:
        for how in HOWS:
            best = cheapest((one.tried(how) for one in found), target)
            chosen[target, how] = proposed.get(target) or (best.setting if best else None)
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
    choice: Choice, target: float, how: str, final: dict[Setting, Measured]
) -> Line | None:
    setting = choice.chosen[target, how]
    if setting is None:
        return None
    tuned = choice.timed.get(setting)
    return {
        "setting": list(setting),
        "tuned_recall": tuned.recall if tuned else None,
        "recall": final[setting].recall,
        "microseconds": 1e6 * getattr(final[setting], how),
    }


def _points(drawn: list[Setting], final: dict[Setting, Measured]) -> list[tuple[float, ...]]:
    found = [final[setting] for setting in drawn]
    return [(one.recall, 1e6 * one.single, 1e6 * one.batch) for one in found]
