"""The protobuf messages of a device index, to NumPy arrays and back.

``docs/file-format.md`` has the fields. Messages are described here, not generated, so no version of
the protobuf library is bound. Leaves and subspaces stand in the descriptions as ``bytes``, which is
what an embedded message is on the wire: thousands of them become one array without an object each.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scannlite.extras import imported
from scannlite.files.span import Span
from scannlite.types import AnyArray, Codes, Floats

__all__ = ["AsymmetricHashing", "IndexConfig", "Measure", "Partitioner", "from_wire", "to_wire"]

Measure = Literal["squared_l2", "dot_product", "unspecified"]
Lookup = Literal["float", "int16", "int8", "int8_lut16"]
Embedding = Literal["unspecified", "float", "uint8"]

MEASURES: tuple[Measure, ...] = ("squared_l2", "dot_product", "unspecified")
LOOKUPS: tuple[Lookup, ...] = ("float", "int16", "int8", "int8_lut16")
EMBEDDINGS: tuple[Embedding, ...] = ("unspecified", "float", "uint8")

_ENUMS = {"DistanceMeasure": MEASURES, "LookupType": LOOKUPS, "EmbeddingType": EMBEDDINGS}
_MESSAGES = {
    "IndexConfig": (
        ("scann_config", 1, "ScannOnDeviceConfig"),
        ("embedding_type", 2, "EmbeddingType"),
        ("embedding_dim", 3, "uint32"),
        ("global_partition_offsets", 4, "uint32s"),
    ),
    "ScannOnDeviceConfig": (
        ("query_distance", 1, "DistanceMeasure"),
        ("indexer", 2, "IndexerProto"),
        ("partitioner", 3, "PartitionerProto"),
    ),
    "IndexerProto": (("asymmetric_hashing", 1, "AsymmetricHashingProto"),),
    "PartitionerProto": (
        ("leaf", 1, "messages"),
        ("search_fraction", 2, "float"),
        ("query_distance", 3, "DistanceMeasure"),
    ),
    "AsymmetricHashingProto": (
        ("subspace", 1, "messages"),
        ("query_distance", 2, "DistanceMeasure"),
        ("lookup_type", 3, "LookupType"),
    ),
    "Subspace": (("entry", 1, "messages"),),
    "Vector": (("dimension", 1, "floats"),),
}
_TAG = 0x0A  # field 1, of bytes, a message or packed numbers


@dataclass(frozen=True)
class Partitioner:
    """The tree.

    Attributes:
        leaves: (L, d) float32, the centroids.
        search_fraction: of the leaves, how many a query looks into; None where not written.
        query_distance: what ranks them; None where not written.
    """

    leaves: Floats
    search_fraction: float | None = None
    query_distance: Measure | None = None


@dataclass(frozen=True)
class AsymmetricHashing:
    """The codes.

    Attributes:
        codebooks: of each of m blocks (c, b) float32.
        query_distance: what scores rows; None where not written.
        lookup_type: numbers of the lookup tables; None where not written.
    """

    codebooks: Sequence[Floats]
    query_distance: Measure | None = None
    lookup_type: Lookup | None = None


@dataclass(frozen=True)
class IndexConfig:
    """What the value of ``INDEX_CONFIG`` says; None where it says nothing.

    Attributes:
        query_distance: of the whole index.
        partitioner: the tree.
        indexer: the codes.
        embedding_type: what partitions hold.
        embedding_dim: dimensions of a float row, or code bytes of a row.
        partition_offsets: (partitions,) int64, the id of the first row of each.
    """

    query_distance: Measure | None
    partitioner: Partitioner | None
    indexer: AsymmetricHashing | None
    embedding_type: Embedding | None
    embedding_dim: int | None
    partition_offsets: AnyArray


@functools.cache
def _classes() -> dict[str, Any]:
    """A class for each message, made from the descriptions above."""
    purpose = "a device index (.ldb or .tflite)"
    descriptor = imported("google.protobuf.descriptor_pb2", "device", purpose)
    pools = imported("google.protobuf.descriptor_pool", "device", purpose)
    factory = imported("google.protobuf.message_factory", "device", purpose)
    field = descriptor.FieldDescriptorProto
    plain = {
        "uint32": field.TYPE_UINT32,
        "float": field.TYPE_FLOAT,
        "uint32s": field.TYPE_UINT32,
        "floats": field.TYPE_FLOAT,
        "messages": field.TYPE_BYTES,
    }
    file = descriptor.FileDescriptorProto(
        name="scannlite/index_config.proto", package="scannlite", syntax="proto2"
    )
    for name, values in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=f"{name}_{value}".upper(), number=number)
    for name, members in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for member, number, kind in members:
            label = field.LABEL_REPEATED if kind.endswith("s") else field.LABEL_OPTIONAL
            added = message.field.add(name=member, number=number, label=label)
            if kind in plain:
                added.type = plain[kind]
                added.options.packed = kind in ("uint32s", "floats")
            else:
                added.type = field.TYPE_ENUM if kind in _ENUMS else field.TYPE_MESSAGE
                added.type_name = f".scannlite.{kind}"
    pool = pools.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    named = {name: pool.FindMessageTypeByName(f"scannlite.{name}") for name in _MESSAGES}
    return {name: factory.GetMessageClass(found) for name, found in named.items()}


# ---- reading -----------------------------------------------------------------------------------


def from_wire(span: Span) -> IndexConfig:
    """Read the value of ``INDEX_CONFIG``.

    Raises:
        IndexFileError: it is not such a message, or holds leaves of different lengths.
        MissingExtra: the protobuf library is not installed.
    """
    try:
        return _read_config(span)
    except imported("google.protobuf.message", "device", "a device index").DecodeError as error:
        raise span.wrong(0, "INDEX_CONFIG", "a protobuf message", f"'{error}'") from error


def _read_config(span: Span) -> IndexConfig:
    message = _classes()["IndexConfig"].FromString(bytes(span.data))
    scann = message.scann_config
    partitioner = indexer = None
    if scann.HasField("partitioner"):
        tree = scann.partitioner
        partitioner = Partitioner(
            leaves=_read_leaves(span, tree.leaf),
            search_fraction=_optional(tree, "search_fraction"),
            query_distance=_named(tree, "query_distance", MEASURES),
        )
    if scann.indexer.HasField("asymmetric_hashing"):
        hashing = scann.indexer.asymmetric_hashing
        indexer = AsymmetricHashing(
            codebooks=[_read_codebook(span, data, s) for s, data in enumerate(hashing.subspace)],
            query_distance=_named(hashing, "query_distance", MEASURES),
            lookup_type=_named(hashing, "lookup_type", LOOKUPS),
        )
    return IndexConfig(
        query_distance=_named(scann, "query_distance", MEASURES),
        partitioner=partitioner,
        indexer=indexer,
        embedding_type=_named(message, "embedding_type", EMBEDDINGS),
        embedding_dim=_optional(message, "embedding_dim"),
        partition_offsets=np.array(message.global_partition_offsets, np.int64),
    )


def _optional(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _named(message: Any, name: str, names: tuple[Any, ...]) -> Any:
    value = _optional(message, name)
    return None if value is None else names[value]


def _read_leaves(span: Span, leaves: Sequence[bytes]) -> Floats:
    """All leaves (L, d); they are of one length."""
    if not leaves:
        return np.zeros((0, 0), np.float32)
    return _read_vectors(span, leaves, "leaves of one length")


def _read_codebook(span: Span, data: bytes, block: int) -> Floats:
    """All entries (c, b) of one subspace; they are of one length."""
    together = _unframed(np.frombuffer(data, np.uint8))
    if together is not None:
        floats = _packed_floats(together)
        if floats is not None:
            return floats
    entries = _classes()["Subspace"].FromString(data).entry
    if not entries:
        raise span.wrong(0, "INDEX_CONFIG", f"codebook entries in subspace {block}", "none")
    return _read_vectors(span, entries, f"entries of one length in subspace {block}")


def _read_vectors(span: Span, messages: Sequence[bytes], expected: str) -> Floats:
    """Messages of one repeated float each, as one array."""
    sizes = {len(message) for message in messages}
    if len(sizes) == 1:
        shape = len(messages), *sizes
        together = np.frombuffer(b"".join(messages), np.uint8).reshape(shape)
        floats = _packed_floats(together)
        if floats is not None:
            return floats
    kind = _classes()["Vector"]
    vectors = [np.array(kind.FromString(message).dimension, np.float32) for message in messages]
    lengths = sorted({len(vector) for vector in vectors})
    if len(lengths) > 1:
        found = f"{lengths[0]} and {lengths[-1]} dimensions"
        raise span.wrong(0, "INDEX_CONFIG", expected, found)
    return np.stack(vectors)


def _unframed(data: Codes) -> Codes | None:
    """The content (count, size) of equally long messages that follow each other, or None."""
    head = _varint_size(data[1:]) + 1
    size = head + _varint(data[1:head])
    if not len(data) or size <= head or len(data) % size:
        return None
    messages = data.reshape(-1, size)
    if data[0] != _TAG or (messages[:, :head] != messages[0, :head]).any():
        return None
    return messages[:, head:]


def _packed_floats(messages: Codes) -> Floats | None:
    """The numbers (count, b) of messages (count, size) of one packed field each, or None."""
    count, size = messages.shape
    if size < 2 or messages[0, 0] != _TAG:
        return None
    head = _varint_size(messages[0, 1:]) + 1
    if (messages[:, :head] != messages[0, :head]).any():
        return None
    if _varint(messages[0, 1:head]) != size - head or (size - head) % 4:
        return None
    numbers = np.ascontiguousarray(messages[:, head:]).view("<f4")
    return numbers.astype(np.float32).reshape(count, (size - head) // 4)


def _varint_size(data: Codes) -> int:
    """Bytes of the varint at the front, of at most 5."""
    ends = np.flatnonzero(data[:5] < 0x80)
    return int(ends[0]) + 1 if len(ends) else 0


def _varint(data: Codes) -> int:
    return sum((int(byte) & 0x7F) << (7 * place) for place, byte in enumerate(data))


# ---- writing -----------------------------------------------------------------------------------


def to_wire(config: IndexConfig) -> bytes:
    """The value of ``INDEX_CONFIG``, byte for byte as the reference builder writes it.

    Raises:
        MissingExtra: the protobuf library is not installed.
    """
    message = _classes()["IndexConfig"]()
    scann = message.scann_config
    scann.SetInParent()
    _set_named(scann, "query_distance", config.query_distance, MEASURES)
    if config.indexer is not None:
        hashing = scann.indexer.asymmetric_hashing
        hashing.SetInParent()
        hashing.subspace.extend(_subspace(codebook) for codebook in config.indexer.codebooks)
        _set_named(hashing, "query_distance", config.indexer.query_distance, MEASURES)
        _set_named(hashing, "lookup_type", config.indexer.lookup_type, LOOKUPS)
    if config.partitioner is not None:
        tree = scann.partitioner
        tree.SetInParent()
        tree.leaf.extend(leaf.tobytes() for leaf in _vectors(config.partitioner.leaves))
        if config.partitioner.search_fraction is not None:
            tree.search_fraction = config.partitioner.search_fraction
        _set_named(tree, "query_distance", config.partitioner.query_distance, MEASURES)
    _set_named(message, "embedding_type", config.embedding_type, EMBEDDINGS)
    if config.embedding_dim is not None:
        message.embedding_dim = config.embedding_dim
    message.global_partition_offsets.extend(config.partition_offsets.tolist())
    written: bytes = message.SerializeToString()
    return written


def _set_named(message: Any, name: str, value: str | None, names: tuple[str, ...]) -> None:
    if value is not None:
        setattr(message, name, names.index(value))


def _vectors(rows: Floats) -> Codes:
    """Rows (count, b) as messages (count, size) of one packed field each."""
    shape = len(rows), 4 * rows.shape[1]
    return _framed(np.ascontiguousarray(rows, "<f4").view(np.uint8).reshape(shape))


def _subspace(codebook: Floats) -> bytes:
    return _framed(_vectors(codebook)).tobytes()


def _framed(messages: Codes) -> Codes:
    """Messages (count, size) with the tag of field 1 and their length before each."""
    size, head = messages.shape[1], [_TAG]
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    heads = np.broadcast_to(np.array([*head, size], np.uint8), (len(messages), len(head) + 1))
    return np.hstack([heads, messages])
