"""Sounds: ``AudioSearcher``, ``AudioEmbedder`` and the ``TensorAudio`` that they take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, overload

from scannlite.embedders.audio import AudioPreprocessor, audio_embedder
from scannlite.embedders.embedder import Embedder
from scannlite.errors import InvalidInput
from scannlite.task.embedding import EmbedderOptions, TaskEmbedder
from scannlite.task.processor import EmbeddingResult, SearchResult
from scannlite.task.searching import Searcher, SearcherOptions
from scannlite.task.tensor_audio import AudioFormat, TensorAudio
from scannlite.types import AnyArray

__all__ = [
    "AudioEmbedder",
    "AudioEmbedderOptions",
    "AudioFormat",
    "AudioSearcher",
    "AudioSearcherOptions",
    "TensorAudio",
]

Sound: TypeAlias = TensorAudio | AnyArray
Sounds: TypeAlias = list[TensorAudio] | list[AnyArray] | list[Sound] | tuple[Sound, ...]


@dataclass(slots=True)
class AudioSearcherOptions(SearcherOptions):
    """Options of an ``AudioSearcher``."""


@dataclass(slots=True)
class AudioEmbedderOptions(EmbedderOptions):
    """Options of an ``AudioEmbedder``."""


class _Listener:
    """What the two share: how a model wants its sounds."""

    _embedder: Embedder

    @property
    def required_audio_format(self) -> AudioFormat:
        """What the model hears.

        Raises:
            ModelError: it does not say at which sample rate.
        """
        hears = self._hears
        if hears.sample_rate is None:
            raise self._embedder.model.wrong("input", "a sample rate in the metadata", "none")
        return AudioFormat(hears.channels, hears.sample_rate)

    @property
    def required_input_buffer_size(self) -> int:
        """How many samples the model hears at once, of each channel.

        Raises:
            ModelError: as many as there are.
        """
        hears = self._hears
        if -1 in hears.shape:
            raise self._embedder.model.wrong("input", "a length", "an open one")
        return math.prod(hears.shape) // hears.channels

    def create_input_tensor_audio(self) -> TensorAudio:
        """Silence of the model's format and length, to load samples into.

        Raises:
            ModelError: the model leaves one of them open.
        """
        return TensorAudio(self.required_audio_format, self.required_input_buffer_size)

    @property
    def _hears(self) -> AudioPreprocessor:
        return cast("AudioPreprocessor", self._embedder.preprocessor)

    def _samples(self, audio: Any) -> Any:
        """What the embedder takes; the rate, if it is known, is that of the model."""
        if not isinstance(audio, TensorAudio):
            return audio
        given, wanted = audio.format.sample_rate, self._hears.sample_rate
        if wanted not in (None, given):
            raise InvalidInput(
                f"audio must have the model's sample rate of {wanted} Hz, got {given} Hz."
            )
        return audio.buffer


class AudioSearcher(_Listener, Searcher):
    """Finds what is nearest to a sound, from any number of threads."""

    _options_of = AudioSearcherOptions
    _embedder_of = staticmethod(audio_embedder)

    @overload
    def search(self, audio: Sound) -> SearchResult: ...
    @overload
    def search(self, audio: Sounds) -> list[SearchResult]: ...
    def search(self, audio: Any) -> Any:
        """Find the nearest neighbours of a sound.

        Args:
            audio: a ``TensorAudio``, or an (n,) or (n, channels) array of floats in [-1, 1] or
                int16 at the model's sample rate, or several in a list or tuple. A sound longer
                than the model hears at once is the mean of its parts.

        Returns:
            A ``SearchResult``, or one for each sound.

        Raises:
            InvalidInput: the model cannot use the sound.
            InvalidType: not a sound.
            ModelError: the model fails.
        """
        if isinstance(audio, (list, tuple)):
            return [self._nearest(self._samples(one)) for one in audio]
        return self._nearest(self._samples(audio))


class AudioEmbedder(_Listener, TaskEmbedder):
    """Turns sounds into vectors, from any number of threads."""

    _options_of = AudioEmbedderOptions
    _embedder_of = staticmethod(audio_embedder)

    @overload
    def embed(self, audio: Sound) -> EmbeddingResult: ...
    @overload
    def embed(self, audio: Sounds) -> list[EmbeddingResult]: ...
    def embed(self, audio: Any) -> Any:
        """Embed a sound.

        Args:
            audio: a ``TensorAudio``, or an (n,) or (n, channels) array of floats in [-1, 1] or
                int16 at the model's sample rate, or several in a list or tuple. A sound longer
                than the model hears at once is the mean of its parts.

        Returns:
            An ``EmbeddingResult``, or one for each sound.

        Raises:
            InvalidInput: the model cannot use the sound.
            InvalidType: not a sound.
            ModelError: the model fails.
        """
        if isinstance(audio, (list, tuple)):
            return [self._embedding_of(self._samples(one)) for one in audio]
        return self._embedding_of(self._samples(audio))
