"""Blocks of a LevelDB table as they lie in the file: packed or not, type and checksum behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from scannlite.errors import IndexFileError
from scannlite.extras import imported
from scannlite.files.span import Span
from scannlite.files.sstable_block import BlockWriter, varint
from scannlite.types import Ids

__all__ = ["BlockFile", "Handle", "check_crcs", "unpacked", "unpacked_all"]

_TRAILER = 5  # bytes after each block: its type, and the masked CRC-32C of block and type
_PLAIN, _SNAPPY = 0, 1
_MOST_UNPACKED = 22  # bytes from one by snappy, which copies at most 64 for 3
_MOST_PACKED = 0xFFFFFFFF  # bytes that snappy takes
_MASK = 0xA282EAD8
_CHUNK = 1 << 20


class Handle(NamedTuple):
    """Where a block is, without the trailer that follows it."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        """Where its trailer ends."""
        return self.offset + self.size + _TRAILER


def check_crcs(span: Span, handles: Iterable[Handle]) -> None:
    """Compare blocks, which must lie within the file, with their checksums.

    Raises:
        IndexFileError: one differs.
    """
    extend = _crc32c()
    for handle in handles:
        end = handle.offset + handle.size + 1  # the type is covered as well
        crc = _masked_crc(extend, span.data[handle.offset : end])
        stored = int.from_bytes(span.data[end : end + 4], "little")
        if stored != crc:
            expected = f"the masked CRC-32C {stored:#010x}"
            raise span.wrong(handle.offset, "block", expected, f"{crc:#010x}")


def _crc32c() -> Callable[[int, bytes], int]:
    """What extends the checksum of some bytes by more bytes."""
    module = imported("google_crc32c", "device", "the checksum of an .ldb file")
    extend: Callable[[int, bytes], int] = module.extend
    return extend


def _masked_crc(extend: Callable[[int, bytes], int], *parts: memoryview) -> int:
    """The CRC-32C turned right by 15 bits, plus a constant: as LevelDB stores it."""
    crc = 0
    for part in parts:
        for start in range(0, len(part), _CHUNK):
            crc = extend(crc, bytes(part[start : start + _CHUNK]))
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def unpacked(span: Span, handle: Handle) -> Span:
    """The bytes of a block as they were before it was packed; a plain one is not copied.

    Raises:
        IndexFileError: its type is unknown, or it cannot be unpacked or not to what it claims.
    """
    stored = span.part(handle.offset, handle.size)
    kind = span.data[handle.offset + handle.size]
    if kind == _PLAIN:
        return stored
    if kind != _SNAPPY:
        raise span.wrong(handle.offset + handle.size, "block type", "0 or 1", kind)
    size, _ = varint(stored, 0, handle.size, 32)
    if size > _MOST_UNPACKED * handle.size:
        expected = f"at most {_MOST_UNPACKED} bytes for each of {handle.size}"
        raise stored.wrong(0, "snappy block", expected, size)
    cramjam = _cramjam()
    try:
        data = memoryview(cramjam.snappy.decompress_raw(stored.data))
    except cramjam.DecompressionError as error:
        raise stored.wrong(0, "snappy block", "one that can be unpacked", f"'{error}'") from error
    if len(data) != size:
        raise stored.wrong(0, "snappy block", f"{size} bytes", len(data))
    return _Unpacked(span.path, data, stored.start)


def unpacked_all(span: Span, handles: Sequence[Handle]) -> tuple[memoryview, Ids, Ids]:
    """Many blocks as they were before they were packed; nothing is copied if none was.

    Returns:
        Bytes, and where in them each block starts and ends, int64.

    Raises:
        IndexFileError: the type of a block is unknown, or it cannot be unpacked.
    """
    starts = np.array([handle.offset for handle in handles], np.int64)
    sizes = np.array([handle.size for handle in handles], np.int64)
    if any(span.data[handle.offset + handle.size] != _PLAIN for handle in handles):
        blocks = [unpacked(span, handle).data for handle in handles]
        sizes = np.array([len(block) for block in blocks], np.int64)
        return memoryview(b"".join(blocks)), np.cumsum(sizes) - sizes, np.cumsum(sizes)
    return span.data, starts, starts + sizes


def _cramjam() -> Any:
    return imported("cramjam", "device", "snappy in an .ldb file")


class _Unpacked(Span):
    """What a snappy block held: in the file, all of it lies where the block starts."""

    def part(self, offset: int, size: int) -> Span:
        return _Unpacked(self.path, self.data[offset : offset + size], self.start)

    def wrong(self, offset: int, what: str, expected: str, found: object) -> IndexFileError:
        return super().wrong(0, f"{what} {offset} bytes into the snappy block", expected, found)


class BlockFile:
    """Appends blocks to a file, each with its trailer."""

    def __init__(self, file: BinaryIO, compression: bool) -> None:
        self._file = file
        self._pack = _cramjam().snappy.compress_raw if compression else None
        self._extend = _crc32c()
        self._offset = 0

    def append(self, block: BlockWriter) -> Handle:
        """Write a block, and say where."""
        parts, size, kind = block.parts(), block.size, _PLAIN
        if self._pack and size <= _MOST_PACKED:
            packed = memoryview(self._pack(b"".join(parts)))
            if len(packed) < size - size // 8:
                parts, size, kind = [packed], len(packed), _SNAPPY
        parts.append(memoryview(bytes([kind])))
        parts.append(memoryview(_masked_crc(self._extend, *parts).to_bytes(4, "little")))
        for part in parts:
            self._file.write(part)
        handle = Handle(self._offset, size)
        self._offset = handle.end
        return handle
