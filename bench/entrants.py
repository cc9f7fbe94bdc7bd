"""Peers that are built over one problem, and what is measured of them there."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.choice import Tried
from bench.peers.peer import Peer, Setting
from bench.sets import K, Problem, filled, halves, recall, unit
from bench.timing import interleaved, repeatedly, seconds_a_query, timed
from scannlite.types import Floats, Ids

__all__ = ["Entrant", "Half", "Measured", "build_all", "measure", "split"]

BATCH = 1_000
BATCH_SECONDS = 0.02
WARMING = 20  # queries that nobody times, after another peer has had the caches


@dataclass(frozen=True)
class Half:
    """Half of the queries, as they are and at length 1; for batches repeated up to BATCH."""

    problem: Problem
    unit: Floats

    def queries(self, peer: Peer) -> Floats:
        """As this peer wants them."""
        return self.unit if peer.unit_rows else self.problem.Q


@dataclass(frozen=True)
class Entrant:
    """A peer that is built, and what building it took."""

    peer: Peer
    build_seconds: float
    first_call_seconds: float
    nbytes: int


@dataclass(frozen=True)
class Measured:
    """One setting of one entrant over one half; times are seconds a query."""

    setting: Setting
    recall: float
    single: float
    batch: float

    def tried(self, how: str) -> Tried:
        """Its recall beside one of its two times, ``single`` or ``batch``."""
        return Tried(self.setting, self.recall, getattr(self, how))


def split(problem: Problem) -> tuple[Half, Half]:
    """The tuning half and the test half."""
    scale = unit if problem.distance == "cosine" else np.asarray
    first, second = (Half(half, scale(half.Q)) for half in halves(problem))
    return first, second


def build_all(peers: Sequence[Peer], problem: Problem) -> list[Entrant]:
    """Build each, after a small build that loads or compiles whatever is needed."""
    scaled = problem.X if problem.distance != "cosine" else unit(problem.X)
    entrants = []
    for peer in peers:
        X = scaled if peer.unit_rows else problem.X
        q = np.ascontiguousarray((unit(problem.Q[:1]) if peer.unit_rows else problem.Q[:1])[0])
        _build_and_call(peer, X[: max(4_000, len(X) // 20)], q, problem)
        build_seconds, call_seconds = _build_and_call(peer, X, q, problem)
        entrants.append(Entrant(peer, build_seconds, call_seconds, peer.nbytes()))
        print(f"{problem.name}: {peer.name} built in {build_seconds:.2f} s", file=sys.stderr)
    return entrants


def _build_and_call(peer: Peer, X: Floats, q: Floats, problem: Problem) -> tuple[float, float]:
    build_seconds, _ = timed(lambda: peer.build(X, problem.distance))
    setting = peer.settings()[0][0]
    return build_seconds, timed(lambda: peer.search(q, K, setting))[0]


def measure(
    wanted: Sequence[tuple[Entrant, Sequence[Setting]]], half: Half, rounds: int
) -> list[list[Measured]]:
    """Recall and both times of settings, for each entrant in order; all of them take turns."""
    # By position and then by entrant, so that neighbours in time are of different libraries.
    columns = itertools.zip_longest(*(settings for _, settings in wanted))
    turns = [
        (i, setting)
        for column in columns
        for i, setting in enumerate(column)
        if setting is not None
    ]
    clocks: list[Callable[[], list[float]]] = []
    for i, setting in turns:
        peer = wanted[i][0].peer
        clocks += [_single_clock(peer, half, setting), _batch_clock(peer, half, setting)]
    seconds = interleaved(clocks, rounds)
    measured: list[list[Measured]] = [[] for _ in wanted]
    for (i, setting), single, batch in zip(turns, seconds[::2], seconds[1::2], strict=True):
        found = recall(half.problem, _singly(wanted[i][0].peer, half, setting))
        measured[i].append(Measured(setting, found, single, batch))
    return measured


def _singly(peer: Peer, half: Half, setting: Setting) -> Ids:
    return np.stack([filled(peer.search(q, K, setting)) for q in half.queries(peer)])


def _single_clock(peer: Peer, half: Half, setting: Setting) -> Callable[[], list[float]]:
    queries = list(half.queries(peer))

    def clock() -> list[float]:
        seconds_a_query(peer.search, queries[:WARMING], K, setting)
        return seconds_a_query(peer.search, queries, K, setting)

    return clock


def _batch_clock(peer: Peer, half: Half, setting: Setting) -> Callable[[], list[float]]:
    queries = half.queries(peer)
    batch = np.resize(queries, (min(BATCH, 4 * len(queries)), queries.shape[1]))

    def clock() -> list[float]:
        peer.search_batch(batch[:WARMING], K, setting)
        samples = repeatedly(lambda: peer.search_batch(batch, K, setting), BATCH_SECONDS)
        return [seconds / len(batch) for seconds in samples]

    return clock
