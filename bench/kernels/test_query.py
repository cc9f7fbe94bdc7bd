"""Every stage of a query by itself, then the whole, then the whole called from Python."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.kernels.conftest import Measure, bare_call
from bench.kernels.desk import CANDIDATES, HAND, NEIGHBORS, SHAPES, Desk, Shape
from bench.kernels.stages import LEAVES_WANTED, STAGES, ways
from bench.kernels.traffic import Traffic, of_stages

WHOLE = [shape for shape in SHAPES if shape.kind == "codes16"]
# Of the other kinds, what 4-bit codes have no stage for.
OWN = {
    "codes256": ("exact_offsets", "quantize_wide", "scan_codes256", "scores_to_bytes"),
    "rows": ("list_blocks by place", "scan_rows"),
}


def _cases() -> list[tuple[str, str]]:
    cases = []
    for shape in SHAPES:
        way = _way(shape)
        cases += [(shape.name, stage) for stage in way if stage in OWN.get(shape.kind, way)]
    return cases


def _way(shape: Shape) -> list[str]:
    return ways(
        shape.kind,
        rotated=shape.projection is not None,
        corrected=shape.distance == "squared_l2",
    )


def _title(desk: Desk) -> str:
    shape, layout, counts = desk.shape, desk.layout, desk.counts
    return (
        f"{shape.n:,} x {shape.name}, {shape.distance}: {counts['leaves']:.0f} of "
        f"{layout.num_leaves} leaves, {counts['rows']:,.0f} rows"
    )


def _whole(desk: Desk) -> Traffic:
    parts = of_stages(desk.layout, desk.counts)
    touched = sum(parts[stage].touched for stage in desk.way)
    return Traffic("row", desk.counts["rows"], touched, desk.layout.codes.nbytes)


@pytest.mark.parametrize(("name", "stage"), _cases())
def test_stage(name: str, stage: str, desks: Callable[[str], Desk], measure: Measure) -> None:
    """One stage, on a hand of queries that earlier stages have just brought there."""
    desk = desks(name)
    at, run = desk.way.index(stage), STAGES[stage]
    traffic = of_stages(desk.layout, desk.counts)[stage]
    measure(
        _title(desk),
        stage,
        lambda: run(desk.desk, desk.W, desk.S),
        traffic,
        ready=lambda: desk.bring(at),
        spent=bare_call(desk),
    )


@pytest.mark.parametrize("shape", WHOLE, ids=lambda shape: shape.name)
def test_search_by_codes(shape: Shape, desks: Callable[[str], Desk], measure: Measure) -> None:
    """All stages in one call, without Python between queries."""
    desk = desks(shape.name)
    plan, W = desk.plan, int(desk.W[0])
    places = desk.distances.ctypes.data, desk.ids.ctypes.data
    p = int(desk.desk[LEAVES_WANTED])

    def search() -> None:
        Q = desk.hand.ctypes.data
        plan.many(plan.address, W, Q, *places, NEIGHBORS, 0, HAND, p, CANDIDATES)

    measure(_title(desk), "search_by_codes", search, _whole(desk), ready=desk.turn)


@pytest.mark.parametrize("shape", WHOLE, ids=lambda shape: shape.name)
def test_index_search(shape: Shape, desks: Callable[[str], Desk], measure: Measure) -> None:
    """What a user calls: the same and Python's side."""
    desk = desks(shape.name)
    search = desk.index.search

    def loop() -> None:
        for q in desk.hand:
            search(q)

    measure(_title(desk), "Index.search", loop, _whole(desk), ready=desk.turn)
