"""The parts of a ``.tflite`` file: the model's head, its metadata, and the files behind it."""

from __future__ import annotations

from dataclasses import dataclass

from scannlite.files import model_schema as schema
from scannlite.files.associated import Archive, read_archive
from scannlite.files.flatbuffer import Flatbuffer, Schema, Table
from scannlite.files.span import Span

__all__ = [
    "ENTRY_NAME",
    "INDEX_TYPE",
    "METADATA_IDENTIFIER",
    "MODEL_IDENTIFIER",
    "ModelParts",
    "check_model",
    "first",
    "is_model",
    "read_model",
    "refuse_outside",
]

INDEX_TYPE = 6  # SCANN_INDEX_FILE
ENTRY_NAME = b"TFLITE_METADATA"
MODEL_IDENTIFIER = b"TFL3"
METADATA_IDENTIFIER = b"M001"


def is_model(head: bytes) -> bool:
    """Whether a file that starts with these (eight or more) bytes is a TensorFlow Lite model."""
    return bytes(head[4:8]) == MODEL_IDENTIFIER


@dataclass(frozen=True)
class ModelParts:
    """What was read of a file.

    Attributes:
        archive: the zip.
        root: the model's outermost table.
        slot: the number of the buffer that holds the metadata, None where there are none.
        metadata: the metadata's outermost table.
        index: the first associated file of an output tensor that says it is an index.
    """

    archive: Archive
    root: Table
    slot: int | None
    metadata: Table | None
    index: Table | None

    @property
    def subgraph_metadata(self) -> Table | None:
        """What the metadata say of the model's inputs and outputs."""
        if self.metadata is None:
            return None
        return first(self.metadata, "subgraph_metadata", schema.SUBGRAPH_METADATA)


def read_model(file: Span) -> ModelParts:
    """Read the heads of a ``.tflite`` file, not its weights.

    Raises:
        IndexFileError: it is no model, or damaged.
    """
    check_model(file)
    archive = read_archive(file)
    root = Flatbuffer(file.part(0, archive.start)).root(schema.MODEL, MODEL_IDENTIFIER)
    slot = _metadata_slot(root)
    if slot is None:
        return ModelParts(archive, root, None, None, None)
    metadata = Flatbuffer(_buffer(root, slot)).root(schema.MODEL_METADATA, METADATA_IDENTIFIER)
    return ModelParts(archive, root, slot, metadata, _index_file(metadata))


def check_model(file: Span) -> None:
    """Raise ``IndexFileError`` for what does not start like a model."""
    head = bytes(file.data[:8])
    if not is_model(head):
        raise file.wrong(0, "file", "a TensorFlow Lite model with 'TFL3' at byte 4", head)


def _metadata_slot(root: Table) -> int | None:
    slot = None
    for entry in root.tables("metadata", schema.METADATA_ENTRY):
        name = entry.content("name")
        if name is not None and name.data == ENTRY_NAME:
            if slot is not None:
                raise entry.wrong("name", f"{ENTRY_NAME!r} once", "it twice")
            slot = entry.number("buffer")
    return slot


def _buffer(root: Table, slot: int) -> Span:
    """The content of a buffer, which must be in the flatbuffer."""
    places = list(root.elements("buffers"))
    if slot >= len(places):
        raise root.wrong("metadata", f"a buffer below {len(places)}", slot)
    buffer = root.buffer.table(places[slot], schema.BUFFER)
    refuse_outside(buffer, "offset")
    data = buffer.content("data")
    if data is None:
        raise buffer.wrong("data", "the model's metadata", "nothing")
    return data


def refuse_outside(table: Table, name: str) -> None:
    """Raise ``IndexFileError`` where a part of a model lies elsewhere in the file."""
    offset = table.number(name)
    if offset > 1:  # so says the schema: 0 and 1 are fillers
        expected = "data inside the flatbuffer, not outside as in models over 2 GB"
        raise table.wrong(name, expected, f"the file offset {offset}")


def first(table: Table, name: str, kind: Schema) -> Table | None:
    """The first table in a vector, if there is one."""
    return next(table.tables(name, kind), None)


def _index_file(metadata: Table) -> Table | None:
    subgraph = first(metadata, "subgraph_metadata", schema.SUBGRAPH_METADATA)
    if subgraph is None:
        return None
    for tensor in subgraph.tables("output_tensor_metadata", schema.TENSOR_METADATA):
        for file in tensor.tables("associated_files", schema.ASSOCIATED_FILE):
            if file.number("type") == INDEX_TYPE:
                return file
    return None
