"""ScaNN's search on any machine that runs Python: NumPy arrays in, Numba kernels under them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from scannlite.errors import (
    IndexFileError,
    InvalidInput,
    InvalidType,
    MissingExtra,
    ScannliteError,
    ScannliteWarning,
)
from scannlite.types import Neighbors

if TYPE_CHECKING:
    from scannlite.engine.index import Index
    from scannlite.engine.options import Reorder, ScaNNOptions, ScoreAH, ScoreBruteForce, Tree
    from scannlite.engine.tuning import Tuning

__version__ = "0.1.0"

__all__ = [
    "Index",
    "IndexFileError",
    "InvalidInput",
    "InvalidType",
    "MissingExtra",
    "Neighbors",
    "Reorder",
    "ScaNNOptions",
    "ScannliteError",
    "ScannliteWarning",
    "ScoreAH",
    "ScoreBruteForce",
    "Tree",
    "Tuning",
    "__version__",
]

_HOMES = {
    "Index": "scannlite.engine.index",
    "Reorder": "scannlite.engine.options",
    "ScaNNOptions": "scannlite.engine.options",
    "ScoreAH": "scannlite.engine.options",
    "ScoreBruteForce": "scannlite.engine.options",
    "Tree": "scannlite.engine.options",
    "Tuning": "scannlite.engine.tuning",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: ``import scannlite`` alone costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'scannlite' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
