"""What a search costs by a model of its work, so that a choice does not depend on a clock.

The prices were fitted, so that errors count by their ratio, to the shortest of nine batch searches
in one thread of an AMD Zen 5 with AVX-512, at up to 16 settings of p and R on each of four sets of
60,000 to 240,000 rows of 128 to 784 dimensions: ``python -m bench.work_model``. Half of the times
are within 10 % of the model for codes, the worst, where all that is read stays in a near cache, off
by 60 %. What decides is the price of a line beside that of a row's byte; within a set it was from
two thirds to four thirds of what is here for 4-bit codes.

The prices compare settings of one index. They do not compare indexes: what every query costs is
within the price of a centroid's byte, of which 0.011 to 0.012 ns are the centroid's own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scannlite.engine.arrays import IndexArrays
from scannlite.engine.options import ScaNNOptions
from scannlite.engine.truth import as_rows_are
from scannlite.kernels.layout import BLOCK_ROWS
from scannlite.learning.rows import norms
from scannlite.types import AnyArray, Distance, Floats

__all__ = ["Work", "WorkModel"]

_QUERIES = 250  # the leaves of no more than about so many are looked at


class Work(NamedTuple):
    """What one query does, or, in ``_PRICES``, what one of each costs in nanoseconds.

    Attributes:
        centroid_bytes: L × d, compared to rank the leaves; what else a query always does is small
            beside it, and within its price.
        lines: of 64 bytes of codes or rows, scanned.
        row_bytes: R × d, of rows scored again.
    """

    centroid_bytes: float
    lines: float
    row_bytes: float


_PRICES = {
    "lut16": Work(0.069, 1.79, 0.056),
    "lut256": Work(0.148, 4.25, 0.063),
    "float rows": Work(0.032, 2.45, 0),
    "byte rows": Work(0.030, 2.34, 0),
}


class WorkModel(NamedTuple):
    """The sizes of an index that a query's work depends on.

    Attributes:
        scoring: a key of the prices: how rows are scanned.
        d: dimensions.
        num_leaves: L.
        blocks: (L,) how many, of 64 rows, are in the p leaves nearest to a query, for each p;
            the mean over queries.
        lines_a_block: of 64 bytes, read of each.
    """

    scoring: str
    d: int
    num_leaves: int
    blocks: AnyArray
    lines_a_block: int

    @classmethod
    def of(cls, arrays: IndexArrays, options: ScaNNOptions, queries: Floats) -> WorkModel:
        """The sizes of an index, as queries (q, d) meet them; some of those are enough."""
        L, d = arrays.centroids.shape
        scoring, lines = _scoring(options, d, arrays.codes.shape[1])
        some = queries[:: max(1, len(queries) // _QUERIES)]
        blocks = _blocks_met(arrays, some, options.distance_measure)
        return cls(scoring, d, L, blocks, lines)

    def work(self, p: int, R: int) -> Work:
        """What a query does that looks into p leaves and scores R candidates again."""
        return Work(
            centroid_bytes=self.num_leaves * self.d,
            lines=float(self.blocks[p - 1]) * self.lines_a_block,
            row_bytes=R * self.d,
        )

    def microseconds(self, p: int, R: int) -> float:
        """The modelled time of one query in one thread."""
        prices = _PRICES[self.scoring]
        return sum(n * price for n, price in zip(self.work(p, R), prices, strict=True)) / 1000


def _blocks_met(arrays: IndexArrays, queries: Floats, measure: Distance) -> AnyArray:
    """Blocks (L,) in the first leaf, the first two, and so on, that queries look into."""
    ready = as_rows_are(queries, arrays.mean, measure)
    ranks = ready @ arrays.centroids.T + norms(ready)[:, None] * arrays.leaf_bias
    if measure == "squared_l2":
        ranks -= np.square(arrays.centroids).sum(axis=1) / np.float32(2)
    blocks = -(-arrays.leaf_size.astype(np.int64) // BLOCK_ROWS)
    order = np.argsort(-ranks, axis=1, kind="stable")
    return np.asarray(np.cumsum(blocks[order], axis=1).mean(axis=0))


def _scoring(options: ScaNNOptions, d: int, code_lines: int) -> tuple[str, int]:
    """The key of the prices, and 64-byte lines a block of rows."""
    if options.score_ah is not None:
        return options.score_ah.hash_type, code_lines
    if options.score_brute_force is not None and options.score_brute_force.quantize:
        return "byte rows", d
    return "float rows", 4 * d
