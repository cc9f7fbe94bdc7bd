"""The door: what comes from outside becomes what kernels want, or one clear sentence.

Validation happens here and nowhere below.
"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from scannlite.errors import InvalidInput, InvalidType
from scannlite.kernels.layout import LARGEST
from scannlite.types import AnyArray, Floats, Ids

__all__ = ["as_bytes", "as_queries", "as_rows", "as_whole", "finite_floats"]

FLOAT32 = np.dtype(np.float32)
_LARGEST = np.float32(LARGEST)
_MOST_DIMENSIONS = 32_768


def _as_array(name: str, values: Any) -> AnyArray:
    try:
        array = values if isinstance(values, np.ndarray) else np.asarray(values)
    except ValueError as error:
        raise InvalidType(f"{name} must be an array of numbers, got {error}.") from error
    if array.dtype.kind not in "fiub":
        raise InvalidType(
            f"{name} must be an array of real numbers, got {type(values).__name__} "
            f"of dtype {array.dtype}."
        )
    return array


def as_rows(values: Any) -> AnyArray:
    """Rows to index, as they are: shape (n, d), real numbers; nothing is read or copied yet.

    Raises:
        InvalidType: not an array of real numbers.
        InvalidInput: not two-dimensional, or without dimensions.
    """
    X = _as_array("X", values)
    if X.ndim != 2:
        raise InvalidInput(f"X must be two-dimensional, (rows, dimensions), got shape {X.shape}.")
    if not 1 <= X.shape[1] <= _MOST_DIMENSIONS:
        raise InvalidInput(
            f"X must have from 1 to {_MOST_DIMENSIONS} dimensions, got shape {X.shape}."
        )
    if X.shape[0] > np.iinfo(np.int32).max - 64:
        raise InvalidInput(f"X must have less than 2**31 rows, got {X.shape[0]}.")
    return X


def as_queries(values: Any, d: int, name: str = "q") -> Floats:
    """One query (d,) or a batch (q, d) as float32 in C order, writable.

    Raises:
        InvalidType: not an array of real numbers.
        InvalidInput: another shape.
    """
    queries = _as_array(name, values)
    if queries.ndim not in (1, 2) or queries.shape[-1] != d:
        raise InvalidInput(
            f"{name} must have shape ({d},) for one query or (queries, {d}) for a batch, "
            f"got {queries.shape}."
        )
    return np.require(queries, FLOAT32, ("C", "A", "W"))


def finite_floats(
    name: str, values: AnyArray, first: int = 0, *, picked: Ids | None = None
) -> Floats:
    """Rows as float32 in C order, after a look at every number.

    Args:
        name: of the argument, for the message.
        values: (n, d).
        first: the number of the first row, for the message.
        picked: the number of each row, where they do not follow one another.

    Raises:
        InvalidInput: a number is NaN, infinite, or so large that its square leaves float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        floats = np.ascontiguousarray(values, FLOAT32)
        sound = floats.size == 0 or (floats.min() >= -_LARGEST and floats.max() <= _LARGEST)
    if not sound:
        with np.errstate(invalid="ignore"):
            row, column = np.argwhere(~(np.abs(floats) <= _LARGEST))[0]
        number = first + row if picked is None else picked[row]
        raise InvalidInput(
            f"{name} must hold finite numbers of at most {LARGEST:g}, got "
            f"{values[row, column]} at row {number}, column {column}."
        )
    return floats


def as_bytes(name: str, value: Any) -> bytes:
    """A text as UTF-8, or bytes as they are.

    Raises:
        InvalidType: neither.
    """
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise InvalidType(f"{name} must be str or bytes, got {type(value).__name__}.")
    return value.encode("utf-8", "surrogatepass")


def as_whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """A whole number within bounds.

    Raises:
        InvalidType: not a whole number.
        InvalidInput: out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise InvalidType(f"{name} must be a whole number, got {value!r}.")
    number = int(value)
    if number < least or (most is not None and number > most):
        bounds = f"from {least}" if most is None else f"from {least} to {most}"
        raise InvalidInput(f"{name} must be {bounds}, got {number}.")
    return number
