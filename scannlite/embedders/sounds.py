"""Sound files to samples."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from scannlite.errors import InvalidInput, InvalidType
from scannlite.extras import imported
from scannlite.types import Floats

__all__ = ["decode_sound"]

_EXTRA = "audio"
_MOST_AT_ONCE = 1 << 24  # numbers; a header may promise any length
_SLOWEST = 1000  # hertz; a lower rate is a damaged header, and samples without end once resampled
# What libsndfile says of a file that ends before the samples that its header counts, only in its
# log: the bytes that it counts, and those that are there.
_CUT = re.compile(
    r"^ *(?:data|SSND|Data Size|riff|Riff size) *: (\d+) \(should be (\d+)\)", re.MULTILINE
)
_STREAMED = 0x7FFF_0000  # this many bytes and more say that the length was not known yet
_PAGE_HEAD = 27  # bytes of an Ogg page before the sizes of its pieces, whose number is the last
_LAST_PAGE = 4


def decode_sound(source: str | os.PathLike[str] | bytes, sample_rate: int | None) -> Floats:
    """The samples of a sound file, at a sample rate.

    WAV, FLAC, OGG, MP3 and whatever else libsndfile reads. Integers become what they are of their
    largest, 16 bits divided by 32768. A file that ends before its sound does is refused, but for
    MP3, which has no end to miss: what is left of one is a sound too.

    Args:
        source: the path of a file, or its content.
        sample_rate: in hertz, to resample to; None for that of the file.

    Returns:
        (n,) float32 of one channel, (n, channels) of several.

    Raises:
        InvalidInput: no sound, a damaged or a truncated one, or one without samples.
        InvalidType: source is neither a path nor bytes.
        MissingExtra: ``soundfile`` or, for another rate, ``soxr`` is not installed.
        OSError: the file cannot be read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        name, content = "<bytes>", bytes(source)
    elif isinstance(source, (str, os.PathLike)):
        name, content = os.fspath(source), Path(source).read_bytes()
    else:
        raise InvalidType(f"source must be the path of a sound file or its bytes, got {source!r}.")
    samples, rate = _decoded(name, content)
    if sample_rate is not None and rate != sample_rate:
        samples = _resampled(name, samples, rate, sample_rate)
    if len(samples) == 0:
        raise InvalidInput(f"{name} must hold a sound of at least one sample, got none.")
    return samples


def _decoded(name: str, content: bytes) -> tuple[Floats, int]:
    """(n,) or (n, channels) float32, finite, and their rate in hertz."""
    soundfile = imported("soundfile", _EXTRA, "reading a sound file")
    try:
        with soundfile.SoundFile(_Content(content)) as file:
            _check_end(name, file, content)
            samples, rate = _read(file), int(file.samplerate)
    except soundfile.SoundFileError as error:
        raise InvalidInput(
            f"{name} must be a sound (WAV, FLAC, OGG, MP3), "
            f"got {len(content)} bytes of something else or of a damaged one."
        ) from error
    if not np.isfinite(samples).all():
        raise InvalidInput(f"{name} must hold finite samples, got NaN or infinity.")
    return samples, rate


def _read(file: Any) -> Floats:
    """All samples, whatever number the header promises."""
    most = max(1, _MOST_AT_ONCE // file.channels)
    parts = [file.read(most, dtype="float32")]
    while len(parts[-1]) == most:
        parts.append(file.read(most, dtype="float32"))
    samples: Floats = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return samples


def _check_end(name: str, file: Any, content: bytes) -> None:
    """Refuse a file that ends before its sound does; a decoder by itself plays what is there."""
    cut = _CUT.search(file.extra_info)
    if cut and int(cut[2]) < int(cut[1]) < _STREAMED:
        raise InvalidInput(f"{name} must hold {cut[1]} bytes of sound, got {cut[2]}.")
    if file.format == "OGG" and not _has_last_page(content):
        raise InvalidInput(f"{name} must hold a whole sound, got one without its last page.")


def _has_last_page(ogg: bytes) -> bool:
    """Whether the last page says that it is the last, and is there to its end."""
    page = ogg[ogg.rfind(b"OggS") :]
    if len(page) < _PAGE_HEAD or not page[5] & _LAST_PAGE:
        return False
    body = _PAGE_HEAD + page[_PAGE_HEAD - 1]
    return len(page) >= body + sum(page[_PAGE_HEAD:body])


def _resampled(name: str, samples: Floats, rate: int, sample_rate: int) -> Floats:
    if rate < _SLOWEST:
        raise InvalidInput(f"{name} must have at least {_SLOWEST} samples a second, got {rate}.")
    soxr = imported("soxr", _EXTRA, f"resampling a sound of {rate} Hz to {sample_rate} Hz")
    resampled: Floats = soxr.resample(samples, rate, sample_rate)
    return resampled


class _Content(io.BytesIO):
    """Bytes for a decoder, which in a damaged file may seek a place before their start."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place, or to the start for one before it."""
        return super().seek(max(offset, 0) if whence == os.SEEK_SET else offset, whence)
