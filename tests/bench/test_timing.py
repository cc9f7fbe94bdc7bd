"""Clocks take turns, and one bad moment changes nothing."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import pytest

from bench.timing import CHUNK, interleaved, repeatedly, seconds_a_query


def test_clocks_take_turns_and_the_median_is_kept() -> None:
    calls: list[str] = []
    answers = {"a": iter([[1.0, 2.0], [900.0], [2.0]]), "b": iter([[5.0], [6.0], [7.0]])}

    def clock(name: str) -> list[float]:
        calls.append(name)
        return next(answers[name])

    assert interleaved([partial(clock, "a"), partial(clock, "b")], 3) == [2.0, 6.0]
    assert calls == ["a", "b"] * 3


def test_every_query_is_asked_with_the_arguments() -> None:
    asked: list[tuple[float, int]] = []
    queries = list(np.arange(CHUNK + 3, dtype=np.float32)[:, None])
    samples = seconds_a_query(lambda q, k: asked.append((float(q[0]), k)), queries, 10)
    assert asked == [(float(i), 10) for i in range(CHUNK + 3)]
    assert len(samples) == 2


@pytest.mark.parametrize(("budget", "least", "most"), [(0.0, 1, 1), (0.05, 5, 50)])
def test_short_tasks_are_repeated(budget: float, least: int, most: int) -> None:
    samples = repeatedly(lambda: time.sleep(0.001), budget)
    assert least <= len(samples) <= most
