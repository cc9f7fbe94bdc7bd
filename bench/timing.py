"""Clocks. Whatever is compared takes turns, so that a noisy machine hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import chain
from statistics import median
from typing import TypeVar

from scannlite.types import Floats

__all__ = ["interleaved", "repeatedly", "seconds_a_query", "timed"]

T = TypeVar("T")
LEAST = 5
CHUNK = 50  # queries a sample: shorter than the time another process is given


def timed(task: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what came of it."""
    start = time.perf_counter()
    made = task()
    return time.perf_counter() - start, made


def seconds_a_query(
    search: Callable[..., object], queries: Sequence[Floats], *arguments: object
) -> list[float]:
    """Samples from one loop of ``search(q, *arguments)``: the mean of each CHUNK of queries.

    When the machine does something else in between, that spoils a sample and not the loop.
    """
    samples = []
    for first in range(0, len(queries), CHUNK):
        part = queries[first : first + CHUNK]
        start = time.perf_counter()
        for q in part:
            search(q, *arguments)
        samples.append((time.perf_counter() - start) / len(part))
    return samples


def repeatedly(task: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of each call, as often as fits; at least LEAST times if one alone does."""
    samples = [timed(task)[0]]
    # At least: a short call that is interrupted looks long, and must not be the only one.
    while samples[0] < seconds and (len(samples) < LEAST or sum(samples) + min(samples) < seconds):
        samples.append(timed(task)[0])
    return samples


def interleaved(clocks: Sequence[Callable[[], list[float]]], rounds: int) -> list[float]:
    """Of each clock the median of all its samples, from rounds in which they take turns."""
    samples = [[clock() for clock in clocks] for _ in range(rounds)]
    return [median(chain.from_iterable(column)) for column in zip(*samples, strict=True)]
