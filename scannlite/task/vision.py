"""Images: ``ImageSearcher``, ``ImageEmbedder`` and the ``TensorImage`` that they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, overload

from scannlite.embedders.image import crop, image_embedder
from scannlite.errors import InvalidInput
from scannlite.task.embedding import EmbedderOptions, TaskEmbedder
from scannlite.task.opening import as_kind
from scannlite.task.processor import BoundingBox, Embedding, EmbeddingResult, SearchResult
from scannlite.task.searching import Searcher, SearcherOptions
from scannlite.task.tensor_image import ColorSpaceType, TensorImage
from scannlite.types import AnyArray

__all__ = [
    "ColorSpaceType",
    "ImageEmbedder",
    "ImageEmbedderOptions",
    "ImageSearcher",
    "ImageSearcherOptions",
    "TensorImage",
]

Image: TypeAlias = TensorImage | AnyArray
Images: TypeAlias = list[TensorImage] | list[AnyArray] | list[Image] | tuple[Image, ...]


@dataclass(slots=True)
class ImageSearcherOptions(SearcherOptions):
    """Options of an ``ImageSearcher``."""


@dataclass(slots=True)
class ImageEmbedderOptions(EmbedderOptions):
    """Options of an ``ImageEmbedder``."""


class ImageSearcher(Searcher):
    """Finds what is nearest to an image, from any number of threads."""

    _options_of = ImageSearcherOptions
    _embedder_of = staticmethod(image_embedder)

    @overload
    def search(self, image: Image, bounding_box: BoundingBox | None = None) -> SearchResult: ...
    @overload
    def search(
        self, image: Images, bounding_box: BoundingBox | None = None
    ) -> list[SearchResult]: ...
    def search(self, image: Any, bounding_box: BoundingBox | None = None) -> Any:
        """Find the nearest neighbours of an image.

        Args:
            image: a ``TensorImage`` or an (H, W, 3) uint8 array, or several in a list or tuple.
            bounding_box: the part of it that counts, of each of several; None for all.

        Returns:
            A ``SearchResult``, or one for each image.

        Raises:
            InvalidInput: the model cannot use the image, or the part is not inside it.
            InvalidType: not an image.
            ModelError: the model fails.
        """
        if isinstance(image, (list, tuple)):
            return [self._nearest(_pixels(one, bounding_box)) for one in image]
        return self._nearest(_pixels(image, bounding_box))


class ImageEmbedder(TaskEmbedder):
    """Turns images into vectors, from any number of threads."""

    _options_of = ImageEmbedderOptions
    _embedder_of = staticmethod(image_embedder)

    @overload
    def embed(self, image: Image, bounding_box: BoundingBox | None = None) -> EmbeddingResult: ...
    @overload
    def embed(
        self, image: Images, bounding_box: BoundingBox | None = None
    ) -> list[EmbeddingResult]: ...
    def embed(self, image: Any, bounding_box: BoundingBox | None = None) -> Any:
        """Embed an image.

        Args:
            image: a ``TensorImage`` or an (H, W, 3) uint8 array, or several in a list or tuple.
            bounding_box: the part of it that counts, of each of several; None for all.

        Returns:
            An ``EmbeddingResult``, or one for each image.

        Raises:
            InvalidInput: the model cannot use the image, or the part is not inside it.
            InvalidType: not an image.
            ModelError: the model fails.
        """
        if isinstance(image, (list, tuple)):
            return [self._embedding_of(_pixels(one, bounding_box)) for one in image]
        return self._embedding_of(_pixels(image, bounding_box))

    def get_embedding_by_index(self, result: EmbeddingResult, output_index: int) -> Embedding:
        """One embedding of a result.

        Args:
            result: what ``embed`` returned.
            output_index: its place there.

        Raises:
            InvalidInput: there is no such place.
        """
        if not 0 <= output_index < len(result.embeddings):
            raise InvalidInput(
                f"output_index must be from 0 to {len(result.embeddings) - 1}, got {output_index}."
            )
        return result.embeddings[output_index]


def _pixels(image: Any, box: BoundingBox | None) -> Any:
    """What the embedder takes: the part of an image that a box bounds."""
    pixels = image.buffer if isinstance(image, TensorImage) else image
    if box is None:
        return pixels
    as_kind("bounding_box", box, BoundingBox)
    return crop(pixels, box.origin_x, box.origin_y, box.width, box.height)
