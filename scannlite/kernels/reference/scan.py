"""The NumPy twins of ``kernels.scan`` and ``kernels.rescore``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scannlite.kernels.layout import (
    BLOCK_ROWS,
    COSINE,
    FINE,
    LEAST_SPAN,
    ROWS_FLOAT,
    ROWS_LOW,
    SQUARED_L2,
    Layout,
)
from scannlite.kernels.reference.query import (
    root,
    squared_norm,
    sum_lanes,
    sum_products,
    sum_squares,
    whole_products,
)
from scannlite.types import AnyArray, Codes, Floats, Ids

__all__ = [
    "Listed",
    "byte_scores",
    "deal_query",
    "entry_scores",
    "exact_distances",
    "exact_offsets",
    "list_blocks",
    "offset_range",
    "quantize_constants",
    "quantize_entries",
    "quantize_wide",
    "scan_codes16",
    "scan_codes256",
    "scan_rows",
    "score_distances",
    "spread_entries",
]

_f4 = np.float32
_LEAST_SPAN = _f4(LEAST_SPAN)
_FINE = _f4(FINE)
_CHUNK = 4096  # rows scored together


class Listed(NamedTuple):
    """The B blocks to scan.

    Attributes:
        block: (B,) int64.
        start: (B,) uint8, the byte the blocks' scores start from.
        offset: (B,) float32, the same unrounded.
        row: (B, 64) int64, the row in each lane; past the last one in void lanes.
        void: (B, 64) bool, whether a lane holds no row.
    """

    block: Ids
    start: Codes
    offset: Floats
    row: Ids
    void: AnyArray


def exact_offsets(layout: Layout, query: Floats, leaves: Ids, offset: Floats) -> Floats:
    """Offsets (L,), those of the leaves chosen from unrounded centroids."""
    if not layout.residual:
        return offset
    offset = offset.copy()
    dots = sum_products(layout.centroid_floats[leaves], query)
    offset[leaves] = dots + layout.leaf_offset[leaves]
    return offset


def offset_range(layout: Layout, leaves: Ids, offset: Floats) -> tuple[np.float32, np.float32]:
    """The highest and lowest offset of the leaves chosen; both 0 without residuals."""
    if not layout.residual:
        return _f4(0), _f4(0)
    return offset[leaves].max(), offset[leaves].min()


def deal_query(layout: Layout, query: Floats) -> Floats:
    """The query's dimensions (ceil(m/16), b, 16), 16 blocks side by side; zeros past d."""
    groups = -(-layout.m // 16)
    whole = np.zeros(groups * 16 * layout.b, np.float32)
    whole[: layout.d] = query
    return whole.reshape(groups, 16, layout.b).transpose(0, 2, 1)


def spread_entries(
    layout: Layout, dealt: Floats, worth: np.float32
) -> tuple[Floats, np.float32, np.float32]:
    """Scores of every center of every block.

    Returns:
        (ceil(m/16), c, 16) entries, the sum of the blocks' maxima, and the standard deviation of
        a score, which is squared in units of 127 ``worth``.
    """
    entries = dealt[:, None, 0] * layout.codebooks[:, :, 0]
    for h in range(1, layout.b):
        entries = entries + dealt[:, None, h] * layout.codebooks[:, :, h]
    tops, spread = np.zeros(16, np.float32), np.zeros(16, np.float32)
    largest = _f4(127) * worth
    by = _f4(1) / largest
    for group in range(len(dealt)):
        tops = tops + entries[group].max(axis=0)
        for h in range(layout.b):
            x = dealt[group, h] * by
            spread = spread + (x * x) * layout.variance[group, h]
    return entries, _f4(sum_lanes(tops)), root(_f4(sum_lanes(spread))) * largest


def quantize_entries(entries: Floats, scale: np.float32) -> Codes:
    """Tables (m padded to 16, 16) of bytes: distance to the block's best, times ``scale``."""
    below = (entries.max(axis=1, keepdims=True) - entries) * scale
    steps = np.rint(np.minimum(below, _f4(255))).astype(np.uint8)
    tables: Codes = steps.transpose(0, 2, 1).reshape(-1, 16)
    return tables


def quantize_constants(unit: np.float32) -> tuple[Codes, Codes]:
    """Tables (16,) for the low and the high nibble of a constant byte of ``unit`` steps."""
    nibbles = np.arange(16, dtype=np.float32)
    low = np.minimum(nibbles * unit, _f4(254)) + _f4(0.5)
    high = np.minimum(nibbles * _f4(16) * unit, _f4(254)) + _f4(0.5)
    return low.astype(np.uint8), high.astype(np.uint8)


def quantize_wide(entries: Floats) -> tuple[Codes, np.float32]:
    """Tables (m padded to 16, 256) of signed bytes plus 128, and what one step is worth."""
    most = _f4(np.abs(entries).max())
    if most < _LEAST_SPAN:
        most = _f4(127)
    x = entries * (_f4(127) / most)
    away = np.trunc(x + np.copysign(_f4(0.5), x)).astype(np.int32)
    tables = (away + 128).astype(np.uint8)
    return tables.transpose(0, 2, 1).reshape(-1, 256), most / _f4(127)


def list_blocks(
    layout: Layout, leaves: Ids, offset: Floats, best: np.float32, scale: np.float32
) -> Listed:
    """List the blocks of the leaves chosen."""
    start = offset[leaves] if layout.residual else np.zeros(len(leaves), np.float32)
    below = (best - start) * scale
    below = np.where(below > 0, np.minimum(below, _f4(253)), _f4(0))
    steps = (below + _f4(0.5)).astype(np.uint8)
    first = layout.leaf_block[leaves].astype(np.int64)
    counts = (layout.leaf_block[leaves + 1] - first).astype(np.intp)
    ends = np.cumsum(counts)
    block = np.arange(counts.sum()) + np.repeat(first - (ends - counts), counts)
    row = layout.block_row[block].astype(np.int64)[:, None] + np.arange(BLOCK_ROWS)
    void = row >= layout.block_row[block + 1][:, None]
    return Listed(block, np.repeat(steps, counts), np.repeat(start, counts), row, void)


def _average(x: AnyArray, y: AnyArray) -> AnyArray:
    return (x + y + 1) >> 1


def scan_codes16(
    layout: Layout, listed: Listed, tables: Codes, constants: tuple[Codes, Codes] | None
) -> Codes:
    """Byte scores (B, 64) of every row of the blocks listed: at most 254, and 255 in void lanes."""
    lines = -(-layout.m // 4) * 2
    a, b, c, d = (np.repeat(listed.start[:, None], BLOCK_ROWS, 1).astype(np.int32) for _ in "abcd")
    for j in range(0, lines, 2):
        line = layout.codes[listed.block, j]
        a += tables[2 * j][line & 15]
        b += tables[2 * j + 1][line >> 4]
        line = layout.codes[listed.block, j + 1]
        c += tables[2 * j + 2][line & 15]
        d += tables[2 * j + 3][line >> 4]
    # sums of what is not negative saturate at the end as they would at every step
    a, b, c, d = (np.minimum(x, 255) for x in (a, b, c, d))
    total = _average(_average(a, b), _average(c, d))
    if constants is not None:
        line = layout.codes[listed.block, lines]
        total += constants[0][line & 15]
        total += constants[1][line >> 4]
    out = np.minimum(total, 254).astype(np.uint8)
    out[listed.void] = 255
    return out


def scan_codes256(layout: Layout, listed: Listed, tables: Codes, worth: np.float32) -> Floats:
    """Scores (B, 64) of every row of the blocks listed, from whole sums of table entries."""
    total = np.full(listed.row.shape, -128 * layout.m, np.int32)
    for j in range(layout.m):
        total += tables[j][layout.codes[listed.block, j]]
    scores: Floats = total.astype(np.float32) * worth + listed.offset[:, None]
    if layout.metric == SQUARED_L2:
        scores = scores - layout.constants[np.minimum(listed.row, layout.num_rows - 1)]
    scores[listed.void] = -np.inf
    return scores


def scan_rows(
    layout: Layout, listed: Listed, query: Floats, high: AnyArray, worth: np.float32
) -> Floats:
    """Scores (B, 64) of every row of the blocks listed, from the rows themselves."""
    rows = listed.row[~listed.void]
    found = np.empty(len(rows), np.float32)
    for i in range(0, len(rows), _CHUNK):
        part = rows[i : i + _CHUNK]
        if layout.rows_kind == ROWS_FLOAT:
            found[i : i + _CHUNK] = -_distances(layout, query, layout.rows[part])
        else:
            found[i : i + _CHUNK] = byte_scores(layout, part, high, worth)
    scores = np.full(listed.row.shape, -np.inf, np.float32)
    scores[~listed.void] = found
    return scores


def byte_scores(layout: Layout, rows: Ids, high: AnyArray, worth: np.float32) -> Floats:
    """Scores of rows from signed bytes on both sides."""
    dots = whole_products(layout.row_high[rows], high).astype(np.float32)
    scale, less = layout.row_terms[rows, 0], layout.row_terms[rows, 1]
    scores: Floats = dots * (worth * scale) - less
    return scores


def _distances(layout: Layout, query: Floats, x: Floats) -> Floats:
    """Distances of float32 rows x (n, d)."""
    if layout.metric == SQUARED_L2:
        return sum_squares(x, query)
    return _from_products(layout, sum_products(x, query))


def _from_products(layout: Layout, products: Floats) -> Floats:
    return _f4(1) - products if layout.metric == COSINE else -products


def exact_distances(layout: Layout, query: Floats, rows: Ids) -> Floats:
    """Distances of rows, from all the bits that are kept of them."""
    x = layout.row_high[rows].astype(np.float32)
    if layout.rows_kind == ROWS_LOW:
        x = x + layout.row_low[rows].astype(np.float32) * _FINE
    return _distances(layout, query, x * layout.row_terms[rows, :1])


def score_distances(layout: Layout, query: Floats, scores: Floats) -> Floats:
    """Distances from scores."""
    if layout.metric == SQUARED_L2:
        squares: Floats = np.maximum(squared_norm(query) - _f4(2) * scores, _f4(0))
        return squares
    return _from_products(layout, scores)


def entry_scores(layout: Layout, listed: Listed, entries: Floats, places: Ids) -> Floats:
    """Scores of places in the list from the float entries of their 4-bit codes."""
    at, lane = places >> 6, places & 63
    total: Floats = listed.offset[at]
    for j in range(layout.m):
        pair = layout.codes[listed.block[at], j >> 1, lane]
        code = pair >> 4 if j & 1 else pair & 15
        total = total + entries[j >> 4, code, j & 15]
    if layout.metric == SQUARED_L2:
        total = total - layout.constants[listed.row[at, lane]]
    return total
