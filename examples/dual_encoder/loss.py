"""The symmetric contrastive loss."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["contrastive_loss"]

_Tensor = Any
_NEVER = -1e9


def contrastive_loss(scores: _Tensor, truth: _Tensor) -> _Tensor:
    """How badly scores tell what belongs together, the mean of both directions.

    Each true pair competes with the false pairs of its row, then with those of its column. Where
    every sentence is true of one picture only, this is the usual cross-entropy of a batch; pairs
    that happen to be true as well are no negatives here.

    Args:
        scores: (q, n) float32, of q sentences and n pictures, divided by the temperature.
        truth: (q, n) bool, which sentence is true of which picture.

    Returns:
        A scalar.
    """
    false = tf.where(truth, _NEVER, scores)
    true = tf.cast(truth, tf.float32)
    return sum(_one_way(scores, false, true, axis) for axis in (0, 1)) / 2


def _one_way(scores: _Tensor, false: _Tensor, true: _Tensor, axis: int) -> _Tensor:
    rivals = tf.reduce_logsumexp(false, axis=axis, keepdims=True)
    losses = tf.reduce_sum(tf.nn.softplus(rivals - scores) * true, axis)
    return tf.reduce_mean(losses / tf.maximum(tf.reduce_sum(true, axis), 1.0))
