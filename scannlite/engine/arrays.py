"""What an index is made of, as arrays.

``IndexArrays`` is what a file holds and is validated once: when it was built here, by
construction; when it came from a file, by ``check_arrays``. ``to_layout`` of ``engine.layout``
derives the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from scannlite.engine.options import ScaNNOptions
from scannlite.errors import IndexFileError
from scannlite.kernels.layout import (
    BLOCK_ROWS,
    LARGEST,
    LOOKUP_16,
    LOOKUP_256,
    NO_ROWS,
    ROWS_FLOAT,
    ROWS_HIGH,
    ROWS_LOW,
    SLACK,
)
from scannlite.types import AnyArray, Codes, Floats, Leaves, Signed

__all__ = [
    "IndexArrays",
    "allocate",
    "blocks_of",
    "check_arrays",
    "code_lines",
    "lookup_of",
    "rows_kind_of",
]


@dataclass(frozen=True)
class IndexArrays:
    """The arrays of an index, rows in the order of their leaves; unused ones are empty.

    Attributes:
        mean: (d,) float32, taken off rows and queries of squared_l2, else zeros.
        centroids: (L, d) float32.
        leaf_size: (L,) int32, rows a leaf.
        leaf_bias: (L,) float32, see ``Layout``.
        rotation: (e, d) float32, applied to what the codebooks encode; or (0, d).
        codebooks: (m, c, b) float32.
        variance: (e,) float32, of what the codebooks encode.
        constant_unit: (1,) float32, one step of the constant bytes within ``codes``.
        codes: (N, lines, 64) uint8, see ``Layout``.
        constants: (n,) float32.
        row_high: (n, d) int8.
        row_low: (n, d) int16.
        row_terms: (n, 2) float32.
        rows: (n, d) float32.
        ids: (n,) int32, the number of each row as it came.
    """

    mean: Floats
    centroids: Floats
    leaf_size: Leaves
    leaf_bias: Floats
    rotation: Floats
    codebooks: Floats
    variance: Floats
    constant_unit: Floats
    codes: Codes
    constants: Floats
    row_high: Signed
    row_low: NDArray[np.int16]
    row_terms: Floats
    rows: Floats
    ids: Leaves

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))


_DTYPES = {
    "leaf_size": np.int32,
    "codes": np.uint8,
    "row_high": np.int8,
    "row_low": np.int16,
    "ids": np.int32,
}


def allocate(shape: tuple[int, ...], dtype: type[np.generic]) -> AnyArray:
    """Zeros at a multiple of 64 bytes, followed by 64 readable bytes."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.zeros(size + SLACK + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


