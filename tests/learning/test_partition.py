"""Rows in leaf order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scannlite.learning.partition import group_by_leaf


def test_by_hand():
    order, start = group_by_leaf(np.int32([2, 0, 2, 3, 0]), 5)
    assert order.tolist() == [1, 4, 0, 2, 3]
    assert start.tolist() == [0, 2, 2, 4, 5, 5]
    assert (order.dtype, start.dtype) == (np.int64, np.int64)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 6), max_size=50))
def test_every_row_once_in_its_leaf_in_order(leaves):
    leaf = np.array(leaves, np.int32)
    order, start = group_by_leaf(leaf, 7)
    for one in range(7):
        assert order[start[one] : start[one + 1]].tolist() == np.flatnonzero(leaf == one).tolist()


@pytest.mark.parametrize("L", [1 << 16, (1 << 16) + 1])
def test_many_leaves(L):
    order, start = group_by_leaf(np.int32([L - 1, 0, L - 1]), L)
    assert order.tolist() == [1, 0, 2]
    assert start[[0, 1, L - 1, L]].tolist() == [0, 1, 1, 3]
