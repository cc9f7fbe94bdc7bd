"""A text or bytes for each row, kept in one run of bytes so that it can be memory-mapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

from scannlite.errors import IndexFileError, InvalidInput, InvalidType
from scannlite.types import AnyArray, Codes, Ids

__all__ = ["Metadata"]


class Metadata(Sequence["str | bytes"]):
    """What came with each row at build, by id: a read-only sequence of ``str`` or ``bytes``."""

    def __init__(self, data: Codes, ends: Ids, is_bytes: Codes) -> None:
        self._data, self._ends, self._is_bytes = data, ends, is_bytes

    @classmethod
    def of(cls, items: Sequence[str | bytes], n: int) -> Metadata:
        """Pack one item a row.

        Raises:
            InvalidInput: not n items.
            InvalidType: an item is neither str nor bytes.
        """
        if len(items) != n:
            raise InvalidInput(f"metadata must have one item a row ({n}), got {len(items)}.")
        pieces = []
        is_bytes = np.zeros(n, np.uint8)
        for i, item in enumerate(items):
            if isinstance(item, bytes):
                is_bytes[i] = 1
                pieces.append(item)
            elif isinstance(item, str):
                pieces.append(item.encode("utf-8", "surrogatepass"))
            else:
                raise InvalidType(
                    f"metadata must be str or bytes, got {type(item).__name__} at item {i}."
                )
        ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        return cls(np.frombuffer(b"".join(pieces), np.uint8), ends, is_bytes)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> str | bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str | bytes]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        i = range(len(self))[place]
        start = int(self._ends[i - 1]) if i else 0
        item = self._data[start : int(self._ends[i])].tobytes()
        return item if self._is_bytes[i] else item.decode("utf-8", "surrogatepass")

    def __repr__(self) -> str:
        return f"<{len(self)} items of metadata>"

    def arrays(self) -> dict[str, AnyArray]:
        """As arrays for a file."""
        return {
            "metadata": self._data,
            "metadata_ends": self._ends,
            "metadata_is_bytes": self._is_bytes,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray], n: int, path: str) -> Metadata | None:
        """What ``arrays`` gave, or None where a file has none.

        Raises:
            IndexFileError: the arrays do not fit each other or the n rows.
        """
        if "metadata" not in arrays:
            return None
        try:
            data, ends = arrays["metadata"], arrays["metadata_ends"]
            is_bytes = arrays["metadata_is_bytes"]
        except KeyError as error:
            raise IndexFileError(f"{path}: metadata: part {error} is missing.") from error
        fits = (
            data.dtype == np.uint8
            and ends.dtype == np.int64
            and is_bytes.dtype == np.uint8
            and data.ndim == 1
            and ends.shape == is_bytes.shape == (n,)
            and (np.diff(ends, prepend=0) >= 0).all()
            and (ends[-1] if n else 0) == len(data)
        )
        if not fits:
            raise IndexFileError(
                f"{path}: metadata: expected one item for each of {n} rows, "
                f"found {ends.size} over {data.size} bytes."
            )
        return cls(data, ends, is_bytes)
