"""The NumPy twins of ``kernels.device``: a query as the searcher on phones answers it."""

from __future__ import annotations

import numpy as np

from scannlite.kernels.layout import (
    DEVICE_FLOAT,
    DEVICE_INT8,
    HIGHEST_RANK,
    LEAST_STEP,
    LONG_BLOCK,
    LONG_COLUMN,
    MANY_LEAVES,
    SHORT_COLUMN,
    SQUARED_L2,
    Layout,
)
from scannlite.kernels.reference.query import choose_leaves
from scannlite.kernels.reference.scan import Listed, list_blocks, scan_rows
from scannlite.kernels.reference.search import keep_best, place, scores_to_bytes, select_bytes
from scannlite.types import AnyArray, Floats, Ids

__all__ = ["search_on_device"]

_f4 = np.float32


def _products(q: Floats, C: Floats, column: int) -> Floats:
    """Products of q (b,) with C (b, ...), summed one dimension after the other, by columns."""
    total = np.zeros(C.shape[1:], np.float32)
    for first in range(0, len(q), column):
        part = np.zeros(C.shape[1:], np.float32)
        for x, row in zip(q[first : first + column], C[first : first + column], strict=True):
            part = part + x * row
        total = total + part
    return total


def _rank_leaves(layout: Layout, q: Floats) -> Floats:
    """Higher is nearer: q·c, or 2 q·c - |c|², for each leaf (L,)."""
    column = layout.d
    if layout.d >= LONG_BLOCK:
        column = SHORT_COLUMN if layout.num_leaves >= MANY_LEAVES else LONG_COLUMN
    tiles = layout.leaf_tiles.swapaxes(0, 1).reshape(layout.d, -1)
    rank = _products(q, tiles, column)
    if layout.leaf_metric == SQUARED_L2:
        rank = _f4(2) * rank - layout.leaf_squares
    rank = np.where(rank > _f4(-HIGHEST_RANK), rank, _f4(-HIGHEST_RANK))
    return np.minimum(rank, _f4(HIGHEST_RANK))[: layout.num_leaves]


def _part_norm(x: Floats) -> np.float32:
    """The squared norm of (b,): four lanes, every other four of them in lanes of their own."""
    squares = x * x
    b = len(x)
    whole, pairs = b - b % 4, b - b % 8
    if whole == 0:
        return _in_order(squares)
    lanes = squares[:4]
    if whole > 4:
        others = squares[4:8]
        for i in range(8, pairs, 8):
            lanes, others = lanes + squares[i : i + 4], others + squares[i + 4 : i + 8]
        lanes = lanes + others
        if whole > pairs:
            lanes = lanes + squares[pairs:whole]
    total = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    return _in_order(np.concatenate([[total], squares[whole:]]))


def _in_order(values: Floats) -> np.float32:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return _f4(total)


def fill_entries(layout: Layout, q: Floats) -> Floats:
    """Minus products, or squared distances, (m, c padded to 64), in the order of codes."""
    squared = layout.metric == SQUARED_L2
    scaled = q * (_f4(-2) if squared else _f4(-1))
    entries = np.empty_like(layout.entry_squares)
    first = 0
    for j, b in enumerate(layout.block_dims):
        part = slice(first, first + b)
        column = LONG_COLUMN if b >= LONG_BLOCK and layout.centers > 1 else b
        entries[j] = _products(scaled[part], layout.entry_tiles[j, :b], column)
        if squared:
            entries[j] = (_part_norm(q[part]) + layout.entry_squares[j]) + entries[j]
        first += b
    if layout.device == DEVICE_FLOAT:
        return entries
    return entries.reshape(layout.m, -1, 4, 16).swapaxes(2, 3).reshape(entries.shape)


def _sums(layout: Layout, listed: Listed, tables: AnyArray, first: int) -> AnyArray:
    """Entries of one group of blocks of dimensions, summed in order: (B, 64)."""
    total = np.zeros(listed.row.shape, tables.dtype)
    for j in range(first, min(first + layout.group, layout.m)):
        total = total + tables[j][layout.codes[listed.block, j]]
    return total


def _scan_codes(layout: Layout, listed: Listed, q: Floats) -> Floats:
    """Scores (B, 64) of every row of the blocks listed."""
    entries = fill_entries(layout, q)
    distances = np.zeros(listed.row.shape, np.float32)
    if layout.device == DEVICE_FLOAT:
        for first in range(0, layout.m, layout.group):
            distances = distances + _sums(layout, listed, entries, first)
    else:
        steps = _f4(255) if layout.device == DEVICE_INT8 else _f4(2047)
        least, most = entries.min(), entries.max()
        scale = steps / max(most - least, _f4(LEAST_STEP))
        tables = ((entries - least) * scale).astype(np.int32)
        worth = (most - least) / steps
        half = least + worth / _f4(2)
        for first in range(0, layout.m, layout.group):
            sums = _sums(layout, listed, tables, first).astype(np.float32)
            blocks = min(layout.group, layout.m - first)
            distances = distances + (worth * sums + _f4(blocks) * half)
    scores = distances * _f4(-1)
    scores[listed.void | np.isnan(scores)] = -np.inf
    return scores


def search_on_device(layout: Layout, q: Floats, k: int, p: int, R: int) -> tuple[Floats, Ids]:  # noqa: ARG001
    """The k nearest of one query (d,), as on phones: distances (k,) and ids (k,)."""
    with np.errstate(all="ignore"):
        return _on_device(layout, q, k, p)


def _on_device(layout: Layout, q: Floats, k: int, p: int) -> tuple[Floats, Ids]:
    if p >= layout.num_leaves:
        leaves = np.arange(layout.num_leaves)
    else:
        leaves = choose_leaves(_rank_leaves(layout, q), p)
    none = np.zeros(layout.num_leaves, np.float32)
    listed = list_blocks(layout, leaves, none, _f4(0), _f4(0))
    if layout.lookup == 0:
        scores = scan_rows(layout, listed, q, q, _f4(0))
    else:
        scores = _scan_codes(layout, listed, q)
    places = select_bytes(scores_to_bytes(scores), k, ties=True)
    found = scores.reshape(-1)[places]
    best = keep_best(found, k, k >> 3)
    return place(layout, listed.row.reshape(-1)[places[best]], -found[best], k)
