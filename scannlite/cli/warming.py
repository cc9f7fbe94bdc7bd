"""``scannlite warmup``: compile now what the first search or build would wait for."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from scannlite.cli.commands import Command, declare_common
from scannlite.cli.output import say, say_json
from scannlite.engine.warmup import (
    Warmed,
    all_kernels,
    kernels_of,
    warm_building,
    warm_kernel,
)
from scannlite.errors import InvalidInput

__all__ = ["COMMANDS"]

_NOT_KEPT = (
    "no folder can be written to, so that every process compiles anew: "
    "name one in SCANNLITE_CACHE_DIR, or give --cache"
)


def warmup(arguments: argparse.Namespace) -> None:
    """``scannlite warmup``: each kernel compiled and kept, or found."""
    if arguments.build and arguments.cache:
        raise InvalidInput(
            "--build must be given without --cache, got both: "
            "Numba keeps kernels of building, where NUMBA_CACHE_DIR says."
        )
    for warmed in _warm(arguments):
        if arguments.cache and warmed.path is None:
            raise InvalidInput(
                f"--cache must be a folder that can be written to, got {arguments.cache}."
            )
        if arguments.json:
            facts = asdict(warmed)
            say_json({**facts, "path": None if warmed.path is None else str(warmed.path)})
        else:
            say(_line_of(warmed))


def _warm(arguments: argparse.Namespace) -> Iterator[Warmed]:
    found = [kernel for index in arguments.indexes for kernel in kernels_of(index)]
    for room, name in dict.fromkeys(found) if arguments.indexes else all_kernels():
        yield warm_kernel(room, name, arguments.cache)
    if arguments.build:
        from scannlite.engine.index import Index  # noqa: PLC0415 - who builds not needs not

        yield warm_building(Index.build)


def _line_of(warmed: Warmed) -> str:
    if not warmed.compiled:
        return f"{warmed.kernel}: was compiled already, {warmed.path}"
    where = _NOT_KEPT if warmed.path is None else str(warmed.path)
    return f"{warmed.kernel}: compiled in {warmed.seconds:.1f} s, {where}"


def declare_warmup(parser: argparse.ArgumentParser) -> None:
    """Words of ``warmup``."""
    add = parser.add_argument
    add(
        "indexes",
        type=Path,
        nargs="*",
        metavar="INDEX",
        help="a .npz, .ldb or .tflite file that will be searched; default: any",
    )
    add("--build", action="store_true", help="what building an index needs, as well")
    add(
        "--cache",
        type=Path,
        metavar="DIR",
        help="fill this folder, to be shipped with an application that sets SCANNLITE_CACHE_DIR",
    )
    declare_common(parser, "json")


COMMANDS = {"warmup": Command(warmup, "compile now, not at the first search", declare_warmup)}
