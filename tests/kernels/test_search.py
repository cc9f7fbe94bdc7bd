"""Compiled searches and their NumPy twins: the same bits."""

from __future__ import annotations

import functools
import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scannlite as sl
from scannlite.engine.options import Reorder, ScaNNOptions, ScoreAH, ScoreBruteForce, Tree
from scannlite.kernels import compiled
from scannlite.kernels.layout import LOOKUP_16
from scannlite.kernels.reference import search as twin
from tests.strategies import examples, same_bits, seeds

needs_numba = pytest.mark.skipif(not compiled(), reason="kernels are not compiled here")
modest = examples(40)

METRICS = ("dot_product", "squared_l2", "cosine")
TREES = {"no tree": None, "tree": Tree(7, 3, min_partition_size=0)}
REORDERS = {"bare": None, "float": Reorder(20), "int8": Reorder(20, quantize=True)}
SCORES = ("lut16", "lut256", "projected", "float", "int8")
CASES = [
    (metric, tree, score, reorder)
    for metric, tree, score, reorder in itertools.product(METRICS, TREES, SCORES, REORDERS)
    if score not in ("float", "int8") or reorder == "bare"
]
SHAPES = [(300, 25, 3), (65, 64, 2), (64, 1, 1), (63, 3, 2), (5, 16, 5), (1, 100, 3), (300, 100, 2)]


def rows(n, d, kind):
    rng = np.random.default_rng(n + d)
    if kind == "ties":
        return rng.integers(-1, 2, (n, d)).astype(np.float32)
    X = rng.standard_normal((n, d)).astype(np.float32)
    return X[rng.integers(0, max(1, n // 20), n)] if kind == "repeated" else X


@functools.cache
def index(case, n, d, b, kind="normal"):
    metric, tree, score, reorder = case
    coded = score not in ("float", "int8")
    hash_type, kept = ("lut16", -(-3 * d // 4)) if score == "projected" else (score, None)
    tree = TREES[tree]
    if tree is not None and n < 7:
        tree = Tree(n, 1, min_partition_size=0)
    options = ScaNNOptions(
        metric,
        tree=tree,
        score_ah=ScoreAH(b, hash_type=hash_type, projection=kept) if coded else None,
        score_brute_force=None if coded else ScoreBruteForce(quantize=score == "int8"),
        reorder=REORDERS[reorder],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sl.errors.ScannliteWarning)
        return sl.Index.build(rows(n, d, kind), options, threads=1)


def check(found, q, k, **arguments):
    layout = found._plan.layout
    one = twin.search_by_codes if layout.lookup == LOOKUP_16 else twin.search_by_scores
    p = arguments.get("leaves_to_search", found._p)
    R = arguments.get("pre_reorder_num_neighbors", found._R)
    distances, ids = one(layout, q, k, p, R if k < R else found._at_least(k))
    neighbors = found.search(q, k, **arguments)
    assert same_bits(neighbors.ids, ids)
    assert same_bits(neighbors.distances, distances)


def queries(n, d, kind):
    X = rows(n, d, kind)
    rng = np.random.default_rng(1)
    return [X[0], rng.standard_normal(d).astype(np.float32), np.zeros(d, np.float32)]


@needs_numba
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_every_kind_of_index(case):
    for kind in ("normal", "ties", "repeated"):
        for q in queries(300, 25, kind):
            for k in (1, 10, 400):
                check(index(case, 300, 25, 3, kind), q, k)


@needs_numba
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape(shape):
    n, d, b = shape
    for case in CASES[:: 1 if n < 300 else 3]:
        for q in queries(n, d, "normal"):
            for k in (1, n + 3):
                check(index(case, n, d, b), q, k)


@needs_numba
@modest
@given(st.sampled_from(CASES), st.integers(1, 330), st.integers(1, 7), st.integers(1, 300), seeds)
def test_any_query(case, k, p, R, seed):
    arguments = {}
    found = index(case, 300, 25, 3)
    if case[1] == "tree":
        arguments["leaves_to_search"] = p
    if case[3] != "bare":
        arguments["pre_reorder_num_neighbors"] = R
    rng = np.random.default_rng(seed)
    q = rng.standard_normal(25) * 10.0 ** rng.integers(-12, 12)
    check(found, q.astype(np.float32), k, **arguments)


@needs_numba
def test_more_blocks_than_a_sample_and_more_finalists_than_are_counted():
    for score, k in itertools.product(("lut16", "lut256", "float", "int8"), (10, 500)):
        found = index(("squared_l2", "tree", score, "bare"), 6000, 8, 2)
        check(found, rows(6000, 8, "normal")[5], k, leaves_to_search=7)
        check(found, rows(6000, 8, "normal")[6], k)


@needs_numba
@pytest.mark.parametrize("scale", [1e-12, 1e10, 1e14, 1e16])
@pytest.mark.parametrize("case", [case for case in CASES if case[2] in ("lut16", "projected")])
def test_products_near_the_ends_of_float32(case, scale):
    """Squares of scores leave float32 here: still every id is a row's, and comes once."""
    metric, tree, score, reorder = case
    codes = ScoreAH(3, projection=19 if score == "projected" else None)
    options = ScaNNOptions(metric, tree=TREES[tree], score_ah=codes, reorder=REORDERS[reorder])
    X = (rows(300, 25, "normal") * scale).astype(np.float32)
    found = sl.Index.build(X, options, threads=1)
    for q in (X[0], X[1] / np.float32(scale), np.zeros(25, np.float32)):
        check(found, q, 20)
        ids = found.search(q, 20).ids
        ids = ids[ids >= 0]
        assert len(set(ids.tolist())) == len(ids)
        assert ids.max(initial=0) < 300


def test_no_rows():
    found = sl.Index.build(np.empty((0, 4), np.float32))
    distances, ids = found.search(np.ones(4, np.float32), 3)
    assert np.isposinf(distances).all()
    assert (ids == -1).all()


def test_selection_of_ties():
    bytes_ = np.full((2, 64), 7, np.uint8)
    bytes_[1, 60:] = 255
    bytes_[1, 3] = 2
    found = twin.select_bytes(bytes_, 10, ties=False)
    assert found.tolist() == [*range(14), 67]  # 67 is nearer; room for 14 that tie
    assert len(twin.select_bytes(bytes_, 10, ties=True)) == 124
    assert len(twin.select_bytes(bytes_, 1000, ties=False)) == 124


def test_best_of_ties():
    scores = np.float32([1, 3, 3, 3, 2, 0])
    assert twin.keep_best(scores, 2, 0).tolist() == [1, 2, 3]
    assert twin.keep_best(scores, 6, 0).tolist() == [*range(6)]


@pytest.mark.parametrize("scale", [1e-21, 1e-20, 1e-18, 1.0, 1e14])
def test_ranks_too_close_for_bytes_still_choose(scale):
    """Ranks whose range is near the least float32 end the choice of leaves, exactly."""
    X = (np.random.default_rng(0).standard_normal((400, 8)) * scale).astype(np.float32)
    tree = sl.Tree(200, 20, min_partition_size=0)
    options = sl.ScaNNOptions("dot_product", tree=tree, score_brute_force=sl.ScoreBruteForce())
    index = sl.Index.build(X, options)
    alone = twin.search_by_scores(index._plan.layout, X[0], 3, 20, 0)
    assert np.array_equal(index.search(X[0], 3).ids, alone[1])
