"""Indexes of generated vectors, for who has none at hand: made once, then found again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scannlite import __version__
from scannlite.cli.generated import chunks, queries
from scannlite.cli.output import Progress
from scannlite.engine.choice import options_for
from scannlite.engine.index import Index
from scannlite.engine.options import ScaNNOptions, ScoreAH, Tree
from scannlite.errors import InvalidInput
from scannlite.learning.rows import unit
from scannlite.native.folders import users_folder
from scannlite.types import AnyArray, Floats

__all__ = ["ARTICLE", "ARTICLE_ROWS", "Case", "case_of"]

ARTICLE_ROWS = 123_287  # pictures, of the article on text-to-image search on phones
_DIMENSIONS = 128
ARTICLE = ScaNNOptions(
    "dot_product", Tree(351, 4), score_ah=ScoreAH(1, anisotropic_quantization_threshold=0.2)
).for_device()
_RECALL, _TUNED_WITH = 0.95, 500
_QUERIES = 1_000


@dataclass(frozen=True)
class Case:
    """Generated vectors of which there is an index, or will be.

    Attributes:
        rows: vectors indexed, of 128 dimensions.
        folder: where the index is kept.
    """

    rows: int
    folder: Path

    @property
    def path(self) -> Path:
        """The file of the index: another for each version of the package."""
        return self.folder / f"bench-{self.rows}x{_DIMENSIONS}-{__version__}.npz"

    @property
    def queries(self) -> Floats:
        """(q, 128), none of which is indexed."""
        return self._scaled(queries(_QUERIES, _DIMENSIONS))

    @property
    def _is_article(self) -> bool:
        return self.rows == ARTICLE_ROWS

    def _scaled(self, vectors: Floats) -> Floats:
        """The article's to length 1, as embeddings of pictures and of words for them are."""
        return unit(vectors) if self._is_article else vectors

    def index(self) -> Index:
        """Loaded; built before that where it is not there yet."""
        if not self.path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with Progress() as progress, self._vectors(progress) as X:
                self._build(X, progress).save(self.path)
        return Index.load(self.path)

    def _build(self, X: AnyArray, progress: Progress) -> Index:
        """As on phones for the article's rows; else with options chosen and tuned here."""
        if self._is_article:
            return Index.build(X, ARTICLE, progress=progress)
        index = Index.build(X, options_for(X, "squared_l2"), progress=progress)
        if index.options.tree is not None:
            index.tune(self.queries[:_TUNED_WITH], _RECALL, progress=progress)
        return index

    @contextmanager
    def _vectors(self, progress: Progress) -> Iterator[AnyArray]:
        """On disk meanwhile, for they may be more than there is memory."""
        with tempfile.TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as folder:
            shape = self.rows, _DIMENSIONS
            X = np.lib.format.open_memmap(Path(folder, "rows.npy"), "w+", np.float32, shape)
            first = 0
            for part in chunks(*shape):
                X[first : first + len(part)] = self._scaled(part)
                first += len(part)
                progress("generate", first, self.rows)
            yield X


def case_of(rows: int | None, keep: Path | None) -> Case:
    """The article's case, or one of as many rows.

    Args:
        rows: None for the article's.
        keep: the folder of its index, None for the user's own for what can be made again.

    Raises:
        InvalidInput: no rows, or there is no such folder.
    """
    if rows is not None and rows < 1:
        raise InvalidInput(f"--rows must be from 1, got {rows}.")
    if keep is None and not users_folder():
        raise InvalidInput("--keep must name a folder for a user without a home, got none.")
    return Case(rows or ARTICLE_ROWS, users_folder()[0] if keep is None else keep)
