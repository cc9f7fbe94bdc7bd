"""Machine code as functions of Python: found on disk, or compiled and then kept there."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding as llvm

from scannlite.native.entry import source
from scannlite.native.folders import folders
from scannlite.native.kept import Code, keep, kept
from scannlite.native.target import Target, linker

__all__ = ["Prepared", "linked", "prepare"]

_FASTCALL = 0x80  # METH_FASTCALL: arguments as an array of objects


class Prepared(NamedTuple):
    """What is known of a kernel's code.

    Attributes:
        code: the code itself.
        compiled: whether it had to be compiled.
        path: the file that keeps it, or None where no folder can be written to.
    """

    code: Code
    compiled: bool
    path: Path | None


class _Method(ctypes.Structure):
    """``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_new_function = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.POINTER(_Method), ctypes.py_object, ctypes.py_object
)(("PyCFunction_NewEx", ctypes.pythonapi))


class _Loaded:
    """Machine code in memory, kept there by the functions that are made of it."""

    def __init__(self, code: Code) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), linker())
        for part in code:
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(part))
        self._engine.finalize_object()
        self._methods: list[_Method] = []

    def function(self, name: str) -> Callable[..., Any]:
        address = self._engine.get_function_address(name)
        method = _Method(name.encode(), address, _FASTCALL, None)
        self._methods.append(method)
        made: Callable[..., Any] = _new_function(ctypes.byref(method), self, __name__)
        return made


def linked(room: str, name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A kernel for one query, and for part of a batch."""
    loaded = _Loaded(prepare(room, name).code)
    return loaded.function("one"), loaded.function("many")


def prepare(room: str, name: str, folder: Path | None = None) -> Prepared:
    """Find a kernel's code on disk, or compile it and keep it there.

    Args:
        room: the module of the kernel.
        name: of the kernel.
        folder: the only one to look in and to write to; None for ``folders()``.
    """
    target = Target.here()
    among = folders() if folder is None else [folder]
    if not target.sources:  # so that nothing tells today's code from another release's
        among = []
    found = kept(name, target, among)
    if found is not None:
        return Prepared(found[0], compiled=False, path=found[1])
    code, compiled_for = _compile(room, name, target)
    # Numba has other ways to be told what to compile for: what went by one of them is not kept.
    path = keep(name, target, code, among) if target.takes(compiled_for) else None
    return Prepared(code, compiled=True, path=path)


def _compile(room: str, name: str, target: Target) -> tuple[Code, tuple[str, ...]]:
    """Code, and the (triple, processor, features) that it was compiled for."""
    kernel = getattr(importlib.import_module(f"scannlite.kernels.{room}"), name)
    kernel.compile("(" + ", ".join(["int64"] * 10) + ",)")
    [compiled] = kernel.overloads.values()
    library, machine = compiled.library, linker()
    entry = source(compiled.fndesc.llvm_func_name, machine, target.header)
    code = Code(
        library.serialize_using_object_code()[2][0],
        machine.emit_object(llvm.parse_assembly(entry)),
    )
    return code, tuple(library.codegen.magic_tuple())
