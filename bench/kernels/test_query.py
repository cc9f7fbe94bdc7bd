"""Every stage of a query by itself, then the whole, then the whole called from Python."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.kernels.conftest import Measure, typical
from bench.kernels.desk import CANDIDATES, HAND, NEIGHBORS, SHAPES, Desk, Shape
from bench.kernels.stages import LEAVES_WANTED, STAGES, nothing, ways
from bench.kernels.stream import READERS, Stream
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
    return Traffic("row", desk.counts["rows"], sum(parts[stage].touched for stage in desk.way))


def _calls(desk: Desk, kernel: Callable[..., None]) -> Callable[[], None]:
    return lambda: kernel(desk.desk, desk.W, desk.S)


def _bare(desk: Desk) -> float:
    """Nanoseconds of a kernel that loops over a hand and does nothing."""
    return typical(_calls(desk, nothing), lambda: None)


def _reading(desk: Desk, stage: str) -> float | None:
    """Nanoseconds it takes to read a stage's lines alone; None where a stream stands for it."""
    if stage not in READERS:
        return None
    at = desk.way.index(stage)
    return (typical(_calls(desk, READERS[stage]), lambda: desk.bring(at)) - _bare(desk)) / HAND


def _reading_all(desk: Desk, stream: Stream) -> float:
    """The same for all stages of a search, one after the other."""
    parts = of_stages(desk.layout, desk.counts)
    total = 0.0
    for stage in desk.way:
        traffic, read = parts[stage], _reading(desk, stage)
        size = traffic.span or HAND * traffic.touched
        total += traffic.touched / stream.rate(size) if read is None else read
    return total


@pytest.mark.parametrize(("name", "stage"), _cases())
def test_stage(name: str, stage: str, desks: Callable[[str], Desk], measure: Measure) -> None:
    """One stage, on a hand of queries that earlier stages have just brought there."""
    desk = desks(name)
    at = desk.way.index(stage)

    measure(
        _title(desk),
        stage,
        _calls(desk, STAGES[stage]),
        of_stages(desk.layout, desk.counts)[stage],
        ready=lambda: desk.bring(at),
        spent=_bare(desk),
        read=_reading(desk, stage),
    )


@pytest.mark.parametrize("shape", WHOLE, ids=lambda shape: shape.name)
def test_search_by_codes(
    shape: Shape, desks: Callable[[str], Desk], measure: Measure, stream: Stream
) -> None:
    """All stages in one call, without Python between queries."""
    desk = desks(shape.name)
    plan, W = desk.plan, int(desk.W[0])
    places = desk.distances.ctypes.data, desk.ids.ctypes.data
    p = int(desk.desk[LEAVES_WANTED])

    def search() -> None:
        Q = desk.hand.ctypes.data
        plan.many(plan.address, W, Q, *places, NEIGHBORS, 0, HAND, p, CANDIDATES)

    read = _reading_all(desk, stream)
    measure(_title(desk), "search_by_codes", search, _whole(desk), ready=desk.turn, read=read)


@pytest.mark.parametrize("shape", WHOLE, ids=lambda shape: shape.name)
def test_index_search(
    shape: Shape, desks: Callable[[str], Desk], measure: Measure, stream: Stream
) -> None:
    """What a user calls: the same and Python's side."""
    desk = desks(shape.name)
    search = desk.index.search

    def loop() -> None:
        for q in desk.hand:
            search(q)

    read = _reading_all(desk, stream)
    measure(_title(desk), "Index.search", loop, _whole(desk), ready=desk.turn, read=read)
