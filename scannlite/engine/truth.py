"""What a search should have found, and how much of it was: recall by distance.

The truth is exact search over the rows as the index keeps them, so nothing else is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scannlite.engine.arrays import IndexArrays
from scannlite.errors import InvalidInput, InvalidType
from scannlite.kernels.layout import FINE
from scannlite.learning.rows import in_pieces, unit
from scannlite.types import AnyArray, Distance, Floats, Ids, Neighbors

__all__ = ["Judge", "Truth", "as_rows_are", "as_truth"]

_CHUNK_BYTES = 16 << 20  # of rows decoded at once
_LEAST_CHUNK = 1024  # rows, however wide
_PIECE = 256  # queries a worker meets a chunk with
_RELATIVE = 1e-5  # by which float32 sums of squares may differ
_OF_LENGTHS = 1e-6  # likewise sums of products, as a share of both lengths
_SAMPLE = 1_000  # rows that stand in for queries


def _has_rows(arrays: IndexArrays) -> bool:
    return len(arrays.rows) > 0 or len(arrays.row_high) > 0


def _rows(arrays: IndexArrays, which: slice | Ids) -> Floats:
    """Rows (·, d) as the index keeps them, in the order of its leaves, with a search's rounding.

    The only place here that knows how rows are kept.
    """
    if len(arrays.rows):
        return arrays.rows[which]
    rows = arrays.row_high[which].astype(np.float32)
    if len(arrays.row_low):
        rows += arrays.row_low[which].astype(np.float32) * np.float32(FINE)
    rows *= arrays.row_terms[which, :1]
    return rows


def as_truth(truth: AnyArray, q: int, k: int, n: int) -> Ids:
    """Ids of true neighbours, checked: (q, k) int64.

    Raises:
        InvalidType: not whole numbers.
        InvalidInput: another shape, or a number that is no row's.
    """
    ids = np.asarray(truth)
    if ids.dtype.kind not in "iu":
        raise InvalidType(f"truth must be an array of whole numbers, got dtype {ids.dtype}.")
    if ids.ndim != 2 or len(ids) != q or ids.shape[1] < k:
        raise InvalidInput(f"truth must have shape ({q}, {k}) or wider, got {ids.shape}.")
    ids = ids[:, :k].astype(np.int64)
    if not ((ids >= 0) & (ids < n)).all():
        raise InvalidInput(f"truth must hold ids from 0 to {n - 1}, got others.")
    return ids


def as_rows_are(queries: Floats, mean: Floats, measure: Distance) -> Floats:
    """Queries (q, d) in the form in which rows are indexed."""
    return unit(queries) if measure == "cosine" else queries - mean


@dataclass(frozen=True)
class Judge:
    """Queries, and what is right for each.

    Attributes:
        queries: (q, d) float32.
        k: neighbours that count.
        itself: (q,) int64, the id of the row that a query is, which does not count; or None.
        farthest: (q,) float64, a row found no farther is right; or None where ``ids`` decide.
        ids: (q, k) int64, the rows that are right; or None.
    """

    queries: Floats
    k: int
    itself: Ids | None = None
    farthest: AnyArray | None = None
    ids: Ids | None = None

    @property
    def wanted(self) -> int:
        """Neighbours to search for: one more where a query finds itself."""
        return self.k + (self.itself is not None)

    def recall(self, found: Neighbors) -> float:
        """The share of the k true neighbours of all queries that were found."""
        if self.ids is not None:
            right = (found.ids[:, :, None] == self.ids[:, None, :]).any(axis=2)
        elif self.farthest is not None:
            right = (found.distances <= self.farthest[:, None]) & (found.ids >= 0)
        if self.itself is not None:
            own = found.ids == self.itself[:, None]
            own[~own.any(axis=1), -1] = True  # hidden among its equals: the last is one too many
            right &= ~own
        return int(right.sum()) / (len(right) * self.k)


@dataclass(frozen=True)
class Truth:
    """What knows the truth about an index."""

    arrays: IndexArrays
    measure: Distance
    threads: int
    progress: Callable[[str, int, int], None]

    def of_own_rows(self, k: int) -> Judge:
        """A seeded sample of the rows as queries, each row left out of its own neighbours."""
        self._need_rows("queries and truth")
        n = len(self.arrays.ids)
        places = np.sort(np.random.default_rng(0).permutation(n)[:_SAMPLE])
        queries = _rows(self.arrays, places) + self.arrays.mean
        ready = as_rows_are(queries, self.arrays.mean, self.measure)
        farthest = self._farthest(ready, self._nearest(ready, k, places))
        itself = self.arrays.ids[places].astype(np.int64)
        return Judge(queries, k, itself, farthest)

    def of_queries(self, queries: Floats, k: int, ids: Ids | None) -> Judge:
        """Queries (q, d) from outside, and (q, k) their true neighbours where those are known."""
        if ids is not None and not _has_rows(self.arrays):
            return Judge(queries, k, ids=ids)
        self._need_rows("truth")
        ready = as_rows_are(queries, self.arrays.mean, self.measure)
        places = self._nearest(ready, k, None) if ids is None else self._places_of(ids)
        return Judge(queries, k, farthest=self._farthest(ready, places))

    def _places_of(self, ids: Ids) -> Ids:
        return np.argsort(self.arrays.ids)[ids]

    def _need_rows(self, names: str) -> None:
        if not _has_rows(self.arrays):
            raise InvalidInput(
                f"{names} must be given for an index that keeps no rows, only codes, got None."
            )

    def _nearest(self, queries: Floats, k: int, skipped: Ids | None) -> Ids:
        """Places (q, k) of the nearest rows, in any order; ``skipped`` (q,) are not to be found."""
        n, q = len(self.arrays.ids), len(queries)
        best = np.full((q, k), -np.inf)
        places = np.zeros((q, k), np.int64)
        step = max(_LEAST_CHUNK, _CHUNK_BYTES // (8 * max(queries.shape[1], _PIECE)))
        for first in range(0, n, step):
            # float64: among neighbours much nearer to each other than to zero float32 sees none
            rows = _rows(self.arrays, slice(first, first + step)).astype(np.float64)
            half = np.einsum("ij,ij->i", rows, rows) / 2

            def meet(
                part: slice, rows: AnyArray = rows, half: AnyArray = half, a: int = first
            ) -> None:
                scores = queries[part].astype(np.float64) @ rows.T
                if self.measure == "squared_l2":
                    scores -= half
                if skipped is not None:
                    own = skipped[part] - a
                    here = np.flatnonzero((own >= 0) & (own < len(rows)))
                    scores[here, own[here]] = -np.inf
                _merge(best[part], places[part], scores, a)

            in_pieces(meet, q, piece=_PIECE, threads=self.threads)
            self.progress("truth", min(first + step, n), n)
        return places

    def _farthest(self, queries: Floats, places: Ids) -> AnyArray:
        """The largest distance (q,) of a query to its rows (q, k), and what rounding may add."""
        farthest = np.empty(len(queries))
        for i, (query, which) in enumerate(zip(queries, places, strict=True)):
            rows, y = _rows(self.arrays, which).astype(np.float64), query.astype(np.float64)
            if self.measure == "squared_l2":
                farthest[i] = np.square(rows - y).sum(axis=1).max() * (1 + _RELATIVE)
                continue
            lengths = np.sqrt(np.square(rows).sum(axis=1).max() * np.square(y).sum())
            farthest[i] = (self.measure == "cosine") - (rows @ y).min() + _OF_LENGTHS * lengths
        return farthest


def _merge(best: AnyArray, places: Ids, scores: AnyArray, first: int) -> None:
    """Keep the highest of ``best`` (q, k), found at ``places``, and of scores from ``first`` on."""
    k = best.shape[1]
    if scores.shape[1] > k:
        top = np.argpartition(scores, -k, axis=1)[:, -k:]
    else:
        top = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    both = np.hstack([best, np.take_along_axis(scores, top, axis=1)])
    where = np.hstack([places, top + first])
    kept = np.argpartition(both, -k, axis=1)[:, -k:]
    best[...] = np.take_along_axis(both, kept, axis=1)
    places[...] = np.take_along_axis(where, kept, axis=1)
