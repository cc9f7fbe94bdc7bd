"""The index inside a ``.tflite`` model: found, attached and replaced.

A searcher's model is a TensorFlow Lite flatbuffer with a zip behind it. One of the model's buffers
holds a second flatbuffer, the metadata, in which an output tensor names the zip member that is its
index. Attaching writes new heads for both flatbuffers, behind which the old ones lie untouched, so
that the weights are the same byte for byte; see ``flatbuffer``.
"""

from __future__ import annotations

from typing import BinaryIO

from scannlite.errors import InvalidInput
from scannlite.files import model_schema as schema
from scannlite.files.associated import MOST_MEMBERS, Archive, read_archive, write_archive
from scannlite.files.flatbuffer import Head, Table
from scannlite.files.model_metadata import output_shapes
from scannlite.files.model_parts import (
    ENTRY_NAME,
    INDEX_TYPE,
    METADATA_IDENTIFIER,
    MODEL_IDENTIFIER,
    ModelParts,
    check_model,
    first,
    is_model,
    read_model,
    refuse_outside,
)
from scannlite.files.span import Span

__all__ = [
    "INDEX_NAME",
    "associated_files",
    "attach_index",
    "embedding_dimensions",
    "find_index",
    "is_model",
]

INDEX_NAME = "on_device_scann_index.ldb"  # what Model Maker calls it

_DESCRIPTION = "On-device Scann Index file with LevelDB format."
_PARSER = (1, 4, 0)  # the first metadata parser that knows this type
_PURPOSE = "attaching an index to a .tflite model"
_LONGEST_NAME = 255
_LARGEST = (1 << 31) - 1  # bytes: what the offsets of a flatbuffer reach


# ---- reading -----------------------------------------------------------------------------------


def find_index(file: Span) -> Span | None:
    """The index inside a model, its checksum verified.

    Args:
        file: all bytes of a ``.tflite`` file.

    Returns:
        The bytes of the zip member that is named by the first associated file of an output tensor
        that says it is an index, or None where no output tensor names one.

    Raises:
        IndexFileError: the model is damaged, or names an index that it does not hold.
    """
    model = read_model(file)
    if model.index is None:
        return None
    name = _index_name(model.index)
    member = model.archive.members.get(name)
    if member is None:
        raise model.index.wrong("name", f"the zip to hold {name!r}", list(model.archive.members))
    return member.checked()


def associated_files(file: Span) -> dict[str, Span]:
    """All files that ride behind a model, such as vocabularies, in the order of their bytes.

    Raises:
        IndexFileError: the zip is damaged, or ``file`` is no model.
    """
    check_model(file)
    return {name: member.checked() for name, member in read_archive(file).members.items()}


