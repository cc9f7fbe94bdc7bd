"""How long a whole query takes, from a text, picture or sound to its neighbours, stage by stage."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scannlite.embedders.embedder import Embedder, Kind
from scannlite.engine.index import Index

__all__ = ["STAGES", "Report", "Timings", "Verdict", "WholeQuery", "time_queries"]

STAGES = ("prepare", "model", "search", "total")
_SHOWN = (50.0, 95.0, 99.0)
_WARM_UP = 20  # queries, not timed: the model's first runs, and all metadata found at once

Milliseconds = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """Whether queries are within a budget.

    Attributes:
        percentile: of the queries that must be within it.
        took_ms: what they took at most.
        budget_ms: what they may take.
        passed: whether that was enough.
    """

    percentile: float
    took_ms: float
    budget_ms: float
    passed: bool

    def __str__(self) -> str:
        word = "pass" if self.passed else "FAIL"
        took = f"p{self.percentile:g} of whole queries is {self.took_ms:.3f} ms"
        return f"{word}: {took}, the budget is {self.budget_ms:g} ms"


@dataclass(frozen=True)
class Timings:
    """What whole queries took, in milliseconds, a column a stage of ``STAGES``.

    Attributes:
        first: (4,) of the first query, which waits for kernels, model and file to be loaded.
        others: (q, 4) of those after it and after the warm-up.
    """

    first: Milliseconds
    others: Milliseconds

    def by_stage(self) -> dict[str, dict[str, float]]:
        """Of each stage the percentiles of all others, and the first."""
        columns = [*(f"p{percentile:g}" for percentile in _SHOWN), "first"]
        table = np.vstack([np.percentile(self.others, _SHOWN, axis=0), self.first])
        return {
            stage: dict(zip(columns, column, strict=True))
            for stage, column in zip(STAGES, table.T.round(4).tolist(), strict=True)
        }

    def judged(self, budget_ms: float, percentile: float) -> Verdict:
        """Whether a percentile of whole queries is within a budget; to the last bit is within."""
        took = float(np.percentile(self.others[:, STAGES.index("total")], percentile))
        return Verdict(percentile, took, budget_ms, took <= budget_ms)


@dataclass(frozen=True)
class Report:
    """What was timed, and what came of it.

    Attributes:
        searcher: path of the model.
        kind: of what it embeds.
        rows: of the index.
        k: neighbours a query.
        timings: of the queries, in one thread.
        verdict: on a budget, or None without one.
    """

    searcher: str
    kind: Kind
    rows: int
    k: int
    timings: Timings
    verdict: Verdict | None

    def facts(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "searcher": self.searcher,
            "kind": self.kind,
            "rows": self.rows,
            "k": self.k,
            "queries": len(self.timings.others),
            "threads": 1,
            "ms": self.timings.by_stage(),
            "budget": None if self.verdict is None else asdict(self.verdict),
        }

    def lines(self) -> Iterator[str]:
        """For people: a sentence, a line a stage, and the verdict."""
        asked = f"{len(self.timings.others):,} {self.kind} queries in one thread"
        yield f"{self.searcher}: {asked}, {self.k} neighbours each of {self.rows:,} rows"
        yield ""
        stages = self.timings.by_stage()
        yield f"{'ms':>10}" + "".join(f"{column:>10}" for column in stages["total"])
        for stage, row in stages.items():
            name = "tokenise" if (stage, self.kind) == ("prepare", "text") else stage
            yield f"{name:>10}" + "".join(f"{value:10.3f}" for value in row.values())
        if self.verdict is not None:
            yield ""
            yield str(self.verdict)


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


def time_queries(
    query: WholeQuery, items: Iterator[Any], *, most: float = math.inf, seconds: float = math.inf
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
    return Timings(np.array(first) / 1e6, np.array(others) / 1e6)
