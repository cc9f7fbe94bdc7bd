"""How often a sentence finds the picture it was written for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["recall_at"]


def recall_at(
    sentences: NDArray[np.float32], pictures: NDArray[np.float32], own: NDArray[np.int64]
) -> dict[str, float]:
    """Recall@1, @5 and @10 from text to image.

    Args:
        sentences: (q, d).
        pictures: (n, d).
        own: (q,), the row of the picture that each sentence was written for.
    """
    scores = sentences @ pictures.T
    before = (scores > scores[np.arange(len(own)), own][:, None]).sum(axis=1)
    return {f"recall@{k}": round(float(np.mean(before < k)), 4) for k in (1, 5, 10)}
