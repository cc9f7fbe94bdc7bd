"""Whole queries in one call: from their numbers to the k nearest.

Two ways. By 4-bit codes: byte scores of whole blocks in registers, then rescoring. By scores: a
float for every row of the leaves, from 8-bit codes or from the rows themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.kernels.block import number, real
from scannlite.kernels.jit import inlined, searcher
from scannlite.kernels.layout import (
    BAD_QUERY,
    DOT_PRODUCT,
    EXCEEDS,
    LEAST_SPAN,
    LOOKUP_256,
    NO_ROWS,
    ROWS_FLOAT,
    SPARE_FINALISTS,
    SPREAD,
)
from scannlite.kernels.query import choose_leaves, prepare_query, rank_leaves, rotate_query
from scannlite.kernels.rescore import (
    entry_scores,
    exact_distances,
    negate_scores,
    places_to_rows,
    score_distances,
    score_rows,
)
from scannlite.kernels.scan import (
    deal_query,
    exact_offsets,
    list_blocks,
    offset_range,
    quantize_constants,
    quantize_entries,
    quantize_wide,
    scan_codes16,
    scan_codes256,
    scan_rows,
    spread_entries,
)
from scannlite.kernels.select import (
    gather_scores,
    keep_best,
    place,
    scores_to_bytes,
    select_bytes,
)

__all__ = ["search_by_codes", "search_by_scores"]

_f4: Any = np.float32
_SPREAD, _EXCEEDS = np.float32(SPREAD), np.float32(EXCEEDS)


@inlined
def _constant_unit(P: int, best: float, sigma: float) -> Any:
    """What one step of the constant byte takes off this query's scores."""
    unit = real(P, "constant_unit")
    if number(P, "metric") == DOT_PRODUCT:
        return unit * max(best + _EXCEEDS * sigma, _f4(0))
    return unit


@inlined
def _byte_scale(P: int, W: int, worth: float, best: float, least: float) -> Any:
    """Steps a unit of score, so that a byte spans what the rows worth finding can score.

    And steps of the constant byte's unit.
    """
    tops, sigma = spread_entries(P, W, worth)
    unit = _constant_unit(P, best, sigma)
    span = tops + _SPREAD * sigma + (best - least) + unit * _f4(128)
    scale = _f4(254.5) / max(span, _f4(LEAST_SPAN))
    return scale, unit * scale


@inlined
def _deal(P: int, W: int, worth: float, total: Any) -> None:
    if number(P, "rotated"):
        rotate_query(P, W, worth, total)
    else:
        deal_query(P, W)


@inlined
def _finish(
    P: int, W: int, n: int, k: int, worth: float, total: Any, distances: int, ids: int
) -> None:
    """Rescore n found rows, take the k nearest."""
    wanted = k + (k >> 2) + SPARE_FINALISTS
    score_rows(P, W, n, worth, total)
    n = keep_best(P, W, n, wanted, wanted >> 3)
    exact_distances(P, W, n)
    place(P, W, n, k, distances, ids)


@inlined
def _by_codes(P: int, W: int, q: int, k: int, p: int, R: int, distances: int, ids: int) -> int:
    worth, total = prepare_query(P, W, q)
    if worth < _f4(0):
        return BAD_QUERY
    most, least = rank_leaves(P, W, worth, total)
    leaves = choose_leaves(P, W, p, most, least)
    bare = number(P, "rows_kind") == NO_ROWS
    if bare:
        exact_offsets(P, W, leaves)
    best, lowest = offset_range(P, W, leaves)
    _deal(P, W, worth, total)
    scale, unit = _byte_scale(P, W, worth, best, lowest)
    quantize_entries(P, W, scale * _f4(4))
    if real(P, "constant_unit") != _f4(0):
        quantize_constants(P, W, unit)
    blocks = list_blocks(P, W, leaves, best, scale, bare)
    scan_codes16(P, W, blocks)
    n = select_bytes(P, W, blocks, R, False)
    if bare:
        entry_scores(P, W, n)
        places_to_rows(P, W, n)
        score_distances(P, W, n)
        place(P, W, n, k, distances, ids)
    else:
        _finish(P, W, n, k, worth, total, distances, ids)
    return 0


@inlined
def _by_scores(P: int, W: int, q: int, k: int, p: int, R: int, distances: int, ids: int) -> int:
    worth, total = prepare_query(P, W, q)
    if worth < _f4(0):
        return BAD_QUERY
    most, least = rank_leaves(P, W, worth, total)
    leaves = choose_leaves(P, W, p, most, least)
    kind = number(P, "rows_kind")
    coded = number(P, "lookup") == LOOKUP_256
    if coded:
        exact_offsets(P, W, leaves)
    blocks = list_blocks(P, W, leaves, _f4(0), _f4(0), True)
    wanted = k + (k >> 2) + SPARE_FINALISTS
    if coded:
        _deal(P, W, worth, total)
        spread_entries(P, W, worth)
        scan_codes256(P, W, blocks, quantize_wide(P, W))
        wanted = k if kind == NO_ROWS else R
    else:
        scan_rows(P, W, blocks, worth, total)
        wanted = k if kind == ROWS_FLOAT else k + (k >> 2) + SPARE_FINALISTS
    scores_to_bytes(P, W, blocks)
    n = select_bytes(P, W, blocks, wanted, True)
    gather_scores(P, W, n)
    n = keep_best(P, W, n, wanted, wanted >> 3)
    places_to_rows(P, W, n)
    if coded and kind != NO_ROWS:
        _finish(P, W, n, k, worth, total, distances, ids)
        return 0
    if coded:
        score_distances(P, W, n)
    elif kind == ROWS_FLOAT:
        negate_scores(P, W, n)
    else:
        exact_distances(P, W, n)
    place(P, W, n, k, distances, ids)
    return 0


@searcher
def search_by_codes(
    P: int,
    W: int,
    Q: int,
    D: int,
    I: int,  # noqa: E741
    k: int,
    first: int,
    last: int,
    p: int,
    R: int,
) -> int:
    """Queries ``first`` ... ``last`` of a batch by 4-bit codes.

    Args:
        P: address of the index's block.
        W: address of a workspace nobody else uses meanwhile.
        Q: address of queries, (q, d) float32.
        D: address of distances, (q, k) float32, out.
        I: address of ids, (q, k) int64, out.
        k: neighbours of each.
        first: of the queries searched for.
        last: the one before which that ends.
        p: leaves searched, 1 ... L.
        R: rows rescored, at least k.

    Returns:
        0, or the number, counted from 1, of the query that is bad.
    """
    d = number(P, "d")
    for i in range(first, last):
        bad = _by_codes(P, W, Q + 4 * d * i, k, p, R, D + 4 * k * i, I + 8 * k * i)
        if bad:
            return i + 1
    return 0


@searcher
def search_by_scores(
    P: int,
    W: int,
    Q: int,
    D: int,
    I: int,  # noqa: E741
    k: int,
    first: int,
    last: int,
    p: int,
    R: int,
) -> int:
    """Queries of a batch by float scores: arguments as of ``search_by_codes``."""
    d = number(P, "d")
    for i in range(first, last):
        bad = _by_scores(P, W, Q + 4 * d * i, k, p, R, D + 4 * k * i, I + 8 * k * i)
        if bad:
            return i + 1
    return 0
