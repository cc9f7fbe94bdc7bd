"""Rows on their way into an index, read by chunks and samples, never whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scannlite.engine.door import finite_floats
from scannlite.learning.rows import in_pieces, unit
from scannlite.types import AnyArray, Floats

__all__ = ["Source"]

_CHUNK_BYTES = 4 << 20


@dataclass(frozen=True)
class Source:
    """Rows as they came, and the form in which they are indexed.

    Attributes:
        X: (n, d), any number type.
        normalised: whether rows are brought to length 1.
        mean: (d,) float32, taken off rows that are not.
    """

    X: AnyArray
    normalised: bool
    mean: Floats

    def read(self, chunk: slice) -> Floats:
        """Some rows, ready to be indexed."""
        return self._ready(finite_floats("X", self.X[chunk], chunk.start))

    def sample(self, size: int, rng: np.random.Generator) -> Floats:
        """Rows drawn at random, in order; all if there are no more."""
        n, d = self.X.shape
        picked = np.arange(n) if size >= n else np.sort(rng.choice(n, size, replace=False))
        rows = np.empty((len(picked), d), np.float32)

        def read(part: slice) -> None:
            numbers = picked[part]
            rows[part] = self._ready(finite_floats("X", self.X[numbers], picked=numbers))

        in_pieces(read, len(picked))
        return rows

    def chunks(self) -> Iterator[slice]:
        """Slices that cover all rows in bounded memory."""
        n, d = self.X.shape
        step = max(1024, _CHUNK_BYTES // (4 * d))
        for first in range(0, n, step):
            yield slice(first, min(first + step, n))

    def _ready(self, rows: Floats) -> Floats:
        return unit(rows) if self.normalised else rows - self.mean
