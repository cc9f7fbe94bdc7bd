"""Numbers and arrays only: no classes, no options, no validation, no input or output.

Every kernel has a plain NumPy twin of the same name in the same-named module of
``kernels.reference``; ``implementation`` says which of the two runs. The twin runs where Numba is
missing, where ``SCANNLITE_NUMBA=0`` is set, and where Numba's own jit is switched off
(``NUMBA_DISABLE_JIT=1``: SIMD values exist only in compiled code).

The kernels that search are called apart from Numba, by ``scannlite.native``.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from typing import Any

__all__ = ["compiled", "implementation"]


@functools.cache
def compiled() -> bool:
    """Whether kernels are compiled by Numba here, or run as NumPy twins."""
    if os.environ.get("SCANNLITE_NUMBA", "1") == "0":
        return False
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return False
    return importlib.util.find_spec("numba") is not None


@functools.cache
def implementation(room: str) -> Any:
    """The module ``room`` of compiled kernels, or its NumPy twin. Imported only when asked for."""
    folder = "scannlite.kernels" if compiled() else "scannlite.kernels.reference"
    return importlib.import_module(f"{folder}.{room}")
