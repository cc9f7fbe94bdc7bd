"""Which code stands for a row: the nearest one, or the one whose error costs the score least."""

from __future__ import annotations

import numpy as np

from scannlite.kernels.jit import inlined, kernel
from scannlite.types import AnyArray

__all__ = ["anisotropic", "nearest", "shape_noise"]

TILE = 256  # rows whose columns, errors and choices fit the first-level cache together
ROUNDS = 10  # the most coordinate descents through a row, as ScaNN has it


@kernel
def nearest(R: AnyArray, centers: AnyArray, codes: AnyArray) -> None:
    """Find the nearest center of every block of every row; the first of equals.

    Rows go by tiles, turned into columns, so that one SIMD lane is one row.

    Args:
        R: IN, (n, d) float32.
        centers: IN, (m, b, c) float32, codebooks with the centers side by side.
        codes: OUT, (n, m) uint8.
    """
    n, d = R.shape
    m, b, c = centers.shape
    columns = np.empty((b, TILE), np.float32)
    errors = np.empty(TILE, np.float32)
    least = np.empty(TILE, np.float32)
    choice = np.empty(TILE, np.int32)
    for top in range(0, n, TILE):
        rows = min(TILE, n - top)
        for block in range(m):
            first = block * b
            width = min(b, d - first)
            for i in range(rows):
                for j in range(width):
                    columns[j, i] = R[top + i, first + j]
            least[:] = np.inf
            choice[:] = 0
            for center in range(c):
                _column_errors(columns, centers[block, :, center], width, rows, errors)
                for i in range(rows):
                    closer = errors[i] < least[i]
                    least[i] = errors[i] if closer else least[i]
                    choice[i] = center if closer else choice[i]
            for i in range(rows):
                codes[top + i, block] = choice[i]


@inlined
def _column_errors(
    columns: AnyArray, center: AnyArray, width: int, rows: int, errors: AnyArray
) -> None:
    """Squared distance of the first ``rows`` columns to one center of ``width`` dimensions."""
    value = center[0]
    for i in range(rows):
        error = columns[0, i] - value
        errors[i] = error * error
    for j in range(1, width):
        value = center[j]
        for i in range(rows):
            error = columns[j, i] - value
            errors[i] += error * error


@kernel
def anisotropic(
    R: AnyArray, U: AnyArray, centers: AnyArray, eta: AnyArray, codes: AnyArray
) -> None:
    """Change codes, one block at a time, while that lowers the score-aware cost.

    The cost of a row is eta times the squared error along the row plus the squared error across
    it (Guo et al., 2020, arXiv 1908.10396). Blocks are visited by descending error of their first
    code; a change must not lengthen the error along the row. Rows with eta up to 1 stay.

    Args:
        R: IN, (n, d) float32, what is encoded.
        U: IN, (n, d) float32, the unit vectors along which errors cost eta.
        centers: IN, (m, b, c) float32.
        eta: IN, (n,) float32.
        codes: IN and OUT, (n, m) uint8, nearest codes to start from.
    """
    m, _, c = centers.shape
    errors = np.empty((m, c), np.float32)
    along = np.empty((m, c), np.float32)
    chosen = np.empty(m, np.float32)
    place = np.empty(m, np.int32)
    order = np.empty(m, np.int32)
    for i in range(len(R)):
        if not eta[i] > 1.0:
            continue
        _errors_of_row(R[i], U[i], centers, errors, along)
        total = np.float32(0.0)
        for block in range(m):
            chosen[block] = errors[block, codes[i, block]]
            total += along[block, codes[i, block]]
        _descending(chosen, place, order)
        extra = eta[i] - np.float32(1.0)
        for _ in range(ROUNDS):
            changed = False
            for step in range(m):
                block = order[step]
                old = codes[i, block]
                new = _cheapest(errors[block], along[block], old, total, extra)
                if new != old:
                    total += along[block, new] - along[block, old]
                    codes[i, block] = new
                    changed = True
            if not changed:
                break


