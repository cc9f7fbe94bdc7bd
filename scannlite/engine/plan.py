"""How an index answers: the kernel, its block, and workspaces that wait to be used.

A plan is made once from arrays that were validated, is never changed, and keeps everything alive
whose address the block holds. Threads take workspaces from a shared list and put them back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scannlite.kernels import compiled, implementation
from scannlite.kernels.layout import LOOKUP_16, Layout, pack, regions
from scannlite.types import AnyArray

__all__ = ["Plan"]

Kernel = Callable[..., Any]


def _kernel_of(layout: Layout) -> tuple[str, str]:
    """The module and the name of the kernel that searches a layout."""
    if layout.device:
        return "device", "search_on_device"
    return "search", "search_by_codes" if layout.lookup == LOOKUP_16 else "search_by_scores"


class Plan:
    """A layout and what searches it.

    Attributes:
        layout: the arrays and numbers.
        one, many: the kernels for a query and for part of a batch; twins where none compiles.
        address: of the block.
        free: addresses of workspaces nobody uses now; pop one, or ask for a new one.
    """

    __slots__ = ("_kept", "_size", "address", "compiled", "free", "layout", "many", "one")

    def __init__(self, layout: Layout) -> None:
        room, name = _kernel_of(layout)
        kernels = implementation(room)
        self.layout = layout
        self.compiled = compiled()
        self.one: Kernel = getattr(kernels, name)
        self.free: list[int] = []
        self.address = 0
        self._kept: list[AnyArray] = []
        if self.compiled:
            self.many: Kernel = getattr(kernels, f"{name}_many")
            block = pack(layout)
            self.address = block.ctypes.data
            self._size = regions(layout)[1]
            self._kept.append(block)

    def workspace(self) -> int:
        """The address of a new workspace."""
        memory = np.zeros(self._size + 64, np.uint8)
        self._kept.append(memory)
        return int(memory.ctypes.data) + -int(memory.ctypes.data) % 64
