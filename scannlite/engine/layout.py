"""From the arrays of an index to what kernels read."""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.engine.arrays import IndexArrays, allocate, blocks_of, lookup_of, rows_kind_of
from scannlite.engine.options import Device, ScaNNOptions
from scannlite.kernels.layout import (
    COSINE,
    DEVICE_FLOAT,
    DEVICE_INT8,
    DEVICE_INT16,
    DOT_PRODUCT,
    SQUARED_L2,
    Layout,
)
from scannlite.types import AnyArray, Floats, Leaves, Signed

__all__ = ["block_dims", "to_layout"]

_METRICS = {"dot_product": DOT_PRODUCT, "squared_l2": SQUARED_L2, "cosine": COSINE}
_DEVICE_LOOKUPS = {"float": DEVICE_FLOAT, "int16": DEVICE_INT16, "int8": DEVICE_INT8}
_GROUP, _GROUP_OF_NIBBLES = 32, 256  # blocks that a device sums in whole numbers
_MOST_BOUNDED = 256  # blocks whose bytes, summed, fit 16 bits


def _settled(array: AnyArray, dtype: type[np.generic]) -> AnyArray:
    settled = allocate(array.shape, dtype)
    settled[...] = array
    return settled


def _padded(array: AnyArray, length: int, dtype: type[np.generic]) -> AnyArray:
    out = allocate((length, *array.shape[1:]), dtype)
    out[: len(array)] = array
    return out


