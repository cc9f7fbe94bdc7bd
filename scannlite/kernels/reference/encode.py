"""The NumPy twins of ``kernels.encode``: all rows at once, dimension after dimension."""

from __future__ import annotations

import numpy as np

from scannlite.types import AnyArray

__all__ = ["anisotropic", "nearest", "shape_noise"]

ROUNDS = 10


def nearest(R: AnyArray, centers: AnyArray, codes: AnyArray) -> None:
    """Find the nearest center of every block of every row: ``kernels.encode.nearest``."""
    b = centers.shape[1]
    for block, of_block in enumerate(centers):
        columns = R[:, block * b : (block + 1) * b]
        errors = _sum_of_products(columns[:, :, None] - of_block[: columns.shape[1]], None)
        codes[:, block] = errors.argmin(axis=1)


def _sum_of_products(error: AnyArray, unit: AnyArray | None) -> AnyArray:
    """(n, b, c) errors, times themselves or times (n, b) units, summed over b in order."""
    products = error * error if unit is None else error * unit[:, :, None]
    total = products[:, 0].copy()
    for j in range(1, products.shape[1]):
        total += products[:, j]
    return total


def anisotropic(
    R: AnyArray, U: AnyArray, centers: AnyArray, eta: AnyArray, codes: AnyArray
) -> None:
    """Change codes while that lowers the score-aware cost: ``kernels.encode.anisotropic``."""
    m, b, _ = centers.shape
    (active,) = np.nonzero(eta > 1.0)
    # dimensions past d are zero in rows, units and centers, and so add nothing but zeros
    missing = ((0, 0), (0, m * b - R.shape[1]))
    R = np.pad(R[active], missing).reshape(-1, m, b)
    U = np.pad(U[active], missing).reshape(-1, m, b)
    extra = eta[active, None] - np.float32(1.0)

    chosen = np.empty((len(active), m), np.float32)
    total = np.zeros(len(active), np.float32)
    for block in range(m):
        center = centers[block].T[codes[active, block]]
        error = (R[:, block] - center)[:, :, None]
        chosen[:, block] = _sum_of_products(error, None)[:, 0]
        total += _sum_of_products(error, U[:, block])[:, 0]
    order = np.argsort(-chosen, axis=1, kind="stable")

    for _ in range(ROUNDS):
        before = codes[active]
        for step in range(m):
            blocks = order[:, step]
            every = np.arange(len(active))
            old = codes[active, blocks]
            error = R[every, blocks][:, :, None] - centers[blocks]
            errors = _sum_of_products(error, None)
            along = _sum_of_products(error, U[every, blocks])
            change = along - along[every, old][:, None]
            parallel = change * ((total + total)[:, None] + change)
            costs = extra * parallel + (errors - errors[every, old][:, None])
            costs[parallel > 0.0] = 0.0
            new = costs.argmin(axis=1)
            new = np.where(costs[every, new] < 0.0, new, old)
            total = np.where(new == old, total, total + change[every, new])
            codes[active, blocks] = new
        unchanged = (codes[active] == before).all(axis=1)
        if unchanged.all():
            break


def shape_noise(V: AnyArray, U: AnyArray, eta: AnyArray, high: AnyArray) -> None:
    """Round the other way while that lowers the cost: ``kernels.encode.shape_noise``."""
    (active,) = np.nonzero(eta > 1.0)
    every = np.arange(len(active))
    U, rounded = U[active], high[active].astype(np.float32)
    error = V[active] - rounded
    extra = eta[active] - np.float32(1.0)
    total = np.zeros(len(active), np.float32)
    for j in range(V.shape[1]):
        total += error[:, j] * U[:, j]
    order = np.argsort(-abs(error), axis=1, kind="stable")

    for _ in range(ROUNDS):
        before = rounded.copy()
        for at in range(V.shape[1]):
            dims = order[:, at]
            left = error[every, dims]
            step = np.where(left > 0.0, np.float32(1.0), np.float32(-1.0))
            change = -step * U[every, dims]
            parallel = change * (total + total + change)
            cost = extra * parallel + (np.float32(1.0) - np.float32(2.0) * abs(left))
            moved = rounded[every, dims] + step
            wanted = (parallel <= 0.0) & (cost < 0.0) & (abs(moved) <= 127.0)
            rounded[every, dims] = np.where(wanted, moved, rounded[every, dims])
            error[every, dims] = np.where(wanted, left - step, left)
            total = np.where(wanted, total + change, total)
        if np.array_equal(rounded, before):
            break
    high[active] = rounded.astype(np.int8)
