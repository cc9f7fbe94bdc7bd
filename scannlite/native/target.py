"""What machine code is good for: a processor, and what it was compiled from, by what, and how.

Nothing here imports Numba: what is told apart here is what needs no compiler.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm

from scannlite.kernels.sources import source_digest

__all__ = ["Target", "linker"]

# What Numba reads when it starts and what its code depends on.
_SETTINGS = (
    "NUMBA_BOUNDSCHECK",
    "NUMBA_DEBUGINFO",
    "NUMBA_ENABLE_AVX",
    "NUMBA_LOOP_VECTORIZE",
    "NUMBA_OPT",
    "NUMBA_SLP_VECTORIZE",
)


class Target(NamedTuple):
    """What code is compiled for.

    Attributes:
        triple: LLVM's name of the architecture and system.
        processor: LLVM's name, or what ``NUMBA_CPU_NAME`` says.
        features: of the processor, as LLVM lists them, or ``NUMBA_CPU_FEATURES``.
        compiler: the versions of Numba and of llvmlite.
        header: bytes of an object of Python before its own fields.
        settings: Numba's, where they are set.
        sources: a digest of what is compiled; empty where an application ships without.
    """

    triple: str
    processor: str
    features: str
    compiler: str
    header: int
    settings: dict[str, str]
    sources: str

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
            f"numba {_numba_version()}, llvmlite {llvmlite.__version__}",
            object.__basicsize__,
            {name: os.environ[name] for name in _SETTINGS if name in os.environ},
            source_digest(Path(__file__).parent),
        )

    @property
    def key(self) -> str:
        """The same for the same target, for a file's name."""
        told = json.dumps(self._asdict(), sort_keys=True).encode()
        return f"{self.sources}-{hashlib.sha256(told).hexdigest()[:12]}"

    def takes(self, compiled_for: tuple[str, ...]) -> bool:
        """Whether that (triple, processor, features) is this; without AVX, it is as well.

        Numba leaves AVX out by itself on processors that it makes slower.
        """
        features = self.features, self.features.replace("+avx", "-avx")
        return compiled_for in {(self.triple, self.processor, each) for each in features}


def _features() -> str:
    try:
        return str(llvm.get_host_cpu_features().flatten())
    except RuntimeError:  # LLVM cannot tell
        return ""


def _numba_version() -> str:
    """Read where Numba has it: its import is what is not waited for here."""
    numba = importlib.util.find_spec("numba")
    if numba is not None and numba.origin is not None:
        with suppress(OSError):
            text = Path(numba.origin).with_name("_version.py").read_text(encoding="utf-8")
            found = re.search(r'"version": "([^"]*)"', text)
            return found[1] if found else ""
    return ""


def linker() -> Any:
    """An LLVM target machine for code in memory: far calls, and no instruction beyond the plain."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    # As Numba has it, for both parts of the code are linked together.
    reloc = "static" if target.name.startswith("x86") else "default"
    return target.create_target_machine(opt=2, reloc=reloc, codemodel="jitdefault", jit=True)
