"""Sounds as the tasks take them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from scannlite.embedders.sounds import decode_sound
from scannlite.engine.door import as_whole
from scannlite.errors import InvalidInput, InvalidType
from scannlite.extras import imported
from scannlite.types import AnyArray, Floats

__all__ = ["AudioFormat", "TensorAudio"]


@dataclass(frozen=True)
class AudioFormat:
    """What the numbers of a sound are.

    Attributes:
        channels: side by side.
        sample_rate: in hertz.
    """

    channels: int
    sample_rate: int


class TensorAudio:
    """The latest samples of a sound, silence before them.

    Args:
        audio_format: of the sound.
        buffer_size: how many samples are kept, of each channel.

    Raises:
        InvalidInput: a number is not positive.
        InvalidType: a number is not whole.
    """

    def __init__(self, audio_format: AudioFormat, buffer_size: int) -> None:
        as_whole("audio_format.sample_rate", audio_format.sample_rate, 1)
        channels = as_whole("audio_format.channels", audio_format.channels, 1)
        self._format = audio_format
        self._buffer = np.zeros((as_whole("buffer_size", buffer_size, 1), channels), np.float32)

    @classmethod
    def create_from_wav_file(
        cls, file_name: str | os.PathLike[str], sample_count: int, offset: int = 0
    ) -> TensorAudio:
        """Read a part of a sound file: WAV, and whatever else libsndfile reads.

        Args:
            file_name: path of the file.
            sample_count: how many samples are read, of each channel; fewer if the file ends.
            offset: the first of them.

        Raises:
            InvalidInput: the file is damaged or no sound, or has no sample at the offset.
            InvalidType: a number is not whole.
            MissingExtra: the library that decodes is not installed.
            OSError: the file cannot be read.
        """
        as_whole("sample_count", sample_count, 1)
        as_whole("offset", offset, 0)
        whole = decode_sound(file_name, None)
        if offset >= len(whole):
            raise InvalidInput(
                f"offset must be below the {len(whole)} samples of {os.fspath(file_name)}, "
                f"got {offset}."
            )
        samples = whole[offset : offset + sample_count].reshape(-1, *whole.shape[1:] or (1,))
        made = cls(AudioFormat(samples.shape[1], _rate_of(file_name)), len(samples))
        made.load_from_array(samples)
        return made

    def clear(self) -> None:
        """Silence."""
        self._buffer.fill(0)

    def load_from_array(self, src: AnyArray, offset: int = 0, size: int = -1) -> None:
        """Append samples; the oldest leave.

        Args:
            src: (n, channels) floats in [-1, 1], or (n,) for one channel.
            offset: the first that is taken.
            size: how many are; -1 for the rest.

        Raises:
            InvalidInput: another shape, or not so many samples.
            InvalidType: no array of floats.
        """
        samples = self._checked(src)
        as_whole("offset", offset, 0, len(samples))
        as_whole("size", size, -1, len(samples) - offset)
        end = len(samples) if size == -1 else offset + size
        together = np.concatenate([self._buffer, samples[offset:end]])
        self._buffer = together[-len(self._buffer) :].astype(np.float32)

    def _checked(self, src: AnyArray) -> AnyArray:
        """(n, channels)."""
        if not isinstance(src, np.ndarray) or src.dtype.kind != "f":
            kind = src.dtype if isinstance(src, np.ndarray) else type(src).__name__
            raise InvalidType(f"src must be a NumPy array of floats, got {kind}.")
        channels = self._format.channels
        samples = src[:, None] if src.ndim == 1 else src
        if samples.ndim != 2 or samples.shape[1] != channels:
            raise InvalidInput(f"src must have shape (n, {channels}), got {src.shape}.")
        return samples

    @property
    def format(self) -> AudioFormat:
        """What its numbers are."""
        return self._format

    @property
    def buffer_size(self) -> int:
        """How many samples are kept, of each channel."""
        return len(self._buffer)

    @property
    def buffer(self) -> Floats:
        """The samples (buffer_size, channels) float32, the latest last."""
        return self._buffer


def _rate_of(file_name: str | os.PathLike[str]) -> int:
    """In hertz; of a file that was decoded before."""
    soundfile = imported("soundfile", "audio", "reading a sound file")
    return int(soundfile.info(os.fspath(file_name)).samplerate)
