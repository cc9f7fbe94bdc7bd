"""Sounds as models take them: samples of one rate, in windows of one length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scannlite.embedders.embedder import Embedder, Kind
from scannlite.embedders.model import Model, Source
from scannlite.embedders.runtime import Inputs, Tensor
from scannlite.errors import InvalidInput, InvalidType
from scannlite.types import AnyArray, Floats

__all__ = ["AudioPreprocessor", "audio_embedder", "audio_preprocessor"]

_f4 = np.float32
_INT16_UNIT = _f4(1 / 32768)
_MOST_CHANNELS = 64  # more is an array that lies on its side, (channels, n)


def audio_embedder(
    source: Source, *, l2_normalize: bool = False, num_threads: int | None = None
) -> Embedder:
    """An embedder of sounds; ``AudioPreprocessor`` says which, and what is done to them.

    Args:
        source: the path of a ``.tflite`` file, or its content.
        l2_normalize: whether embeddings are scaled to length 1.
        num_threads: of the runtime, for one item; None for its own choice.

    Raises:
        ModelError: the model is damaged, no embedder of sounds, or beyond the runtime.
        MissingExtra: no runtime is installed.
        OSError: the file cannot be read.
    """
    return Embedder(
        Model.read(source), audio_preprocessor, l2_normalize=l2_normalize, num_threads=num_threads
    )


def audio_preprocessor(
    model: Model, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> AudioPreprocessor:
    """What must be done to a sound before this model can take it; output 0 is the embedding.

    The input is float32 of shape (samples,), (1, samples) or (1, samples, channels), where without
    the last dimension the channels of a moment follow one another. Its length may be open.

    Raises:
        ModelError: the model takes no sound, or not only one.
    """
    if len(inputs) != 1 or not outputs:
        found = f"{len(inputs)} and {len(outputs)}"
        raise model.wrong("inputs and outputs", "1 and at least 1", found)
    (sound,) = inputs
    if sound.dtype != _f4:
        raise model.wrong("input", "float32 samples", sound.dtype)
    described = model.metadata.inputs[0] if model.metadata.inputs else None
    said = (described.sample_rate, described.channels) if described else (None, None)
    channels = said[1] or (max(sound.shape[2], 1) if len(sound.shape) == 3 else 1)
    shape = _shape_of_one(sound.shape, channels)
    if shape is None:
        allowed = "(samples,), (1, samples) or (1, samples, channels)"
        counted = f"{channels} channel{'s' if channels > 1 else ''}"
        raise model.wrong("input", f"shape {allowed} of {counted}", sound.shape)
    return AudioPreprocessor(shape, said[0] or None, channels)


@dataclass
class AudioPreprocessor:
    """Cuts a sound to what a model hears at once.

    A sound is (n,) or (n, channels) numbers of floating point in [-1, 1], or int16, which are
    divided by 32768. It has the model's sample rate already: ``decode_sound`` sees to that, and an
    array cannot tell.

    * **Channels.** A model of one channel hears the mean of all. One of several hears a sound of
      one channel in each.
    * **Length.** Windows follow each other without overlap, and their embeddings are averaged. A
      sound shorter than a window is followed by silence, and so is the rest behind the last whole
      window if it fills at least half of one; a shorter rest is left out, lest a window of mostly
      silence count as much as those of sound. A model of open length hears all at once.

    Attributes:
        shape: of the model's input; -1 is an open length.
        sample_rate: in hertz, at which the model hears; None where it does not say.
        channels: that the model hears.
        kind: sounds.
        output: the first.
    """

    shape: tuple[int, ...]
    sample_rate: int | None
    channels: int
    kind: Kind = "audio"
    output: int = 0

    def prepare(self, item: Any) -> Sequence[Inputs]:
        """The windows of a sound.

        Args:
            item: (n,) or (n, channels) numbers of floating point, or int16.

        Returns:
            For each window its one input.

        Raises:
            InvalidInput: no samples, NaN or infinity, or channels that do not fit the model.
            InvalidType: no array, or one of other numbers.
        """
        samples = self._fitted(_as_floats(item))
        whole, n = self.window, len(samples)
        size = n if whole is None else whole
        count = max(1, (2 * n + size) // (2 * size))  # a half is rounded up
        windows = np.zeros((count * size, self.channels), _f4)
        kept = samples[: len(windows)]
        windows[: len(kept)] = kept
        return [[window.reshape(self.shape)] for window in windows.reshape(count, -1)]

    @property
    def window(self) -> int | None:
        """The samples that the model hears at once, of each channel; None for any number."""
        return None if -1 in self.shape else math.prod(self.shape) // self.channels

    def _fitted(self, samples: Floats) -> Floats:
        """(n, channels of the model) float32, or (n, 1) for all of them alike."""
        given = samples.shape[1]
        if given in (1, self.channels):
            return samples
        if self.channels == 1:
            rows = np.ascontiguousarray(samples.T)  # NumPy adds up whole rows eight times faster
            mean: Floats = rows.mean(axis=0, dtype=np.float64).astype(_f4)
            return mean[:, None]
        raise InvalidInput(
            f"sound must have 1 channel or the {self.channels} of the model, got {given}."
        )


def _shape_of_one(shape: tuple[int, ...], channels: int) -> tuple[int, ...] | None:
    """The shape of one sound in a batch of one, -1 for an open length; None for no sound at all."""
    batched = len(shape) > 1 and shape[0] in (1, -1) and shape[1:] != (channels,)
    sizes = shape[1:] if batched else shape
    interleaved = len(sizes) == 1 and (sizes[0] == -1 or sizes[0] % channels == 0)
    in_columns = len(sizes) == 2 and sizes[1] == channels
    if not (interleaved or in_columns) or sizes[0] == 0:
        return None
    return (1, *sizes) if batched else sizes


def _as_floats(item: Any) -> Floats:
    """(n, channels) float32, finite; n is at least 1."""
    try:
        array: AnyArray = np.asarray(item)
    except ValueError as error:
        raise InvalidType(f"sound must be an array of samples, got {error}.") from error
    int16 = array.dtype.kind == "i" and array.dtype.itemsize == 2
    if not (int16 or array.dtype.kind == "f"):
        raise InvalidType(
            "sound must be an array of floating point numbers or int16, "
            f"got {type(item).__name__} of dtype {array.dtype}."
        )
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= _MOST_CHANNELS):
        raise InvalidInput(
            f"sound must have shape (n,) or (n, channels), with 1 to {_MOST_CHANNELS} channels, "
            f"got {array.shape}."
        )
    if len(array) == 0:
        raise InvalidInput("sound must have at least one sample, got none.")
    with np.errstate(over="ignore"):  # what float32 cannot hold is told as infinity
        samples: Floats = array.astype(_f4, copy=False)
    if int16:
        samples = samples * _INT16_UNIT
    if not np.isfinite(samples).all():
        raise _not_finite(samples)
    return samples.reshape(len(samples), -1)


def _not_finite(samples: Floats) -> InvalidInput:
    first = np.argwhere(~np.isfinite(samples))[0]
    place = " of channel ".join(map(str, first))
    return InvalidInput(
        f"sound must be finite in float32, got {samples[tuple(first)]} in sample {place}."
    )
