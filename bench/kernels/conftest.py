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
from bench.kernels.stream import Stream


class Line(NamedTuple):
    """A row of the table."""

    group: str
    stage: str
    nanoseconds: float
    spread: float
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


def typical(task: Callable[[], Any], ready: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Nanoseconds a task takes, where that is no benchmark of its own."""
    samples = []
    for _ in range(rounds):
        ready()
        before = time.perf_counter_ns()
        task()
        samples.append(time.perf_counter_ns() - before)
    return median(samples)


@pytest.fixture
def measure(benchmark: Any, stream: Stream, request: pytest.FixtureRequest) -> Measure:
    """Run a task many times, and write down what one of its calls takes and touches.

    ``measure(group, name, task, traffic, ...)``: ``ready`` runs before every round, unmeasured;
    ``calls`` is how many calls a task makes; ``spent`` are nanoseconds of a task that are none of
    theirs; ``read`` are those a call's lines take to be read, instead of a stream of its bytes.
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
        read: float | None = None,
        rounds: int = ROUNDS,
    ) -> None:
        benchmark.group = group
        # A setup that returns something would say what the task is called with.
        setup = None if ready is None else lambda: (ready(), None)[1]
        benchmark.pedantic(task, setup=setup, rounds=rounds, warmup_rounds=3)
        if benchmark.stats is None:  # --benchmark-disable
            return
        stats = benchmark.stats.stats
        took = max(1e9 * stats.median - spent, 0.1) / calls
        if read is None:
            read = traffic.touched / stream.rate(traffic.span or calls * traffic.touched)
        line = Line(group, name, took, stats.iqr / stats.median, traffic, read / took)
        benchmark.extra_info.update(
            nanoseconds_a_call=took,
            unit=traffic.unit,
            units_a_call=traffic.units,
            nanoseconds_a_unit=took / traffic.units,
            bytes_a_call=traffic.touched,
            gigabytes_a_second=traffic.touched / took,
            nanoseconds_to_read=read,
            share_of_stream=line.share,
        )
        request.config.stash[LINES].append(line)
        request.config.stash.setdefault(RATES, stream.rates)

    return run


WHOLE = "search_by_codes", "Index.search"
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
        mine = [line for line in lines if line.group == group]
        stages = [line.nanoseconds for line in mine if line.stage not in WHOLE]
        for line in mine:
            if line.stage == WHOLE[0] and len(stages) > 1:
                write(f"{'those above, in all':<22}{sum(stages) / 1e3:>10.3f}")
            write(_row(line))


def _row(line: Line) -> str:
    took, traffic = line.nanoseconds, line.traffic
    each = took / traffic.units
    digits = 2 if each >= 1 else 4
    return (
        f"{line.stage:<22}{took / 1e3:>10.3f}{100 * line.spread:>4.0f}%{each:>9.{digits}f} "
        f"{traffic.unit:<10}{traffic.touched:>10,.0f}{traffic.touched / took:>7.1f}"
        f"{100 * line.share:>12.0f}%"
    )
