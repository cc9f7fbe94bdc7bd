"""Images as the tasks take them."""

from __future__ import annotations

import enum
import os
from typing import Any

import numpy as np

from scannlite.embedders.pictures import decode_image
from scannlite.errors import InvalidInput, InvalidType
from scannlite.types import AnyArray, Codes

__all__ = ["ColorSpaceType", "TensorImage"]


class ColorSpaceType(enum.Enum):
    """What the numbers of a pixel are."""

    GRAYSCALE = "GRAYSCALE"
    RGB = "RGB"
    RGBA = "RGBA"


_COLOR_SPACES = {1: ColorSpaceType.GRAYSCALE, 3: ColorSpaceType.RGB, 4: ColorSpaceType.RGBA}


class TensorImage:
    """The pixels of an image.

    Args:
        pixels: (H, W, 1), (H, W, 3) or (H, W, 4) uint8; taken as sound, and not copied.
    """

    def __init__(self, pixels: Codes) -> None:
        self._pixels = pixels

    @classmethod
    def create_from_file(cls, file_name: str | os.PathLike[str]) -> TensorImage:
        """Decode an image file.

        Raises:
            InvalidInput: it is damaged, or no image.
            MissingExtra: the library that decodes is not installed.
            OSError: the file cannot be read.
        """
        return cls.create_from_array(decode_image(file_name))

    @classmethod
    def create_from_array(cls, array: AnyArray) -> TensorImage:
        """Take pixels as they are.

        Args:
            array: uint8, (H, W, 3) for RGB, (H, W, 4) for RGBA, (H, W) or (H, W, 1) for gray, each
                also with a 1 before it. It is copied only where it is not in C order.

        Raises:
            InvalidInput: another shape or type of numbers.
            InvalidType: no array.
        """
        if not isinstance(array, np.ndarray):
            raise InvalidType(f"array must be a NumPy array, got {type(array).__name__}.")
        if array.dtype != np.uint8:
            raise InvalidInput(f"array must have dtype uint8, got {array.dtype}.")
        return cls(np.ascontiguousarray(_with_channels(array)))

    @classmethod
    def create_from_buffer(cls, buffer: bytes) -> TensorImage:
        """Decode the content of an image file.

        Raises:
            InvalidInput: it is damaged, or no image.
            InvalidType: no bytes.
            MissingExtra: the library that decodes is not installed.
        """
        if not isinstance(buffer, (bytes, bytearray, memoryview)):
            raise InvalidType(f"buffer must be bytes, got {type(buffer).__name__}.")
        return cls.create_from_array(decode_image(bytes(buffer)))

    @property
    def buffer(self) -> Codes:
        """The pixels (H, W, 1), (H, W, 3) or (H, W, 4) uint8, not copied."""
        return self._pixels

    @property
    def height(self) -> int:
        """In pixels."""
        return len(self._pixels)

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self._pixels.shape[1])

    @property
    def color_space_type(self) -> ColorSpaceType:
        """What the numbers of a pixel are."""
        return _COLOR_SPACES[self._pixels.shape[2]]


def _with_channels(array: AnyArray) -> AnyArray:
    """(H, W, channels) of an array that may lack the channels, or have a 1 before it.

    (1, H, 3) is an image of one line: who means H x 3 pixels in gray says (H, 3).
    """
    shape: tuple[Any, ...] = array.shape
    if len(shape) == 4 and shape[0] == 1:
        array = array[0]
    elif len(shape) == 2:
        array = array[:, :, None]
    elif len(shape) == 3 and shape[0] == 1 and shape[2] not in _COLOR_SPACES:
        array = array[0, :, :, None]
    if array.ndim != 3 or array.shape[2] not in _COLOR_SPACES or not array.size:
        raise InvalidInput(
            f"array must have shape (H, W, 3), (H, W, 4) or (H, W), none of them 0, got {shape}."
        )
    return array
