"""Clocks. Whatever is compared takes turns, so that a noisy machine hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import TypeVar

from scannlite.types import Floats

__all__ = ["interleaved", "seconds_a_query", "timed"]

T = TypeVar("T")


def timed(task: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what came of it."""
    start = time.perf_counter()
    made = task()
    return time.perf_counter() - start, made


def seconds_a_query(
    search: Callable[..., object], queries: Sequence[Floats], *arguments: object
) -> float:
    """The mean of a loop of ``search(q, *arguments)``."""
    start = time.perf_counter()
    for q in queries:
        search(q, *arguments)
    return (time.perf_counter() - start) / len(queries)


def interleaved(clocks: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """Of each clock the median of rounds that take turns."""
    times = [[clock() for clock in clocks] for _ in range(rounds)]
    return [median(column) for column in zip(*times, strict=True)]
