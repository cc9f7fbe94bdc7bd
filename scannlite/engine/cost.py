"""What a search costs by a model of its work, so that a choice does not depend on a clock.

The prices are nanoseconds of one thread on an AMD Zen 5 with AVX-512: least squares over the
shortest of five batch searches at each of 64 settings of p and R on four sets of 60,000 to 240,000
rows of 128 to 784 dimensions, by ``python -m bench.work_model``. On another processor all of them
differ, but their proportions, which alone decide what is cheapest, differ less.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scannlite.engine.arrays import IndexArrays
from scannlite.engine.options import ScaNNOptions
from scannlite.kernels.layout import BLOCK_ROWS

__all__ = ["Work", "WorkModel"]


class Work(NamedTuple):
    """What one query does, or, in ``_PRICES``, what one of each costs in nanoseconds.

    Attributes:
        query: the query itself.
        centroid_bytes: L × d, compared to rank the leaves.
        entries: d × c products, summed to lookup tables.
        leaves: p.
        blocks: of 64 rows, scanned.
        lines: of 64 bytes of codes or rows, scanned.
        candidates: R, drawn out and scored again.
        row_bytes: R × d, of rows scored again.
    """

    query: float
    centroid_bytes: float
    entries: float
    leaves: float
    blocks: float
    lines: float
    candidates: float
    row_bytes: float


_PRICES = {
    "lut16": Work(0, 0.043, 0.5, 10, 10, 1.86, 5, 0.066),
    "lut256": Work(0, 0.037, 0.11, 25, 10, 5.06, 5, 0.071),
    "float rows": Work(0, 0.04, 0, 10, 10, 2.78, 0, 0),
    "byte rows": Work(0, 0.04, 0, 10, 10, 3.07, 0, 0),
}


class WorkModel(NamedTuple):
    """The sizes of an index that a query's work depends on.

    Attributes:
        scoring: a key of the prices: how rows are scanned.
        d: dimensions.
        num_leaves: L.
        centers: c; 0 without codes.
        blocks_a_leaf: of 64 rows, in the leaf of a row drawn at random: queries prefer large
            leaves as rows do.
        num_blocks: of all leaves.
        lines_a_block: of 64 bytes, read of each.
    """

    scoring: str
    d: int
    num_leaves: int
    centers: int
    blocks_a_leaf: float
    num_blocks: int
    lines_a_block: int

    @classmethod
    def of(cls, arrays: IndexArrays, options: ScaNNOptions) -> WorkModel:
        """The sizes of an index."""
        L, d = arrays.centroids.shape
        sizes = arrays.leaf_size.astype(np.int64)
        blocks = -(-sizes // BLOCK_ROWS)
        scoring, lines = _scoring(options, d, arrays.codes.shape[1])
        centers = options.score_ah.centers if options.score_ah else 0
        typical = float((sizes * blocks).sum() / max(1, sizes.sum()))
        return cls(scoring, d, L, centers, typical, int(blocks.sum()), lines)

    def work(self, p: int, R: int) -> Work:
        """What a query does that looks into p leaves and scores R candidates again."""
        blocks = min(p * self.blocks_a_leaf, self.num_blocks)
        return Work(
            query=1,
            centroid_bytes=self.num_leaves * self.d,
            entries=self.d * self.centers,
            leaves=p,
            blocks=blocks,
            lines=blocks * self.lines_a_block,
            candidates=R,
            row_bytes=R * self.d,
        )

    def microseconds(self, p: int, R: int) -> float:
        """The modelled time of one query in one thread."""
        prices = _PRICES[self.scoring]
        return sum(n * price for n, price in zip(self.work(p, R), prices, strict=True)) / 1000


def _scoring(options: ScaNNOptions, d: int, code_lines: int) -> tuple[str, int]:
    """The key of the prices, and 64-byte lines a block of rows."""
    if options.score_ah is not None:
        return options.score_ah.hash_type, code_lines
    if options.score_brute_force is not None and options.score_brute_force.quantize:
        return "byte rows", d
    return "float rows", 4 * d
