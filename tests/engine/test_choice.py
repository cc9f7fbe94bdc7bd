"""What is chosen for those who choose nothing."""

from __future__ import annotations

import numpy as np
import pytest

from scannlite import InvalidInput
from scannlite.engine.choice import choose_options, options_for
from scannlite.engine.options import Reorder, ScaNNOptions, ScoreBruteForce
from tests.strategies import clustered

measures = pytest.mark.parametrize("measure", ["dot_product", "squared_l2", "cosine"])


@measures
@pytest.mark.parametrize("uneven", [1.0, 2.5])
@pytest.mark.parametrize("d", [1, 2, 3, 8, 784])
@pytest.mark.parametrize("n", [0, 1, 1999, 2000, 10_000, 1_000_000])
def test_chosen_options_fit(n, d, uneven, measure):
    options = choose_options(n, d, measure, uneven)
    assert options.distance_measure == measure
    if n < 2000:
        assert options == ScaNNOptions(measure, score_brute_force=ScoreBruteForce())
        return
    assert 4 <= options.tree.num_leaves_to_search <= options.tree.num_leaves <= n // 32
    assert options.score_ah.dimensions_per_block <= d
    assert options.reorder == Reorder(100)
    projected = options.score_ah.projection
    assert projected == (min(3 * -(-d // 4), 192) if uneven > 2 and d >= 8 else None)
    threshold = options.score_ah.anisotropic_quantization_threshold
    assert (threshold is not None) == (measure == "cosine" and d > 1)


@measures
def test_uneven_rows_get_a_rotation_and_even_rows_do_not(measure):
    X = clustered(3000, 16, seed=0)
    assert options_for(X, measure).score_ah.projection is None
    X[:, 4:] *= 0.1
    assert options_for(X, measure).score_ah.projection == 12
    assert options_for(X[:1999], measure).score_ah is None


@measures
def test_rows_all_alike_are_chosen_for(measure):
    for X in (np.zeros((2500, 9)), np.ones((2500, 9), np.int8)):
        assert options_for(X, measure).score_ah.dimensions_per_block == 2


def test_rows_looked_at_must_be_finite():
    X = clustered(2500, 9, seed=0)
    X[7, 3] = np.nan
    with pytest.raises(InvalidInput, match="row 7, column 3"):
        options_for(X, "squared_l2")
