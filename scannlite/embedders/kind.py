"""Which kind of embedder a model is, told from its inputs."""

from __future__ import annotations

from collections.abc import Sequence

from scannlite.embedders.audio import audio_preprocessor
from scannlite.embedders.embedder import Embedder, Preprocessor
from scannlite.embedders.image import image_preprocessor
from scannlite.embedders.model import Model, Source
from scannlite.embedders.runtime import Tensor
from scannlite.embedders.text import text_preprocessor

__all__ = ["open_embedder"]


def open_embedder(
    source: Source, *, l2_normalize: bool = False, num_threads: int | None = None
) -> Embedder:
    """An embedder of whatever the model takes.

    Args:
        source: the path of a ``.tflite`` file, or its content.
        l2_normalize: whether embeddings are scaled to length 1.
        num_threads: of the runtime, for one item; None for its own choice.

    Raises:
        ModelError: the model is damaged, no embedder, or beyond the runtime.
        MissingExtra: no runtime is installed.
        OSError: the file cannot be read.
    """
    return Embedder(
        Model.read(source), _preprocessor, l2_normalize=l2_normalize, num_threads=num_threads
    )


def _preprocessor(
    model: Model, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> Preprocessor:
    """Images have four dimensions, texts are strings or whole numbers, sounds are floats."""
    first = inputs[0] if inputs else None
    if first is not None and len(first.shape) == 4:
        return image_preprocessor(model, inputs, outputs)
    if first is not None and first.dtype.kind == "f":
        return audio_preprocessor(model, inputs, outputs)
    return text_preprocessor(model, inputs, outputs)
