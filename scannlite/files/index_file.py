"""The index file of phones, ``.ldb``: a table of a configuration, partitions and metadata.

``docs/file-format.md`` is the reference. This module knows which keys there are and that sizes and
numbers agree; what the configuration means to a search is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from scannlite.files import sstable
from scannlite.files.index_config import IndexConfig, from_wire, to_wire
from scannlite.files.row_metadata import RowMetadata, number_of, numbered
from scannlite.files.span import Span
from scannlite.types import AnyArray

__all__ = ["IndexFile", "read", "write"]

_CONFIG, _USERINFO = b"INDEX_CONFIG", b"USER_INFO"
_PARTITION, _METADATA = b"E_", b"M_"
_MOST_ROWS = 2**31 - 65


@dataclass(frozen=True)
class IndexFile:
    """What an index file holds, rows in the order of their partitions.

    Attributes:
        config: the configuration.
        partitions: the bytes of each.
        row_bytes: bytes a row in them.
        metadata: of each row, read from the file when asked for.
        userinfo: whatever the maker of the index wrote.
        place: where the configuration lies, for messages.
    """

    config: IndexConfig
    partitions: Sequence[Span]
    row_bytes: int
    metadata: RowMetadata
    userinfo: bytes
    place: Span

    @property
    def partition_sizes(self) -> AnyArray:
        """Rows of each partition, int64."""
        sizes = [len(partition) // self.row_bytes for partition in self.partitions]
        return np.array(sizes, np.int64)


def read(span: Span) -> IndexFile:
    """Read an index file, all but its metadata; every checksum is compared.

    Args:
        span: the bytes of the table, which the result refers to.

    Raises:
        IndexFileError: it is damaged, truncated or foreign, or its parts do not fit each other.
        MissingExtra: a library it needs is not installed.
    """
    table = sstable.Table.open(span)
    place = table.get(_CONFIG)
    if place is None:
        raise span.wrong(0, "table", "the key INDEX_CONFIG", "no such key")
    config = from_wire(place)
    row_bytes = _row_bytes(config, place)
    partitions = _partitions(table, span)
    offsets, n = [], 0
    for number, partition in enumerate(partitions):
        if len(partition) % row_bytes:
            expected = f"whole rows of {row_bytes} bytes"
            raise partition.wrong(0, f"partition {number}", expected, f"{len(partition)} bytes")
        offsets.append(n)
        n += len(partition) // row_bytes
    if not np.array_equal(config.partition_offsets, offsets):
        expected = f"the number of rows before each of {len(offsets)} partitions"
        raise place.wrong(0, "global_partition_offsets", expected, "other numbers")
    if n > _MOST_ROWS:
        raise span.wrong(0, "table", f"at most {_MOST_ROWS} rows", n)
    userinfo = table.get(_USERINFO)
    return IndexFile(
        config=config,
        partitions=partitions,
        row_bytes=row_bytes,
        metadata=RowMetadata(table, span, n),
        userinfo=b"" if userinfo is None else bytes(userinfo.data),
        place=place,
    )


def _row_bytes(config: IndexConfig, place: Span) -> int:
    if config.embedding_type not in ("float", "uint8"):
        raise place.wrong(0, "embedding_type", "FLOAT or UINT8", config.embedding_type or "none")
    if not config.embedding_dim:
        raise place.wrong(0, "embedding_dim", "a number from 1", config.embedding_dim or 0)
    return config.embedding_dim * (4 if config.embedding_type == "float" else 1)


def _partitions(table: sstable.Table, span: Span) -> list[Span]:
    """The values of ``E_0``, ``E_1`` and so on, of which none is missing."""
    found: dict[int, Span] = {}
    for key, value in table.starting(_PARTITION):
        number = number_of(key, _PARTITION)
        if number is None:
            raise value.wrong(0, "key", "E_ and a number", repr(key))
        found[number] = value
    for number in range(len(found)):
        if number not in found:
            raise span.wrong(0, "table", f"the key E_{number}", "no such key")
    return [found[number] for number in range(len(found))]


def write(  # noqa: PLR0913 - the parts of the file
    file: BinaryIO,
    config: IndexConfig,
    partition: Callable[[int], AnyArray],
    metadata: Sequence[bytes],
    userinfo: bytes,
    *,
    compression: bool = False,
) -> None:
    """Write an index file; without compression the bytes are those of the reference builder.

    Args:
        file: open for writing.
        config: as the partitions are.
        partition: gives the bytes of a partition by its number, one-dimensional uint8.
        metadata: of each row, in the order of the partitions.
        userinfo: anything.
        compression: whether blocks are compressed with Snappy where that saves an eighth.

    Raises:
        OSError: the file cannot be written.
        MissingExtra: a library it needs is not installed.
    """

    def items() -> Iterator[tuple[bytes, Any]]:
        for number in sorted(range(len(config.partition_offsets)), key=str):
            yield numbered(_PARTITION, number), partition(number).data
        yield _CONFIG, to_wire(config)
        for number in sorted(range(len(metadata)), key=str):
            yield numbered(_METADATA, number), metadata[number]
        yield _USERINFO, userinfo

    sstable.write(file, items(), compression=compression)
