"""What goes into the tasks beside a model, and what comes out of them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from scannlite.types import AnyArray

__all__ = [
    "BoundingBox",
    "Embedding",
    "EmbeddingOptions",
    "EmbeddingResult",
    "FeatureVector",
    "NearestNeighbor",
    "SearchOptions",
    "SearchResult",
]

# ---- options -----------------------------------------------------------------------------------


@dataclass(slots=True)
class EmbeddingOptions:
    """What is done to an embedding.

    Attributes:
        l2_normalize: whether it is scaled to length 1.
        quantize: whether it is rounded to bytes; searchers refuse that.
    """

    l2_normalize: bool | None = None
    quantize: bool | None = None


@dataclass(slots=True)
class SearchOptions:
    """What is searched; without a name or content it is the index inside the model.

    Attributes:
        index_file_name: path of an index: ``.ldb``, ``.tflite`` with one inside, or ``.npz``.
        index_file_content: an index itself; if it is given, the path is not looked at.
        max_results: neighbours wanted; None for 5.
    """

    index_file_name: str | os.PathLike[str] | None = None
    index_file_content: bytes | None = None
    max_results: int | None = 5


@dataclass(slots=True)
class BoundingBox:
    """A part of an image, in pixels from its upper left corner."""

    origin_x: int
    origin_y: int
    width: int
    height: int


# ---- results -----------------------------------------------------------------------------------


@dataclass(slots=True)
class NearestNeighbor:
    """One neighbour.

    Attributes:
        metadata: what the maker of the index wrote for its row.
        distance: from the query; smaller is closer.
    """

    metadata: bytearray
    distance: float


@dataclass(slots=True)
class SearchResult:
    """All neighbours that were found, nearest first."""

    nearest_neighbors: list[NearestNeighbor]


@dataclass(slots=True)
class FeatureVector:  # noqa: PLW1641 - its numbers may change
    """The numbers of an embedding.

    Attributes:
        value: (d,) float32; with ``quantize`` uint8, the bytes of int8 numbers.
    """

    value: AnyArray

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FeatureVector):
            return NotImplemented
        return np.array_equal(self.value, other.value)


@dataclass(slots=True)
class Embedding:
    """What one output of a model gave.

    Attributes:
        feature_vector: its numbers.
        output_index: the number of the output.
    """

    feature_vector: FeatureVector
    output_index: int


@dataclass(slots=True)
class EmbeddingResult:
    """What an embedder made of one item: one embedding."""

    embeddings: list[Embedding]
