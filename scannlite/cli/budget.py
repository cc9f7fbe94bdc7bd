"""How long a query takes, from a text, picture, sound or vector to its neighbours, by stages."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from scannlite.cli.report import STAGES, Milliseconds, Timings
from scannlite.engine.index import Index

if TYPE_CHECKING:
    from scannlite.embedders.embedder import Embedder

__all__ = ["Flush", "Query", "VectorQuery", "WholeQuery", "time_cold", "time_queries"]

_WARM_UP = 20  # queries, not timed: the model's first runs, and all metadata found at once
_LEAST_FLUSHED, _MOST_FLUSHED = 8 << 20, 64 << 20


class Query(Protocol):
    """What is asked again and again."""

    @property
    def stages(self) -> Sequence[str]:
        """Names of what is timed, the whole last."""

    def timed(self, item: Any) -> tuple[int, ...]:
        """Ask once: nanoseconds by stage."""


@dataclass(frozen=True)
class WholeQuery:
    """From an item to its neighbours.

    Attributes:
        embedder: makes the query.
        index: of its dimensions; what it says of the neighbours is part of the search.
        k: neighbours wanted.
    """

    embedder: Embedder
    index: Index
    k: int
    stages = STAGES

    def timed(self, item: Any) -> tuple[int, int, int, int]:
        """Ask once: nanoseconds by stage."""
        clock, metadata = time.perf_counter_ns, self.index.metadata
        began = clock()
        runs = self.embedder.prepare(item)
        prepared = clock()
        embedding = self.embedder.run(runs)
        embedded = clock()
        ids = self.index.search(embedding, self.k).ids.tolist()
        if metadata is not None:
            [metadata[place] for place in ids if place >= 0]
        ended = clock()
        return prepared - began, embedded - prepared, ended - embedded, ended - began


@dataclass(frozen=True)
class VectorQuery:
    """From a vector to its neighbours.

    Attributes:
        index: of its dimensions.
        k: neighbours wanted.
    """

    index: Index
    k: int
    stages = ("search",)

    def timed(self, item: Any) -> tuple[int, ...]:
        """Ask once: nanoseconds."""
        began = time.perf_counter_ns()
        self.index.search(item, self.k)
        return (time.perf_counter_ns() - began,)


class Flush:
    """Empties a processor's caches of all else: reads twice what the largest holds, up to 64 MB."""

    def __init__(self, largest_cache: int | None) -> None:
        size = min(max(2 * (largest_cache or 0), _LEAST_FLUSHED), _MOST_FLUSHED)
        self._filler = np.ones(size // 8, np.int64)

    def __call__(self) -> None:
        """Read it all."""
        self._filler.sum()


def time_queries(
    query: Query, items: Iterator[Any], *, most: float = math.inf, seconds: float = math.inf
) -> Timings:
    """Ask again and again, one after another.

    Args:
        query: of which nothing was asked before.
        items: without an end; getting one is not timed.
        most: queries to time, at least one.
        seconds: when to stop, even so.
    """
    first = query.timed(next(items))
    for item in islice(items, _WARM_UP):
        query.timed(item)
    others, end = [], time.perf_counter() + seconds
    for item in items:
        others.append(query.timed(item))
        if len(others) >= most or time.perf_counter() >= end:
            break
    return Timings(np.array(first) / 1e6, np.array(others) / 1e6, query.stages)


def time_cold(
    query: Query, items: Iterator[Any], flush: Callable[[], object], count: int
) -> Milliseconds:
    """Ask again, and empty the caches before each query.

    What is cold is the processor: the pages of the index file stay in memory.

    Args:
        query: that was asked before.
        items: at least ``count``.
        flush: empties the caches.
        count: queries to time.
    """
    took = []
    for item in islice(items, count):
        flush()
        took.append(query.timed(item)[-1])
    return np.array(took) / 1e6