def blocks_of(leaf_size: Leaves) -> tuple[Leaves, Leaves]:
    """The first block of each leaf (L + 1,) and the first row of each block (N + 1,)."""
    per_leaf = -(-leaf_size.astype(np.int64) // BLOCK_ROWS)
    leaf_block = np.concatenate([[0], np.cumsum(per_leaf)])
    leaf_row = np.concatenate([[0], np.cumsum(leaf_size, dtype=np.int64)])
    # Machines of 32 bits refuse to repeat by numbers of 64.
    leaf = np.repeat(np.arange(len(leaf_size)), per_leaf.astype(np.intp))
    within = np.arange(leaf_block[-1]) - leaf_block[leaf]
    block_row = np.append(leaf_row[leaf] + BLOCK_ROWS * within, leaf_row[-1])
    return leaf_block.astype(np.int32), block_row.astype(np.int32)


def code_lines(m: int, lookup: int, *, constants: bool) -> int:
    """64-byte lines of codes a block of rows."""
    if lookup == LOOKUP_16:
        return -(-m // 4) * 2 + constants
    return m if lookup == LOOKUP_256 else 0


def lookup_of(options: ScaNNOptions) -> int:
    """How rows are scanned: 0, LOOKUP_16 or LOOKUP_256; devices keep all codes in bytes."""
    if options.device is not None and options.score_ah is not None:
        return LOOKUP_256
    return options.centers


def rows_kind_of(options: ScaNNOptions) -> int:
    """How rows are kept: NO_ROWS, ROWS_FLOAT, ROWS_HIGH or ROWS_LOW."""
    if options.score_brute_force is not None:
        return ROWS_HIGH if options.score_brute_force.quantize else ROWS_FLOAT
    if options.reorder is None:
        return NO_ROWS
    return ROWS_HIGH if options.reorder.quantize else ROWS_LOW


def _expected_shapes(
    arrays: dict[str, AnyArray], options: ScaNNOptions
) -> dict[str, tuple[int, ...]]:
    """The shape of every array, from options and from d, L, n as the file states them."""
    L, d = arrays["centroids"].shape
    n = int(arrays["leaf_size"].sum(dtype=np.int64))
    kind, lookup = rows_kind_of(options), lookup_of(options)
    ah = options.score_ah
    kept = ah.projection if ah and ah.projection else 0
    e = kept or d
    b = min(ah.dimensions_per_block, e) if ah else 1
    m = -(-e // b) if ah else 0
    if options.device is not None and options.device.block_dims is not None:
        b, m = max(options.device.block_dims), len(options.device.block_dims)
    squares = lookup > 0 and options.distance_measure == "squared_l2" and options.device is None
    lines = code_lines(m, lookup, constants=options.corrected or squares)
    blocks = int((-(-arrays["leaf_size"].astype(np.int64) // BLOCK_ROWS)).sum())
    has_constants = squares and (kind == NO_ROWS or lookup == LOOKUP_256)
    return {
        "mean": (d,),
        "centroids": (L, d),
        "leaf_size": (L,),
        "leaf_bias": (L,),
        "rotation": (kept, d),
        "codebooks": (m, options.centers, b),
        "variance": (e,),
        "constant_unit": (1,),
        "codes": (blocks, lines, 64) if lookup else (0, 0, 64),
        "constants": (n,) if has_constants else (0,),
        "row_high": (n, d) if kind in (ROWS_HIGH, ROWS_LOW) else (0, d),
        "row_low": (n, d) if kind == ROWS_LOW else (0, d),
        "row_terms": (n, 2) if kind in (ROWS_HIGH, ROWS_LOW) else (0, 2),
        "rows": (n, d) if kind == ROWS_FLOAT else (0, d),
        "ids": (n,),
    }


def _check_sizes(arrays: dict[str, AnyArray], options: ScaNNOptions, path: str) -> None:
    """Numbers that no build writes, and that a search would turn into none."""
    for name in ("mean", "centroids", "leaf_bias", "rotation", "codebooks"):
        if np.abs(arrays[name]).max(initial=0) > 4 * LARGEST:
            raise IndexFileError(f"{path}: {name}: expected numbers up to {4 * LARGEST:g}.")
    for name in ("variance", "constant_unit"):
        if arrays[name].min(initial=0) < 0:
            raise IndexFileError(f"{path}: {name}: expected numbers from 0, found others.")
    if arrays["constant_unit"][0] != 0 and not _has_constant_line(options):
        raise IndexFileError(f"{path}: constant_unit: expected 0, found another number.")


def _check_device(arrays: dict[str, AnyArray], options: ScaNNOptions, path: str) -> None:
    """What a device's kernel takes for granted of block dimensions and codes."""
    if options.device is None or options.score_ah is None:
        return
    d, dims = arrays["centroids"].shape[1], options.device.block_dims
    if dims is not None and sum(dims) != d:
        raise IndexFileError(
            f"{path}: options: expected block_dims that sum to {d}, found {sum(dims)}."
        )
    c = options.centers
    if c < 256 and arrays["codes"].max(initial=0) >= c:
        raise IndexFileError(f"{path}: codes: expected numbers below {c}, found others.")


def _has_constant_line(options: ScaNNOptions) -> bool:
    squares = options.distance_measure == "squared_l2"
    return lookup_of(options) == LOOKUP_16 and (options.corrected or squares)


def check_arrays(found: dict[str, AnyArray], options: ScaNNOptions, path: str) -> IndexArrays:
    """Arrays from a file, checked so that no kernel can be led outside them.

    Raises:
        IndexFileError: an array is missing, or its type, shape or content cannot be.
    """
    names = [field.name for field in fields(IndexArrays)]
    for name in names:
        if name not in found:
            raise IndexFileError(f"{path}: part {name!r} is missing.")
        dtype = np.dtype(_DTYPES.get(name, np.float32))
        if found[name].dtype != dtype:
            raise IndexFileError(f"{path}: {name}: expected {dtype}, found {found[name].dtype}.")
    arrays = {name: found[name] for name in names}
    if arrays["centroids"].ndim != 2 or arrays["centroids"].shape[1] < 1:
        shape = arrays["centroids"].shape
        raise IndexFileError(f"{path}: centroids: expected two dimensions, found shape {shape}.")
    leaf_size = arrays["leaf_size"]
    if leaf_size.ndim != 1 or (leaf_size < 0).any():
        raise IndexFileError(f"{path}: leaf_size: expected numbers from 0, found others.")
    for name, shape in _expected_shapes(arrays, options).items():
        if arrays[name].shape != shape:
            raise IndexFileError(
                f"{path}: {name}: expected shape {shape}, found {arrays[name].shape}."
            )
    leaves = 1 if options.tree is None else options.tree.num_leaves
    if len(leaf_size) != leaves:
        raise IndexFileError(
            f"{path}: leaf_size: expected one number for each of {leaves} leaves, "
            f"found {len(leaf_size)}."
        )
    small = ("mean", "centroids", "leaf_bias", "rotation", "codebooks", "variance")
    for name in (*small, "constant_unit", "constants", "row_terms"):
        if not np.isfinite(arrays[name]).all():
            raise IndexFileError(f"{path}: {name}: expected finite numbers, found others.")
    _check_sizes(arrays, options, path)
    _check_device(arrays, options, path)
    ids = arrays["ids"]
    within = ((ids >= 0) & (ids < len(ids))).all()
    if not within or not (np.bincount(ids, minlength=len(ids)) == 1).all():
        raise IndexFileError(
            f"{path}: ids: expected each of 0 ... {len(ids) - 1} once, found others."
        )
    return IndexArrays(**arrays)
