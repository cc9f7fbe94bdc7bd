"""The metadata of each row of an index file: looked up, or, when much is asked for, all found.

A table keeps it under ``M_0``, ``M_1`` and so on, in the order of these keys as text, in blocks of
about 4 kB. One look-up decodes a block. To find all, every block is decoded at once: NumPy takes
one entry of each block at a time, so a hundred steps do for as many blocks as there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from scannlite.files.span import Span
from scannlite.files.sstable import Table
from scannlite.types import AnyArray, Codes, Ids

__all__ = ["RowMetadata", "number_of", "numbered"]

_PREFIX = b"M_"
_LOOKUPS = 64  # items looked up one by one before all are found
_WIDEST = len(_PREFIX) + 10  # a key
_MOST_STEPS = 4096  # entries of a block of 4 kB, and more than any of them has
_MOST_SHIFT = 28  # of the last 7 bits of a varint of 32


def numbered(prefix: bytes, number: int) -> bytes:
    """A key."""
    return prefix + str(number).encode("ascii")


def number_of(key: bytes, prefix: bytes) -> int | None:
    """The number of a key as a writer makes it: decimal, without zeros before it."""
    digits = key[len(prefix) :]
    if not 1 <= len(digits) <= 10 or not digits.isdigit():
        return None
    number = int(digits)
    return number if numbered(prefix, number) == key else None


class RowMetadata(Sequence[bytes]):
    """What an index file says of each row: a read-only sequence of ``bytes``."""

    def __init__(self, table: Table, span: Span, n: int) -> None:
        self._table, self._span, self._n = table, span, n
        self._looked_up: dict[int, bytes] = {}
        self._found: _Found | None = None

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(self._n))]
        i = range(self._n)[place]
        found = self._found
        if found is None:
            if len(self._looked_up) < _LOOKUPS:
                return self._look_up(i)
            self._found = found = _find_all(self._table, self._n)
        start: int = found.starts[i]
        if start < 0:
            return self._look_up(i)
        return bytes(found.data[start : start + found.sizes[i]])

    def __iter__(self) -> Iterator[bytes]:
        if self._found is None:
            self._found = _find_all(self._table, self._n)
        return (self[i] for i in range(self._n))

    def __repr__(self) -> str:
        return f"<{self._n} items of metadata>"

    def _look_up(self, i: int) -> bytes:
        item = self._looked_up.get(i)
        if item is None:
            value = self._table.get(numbered(_PREFIX, i))
            if value is None:
                raise self._span.wrong(0, "table", f"metadata under the key M_{i}", "no such key")
            self._looked_up[i] = item = bytes(value.data)
        return item


class _Found(NamedTuple):
    """Where the metadata of each row lies.

    Attributes:
        data: the table, or its unpacked blocks.
        starts: n whole numbers, -1 where it is to be looked up.
        sizes: n whole numbers.
    """

    data: memoryview
    starts: memoryview
    sizes: memoryview


class _Entries(NamedTuple):
    """One entry of each of some blocks: keys (e, _WIDEST) and their lengths, where values lie."""

    keys: Codes
    lengths: Ids
    starts: Ids
    sizes: Ids


def _find_all(table: Table, n: int) -> _Found:
    """Find what lies in blocks of nothing but metadata, that are as a writer makes them.

    The rest, which is the first block and the last, or all of a table in which anything is odd, is
    left to be looked up, with all checks.
    """
    starts, sizes = np.full(n, -1, np.int64), np.zeros(n, np.int64)
    data, first, last = table.blocks_of(_PREFIX)
    entries = _decode(np.frombuffer(data, np.uint8), first, last) if len(first) else None
    numbers = None if entries is None else _numbers(entries)
    if entries is not None and numbers is not None:
        kept = numbers < n
        numbers = numbers[kept].astype(np.intp)  # what bincount takes, of 32 bits on some machines
        if np.bincount(numbers, minlength=1).max() == 1:
            starts[numbers], sizes[numbers] = entries.starts[kept], entries.sizes[kept]
    return _Found(data, starts.data, sizes.data)


def _decode(data: Codes, first: Ids, last: Ids) -> _Entries | None:
    """All entries of blocks that lie from ``first`` to before ``last``, or None if one is odd."""
    if (last - first < 8).any():
        return None
    number = data[last[:, None] - 4 + np.arange(4)].astype(np.int64)
    restarts = number @ (1 << 8 * np.arange(4))
    end = last - 4 - 4 * restarts
    if (restarts < 1).any() or (end <= first).any():
        return None
    at, key = first.copy(), np.zeros((len(first), _WIDEST), np.uint8)
    length, live = np.zeros(len(first), np.int64), np.arange(len(first))
    steps: list[_Entries] = []
    while len(live) and len(steps) < _MOST_STEPS:
        step = _step(data, live, at[live], end[live], key, length)
        if step is None:
            return None
        steps.append(step)
        at[live] = step.starts + step.sizes
        live = live[at[live] < end[live]]
    if len(live):
        return None
    return _Entries(*(np.concatenate(column) for column in zip(*steps, strict=True)))


def _step(  # noqa: PLR0913, PLR0917 - the state of all blocks
    data: Codes, live: Ids, at: Ids, end: Ids, key: Codes, length: Ids
) -> _Entries | None:
    """The entry at ``at`` of each block that is live; ``key`` and ``length`` become its key."""
    if (at + 3 > end).any():
        return None
    shared, own = data[at].astype(np.int64), data[at + 1].astype(np.int64)
    read = _varints(data, at + 2, end)
    if read is None:
        return None
    size, at = read
    whole = shared + own
    if (shared > length[live]).any() or (whole > _WIDEST).any() or (at + own + size > end).any():
        return None
    for byte in range(int(own.max())):
        some = own > byte
        key[live[some], shared[some] + byte] = data[at[some] + byte]
    length[live] = whole
    return _Entries(key[live], whole, at + own, size)


def _varints(data: Codes, at: Ids, end: Ids) -> tuple[Ids, Ids] | None:
    """Numbers at some places, and where they end; None if one is longer than 32 bits or cut."""
    number, at = np.zeros(len(at), np.int64), at.copy()
    more = np.arange(len(at))
    for shift in range(0, _MOST_SHIFT + 1, 7):
        if (at[more] >= end[more]).any():
            return None
        byte = data[at[more]].astype(np.int64)
        number[more] |= (byte & 0x7F) << shift
        at[more] += 1
        more = more[byte >= 0x80]
        if not len(more):
            return number, at
    return None


def _numbers(entries: _Entries) -> AnyArray | None:
    """The number in each key, or None if one is not a prefix and digits."""
    keys, lengths = entries.keys, entries.lengths
    head = len(_PREFIX)
    if (keys[:, :head] != np.frombuffer(_PREFIX, np.uint8)).any() or (lengths <= head).any():
        return None
    number = np.zeros(len(keys), np.int64)
    for column in range(head, _WIDEST):
        there = lengths > column
        digit = keys[:, column].astype(np.int64) - ord("0")
        if ((digit < 0) | (digit > 9))[there].any():
            return None
        number = np.where(there, 10 * number + digit, number)
    if ((keys[:, head] == ord("0")) & (lengths > head + 1)).any():
        return None
    return number
