"""The NumPy twins of ``kernels.search`` and ``kernels.select``: a whole query in one call."""

from __future__ import annotations

import numpy as np

from scannlite.kernels.layout import (
    BISECTIONS,
    DOT_PRODUCT,
    EXCEEDS,
    LEAST_SPAN,
    LOOKUP_256,
    NO_ROWS,
    ROWS_FLOAT,
    SPARE_FINALISTS,
    SPREAD,
    Layout,
)
from scannlite.kernels.reference.query import (
    choose_leaves,
    prepare_query,
    rank_leaves,
    rotate_query,
)
from scannlite.kernels.reference.scan import (
    Listed,
    byte_scores,
    deal_query,
    entry_scores,
    exact_distances,
    exact_offsets,
    list_blocks,
    offset_range,
    quantize_constants,
    quantize_entries,
    quantize_wide,
    scan_codes16,
    scan_codes256,
    scan_rows,
    score_distances,
    spread_entries,
)
from scannlite.types import AnyArray, Codes, Floats, Ids

__all__ = [
    "keep_best",
    "place",
    "scores_to_bytes",
    "search_by_codes",
    "search_by_scores",
    "select_bytes",
]

_f4 = np.float32
_VOID = 255  # the byte of a lane that holds no row


def select_bytes(bytes_: Codes, k: int, *, ties: bool) -> Ids:
    """Places of the k lowest of (B, 64) bytes below 255, in order.

    Those that share the k-th byte stay too: with ``ties`` all, else up to k // 2 of them beyond
    k, the first in the list.
    """
    values = bytes_.ravel()
    counts = np.cumsum(np.bincount(values, minlength=256))[:_VOID]
    edge = min(int(np.searchsorted(counts, k)), _VOID - 1)
    chosen = values <= edge
    if counts[edge] > k and not ties:
        tied = np.flatnonzero(values == edge)
        room = k + (k >> 1) - int((values < edge).sum())
        chosen[tied[room:]] = False
    return np.flatnonzero(chosen)


def scores_to_bytes(scores: Floats) -> Codes:
    """Float scores (B, 64) as bytes, high scores low; lanes of -inf are void."""
    lines = scores.reshape(-1, 16)
    void = lines == -np.inf
    top = lines.max(initial=-np.inf)
    low = lines[~void.any(axis=1)].min(initial=np.inf)
    spread = _f4(top) - _f4(low)
    steps = min(_f4(254) / spread, _f4(3e38)) if spread > 0 else _f4(0)
    y = (_f4(top) - lines) * steps
    y = np.where(y < _f4(254), y, _f4(254))
    bytes_: Codes = np.rint(np.maximum(y, _f4(0))).astype(np.uint8)
    bytes_[void] = _VOID
    return bytes_.reshape(scores.shape)


def keep_best(scores: Floats, k: int, slack: int) -> Ids:
    """Places of the k ... k + slack highest scores, and all that tie, in order.

    The threshold is bisected between the lowest and the highest score.
    """
    if len(scores) <= k:
        return np.arange(len(scores))
    most, least = scores.max(), scores.min()
    for _ in range(BISECTIONS):
        middle = _f4(0.5) * least + _f4(0.5) * most
        count = int((scores >= middle).sum())
        if count >= k:
            least = middle
            if count <= k + slack:
                break
        else:
            most = middle
    return np.flatnonzero(scores >= least)


def place(layout: Layout, rows: Ids, found: Floats, k: int) -> tuple[Floats, Ids]:
    """The k nearest of rows at the distances found, and inf and -1 where there are fewer."""
    numbers = layout.ids[rows]
    order = np.lexsort((numbers, found))[:k]
    distances, ids = np.full(k, np.inf, np.float32), np.full(k, -1, np.int64)
    distances[: len(order)] = found[order]
    ids[: len(order)] = numbers[order]
    return distances, ids


def _byte_scale(
    tops: np.float32, sigma: np.float32, best: np.float32, least: np.float32, unit: np.float32
) -> np.float32:
    """Steps a unit of score, so that a byte spans what the rows worth finding can score."""
    span = tops + _f4(SPREAD) * sigma + (best - least) + unit * _f4(128)
    return _f4(254.5) / max(span, _f4(LEAST_SPAN))


def _constant_unit(layout: Layout, best: np.float32, sigma: np.float32) -> np.float32:
    """What one step of the constant byte takes off this query's scores."""
    unit = _f4(layout.constant_unit)
    if layout.metric == DOT_PRODUCT:
        return unit * max(best + _f4(EXCEEDS) * sigma, _f4(0))
    return unit


