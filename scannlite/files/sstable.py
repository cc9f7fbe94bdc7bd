"""A LevelDB table: one immutable file of sorted keys and their values, the TFLite index file.

::

    data blocks | filter blocks, usually none | metaindex block | index block | footer, 48 bytes

Blocks are as in ``sstable_block``. Each is followed by 5 bytes: its type (0 plain, 1 snappy), and
a masked CRC-32C of block and type. The footer has the offsets and sizes of metaindex and index,
zeros, and 8 bytes of magic. The index has an entry for each data block: a key from its last to
below the first of the next, and its offset and size. Nothing lies between the parts.
``docs/file-format.md`` is the reference; plain tables are written byte for byte as LevelDB does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import BinaryIO

from scannlite.errors import InvalidInput
from scannlite.files.span import Span
from scannlite.files.sstable_block import Block, BlockWriter, common_prefix, encoded, varint
from scannlite.files.sstable_store import BlockFile, Handle, check_crcs, unpacked, unpacked_all
from scannlite.types import Ids

__all__ = ["MAGIC", "Table", "write"]

MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER = 48
_INTERVAL = 16  # entries from one restart to the next; in the index each entry is a restart
_BLOCK = 4096  # a data block of so many bytes is full
_LONGEST = 0xFFFFFFFF  # key or value: their lengths are varints of 32 bits


# ---- reading -----------------------------------------------------------------------------------


class Table:
    """One table, read from bytes that may be a memory map, which its values are views of.

    ``open`` makes one. Blocks are decoded when needed; several threads may read at once.
    """

    def __init__(self, span: Span, keys: list[bytes], handles: list[Handle]) -> None:
        self._span, self._keys, self._handles = span, keys, handles
        self._last: tuple[int, Block] | None = None  # the block of the last ``get``

    @classmethod
    def open(cls, span: Span) -> Table:
        """Read the index of a table and compare every block with its checksum.

        Raises:
            IndexFileError: it is damaged, truncated, or not a table. The reading methods raise
                this too: what is inside a data block shows only when it is decoded.
            MissingExtra: the library of the checksum is not installed.
        """
        metaindex, index = _read_footer(span)
        check_crcs(span, [metaindex, index])
        keys, handles, end, limit = [], [], 0, metaindex.offset
        for key, handle in _read_handles(unpacked(span, index), 1, 0, limit):
            keys.append(key)
            handles.append(handle)
            end = handle.end
        filters = _read_handles(unpacked(span, metaindex), _INTERVAL, end, limit)
        blocks = handles + [handle for _, handle in filters]
        end = blocks[-1].end if blocks else 0
        if end != limit:
            raise span.wrong(end, "metaindex", "its start here", f"byte {limit}")
        check_crcs(span, blocks)
        return cls(span, keys, handles)

    def __iter__(self) -> Iterator[tuple[bytes, Span]]:
        return self.starting(b"")

    def starting(self, prefix: bytes) -> Iterator[tuple[bytes, Span]]:
        """Yield the entries whose keys start with a prefix, in order of their keys.

        Raises:
            IndexFileError: a block that may hold such a key is damaged.
        """
        for number in range(bisect_left(self._keys, prefix), len(self._keys)):
            block = self._block(number)
            for key, start, size in block.entries():
                if key.startswith(prefix):
                    yield key, block.span.part(start, size)
            if not self._keys[number].startswith(prefix):
                return  # it is above all that do, and below all keys that follow

    def get(self, key: bytes) -> Span | None:
        """The value of a key, or None where there is no such key.

        Raises:
            IndexFileError: the block that must hold it is damaged.
        """
        number = bisect_left(self._keys, key)
        if number == len(self._keys):
            return None
        last = self._last  # replaced as a whole, so that threads need no lock
        if last is None or last[0] != number:
            block = self._block(number)
            for _ in block.entries():
                pass  # each is checked on the way
            self._last = last = number, block
        return last[1].get(key)

    def blocks_of(self, prefix: bytes) -> tuple[memoryview, Ids, Ids]:
        """All data blocks of nothing but keys with a prefix, as they were before they were packed.

        Returns:
            Bytes, and where in them each block starts and ends, int64. They are those of the table
            itself where no block is packed.

        Raises:
            IndexFileError: a block cannot be unpacked.
        """
        handles = [
            handle
            for (before, key), handle in zip(pairwise(self._keys), self._handles[1:], strict=True)
            if before.startswith(prefix) and key.startswith(prefix)
        ]
        return unpacked_all(self._span, handles)

    def _block(self, number: int) -> Block:
        handle = self._handles[number]
        above = self._keys[number - 1] if number else None
        span = unpacked(self._span, handle)
        block = Block(span, _INTERVAL, above, self._keys[number])
        if not block:
            raise span.wrong(0, "data block", "entries", "none")
        return block


def _read_footer(span: Span) -> tuple[Handle, Handle]:
    """Where metaindex and index are: one after the other, right before the footer."""
    start = max(len(span) - _FOOTER, 0)
    padding = len(span) - len(MAGIC)
    if len(span) < _FOOTER or span.data[padding:] != MAGIC:
        found = "other bytes, as when the end is missing"
        raise span.wrong(start, "footer", "the end of a LevelDB table", found)
    metaindex, at = _read_handle(span, start, padding)
    index, at = _read_handle(span, at, padding)
    if any(span.data[at:padding]):
        raise span.wrong(at, "footer", "zeros after two handles", span.data[at:padding].hex(" "))
    if (metaindex.end, index.end) != (index.offset, start):
        found = f"{tuple(metaindex)} and {tuple(index)}"
        expected = f"(offset, size) of two blocks and trailers that end at byte {start}"
        raise span.wrong(start, "footer", expected, found)
    return metaindex, index


def _read_handle(span: Span, at: int, end: int) -> tuple[Handle, int]:
    offset, at = varint(span, at, end)
    size, at = varint(span, at, end)
    return Handle(offset, size), at


def _read_handles(
    span: Span, interval: int, end: int, limit: int
) -> Iterator[tuple[bytes, Handle]]:
    """Yield keys and handles of a block of handles.

    Each must start where the one before ends, the first at ``end``, and end by ``limit``.
    """
    for key, start, size in Block(span, interval).entries():
        handle, stop = _read_handle(span, start, start + size)
        if stop != start + size or handle.offset != end or handle.end > limit:
            expected = f"offset {end} and a size that ends by byte {limit}, in {size} bytes"
            raise span.wrong(start, "handle", expected, f"{tuple(handle)} in {stop - start}")
        end = handle.end
        yield key, handle


# ---- writing -----------------------------------------------------------------------------------


def write(
    file: BinaryIO, items: Iterable[tuple[bytes, bytes | memoryview]], *, compression: bool = False
) -> None:
    """Write a table as it comes: only one block and the index are held in memory.

    The same items give the same bytes; without compression, those that LevelDB writes.

    Args:
        file: written from where it stands; offsets in the table count from there.
        items: keys and values, in strictly ascending order of the keys. A value may be
            the ``data`` of an array in C order.
        compression: pack each block with snappy, and keep it packed where that saves an eighth.

    Raises:
        InvalidInput: keys that do not ascend, or a key or value of 4 GiB or more.
        MissingExtra: the library of the checksum, or of snappy, is not installed.
        OSError: the file cannot be written.
    """
    blocks = BlockFile(file, compression)
    data, index = BlockWriter(_INTERVAL), BlockWriter(1)
    written: Handle | None = None  # a block whose index key waits for the key that follows
    last: bytes | None = None
    for key, value in items:
        view = _flat(key, value)
        if last is not None:
            if key <= last:
                raise InvalidInput(f"keys must be strictly ascending, got {key!r} after {last!r}.")
            if written is not None:
                index.add(_separator(last, key), memoryview(encoded(*written)))
                written = None
        data.add(key, view)
        if data.size >= _BLOCK:
            written, data = blocks.append(data), BlockWriter(_INTERVAL)
        last = key
    if data:
        written = blocks.append(data)
    if written is not None and last is not None:
        index.add(_successor(last), memoryview(encoded(*written)))
    footer = encoded(*blocks.append(BlockWriter(_INTERVAL)), *blocks.append(index))
    file.write(footer.ljust(_FOOTER - len(MAGIC), b"\0") + MAGIC)


def _flat(key: bytes, value: bytes | memoryview) -> memoryview:
    """A value as single bytes."""
    view = memoryview(value)
    if max(len(key), view.nbytes) > _LONGEST:
        raise InvalidInput(f"keys and values must be under 4 GiB, got {view.nbytes} for {key!r}.")
    return view.cast("B") if view.nbytes else memoryview(b"")  # no shape with a 0 can be cast


def _separator(last: bytes, following: bytes) -> bytes:
    """A short key from ``last`` to below ``following``: one byte of ``last`` raised, cut there."""
    at = common_prefix(last, following)
    if at < len(last) and last[at] + 1 < following[at]:
        return last[:at] + bytes([last[at] + 1])
    return last


def _successor(last: bytes) -> bytes:
    """A short key not below ``last``: its first byte that can be raised is, and the key cut."""
    for at, byte in enumerate(last):
        if byte < 255:
            return last[:at] + bytes([byte + 1])
    return last
