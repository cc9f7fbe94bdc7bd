"""Machine code of kernels on disk: small files, good wherever they are moved to.

A file is a line of JSON, which says what the code was compiled from and for, then the code, two
object files of the system's own format, and a checksum of it all. It is read from the first of some
folders that has it, and written to the first that can be written to.
"""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from scannlite.native.target import Target

__all__ = ["Code", "keep", "kept"]

_FORMAT = 1
_CHECKSUM = 4  # bytes


class Code(NamedTuple):
    """Object files: a kernel, and the functions around it that Python calls."""

    kernel: bytes
    entry: bytes


def kept(name: str, target: Target, among: list[Path]) -> tuple[Code, Path] | None:
    """The code of a kernel and the file it is in; a damaged file is as none."""
    for folder in among:
        path = _path(folder, name, target)
        with suppress(OSError, ValueError, KeyError, TypeError):
            return _parse(path.read_bytes(), _told(name, target)), path
    return None


def keep(name: str, target: Target, code: Code, among: list[Path]) -> Path | None:
    """Write a file whole or not at all, and say where; None where no folder can be written to."""
    for path in (_path(folder, name, target) for folder in among):
        temporary = path.with_name(f".{uuid4().hex}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(_content(_told(name, target), code))
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
        else:
            return path
    return None


def _path(folder: Path, name: str, target: Target) -> Path:
    return folder / f"{name}-{target.key}.kernel"


def _told(name: str, target: Target) -> dict[str, Any]:
    return {"scannlite_kernel": _FORMAT, "name": name, "target": target._asdict()}


def _content(told: dict[str, Any], code: Code) -> bytes:
    line = json.dumps({**told, "sizes": [len(part) for part in code]}).encode()
    content = b"".join([line, b"\n", *code])
    return content + _checksum(content)


def _parse(content: bytes, expected: dict[str, Any]) -> Code:
    if _checksum(content[:-_CHECKSUM]) != content[-_CHECKSUM:]:
        raise ValueError("damaged")
    line, _, code = content[:-_CHECKSUM].partition(b"\n")
    told = json.loads(line)
    first, second = told.pop("sizes")
    if told != expected or len(code) != first + second:
        raise ValueError("of something else, under this name")
    return Code(code[:first], code[first:])


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM, "little")
