"""ScaNN, as its documentation builds it, and with the options that help unit vectors."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers.peer import Ladder, Peer, Setting, rungs
from bench.sets import K
from scannlite.types import AnyArray, Distance, Floats

__all__ = ["ScannPeer", "build_searcher", "saved_bytes"]


def build_searcher(  # noqa: PLR0913 - the numbers of ScaNN's own three calls
    X: Floats,
    distance: Distance,
    *,
    leaves: int,
    leaves_to_search: int,
    dimensions_per_block: int,
    threshold: float | None,
    candidates: int,
    **of_tree: Any,
) -> Any:
    """A searcher with a tree, hashing and exact rescoring; rows of length 1 for cosine."""
    import scann  # noqa: PLC0415 - no part of the package

    measure = "squared_l2" if distance == "squared_l2" else "dot_product"
    return (
        scann.scann_ops_pybind.builder(X, K, measure)
        .tree(leaves, leaves_to_search, **of_tree)
        .score_ah(
            dimensions_per_block,
            anisotropic_quantization_threshold=math.nan if threshold is None else threshold,
        )
        .reorder(candidates)
        .build()
    )


def saved_bytes(searcher: Any) -> int:
    """Bytes of the files it writes."""
    with tempfile.TemporaryDirectory() as folder:
        searcher.serialize(folder)
        return sum(path.stat().st_size for path in Path(folder).iterdir())


class ScannPeer(Peer):
    """The square root of n leaves, two dimensions a block, threshold 0.2; more through ``tree``."""

    turns = ("leaves", "candidates")

    def __init__(self, name: str, **of_tree: Any) -> None:
        self.name = name
        self._of_tree = of_tree

    def build(self, X: Floats, distance: Distance) -> None:
        """Index the rows."""
        self._n = len(X)
        self._leaves = round(math.sqrt(self._n))
        self._searcher = build_searcher(
            X,
            distance,
            leaves=self._leaves,
            leaves_to_search=max(1, self._leaves // 10),
            dimensions_per_block=2,
            # Made for dot products; rows that are not of about length 1 it can only disturb.
            threshold=None if distance == "squared_l2" else 0.2,
            candidates=100,
            **self._of_tree,
        )

    def settings(self) -> list[Ladder]:
        """Leaves up the ladder, one ladder for each number of candidates."""
        return [[(p, R) for p in rungs(1, self._leaves)] for R in rungs(14, min(self._n, 1_500))]

    def search(self, q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids of one query."""
        p, R = setting
        ids: AnyArray = self._searcher.search(
            q, final_num_neighbors=k, leaves_to_search=p, pre_reorder_num_neighbors=R
        )[0]
        return ids

    def search_batch(self, Q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids of a batch. Places that ScaNN left empty hold row 0, and a score that is NaN."""
        p, R = setting
        ids, scores = self._searcher.search_batched(Q, k, R, p)
        missing = np.isnan(scores)
        return np.where(missing, -1, ids.astype(np.int64)) if missing.any() else ids

    def nbytes(self) -> int:
        """Bytes of the files it writes."""
        return saved_bytes(self._searcher)
