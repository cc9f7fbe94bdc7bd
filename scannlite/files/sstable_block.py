"""One block of a LevelDB table: entries in order of their keys, and where each value lies.

::

    entry | entry | ... | offsets of restarts, uint32 each | their number, uint32

An entry is three varints (bytes of its key shared with the key before, other bytes of the key,
bytes of the value), then those other bytes and the value. A restart is an entry that shares
nothing: a search may start there. The first entry is one, and every ``interval``-th after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from scannlite.files.span import Span

__all__ = ["Block", "BlockWriter", "common_prefix", "encoded", "varint"]

_LARGE = 4096  # bytes of a value that is not copied


def varint(span: Span, at: int, end: int, bits: int = 64) -> tuple[int, int]:
    """The number at a place, seven bits a byte and the lowest first, and where its bytes end.

    Raises:
        IndexFileError: it does not end by ``end``, takes more bits, or a byte more than it needs.
    """
    number = shift = 0
    for place in range(at, min(at + -(-bits // 7), end)):
        byte = span.data[place]
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            if number >> bits or (not byte and place > at):
                break
            return number, place + 1
    found = span.data[at : min(at + 10, end)].hex(" ") or "the end of its block"
    raise span.wrong(at, "number", f"a varint of at most {bits} bits and no spare byte", found)


def encoded(*numbers: int) -> bytes:
    """Numbers as varints, one after another."""
    out = bytearray()
    for number in numbers:
        rest = number
        while rest > 127:
            out.append(rest & 127 | 128)
            rest >>= 7
        out.append(rest)
    return bytes(out)


class Block:
    """Reads one block, believing nothing it says unchecked.

    Args:
        span: its bytes, unpacked.
        interval: the most entries from one that shares nothing to the next. This bounds what a
            small block that shares without end could unfold to.
        above: every key must lie above this one.
        upto: no key may lie above this one.

    Raises:
        IndexFileError: the list of restarts does not fit, here; anything else, while iterating.
    """

    def __init__(
        self, span: Span, interval: int, above: bytes | None = None, upto: bytes | None = None
    ) -> None:
        self.span = span
        self._interval, self._above, self._upto = interval, above, upto
        tail = len(span) - 4
        self._restarts = int.from_bytes(span.data[max(tail, 0) :], "little")
        self._end = tail - 4 * self._restarts
        if self._restarts < 1 or self._end < 0:
            found = f"{self._restarts} in {len(span)} bytes"
            raise span.wrong(max(tail, 0), "number of restarts", "1 or more that fit", found)
        if self._restart(0) != 0:
            raise span.wrong(self._end, "first restart", "0", self._restart(0))

    def __bool__(self) -> bool:
        """Whether there are entries."""
        return self._end > 0

    def entries(self, restart: int = 0) -> Iterator[tuple[bytes, int, int]]:
        """Yield key, start and size of the value of each entry, from a restart on.

        Raises:
            IndexFileError: when it comes to an entry that is not as it must be, and at the end if
                a restart was no entry or a key lies above what the block may hold.
        """
        span, data, end, last = self.span, self.span.data, self._end, self._above
        key, at, run, due = b"", self._restart(restart), 0, self._restart(restart + 1)
        while at < end:
            entry = at
            shared, own, size, at = self._head(at)
            value = at + own
            if value + size > end:
                raise span.wrong(entry, "entry", f"its end by byte {end}", f"byte {value + size}")
            if entry == due > 0:
                key = b""
                restart += 1
                due = self._restart(restart + 1)
            if shared > len(key):
                raise span.wrong(entry, "entry", f"to share at most {len(key)} bytes", shared)
            run = run + 1 if shared else 1
            if run > self._interval:
                found = "one that shares bytes"
                raise span.wrong(entry, "entry", f"a restart each {self._interval} entries", found)
            key = key[:shared] + data[at:value]
            if last is not None and key <= last:
                raise span.wrong(entry, "key", f"one above {_shown(last)}", _shown(key))
            last = key
            yield key, value, size
            at = value + size
        if restart + 1 < self._restarts:
            raise span.wrong(end, "restarts", "each to be an entry, in order", f"another: {due}")
        if self._upto is not None and key > self._upto:
            raise span.wrong(0, "last key", f"one up to {_shown(self._upto)}", _shown(key))

    def get(self, key: bytes) -> Span | None:
        """The value of a key, or None. Call it on a block whose entries were all seen right."""
        # The last restart not above the key: only between it and the next can the key be.
        after = bisect_right(range(self._restarts), key, key=self._restart_key)
        for found, start, size in self.entries(max(after - 1, 0)):
            if found >= key:
                return self.span.part(start, size) if found == key else None
        return None

    def _restart(self, index: int) -> int:
        """The offset of a restart, or the end of the entries after the last."""
        at = self._end + 4 * index
        if index == self._restarts:
            return self._end
        return int.from_bytes(self.span.data[at : at + 4], "little")

    def _restart_key(self, index: int) -> bytes:
        return next(self.entries(index))[0]

    def _head(self, at: int) -> tuple[int, int, int, int]:
        """The three numbers of an entry, and where they end."""
        # Three bytes can be read even past the last entry: a number of restarts follows it.
        shared, own, size = self.span.data[at : at + 3]
        if shared | own | size < 128:
            return shared, own, size, at + 3
        shared, at = varint(self.span, at, self._end, 32)
        own, at = varint(self.span, at, self._end, 32)
        size, at = varint(self.span, at, self._end, 32)
        return shared, own, size, at


def _shown(key: bytes) -> str:
    return repr(key if len(key) <= 40 else key[:40] + b"...")


class BlockWriter:
    """Gathers the entries of one block; a large value is kept as it is, not copied."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._parts: list[memoryview] = []
        self._open = bytearray()  # what follows the parts
        self._end = 0
        self._entries = 0
        self._restarts = [0]
        self._last = b""

    def __bool__(self) -> bool:
        """Whether there are entries."""
        return self._entries > 0

    @property
    def size(self) -> int:
        """The bytes of the block, were it finished now."""
        return self._end + 4 * len(self._restarts) + 4

    def add(self, key: bytes, value: memoryview) -> None:
        """Append an entry, whose key is above all others, and whose value is of single bytes."""
        shared = 0
        if self._entries % self._interval:
            shared = common_prefix(self._last, key)
        elif self._entries:
            self._restarts.append(self._end)
        head = encoded(shared, len(key) - shared, len(value)) + key[shared:]
        self._open += head
        if len(value) < _LARGE:
            self._open += value
        else:
            self._parts += (memoryview(self._open), value)
            self._open = bytearray()
        self._end += len(head) + len(value)
        self._entries += 1
        self._last = key

    def parts(self) -> list[memoryview]:
        """The whole block, in pieces."""
        numbers = (*self._restarts, len(self._restarts))
        tail = b"".join(number.to_bytes(4, "little") for number in numbers)
        return [*self._parts, memoryview(self._open + tail)]


def common_prefix(a: bytes, b: bytes) -> int:
    """How many bytes two keys share at their start."""
    for index, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return index
    return min(len(a), len(b))
