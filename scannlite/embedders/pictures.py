"""Picture files to pixels."""

from __future__ import annotations

import io
import os
import threading
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from scannlite.errors import InvalidInput, InvalidType
from scannlite.extras import imported
from scannlite.types import AnyArray, Codes

__all__ = ["decode_image"]

# Named, lest Pillow run programs (Ghostscript for EPS) or take anything that begins alike.
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM", "PSD", "TGA")
_ALWAYS_IN_COLOUR = ("GIF", "BMP")  # Pillow takes grey palettes for grey
_GREY = ("1", "L", "LA", "La", "F")
# The filters of warnings belong to the whole process: one thread at a time may set them aside.
_OPENING = threading.Lock()


def decode_image(source: str | os.PathLike[str] | bytes) -> Codes:
    """The pixels of a picture file: of its first frame, as they are stored.

    The rotation that EXIF may ask for is ignored, as phones ignore it; TIFF, which they do not
    read, is turned as it says. Palettes, CMYK and the like become RGB, 16 bits become 8. What is
    stored in grey stays grey.

    Args:
        source: the path of a file, or its content.

    Returns:
        (H, W, 3) uint8 for RGB, (H, W, 4) with an alpha, (H, W) for grey; perhaps read-only.

    Raises:
        InvalidInput: no picture, a damaged or a truncated one, or one larger than Pillow allows.
        InvalidType: source is neither a path nor bytes.
        MissingExtra: Pillow is not installed.
        OSError: the file cannot be read.
    """
    pillow = imported("PIL.Image", "vision", "decoding a picture")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decoded(pillow, "<bytes>", io.BytesIO(source))
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidType(
            f"source must be the path of a picture file or its bytes, got {source!r}."
        )
    with Path(source).open("rb") as file:
        return _decoded(pillow, os.fspath(source), file)


def _decoded(pillow: Any, name: str, file: BinaryIO) -> Codes:
    try:
        with _opened(pillow, file) as image:
            return _pixels(image)
    except pillow.UnidentifiedImageError as error:
        kinds = ", ".join(_FORMATS)
        raise InvalidInput(f"{name} must be a picture ({kinds}), got something else.") from error
    except Exception as error:  # a decoder raises whatever it stumbles over
        said = str(error).rstrip(".") or type(error).__name__
        raise InvalidInput(f"{name} must be an undamaged picture, got: {said}.") from error


def _opened(pillow: Any, file: BinaryIO) -> Any:
    """An image whose head is read, which is when Pillow warns; its pixels are not read yet."""
    with _OPENING, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        pillow.init()
        known = [kind for kind in _FORMATS if kind in pillow.OPEN]
        image = pillow.open(file, formats=known)
        if image.format == "TIFF":  # whose tags are read, and warned of, once more with its pixels
            image.load()
        return image


def _pixels(image: Any) -> Codes:
    image.load()
    if image.mode.startswith("I"):  # grey of 16 bits, of which phones take the upper 8
        numbers: AnyArray = np.asarray(image) >> 8
        return numbers.clip(0, 255).astype(np.uint8)
    if image.mode in _GREY and image.format not in _ALWAYS_IN_COLOUR:
        return np.asarray(image.convert("L"))
    has_alpha = image.getbands()[-1] in ("A", "a") or "transparency" in image.info
    mode = "RGBA" if has_alpha else "RGB"
    return np.asarray(image if image.mode == mode else image.convert(mode))  # which would copy
