"""Each stage of a query as a kernel of its own, over a hand of queries.

A hand is a few queries, each with a workspace and a row of *state*: the numbers that one stage
returns and a later one takes. Every kernel here gets the same three arrays:

* ``desk``: (8,) int64, addresses and settings, see the names below.
* ``W``: (g,) int64, addresses of workspaces.
* ``S``: (g, 16) float64, state; float32 and whole numbers fit it exactly.

So the stages of a way can be called in turn, and the time of one is the time of its kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scannlite.kernels.block import number
from scannlite.kernels.jit import kernel
from scannlite.kernels.layout import SPARE_FINALISTS
from scannlite.kernels.query import choose_leaves, prepare_query, rank_leaves, rotate_query
from scannlite.kernels.rescore import exact_distances, score_rows
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
)
from scannlite.kernels.search import _byte_scale
from scannlite.kernels.select import keep_best, place, scores_to_bytes, select_bytes
from scannlite.types import Floats, Ids

__all__ = ["STAGES", "nothing", "ways"]

_f4: Any = np.float32
_i4: Any = np.int32
_i8: Any = np.int64

# Words of a desk.
BLOCK, QUERIES, DISTANCES, IDS, LEAVES_WANTED, ROWS_WANTED, K = range(7)

# Columns of the state.
WORTH, TOTAL, MOST, LEAST, LEAVES, BEST, LOWEST, SCALE, UNIT, BLOCKS, FOUND, KEPT, STEP = range(13)


@kernel
def nothing(desk: Ids, W: Ids, S: Floats) -> None:  # noqa: ARG001
    """No stage at all: what a call and its loop take."""
    for i in range(len(W)):
        S[i, 15] = W[i]


@kernel
def prepare(desk: Ids, W: Ids, S: Floats) -> None:
    """``prepare_query``."""
    P, q = desk[BLOCK], desk[QUERIES]
    for i in range(len(W)):
        worth, total = prepare_query(P, W[i], q + 4 * number(P, "d") * i)
        S[i, WORTH], S[i, TOTAL] = worth, total


@kernel
def rank(desk: Ids, W: Ids, S: Floats) -> None:
    """``rank_leaves``."""
    for i in range(len(W)):
        worth, total = _f4(S[i, WORTH]), _i4(S[i, TOTAL])
        S[i, MOST], S[i, LEAST] = rank_leaves(desk[BLOCK], W[i], worth, total)


@kernel
def choose(desk: Ids, W: Ids, S: Floats) -> None:
    """``choose_leaves``."""
    p = desk[LEAVES_WANTED]
    for i in range(len(W)):
        most, least = _f4(S[i, MOST]), _f4(S[i, LEAST])
        S[i, LEAVES] = choose_leaves(desk[BLOCK], W[i], p, most, least)


@kernel
def offsets(desk: Ids, W: Ids, S: Floats) -> None:
    """``exact_offsets``."""
    for i in range(len(W)):
        exact_offsets(desk[BLOCK], W[i], _i8(S[i, LEAVES]))


@kernel
def offset_span(desk: Ids, W: Ids, S: Floats) -> None:
    """``offset_range``."""
    for i in range(len(W)):
        S[i, BEST], S[i, LOWEST] = offset_range(desk[BLOCK], W[i], _i8(S[i, LEAVES]))


@kernel
def rotate(desk: Ids, W: Ids, S: Floats) -> None:
    """``rotate_query``."""
    for i in range(len(W)):
        rotate_query(desk[BLOCK], W[i], _f4(S[i, WORTH]), _i4(S[i, TOTAL]))


@kernel
def deal(desk: Ids, W: Ids, S: Floats) -> None:  # noqa: ARG001
    """``deal_query``."""
    for i in range(len(W)):
        deal_query(desk[BLOCK], W[i])


@kernel
def spread(desk: Ids, W: Ids, S: Floats) -> None:
    """``spread_entries``, and the few operations that turn its answer into a scale."""
    for i in range(len(W)):
        best, lowest = _f4(S[i, BEST]), _f4(S[i, LOWEST])
        S[i, SCALE], S[i, UNIT] = _byte_scale(desk[BLOCK], W[i], _f4(S[i, WORTH]), best, lowest)


@kernel
def quantize(desk: Ids, W: Ids, S: Floats) -> None:
    """``quantize_entries``."""
    for i in range(len(W)):
        quantize_entries(desk[BLOCK], W[i], _f4(S[i, SCALE]) * _f4(4))


@kernel
def constants(desk: Ids, W: Ids, S: Floats) -> None:
    """``quantize_constants``."""
    for i in range(len(W)):
        quantize_constants(desk[BLOCK], W[i], _f4(S[i, UNIT]))


@kernel
def wide(desk: Ids, W: Ids, S: Floats) -> None:
    """``quantize_wide``."""
    for i in range(len(W)):
        S[i, STEP] = quantize_wide(desk[BLOCK], W[i])


@kernel
def listed(desk: Ids, W: Ids, S: Floats) -> None:
    """``list_blocks`` by rows, for 4-bit codes."""
    for i in range(len(W)):
        leaves, best, scale = _i8(S[i, LEAVES]), _f4(S[i, BEST]), _f4(S[i, SCALE])
        S[i, BLOCKS] = list_blocks(desk[BLOCK], W[i], leaves, best, scale, False)


@kernel
def listed_places(desk: Ids, W: Ids, S: Floats) -> None:
    """``list_blocks`` by places, for float scores."""
    for i in range(len(W)):
        leaves, none = _i8(S[i, LEAVES]), _f4(0)
        S[i, BLOCKS] = list_blocks(desk[BLOCK], W[i], leaves, none, none, True)


@kernel
def scan16(desk: Ids, W: Ids, S: Floats) -> None:
    """``scan_codes16``."""
    for i in range(len(W)):
        scan_codes16(desk[BLOCK], W[i], _i8(S[i, BLOCKS]))


@kernel
def scan256(desk: Ids, W: Ids, S: Floats) -> None:
    """``scan_codes256``."""
    for i in range(len(W)):
        scan_codes256(desk[BLOCK], W[i], _i8(S[i, BLOCKS]), _f4(S[i, STEP]))


@kernel
def scan_all(desk: Ids, W: Ids, S: Floats) -> None:
    """``scan_rows``."""
    for i in range(len(W)):
        blocks, worth, total = _i8(S[i, BLOCKS]), _f4(S[i, WORTH]), _i4(S[i, TOTAL])
        scan_rows(desk[BLOCK], W[i], blocks, worth, total)


@kernel
def to_bytes(desk: Ids, W: Ids, S: Floats) -> None:
    """``scores_to_bytes``."""
    for i in range(len(W)):
        scores_to_bytes(desk[BLOCK], W[i], _i8(S[i, BLOCKS]))


@kernel
def select(desk: Ids, W: Ids, S: Floats) -> None:
    """``select_bytes``."""
    R = desk[ROWS_WANTED]
    for i in range(len(W)):
        S[i, FOUND] = select_bytes(desk[BLOCK], W[i], _i8(S[i, BLOCKS]), R, False)


@kernel
def rescore(desk: Ids, W: Ids, S: Floats) -> None:
    """``score_rows``."""
    for i in range(len(W)):
        found, worth, total = _i8(S[i, FOUND]), _f4(S[i, WORTH]), _i4(S[i, TOTAL])
        score_rows(desk[BLOCK], W[i], found, worth, total)


@kernel
def keep(desk: Ids, W: Ids, S: Floats) -> None:
    """``keep_best``, which closes gaps in its own input."""
    wanted = desk[K] + (desk[K] >> 2) + SPARE_FINALISTS
    for i in range(len(W)):
        S[i, KEPT] = keep_best(desk[BLOCK], W[i], _i8(S[i, FOUND]), wanted, wanted >> 3)


@kernel
def exact(desk: Ids, W: Ids, S: Floats) -> None:
    """``exact_distances``."""
    for i in range(len(W)):
        exact_distances(desk[BLOCK], W[i], _i8(S[i, KEPT]))


@kernel
def placed(desk: Ids, W: Ids, S: Floats) -> None:
    """``place``."""
    k = desk[K]
    for i in range(len(W)):
        distances, ids = desk[DISTANCES] + 4 * k * i, desk[IDS] + 8 * k * i
        place(desk[BLOCK], W[i], _i8(S[i, KEPT]), k, distances, ids)


# By the name of the function that is measured.
STAGES: dict[str, Any] = {
    "prepare_query": prepare,
    "rank_leaves": rank,
    "choose_leaves": choose,
    "exact_offsets": offsets,
    "offset_range": offset_span,
    "rotate_query": rotate,
    "deal_query": deal,
    "spread_entries": spread,
    "quantize_entries": quantize,
    "quantize_constants": constants,
    "quantize_wide": wide,
    "list_blocks": listed,
    "list_blocks by place": listed_places,
    "scan_codes16": scan16,
    "scan_codes256": scan256,
    "scan_rows": scan_all,
    "scores_to_bytes": to_bytes,
    "select_bytes": select,
    "score_rows": rescore,
    "keep_best": keep,
    "exact_distances": exact,
    "place": placed,
}


def ways(kind: str, *, rotated: bool, corrected: bool) -> list[str]:
    """The stages of a query in their order, for an index of a kind: codes16, codes256 or rows."""
    met = ["prepare_query", "rank_leaves", "choose_leaves"]
    dealt = "rotate_query" if rotated else "deal_query"
    if kind == "rows":
        return [*met, "list_blocks by place", "scan_rows", "scores_to_bytes"]
    if kind == "codes256":
        scanned = ["spread_entries", "quantize_wide", "scan_codes256", "scores_to_bytes"]
        return [*met, "exact_offsets", "list_blocks by place", dealt, *scanned]
    tables = ["spread_entries", "quantize_entries", *["quantize_constants"] * corrected]
    scanned = ["list_blocks", "scan_codes16", "select_bytes"]
    finish = ["score_rows", "keep_best", "exact_distances", "place"]
    return [*met, "offset_range", dealt, *tables, *scanned, *finish]
