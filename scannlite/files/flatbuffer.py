"""Flatbuffers: read without trust, and changed by a new head before the old bytes.

Reading needs no library. The Python reader of flatbuffers follows whatever offset a file holds;
here every offset, vtable and length is compared with the bytes there are before it is followed.

Changing rests on two rules of the format: offsets to children are relative, and point forward.
So old bytes may move as a whole, and new tables put before them may point into them. Nothing old
is changed or copied; a replaced table stays behind, unreachable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scannlite.errors import IndexFileError
from scannlite.extras import imported
from scannlite.files.span import Span
from scannlite.types import AnyArray

__all__ = ["Flatbuffer", "Head", "Schema", "Table"]

_MOST = 1_000_000  # tables: the C++ verifier's own limit, so a phone refuses larger files too
_ALIGNMENT = 64  # a multiple of what any object in a flatbuffer asks for
_OFFSET = 4


@dataclass(frozen=True)
class Schema:
    """What a kind of table holds, as far as it is used here.

    Attributes:
        name: for messages.
        fields: their names, in the order of their slots; a union has two.
        scalars: the bytes of those that are unsigned numbers; all others are offsets to children.
    """

    name: str
    fields: tuple[str, ...]
    scalars: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Flatbuffer:
    """The bytes of one flatbuffer, and how many of its tables were visited."""

    span: Span
    visited: int = 0

    def root(self, schema: Schema, identifier: bytes) -> Table:
        """The outermost table.

        Raises:
            IndexFileError: the identifier is another, or an offset leads out of the bytes.
        """
        found = bytes(self.span.data[4:8])
        if found != identifier:
            raise self.span.wrong(4, schema.name, f"the identifier {identifier!r}", found)
        return self.table(self.target(0, schema.name), schema)

    def table(self, at: int, schema: Schema) -> Table:
        """The table at a byte, its extent checked.

        Raises:
            IndexFileError: it does not fit in the bytes, or too many tables were visited.
        """
        self.visited += 1
        if self.visited > _MOST:
            raise self.span.wrong(at, schema.name, f"at most {_MOST} tables", "more")
        back = self.number(at, 4, schema.name)
        vtable = at - (back - (1 << 32) if back >> 31 else back)
        size = self.number(vtable, 2, f"{schema.name}'s vtable")
        extent = self.number(vtable + 2, 2, f"{schema.name}'s vtable")
        if size < 4 or size % 2 or vtable + size > len(self.span):
            raise self.span.wrong(vtable, f"{schema.name}'s vtable", "an even size that fits", size)
        if extent < 4 or at + extent > len(self.span):
            raise self.span.wrong(vtable, f"{schema.name}'s vtable", "a table that fits", extent)
        return Table(self, schema, at, vtable, (size - 4) // 2, extent)

    def number(self, at: int, size: int, what: str) -> int:
        """An unsigned number.

        Raises:
            IndexFileError: it would lie outside the bytes.
        """
        if not 0 <= at <= len(self.span) - size:
            raise IndexFileError(
                f"{self.span.path}: {what}: expected an offset within the {len(self.span)} bytes "
                f"from byte {self.span.start}, found one to byte {self.span.start + at}."
            )
        return int.from_bytes(self.span.data[at : at + size], "little")

    def target(self, at: int, what: str) -> int:
        """The byte that the offset at ``at`` points to; at least four bytes are there.

        Raises:
            IndexFileError: it points to itself or out of the bytes.
        """
        distance = self.number(at, _OFFSET, what)
        if distance == 0 or at + distance > len(self.span) - _OFFSET:
            raise self.span.wrong(at, what, "an offset within the flatbuffer", distance)
        return at + distance


@dataclass(frozen=True)
class Table:
    """One table: its fields are found by the names of its schema."""

    buffer: Flatbuffer
    schema: Schema
    at: int
    vtable: int
    slots: int
    extent: int

    def wrong(self, name: str, expected: str, found: object) -> IndexFileError:
        """The error for one of its fields."""
        return self.buffer.span.wrong(self.at, self._what(name), expected, found)

    def number(self, name: str) -> int:
        """A scalar; 0, the default of all that are used here, where it is absent."""
        size = self.schema.scalars[name]
        at = self._place(name, size)
        return 0 if at is None else self.buffer.number(at, size, self._what(name))

    def target(self, name: str) -> int | None:
        """The byte where a child starts, or None where there is none."""
        at = self._place(name, _OFFSET)
        return None if at is None else self.buffer.target(at, self._what(name))

    def content(self, name: str) -> Span | None:
        """The bytes of a string or of a vector of bytes."""
        target = self.target(name)
        if target is None:
            return None
        start, count = self._vector(target, 1, name)
        return self.buffer.span.part(start, count)

    def count(self, name: str) -> int:
        """The length of a vector of offsets or of 32-bit numbers."""
        target = self.target(name)
        return 0 if target is None else self._vector(target, _OFFSET, name)[1]

    def child(self, name: str, schema: Schema) -> Table | None:
        """The table that a field holds."""
        target = self.target(name)
        return None if target is None else self.buffer.table(target, schema)

    def array(self, name: str, dtype: str) -> AnyArray:
        """A vector of 32-bit numbers, ``<i4`` or ``<f4``; empty where there is none."""
        target = self.target(name)
        if target is None:
            return np.zeros(0, dtype)
        start, count = self._vector(target, 4, name)
        return np.frombuffer(self.buffer.span.data, dtype, count, start)

    def elements(self, name: str) -> Iterator[int]:
        """The bytes where the children in a vector start."""
        target = self.target(name)
        if target is not None:
            start, count = self._vector(target, _OFFSET, name)
            for at in range(start, start + count * _OFFSET, _OFFSET):
                yield self.buffer.target(at, self._what(name))

    def tables(self, name: str, schema: Schema) -> Iterator[Table]:
        """The tables in a vector."""
        for at in self.elements(name):
            yield self.buffer.table(at, schema)

    def values(self) -> dict[str, int]:
        """All that is present, as ``Head.table`` takes it to write the same table anew.

        Raises:
            IndexFileError: there are fields that the schema does not know and a copy would lose.
        """
        known = len(self.schema.fields)
        for slot in range(known, self.slots):
            if self._entry(slot):
                raise self.buffer.span.wrong(
                    self.at, self.schema.name, f"the {known} fields known to scannlite", "more"
                )
        values = {}
        for name in self.schema.fields:
            if name in self.schema.scalars:
                values[name] = self.number(name)
            elif (target := self.target(name)) is not None:
                values[name] = Head.old(target)
        return values

    def _what(self, name: str) -> str:
        return f"{self.schema.name}'s {name}"

    def _entry(self, slot: int) -> int:
        """Where in the table a slot is kept; 0 where it is absent."""
        if slot >= self.slots:
            return 0
        return self.buffer.number(self.vtable + 4 + 2 * slot, 2, f"{self.schema.name}'s vtable")

    def _place(self, name: str, size: int) -> int | None:
        entry = self._entry(self.schema.fields.index(name))
        if entry == 0:
            return None
        if entry < 4 or entry + size > self.extent:
            raise self.wrong(name, f"a field within {self.extent} bytes", f"one at {entry}")
        return self.at + entry

    def _vector(self, target: int, size: int, name: str) -> tuple[int, int]:
        """The first byte and the length of a vector, proved to fit."""
        what = self._what(name)
        count = self.buffer.number(target, 4, what)
        room = (len(self.buffer.span) - target - 4) // size
        if size > 1:
            room = min(room, _MOST)
        if count > room:
            raise self.buffer.span.wrong(target, what, f"at most {room} elements", count)
        return target + 4, count


class Head:
    """New tables that will stand before old bytes, and point into them.

    Children come first. What the methods return is how the tables above name them: flatbuffers
    counts from the end of what it builds, which is where the old bytes start, so that they lie at
    negative places and the library needs neither to hold nor to move them.
    """

    def __init__(self, purpose: str) -> None:
        self._builder: Any = imported("flatbuffers", "device", purpose).Builder(1024)
        self._builder.Prep(_ALIGNMENT, 0)  # the whole head, so that all old objects stay aligned

    @staticmethod
    def old(at: int) -> int:
        """The name of an object at a byte of the old flatbuffer."""
        return -at

    def string(self, text: str) -> int:
        """A string."""
        return int(self._builder.CreateString(text))

    def content(self, data: bytes) -> int:
        """A vector of bytes whose first is aligned, as another flatbuffer within this one needs."""
        self._builder.Prep(_ALIGNMENT, len(data))
        return int(self._builder.CreateByteVector(data))

    def vector(self, children: Sequence[int]) -> int:
        """A vector of offsets to children."""
        size = _OFFSET * len(children)
        self._builder.Prep(_OFFSET, size)
        places = self._builder.Offset() + np.arange(size, 0, -_OFFSET, dtype=np.int64)
        distances = places - np.array(children, np.int64)
        return int(self._builder.CreateNumpyVector(distances.astype(np.uint32)))

    def table(self, schema: Schema, values: Mapping[str, int]) -> int:
        """A table of scalars and children by name."""
        builder = self._builder
        scalars = {
            1: builder.PrependUint8Slot,
            4: builder.PrependUint32Slot,
            8: builder.PrependUint64Slot,
        }
        builder.StartObject(len(schema.fields))
        for slot, name in enumerate(schema.fields):
            if name in schema.scalars:
                scalars[schema.scalars[name]](slot, values.get(name, 0), 0)
            elif name in values:
                builder.PrependUOffsetTRelativeSlot(slot, values[name], 0)
        return int(builder.EndObject())

    def finish(self, root: int, identifier: bytes) -> bytes:
        """The head, a multiple of 64 bytes, to which the old bytes are to be appended."""
        self._builder.Finish(root, identifier)
        return bytes(self._builder.Output())
