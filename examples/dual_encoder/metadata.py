"""The metadata that the Task Library needs of a tower, written behind any ``.tflite`` model."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

from scannlite.files import model_schema as schema
from scannlite.files.associated import write_archive
from scannlite.files.flatbuffer import Head
from scannlite.files.model_parts import (
    ENTRY_NAME,
    METADATA_IDENTIFIER,
    MODEL_IDENTIFIER,
    read_model,
)
from scannlite.files.span import Span

__all__ = ["described_image_tower", "described_text_tower"]

_PURPOSE = "writing the metadata of a .tflite model"
_VOCABULARY, _VOCABULARY_TYPE = "vocab.txt", 5
_RGB = 1


def described_image_tower(model: bytes, description: str) -> bytes:
    """A model that takes (1, H, W, 3) uint8 pictures, with metadata that say so."""

    def pictures(head: Head) -> dict[str, int]:
        number, properties = schema.IMAGE_PROPERTIES
        image = head.table(properties, {"color_space": _RGB})
        content = {"properties_type": number, "properties": image}
        return {"content": head.table(schema.CONTENT, content)}

    return _described(model, "image", description, pictures, {})


def described_text_tower(
    model: bytes, description: str, *, pattern: str, vocabulary: bytes
) -> bytes:
    """A model that takes (1, L) int32 numbers of words, with metadata that tell their numbers.

    Args:
        model: the bytes of a ``.tflite`` file without metadata.
        description: one sentence.
        pattern: what separates words.
        vocabulary: lines of a word and its number, ``<PAD>`` and ``<UNKNOWN>`` among them.
    """

    def sentences(head: Head) -> dict[str, int]:
        number, options = schema.REGEX_TOKENIZER
        name = head.string(_VOCABULARY)
        file = head.table(schema.ASSOCIATED_FILE, {"name": name, "type": _VOCABULARY_TYPE})
        values = {"delim_regex_pattern": head.string(pattern), "vocab_file": head.vector([file])}
        unit = {"options_type": number, "options": head.table(options, values)}
        return {"process_units": head.vector([head.table(schema.PROCESS_UNIT, unit)])}

    return _described(model, "words", description, sentences, {_VOCABULARY: vocabulary})


def _described(
    model: bytes,
    name: str,
    description: str,
    input_values: Callable[[Head], dict[str, int]],
    files: Mapping[str, bytes],
) -> bytes:
    """A model with metadata in one more buffer, before the old bytes, and with files behind."""
    metadata = _metadata(name, description, input_values)
    root = read_model(Span("<model>", memoryview(model))).root
    head = Head(_PURPOSE)
    values = root.values()
    buffers = [Head.old(at) for at in root.elements("buffers")]
    slot = {"name": head.string(ENTRY_NAME.decode()), "buffer": len(buffers)}
    entries = [Head.old(at) for at in root.elements("metadata")]
    values["metadata"] = head.vector([*entries, head.table(schema.METADATA_ENTRY, slot)])
    buffers.append(head.table(schema.BUFFER, {"data": head.content(metadata)}))
    values["buffers"] = head.vector(buffers)
    out = io.BytesIO()
    out.write(head.finish(head.table(schema.MODEL, values), MODEL_IDENTIFIER))
    out.write(model)
    if files:
        write_archive(out, out.tell(), [(text, memoryview(file)) for text, file in files.items()])
    return out.getvalue()


def _metadata(name: str, description: str, input_values: Callable[[Head], dict[str, int]]) -> bytes:
    head = Head(_PURPOSE)
    values = {"name": head.string(name), **input_values(head)}
    taken = head.vector([head.table(schema.TENSOR_METADATA, values)])
    embedding = {"name": head.string("embedding")}
    given = head.vector([head.table(schema.TENSOR_METADATA, embedding)])
    graph = {"input_tensor_metadata": taken, "output_tensor_metadata": given}
    subgraph = head.table(schema.SUBGRAPH_METADATA, graph)
    model = {
        "name": head.string(f"{name} tower"),
        "description": head.string(description),
        "version": head.string("1"),
        "subgraph_metadata": head.vector([subgraph]),
        "min_parser_version": head.string("1.2.1"),
    }
    return head.finish(head.table(schema.MODEL_METADATA, model), METADATA_IDENTIFIER)
