"""One file for a header and arrays: an uncompressed ``.npz`` whose arrays can be memory-mapped.

``docs/container-format.md`` is the reference: the byte picture, the rules, an example in hex. In
short: a zip of ``.npy`` members, ``header.npy`` (JSON) first, array data at multiples of 64 bytes,
no gap between the parts, and nothing in it that is ever evaluated or unpickled.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy

from scannlite.errors import IndexFileError, InvalidInput, InvalidType
from scannlite.files.atomic import replacing
from scannlite.files.stored_zip import ALIGNMENT, MappedFile, Member, map_file
from scannlite.types import AnyArray

__all__ = ["ALIGNMENT", "FORMAT", "VERSION", "read", "write"]

FORMAT = "scannlite"
VERSION = 1

_HEADER = "header"
_SUFFIX = ".npy"
_CHUNK = 1 << 20
_PAD_ID = 0xD935  # the alignment field of Android's zip files: 2 bytes of alignment, then zeros
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_DESCR = re.compile(r"\|b1|\|[iu]1|<[iu][248]|<f[248]|\|S[1-9][0-9]{0,8}")
_KINDS = "bool, int8 to int64, uint8 to uint64, float16 to float64 or bytes"
_MAGIC = npy.magic(1, 0)
# The header of an .npy as NumPy writes it: matched, so that nothing in a file is evaluated.
_DICTIONARY = re.compile(
    rf"{{'descr': '({_DESCR.pattern})', 'fortran_order': False, "
    r"'shape': \((|[0-9]{1,19},|[0-9]{1,19}(?:, [0-9]{1,19})+)\), } *\n"
)


# ---- writing -----------------------------------------------------------------------------------


def write(
    path: str | os.PathLike[str], arrays: Mapping[str, AnyArray], header: Mapping[str, Any]
) -> None:
    """Write arrays and a header to one file, whole or not at all.

    The same arrays and header give the same bytes. Arrays are streamed: they may be larger than
    memory, and may be views of the very file that is replaced. Any order in memory and any byte
    order is taken; C order and little-endian is stored.

    Args:
        path: the file, usually ``*.npz``.
        arrays: names of letters, digits, ``_``, ``-`` and ``.``, to arrays of bool, int, uint,
            float or bytes (``S``) of any shape.
        header: anything JSON holds; ``format`` and ``version`` are added and may not be given.

    Raises:
        InvalidInput: a name, dtype or header that the file cannot hold.
        InvalidType: a value that is not an array.
        OSError: the file cannot be written; see ``replacing``.
    """
    members = {_HEADER: _encode_header(header)}
    for name, array in arrays.items():
        _check_entry(name, array)
        members[name] = array
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in members.items():
            _write_member(archive, file.tell(), name, np.asarray(array))


def _encode_header(header: Mapping[str, Any]) -> AnyArray:
    for name in ("format", "version"):
        if name in header:
            raise InvalidInput(f"header must not hold {name!r}, which the file adds itself.")
    try:
        text = json.dumps({"format": FORMAT, "version": VERSION, **header}, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"header must hold plain JSON values: {error}.") from error
    return np.frombuffer(text.encode("ascii"), np.uint8)


def _check_entry(name: object, array: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.endswith(_SUFFIX):
        raise InvalidInput(
            "array names must be 1 to 100 letters, digits, '_', '-' or '.', without a slash or "
            f"the ending '.npy', got {name!r}."
        )
    if name == _HEADER:
        raise InvalidInput(f"array names must not be {_HEADER!r}, which holds the header.")
    if not isinstance(array, np.ndarray):
        raise InvalidType(f"arrays[{name!r}] must be a NumPy array, got {type(array).__name__}.")
    if array.dtype.kind not in "biufS" or not _DESCR.fullmatch(_stored(array.dtype).str):
        raise InvalidInput(f"arrays[{name!r}] must hold {_KINDS}, got dtype {array.dtype}.")


def _stored(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<")


def _write_member(archive: zipfile.ZipFile, offset: int, name: str, array: AnyArray) -> None:
    dtype = _stored(array.dtype)
    head = io.BytesIO()
    npy.write_array_header_1_0(
        head, {"descr": dtype.str, "fortran_order": False, "shape": array.shape}
    )
    zip64 = head.tell() + array.nbytes > zipfile.ZIP64_LIMIT
    info = zipfile.ZipInfo(name + _SUFFIX)  # dated 1980: the same input gives the same bytes
    info.create_system = 3  # likewise on Windows
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    info.CRC = info.file_size = info.compress_size = 0  # not known yet, and filled in at the end
    info.extra = _padding(offset + len(info.FileHeader(zip64)) + head.tell())
    with archive.open(info, "w", force_zip64=zip64) as member:
        member.write(head.getvalue())
        for chunk in _chunks(array, dtype):
            member.write(chunk)


def _padding(offset: int) -> bytes:
    """The extra field that moves what would be at ``offset`` to a multiple of 64."""
    zeros = -(offset + 6) % ALIGNMENT
    return struct.pack("<HHH", _PAD_ID, 2 + zeros, ALIGNMENT) + bytes(zeros)


def _chunks(array: AnyArray, dtype: np.dtype[Any]) -> Iterator[bytes]:
    """The elements in C order, about a megabyte at a time."""
    # NumPy's own stubs know only of iteration over several arrays, which gives tuples.
    chunks = cast(
        "Iterable[AnyArray]",
        np.nditer(
            [array],
            flags=["external_loop", "buffered", "zerosize_ok"],
            op_flags=[["readonly"]],
            op_dtypes=[dtype],
            order="C",
            casting="equiv",
            buffersize=max(_CHUNK // dtype.itemsize, 1),
        ),
    )
    for chunk in chunks:
        yield chunk.tobytes()


# ---- reading -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """What the .npy header of a member says, found true."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    count: int
    offset: int


