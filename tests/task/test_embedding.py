"""What is done to embeddings: bytes and cosines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scannlite import InvalidInput
from scannlite.task.embedding import cosine_similarity, quantized
from scannlite.task.processor import FeatureVector


def test_bytes_by_hand():
    """Halves go away from 0, and what is beyond a byte to its end."""
    steps = np.float32([0, 0.5, 1.5, -0.5, -1.5, 127.4, 127.5, 128, -128, -128.5, 500]) / 128
    expected = [0, 1, 2, -1, -2, 127, 127, 127, -128, -128, 127]
    assert quantized(steps).dtype == np.uint8
    assert quantized(steps).view(np.int8).tolist() == expected


@given(arrays(np.float32, 5, elements=st.floats(-1, 1, width=32)))
def test_bytes_are_half_a_step_away_at_most(x):
    steps = quantized(x).view(np.int8).astype(np.float64)
    assert (np.abs(steps - 128 * x.astype(np.float64)) <= 0.5)[x < 127.5 / 128].all()


def test_cosines_by_hand():
    """(3, 4) and (4, 3) have 24 / 25; bytes are signed; one direction is 1 to the last bit."""
    assert cosine_similarity(vector(3, 4), vector(4, 3)) == pytest.approx(24 / 25, rel=1e-15)
    assert cosine_similarity(vector(1, 2), vector(2, 4)) == 1.0
    assert cosine_similarity(vector(1, 0), vector(0, 5)) == 0.0
    assert cosine_similarity(signed(-1, 0), signed(1, 2)) == pytest.approx(-1 / math.sqrt(5))
    doubles = FeatureVector(np.float64([3, 4]))
    assert cosine_similarity(doubles, vector(3, 4)) == 1.0


@given(arrays(np.float32, 7, elements=st.floats(-1, 1, width=32)))
def test_quantizing_hardly_turns_an_embedding(x):
    if np.linalg.norm(x) > 0.5:
        turned = signed(*quantized(x).view(np.int8))
        floats = FeatureVector(np.float32(turned.value.view(np.int8)))
        assert cosine_similarity(floats, FeatureVector(x)) > 0.99


def vector(*numbers):
    return FeatureVector(np.float32(numbers))


def signed(*numbers):
    return FeatureVector(np.int8(numbers).view(np.uint8))


@pytest.mark.parametrize(
    ("u", "v", "words"),
    [
        (vector(1, 2), vector(1, 2, 3), "must have the same length, got 2 and 3"),
        (vector(1, 2), signed(1, 2), "both be floats or both quantized, got float32 and uint8"),
        (vector(1, 2), vector(0, 0), "must not be all zeros or empty"),
        (vector(), vector(), "must not be all zeros or empty"),
        (FeatureVector(np.int64([1])), vector(1), "u must be one-dimensional, of floats or uint8"),
        (vector(1), FeatureVector(np.float32([[1]])), r"v must be one-dimensional.*\(1, 1\)"),
    ],
)
def test_vectors_that_have_no_cosine_are_refused(u, v, words):
    with pytest.raises(InvalidInput, match=words):
        cosine_similarity(u, v)
