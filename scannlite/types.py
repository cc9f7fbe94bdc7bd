"""The alphabet: names that mean the same in code, docs and tests.

n rows · d dimensions · q queries · k neighbours · L leaves · p leaves searched ·
m blocks (subspaces) · b dimensions a block · c centers a block (16 or 256).

float32 for numbers, uint8 for codes, int32 for leaves, int64 for ids, C order.
Smaller is closer, always.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Codes", "Distance", "Floats", "Ids", "Leaves", "Neighbors", "Progress", "Signed"]

Floats: TypeAlias = NDArray[np.float32]
Codes: TypeAlias = NDArray[np.uint8]
Signed: TypeAlias = NDArray[np.int8]
Leaves: TypeAlias = NDArray[np.int32]
Ids: TypeAlias = NDArray[np.int64]
AnyArray: TypeAlias = NDArray[Any]

Distance: TypeAlias = Literal["dot_product", "squared_l2", "cosine"]
Progress: TypeAlias = Callable[[str, int, int], None]  # a stage, how much is done, of how much


class Neighbors(NamedTuple):
    """What a search returns, nearest first.

    ``distances`` float32 and ``ids`` int64, both of shape (k,) for one query and (q, k) for a
    batch. Places that could not be filled hold ``inf`` and ``-1``. ``dot_product`` is negated,
    ``squared_l2`` has no root, ``cosine`` is 1 - cos: smaller is closer.
    """

    distances: Floats
    ids: Ids
