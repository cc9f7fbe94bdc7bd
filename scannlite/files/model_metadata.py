"""What the metadata of a ``.tflite`` model say about its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass

from scannlite.files import model_schema as schema
from scannlite.files.associated import Archive
from scannlite.files.flatbuffer import Schema, Table
from scannlite.files.model_parts import ModelParts, first
from scannlite.files.span import Span
from scannlite.types import Floats

__all__ = [
    "BertTokenizerOptions",
    "ModelMetadata",
    "NormalizationOptions",
    "RegexTokenizerOptions",
    "SentencePieceTokenizerOptions",
    "TensorMetadata",
    "output_shapes",
    "read_metadata",
]

_COLOR_SPACES = ("unknown", "rgb", "grayscale")


@dataclass(frozen=True)
class NormalizationOptions:
    """What is subtracted from pixels and what they are divided by: (1,) or (3,) float32 each."""

    mean: Floats
    std: Floats


@dataclass(frozen=True)
class RegexTokenizerOptions:
    """What separates words, and the file of lines ``word number``; None where none is named."""

    pattern: str
    vocabulary: Span | None


@dataclass(frozen=True)
class BertTokenizerOptions:
    """The file of pieces, one a line, whose number is that of the line."""

    vocabulary: Span | None


@dataclass(frozen=True)
class SentencePieceTokenizerOptions:
    """The trained model, and a vocabulary where there is one."""

    model: Span | None
    vocabulary: Span | None


Tokenizer = RegexTokenizerOptions | BertTokenizerOptions | SentencePieceTokenizerOptions


@dataclass(frozen=True)
class TensorMetadata:
    """One input or output.

    Attributes:
        name: as the metadata have it, "" for none.
        color_space: of an image, ``"unknown"``, ``"rgb"`` or ``"grayscale"``; None for no image.
        sample_rate: of a sound, in hertz; None for no sound.
        channels: of a sound; None for no sound.
        normalization: of an image, None where there is none.
        tokenizer: of a text, None where there is none.
    """

    name: str
    color_space: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    normalization: NormalizationOptions | None = None
    tokenizer: Tokenizer | None = None


@dataclass(frozen=True)
class ModelMetadata:
    """What the metadata say, all empty where a model has none.

    Attributes:
        inputs: in the order of the model's inputs, perhaps fewer.
        outputs: likewise.
        tokenizer: of the model as a whole, as those of BERT have it; None where there is none.
        has_process_units: whether the model as a whole has any way to prepare its inputs, whether
            or not it is known here.
    """

    inputs: tuple[TensorMetadata, ...] = ()
    outputs: tuple[TensorMetadata, ...] = ()
    tokenizer: Tokenizer | None = None
    has_process_units: bool = False


def read_metadata(model: ModelParts) -> ModelMetadata:
    """Read a model's metadata, with the vocabularies that they name.

    Raises:
        IndexFileError: they are damaged, or name a file that is not behind the model.
    """
    subgraph = model.subgraph_metadata
    if subgraph is None:
        return ModelMetadata()
    return ModelMetadata(
        _tensors(subgraph, "input_tensor_metadata", model.archive),
        _tensors(subgraph, "output_tensor_metadata", model.archive),
        _tokenizer(subgraph, "input_process_units", model.archive),
        subgraph.count("input_process_units") > 0,
    )


def output_shapes(model: ModelParts) -> list[tuple[int, ...]]:
    """The shape of each output, with -1 for what is only known when the model runs.

    Raises:
        IndexFileError: the model is damaged.
    """
    subgraph = first(model.root, "subgraphs", schema.SUBGRAPH)
    if subgraph is None:
        return []
    tensors = list(subgraph.elements("tensors"))
    shapes = []
    for number in subgraph.array("outputs", "<i4").tolist():
        if not 0 <= number < len(tensors):
            raise subgraph.wrong("outputs", f"a tensor below {len(tensors)}", number)
        tensor = model.root.buffer.table(tensors[number], schema.TENSOR)
        signature = tensor.array("shape_signature", "<i4").tolist()
        shapes.append(tuple(signature or tensor.array("shape", "<i4").tolist()))
    return shapes


def _tensors(subgraph: Table, name: str, archive: Archive) -> tuple[TensorMetadata, ...]:
    return tuple(
        _tensor(tensor, archive) for tensor in subgraph.tables(name, schema.TENSOR_METADATA)
    )


def _tensor(tensor: Table, archive: Archive) -> TensorMetadata:
    color_space = sample_rate = channels = None
    content = tensor.child("content", schema.CONTENT)
    if content is not None:
        image = _member(content, "properties", schema.IMAGE_PROPERTIES)
        if image is not None:
            number = image.number("color_space")
            color_space = _COLOR_SPACES[number] if number < len(_COLOR_SPACES) else "unknown"
        audio = _member(content, "properties", schema.AUDIO_PROPERTIES)
        if audio is not None:
            sample_rate, channels = audio.number("sample_rate"), audio.number("channels")
    return TensorMetadata(
        name=_text(tensor, "name"),
        color_space=color_space,
        sample_rate=sample_rate,
        channels=channels,
        normalization=_normalization(tensor),
        tokenizer=_tokenizer(tensor, "process_units", archive),
    )


def _member(table: Table, name: str, kind: tuple[int, Schema]) -> Table | None:
    """What a union holds, where it is of this kind."""
    number, members = kind
    return table.child(name, members) if table.number(f"{name}_type") == number else None


def _normalization(tensor: Table) -> NormalizationOptions | None:
    for unit in tensor.tables("process_units", schema.PROCESS_UNIT):
        options = _member(unit, "options", schema.NORMALIZATION)
        if options is not None:
            return NormalizationOptions(options.array("mean", "<f4"), options.array("std", "<f4"))
    return None


def _tokenizer(table: Table, name: str, archive: Archive) -> Tokenizer | None:
    """The first tokenizer among the process units of a tensor or a model."""
    for unit in table.tables(name, schema.PROCESS_UNIT):
        regex = _member(unit, "options", schema.REGEX_TOKENIZER)
        if regex is not None:
            pattern = _text(regex, "delim_regex_pattern")
            return RegexTokenizerOptions(pattern, _named(regex, "vocab_file", archive))
        bert = _member(unit, "options", schema.BERT_TOKENIZER)
        if bert is not None:
            return BertTokenizerOptions(_named(bert, "vocab_file", archive))
        pieces = _member(unit, "options", schema.SENTENCEPIECE_TOKENIZER)
        if pieces is not None:
            trained = _named(pieces, "sentencepiece_model", archive)
            return SentencePieceTokenizerOptions(trained, _named(pieces, "vocab_file", archive))
    return None


def _named(options: Table, name: str, archive: Archive) -> Span | None:
    """The first file that options name."""
    file = first(options, name, schema.ASSOCIATED_FILE)
    if file is None:
        return None
    text = _text(file, "name")
    member = archive.members.get(text)
    if member is None:
        raise file.wrong("name", f"the zip to hold {text!r}", list(archive.members))
    return member.checked()


def _text(table: Table, name: str) -> str:
    """A string, "" where there is none."""
    content = table.content(name)
    if content is None:
        return ""
    try:
        return bytes(content.data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise table.wrong(name, "text in UTF-8", bytes(content.data[:80])) from error
