"""An index as kernels see it: arrays and numbers under one name each.

The NumPy twins read a ``Layout`` as it is. A compiled kernel gets one whole number instead of
thirty arguments: the address of a *block*, 64-bit words that hold the fields' values, in their
order (an array stands as its address), followed by where each region of a *workspace* starts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scannlite.types import Codes, Floats, Leaves, Signed

__all__ = [
    "BAD_QUERY",
    "BISECTIONS",
    "BLOCK_ROWS",
    "COSINE",
    "DEVICE_FLOAT",
    "DEVICE_INT8",
    "DEVICE_INT16",
    "DOT_PRODUCT",
    "EXCEEDS",
    "FIELDS",
    "FINE",
    "HIGHEST_RANK",
    "LARGEST",
    "LEAST",
    "LEAST_SPAN",
    "LEAST_STEP",
    "LONG_BLOCK",
    "LONG_COLUMN",
    "LOOKUP_16",
    "LOOKUP_256",
    "MANY_FINALISTS",
    "MANY_LEAVES",
    "NO_ROWS",
    "REGIONS",
    "ROWS_FLOAT",
    "ROWS_HIGH",
    "ROWS_LOW",
    "SHORT_COLUMN",
    "SLACK",
    "SLOTS",
    "SPARE_FINALISTS",
    "SPREAD",
    "SQUARED_L2",
    "Layout",
    "pack",
    "regions",
]

# What an index measures.
DOT_PRODUCT, SQUARED_L2, COSINE = 0, 1, 2

# How rows are kept: not at all, float32, signed bytes, signed bytes and their 16-bit remainders.
NO_ROWS, ROWS_FLOAT, ROWS_HIGH, ROWS_LOW = 0, 1, 2, 3

# How rows are scanned: 16-center codes, 256-center codes; 0 for the rows themselves.
LOOKUP_16, LOOKUP_256 = 16, 256

# Numbers of the lookup tables of an index that is scored as on phones; 0 for any other index.
DEVICE_FLOAT, DEVICE_INT16, DEVICE_INT8 = 1, 2, 3

BLOCK_ROWS = 64  # rows scanned together: the bytes of the widest register
SLACK = 64  # readable bytes that follow every array a kernel gets
FINE = 1 / 65534  # one step of a row's 16-bit remainder, in steps of its byte
LONG_BLOCK = 128  # dimensions from which on a device sums products by columns
LONG_COLUMN, SHORT_COLUMN = 16, 4  # dimensions a column; the latter with ...
MANY_LEAVES = 8000  # ... so many leaves
HIGHEST_RANK = 1.5e38  # of a leaf on a device, and but for its sign the lowest
LEAST_STEP = 2.0**-23  # what a device's entries span at least when they are cut
LEAST = 1e-30  # a query none of whose values is larger is taken as zero
LEAST_SPAN = 1e-20  # scores that span less are not told apart by bytes
EXCEEDS = 3.0  # standard deviations by which neighbours outdo the best leaf's centroid
LARGEST = 1e17  # values beyond it are refused: their squares, summed, leave float32
SPREAD = 4.0  # standard deviations of a score that the byte scale leaves room for
SPARE_FINALISTS = 6  # rows beyond k and its quarter that are scored from all their bits
BISECTIONS = 24  # of the range of scores, to part finalists from the rest
MANY_FINALISTS = 256  # more of them than this are sorted, fewer are counted into their places
BAD_QUERY = -1  # a search's answer to a query that holds NaN, infinity or a value beyond LARGEST


def _padded(count: int, step: int) -> int:
    return -(-count // step) * step


class Layout(NamedTuple):
    """The fields of an index; N blocks of at most 64 rows, each block within one leaf.

    Attributes:
        d: dimensions.
        num_leaves: L.
        num_rows: n.
        num_blocks: N.
        metric: DOT_PRODUCT, SQUARED_L2 or COSINE.
        lookup: 0, LOOKUP_16 or LOOKUP_256.
        rows_kind: NO_ROWS, ROWS_FLOAT, ROWS_HIGH or ROWS_LOW.
        residual: 1 where codes describe rows less their centroid.
        rotated: 1 where codes describe rows after the rotation.
        m: blocks of dimensions.
        b: dimensions a block.
        code_lines: 64-byte lines of codes a block of rows.
        device: 0, or DEVICE_FLOAT, DEVICE_INT16 or DEVICE_INT8.
        leaf_metric: DOT_PRODUCT or SQUARED_L2, by which a device ranks leaves.
        centers: c, of a device's codebooks.
        single: 1 where a device's table entries are products of single dimensions with centers.
        group: blocks of dimensions that a device sums in whole numbers.
        bounded: 1 where a device's entries of bytes are products of single dimensions with 256
            centers in order: of any four codes in a row, the first or the last has the least entry.
        constant_unit: what one step of a row's constant byte is worth, of the score a neighbour may
            have for DOT_PRODUCT; 0 without that byte.
        mean: (d,) float32, taken off queries of SQUARED_L2, else zeros; padded to 16.
        centroids: (ceil(L/64), ceil(d/4), 4, 16, 4) int8; 64 centroids side by side, 4 dimensions
            each in turn.
        centroid_floats: (L, d) float32, the same unrounded.
        centroid_scale: (L padded to 64,) float32.
        leaf_offset: (L padded to 64,) float32, added to q·c for the score of a leaf's rows.
        leaf_bias: (L padded to 64,) float32, added to that for the rank of the leaf; times the
            query's norm for DOT_PRODUCT.
        leaf_block: (L + 1,) int32, the first block of each leaf.
        block_row: (N + 1,) int32, the first row of each block.
        rotation: (ceil(16 ceil(m/16) b / 64), ceil(d/4), 4, 16, 4) int8; 64 kept dimensions side by
            side, dealt to blocks as ``variance`` is; or empty.
        rotation_scale: float32, for each kept dimension as dealt; or empty.
        codebooks: (ceil(m/16), c, b, 16) float32, lane j of group g being block 16g + j.
        variance: (ceil(m/16), b, 16) float32, of what is encoded, dimension by dimension.
        leaf_tiles: (ceil(L/64), d, 64) float32, of a device: 64 centroids side by side; or empty.
        leaf_squares: (L padded to 64,) float32, their squared norms; or empty.
        block_dims: (m,) int32, of a device: dimensions of each block; or empty.
        entry_tiles: (m, b, c padded to 64) float32, of a device: all centers side by side, the
            first again beyond c; or empty. But for DEVICE_FLOAT, lane i of the t-th 16 of each 64
            is center 4i + t, so that four of those are packed to bytes in order.
        entry_squares: (m, c padded to 64) float32, their squared norms, likewise; or empty.
        entry_bounds: (2, m padded to 16) float32, of a device: the least and the greatest center
            of single dimensions, padded with the first block's; or empty.
        codes: (N, code_lines, 64) uint8. LOOKUP_16: line j has the codes of blocks 2j (low nibble)
            and 2j + 1 (high), in pairs of lines; then, where constant_unit is not 0, one line of
            each row's constant in those units. LOOKUP_256: line j has the codes of block j.
        constants: (n,) float32, taken off the score of a row; or empty.
        row_high: (n, d) int8, or empty.
        row_low: (n, d) int16, or empty.
        row_terms: (n, 2) float32, a row's scale and what is taken off its score; or empty.
        rows: (n, d) float32, or empty.
        ids: (n,) int32.
        tails: (128,) uint8, 64 times 0 and 64 times 255.
        lanes: (32,) int32, 16 times -1 and 16 times 0.
    """

    d: int
    num_leaves: int
    num_rows: int
    num_blocks: int
    metric: int
    lookup: int
    rows_kind: int
    residual: int
    rotated: int
    m: int
    b: int
    code_lines: int
    device: int
    leaf_metric: int
    centers: int
    single: int
    group: int
    bounded: int
    constant_unit: float
    mean: Floats
    centroids: Signed
    centroid_floats: Floats
    centroid_scale: Floats
    leaf_offset: Floats
    leaf_bias: Floats
    leaf_block: Leaves
    block_row: Leaves
    rotation: Signed
    rotation_scale: Floats
    codebooks: Floats
    variance: Floats
    leaf_tiles: Floats
    leaf_squares: Floats
    block_dims: Leaves
    entry_tiles: Floats
    entry_squares: Floats
    entry_bounds: Floats
    codes: Codes
    constants: Floats
    row_high: Signed
    row_low: NDArray[np.int16]
    row_terms: Floats
    rows: Floats
    ids: Leaves
    tails: Codes
    lanes: Leaves


FIELDS = Layout._fields

# The regions of a workspace, in the order of a query's way.
REGIONS = (
    "query",  # float32, prepared
    "query_high",  # int8
    "dealt",  # float32, the query's dimensions dealt to blocks
    "offset",  # float32 a leaf: the score its rows start from
    "rank",  # float32 a leaf
    "leaf_bytes",  # uint8 a leaf
    "leaves",  # int32, those chosen
    "entries",  # float32, lookup tables
    "bounds",  # uint8, the least of each four entries of tables of bytes
    "tables",  # uint8 or int8
    "list_block",  # int32, blocks to scan
    "list_start",  # int32, the byte their scores start from and how many lanes are void
    "list_offset",  # float32, the same unrounded
    "list_row",  # int32, first row of the block, or its place in the list
    "bytes",  # uint8, a score for each row scanned
    "scores",  # float32, likewise
    "found_lane",  # uint8
    "found_byte",  # uint8
    "found",  # int32, rows (or places in the list) chosen
    "found_score",  # float32
    "found_id",  # int32
)

SLOTS = {name: slot for slot, name in enumerate((*FIELDS, *REGIONS))}


def regions(layout: Layout) -> tuple[dict[str, int], int]:
    """Where each region of a workspace starts, and how many bytes it has in all.

    Sized for a search of every leaf: memory that a search does not touch is never really taken.
    """
    d, m16 = _padded(layout.d, 64), _padded(layout.m, 16)
    leaves = _padded(layout.num_leaves, 64) + 64
    listed, lanes = layout.num_blocks + 64, 64 * (layout.num_blocks + 4)
    scored = lanes if layout.lookup != LOOKUP_16 else 0
    centers = layout.lookup
    sizes = {
        "query": 4 * d,
        "query_high": d,
        "dealt": 4 * _padded(m16 * layout.b, 64),
        "offset": 4 * leaves,
        "rank": 4 * leaves,
        "leaf_bytes": leaves,
        "leaves": 4 * leaves,
        "entries": 4 * m16 * (centers + 1),
        "bounds": m16 * 64 if layout.bounded else 0,
        "tables": m16 * max(centers, 16) * (2 if layout.device == DEVICE_INT16 else 1) + 256,
        "list_block": 4 * listed,
        "list_start": 4 * listed,
        "list_offset": 4 * listed,
        "list_row": 4 * listed,
        "bytes": lanes,
        "scores": 4 * scored,
        "found_lane": max(lanes, leaves),
        "found_byte": max(lanes, leaves),
        "found": 4 * max(lanes, leaves),
        "found_score": 4 * max(lanes, leaves),
        "found_id": 4 * max(lanes, leaves),
    }
    starts, end = {}, 0
    for name in REGIONS:
        starts[name] = end
        end += _padded(sizes[name], 64) + SLACK
    return starts, end


def pack(layout: Layout) -> NDArray[np.int64]:
    """The block of a layout. It holds addresses: keep the layout's arrays for as long as it."""
    starts, _ = regions(layout)
    block = np.zeros(len(SLOTS), np.int64)
    fields: tuple[Any, ...] = layout
    for slot, value in enumerate(fields):
        if isinstance(value, np.ndarray):
            block[slot] = value.ctypes.data
        elif isinstance(value, float):
            block[slot : slot + 1].view(np.float64)[0] = value
        else:
            block[slot] = value
    for name, start in starts.items():
        block[SLOTS[name]] = start
    return block
