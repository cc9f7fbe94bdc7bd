"""What loaders that embed have in common."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scannlite.embedders.embedder import Embedder
from scannlite.embedders.loading import Item, Skipped, embed_all
from scannlite.errors import InvalidInput, InvalidType, ScannliteWarning
from scannlite.progress import Wanted, reported
from scannlite.searcher.data_loader import DataLoader

__all__ = ["EmbeddingLoader", "Found", "Work", "absolute"]


@dataclass(frozen=True)
class Found:
    """What a file or folder holds, not yet embedded.

    Attributes:
        items: what to embed.
        metadata: of each.
        skipped: what cannot be embedded, known already.
    """

    items: list[Item] = field(default_factory=list)
    metadata: list[str | bytes] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True)
class Work:
    """How to go about embedding many items, as in ``embed_all``."""

    checkpoint: str | os.PathLike[str] | None
    threads: int | None
    progress: Wanted


class EmbeddingLoader(DataLoader):
    """A loader that fills itself by embedding what it finds.

    Args:
        embedder: of these items.
    """

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder.model.path)
        self._embedder = embedder
        self._skipped: list[Skipped] = []

    @property
    def skipped(self) -> Sequence[Skipped]:
        """What could not be embedded in all loads so far: its name and the reason."""
        return tuple(self._skipped)

    def _embed(self, path: str | os.PathLike[str], found: Found, work: Work) -> None:
        """Embed and add what was found at a path; warn once of what was left out.

        Raises:
            InvalidInput: nothing was found, or nothing of it can be embedded; nothing is added.
        """
        if not found.items:
            came = "nothing."
            if found.skipped:
                came = f"only what was skipped, the first {_told(found.skipped[0])}"
            raise InvalidInput(f"{os.fspath(path)} must hold something to embed, got {came}")
        with reported(work.progress) as progress:
            loaded = embed_all(
                self._embedder,
                found.items,
                threads=work.threads,
                progress=progress,
                checkpoint=work.checkpoint,
            )
        self._extend(loaded.rows, [found.metadata[place] for place in loaded.kept])
        skipped = [*found.skipped, *loaded.skipped]
        self._skipped += skipped
        if skipped:
            count = len(found.items) + len(found.skipped)
            warnings.warn(
                f"{os.fspath(path)}: {len(skipped)} of {count} were skipped, the first "
                f"{_told(skipped[0])}",
                ScannliteWarning,
                stacklevel=3,
            )


def absolute(name: str, path: str | os.PathLike[str]) -> Path:
    """A path that stays right when the working directory changes.

    Raises:
        InvalidType: it is no path.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidType(f"{name} must be the path of a file, got {path!r}.")
    return Path(path).absolute()


def _told(skipped: Skipped) -> str:
    return f"{skipped.name}: {skipped.reason}"
