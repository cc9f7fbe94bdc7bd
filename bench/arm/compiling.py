"""Kernels compiled here for a processor that is elsewhere, as that processor would compile them.

llvmlite holds every target of LLVM. Numba asks it where it runs, so it is told another place
before Numba starts, in a process of its own. The code is written as ``scannlite.native.kept``
keeps it: an emulated process that is of the same target finds it and compiles nothing.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.arm.boards import Processor

__all__ = ["KERNELS", "compile_kernels", "settings"]

ROOT = Path(__file__).parents[2]
KERNELS = (
    ("search", "search_by_codes"),
    ("search", "search_by_scores"),
    ("device", "search_on_device"),
)


def settings(processor: Processor, folder: Path) -> dict[str, str]:
    """Environment variables of a process that is, or plays to be, on a processor."""
    return {
        "NUMBA_CPU_NAME": processor.name,
        "NUMBA_CPU_FEATURES": processor.features,
        "SCANNLITE_CACHE_DIR": str(folder),
    }


def compile_kernels(processor: Processor, folder: Path) -> dict[str, bytes]:
    """Object code of each kernel by its name; compiled where the folder has none of today's."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bench.arm.compiling", processor.triple, str(folder)]
    subprocess.run(  # noqa: S603 - this interpreter
        command, cwd=ROOT, env={**os.environ, **settings(processor, folder)}, check=True
    )
    return {name: (folder / f"{name}.o").read_bytes() for _, name in KERNELS}


def _play(triple: str) -> Any:
    """Make llvmlite say that this is another machine; Numba must not have been imported."""
    llvm = importlib.import_module("llvmlite.binding")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    from_triple = llvm.Target.from_triple
    llvm.get_process_triple = llvm.get_default_triple = lambda: triple
    llvm.Target.from_default_triple = classmethod(lambda _: from_triple(triple))
    return importlib.import_module("scannlite.native.linking")


def _main(triple: str, folder: Path) -> None:
    linking = _play(triple)
    for room, name in KERNELS:
        prepared = linking.prepare(room, name, folder)
        (folder / f"{name}.o").write_bytes(prepared.code.kernel)


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
