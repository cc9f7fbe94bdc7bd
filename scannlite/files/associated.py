"""The files that ride behind a model: an ordinary zip, appended to the flatbuffer.

The runtime of the phone maps the file and hands out the bytes of a member where they lie. So
members must be stored as they are, and offsets count from the start of the file, not of the zip.
The zip is read and written here by hand: ``zipfile`` is kinder, and would accept what a phone does
not, and what it writes behind other bytes has changed between versions of Python.
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from scannlite.files.span import Span

__all__ = ["MOST_MEMBERS", "Archive", "Member", "read_archive", "write_archive"]

MOST_MEMBERS = 0xFFFE  # more need zip64

_LOCAL = struct.Struct("<4s5H3L2H")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LONGEST_COMMENT = 0xFFFF
_BIG = 0xFFFFFFFF  # in a 32-bit field: the number is in a zip64 record
_MANY = 0xFFFF  # likewise in a 16-bit field
_UTF8 = 0x800
_LATER = 0x8  # the CRC and sizes follow the data and are 0 in the local header
_HARMLESS = _UTF8 | _LATER | 0x6  # the two others say how well Deflate tried
_VERSION = 20
_UNIX = 3
_DATE = 1 << 5 | 1  # 1 January 1980: the same input gives the same bytes
_MODE = (stat.S_IFREG | 0o644) << 16
# The start of a local header, tight enough that no weights look like it by chance.
_STRAY = re.compile(rb"PK\x03\x04[\x0a-\x3f]\x00.[\x00\x08][\x00\x08]\x00", re.DOTALL)


@dataclass(frozen=True)
class Member:
    """One file in the zip."""

    name: str
    offset: int
    content: Span
    crc: int

    def checked(self) -> Span:
        """The bytes, compared with their checksum.

        Raises:
            IndexFileError: they differ.
        """
        crc = zlib.crc32(self.content.data)
        if crc != self.crc:
            expected = f"the CRC-32 {self.crc:#010x}"
            raise self.content.wrong(0, f"content of {self.name!r}", expected, f"{crc:#010x}")
        return self.content


@dataclass(frozen=True)
class Archive:
    """All files behind a model, in the order of their bytes.

    Attributes:
        start: the byte before which the model must end.
        members: the files by name.
    """

    start: int
    members: dict[str, Member]


def read_archive(file: Span) -> Archive:
    """Find the files behind a model; a model without a zip has none.

    Raises:
        IndexFileError: the zip is damaged, cut short, or not as the format has it.
    """
    end = _find_end(file)
    if end is None:
        stray = _STRAY.search(file.data)
        if stray is not None:
            raise file.wrong(stray.start(), "zip", "an end record", "none, as in a file cut short")
        return Archive(len(file), {})
    count, at = _directory(file, end)
    members = []
    start = at
    for _ in range(count):
        member, at = _member(file, at, start, end)
        members.append(member)
    if at != end:
        raise file.wrong(at, "zip directory", f"its end at byte {end}", "other bytes")
    members.sort(key=lambda member: member.offset)
    _check_together(file, members, start)
    first = members[0].offset if members else start
    return Archive(first, {member.name: member for member in members})


def _find_end(file: Span) -> int | None:
    """Where the end record is: it and its comment must reach to the end of the file."""
    start = max(len(file) - _END.size - _LONGEST_COMMENT, 0)
    tail = bytes(file.data[start:])
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if at + _END.size <= len(tail):
            comment = _END.unpack_from(tail, at)[-1]
            if at + _END.size + comment == len(tail):
                return start + at
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return None


def _directory(file: Span, end: int) -> tuple[int, int]:
    """How many members the end record promises, and the byte at which the directory starts."""
    _, disk, first_disk, here, count, size, start, _ = _END.unpack_from(file.data, end)
    if count == _MANY or _BIG in (size, start):
        raise file.wrong(end, "zip end record", "a zip below 4 GB and 65535 members", "zip64")
    if disk or first_disk or here != count:
        raise file.wrong(end, "zip end record", "a zip in one part", "one in several")
    if start + size != end:
        raise file.wrong(
            end,
            "zip end record",
            f"a directory offset from the start of the file, {end - size}",
            start,
        )
    return count, start


def _member(file: Span, at: int, directory: int, end: int) -> tuple[Member, int]:
    """The member of the directory entry at ``at``, and where the next entry starts."""
    if at + _ENTRY.size > end:
        raise file.wrong(at, "zip directory", f"an entry before byte {end}", "its end")
    entry = _ENTRY.unpack_from(file.data, at)
    magic, _, _, flags, method, _, _, crc, packed, size = entry[:10]
    lengths, offset = entry[10:13], entry[-1]
    after = at + _ENTRY.size + sum(lengths)
    if magic != b"PK\x01\x02" or after > end:
        raise file.wrong(at, "zip directory", "an entry that fits", magic)
    name = bytes(file.data[at + _ENTRY.size : at + _ENTRY.size + lengths[0]])
    text = _decoded(file, at, name)
    if _BIG in (packed, size, offset):
        raise file.wrong(at, f"zip entry {text!r}", "a member below 4 GB", "zip64")
    if flags & ~_HARMLESS or method or packed != size:
        raise file.wrong(
            at, f"zip entry {text!r}", "plain stored bytes", "compressed or encrypted ones"
        )
    if offset + _LOCAL.size > directory:
        raise file.wrong(at, f"zip entry {text!r}", f"a member before byte {directory}", offset)
    start = _check_local(file, offset, name, (flags, crc, size))
    if start + size > directory:
        raise file.wrong(at, f"zip entry {text!r}", f"its end by byte {directory}", start + size)
    return Member(text, offset, file.part(start, size), crc), after


def _decoded(file: Span, at: int, name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise file.wrong(at, "zip entry", "a name in UTF-8", name[:80]) from error


def _check_local(file: Span, offset: int, name: bytes, entry: tuple[int, int, int]) -> int:
    """Compare a local header with the directory; return where the data starts."""
    flags, crc, size = entry
    local = _LOCAL.unpack_from(file.data, offset)
    start: int = offset + _LOCAL.size + local[9]
    numbers = local[6:9]
    if flags & _LATER and numbers == (0, 0, 0):
        numbers = (crc, size, size)
    for what, expected, found in (
        ("signature", b"PK\x03\x04", local[0]),
        ("name", name, bytes(file.data[offset + _LOCAL.size : start])),
        ("flags and method", (flags, 0), local[2:4]),
        ("CRC-32 and sizes", (crc, size, size), numbers),
    ):
        if expected != found:
            raise file.wrong(offset, "zip member", f"the {what} {expected!r}", repr(found))
    extra: int = local[10]
    return start + extra


def _check_together(file: Span, members: list[Member], directory: int) -> None:
    """Every name once, and no byte in two members."""
    ends = [member.offset for member in members[1:]] + [directory]
    for member, end in zip(members, ends, strict=False):
        found = member.content.start - file.start + len(member.content)
        if found > end:
            place = f"zip member {member.name!r}"
            raise file.wrong(member.offset, place, f"its end by byte {end}", found)
    if len({member.name for member in members}) < len(members):
        raise file.wrong(directory, "zip directory", "every name once", "a name used twice")


def write_archive(out: BinaryIO, offset: int, files: Iterable[tuple[str, memoryview]]) -> None:
    """Write a zip behind a model.

    The same files give the same bytes. The caller has seen to it that all stays
    below 4 GB, and at no more than ``MOST_MEMBERS``.

    Args:
        out: a binary file, at ``offset``.
        offset: the byte of the file at which the zip starts.
        files: names and contents.
    """
    entries = []
    at = offset
    for text, content in files:
        name = text.encode("utf-8")
        flags = 0 if text.isascii() else _UTF8
        crc, size = zlib.crc32(content), len(content)
        common = (_VERSION, flags, 0, 0, _DATE, crc, size, size, len(name), 0)
        out.write(_LOCAL.pack(b"PK\x03\x04", *common) + name)
        out.write(content)
        made_by = _UNIX << 8 | _VERSION
        entry = _ENTRY.pack(b"PK\x01\x02", made_by, *common, 0, 0, 0, _MODE, at)
        entries.append(entry + name)
        at += _LOCAL.size + len(name) + size
    directory = b"".join(entries)
    count = len(entries)
    end = _END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), at, 0)
    out.write(directory + end)
