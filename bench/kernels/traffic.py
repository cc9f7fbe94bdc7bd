"""What a stage touches: how many of its natural unit, how many bytes, and out of how many.

Bytes are counted once, read or written, however often a stage comes back to them; instructions
that fetch ahead count for nothing, whole cache lines neither. A *span* is the memory that a loop
over many queries draws a stage's bytes from: it decides which cache they come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scannlite.kernels.layout import SQUARED_L2, Layout

__all__ = ["Traffic", "of_stages"]


class Traffic(NamedTuple):
    """Of one call: its unit, how many of them, bytes touched; and the bytes these are drawn from.

    A span of 0 is the call's own bytes: a workspace.
    """

    unit: str
    units: float
    touched: float
    span: float = 0.0


def of_stages(layout: Layout, counts: Mapping[str, float]) -> dict[str, Traffic]:
    """Of every stage, by name; ``counts`` is what queries met: leaves, blocks, rows, ..."""
    return {
        **_to_leaves(layout, counts),
        **_to_tables(layout),
        **_through_blocks(layout, counts),
        **_among_found(layout, counts),
    }


def _to_leaves(layout: Layout, counts: Mapping[str, float]) -> dict[str, Traffic]:
    d, L, leaves = layout.d, layout.num_leaves, counts["leaves"]
    mean = 4 * d if layout.metric == SQUARED_L2 else 0
    met = layout.centroids.nbytes + d + 20 * L
    return {
        "prepare_query": Traffic("dimension", d, 9 * d + mean),
        "rank_leaves": Traffic("centroid", L, met, met),
        "choose_leaves": Traffic("centroid", L, 5 * L + 5 * leaves),
        "exact_offsets": Traffic(
            "leaf", leaves, (4 * d + 12) * leaves, layout.centroid_floats.nbytes
        ),
        "offset_range": Traffic("leaf", leaves, 8 * leaves),
    }


def _to_tables(layout: Layout) -> dict[str, Traffic]:
    d, b, c, e = layout.d, layout.b, layout.lookup, len(layout.rotation_scale)
    m16 = -(-layout.m // 16) * 16
    entries, turned = m16 * c, layout.rotation.nbytes + d + 8 * e
    books = layout.codebooks.nbytes + layout.variance.nbytes
    filled = books + 4 * m16 * (b + c + 1)
    return {
        "rotate_query": Traffic("dimension", e, turned, layout.rotation.nbytes),
        "deal_query": Traffic("dimension", d, 8 * d),
        "spread_entries": Traffic("entry", entries, filled, books),
        "quantize_entries": Traffic("entry", entries, 5 * entries + 4 * m16),
        "quantize_constants": Traffic("entry", 32, 32),
        "quantize_wide": Traffic("entry", entries, 5 * entries),
    }


def _through_blocks(layout: Layout, counts: Mapping[str, float]) -> dict[str, Traffic]:
    m, leaves, blocks, rows = layout.m, counts["leaves"], counts["blocks"], counts["rows"]
    listed = Traffic("block", blocks, 20 * blocks + 16 * leaves)
    codes, lines = layout.codes.nbytes, 64 * layout.code_lines
    constants = 4 if len(layout.constants) else 0
    return {
        "list_blocks": listed,
        "list_blocks by place": listed,
        "scan_codes16": Traffic("code", m * rows, (lines + 64 + 8) * blocks, codes),
        "scan_codes256": Traffic(
            "code", m * rows, (lines + 256 + 16) * blocks + constants * rows, codes
        ),
        "scan_rows": Traffic("row", rows, (4 * layout.d + 4) * rows, layout.rows.nbytes),
        "scores_to_bytes": Traffic("row", rows, 5 * 64 * blocks),
        "select_bytes": Traffic("row", rows, 68 * blocks + 5 * counts["found"]),
    }


def _among_found(layout: Layout, counts: Mapping[str, float]) -> dict[str, Traffic]:
    d, found, kept = layout.d, counts["found"], counts["kept"]
    bits = layout.row_high.nbytes + layout.row_low.nbytes
    return {
        "score_rows": Traffic("candidate", found, (d + 16) * found, layout.row_high.nbytes),
        "keep_best": Traffic("candidate", found, 8 * found + 8 * kept),
        "exact_distances": Traffic("finalist", kept, (3 * d + 24) * kept, bits),
        "place": Traffic("finalist", kept, 20 * kept),
    }