def read(
    path: str | os.PathLike[str], *, verify: bool = True
) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """Map a file that ``write`` made.

    The arrays are read-only views of one mapping of the whole file, which lives as long as any of
    them does. Their data is aligned to 64 bytes, and at least 64 more bytes are mapped after it.

    Args:
        path: the file.
        verify: compare every member with its CRC-32, which reads the whole file once. Without
            it only the structure and the header are checked.

    Returns:
        The arrays by name, in the order of the file, and the header as it was given to ``write``.

    Raises:
        IndexFileError: the file is damaged, truncated, foreign or of a newer format.
        FileNotFoundError: there is no such file.
        IsADirectoryError: ``path`` is a folder.
        OSError: whatever else the system refuses.
    """
    file = map_file(os.fspath(path))
    try:
        members = file.members(first=_HEADER + _SUFFIX)
        header = _read_header(file, next(members))
        layouts = {}
        for member in members:
            if verify:
                file.check_crc(member)
            layouts[_array_name(file, member)] = _layout(file, member)
        arrays = {name: _view(file, name, layout) for name, layout in layouts.items()}
    except BaseException:
        file.close()
        raise
    return arrays, header


def _array_name(file: MappedFile, member: Member) -> str:
    name = member.name.removesuffix(_SUFFIX)
    if name == member.name or not _NAME.fullmatch(name) or name.endswith(_SUFFIX):
        raise file.wrong(member.place, "a name made of an array name and '.npy'", "another")
    return name


def _layout(file: MappedFile, member: Member) -> _Layout:
    """The dtype and shape of a member, and proof that its data is where it must be."""
    size = len(_MAGIC) + 2
    head = file.data[member.start : member.start + min(size, member.size)]
    if head[:-2] != _MAGIC:
        raise file.wrong(member.place, "an .npy file of version 1.0", head)
    size += int.from_bytes(head[-2:], "little")
    text = file.data[member.start : member.start + min(size, member.size)][len(head) :]
    match = _DICTIONARY.fullmatch(text.decode("latin-1"))
    if match is None:
        shown = text[:80].rstrip()
        raise file.wrong(member.place, f"the .npy header of {_KINDS} in C order", shown)
    dtype = np.dtype(match[1])
    shape = tuple(int(axis) for axis in match[2].split(",") if axis)
    count = math.prod(shape)
    if size + count * dtype.itemsize != member.size:
        expected = f"{size + count * dtype.itemsize} bytes for shape {shape} of {dtype}"
        raise file.wrong(member.place, expected, f"{member.size}")
    if (member.start + size) % ALIGNMENT:
        expected = f"array data at a multiple of {ALIGNMENT} bytes"
        raise file.wrong(member.place, expected, f"byte {member.start + size}")
    return _Layout(dtype, shape, count, member.start + size)


def _view(file: MappedFile, name: str, layout: _Layout) -> AnyArray:
    try:
        flat = np.frombuffer(file.data, layout.dtype, layout.count, layout.offset)
        return flat.reshape(layout.shape)
    except (ValueError, OverflowError) as error:
        # Empty arrays may claim axes, and any array a number of them, that NumPy cannot hold.
        place = f"member '{name}{_SUFFIX}'"
        raise file.wrong(place, "a shape NumPy can hold", layout.shape) from error


def _read_header(file: MappedFile, member: Member) -> dict[str, Any]:
    """The JSON of the first member, always compared with its checksum: it is small."""
    file.check_crc(member)
    layout = _layout(file, member)
    if layout.dtype != np.uint8 or len(layout.shape) != 1:
        found = f"shape {layout.shape} of {layout.dtype}"
        raise file.wrong(member.place, "a one-dimensional uint8 array", found)
    try:
        header = json.loads(file.data[layout.offset : member.start + member.size])
    except (ValueError, RecursionError) as error:
        raise file.wrong(member.place, "JSON", f"'{error}'") from error
    if not isinstance(header, dict) or header.pop("format", None) != FORMAT:
        raise file.wrong(member.place, f"the JSON header of format '{FORMAT}'", "another")
    version = header.pop("version", None)
    if type(version) is not int or version < 1:
        raise file.wrong(member.place, "a format version from 1", repr(version))
    if version > VERSION:
        raise IndexFileError(
            f"{file.path}: format version {version} was written by a newer scannlite, and this one "
            f"reads up to version {VERSION}: upgrade scannlite or build the index again."
        )
    return header
