"""Pictures as models take them: RGB pixels of one size, as bytes or normalised."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scannlite.embedders.embedder import Embedder, Kind
from scannlite.embedders.model import Model, Source
from scannlite.embedders.resize import resize
from scannlite.embedders.runtime import Inputs, Tensor
from scannlite.errors import InvalidInput, InvalidType
from scannlite.files.model_metadata import NormalizationOptions, TensorMetadata
from scannlite.types import AnyArray, Codes, Floats

__all__ = ["ImagePreprocessor", "crop", "image_embedder", "image_preprocessor"]

_f4 = np.float32
_SMALLEST_STD = np.finfo(_f4).eps  # phones take less for 0, and refuse to divide by it


def image_embedder(
    source: Source, *, l2_normalize: bool = False, num_threads: int | None = None
) -> Embedder:
    """An embedder of pictures; ``ImagePreprocessor`` says which, and what is done to them.

    Args:
        source: the path of a ``.tflite`` file, or its content.
        l2_normalize: whether embeddings are scaled to length 1.
        num_threads: of the runtime, for one item; None for its own choice.

    Raises:
        ModelError: the model is damaged, no embedder of pictures, or beyond the runtime.
        MissingExtra: no runtime is installed.
        OSError: the file cannot be read.
    """
    return Embedder(
        Model.read(source), image_preprocessor, l2_normalize=l2_normalize, num_threads=num_threads
    )


def image_preprocessor(
    model: Model, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> ImagePreprocessor:
    """What must be done to a picture before this model can take it; output 0 is the embedding.

    The input is RGB of shape (1, height, width, 3), where height and width may be open: uint8, or
    float32 with metadata that say how to normalise. int8 is refused, as phones refuse it.

    Raises:
        ModelError: the model takes no picture, not only one, or one of other numbers or colours.
    """
    if len(inputs) != 1 or not outputs:
        found = f"{len(inputs)} and {len(outputs)}"
        raise model.wrong("inputs and outputs", "1 and at least 1", found)
    (image,) = inputs
    shape = image.shape
    if len(shape) != 4 or shape[0] not in (1, -1) or shape[3] != 3 or 0 in shape:
        raise model.wrong("input", "a picture of shape (1, height, width, 3)", shape)
    if image.dtype not in (np.uint8, _f4):
        raise model.wrong("input", "uint8 or float32 pixels, as on phones", image.dtype)
    described = model.metadata.inputs[0] if model.metadata.inputs else TensorMetadata("")
    if described.color_space not in (None, "rgb"):
        raise model.wrong("input", "colours in rgb", described.color_space)
    normalization = None
    if image.dtype == _f4:
        normalization = _checked_normalization(model, described)
    return ImagePreprocessor(shape[1], shape[2], normalization)


@dataclass
class ImagePreprocessor:
    """Brings a picture to a model's size and numbers.

    A picture is (H, W, 3) or (H, W, 4) uint8, whose alpha is left out. It is stretched to the
    model's height and width whatever its own, as ``resize`` does it. Float models then get
    (v - mean) / std of each number.

    Attributes:
        height: of the model's input; -1 takes that of each picture.
        width: likewise.
        normalization: what float models want; None for models that take uint8.
        kind: pictures.
        output: the first.
    """

    height: int
    width: int
    normalization: NormalizationOptions | None
    kind: Kind = "image"
    output: int = 0

    def prepare(self, item: Any) -> Sequence[Inputs]:
        """The pixels of a picture.

        Args:
            item: (H, W, 3) or (H, W, 4) uint8.

        Returns:
            The one input of one run.

        Raises:
            InvalidInput: another shape or other numbers, or no pixel; grey pictures too.
            InvalidType: no array.
        """
        image = _checked_image(item)
        height = len(image) if self.height == -1 else self.height
        width = image.shape[1] if self.width == -1 else self.width
        pixels = resize(image, height, width)[None]
        if self.normalization is None:
            return [[pixels]]
        return [[_normalized(pixels, self.normalization)]]


def crop(image: AnyArray, origin_x: int, origin_y: int, width: int, height: int) -> AnyArray:
    """A part of a picture, as a view.

    Args:
        image: (H, W) or (H, W, channels).
        origin_x: its first column.
        origin_y: its first row.
        width: in pixels, from 1 on.
        height: likewise.

    Raises:
        InvalidInput: the part is empty, or does not lie inside the picture.
        InvalidType: image is no array, or the rest no whole numbers.
    """
    if not isinstance(image, np.ndarray):
        raise InvalidType(f"image must be an array of pixels, got {type(image).__name__}.")
    if image.ndim not in (2, 3):
        raise InvalidInput(f"image must have shape (H, W) or (H, W, channels), got {image.shape}.")
    try:
        x, y, w, h = map(operator.index, (origin_x, origin_y, width, height))
    except TypeError as error:
        raise InvalidType(
            "origin_x, origin_y, width and height must be whole numbers, "
            f"got {origin_x!r}, {origin_y!r}, {width!r} and {height!r}."
        ) from error
    H, W = image.shape[:2]
    if not (0 <= x < x + w <= W and 0 <= y < y + h <= H):
        raise InvalidInput(
            f"bounding box must be at least 1 pixel, inside the {W} × {H} of the picture, "
            f"got {w} × {h} from column {x} and row {y} on."
        )
    return image[y : y + h, x : x + w]


def _checked_normalization(model: Model, described: TensorMetadata) -> NormalizationOptions:
    found = described.normalization
    if found is None:
        raise model.wrong("input", "normalization options for float32 pixels", "none")
    mean, std = found.mean, found.std
    if len(mean) != len(std) or len(mean) not in (1, 3):
        counts = f"{len(mean)} and {len(std)}"
        raise model.wrong("input", "1 or 3 numbers of mean and as many of std", counts)
    if not (np.isfinite(mean).all() and np.isfinite(std).all()):
        raise model.wrong("input", "finite mean and std", f"{mean} and {std}")
    if np.abs(std).min() < _SMALLEST_STD:
        raise model.wrong("input", "std other than 0", std)
    return found


def _checked_image(item: Any) -> Codes:
    if not isinstance(item, np.ndarray):
        raise InvalidType(
            f"image must be a uint8 array of shape (H, W, 3), got {type(item).__name__}."
        )
    if item.dtype != np.uint8:
        raise InvalidInput(f"image must be of uint8 numbers from 0 to 255, got {item.dtype}.")
    if item.ndim == 2 or (item.ndim == 3 and item.shape[2] == 1):
        raise InvalidInput(
            "image must be in colour, of shape (H, W, 3) or (H, W, 4), "
            f"got a grey one of shape {item.shape}."
        )
    if item.ndim != 3 or item.shape[2] not in (3, 4):
        raise InvalidInput(f"image must have shape (H, W, 3) or (H, W, 4), got {item.shape}.")
    if item.size == 0:
        raise InvalidInput(f"image must have at least one pixel, got shape {item.shape}.")
    return item


def _normalized(pixels: Codes, normalization: NormalizationOptions) -> Floats:
    """(1, height, width, 3) float32, with the bits of phones, which multiply by 1 / std."""
    _, height, width, _ = pixels.shape
    # Whole rows at a time are six times as fast as pixels of three.
    mean = np.tile(np.broadcast_to(normalization.mean, 3), width)
    factor = np.tile(np.broadcast_to(_f4(1) / normalization.std, 3), width)
    found: Floats = pixels.reshape(height, -1) - mean
    found *= factor
    return found.reshape(pixels.shape)
