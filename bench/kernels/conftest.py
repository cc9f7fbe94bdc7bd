"""Seeded indexes, the stream of memory, and one table after the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import pytest

from bench.kernels.traffic import Traffic
from scannlite.kernels import compiled

if not compiled():
    raise RuntimeError("kernels are not compiled here: there is nothing to measure.")

from bench.kernels.desk import HAND, SHAPES, Desk
from bench.kernels.stages import nothing
from bench.kernels.stream import Stream


class Line(NamedTuple):
    """A row of the table."""

    group: str
    stage: str
    nanoseconds: float
    traffic: Traffic
    share: float


Measure = Callable[..., None]
LINES = pytest.StashKey[list[Line]]()
ROUNDS = 200


def pytest_configure(config: pytest.Config) -> None:
    """A place for the lines."""
    config.stash[LINES] = []


@pytest.fixture(scope="session")
def stream() -> Stream:
    """How fast memory is read here."""
    return Stream()


@pytest.fixture(scope="session")
def desks() -> Callable[[str], Desk]:
    """The desk of a shape by name, made when it is first asked for."""
    made: dict[str, Desk] = {}
    shapes = {shape.name: shape for shape in SHAPES}

    def desk(name: str) -> Desk:
        if name not in made:
            made[name] = Desk(shapes[name])
        return made[name]

    return desk


def bare_call(desk: Desk) -> float:
    """Nanoseconds of a kernel that loops over a hand and does nothing."""
    samples = []
    for _ in range(ROUNDS):
        before = time.perf_counter_ns()
        nothing(desk.desk, desk.W, desk.S)
        samples.append(time.perf_counter_ns() - before)
    return median(samples)


@pytest.fixture
def measure(benchmark: Any, stream: Stream, request: pytest.FixtureRequest) -> Measure:
    """Run a task many times, and write down what one of its calls takes and touches.

    ``measure(group, name, task, traffic, ...)``: ``ready`` runs before every round, unmeasured;
    ``calls`` is how many calls a task makes; ``spent`` are nanoseconds of a task that are none of
    theirs.
    """

    def run(  # noqa: PLR0913 - a measurement is described by name
        group: str,
        name: str,
        task: Callable[[], Any],
        traffic: Traffic,
        *,
        ready: Callable[[], Any] | None = None,
        calls: int = HAND,
        spent: float = 0.0,
        rounds: int = ROUNDS,
    ) -> None:
        benchmark.group = group
        # A setup that returns something would say what the task is called with.
        setup = None if ready is None else lambda: (ready(), None)[1]
        benchmark.pedantic(task, setup=setup, rounds=rounds, warmup_rounds=3)
        if benchmark.stats is None:  # --benchmark-disable
            return
        took = max(1e9 * benchmark.stats.stats.median - spent, 0.1) / calls
        rate = stream.rate(traffic.span or calls * traffic.touched)
        line = Line(group, name, took, traffic, traffic.touched / took / rate)
        benchmark.extra_info.update(
            nanoseconds_a_call=took,
            unit=traffic.unit,
            units_a_call=traffic.units,
            nanoseconds_a_unit=took / traffic.units,
            bytes_a_call=traffic.touched,
            gigabytes_a_second=traffic.touched / took,
            stream_gigabytes_a_second=rate,
            share_of_stream=line.share,
        )
        request.config.stash[LINES].append(line)
        request.config.stash.setdefault(RATES, stream.rates)

    return run


RATES = pytest.StashKey[dict[int, float]]()
HEAD = (
    f"{'stage':<22}{'us a call':>10}{'ns':>9} {'a':<10}{'bytes':>10}{'GB/s':>7}{'% of stream':>13}"
)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One table of all that was measured."""
    lines, rates = config.stash[LINES], config.stash.get(RATES, {})
    if not lines:
        return
    write = terminalreporter.write_line
    terminalreporter.section("kernels")
    sizes = "  ".join(f"{size >> 10} KB {rate:.0f}" for size, rate in rates.items())
    write(f"a stream of reads, GB/s by size of buffer: {sizes}")
    for group in dict.fromkeys(line.group for line in lines):
        write("")
        write(group)
        write(HEAD)
        for line in lines:
            if line.group == group:
                write(_row(line))


def _row(line: Line) -> str:
    took, traffic = line.nanoseconds, line.traffic
    each = took / traffic.units
    return (
        f"{line.stage:<22}{took / 1e3:>10.3f}{each:>9.{2 if each >= 1 else 4}f} "
        f"{traffic.unit:<10}{traffic.touched:>10,.0f}{traffic.touched / took:>7.1f}"
        f"{100 * line.share:>12.0f}%"
    )
