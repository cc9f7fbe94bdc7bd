"""The kernels of a build: nearest codes, codes that keep high scores true, sums of a Lloyd step."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from bench.clusters import rows
from bench.kernels.conftest import Measure
from bench.kernels.traffic import Traffic
from scannlite.kernels.encode import anisotropic, nearest
from scannlite.kernels.lloyd import accumulate
from scannlite.learning.anisotropy import eta_exact
from scannlite.learning.codebooks import train_codebooks
from scannlite.learning.rows import unit
from scannlite.types import AnyArray, Codes, Floats

ROWS, BLOCK = 1024, 2  # so few that a call is seldom interrupted
ROUNDS = 40
Prepare = Callable[[int, int], "Lesson"]


class Lesson(NamedTuple):
    """Rows, their directions, centers side by side (m, b, c), weights and nearest codes."""

    R: Floats
    U: Floats
    centers: AnyArray
    eta: Floats
    codes: Codes

    def traffic(self, unit_: str, units: float, *arrays: AnyArray) -> Traffic:
        """Of one call that reads or writes these arrays once."""
        touched = sum(array.nbytes for array in arrays)
        return Traffic(unit_, units, touched, touched)


@pytest.fixture(scope="module", params=[(128, 16), (128, 256), (784, 16)], ids=str)
def lesson(request: pytest.FixtureRequest) -> Lesson:
    """Made once for all kernels."""
    d, c = request.param
    R = unit(rows(ROWS, d, seed=2))
    books = train_codebooks(R, BLOCK, c, iterations=1, rng=np.random.default_rng(2))
    centers = np.ascontiguousarray(books.swapaxes(1, 2))
    codes = np.empty((ROWS, len(books)), np.uint8)
    nearest(R, centers, codes)
    eta = np.asarray(eta_exact(0.2, np.ones(ROWS, np.float32), d), np.float32)
    return Lesson(R, R, centers, eta, codes)


def _title(lesson: Lesson) -> str:
    m, b, c = lesson.centers.shape
    return f"learning, {ROWS:,} x {lesson.R.shape[1]}, {m} blocks of {b}, {c} centers"


def test_nearest(lesson: Lesson, measure: Measure) -> None:
    """``encode`` by nearest centers."""
    codes = np.empty_like(lesson.codes)
    traffic = lesson.traffic("code", codes.size, lesson.R, lesson.centers, codes)
    task = lambda: nearest(lesson.R, lesson.centers, codes)  # noqa: E731
    measure(_title(lesson), "nearest", task, traffic, calls=1, rounds=ROUNDS)


def test_anisotropic(lesson: Lesson, measure: Measure) -> None:
    """Coordinate descent from nearest codes, which are copied anew before every round."""
    R, U, centers, eta, first = lesson
    codes = first.copy()
    traffic = lesson.traffic("code", codes.size, R, U, centers, codes)
    measure(
        _title(lesson),
        "anisotropic",
        lambda: anisotropic(R, U, centers, eta, codes),
        traffic,
        ready=lambda: np.copyto(codes, first),
        calls=1,
        rounds=15,
    )


def test_accumulate(lesson: Lesson, measure: Measure) -> None:
    """The sums of a Lloyd step, for codebooks."""
    m, b, c = lesson.centers.shape
    sums, counts = np.empty((m, c, b)), np.empty((m, c), np.int64)
    traffic = lesson.traffic("code", lesson.codes.size, lesson.R, lesson.codes, sums, counts)
    task = lambda: accumulate(lesson.R, lesson.codes, sums, counts)  # noqa: E731
    measure(_title(lesson), "accumulate", task, traffic, calls=1, rounds=ROUNDS)
