"""A ``.tflite`` model, and what must be done to a query before and after it.

``Embedder`` is one thin class over whichever runtime is installed; ``text_embedder``,
``image_embedder`` and ``audio_embedder`` make one, ``open_embedder`` looks at the model to tell
which.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scannlite.embedders.audio import audio_embedder
    from scannlite.embedders.embedder import Embedder
    from scannlite.embedders.image import image_embedder
    from scannlite.embedders.kind import open_embedder
    from scannlite.embedders.text import text_embedder

__all__ = ["Embedder", "audio_embedder", "image_embedder", "open_embedder", "text_embedder"]

_HOMES = {
    "Embedder": "embedder",
    "audio_embedder": "audio",
    "image_embedder": "image",
    "open_embedder": "kind",
    "text_embedder": "text",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: a text model needs nothing of pictures."""
    if name not in _HOMES:
        raise AttributeError(f"module 'scannlite.embedders' has no attribute {name!r}")
    return getattr(importlib.import_module(f"scannlite.embedders.{_HOMES[name]}"), name)
