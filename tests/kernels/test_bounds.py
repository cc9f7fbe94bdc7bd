"""Rows that bounds rule out are rows that are not among the nearest: answers stay the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scannlite as sl
from scannlite.kernels import compiled
from scannlite.kernels.reference.device import search_on_device as twin
from tests.kernels.test_device import Phone, answers, assert_same, kernel
from tests.strategies import examples, same_bits, seeds

needs_numba = pytest.mark.skipif(not compiled(), reason="kernels are not compiled here")

f4 = np.float32
KINDS = ("normal", "alike", "repeated", "mixed", "far", "tiny")


def _ordered(seed, m, sizes, kind):
    """An index of single dimensions, its centers in order, as ``Index.build`` has them."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((m, 256))
    if kind == "alike":
        centers = np.round(centers)
    if kind == "mixed":
        centers *= 10.0 ** rng.integers(-3, 4, (m, 1))
    if kind == "far":
        centers += 1000
    if kind == "tiny":
        centers *= 1e-30
    codebooks = [np.sort(block).astype(np.float32)[:, None] for block in centers]
    # Codes of correlated numbers, so that some rows are much nearer than others.
    latent = rng.standard_normal((sum(sizes), 1)) + 0.5 * rng.standard_normal((sum(sizes), m))
    codes = np.clip(128 + 40 * latent, 0, 255).astype(np.uint8)
    if kind == "repeated":
        codes = codes[rng.integers(0, max(1, len(codes) // 20), len(codes))]
    parts = np.split(codes, np.cumsum(sizes)[:-1])
    leaves = rng.standard_normal((len(sizes), m)).astype(np.float32)
    return Phone("dot_product", parts, codebooks, "int8", leaves=leaves, ranked_by="dot_product")


@st.composite
def ordered(draw):
    """(phone, q, k, p)."""
    m = draw(st.sampled_from([1, 2, 16, 31, 32, 33, 65, 128, 256]))
    sizes = draw(st.lists(st.sampled_from([0, 1, 63, 64, 65, 300, 700]), min_size=2, max_size=4))
    found = _ordered(draw(seeds), m, sizes, draw(st.sampled_from(KINDS)))
    q = np.random.default_rng(draw(seeds)).standard_normal(m) * draw(
        st.sampled_from([1, 1e-20, 1e15, 0])
    )
    k = draw(st.sampled_from([1, 3, 10, 100, sum(sizes) + 1]))
    return found, q.astype(np.float32), k, draw(st.integers(1, len(sizes)))


@examples(100)
@given(ordered())
def test_answers_are_those_of_a_model_that_sums_everything(search):
    """Whatever the ties, the span of the tables and the number of rows."""
    found, q, k, p = search
    index = found.index()
    assert index._plan.layout.bounded == 1
    assert_same(answers(index, q, k, p), found.search(q, k, p))


@needs_numba
@examples(100)
@given(ordered())
def test_kernel_equals_twin(search):
    """Bit for bit: the twin knows nothing of bounds."""
    found, q, k, p = search
    index = found.index()
    assert_same(kernel(index, q, k, p), twin(index._plan.layout, q, k, p, 0))


def test_centers_of_single_dimensions_are_built_in_order():
    """So that what is built here can be bounded, and what has centers in any order is not."""
    X = np.random.default_rng(0).standard_normal((600, 8)).astype(np.float32)
    options = sl.ScaNNOptions("dot_product", score_ah=sl.ScoreAH(1)).for_device()
    built = sl.Index.build(X, options)
    assert built._plan.layout.bounded == 1
    assert (np.diff(built._arrays.codebooks[:, :, 0]) >= 0).all()
    shuffled = _ordered(0, 8, [100, 100], "normal")
    shuffled.codebooks[3][:] = shuffled.codebooks[3][::-1].copy()
    assert shuffled.index()._plan.layout.bounded == 0


@pytest.mark.parametrize("measure", ["squared_l2", "dot_product"])
def test_other_tables_are_not_bounded(measure):
    """Two dimensions a block have no order, squared distances are not monotone."""
    X = np.random.default_rng(0).standard_normal((600, 8)).astype(np.float32)
    b = 1 if measure == "squared_l2" else 2
    options = sl.ScaNNOptions(measure, score_ah=sl.ScoreAH(b)).for_device()
    index = sl.Index.build(X, options)
    assert index._plan.layout.bounded == 0
    found = index.search(X[5], 10)
    expected = twin(index._plan.layout, X[5], 10, 1, 0)
    assert same_bits(found.distances, expected[0])
    assert same_bits(found.ids, expected[1])
