"""Machine code of kernels on disk: small files, good wherever they are moved to.

A file is a line of JSON, which says what the code was compiled for, and the code: two object
files of the system's own format. It is read from the first of some folders that has it, and
written to the first that can be written to.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from scannlite.kernels.target import Target

__all__ = ["Code", "keep", "kept"]

_FORMAT = 1


class Code(NamedTuple):
    """Object files: a kernel, and the functions around it that Python calls."""

    kernel: bytes
    entry: bytes


def kept(name: str, target: Target, among: list[Path]) -> tuple[Code, Path] | None:
    """The code of a kernel and the file it is in; a damaged file is as none."""
    for folder in among:
        path = _path(folder, name, target)
        with suppress(OSError, ValueError, KeyError, TypeError):
            return _parse(path.read_bytes()), path
    return None


def keep(name: str, target: Target, code: Code, among: list[Path]) -> Path | None:
    """Write a file whole or not at all, and say where; None where no folder can be written to."""
    for path in (_path(folder, name, target) for folder in among):
        temporary = path.with_name(f".{uuid4().hex}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(b"".join(_pieces(name, target, code)))
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
        else:
            return path
    return None


def _path(folder: Path, name: str, target: Target) -> Path:
    return folder / f"{name}-{target.key}.kernel"


def _pieces(name: str, target: Target, code: Code) -> Iterator[bytes]:
    told = {
        "scannlite_kernel": _FORMAT,
        "name": name,
        "sizes": [len(part) for part in code],
        "crc32": zlib.crc32(b"".join(code)),
        "target": target._asdict(),
    }
    yield json.dumps(told).encode() + b"\n"
    yield from code


def _parse(content: bytes) -> Code:
    line, _, code = content.partition(b"\n")
    told = json.loads(line)
    first, second = told["sizes"]
    if told["scannlite_kernel"] != _FORMAT or len(code) != first + second:
        raise ValueError("of another format, or cut")
    if zlib.crc32(code) != told["crc32"]:
        raise ValueError("damaged")
    return Code(code[:first], code[first:])