@inlined
def _errors_of_row(
    row: AnyArray, unit: AnyArray, centers: AnyArray, errors: AnyArray, along: AnyArray
) -> None:
    """Squared error, and error along the unit vector, of every center of every block."""
    m, b, c = centers.shape
    d = len(row)
    for block in range(m):
        first = block * b
        for center in range(c):
            error = row[first] - centers[block, 0, center]
            errors[block, center] = error * error
            along[block, center] = error * unit[first]
        for j in range(1, min(b, d - first)):
            for center in range(c):
                error = row[first + j] - centers[block, j, center]
                errors[block, center] += error * error
                along[block, center] += error * unit[first + j]


@inlined
def _descending(values: AnyArray, place: AnyArray, order: AnyArray) -> None:
    """Stable descending argsort. Counting the greater is quadratic, but runs in SIMD lanes."""
    size = len(values)
    place[:] = 0
    for i in range(size):
        value = values[i]
        for j in range(size):
            place[j] += np.int32(1) if value > values[j] else np.int32(0)
    order[:] = -1
    for i in range(size):
        free = place[i]  # equals count to the same place: each takes the first one left
        while order[free] >= 0:
            free += 1
        order[free] = i


@inlined
def _cheapest(
    errors: AnyArray, along: AnyArray, old: int, total: np.float32, extra: np.float32
) -> int:
    """The center of one block that lowers the cost most, or the old one if none does."""
    c = len(errors)
    error, part = errors[old], along[old]
    better = 0
    for center in range(c):  # most blocks stay: first ask all lanes whether any center is better
        cost = _cost(errors[center] - error, along[center] - part, total, extra)
        better += 1 if cost < 0.0 else 0
    best = old
    if better > 0:
        least = np.float32(0.0)
        for center in range(c):
            cost = _cost(errors[center] - error, along[center] - part, total, extra)
            if cost < least:
                least = cost
                best = center
    return best


@inlined
def _cost(more: np.float32, change: np.float32, total: np.float32, extra: np.float32) -> np.float32:
    """What a change costs: eta times the growth of total² and once that of the squared error.

    Args:
        more: growth of the squared error, along and across together.
        change: growth of the error along the row, ``total`` until now.
        total: the error along the row.
        extra: eta - 1.
    """
    parallel = change * (total + total + change)
    cost = extra * parallel + more
    return cost if parallel <= 0.0 else np.float32(0.0)


@kernel
def shape_noise(V: AnyArray, U: AnyArray, eta: AnyArray, high: AnyArray) -> None:
    """Round some numbers the other way, while that lowers the score-aware cost.

    The same descent as ``anisotropic``, where the only other choice for a dimension is the next
    whole number on the other side of its value.

    Args:
        V: IN, (n, d) float32, the values that ``high`` rounds.
        U: IN, (n, d) float32, the unit vectors along which errors cost eta.
        eta: IN, (n,) float32.
        high: IN and OUT, (n, d) int8, kept within -127 and 127.
    """
    n, d = V.shape
    error = np.empty(d, np.float32)
    size = np.empty(d, np.float32)
    place = np.empty(d, np.int32)
    order = np.empty(d, np.int32)
    one = np.float32(1.0)
    for i in range(n):
        if not eta[i] > 1.0:
            continue
        total = np.float32(0.0)
        for j in range(d):
            error[j] = V[i, j] - np.float32(high[i, j])
            size[j] = abs(error[j])
            total += error[j] * U[i, j]
        _descending(size, place, order)
        extra = eta[i] - one
        for _ in range(ROUNDS):
            changed = False
            for at in range(d):
                j = order[at]
                step = one if error[j] > 0.0 else -one
                moved = np.float32(high[i, j]) + step
                change = -step * U[i, j]
                more = one - np.float32(2.0) * abs(error[j])
                if _cost(more, change, total, extra) < 0.0 and abs(moved) <= 127.0:
                    high[i, j] = np.int8(moved)
                    error[j] -= step
                    total += change
                    changed = True
            if not changed:
                break
