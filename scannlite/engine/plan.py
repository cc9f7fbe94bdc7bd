"""How an index answers: the kernel, its block, and workspaces that wait to be used.

A plan is made once from arrays that were validated, and keeps everything alive whose address the
block holds; nothing of it changes but that kernels are imported when they are first asked for.
Threads take workspaces from a shared list and put them back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scannlite.kernels import compiled
from scannlite.kernels.layout import LOOKUP_16, Layout, pack, regions
from scannlite.native import searchers
from scannlite.types import AnyArray

__all__ = ["Plan", "kernel_for"]

Kernel = Callable[..., Any]


def kernel_for(lookup: int, *, device: bool) -> tuple[str, str]:
    """The module and the name of the kernel that searches by such codes."""
    if device:
        return "device", "search_on_device"
    return "search", "search_by_codes" if lookup == LOOKUP_16 else "search_by_scores"


class Plan:
    """A layout and what searches it.

    Attributes:
        layout: the arrays and numbers.
        one, many: the kernels for a query and for part of a batch; twins where none compiles. They
            are imported at the first call: who only opens an index needs no compiler.
        address: of the block.
        free: addresses of workspaces nobody uses now; pop one, or ask for a new one.
    """

    __slots__ = ("_kept", "_size", "address", "compiled", "free", "layout", "many", "one")

    one: Kernel
    many: Kernel

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.compiled = compiled()
        self.free: list[int] = []
        self.address = 0
        self._kept: list[AnyArray] = []
        if self.compiled:
            block = pack(layout)
            self.address = block.ctypes.data
            self._size = regions(layout)[1]
            self._kept.append(block)

    def __getattr__(self, name: str) -> Kernel:
        """Import the kernels: asked for what is not there yet."""
        if name not in ("one", "many"):
            raise AttributeError(f"'Plan' object has no attribute {name!r}")
        self.one, self.many = searchers(
            *kernel_for(self.layout.lookup, device=bool(self.layout.device))
        )
        return self.one if name == "one" else self.many

    def workspace(self) -> int:
        """The address of a new workspace."""
        memory = np.zeros(self._size + 64, np.uint8)
        self._kept.append(memory)
        return int(memory.ctypes.data) + -int(memory.ctypes.data) % 64
