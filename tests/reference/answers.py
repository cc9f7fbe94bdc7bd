"""When two searchers answer the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scannlite import Index
from scannlite.types import AnyArray
from tests.reference.client import Found
from tests.strategies import same_bits

__all__ = ["assert_same_answers"]


def assert_same_answers(
    index: Index, Q: AnyArray, k: int, theirs: Sequence[Found], items: Sequence[bytes]
) -> None:
    """The k nearest are as many and as far, and each item found is as far as it is here.

    So ties may fall as they like, also the last ones, of which some are left out. Distances by
    codes are the same to the last bit.

    Args:
        index: which has items of metadata by id, no two alike.
        Q: (q, d) float32.
        k: neighbours that were asked for.
        theirs: what was found for each query.
        items: metadata by id.
    """
    everything = index.search(Q, len(index))
    for q, distances, ids, found in zip(Q, *everything, theirs, strict=True):
        distance_of = {items[i]: x for i, x in zip(ids, distances, strict=True) if i >= 0}
        nearest = index.search(q, k).distances[: len(distance_of)]
        listed = np.array([distance_of[item] for item in found.metadata], np.float32)
        assert len(set(found.metadata)) == len(found.metadata)
        for ours in (nearest, listed):
            if index.options.score_ah is not None:
                assert same_bits(ours, found.distances)
            else:
                tolerance = 1e-6 * (1 + float(q @ q))
                np.testing.assert_allclose(ours, found.distances, rtol=0, atol=tolerance)
