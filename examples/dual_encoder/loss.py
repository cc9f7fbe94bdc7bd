"""The contrastive loss, from sentences to pictures and back."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["contrastive_loss"]

_Tensor = Any
_NEVER = -1e9


def contrastive_loss(scores: _Tensor, truth: _Tensor, back: float = 1.0) -> _Tensor:
    """How badly scores tell what belongs together, the mean of both directions.

    All pictures that a sentence is true of compete together with those that it is false of: what
    comes first must be true, but not all that is true must come first. So it is for a search that
    returns ten of hundreds that would do. Where every sentence is true of one picture only, this
    is the usual cross-entropy of a batch.

    Args:
        scores: (q, n) float32, of q sentences and n pictures, divided by the temperature.
        truth: (q, n) bool, which sentence is true of which picture.
        back: the weight of the direction from pictures to sentences, where the other's is 1.

    Returns:
        A scalar.
    """
    return (_one_way(scores, truth, 1) + back * _one_way(scores, truth, 0)) / (1 + back)


def _one_way(scores: _Tensor, truth: _Tensor, axis: int) -> _Tensor:
    """Over the rows or columns in which anything is true."""
    right = tf.reduce_logsumexp(tf.where(truth, scores, _NEVER), axis)
    wrong = tf.reduce_logsumexp(tf.where(truth, _NEVER, scores), axis)
    asked = tf.cast(tf.reduce_any(truth, axis), tf.float32)
    return tf.reduce_sum(tf.nn.softplus(wrong - right) * asked) / tf.reduce_sum(asked)
