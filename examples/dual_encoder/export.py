"""Towers as ``.tflite`` files that the Task Library and scannlite take as embedders."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from examples.dual_encoder.metadata import described_image_tower, described_text_tower
from examples.dual_encoder.vocabulary import Vocabulary
from scannlite.scenes.words import PATTERN

__all__ = ["exported_image_tower", "exported_text_tower"]


def exported_image_tower(tower: keras.Model, description: str) -> bytes:
    """A tower of (1, H, W, 3) uint8, weights as float16."""
    _, height, width, channels = tower.input_shape

    def embedding(image: Any) -> Any:
        return tower(tf.cast(image, tf.float32), training=False)

    spec = tf.TensorSpec((1, height, width, channels), tf.uint8, name="image")
    return described_image_tower(_converted(embedding, spec), description)


def exported_text_tower(
    tower: keras.Model, vocabulary: Vocabulary, length: int, description: str
) -> bytes:
    """A tower of (1, length) int32 with its vocabulary, weights as float16."""

    def embedding(words: Any) -> Any:
        return tower(words, training=False)

    spec = tf.TensorSpec((1, length), tf.int32, name="words")
    model = _converted(embedding, spec)
    return described_text_tower(model, description, pattern=PATTERN, vocabulary=vocabulary.file())


def _converted(embedding: Any, spec: Any) -> bytes:
    """Operators that every runtime has: no select ops, float32 sums over float16 weights."""
    graph = tf.function(embedding, input_signature=[spec]).get_concrete_function()
    frozen = convert_variables_to_constants_v2(graph)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())
