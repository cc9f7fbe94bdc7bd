"""``DataLoader``: rows to index, and what comes with each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from scannlite.engine.door import finite_floats
from scannlite.errors import InvalidInput, InvalidType
from scannlite.types import Floats

__all__ = ["DataLoader"]


class DataLoader:
    """Rows to index, an item of metadata for each, and the model that made the rows.

    Args:
        embedder_path: of the ``.tflite`` model that ``ExportFormat.TFLITE`` puts the index into.
        dataset: (n, d) real numbers, or None for no rows yet.
        metadata: n of ``str`` or ``bytes``. None: each row gets its number when it is indexed.

    Raises:
        InvalidInput: dataset is not (n, d) or holds a number that is not finite, or there is not
            one item of metadata for each row.
        InvalidType: an argument is of another kind.
    """

    def __init__(
        self,
        embedder_path: str | os.PathLike[str] | None = None,
        dataset: Any = None,
        metadata: Iterable[str | bytes] | None = None,
    ) -> None:
        if not (embedder_path is None or isinstance(embedder_path, (str, os.PathLike))):
            raise InvalidType(
                f"embedder_path must be the path of a file or None, got {embedder_path!r}."
            )
        self._embedder_path = None if embedder_path is None else os.fspath(embedder_path)
        self._parts = [_as_rows(dataset)]
        self._metadata = _as_metadata(metadata, len(self))

    @property
    def dataset(self) -> Floats:
        """The rows, (n, d) float32; (0, 0) where there are none yet. It is no copy."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    @property
    def metadata(self) -> list[str | bytes] | None:
        """What came with each row, or None."""
        return self._metadata

    @property
    def embedder_path(self) -> str | None:
        """The model that made the rows, or None."""
        return self._embedder_path

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __repr__(self) -> str:
        shape = f"{len(self):,} x {self._parts[0].shape[1]}"
        return f"<scannlite.searcher.{type(self).__name__} {shape}, {self._embedder_path}>"

    def append(self, data_loader: DataLoader) -> None:
        """Add the rows and metadata of another loader behind these.

        Raises:
            InvalidInput: its rows have other dimensions, come from another embedder, or have
                metadata where these have none or the other way round; nothing is added then.
            InvalidType: it is no ``DataLoader``.
        """
        if not isinstance(data_loader, DataLoader):
            raise InvalidType(f"data_loader must be a DataLoader, got {data_loader!r}.")
        ours, theirs = self._embedder_path, data_loader.embedder_path
        if ours and theirs and Path(ours).resolve() != Path(theirs).resolve():
            raise InvalidInput(
                f"data_loader must be of the embedder {ours!r}, got one of {theirs!r}, whose "
                "embeddings cannot be compared with these."
            )
        self._extend(data_loader.dataset, data_loader.metadata)
        self._embedder_path = ours or theirs

    def _extend(self, rows: Floats, metadata: list[str | bytes] | None) -> None:
        """Add (k, d) rows with k items of metadata, or raise InvalidInput and add nothing."""
        if len(rows) == 0:
            return
        if len(self) == 0:
            self._parts, self._metadata = [rows], metadata and [*metadata]
            return
        d = self._parts[0].shape[1]
        if rows.shape[1] != d:
            raise InvalidInput(f"rows to append must have {d} dimensions, got {rows.shape[1]}.")
        if self._metadata is None or metadata is None:
            if self._metadata is not metadata:
                wanted, came = ("no", "some") if self._metadata is None else ("some", "none")
                raise InvalidInput(
                    f"rows to append must have {wanted} metadata, as the rows before, got {came}."
                )
        else:
            self._metadata = [*self._metadata, *metadata]
        self._parts.append(rows)


def _as_rows(dataset: Any) -> Floats:
    """Rows as (n, d) float32."""
    try:
        rows = np.asarray([] if dataset is None else dataset)
    except ValueError as error:
        raise InvalidType(f"dataset must be an array of numbers, got {error}.") from error
    if rows.shape == (0,):
        return np.empty((0, 0), np.float32)
    if rows.dtype.kind not in "fiub":
        raise InvalidType(f"dataset must be an array of real numbers, got dtype {rows.dtype}.")
    if rows.ndim != 2:
        raise InvalidInput(
            f"dataset must be two-dimensional, (rows, dimensions), got shape {rows.shape}."
        )
    return finite_floats("dataset", rows)


def _as_metadata(metadata: Iterable[str | bytes] | None, n: int) -> list[str | bytes] | None:
    """A list of n items, or None; a loader without rows has none of them."""
    if metadata is None:
        return None if n else []
    if isinstance(metadata, (str, bytes)) or not isinstance(metadata, Iterable):
        raise InvalidType(f"metadata must be a sequence of str or bytes, got {metadata!r}.")
    items = list(metadata)
    if len(items) != n:
        raise InvalidInput(f"metadata must have one item a row ({n}), got {len(items)}.")
    for place, item in enumerate(items):
        if not isinstance(item, (str, bytes)):
            raise InvalidType(
                f"metadata must be str or bytes, got {type(item).__name__} at item {place}."
            )
    return items