def _index_name(index: Table) -> str:
    name = index.content("name")
    if name is None or not 1 <= len(name) <= _LONGEST_NAME:
        found = "none" if name is None else f"{len(name)} bytes"
        raise index.wrong("name", f"a name of 1 to {_LONGEST_NAME} bytes", found)
    try:
        return bytes(name.data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise index.wrong("name", "a name in UTF-8", bytes(name.data)) from error


def embedding_dimensions(file: Span) -> int | None:
    """The dimensions of what a model gives for the output that has, or would be given, the index.

    Returns:
        Them, or None where only running the model tells.

    Raises:
        IndexFileError: the model is damaged, or has no such output.
    """
    model = read_model(file)
    _, _, chosen = _choose_output(model.root, model.subgraph_metadata)
    shapes = output_shapes(model)
    last = shapes[chosen][-1:] if chosen < len(shapes) else ()
    return last[0] if last and last[0] > 0 else None


# ---- writing -----------------------------------------------------------------------------------


def attach_index(
    model: Span, index: bytes | memoryview, out: BinaryIO, *, name: str = INDEX_NAME
) -> None:
    """Write a model anew with an index inside, in place of the one it may have.

    An index that the model already names keeps its name, and only the zip is written anew: readers
    take the first index that is named, so a second would never be seen. Else the index goes to
    the output tensor that Model Maker chooses. Nothing is written before all is found good.

    Args:
        model: all bytes of a ``.tflite`` file.
        index: the bytes of an index file.
        out: a binary file at its start, such as ``replacing`` gives.
        name: of the index inside the model, where the model names none yet.

    Raises:
        IndexFileError: the model is damaged, or one that cannot be rewritten without loss.
        InvalidInput: the name is unusable or taken, or the model would grow over 2 GB.
        MissingExtra: flatbuffers is not installed, and the model names no index yet.
    """
    read = read_model(model)
    _refuse_all_outside(read.root)
    content = memoryview(index).cast("B")
    _check_size(len(model) + len(content))
    head = b""
    if read.index is not None:
        name = _index_name(read.index)
    else:
        _check_name(name, read.archive)
        head = _new_head(read, _new_metadata(read, name))
    files = {name: member.checked().data for name, member in read.archive.members.items()}
    files[name] = content
    if len(files) > MOST_MEMBERS:
        raise model.wrong(read.archive.start, "zip", f"below {MOST_MEMBERS} files", len(files) - 1)
    _check_size(len(head) + len(model) + len(content))
    out.write(head)
    out.write(model.data[: read.archive.start])
    write_archive(out, len(head) + read.archive.start, files.items())


def _check_size(size: int) -> None:
    if size > _LARGEST:
        raise InvalidInput(f"index must leave the model below 2 GB, got {size} bytes together.")


def _refuse_all_outside(root: Table) -> None:
    """Refuse a model that says of any of its parts where in the file, which changes, it lies."""
    for buffer in root.tables("buffers", schema.BUFFER):
        refuse_outside(buffer, "offset")
    for subgraph in root.tables("subgraphs", schema.SUBGRAPH):
        for operator in subgraph.tables("operators", schema.OPERATOR):
            refuse_outside(operator, "large_custom_options_offset")


def _check_name(name: str, archive: Archive) -> None:
    size = len(name.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= _LONGEST_NAME or not name.isprintable():
        raise InvalidInput(
            f"name must be 1 to {_LONGEST_NAME} bytes of printable text, got {name!r}."
        )
    if name in archive.members:
        raise InvalidInput(
            f"name must be new among the files of the model, {list(archive.members)}, got {name!r}."
        )


def _new_metadata(model: ModelParts, name: str) -> bytes:
    """The metadata with one more associated file; a skeleton where there were none."""
    old = model.metadata
    head = Head(_PURPOSE)
    subgraph = model.subgraph_metadata
    inputs, outputs, chosen = _choose_output(model.root, subgraph)
    # With a name, though empty: the runtime crashes over three inputs and tensors without one.
    blank = head.table(schema.TENSOR_METADATA, {"name": head.string("")})
    if subgraph is None:
        values = {"input_tensor_metadata": head.vector([blank] * inputs)}
    else:
        values = subgraph.values()
    tensors = _children(subgraph, "output_tensor_metadata")
    tensors += [blank] * (outputs - len(tensors))
    tensors[chosen] = _with_index(head, subgraph, chosen, name)
    values["output_tensor_metadata"] = head.vector(tensors)
    subgraphs = _children(old, "subgraph_metadata")
    subgraphs[:1] = [head.table(schema.SUBGRAPH_METADATA, values)]

    values = old.values() if old else {}
    values["subgraph_metadata"] = head.vector(subgraphs)
    if old is None or _parser_version(old) < _PARSER:
        values["min_parser_version"] = head.string(".".join(map(str, _PARSER)))
    new = head.finish(head.table(schema.MODEL_METADATA, values), METADATA_IDENTIFIER)
    return new + bytes(old.buffer.span.data) if old else new


def _choose_output(root: Table, metadata: Table | None) -> tuple[int, int, int]:
    """How many inputs and outputs a model has, and which output is the embedding.

    As Model Maker has it: three inputs without a tokenizer are the Universal Sentence Encoder's,
    whose second output encodes what is searched for; all others have one embedding, the first.
    """
    subgraph = first(root, "subgraphs", schema.SUBGRAPH)
    if subgraph is None:
        raise root.wrong("subgraphs", "at least one", "none")
    inputs, outputs = subgraph.count("inputs"), subgraph.count("outputs")
    tokenized = metadata is not None and metadata.count("input_process_units") > 0
    chosen = 1 if inputs == 3 and not tokenized else 0
    if chosen >= outputs:
        raise subgraph.wrong("outputs", f"at least {chosen + 1} for {inputs} inputs", outputs)
    return inputs, outputs, chosen


def _with_index(head: Head, subgraph: Table | None, chosen: int, name: str) -> int:
    """The metadata of the chosen tensor with one more associated file."""
    tensors = subgraph.tables("output_tensor_metadata", schema.TENSOR_METADATA) if subgraph else ()
    old = next((tensor for at, tensor in enumerate(tensors) if at == chosen), None)
    values = {"name": head.string(""), **(old.values() if old else {})}
    texts = {"name": head.string(name), "description": head.string(_DESCRIPTION)}
    file = head.table(schema.ASSOCIATED_FILE, {**texts, "type": INDEX_TYPE})
    values["associated_files"] = head.vector([*_children(old, "associated_files"), file])
    return head.table(schema.TENSOR_METADATA, values)


def _children(table: Table | None, name: str) -> list[int]:
    return [Head.old(at) for at in table.elements(name)] if table else []


def _parser_version(metadata: Table) -> tuple[int, ...]:
    """The parser that metadata ask for; none where they do not say so in numbers."""
    text = metadata.content("min_parser_version")
    if text is None or len(text) > _LONGEST_NAME:
        return ()
    parts = bytes(text.data).split(b".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else ()


def _new_head(model: ModelParts, metadata: bytes) -> bytes:
    """The head of a model whose metadata are these."""
    root = model.root
    buffers = _children(root, "buffers")
    if not buffers:
        raise root.wrong("buffers", "at least one", "none")
    values = root.values()
    head = Head(_PURPOSE)
    buffer = head.table(schema.BUFFER, {"data": head.content(metadata)})
    if model.slot is None:
        name = head.string(ENTRY_NAME.decode())
        entry = head.table(schema.METADATA_ENTRY, {"name": name, "buffer": len(buffers)})
        values["metadata"] = head.vector([*_children(root, "metadata"), entry])
        buffers.append(buffer)
    else:
        buffers[model.slot] = buffer
    values["buffers"] = head.vector(buffers)
    return head.finish(head.table(schema.MODEL, values), MODEL_IDENTIFIER)
