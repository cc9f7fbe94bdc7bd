"""One policy for every jitted function of the package.

* ``nogil``: a plain thread pool runs kernels in parallel.
* ``cache``: compiled once a machine; those that search are kept in another way, see ``searcher``.
  Numba's cache sees edits of a kernel's own file only, so each function's qualified name, which
  names its cache file, carries the digest of all kernel sources: an edit, or an upgrade, anywhere
  below this folder compiles anew.
* ``error_model="numpy"``: no hidden branch for division by zero.
* no ``fastmath``: results are the same bits as the NumPy twins', on every processor.
* never ``parallel``: Numba's OpenMP layer kills forked children.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from scannlite.kernels.sources import source_digest

__all__ = ["inlined", "kernel", "searcher"]

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile ``function`` at its first call, and keep the result on disk where that can be."""
    function.__qualname__ = f"{function.__qualname__}.{source_digest()}"
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        jitted = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder that a cache can be written to
        jitted = numba.njit(**options)(function)
    return cast("Function", jitted)


def searcher(function: Function) -> Function:
    """Compile ``function``, which takes ten whole numbers, when ``scannlite.native`` asks for it.

    That keeps the machine code, and calls it: not Numba, whose ways in would need Numba again.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    no_ways_in: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast("Function", numba.njit(**options, **no_ways_in)(function))


def inlined(function: Function) -> Function:
    """Compile ``function`` into its callers: a stage of a kernel, never called from Python."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "forceinline": True}
    return cast("Function", numba.njit(**options)(function))
