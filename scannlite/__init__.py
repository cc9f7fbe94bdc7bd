"""ScaNN's search on any machine that runs Python: NumPy arrays in, Numba kernels under them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from scannlite.errors import (
    IndexFileError,
    InvalidInput,
    InvalidType,
    MissingExtra,
    ModelError,
    ScannliteError,
    ScannliteWarning,
)
from scannlite.types import Neighbors

if TYPE_CHECKING:
    from scannlite.engine.choice import options_for
    from scannlite.engine.index import Index
    from scannlite.engine.options import (
        Device,
        Reorder,
        ScaNNOptions,
        ScoreAH,
        ScoreBruteForce,
        Tree,
    )
    from scannlite.engine.tuning import Tuning

__version__ = "0.1.0"

__all__ = [
    "Device",
    "Index",
    "IndexFileError",
    "InvalidInput",
    "InvalidType",
    "MissingExtra",
    "ModelError",
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
    "options_for",
]

_HOMES = {
    "Device": "scannlite.engine.options",
    "Index": "scannlite.engine.index",
    "Reorder": "scannlite.engine.options",
    "ScaNNOptions": "scannlite.engine.options",
    "ScoreAH": "scannlite.engine.options",
    "ScoreBruteForce": "scannlite.engine.options",
    "Tree": "scannlite.engine.options",
    "Tuning": "scannlite.engine.tuning",
    "options_for": "scannlite.engine.choice",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: ``import scannlite`` alone costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'scannlite' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
