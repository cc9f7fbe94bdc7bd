"""``Index.tune``: the cheapest settings that reach a recall.

Recall rises with the leaves searched (p) and with the candidates scored again (R), and so does the
cost, which is a model's, not a clock's: the same index and queries give the same settings.
"""

from __future__ import annotations

import numbers
import os
import warnings
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from scannlite.engine.arrays import IndexArrays
from scannlite.engine.door import as_queries, as_whole, finite_floats
from scannlite.engine.options import ScaNNOptions
from scannlite.engine.trials import Search, Trial, Trials
from scannlite.engine.truth import Judge, Truth, as_truth
from scannlite.errors import InvalidInput, InvalidType, ScannliteWarning
from scannlite.types import Progress

__all__ = ["Tuning", "tune"]

_FIRST_CANDIDATES = 2_000  # the largest R of the first round; or 100 k
_MORE_CANDIDATES = 8  # times as many in every round after it


@dataclass(frozen=True)
class Tuning(Trial):
    """The setting that was chosen.

    Attributes:
        leaves_to_search: p, or None without a tree.
        pre_reorder_num_neighbors: R, or None without ``Reorder``.
        recall: what it reached on the queries given, from 0 to 1.
        cost: microseconds of a query by the work model, good for comparing settings of one index.
        target: the recall asked for.
        k: neighbours that counted.
        queries: how many there were.
        front: of all settings tried, those that no other beat in both recall and cost, the
            cheapest first.
    """

    target: float
    k: int
    queries: int
    front: tuple[Trial, ...] = field(repr=False)

    def applied_to(self, options: ScaNNOptions) -> ScaNNOptions:
        """Options with this setting for their defaults."""
        tree, reorder = options.tree, options.reorder
        if tree is not None and self.leaves_to_search is not None:
            tree = replace(tree, num_leaves_to_search=self.leaves_to_search)
        if reorder is not None and self.pre_reorder_num_neighbors is not None:
            reorder = replace(reorder, reordering_num_neighbors=self.pre_reorder_num_neighbors)
        return replace(options, tree=tree, reorder=reorder)


def tune(  # noqa: PLR0913 - what ``Index.tune`` is given, and what the index is
    search: Search,
    arrays: IndexArrays,
    options: ScaNNOptions,
    queries: Any,
    recall: float,
    *,
    k: int,
    truth: Any,
    threads: int | None,
    progress: Progress,
) -> Tuning:
    """All of ``Index.tune`` but the keeping of what it found."""
    target = _as_share("recall", recall)
    workers = os.cpu_count() or 1 if threads is None else as_whole("threads", threads, 1)
    knows = Truth(arrays, options.distance_measure, workers, progress)
    judge = _judge(knows, queries, truth, k)
    trials = Trials(search, judge, arrays, options, workers)
    best = _explore(trials, target, len(arrays.ids), k, progress)
    if best.recall < target:
        warnings.warn(
            f"recall {target:g} is out of reach of this index, the best is {best.recall:.4f}, "
            "which is what was tuned for: build with finer codes or with Reorder.",
            ScannliteWarning,
            stacklevel=3,
        )
    found = asdict(best)
    return Tuning(**found, target=target, k=k, queries=len(judge.queries), front=trials.front())


def _explore(trials: Trials, target: float, n: int, k: int, progress: Progress) -> Trial:
    """The cheapest trial that reaches the target, or else the cheapest of the highest recall."""
    most = min(n, max(_FIRST_CANDIDATES, 100 * k))
    while True:
        trials.explore(trials.coarse(), target, most, lambda *done: progress("tune", *done))
        best = trials.best(target)
        if best is not None or most == n:
            break
        most = min(n, _MORE_CANDIDATES * most)
    if best is None:
        target = trials.highest_recall()
        trials.explore(trials.coarse(), target, n, lambda *done: progress("retry", *done))
        best = trials.cheapest(target)
    trials.explore(trials.around(best), target, n, lambda *done: progress("refine", *done))
    return trials.cheapest(target)


def _judge(knows: Truth, queries: Any, truth: Any, k: int) -> Judge:
    n, d = len(knows.arrays.ids), knows.arrays.centroids.shape[1]
    needed = 2 if queries is None else 1
    if n < needed:
        raise InvalidInput(f"an index must hold at least {needed} rows to be tuned, got {n}.")
    if queries is None:
        if truth is not None:
            raise InvalidInput("truth must be None unless queries are given, got some.")
        return knows.of_own_rows(as_whole("k", k, 1, n - 1))
    k = as_whole("k", k, 1, n)
    batch = as_queries(queries, d, "queries").reshape(-1, d)
    if not len(batch):
        raise InvalidInput("queries must hold at least one query, got none.")
    batch = finite_floats("queries", batch)
    ids = None if truth is None else as_truth(truth, len(batch), k, n)
    return knows.of_queries(batch, k, ids)


def _as_share(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InvalidType(f"{name} must be a number, got {value!r}.")
    share = float(value)
    if not 0 < share <= 1:
        raise InvalidInput(f"{name} must be above 0 and at most 1, got {value!r}.")
    return share
