"""The kernels that search, as functions of Python: from code kept on disk, or compiled and kept.

Where the code is there already, neither Numba nor the modules of kernels are imported: that is
what the first search of a process would mostly wait for. ``linking`` makes functions of machine
code, ``entry`` is what Python calls of it, ``kept`` has it on disk, in ``folders``, and ``target``
tells what it is good for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from scannlite.kernels import compiled, implementation

__all__ = ["searchers"]


@functools.cache
def searchers(room: str, name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The kernel ``name`` for one query and for part of a batch; twice its twin without Numba."""
    if compiled():
        from scannlite.native import linking  # noqa: PLC0415 - needs a compiler

        return linking.linked(room, name)
    twin = getattr(implementation(room), name)
    return twin, twin
