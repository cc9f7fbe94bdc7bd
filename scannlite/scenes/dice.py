"""Random choices that are the same on every machine and in every version of NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from scannlite.types import Codes

__all__ = ["Dice"]

_T = TypeVar("_T")


class Dice:
    """Choices drawn from a few whole numbers from 0.

    Only the raw bits of PCG64 are used, which NumPy promises to keep; what its Generator makes of
    them may change.
    """

    def __init__(self, *seeds: int) -> None:
        self._bits = np.random.PCG64(seeds)

    def below(self, limit: int) -> int:
        """A whole number from 0 to ``limit`` - 1."""
        return ((self._bits.random_raw() >> 32) * limit) >> 32

    def between(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return least + self.below(most - least + 1)

    def of(self, choices: Sequence[_T]) -> _T:
        """One of a few."""
        return choices[self.below(len(choices))]

    def some(self, choices: Sequence[_T], count: int) -> list[_T]:
        """As many different ones, in random order."""
        left = list(choices)
        return [left.pop(self.below(len(left))) for _ in range(count)]

    def octets(self, *shape: int) -> Codes:
        """An array of numbers from 0 to 255."""
        size = int(np.prod(shape))
        raw = self._bits.random_raw(-(-size // 8)).astype("<u8")
        return raw.view(np.uint8)[:size].reshape(shape)
