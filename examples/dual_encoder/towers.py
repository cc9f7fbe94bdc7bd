"""The two towers, in Keras: each ends in vectors of length 1 in the space that they share.

The tower of pictures is a trunk that can see, and a head that is trained with the sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

__all__ = ["DIMENSIONS", "cells_trunk", "efficientnet_trunk", "head_of", "joined", "text_tower"]

_Tensor = Any
DIMENSIONS = 128
_FLAT = 2  # dimensions of what a trunk sees that has no rows and columns


@keras.saving.register_keras_serializable("dual_encoder")
class UnitLength(layers.Layer):
    """Scales each vector to length 1."""

    def call(self, x: _Tensor) -> _Tensor:
        """The vectors (n, d), scaled."""
        return x * ops.rsqrt(ops.sum(x * x, axis=-1, keepdims=True) + 1e-12)


@keras.saving.register_keras_serializable("dual_encoder")
class WordMask(layers.Layer):
    """1 where there is a word, 0 where the sentence is padded."""

    def call(self, numbers: _Tensor) -> _Tensor:
        """Numbers (q, L) int32 to (q, L, 1) float32."""
        return ops.expand_dims(ops.cast(ops.minimum(numbers, 1), "float32"), -1)


def cells_trunk(choices: Sequence[int]) -> keras.Model:
    """A small trunk for pictures of few things: (n, 96, 96, 3) of 0 to 255 to (n, 3, 3, c).

    It looks at three by three overlapping cells, at all with the same eyes, and answers the same
    questions about each.

    Args:
        choices: how many answers there are to each question. Their sum is c: of each question the
            likelihoods of its answers.
    """
    pixels = keras.Input((96, 96, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0)(pixels)
    x = _convolved(x, 40, kernel=6, strides=4)
    x = _residual(x)
    x = _convolved(x, 80, kernel=3, strides=2)
    x = _residual(_residual(x))
    x = _normalised(layers.Conv2D(160, 6, strides=3, use_bias=False)(x))
    answers = [layers.Dense(count, activation="softmax")(x) for count in choices]
    return keras.Model(pixels, layers.Concatenate()(answers), name="cells")


def _convolved(x: _Tensor, filters: int, *, kernel: int, strides: int = 1) -> _Tensor:
    x = layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False)(x)
    return _normalised(x)


def _normalised(x: _Tensor) -> _Tensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def _residual(x: _Tensor) -> _Tensor:
    return x + _convolved(x, x.shape[-1], kernel=3)


def efficientnet_trunk(side: int = 224, weights: str | None = "imagenet") -> keras.Model:
    """EfficientNetB0: (n, side, side, 3) of 0 to 255 to (n, 1280).

    Args:
        side: of the pictures.
        weights: ``"imagenet"``, which Keras downloads, or None for random ones.
    """
    pixels = keras.Input((side, side, 3), name="image")
    trunk = keras.applications.EfficientNetB0(
        include_top=False, weights=weights, input_tensor=pixels, pooling="avg"
    )
    return keras.Model(pixels, trunk.output, name="efficientnet")


def head_of(trunk: keras.Model, width: int = 512, dimensions: int = DIMENSIONS) -> keras.Model:
    """What makes an embedding (n, dimensions) of what a trunk sees, (n, c) or (n, 3, 3, c).

    Cells are all thought about in the same way. What is thought of them is added up over each row
    and over each column, since sentences speak of those or, more often, of no place at all.

    Args:
        trunk: sees.
        width: of what is thought about a cell.
        dimensions: of the space.
    """
    seen = keras.Input(trunk.output_shape[1:], name="seen")
    x = layers.Dense(width, activation="relu")(seen)
    if len(x.shape) > _FLAT:
        sums = [layers.Flatten()(ops.sum(x, axis=axis)) for axis in (1, 2)]
        x = layers.Concatenate()(sums)
    return keras.Model(seen, UnitLength()(layers.Dense(dimensions)(x)), name="head")


def joined(trunk: keras.Model, head: keras.Model) -> keras.Model:
    """The whole tower of pictures."""
    return keras.Model(trunk.input, head(trunk.output), name="image_tower")


def text_tower(
    words: int,
    length: int | None = None,
    dimensions: int = DIMENSIONS,
    *,
    width: int = 64,
    dilations: Sequence[int] = (1, 2, 4),
) -> keras.Model:
    """A sentence encoder: numbers of words (q, length) to (q, dimensions).

    Words are embedded, look at their neighbours further and further away, and are added up.

    Args:
        words: how many numbers there are; 0 pads.
        length: of sentences, None for any.
        dimensions: of the space.
        width: of what a word is on the way.
        dilations: the distance to a word's two neighbours, layer by layer.
    """
    numbers = keras.Input((length,), dtype="int32", name="words")
    mask = WordMask()(numbers)
    x = layers.Embedding(words, width)(numbers) * mask
    for dilation in dilations:
        seen = layers.Conv1D(width, 3, dilation_rate=dilation, padding="same")(x)
        x = (x + layers.ReLU()(seen)) * mask
    x = layers.Dense(4 * width, activation="relu")(x) * mask
    x = UnitLength()(ops.sum(x, axis=1))
    x = layers.Dense(8 * width, activation="relu")(x)
    return keras.Model(numbers, UnitLength()(layers.Dense(dimensions)(x)), name="text_tower")