def _tiles(high: Signed) -> Signed:
    """(L, d) to (ceil(L/64), ceil(d/4), 4, 16, 4)."""
    L, d = high.shape
    whole = np.zeros((-(-L // 64) * 64, -(-d // 4) * 4), np.int8)
    whole[:L, :d] = high
    tiles = whole.reshape(-1, 4, 16, whole.shape[1] // 4, 4).transpose(0, 3, 1, 2, 4)
    return _settled(tiles, np.int8)


def _dealt(values: AnyArray, m: int, b: int) -> Floats:
    """(d, ...) to (ceil(m/16), b, 16, ...): blocks side by side."""
    m16 = -(-m // 16) * 16
    whole = np.zeros((m16 * b, *values.shape[1:]), np.float32)
    whole[: len(values)] = values[: len(whole)]
    return np.moveaxis(whole.reshape(m16 // 16, 16, b, *values.shape[1:]), 1, 2)


def _codebook_tiles(codebooks: Floats) -> Floats:
    """(m, c, b) to (ceil(m/16), c, b, 16)."""
    m, c, b = codebooks.shape
    flat = codebooks.transpose(0, 2, 1).reshape(m * b, c)
    return _settled(_dealt(flat, m, b).transpose(0, 3, 1, 2), np.float32)


def _bytes_of(rows: Floats) -> tuple[Signed, Floats]:
    scale = np.abs(rows).max(axis=1, initial=0) / np.float32(127)
    scale = np.where(scale < np.finfo(np.float32).tiny, np.float32(1), scale)
    return np.rint(rows / scale[:, None]).astype(np.int8), scale


def _rotation_tiles(rotation: Floats, m: int, b: int) -> tuple[Signed, Floats]:
    """(e, d) to tiles of 64 kept dimensions in the order they are dealt to blocks, and scales."""
    d = rotation.shape[1]
    if not len(rotation):
        return allocate((0, -(-d // 4), 4, 16, 4), np.int8), allocate((0,), np.float32)
    dealt = _dealt(rotation, m, b).reshape(-1, d)
    high, scale = _bytes_of(dealt)
    return _tiles(high), _padded(scale, -(-len(dealt) // 64) * 64, np.float32)


def block_dims(codebooks: Floats, d: int, device: Device) -> Leaves:
    """Dimensions of each block (m,), of a device's index of d dimensions."""
    if device.block_dims is not None:
        return np.array(device.block_dims, np.int32)
    m, _, b = codebooks.shape
    dims: Leaves = np.minimum(np.full(m, b), d - b * np.arange(m)).astype(np.int32)
    return dims


def _sequential_squares(x: Floats) -> Floats:
    """Squared norms of rows (n, b), one dimension after the other."""
    squares = x * x
    total = squares[:, 0]
    for j in range(1, x.shape[1]):
        total = total + squares[:, j]
    return total


def _device_squares(x: Floats) -> Floats:
    """Squared norms (n,) of rows (n, b) as a device sums them.

    Four dimensions are summed as two pairs and added to the first, the rest follow one by one; the
    last n % 4 rows one by one throughout.
    """
    n, b = x.shape
    squares = x * x
    total = squares[:, 0]
    whole = (b - 1) // 4 * 4
    for j in range(1, whole, 4):
        pairs = squares[:, j : j + 4 : 2] + squares[:, j + 1 : j + 4 : 2]
        total = total + (pairs[:, 0] + pairs[:, 1])
    for j in range(whole + 1, b):
        total = total + squares[:, j]
    fours = n // 4 * 4
    return np.concatenate([total[:fours], _sequential_squares(x[fours:])])


def _side_by_side(values: Floats, device: Device | None) -> Floats:
    """Centers (..., c) padded to 64 with the first, in the order in which kernels pack them."""
    c = values.shape[-1]
    if c == 0:
        return values
    padded = np.concatenate([values, np.repeat(values[..., :1], -c % 64, axis=-1)], axis=-1)
    if device is not None and device.lookup_type != "float":
        fours = padded.reshape(*values.shape[:-1], padded.shape[-1] // 64, 16, 4)
        padded = fours.swapaxes(-1, -2).reshape(padded.shape)
    return padded


def _device_tables(arrays: IndexArrays, options: ScaNNOptions) -> dict[str, Any]:
    """The fields of a layout that only devices have; empty for others."""
    device = options.device
    L, d = arrays.centroids.shape
    codebooks = arrays.codebooks
    if device is None:
        L, codebooks, dims = 0, codebooks[:0, :0], np.zeros(0, np.int32)
    else:
        dims = block_dims(codebooks, d, device)
    tiles = np.zeros((-(-L // 64) * 64, d), np.float32)
    tiles[:L] = arrays.centroids[:L]
    squares = np.zeros(codebooks.shape[:2], np.float32)
    for j, codebook in enumerate(codebooks):
        squares[j] = _device_squares(codebook[:, : dims[j]])
    bounds = np.zeros((2, -(-len(codebooks) // 16) * 16), np.float32)
    if codebooks.size and codebooks.shape[2] == 1:
        bounds[:, : len(codebooks)] = codebooks[:, :, 0].min(axis=1), codebooks[:, :, 0].max(axis=1)
        bounds[:, len(codebooks) :] = bounds[:, :1]
    return {
        "leaf_tiles": _settled(tiles.reshape(-1, 64, d).swapaxes(1, 2), np.float32),
        "leaf_squares": _padded(_device_squares(arrays.centroids[:L]), len(tiles), np.float32),
        "block_dims": _settled(dims, np.int32),
        "entry_tiles": _settled(_side_by_side(codebooks.swapaxes(1, 2), device), np.float32),
        "entry_squares": _settled(_side_by_side(squares, device), np.float32),
        "entry_bounds": _settled(bounds, np.float32),
    }


def _device_numbers(arrays: IndexArrays, options: ScaNNOptions) -> dict[str, Any]:
    """Likewise the numbers."""
    device = options.device
    if device is None:
        return {"device": 0, "leaf_metric": 0, "centers": 0, "single": 0, "group": 0, "bounded": 0}
    bytes_ = device.lookup_type == "int8"
    single = arrays.codebooks.shape[2] == 1 and options.score_ah is not None
    products = options.distance_measure == "dot_product"
    m, c, _ = arrays.codebooks.shape
    ordered = bool((np.diff(arrays.codebooks[:, :, 0]) >= 0).all()) if single else False
    return {
        "device": _DEVICE_LOOKUPS[device.lookup_type],
        "leaf_metric": _METRICS[device.partition_distance or options.distance_measure],
        "centers": options.centers,
        "single": int(bytes_ and single and products),
        "group": _GROUP_OF_NIBBLES if bytes_ and options.centers == 16 else _GROUP,
        "bounded": int(
            bytes_ and single and products and ordered and c == 256 and m <= _MOST_BOUNDED
        ),
    }


@np.errstate(over="ignore")
def to_layout(arrays: IndexArrays, options: ScaNNOptions) -> Layout:
    """Everything kernels read, of arrays that are sound; squares may leave float32."""
    L, d = arrays.centroids.shape
    m, _, b = arrays.codebooks.shape
    leaf_block, block_row = blocks_of(arrays.leaf_size)
    high, scale = _bytes_of(arrays.centroids)
    rotation, rotation_scale = _rotation_tiles(arrays.rotation, m, b)
    half = np.square(arrays.centroids, dtype=np.float64).sum(axis=1).astype(np.float32) / 2
    metric = _METRICS[options.distance_measure]
    none = np.zeros(L, np.float32)
    padded = -(-L // 64) * 64
    return Layout(
        d=d,
        num_leaves=L,
        num_rows=len(arrays.ids),
        num_blocks=len(block_row) - 1,
        metric=metric,
        lookup=lookup_of(options),
        rows_kind=rows_kind_of(options),
        residual=int(options.residual),
        rotated=int(len(arrays.rotation) > 0),
        m=m,
        b=b,
        code_lines=arrays.codes.shape[1],
        **_device_numbers(arrays, options),
        constant_unit=float(arrays.constant_unit[0]),
        mean=_padded(arrays.mean, -(-d // 16) * 16, np.float32),
        centroids=_tiles(high),
        centroid_floats=_settled(arrays.centroids, np.float32),
        centroid_scale=_padded(scale, padded, np.float32),
        leaf_offset=_padded(-half if metric == SQUARED_L2 else none, padded, np.float32),
        leaf_bias=_padded(arrays.leaf_bias, padded, np.float32),
        leaf_block=_settled(leaf_block, np.int32),
        block_row=_settled(block_row, np.int32),
        rotation=rotation,
        rotation_scale=rotation_scale,
        codebooks=_codebook_tiles(arrays.codebooks),
        variance=_settled(_dealt(arrays.variance[: m * b], m, b), np.float32),
        **_device_tables(arrays, options),
        codes=arrays.codes,
        constants=arrays.constants,
        row_high=arrays.row_high,
        row_low=arrays.row_low,
        row_terms=arrays.row_terms,
        rows=arrays.rows,
        ids=arrays.ids,
        tails=_settled(np.repeat(np.array([0, 255], np.uint8), 64), np.uint8),
        lanes=_settled(np.repeat(np.array([-1, 0], np.int32), 16), np.int32),
    )
