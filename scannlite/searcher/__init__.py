"""Model Maker's searcher under its own names: ``from scannlite import searcher``.

The names, arguments, their order and defaults are those of ``tflite_model_maker.searcher``;
``docs/coming-from-model-maker.md`` says what differs.
"""

from __future__ import annotations

from scannlite.embedders.loading import Skipped
from scannlite.searcher.audio import AudioDataLoader
from scannlite.searcher.data_loader import DataLoader
from scannlite.searcher.folder import MetadataType
from scannlite.searcher.image import ImageDataLoader
from scannlite.searcher.options import ScaNNOptions, ScoreAH, ScoreBruteForce, Tree
from scannlite.searcher.searcher import ExportFormat, Searcher
from scannlite.searcher.text import TextDataLoader

__all__ = [
    "AudioDataLoader",
    "DataLoader",
    "ExportFormat",
    "ImageDataLoader",
    "MetadataType",
    "ScaNNOptions",
    "ScoreAH",
    "ScoreBruteForce",
    "Searcher",
    "Skipped",
    "TextDataLoader",
    "Tree",
]
