"""What every library of the race can do, and the grids they share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol, TypeAlias

from scannlite.types import AnyArray, Distance, Floats

__all__ = ["Ladder", "Peer", "Setting", "rungs"]

Setting: TypeAlias = tuple[int, ...]
Ladder: TypeAlias = list[Setting]
STEP = 1.4


def rungs(first: int, last: int, step: float = STEP) -> list[int]:
    """Whole numbers from first up to last, each about ``step`` times the one before."""
    found: list[int] = []
    value = float(first)
    while round(value) < last:
        if not found or round(value) > found[-1]:
            found.append(round(value))
        value *= step
    return [*found, last]


class Peer(Protocol):
    """One library with one way to build. Searches use one thread; builds the library's default.

    Attributes:
        name: in tables.
        turns: names of the numbers in a setting.
        unit_rows: for cosine it wants rows and queries of length 1, which the caller sees to.
    """

    name: str
    turns: tuple[str, ...]
    unit_rows: bool = True

    @abstractmethod
    def build(self, X: Floats, distance: Distance) -> None:
        """Index the rows."""

    @abstractmethod
    def settings(self) -> list[Ladder]:
        """The grid of search settings as ladders: up a ladder, recall and cost grow."""

    @abstractmethod
    def search(self, q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids of at most k neighbours of one query (d,), of any whole type."""

    @abstractmethod
    def search_batch(self, Q: Floats, k: int, setting: Setting) -> AnyArray:
        """Ids (q, k) of a batch in one call and one thread, -1 where fewer were found."""

    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of the index as the library saves it."""

    def proposed(self, Q: Floats, k: int, target: float) -> Setting | None:  # noqa: ARG002
        """The library's own choice of a setting for a recall, tuned on Q; None: by the grid."""
        return None
