"""Each kernel runs here and gives its twin's bits: this is what a new processor must pass first."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import scannlite as sl
from scannlite.engine.plan import kernel_for
from scannlite.kernels import compiled, implementation
from tests.kernels.every_kernel import LEARNING, SEARCHING, kernels
from tests.strategies import clustered, same_bits

needs_numba = pytest.mark.skipif(not compiled(), reason="kernels are not compiled here")


def twin_of(name):
    room, function = name.split(".")
    return getattr(importlib.import_module(f"scannlite.kernels.reference.{room}"), function)


def test_none_is_left_out():
    assert {*LEARNING, *SEARCHING} == set(kernels())


@needs_numba
@pytest.mark.parametrize("name", LEARNING)
def test_learning(name):
    room, function = name.split(".")
    found, expected = ([array.copy() for array in LEARNING[name]] for _ in range(2))
    getattr(implementation(room), function)(*found)
    twin_of(name)(*expected)
    assert all(same_bits(x, y) for x, y in zip(found, expected, strict=True))


@needs_numba
@pytest.mark.parametrize("name", SEARCHING)
def test_searching(name):
    """One query at a time, and part of a batch at a time."""
    plan = sl.Index.build(clustered(1500, 50, seed=0), SEARCHING[name])._plan
    assert kernel_for(plan.layout.lookup, device=bool(plan.layout.device)) == tuple(name.split("."))
    Q, k, p, R, workspace = clustered(9, 50, seed=2), 12, 5, 50, plan.workspace()
    distances, ids = np.empty((2, 9, k), np.float32), np.empty((2, 9, k), np.int64)
    for i, q in enumerate(Q):
        assert plan.one(plan.address, workspace, q, distances[0, i], ids[0, i], p, R) == 0
    places = [array.ctypes.data for array in (Q, distances[1], ids[1])]
    assert plan.many(plan.address, workspace, *places, k, 0, 9, p, R) == 0
    answers = [twin_of(name)(plan.layout, q, k, p, R) for q in Q]
    for way in range(2):
        assert same_bits(distances[way], np.stack([answer[0] for answer in answers]))
        assert same_bits(ids[way], np.stack([answer[1] for answer in answers]))
