"""What queries took, and what a time means nothing without: as JSON, and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scannlite.cli import machine
from scannlite.cli.memory import in_words

__all__ = ["STAGES", "Kind", "Milliseconds", "Report", "Surroundings", "Timings", "Verdict"]

STAGES = ("prepare", "model", "search", "total")
_SHOWN = (50.0, 95.0, 99.0)

Kind: TypeAlias = Literal["text", "image", "audio", "vector"]
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
    """What whole queries took, in milliseconds, a column a stage of s; the last is the total.

    Attributes:
        first: (s,) of the first query, which waits for kernels, model and file to be loaded.
        others: (q, s) of those after it and after the warm-up.
        stages: their names.
    """

    first: Milliseconds
    others: Milliseconds
    stages: Sequence[str] = STAGES

    @property
    def columns(self) -> list[str]:
        """What is told of each stage."""
        return [*(f"p{percentile:g}" for percentile in _SHOWN), "first"]

    def by_stage(self) -> dict[str, dict[str, float]]:
        """Of each stage the percentiles of all others, and the first."""
        columns = self.columns
        table = np.vstack([np.percentile(self.others, _SHOWN, axis=0), self.first])
        return {
            stage: dict(zip(columns, column, strict=True))
            for stage, column in zip(self.stages, table.T.round(4).tolist(), strict=True)
        }

    def lines(self, kind: Kind) -> Iterator[str]:
        """A table for people, a line a stage, of queries of some kind."""
        yield f"{'ms':>10}" + "".join(f"{column:>10}" for column in self.columns)
        for stage, row in self.by_stage().items():
            name = "tokenise" if (stage, kind) == ("prepare", "text") else stage
            yield f"{name:>10}" + "".join(f"{value:10.3f}" for value in row.values())

    def judged(self, budget_ms: float, percentile: float) -> Verdict:
        """Whether a percentile of whole queries is within a budget; to the last bit is within."""
        took = float(np.percentile(self.others[:, -1], percentile))
        return Verdict(percentile, took, budget_ms, took <= budget_ms)


@dataclass(frozen=True)
class Surroundings:
    """What a time means nothing without.

    Attributes:
        machine: what stays of it.
        before: its state, before the queries.
        after: its state, after them.
        memory: bytes that the process held after them.
        index: what was searched, in a line.
    """

    machine: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    memory: dict[str, int]
    index: str

    def lines(self) -> Iterator[str]:
        """For people."""
        yield self.index
        yield from machine.in_words(self.machine, self.before, self.after)
        memory = in_words(self.memory)
        if memory is not None:
            yield memory


@dataclass(frozen=True)
class Report:
    """What was timed, and what came of it.

    Attributes:
        searcher: path of the model, or of an index.
        kind: of what it embeds; "vector" where it embeds nothing.
        rows: of the index.
        k: neighbours a query.
        timings: of the queries, in one thread.
        verdict: on a budget, or None without one.
        cold: milliseconds (q,) of whole queries, each after caches were emptied; or None.
        around: what it was measured on, or None.
    """

    searcher: str
    kind: Kind
    rows: int
    k: int
    timings: Timings
    verdict: Verdict | None
    cold: Milliseconds | None = None
    around: Surroundings | None = None

    def facts(self) -> dict[str, Any]:
        """As plain values."""
        around = {} if self.around is None else asdict(self.around)
        if around:
            around["versions"] = machine.versions()
        return {
            "searcher": self.searcher,
            "kind": self.kind,
            "rows": self.rows,
            "k": self.k,
            "queries": len(self.timings.others),
            "threads": 1,
            "ms": self.timings.by_stage(),
            "cold_ms": None if self.cold is None else _percentiles(self.cold),
            "budget": None if self.verdict is None else asdict(self.verdict),
            **around,
        }

    def lines(self) -> Iterator[str]:
        """For people: a sentence, a line a stage, what it was measured on, and the verdict."""
        asked = f"{len(self.timings.others):,} {self.kind} queries in one thread"
        yield f"{self.searcher}: {asked}, {self.k} neighbours each of {self.rows:,} rows"
        yield ""
        yield from self.timings.lines(self.kind)
        if self.cold is not None:
            cold = _percentiles(self.cold).values()
            yield f"{'cold':>10}" + "".join(f"{value:10.3f}" for value in cold)
        if self.around is not None:
            yield ""
            yield from self.around.lines()
        if self.verdict is not None:
            yield ""
            yield str(self.verdict)


def _percentiles(took: Milliseconds) -> dict[str, float]:
    values = np.percentile(took, _SHOWN).round(4).tolist()
    return {f"p{percentile:g}": value for percentile, value in zip(_SHOWN, values, strict=True)}
