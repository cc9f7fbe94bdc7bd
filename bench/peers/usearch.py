"""USearch: a graph in layers."""

from __future__ import annotations

import numpy as np

from bench.peers.peer import Ladder, Peer, Setting, rungs
from scannlite.types import AnyArray, Distance, Floats

__all__ = ["UsearchPeer"]


class UsearchPeer(Peer):
    """16 links a row, float32 rows, otherwise its defaults."""

    turns = ("expansion_search",)

    def __init__(self, name: str) -> None:
        self.name = name

    def build(self, X: Floats, distance: Distance) -> None:
        """Index the rows."""
        from usearch.index import Index  # noqa: PLC0415 - no part of the package

        measure = "l2sq" if distance == "squared_l2" else "ip"
        self._index = Index(ndim=X.shape[1], metric=measure, dtype="f32", connectivity=16)
        self._index.add(np.arange(len(X)), X)
        self._setting: Setting = ()

    def settings(self) -> list[Ladder]:
        """One ladder of expansion, in small steps since it is the only number."""
        return [[(expansion,) for expansion in rungs(10, 2_000, 1.2)]]

    def _turn(self, setting: Setting) -> None:
        self._setting = setting
        self._index.expansion_search = setting[0]

    def search(self, q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids of one query."""
        if setting != self._setting:
            self._turn(setting)
        ids: AnyArray = self._index.search(q, k, threads=1).keys
        return ids

    def search_batch(self, Q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids of a batch."""
        return self.search(Q, k, setting)

    def nbytes(self) -> int:
        """Bytes of the file it writes."""
        return int(self._index.serialized_length)
