"""One policy for every jitted function of the package.

* ``nogil``: a plain thread pool runs kernels in parallel.
* ``cache``: compiled once a machine. Numba's cache sees edits of a kernel's own file only, so
  each function's qualified name, which names its cache file, carries the digest of all kernel
  sources: an edit, or an upgrade, anywhere below this folder compiles anew.
* ``error_model="numpy"``: no hidden branch for division by zero.
* no ``fastmath``: results are the same bits as the NumPy twins', on every processor.
* never ``parallel``: Numba's OpenMP layer kills forked children.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

__all__ = ["inlined", "kernel"]

Function = TypeVar("Function", bound=Callable[..., Any])


def _source_digest() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


_DIGEST = _source_digest()


def kernel(function: Function) -> Function:
    """Compile ``function`` at its first call, and keep the result on disk where that can be."""
    function.__qualname__ = f"{function.__qualname__}.{_DIGEST}"
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        jitted = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that a cache can be written to
        jitted = numba.njit(**options)(function)
    return cast("Function", jitted)


def inlined(function: Function) -> Function:
    """Compile ``function`` into its callers: a stage of a kernel, never called from Python."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "forceinline": True}
    return cast("Function", numba.njit(**options)(function))
