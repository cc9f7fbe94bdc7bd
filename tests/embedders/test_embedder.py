"""``Embedder``: what every kind of model has in common."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scannlite.embedders.embedder import Embedder, l2_normalized
from scannlite.embedders.model import Model
from scannlite.errors import InvalidInput, ModelError
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime

ROWS = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)


class Numbers:
    """Items are lists of token numbers: a run for each."""

    kind = "text"
    output = 0

    def prepare(self, item):
        if not item:
            raise InvalidInput("item must hold a number, got none.")
        return [[np.array([[number]], np.int32)] for number in item]


def embedder(content=None, **options):
    model = Model.read(models.regex_model(ROWS) if content is None else content)
    return Embedder(model, lambda *_: Numbers(), num_threads=1, **options)


def test_two_numbers_are_normalised_by_hand():
    """3 and 4 become 0.6 and 0.8; zeros have no direction and stay."""
    assert l2_normalized(np.float32([3, 4])).tolist() == np.float32([0.6, 0.8]).tolist()
    assert l2_normalized(np.zeros(3, np.float32)).tolist() == [0, 0, 0]


@given(arrays(np.float32, st.integers(1, 300), elements=st.floats(-100, 100, width=32)))
def test_normalising_adds_squares_one_by_one(x):
    total = np.float32(0)
    for number in x:
        total += number * number
    found = l2_normalized(x)
    assert found.dtype == np.float32
    if total > 0:
        assert found.tobytes() == (x * (np.float32(1) / np.sqrt(total))).tobytes()
    if total > 1e-30:
        assert math.isclose(float(np.linalg.norm(found.astype(float))), 1, rel_tol=1e-4)


@needs_runtime
def test_an_item_becomes_a_vector():
    found = embedder().embed([7])
    assert (found.shape, found.dtype) == ((4,), np.float32)
    assert found.tobytes() == ROWS[7].tobytes()
    assert embedder().dimensions == 4
    assert embedder().kind == "text"


@needs_runtime
def test_an_item_of_several_runs_is_their_mean_then_normalised():
    mean = ((ROWS[1].astype(float) + ROWS[2] + ROWS[6]) / 3).astype(np.float32)
    assert embedder().embed([1, 2, 6]).tobytes() == mean.tobytes()
    normal = embedder(l2_normalize=True).embed([1, 2, 6])
    assert normal.tobytes() == l2_normalized(mean).tobytes()


@needs_runtime
@pytest.mark.parametrize(("dtype", "zero_point"), [("uint8", 100), ("int8", -3)])
def test_quantised_outputs_become_floats(dtype, zero_point):
    """Scale times (v - zero_point), so within half a step of what was quantised."""
    scale = 1 / 32
    content = models.regex_model(ROWS, output=dtype, scale=scale, zero_point=zero_point)
    found = embedder(content).embed([5])
    np.testing.assert_allclose(found, ROWS[5], atol=scale / 2)
    steps = found / np.float32(scale)
    assert np.array_equal(steps, np.rint(steps))


@needs_runtime
def test_four_dimensions_are_as_good_as_two():
    class Pixels(Numbers):
        kind = "image"

        def prepare(self, item):
            return [[item[None]]]

    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    model = Model.read(models.image_model(2, 3, four_d=True, metadata=False))
    found = Embedder(model, lambda *_: Pixels()).embed(image)
    assert found.tolist() == image.reshape(-1).tolist()


@needs_runtime
def test_a_batch_is_its_items_whatever_the_threads():
    items = [[row] for row in range(9)] * 5
    for threads in (1, 2, 7, None):
        assert (
            embedder().embed_batch(items, threads=threads).tobytes()
            == np.tile(ROWS, (5, 1)).tobytes()
        )
    assert embedder().embed_batch([]).shape == (0, 4)
    with pytest.raises(InvalidInput, match="item must hold a number"):
        embedder().embed_batch([[1], []], threads=2)


@needs_runtime
def test_threads_share_an_embedder():
    shared = embedder()

    def ask(row):
        return shared.embed([row % 9]).tobytes() == ROWS[row % 9].tobytes()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(2000)))
    assert len(shared._free) <= 8


@needs_runtime
def test_a_bad_item_does_no_harm():
    shared = embedder()
    with pytest.raises(ModelError):
        shared.run([[np.zeros((1, 1), np.float64)]])
    assert shared.embed([3]).tobytes() == ROWS[3].tobytes()


@needs_runtime
def test_an_output_that_is_no_embedding_is_refused():
    content = models.bert_model(1, dynamic=True)
    with pytest.raises(ModelError, match=r"output: expected an embedding of shape \(1, d\) or"):
        embedder(content)
