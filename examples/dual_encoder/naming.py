"""A trunk that learns to see: it names what is in each cell of a scene.

A large trunk comes with such an education from ImageNet; the small one gets it here, from pictures
other than those that it is judged by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from examples.dual_encoder.training import Schedule, optimizer_of
from scannlite.scenes.describe import BACKGROUNDS, COLOURS, SHAPES, SIZES, TEXTURES, Scene

__all__ = ["CHOICES", "Names", "learn_to_name", "names_of"]

_ATTRIBUTES = {"shape": SHAPES, "colour": COLOURS, "size": SIZES, "texture": TEXTURES}
CHOICES = (*(len(values) + 1 for values in _ATTRIBUTES.values()), len(BACKGROUNDS))
"""How many answers there are to what shape, colour, size and texture is in a cell, with one for
none at all, and to what lies behind."""

_BATCH = 128
_LEAST = 1e-7  # likelihood, so that its logarithm is finite

Names = NDArray[np.int32]
"""(n, 3, 3, 5): of each cell the number of the answer to each question."""


def names_of(scenes: Sequence[Scene]) -> Names:
    """The right answers for n scenes."""
    names = np.zeros((len(scenes), 3, 3, len(CHOICES)), np.int32)
    for cells, scene in zip(names, scenes, strict=True):
        cells[..., -1] = BACKGROUNDS.index(scene.background)
        for thing in scene.things:
            cells[thing.row, thing.column, :-1] = [
                1 + values.index(getattr(thing, name)) for name, values in _ATTRIBUTES.items()
            ]
    return names


def learn_to_name(
    trunk: keras.Model,
    pictures: NDArray[np.uint8],
    names: Names,
    epochs: int,
    report: Callable[[int, float], None],
) -> None:
    """Train a trunk that answers the questions of ``CHOICES`` about each cell.

    Args:
        trunk: changed in place.
        pictures: (n, side, side, 3).
        names: of what they show.
        epochs: how often each is looked at, in another order each time.
        report: told each step's number and its loss.
    """
    weights = trunk.trainable_variables
    each = len(pictures) // _BATCH
    optimizer = optimizer_of(Schedule(epochs * each, rate=3e-3, warmup=50))
    optimizer.build(weights)

    @tf.function
    def step(pixels: Any, names: Any) -> Any:
        with tf.GradientTape() as tape:
            said = tf.split(trunk(tf.cast(pixels, tf.float32), training=True), CHOICES, axis=-1)
            loss = sum(_surprise(names[..., number], one) for number, one in enumerate(said))
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(len(pictures))
        for number in range(each):
            rows = np.sort(order[number * _BATCH : (number + 1) * _BATCH])
            loss = step(pictures[rows], names[rows])
            report(epoch * each + number, float(loss))


def _surprise(right: Any, said: Any) -> Any:
    likelihood = tf.gather(said, right, axis=-1, batch_dims=3)
    return -tf.reduce_mean(tf.math.log(tf.maximum(likelihood, _LEAST)))
