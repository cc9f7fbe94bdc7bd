"""The queries whose cost is modelled, as files that an emulated Python opens by mapping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import scannlite as sl
from bench.clusters import generated
from bench.device_stages import article_case
from bench.sets import halves, recall
from scannlite.engine.choice import options_for
from scannlite.learning.rows import unit
from scannlite.types import Distance, Floats

__all__ = ["BOARD_CASES", "CASES", "GATE_CASES", "Case"]

K, TARGET, QUERIES = 10, 0.95, 240

Made = tuple[sl.Index, Floats]


@dataclass(frozen=True)
class Case:
    """An index and its queries.

    Attributes:
        name: of its files.
        title: what it is, in a few words.
        make: builds it.
    """

    name: str
    title: str
    make: Callable[[], Made]

    def files(self, folder: Path) -> tuple[Path, Path]:
        """The index and the queries, made where they are missing."""
        index, queries = folder / f"{self.name}.npz", folder / f"{self.name}-queries.npy"
        if not (index.exists() and queries.exists()):
            folder.mkdir(parents=True, exist_ok=True)
            made, Q = self.make()
            made.save(index)
            np.save(queries, Q[:QUERIES])
        return index, queries


def _article_foreign() -> Made:
    """The article's index with its centers the other way round, so that no bounds are of use."""
    index, Q = article_case()
    arrays = index._arrays  # noqa: SLF001 - to write what others' files say
    codes, codebooks = 255 - arrays.codes, arrays.codebooks[:, ::-1].copy()
    return sl.Index(index.options, replace(arrays, codes=codes, codebooks=codebooks)), Q


def _article_fast() -> Made:
    """The project's own choice for the article's rows, but for its leaves."""
    problem = generated(123_287, 128, "dot_product", queries=1_000)
    X, Q = unit(problem.X), unit(problem.Q)
    options = replace(options_for(X, "dot_product"), tree=sl.Tree(351, 4))
    return sl.Index.build(X, options), Q


def _tuned(n: int, distance: Distance) -> Made:
    """The project's own choice, with what ``tune`` finds on half of the queries."""
    problem = generated(n, 128, distance)
    tuning, test = halves(problem)
    index = sl.Index.build(problem.X, distance)
    found = index.tune(tuning.Q, TARGET, k=K)
    reached = recall(test, index.search(test.Q, K).ids)
    print(f"{n:,} rows: {found}, recall@{K} of other queries {reached:.3f}")
    return index, test.Q


def _small(distance: Distance, options: sl.ScaNNOptions) -> Made:
    problem = generated(20_000, 128, distance, queries=100)
    X = unit(problem.X) if distance == "dot_product" else problem.X
    return sl.Index.build(X, options), problem.Q


def _small_device() -> Made:
    options = sl.ScaNNOptions("dot_product", sl.Tree(140, 4), score_ah=sl.ScoreAH(1))
    return _small("dot_product", options.for_device())


def _small_codes() -> Made:
    options = sl.ScaNNOptions("squared_l2", sl.Tree(140, 8), sl.ScoreAH(2), reorder=sl.Reorder(60))
    return _small("squared_l2", options)


def _small_scores() -> Made:
    codes = sl.ScoreAH(4, hash_type="lut256")
    return _small(
        "squared_l2", sl.ScaNNOptions("squared_l2", sl.Tree(140, 4), codes, reorder=sl.Reorder(50))
    )


BOARD_CASES = (
    Case("article", "the article's, as phones store and answer it", article_case),
    Case("article-foreign", "the same, centers in any order", _article_foreign),
    Case("article-fast", "the same rows and leaves, our own codes", _article_fast),
    Case("million", "1,000,000 × 128, recall@10 of 0.95", lambda: _tuned(1_000_000, "squared_l2")),
)
GATE_CASES = (
    Case("small-device", "20,000 × 128, as phones store and answer it", _small_device),
    Case("small-codes", "20,000 × 128, 4-bit codes", _small_codes),
    Case("small-scores", "20,000 × 128, 8-bit codes", _small_scores),
)
CASES = {case.name: case for case in BOARD_CASES + GATE_CASES}
