"""Map an uncompressed zip file and find its members, believing nothing it says unchecked."""

from __future__ import annotations

import errno
import mmap
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from scannlite.errors import IndexFileError

__all__ = ["ALIGNMENT", "MappedFile", "Member", "map_file"]

ALIGNMENT = 64  # bytes: a cache line, and the widest SIMD register

_LOCAL = struct.Struct("<4s5H3L2H")
_FIELD = struct.Struct("<2H")
_BIG = 0xFFFFFFFF  # in a 32-bit field: the number is in the zip64 extra field
_UTF8 = 0x800
_END_SIZE = 22
_CHUNK = 1 << 20
_UNREADABLE = (  # what zipfile raises for a directory it cannot read, some of it unintended
    zipfile.BadZipFile,
    NotImplementedError,
    ValueError,
    OverflowError,
    OSError,
    struct.error,
)


@dataclass(frozen=True)
class Member:
    """One member: where its bytes are, and what the zip directory says of them."""

    name: str
    offset: int
    start: int
    size: int
    crc: int

    @property
    def place(self) -> str:
        """What an error message calls this member."""
        return f"member '{self.name}' at byte {self.offset}"


@dataclass(frozen=True)
class MappedFile:
    """A whole file in memory, read-only, and its name for error messages."""

    path: str
    data: mmap.mmap

    def wrong(self, place: str, expected: str, found: object) -> IndexFileError:
        """The error for a place in this file."""
        return IndexFileError(f"{self.path}: {place}: expected {expected}, found {found}.")

    def members(self, first: str) -> Iterator[Member]:
        """Yield the members in order, each checked against its local header.

        Together with the directory they must fill the file without a gap or an overlap.

        Args:
            first: the name the first member must have.

        Raises:
            IndexFileError: the zip structure is damaged or is not as scannlite writes it.
        """
        infos, directory = self._directory()
        names = [info.filename for info in infos]
        if names[:1] != [first]:
            raise self.wrong(
                "zip directory", f"{first!r} first as in every file by scannlite", names[:1]
            )
        if len(set(names)) < len(names):
            raise self.wrong("zip directory", "every name once", "a name used twice")
        end = 0
        for info in infos:
            member = self._member(info, end)
            end = member.start + member.size
            if end > directory:
                raise self.wrong(member.place, f"its end by byte {directory}", f"byte {end}")
            yield member
        if end != directory:
            raise self.wrong("zip directory", f"its start at byte {end}", f"byte {directory}")

    def check_crc(self, member: Member) -> None:
        """Compare a member's bytes with its checksum.

        Raises:
            IndexFileError: they differ.
        """
        crc = 0
        end = member.start + member.size
        with memoryview(self.data) as whole:
            for start in range(member.start, end, _CHUNK):
                with whole[start : min(start + _CHUNK, end)] as chunk:
                    crc = zlib.crc32(chunk, crc)
        if crc != member.crc:
            raise self.wrong(member.place, f"the CRC-32 {member.crc:#010x}", f"{crc:#010x}")

    def close(self) -> None:
        """Unmap; a mapping of which views are still alive ends with the last of them."""
        with suppress(BufferError):
            self.data.close()

    def _directory(self) -> tuple[list[zipfile.ZipInfo], int]:
        """The zip directory as ``zipfile`` reads it, and the byte at which it starts."""
        magic = self.data[:4]
        if magic != b"PK\x03\x04":
            raise self.wrong("byte 0", "a zip file written by scannlite", magic)
        tail = max(len(self.data) - _END_SIZE, 0)
        if self.data[tail : tail + 4] != b"PK\x05\x06":
            raise self.wrong(
                f"byte {tail}", "the end of a zip file", "other bytes, as when the end is missing"
            )
        try:
            # A mapping has the read, seek and tell that zipfile uses.
            with zipfile.ZipFile(cast("IO[bytes]", self.data)) as archive:
                return archive.infolist(), archive.start_dir
        except _UNREADABLE as error:
            raise self.wrong("zip directory", "one that can be read", f"'{error}'") from error

    def _member(self, info: zipfile.ZipInfo, offset: int) -> Member:
        """The member whose local header is at ``offset``, where the one before it ends."""
        place = f"member {info.filename!r} at byte {offset}"
        if info.header_offset != offset:
            raise self.wrong(place, "no gap before it", f"a start at byte {info.header_offset}")
        if info.flag_bits & ~_UTF8 or info.compress_type or info.compress_size != info.file_size:
            raise self.wrong(place, "plain stored bytes", "compressed or encrypted ones")
        header = self.data[offset : offset + _LOCAL.size]
        if len(header) < _LOCAL.size:
            raise self.wrong(place, "a local header", "the end of the file")
        magic, _, flags, method, _, _, crc, packed, size, names, extras = _LOCAL.unpack(header)
        start = offset + _LOCAL.size + names
        name, extra = self.data[offset + _LOCAL.size : start], self.data[start : start + extras]
        sizes = _zip64_sizes(extra) if packed == size == _BIG else [packed, size]
        for what, expected, found in (
            ("signature", b"PK\x03\x04", magic),
            ("name", info.filename.encode("utf-8", "replace"), name),
            ("flags", info.flag_bits, flags),
            ("method", info.compress_type, method),
            ("CRC-32", info.CRC, crc),
            ("sizes", [info.compress_size, info.file_size], sizes),
        ):
            if expected != found:
                raise self.wrong(place, f"the {what} {expected!r} in its local header", repr(found))
        return Member(info.filename, offset, start + extras, info.file_size, info.CRC)


def _zip64_sizes(extra: bytes) -> list[int]:
    """Both sizes from the zip64 extra field, or none where it is not as it must be."""
    at = 0
    while at + _FIELD.size <= len(extra):
        kind, size = _FIELD.unpack_from(extra, at)
        at += _FIELD.size
        if kind == 1 and size == 16 and at + size <= len(extra):
            return list(struct.unpack_from("<2Q", extra, at))
        at += size
    return []


def map_file(path: str) -> MappedFile:
    """Map a file for reading.

    Raises:
        IndexFileError: it is empty, not a file, or too large for this machine's addresses.
        FileNotFoundError: there is no such file.
        IsADirectoryError: it is a folder.
        OSError: whatever else the system refuses.
    """
    status = Path(path).stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise IndexFileError(f"{path}: expected a file, found a device or pipe.")
    if status.st_size == 0:
        raise IndexFileError(f"{path}: expected a file written by scannlite, found an empty one.")
    try:
        with Path(path).open("rb") as file:
            return MappedFile(path, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (ValueError, OverflowError) as error:
        raise IndexFileError(
            f"{path}: expected a file this Python can map, found {status.st_size} bytes: {error}."
        ) from error
