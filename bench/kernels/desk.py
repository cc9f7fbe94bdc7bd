"""Seeded indexes, and queries taken through their stages by hands."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import scannlite as sl
from bench.clusters import rows
from bench.kernels import stages
from bench.kernels.stages import STAGES, ways
from scannlite.kernels.layout import Layout, pack, regions
from scannlite.types import AnyArray, Distance, Floats, Ids

__all__ = ["HAND", "SHAPES", "Desk", "Shape"]

HAND = 16  # queries a round: their workspaces fit the second-level cache together
HANDS = 16  # so many that the index's data, as a rule, come from beyond it
NEIGHBORS = 10
CANDIDATES = 100
STAGGER = 13 * 64  # bytes beyond whole pages: regions of two workspaces share no cache set


class Shape(NamedTuple):
    """What is indexed, and how; kind is codes16, codes256 or rows."""

    name: str
    kind: str
    n: int
    d: int
    distance: Distance
    b: int = 2
    projection: int | None = None


SHAPES = (
    Shape("128, b=2", "codes16", 100_000, 128, "squared_l2"),
    Shape("128 to 96, b=3", "codes16", 100_000, 128, "cosine", 3, 96),
    Shape("784 to 192, b=3", "codes16", 30_000, 784, "squared_l2", 3, 192),
    Shape("128, 8 bits", "codes256", 20_000, 128, "squared_l2"),
    Shape("128, float rows", "rows", 20_000, 128, "squared_l2"),
)


def _options(shape: Shape) -> sl.ScaNNOptions:
    """As chosen for such rows by default, but for a shorter training: it changes no speed."""
    leaves = round(shape.n**0.5)
    tree = sl.Tree(leaves, round(leaves / 10), training_sample_size=15_000, training_iterations=3)
    if shape.kind == "rows":
        return sl.ScaNNOptions(shape.distance, tree, score_brute_force=sl.ScoreBruteForce())
    codes = sl.ScoreAH(
        shape.b,
        0.2 if shape.distance == "cosine" else None,
        training_sample_size=5_000,
        training_iterations=2,
        hash_type="lut16" if shape.kind == "codes16" else "lut256",
        projection=shape.projection,
    )
    return sl.ScaNNOptions(shape.distance, tree, codes, reorder=sl.Reorder(CANDIDATES))


class Desk:
    """An index, queries like its rows, and a hand of them on its way.

    Attributes:
        shape: what was asked for.
        index: what was built.
        layout: its fields; ``plan`` is how it searches.
        way: the stages of a query, in order.
        hand: the queries (HAND, d) of this round.
        counts: means over all queries of what they met, by name.
    """

    def __init__(self, shape: Shape) -> None:
        X = rows(shape.n + HAND * HANDS, shape.d, seed=1)
        X = X[np.random.default_rng(1).permutation(len(X))]
        self.shape = shape
        self.index = sl.Index.build(X[: shape.n], _options(shape), seed=1)
        self.plan = self.index._plan  # noqa: SLF001 - what is measured lies behind the door
        self.layout: Layout = self.plan.layout
        self.way = ways(
            shape.kind,
            rotated=bool(self.layout.rotated),
            corrected=self.layout.constant_unit != 0,
        )
        self._hands = np.ascontiguousarray(X[shape.n :]).reshape(HANDS, HAND, shape.d)
        self._block = pack(self.layout)
        self._lay_out()
        self._next = 0
        self.counts = self._count()

    def _lay_out(self) -> None:
        stride = -(-regions(self.layout)[1] // 4096) * 4096 + STAGGER
        self._memory = np.zeros(stride * HAND + 64, np.uint8)
        start = int(self._memory.ctypes.data)
        self.W: Ids = start + -start % 64 + stride * np.arange(HAND)
        self.S: AnyArray = np.zeros((HAND, 16))
        self.distances = np.empty((HAND, NEIGHBORS), np.float32)
        self.ids = np.empty((HAND, NEIGHBORS), np.int64)
        self.desk: Ids = np.zeros(8, np.int64)
        self.desk[stages.BLOCK] = self._block.ctypes.data
        self.desk[stages.DISTANCES] = self.distances.ctypes.data
        self.desk[stages.IDS] = self.ids.ctypes.data
        self.desk[stages.LEAVES_WANTED] = round(round(self.shape.n**0.5) / 10)
        self.desk[stages.ROWS_WANTED] = CANDIDATES
        self.desk[stages.K] = NEIGHBORS

    def _count(self) -> dict[str, float]:
        seen = []
        for _ in range(HANDS):
            self.bring(len(self.way))
            self._check()
            seen.append(self.S.copy())
        mean = np.concatenate(seen).mean(axis=0)
        columns = ("LEAVES", "BLOCKS", "FOUND", "KEPT")
        counts = {name.lower(): float(mean[getattr(stages, name)]) for name in columns}
        sizes = np.diff(self.layout.block_row)
        return {**counts, "rows": counts["blocks"] * float(sizes.mean())}

    def _check(self) -> None:
        """The stages in turn are the search: or figures are of something else.

        Raises:
            RuntimeError: they found other neighbours.
        """
        if (
            self.shape.kind == "codes16"
            and not (self.ids == self.index.search(self.hand).ids).all()
        ):
            raise RuntimeError(f"{self.shape.name}: the stages do not add up to a search.")

    @property
    def hand(self) -> Floats:
        """The queries of this round."""
        hand: Floats = self._hands[self._next]
        return hand

    def turn(self) -> None:
        """Go on to the next hand."""
        self._next = (self._next + 1) % HANDS
        self.desk[stages.QUERIES] = self.hand.ctypes.data

    def bring(self, until: int) -> None:
        """Take the next hand through the first stages of its way."""
        self.turn()
        for name in self.way[:until]:
            STAGES[name](self.desk, self.W, self.S)
