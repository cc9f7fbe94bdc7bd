"""A ``.tflite`` model, and what must be done to a query before and after it.

``Embedder`` is one thin class over whichever runtime is installed; ``text_embedder``,
``image_embedder`` and ``audio_embedder`` make one, ``open_embedder`` looks at the model to tell
which.
"""

from __future__ import annotations

from scannlite.embedders.audio import audio_embedder
from scannlite.embedders.embedder import Embedder
from scannlite.embedders.image import image_embedder
from scannlite.embedders.kind import open_embedder
from scannlite.embedders.text import text_embedder

__all__ = [
    "Embedder",
    "audio_embedder",
    "image_embedder",
    "open_embedder",
    "text_embedder",
]
