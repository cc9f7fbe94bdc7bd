"""What machine code is good for: a processor, a compiler and its settings, and these sources.

Nothing here imports Numba: what is told apart here is what needs no compiler.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm

__all__ = ["Target", "linker", "source_digest"]

# What Numba reads when it starts and what its code depends on.
_SETTINGS = (
    "NUMBA_BOUNDSCHECK",
    "NUMBA_DEBUGINFO",
    "NUMBA_ENABLE_AVX",
    "NUMBA_LOOP_VECTORIZE",
    "NUMBA_OPT",
    "NUMBA_SLP_VECTORIZE",
)


@functools.cache
def source_digest() -> str:
    """Of all sources of kernels: an edit, or an upgrade, anywhere here compiles anew."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


class Target(NamedTuple):
    """What code is compiled for.

    Attributes:
        triple: LLVM's name of the architecture and system.
        processor: LLVM's name, or what ``NUMBA_CPU_NAME`` says.
        features: of the processor, as LLVM lists them, or ``NUMBA_CPU_FEATURES``.
        compiler: the version of llvmlite, of which each goes with one of Numba.
        header: bytes of an object of Python before its own fields.
        settings: Numba's, where they are set.
    """

    triple: str
    processor: str
    features: str
    compiler: str
    header: int
    settings: dict[str, str]

    @classmethod
    def here(cls) -> Target:
        """This process."""
        named, listed = os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES")
        if listed is None:
            listed = "" if named and named.lower() == "generic" else _features()
        return cls(
            llvm.get_process_triple(),
            named or llvm.get_host_cpu_name(),
            listed,
            llvmlite.__version__,
            object.__basicsize__,
            {name: os.environ[name] for name in _SETTINGS if name in os.environ},
        )

    @property
    def key(self) -> str:
        """The same for the same sources and target, for a file's name."""
        told = json.dumps(self._asdict(), sort_keys=True).encode()
        return f"{source_digest()}-{hashlib.sha256(told).hexdigest()[:12]}"


def _features() -> str:
    try:
        return str(llvm.get_host_cpu_features().flatten())
    except RuntimeError:  # LLVM cannot tell
        return ""


def linker() -> Any:
    """An LLVM target machine for code in memory: far calls, and no instruction beyond the plain."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    # As Numba has it, for both parts of the code are linked together.
    reloc = "static" if target.name.startswith("x86") else "default"
    return target.create_target_machine(opt=2, reloc=reloc, codemodel="jitdefault", jit=True)
