"""Numbers to whole numbers: rows at 8 and 24 bits a dimension, and 8-bit lookup tables."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from scannlite.kernels import implementation
from scannlite.learning.rows import in_pieces, plain, unit
from scannlite.types import AnyArray, Codes, Floats, Signed

__all__ = ["quantize_rows", "quantize_table", "shape_noise", "table_scores"]

Lows: TypeAlias = NDArray[np.int16]

TINY = np.finfo(np.float32).tiny


def quantize_rows(X: AnyArray, *, threads: int = 1) -> tuple[Signed, Lows, Floats]:
    """Write rows as fixed-point numbers: x ≈ scale (high + low / 65534).

    ``high`` alone is x to 8 bits; both are about as good as float32.

    Args:
        X: (n, d), any number type.
        threads: the result does not depend on it.

    Returns:
        ``high`` (n, d) int8 within ±127, ``low`` (n, d) int16 within ±32767 and ``scale`` (n,)
        float32 = max|x| / 127. Rows whose scale no normal float32 can hold are zero.
    """
    high = np.empty(X.shape, np.int8)
    low = np.empty(X.shape, np.int16)
    scale = np.empty(len(X), np.float32)

    def quantize(part: slice) -> None:
        rows = plain(X[part])
        scale[part] = _scales(rows)
        values = _in_units(rows, scale[part])
        whole = np.clip(np.rint(values), -127, 127)
        high[part] = whole
        low[part] = np.clip(np.rint((values - whole) * np.float32(65534)), -32767, 32767)

    in_pieces(quantize, len(X), threads=threads)
    return high, low, scale


def _scales(rows: Floats) -> Floats:
    largest: Floats = np.abs(rows).max(axis=1, initial=0)
    scale = largest / np.float32(127)
    return np.where(scale < TINY, np.float32(0), scale)


def _in_units(rows: Floats, scale: Floats) -> Floats:
    """Rows (n, d) divided by their scales (n,); 0 where the scale is 0."""
    values = np.zeros_like(rows)
    np.divide(rows, scale[:, None], out=values, where=scale[:, None] > 0)
    return values


def shape_noise(
    X: AnyArray, high: Signed, scale: Floats, eta: Floats, *, threads: int = 1
) -> Signed:
    """Round some dimensions of 8-bit rows the other way, so that high scores stay true.

    The descent of ``encode_anisotropic``, with the whole numbers on both sides of a value as its
    only centers. Rows with eta up to 1 stay.

    Args:
        X: (n, d), the rows, any number type.
        high: (n, d) int8, from ``quantize_rows``.
        scale: (n,) float32, from ``quantize_rows``.
        eta: (n,) float32, as from ``anisotropy``.
        threads: the result does not depend on it.

    Returns:
        (n, d) int8.
    """
    descend = implementation("encode").shape_noise
    shaped = np.array(high, np.int8, order="C")

    def shape(part: slice) -> None:
        rows = plain(X[part])
        descend(_in_units(rows, scale[part]), unit(rows), plain(eta[part]), shaped[part])

    in_pieces(shape, len(shaped), threads=threads)
    return shaped


def quantize_table(table: Floats) -> tuple[Signed, float]:
    """Write a lookup table in whole numbers, as ScaNN does: all blocks share one multiplier.

    Args:
        table: (m, c) float32.

    Returns:
        (m, c) int8 = table × multiplier, halves rounded away from zero, and the multiplier,
        127 / max|table|, or 1 for a table of zeros.
    """
    largest = np.abs(table).max(initial=0)
    multiplier = np.float32(127) / largest if largest > 0 else np.float32(1)
    scaled = np.float32(table * multiplier)
    rounded = np.copysign(np.floor(np.abs(scaled) + np.float32(0.5)), scaled)
    return np.clip(rounded, -127, 127).astype(np.int8), float(multiplier)


def table_scores(table: Signed, multiplier: float, codes: Codes) -> Floats:
    """The estimate a whole-number table gives for each row: Σ table[block, code] / multiplier.

    Args:
        table: (m, c) int8.
        multiplier: from ``quantize_table``.
        codes: (n, m) uint8.

    Returns:
        (n,) float32.
    """
    total = np.zeros(len(codes), np.int32)
    for block, entries in enumerate(table):
        total += entries[codes[:, block]]
    return (total / multiplier).astype(np.float32)
