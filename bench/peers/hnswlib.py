"""hnswlib: a graph in layers."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.peers.peer import Ladder, Peer, Setting, rungs
from scannlite.types import AnyArray, Distance, Floats

__all__ = ["HnswlibPeer"]


class HnswlibPeer(Peer):
    """16 links a row, 200 candidates while building."""

    turns = ("ef",)

    def __init__(self, name: str) -> None:
        self.name = name

    def build(self, X: Floats, distance: Distance) -> None:
        """Index the rows."""
        import hnswlib  # noqa: PLC0415 - no part of the package

        n, d = X.shape
        self._index = hnswlib.Index(space="l2" if distance == "squared_l2" else "ip", dim=d)
        self._index.init_index(max_elements=n, M=16, ef_construction=200, random_seed=0)
        self._index.add_items(X)
        self._index.set_num_threads(1)
        self._setting: Setting = ()

    def settings(self) -> list[Ladder]:
        """One ladder of ef, in small steps since it is the only number."""
        return [[(ef,) for ef in rungs(10, 2_000, 1.2)]]

    def _turn(self, setting: Setting) -> None:
        self._setting = setting
        self._index.set_ef(setting[0])

    def search(self, q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids of one query."""
        ids: AnyArray = self.search_batch(q, k, setting)[0]
        return ids

    def search_batch(self, Q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids of a batch."""
        if setting != self._setting:
            self._turn(setting)
        ids: AnyArray = self._index.knn_query(Q, k, num_threads=1)[0]
        return ids

    def nbytes(self) -> int:
        """Bytes of the file it writes."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "index")
            self._index.save_index(str(path))
            return path.stat().st_size