def _deal(layout: Layout, query: Floats, high: AnyArray, worth: np.float32) -> Floats:
    if layout.rotated:
        return rotate_query(layout, high, worth)
    return deal_query(layout, query)


def _finish(
    layout: Layout, query: Floats, high: AnyArray, worth: np.float32, rows: Ids, k: int
) -> tuple[Floats, Ids]:
    """Rescore rows found, take the k nearest."""
    wanted = k + (k >> 2) + SPARE_FINALISTS
    rows = rows[keep_best(byte_scores(layout, rows, high, worth), wanted, wanted >> 3)]
    return place(layout, rows, exact_distances(layout, query, rows), k)


def _rows_of(listed: Listed, places: Ids) -> Ids:
    return listed.row.ravel()[places]


def search_by_codes(layout: Layout, q: Floats, k: int, p: int, R: int) -> tuple[Floats, Ids]:
    """One query by 4-bit codes.

    Args:
        layout: of the index.
        q: (d,) float32, finite.
        k: neighbours wanted.
        p: leaves searched, 1 ... L.
        R: rows rescored, at least k.

    Returns:
        (k,) distances and (k,) ids.
    """
    with np.errstate(all="ignore"):
        return _by_codes(layout, q, k, p, R)


def _by_codes(layout: Layout, q: Floats, k: int, p: int, R: int) -> tuple[Floats, Ids]:
    query, high, worth = prepare_query(layout, q)
    offset, rank = rank_leaves(layout, query, high, worth)
    leaves = choose_leaves(rank, p)
    bare = layout.rows_kind == NO_ROWS
    if bare:
        offset = exact_offsets(layout, query, leaves, offset)
    best, lowest = offset_range(layout, leaves, offset)
    entries, tops, sigma = spread_entries(layout, _deal(layout, query, high, worth), worth)
    unit = _constant_unit(layout, best, sigma)
    scale = _byte_scale(tops, sigma, best, lowest, unit)
    tables = quantize_entries(entries, scale * _f4(4))
    constants = quantize_constants(unit * scale) if layout.constant_unit else None
    listed = list_blocks(layout, leaves, offset, best, scale)
    found = select_bytes(scan_codes16(layout, listed, tables, constants), R, ties=False)
    rows = _rows_of(listed, found)
    if not bare:
        return _finish(layout, query, high, worth, rows, k)
    scores = entry_scores(layout, listed, entries, found)
    return place(layout, rows, score_distances(layout, query, scores), k)


def search_by_scores(layout: Layout, q: Floats, k: int, p: int, R: int) -> tuple[Floats, Ids]:
    """One query by float scores: arguments as of ``search_by_codes``."""
    with np.errstate(all="ignore"):
        return _by_scores(layout, q, k, p, R)


def _by_scores(layout: Layout, q: Floats, k: int, p: int, R: int) -> tuple[Floats, Ids]:
    query, high, worth = prepare_query(layout, q)
    offset, rank = rank_leaves(layout, query, high, worth)
    leaves = choose_leaves(rank, p)
    coded, kind = layout.lookup == LOOKUP_256, layout.rows_kind
    if coded:
        offset = exact_offsets(layout, query, leaves, offset)
    listed = list_blocks(layout, leaves, offset, _f4(0), _f4(0))
    if coded:
        entries, _, _ = spread_entries(layout, _deal(layout, query, high, worth), worth)
        tables, step = quantize_wide(entries)
        scores = scan_codes256(layout, listed, tables, step)
        wanted = k if kind == NO_ROWS else R
    else:
        scores = scan_rows(layout, listed, query, high, worth)
        wanted = k if kind == ROWS_FLOAT else k + (k >> 2) + SPARE_FINALISTS
    found = select_bytes(scores_to_bytes(scores), wanted, ties=True)
    gathered = scores.ravel()[found]
    best = keep_best(gathered, wanted, wanted >> 3)
    rows, gathered = _rows_of(listed, found[best]), gathered[best]
    if coded and kind != NO_ROWS:
        return _finish(layout, query, high, worth, rows, k)
    if coded:
        distances = score_distances(layout, query, gathered)
    elif kind == ROWS_FLOAT:
        distances = -gathered
    else:
        distances = exact_distances(layout, query, rows)
    return place(layout, rows, distances, k)
