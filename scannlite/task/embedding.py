"""What embedders of every kind of item share."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np

from scannlite.embedders.embedder import Embedder
from scannlite.errors import InvalidInput
from scannlite.task.core import BaseOptions
from scannlite.task.opening import EmbedderOf, as_kind, check_kinds, open_model
from scannlite.task.processor import Embedding, EmbeddingOptions, EmbeddingResult, FeatureVector
from scannlite.types import AnyArray, Codes, Floats

__all__ = ["EmbedderOptions", "TaskEmbedder", "cosine_similarity", "quantized"]

E = TypeVar("E", bound="TaskEmbedder")


@dataclass(slots=True)
class EmbedderOptions:
    """Options of an embedder; they are looked at when it is created, and not again.

    Attributes:
        base_options: the model.
        embedding_options: what is done to its embeddings.
    """

    base_options: BaseOptions
    embedding_options: EmbeddingOptions = field(default_factory=EmbeddingOptions)


class TaskEmbedder:
    """A model that turns items into vectors; used from any number of threads.

    Made by ``create_from_file`` or ``create_from_options``.
    """

    _options_of: ClassVar[type[EmbedderOptions]]
    _embedder_of: ClassVar[EmbedderOf]

    def __init__(self, options: EmbedderOptions, embedder: Embedder) -> None:
        """For ``create_from_options``: both are taken as sound."""
        self._options = options
        self._embedder = embedder
        self._quantize = bool(options.embedding_options.quantize)

    @classmethod
    def create_from_file(  # noqa: PYI019 - Self needs Python 3.11
        cls: type[E], file_path: str | os.PathLike[str]
    ) -> E:
        """Open an embedder.

        Args:
            file_path: of a ``.tflite`` file.

        Raises:
            InvalidInput: the path is empty.
            ModelError: the model is damaged, of another kind, or beyond the runtime.
            MissingExtra: no runtime is installed.
            OSError: the file cannot be read.
        """
        return cls.create_from_options(cls._options_of(BaseOptions(file_path)))

    @classmethod
    def create_from_options(cls: type[E], options: EmbedderOptions) -> E:  # noqa: PYI019
        """Open an embedder.

        Args:
            options: of this kind of embedder.

        Raises:
            InvalidInput: an option cannot be used.
            InvalidType: options are of another kind.
            ModelError: the model is damaged, of another kind, or beyond the runtime.
            MissingExtra: no runtime is installed.
            OSError: the file cannot be read.
        """
        check_kinds(options, cls._options_of)
        parts = options.base_options, options.embedding_options
        return cls(options, open_model(cls._embedder_of, *parts))

    @property
    def options(self) -> EmbedderOptions:
        """What it was created from."""
        return self._options

    @property
    def number_of_output_layers(self) -> int:
        """How many embeddings there are of an item: one, that which a searcher looks for."""
        return 1

    def get_embedding_dimension(self, output_index: int) -> int:
        """How long an embedding is.

        Args:
            output_index: the place of the embedding among those of an item.

        Returns:
            d, or -1 where there is no such embedding.
        """
        return self._embedder.dimensions if output_index == 0 else -1

    def cosine_similarity(self, u: FeatureVector, v: FeatureVector) -> float:
        """The cosine of the angle between two embeddings: 1 for the same direction.

        Raises:
            InvalidInput: they are of different lengths or kinds, empty, or one is all zeros.
            InvalidType: one is no ``FeatureVector``.
        """
        return cosine_similarity(as_kind("u", u, FeatureVector), as_kind("v", v, FeatureVector))

    def _embedding_of(self, item: Any) -> EmbeddingResult:
        """The embedding of one item."""
        found: AnyArray = self._embedder.embed(item)
        if self._quantize:
            found = quantized(found)
        output = self._embedder.preprocessor.output
        return EmbeddingResult([Embedding(FeatureVector(found), output)])


def quantized(values: Floats) -> Codes:
    """Numbers from -1 to 1 as bytes: 128 v, rounded, halves away from 0, within int8.

    Args:
        values: (d,) float32.

    Returns:
        (d,) uint8, the bytes of int8 numbers.
    """
    scaled = 128 * values.astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
    return np.clip(rounded, -128, 127).astype(np.int8).view(np.uint8)


def cosine_similarity(u: FeatureVector, v: FeatureVector) -> float:
    """Of two vectors of floats, or of two of bytes.

    Raises:
        InvalidInput: they are of different lengths or kinds, empty, or one is all zeros.
    """
    x, y = _numbers("u", u), _numbers("v", v)
    if (u.value.dtype.kind == "f") != (v.value.dtype.kind == "f"):
        raise InvalidInput(
            "u and v must both be floats or both quantized, got "
            f"{u.value.dtype} and {v.value.dtype}."
        )
    if len(x) != len(y):
        raise InvalidInput(f"u and v must have the same length, got {len(x)} and {len(y)}.")
    lengths = float(x @ x) * float(y @ y)
    if not lengths > 0:
        raise InvalidInput("u and v must not be all zeros or empty, got such a vector.")
    return float(x @ y) / math.sqrt(lengths)


def _numbers(name: str, vector: FeatureVector) -> AnyArray:
    """(d,) float64; bytes are those of int8 numbers."""
    value = np.asarray(vector.value)
    if value.ndim != 1 or not (value.dtype.kind == "f" or value.dtype in (np.uint8, np.int8)):
        raise InvalidInput(
            f"{name} must be one-dimensional, of floats or uint8, got shape {value.shape} of "
            f"{value.dtype}."
        )
    return (value.view(np.int8) if value.dtype == np.uint8 else value).astype(np.float64)
