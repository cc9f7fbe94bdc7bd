"""Faiss: inverted lists, 4-bit codes scanned in registers, the best scored again."""

from __future__ import annotations

import math
import os

from bench.peers.peer import Ladder, Peer, Setting, rungs
from scannlite.types import AnyArray, Distance, Floats

__all__ = ["FaissPeer"]


class FaissPeer(Peer):
    """IndexRefineFlat over IndexIVFPQFastScan, one code for every two dimensions."""

    turns = ("nprobe", "k_factor")

    def __init__(self, name: str, leaves_factor: float = 1) -> None:
        self.name = name
        self._leaves_factor = leaves_factor

    def build(self, X: Floats, distance: Distance) -> None:
        """Index the rows with all threads; from then on the library has one."""
        import faiss  # noqa: PLC0415 - no part of the package

        n, d = X.shape
        self._leaves = round(self._leaves_factor * math.sqrt(n))
        # Also for cosine: on unit rows the order is the same, and these codes find far more by it.
        dots = distance == "dot_product"
        measure = faiss.METRIC_INNER_PRODUCT if dots else faiss.METRIC_L2
        faiss.omp_set_num_threads(os.cpu_count() or 1)
        self._coarse = faiss.IndexFlat(d, measure)
        codes = d // 2 if d % 2 == 0 else d
        self._lists = faiss.IndexIVFPQFastScan(self._coarse, d, self._leaves, codes, 4, measure)
        self._index = faiss.IndexRefineFlat(self._lists)
        self._index.train(X)
        self._index.add(X)
        faiss.omp_set_num_threads(1)
        self._setting: Setting = ()

    def settings(self) -> list[Ladder]:
        """Lists up the ladder, one ladder for each multiple of k that is scored again."""
        return [[(p, factor) for p in rungs(1, self._leaves)] for factor in rungs(1, 150)]

    def _turn(self, setting: Setting) -> None:
        # As attributes: a microsecond or two cheaper a query than as SearchParameters.
        self._setting = setting
        self._lists.nprobe, self._index.k_factor = setting[0], float(setting[1])

    def search(self, q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids of one query."""
        if setting != self._setting:
            self._turn(setting)
        ids: AnyArray = self._index.search(q[None], k)[1][0]
        return ids

    def search_batch(self, Q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids of a batch."""
        if setting != self._setting:
            self._turn(setting)
        ids: AnyArray = self._index.search(Q, k)[1]
        return ids

    def nbytes(self) -> int:
        """Bytes of the index as it is written."""
        import faiss  # noqa: PLC0415 - no part of the package

        return int(faiss.serialize_index(self._index).nbytes)
