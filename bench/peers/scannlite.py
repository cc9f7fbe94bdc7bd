"""This package itself, with its own choice of options and with others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import scannlite as sl
from bench.peers.peer import Ladder, Peer, Setting, rungs
from scannlite.engine.choice import options_for
from scannlite.types import AnyArray, Distance, Floats

__all__ = ["VARIANTS", "ScannlitePeer"]

OptionsFactory: TypeAlias = Callable[[Floats, Distance], sl.ScaNNOptions]


def _fine(X: Floats, distance: Distance) -> sl.ScaNNOptions:
    """Twice as many leaves."""
    options = options_for(X, distance)
    if options.tree is None:
        return options
    return replace(options, tree=replace(options.tree, num_leaves=2 * options.tree.num_leaves))


VARIANTS: dict[str, OptionsFactory] = {"default": options_for, "fine": _fine}


class ScannlitePeer(Peer):
    """scannlite; the options come from one of VARIANTS, the settings from the grid or its tuner."""

    unit_rows = False

    def __init__(self, name: str, variant: str = "default", *, tuned: bool = False) -> None:
        self.name = name
        self._tuned = tuned
        self._options_of = VARIANTS[variant]

    def build(self, X: Floats, distance: Distance) -> None:
        """Index the rows."""
        self._index = sl.Index.build(X, self._options_of(X, distance))
        tree, reorder = self._index.options.tree, self._index.options.reorder
        self._leaves = tree.num_leaves if tree else 0
        self.turns = ("leaves", "candidates") if tree and reorder else ()

    def settings(self) -> list[Ladder]:
        """Leaves up the ladder, one ladder for each number of candidates."""
        if not self.turns:
            return [[()]]
        n = len(self._index)
        return [[(p, R) for p in rungs(1, self._leaves)] for R in rungs(14, min(n, 1_500))]

    def search(self, q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids of one query."""
        if not setting:
            return self._index.search(q, k).ids
        p, R = setting
        return self._index.search(q, k, leaves_to_search=p, pre_reorder_num_neighbors=R).ids

    def search_batch(self, Q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids of a batch."""
        return self.search(Q, k, setting)

    def proposed(self, Q: Floats, k: int, target: float) -> Setting | None:
        """What ``Index.tune`` finds with the tuning queries, which knows no clock."""
        if not self._tuned or not self.turns:
            return None
        found = self._index.tune(Q, target, k=k)
        return found.leaves_to_search or 0, found.pre_reorder_num_neighbors or 0

    def nbytes(self) -> int:
        """Bytes of all arrays, which is what a saved file holds."""
        return self._index.nbytes
