"""A head for pictures and a tower for sentences, trained to agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from examples.dual_encoder.loss import contrastive_loss

__all__ = ["Batch", "Captions", "Schedule", "Trained", "chunked", "fit", "optimizer_of", "seen_by"]

_HOTTEST, _COLDEST = 30.0, 100.0  # one over the temperature: at the start, and at most


class Captions(NamedTuple):
    """Sentences and which of a batch's pictures each is true of.

    ``words`` are arrays of numbers (q_i, L_i) int32, sentences of like lengths together; ``truth``
    is (q, n) bool, q the sum of all q_i.
    """

    words: tuple[NDArray[np.int32], ...]
    truth: NDArray[np.bool_]


class Batch(NamedTuple):
    """What one step of the training sees: what the trunk saw in n pictures, and sentences."""

    seen: NDArray[Any]
    captions: Captions


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn, and what.

    Attributes:
        steps: batches in all.
        rate: the highest rate, reached after ``warmup`` steps and falling to nothing as a cosine.
        warmup: steps.
        back: the weight of the direction from pictures to sentences, where the other's is 1.
    """

    steps: int
    rate: float = 2e-3
    warmup: int = 100
    back: float = 1.0


@dataclass(frozen=True)
class Trained:
    """Two towers as ``.tflite`` files, and what was measured of them before they were written."""

    image: bytes
    text: bytes
    figures: dict[str, float]

    def write(self, folder: Path) -> None:
        """Write ``image.tflite`` and ``text.tflite``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "image.tflite").write_bytes(self.image)
        (folder / "text.tflite").write_bytes(self.text)


def optimizer_of(schedule: Schedule) -> keras.Optimizer:
    """AdamW with the rates of a schedule."""
    rates = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(schedule.steps - schedule.warmup, 1),
        alpha=0.01,
        warmup_target=schedule.rate,
        warmup_steps=schedule.warmup,
    )
    return keras.optimizers.AdamW(rates, weight_decay=1e-3, beta_2=0.98, clipnorm=1.0)


def fit(
    head: keras.Model,
    tower: keras.Model,
    batch_of: Callable[[int], Batch],
    schedule: Schedule,
    report: Callable[[int, float, float], None],
) -> None:
    """Train both, and the temperature with them.

    Args:
        head: from what a trunk sees to embeddings.
        tower: from numbers of words to embeddings.
        batch_of: makes the batch of a step; called in another thread, one step ahead.
        schedule: how long and how fast.
        report: told each step's number, its loss and one over the temperature.
    """
    sharpness = tf.Variable(np.log(_HOTTEST), dtype=tf.float32)
    weights = [*head.trainable_variables, *tower.trainable_variables, sharpness]
    optimizer = optimizer_of(schedule)
    optimizer.build(weights)

    @tf.function(reduce_retracing=True)
    def step(seen: Any, words: tuple[Any, ...], truth: Any) -> Any:
        with tf.GradientTape() as tape:
            pictures = head(seen, training=True)
            sentences = tf.concat([tower(part, training=True) for part in words], 0)
            scale = tf.exp(tf.minimum(sharpness, np.log(_COLDEST)))
            scores = scale * tf.matmul(sentences, pictures, transpose_b=True)
            loss = contrastive_loss(scores, truth, schedule.back)
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss, scale

    for number, batch in enumerate(_ahead(batch_of, schedule.steps)):
        words = tuple(map(tf.constant, batch.captions.words))
        truth = tf.constant(batch.captions.truth)
        loss, scale = step(tf.constant(batch.seen, tf.float32), words, truth)
        report(number, float(loss), float(scale))


def _ahead(batch_of: Callable[[int], Batch], steps: int) -> Iterator[Batch]:
    """Batches, the next of which is made while one is learned from."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(batch_of, 0)
        for number in range(1, steps + 1):
            batch = waiting.result()
            if number < steps:
                waiting = pool.submit(batch_of, number)
            yield batch


def seen_by(model: keras.Model, chunks: Iterable[NDArray[Any]]) -> NDArray[np.float32]:
    """What a model makes of many inputs, (n, ...) float32.

    Args:
        model: of one input.
        chunks: the inputs, some at a time.
    """
    run = tf.function(lambda x: model(x, training=False), reduce_retracing=True)
    dtype = model.inputs[0].dtype
    return np.concatenate([run(tf.constant(chunk, dtype)).numpy() for chunk in chunks])


def chunked(inputs: NDArray[Any], size: int = 256) -> Iterator[NDArray[Any]]:
    """An array, some rows at a time."""
    for at in range(0, len(inputs), size):
        yield inputs[at : at + size]
