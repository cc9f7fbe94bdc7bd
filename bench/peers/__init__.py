"""The libraries of the race, each behind the same few methods."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from bench.peers.peer import Peer
from scannlite.types import Distance

__all__ = ["ENTRIES", "PACKAGES", "entered"]


class Entry(NamedTuple):
    """A name in the race: the library it needs, and which class of which module it is."""

    library: str
    module: str
    maker: str
    arguments: dict[str, object]
    distances: tuple[Distance, ...] = ("dot_product", "squared_l2", "cosine")


_DOTS: tuple[Distance, ...] = ("dot_product", "cosine")
ENTRIES: dict[str, Entry] = {
    "scannlite": Entry("scannlite", "scannlite", "ScannlitePeer", {}),
    "scannlite-tuned": Entry("scannlite", "scannlite", "ScannlitePeer", {"tuned": True}),
    "scannlite-fine": Entry("scannlite", "scannlite", "ScannlitePeer", {"variant": "fine"}),
    "scann": Entry("scann", "scann", "ScannPeer", {}),
    "scann-spherical": Entry("scann", "scann", "ScannPeer", {"spherical": True}, ("cosine",)),
    "scann-soar": Entry("scann", "scann", "ScannPeer", {"avq": 2.5, "soar_lambda": 1.5}, _DOTS),
    "faiss": Entry("faiss", "faiss", "FaissPeer", {}),
    "faiss-fine": Entry("faiss", "faiss", "FaissPeer", {"leaves_factor": 4}),
    "hnswlib": Entry("hnswlib", "hnswlib", "HnswlibPeer", {}),
    "usearch": Entry("usearch", "usearch", "UsearchPeer", {}),
}
PACKAGES = ("numpy", "numba", "scann", "faiss-cpu", "hnswlib", "usearch")


def maker(name: str) -> Callable[[], Peer]:
    """How to make one of ENTRIES; its library is imported only then."""
    entry = ENTRIES[name]

    def make() -> Peer:
        made: Peer = getattr(import_module(f"bench.peers.{entry.module}"), entry.maker)(
            name=name, **entry.arguments
        )
        return made

    return make


def entered(names: Iterable[str], distance: Distance) -> list[Peer]:
    """Fresh peers for a distance; a missing library is said aloud and left out."""
    peers = []
    for name in names:
        entry = ENTRIES[name]
        if find_spec(entry.library) is None:
            print(f"{name}: {entry.library} is not installed, skipped", file=sys.stderr)
        elif distance in entry.distances:
            peers.append(maker(name)())
    return peers
