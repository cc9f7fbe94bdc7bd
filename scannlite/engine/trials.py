"""Settings that were tried: what each gives and costs, and which to try next."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scannlite.engine.arrays import IndexArrays
from scannlite.engine.cost import WorkModel
from scannlite.engine.options import ScaNNOptions
from scannlite.engine.truth import Judge
from scannlite.types import Neighbors

__all__ = ["Search", "Trial", "Trials"]

Search = Callable[..., Neighbors]

_RATIO = 1.4  # from one p of the grid to the next
_BETWEEN = 17  # values of p around the best
_FINE_ENOUGH = 64  # R is found to one part in so many


@dataclass(frozen=True)
class Trial:
    """One setting and what it gives.

    Attributes:
        leaves_to_search: p, or None without a tree.
        pre_reorder_num_neighbors: R, or None without ``Reorder``.
        recall: what was reached, from 0 to 1.
        cost: microseconds of a query by the work model, good for comparing settings of one index.
    """

    leaves_to_search: int | None
    pre_reorder_num_neighbors: int | None
    recall: float
    cost: float


class Trials:
    """Every setting tried on one index with one set of queries; none is tried twice."""

    def __init__(
        self,
        search: Search,
        judge: Judge,
        arrays: IndexArrays,
        options: ScaNNOptions,
        threads: int,
    ) -> None:
        self._search, self._judge, self._threads = search, judge, threads
        self._model = WorkModel.of(arrays, options, judge.queries)
        self._tree = options.tree is not None
        self._scores_again = options.reorder is not None
        self._least = judge.wanted if self._scores_again else 0
        self._most_rows = np.cumsum(np.sort(arrays.leaf_size)[::-1], dtype=np.int64)
        self._tried: dict[tuple[int, int], Trial] = {}

    def coarse(self) -> list[int]:
        """Values of p from 1 to all leaves, each about 1.4 times the one before."""
        L = len(self._most_rows)
        steps = math.ceil(math.log(L) / math.log(_RATIO)) if L > 1 else 0
        return sorted({min(L, round(_RATIO**step)) for step in range(steps + 1)})

    def around(self, trial: Trial) -> list[int]:
        """Values of p between the neighbours, in the coarse grid, of a trial's own."""
        p, grid = trial.leaves_to_search or 1, self.coarse()
        low = max((other for other in grid if other < p), default=p)
        high = min((other for other in grid if other > p), default=p)
        return sorted({round(x) for x in np.geomspace(low, high, _BETWEEN).tolist()})

    def best(self, target: float) -> Trial | None:
        """The cheapest of those that reach the target, or None."""
        reached = [key for key, trial in self._tried.items() if trial.recall >= target]
        key = min(reached, key=lambda key: (self._tried[key].cost, key), default=None)
        return None if key is None else self._tried[key]

    def cheapest(self, target: float) -> Trial:
        """The cheapest of those that reach the target, which one must."""
        best = self.best(target)
        if best is None:
            raise LookupError(f"no setting tried reaches recall {target}.")
        return best

    def highest_recall(self) -> float:
        """The best recall of all that was tried."""
        return max(trial.recall for trial in self._tried.values())

    def front(self) -> tuple[Trial, ...]:
        """What no other beats in both recall and cost, the cheapest first."""
        front: list[Trial] = []
        for _, trial in sorted(self._tried.items(), key=lambda one: (one[1].cost, one[0])):
            if not front or trial.recall > front[-1].recall:
                front.append(trial)
        return tuple(front)

    def explore(
        self, leaves: Sequence[int], target: float, most: int, tell: Callable[[int, int], None]
    ) -> None:
        """Find, for each p in rising order, the smallest R that reaches the target.

        Args:
            leaves: values of p.
            target: recall.
            most: the largest R; what costs more than the best so far is not tried either.
            tell: called with how many values of p are done of how many.
        """
        for done, p in enumerate(leaves):
            best = self.best(target)
            if best is not None and self._model.microseconds(p, self._least) >= best.cost:
                break
            self._bisect(p, target, self._ceiling(p, most, best))
            tell(done + 1, len(leaves) + 1)
        tell(len(leaves) + 1, len(leaves) + 1)

    def _ceiling(self, p: int, most: int, best: Trial | None) -> int:
        """The largest R worth trying with p."""
        if not self._scores_again:
            return 0
        most = min(most, int(self._most_rows[p - 1]))
        if best is not None:
            start, end = self._model.microseconds(p, 0), self._model.microseconds(p, most)
            affordable = most * (best.cost - start) / (end - start)
            most = min(most, int(affordable))
        return max(most, self._least)

    def _bisect(self, p: int, target: float, high: int) -> None:
        low = self._least
        if self._try(p, high).recall < target:
            return
        while high - low > high // _FINE_ENOUGH:
            middle = math.isqrt(low * (high - 1))
            if self._try(p, middle).recall >= target:
                high = middle
            else:
                low = middle + 1

    def _try(self, p: int, R: int) -> Trial:
        if (p, R) not in self._tried:
            leaves = p if self._tree else None
            candidates = R if self._scores_again else None
            found = self._search(
                self._judge.queries,
                self._judge.wanted,
                leaves_to_search=leaves,
                pre_reorder_num_neighbors=candidates,
                threads=self._threads,
            )
            cost = self._model.microseconds(p, R)
            self._tried[p, R] = Trial(leaves, candidates, self._judge.recall(found), cost)
        return self._tried[p, R]
