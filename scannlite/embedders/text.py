"""Texts as models take them: strings, or numbers of words or of pieces of words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from scannlite.embedders.embedder import Embedder, Kind, Preprocessor
from scannlite.embedders.model import Model, Source
from scannlite.embedders.runtime import Inputs, Tensor
from scannlite.embedders.tokenizers import BertTokenizer, RegexTokenizer, SentencePiece
from scannlite.errors import InvalidInput, InvalidType
from scannlite.files.model_metadata import (
    BertTokenizerOptions,
    RegexTokenizerOptions,
    SentencePieceTokenizerOptions,
    TensorMetadata,
)
from scannlite.types import AnyArray

__all__ = [
    "BertPreprocessor",
    "RegexPreprocessor",
    "StringPreprocessor",
    "text_embedder",
    "text_preprocessor",
]

_i4 = np.int32

# What tensors are called in the metadata and in the graph.
_BERT_INPUTS = (("ids", None), ("segment_ids", None), ("mask", None))
_ENCODER_INPUTS = (
    ("inp_text", "ParseExample/ParseExampleV2:1"),
    ("res_context", "ParseExample/ParseExampleV2:2"),
    ("res_text", "ParseExample/ParseExampleV2:3"),
)
_ENCODER_OUTPUTS = (
    ("query_encoding", "Final/EncodeQuery/mul"),
    ("response_encoding", "Final/EncodeResult/mul"),
)


def text_embedder(
    source: Source, *, l2_normalize: bool = False, num_threads: int | None = None
) -> Embedder:
    """An embedder of texts; ``text_preprocessor`` says of which models.

    Args:
        source: the path of a ``.tflite`` file, or its content.
        l2_normalize: whether embeddings are scaled to length 1.
        num_threads: of the runtime, for one item; None for its own choice.

    Raises:
        ModelError: the model is damaged, no embedder of texts, or beyond the runtime.
        MissingExtra: no runtime is installed, or no library for its tokenizer.
        OSError: the file cannot be read.
    """
    return Embedder(
        Model.read(source), text_preprocessor, l2_normalize=l2_normalize, num_threads=num_threads
    )


def text_preprocessor(
    model: Model, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> Preprocessor:
    """What must be done to a text before this model can take it.

    * One string: that is the text.
    * One int32, with a regex tokenizer in the metadata of the input: numbers of words.
    * Three int32, with a tokenizer in the metadata of the model: pieces of words, as for BERT.
    * Three strings: a Universal Sentence Encoder. Every text is given as a response, and the
      embedding is the encoding of a response, that of queries too.

    Raises:
        ModelError: the model takes no text, or lacks what its tokenizer needs.
        MissingExtra: a library for its tokenizer is not installed.
    """
    if len(inputs) == 3 and not model.metadata.has_process_units:
        return _of_encoder(model, inputs, outputs)
    if len(inputs) not in (1, 3):
        raise model.wrong("inputs", "1 or 3 for a text", len(inputs))
    if len(outputs) != 1:
        raise model.wrong("outputs", "1", len(outputs))
    if len(inputs) == 3:
        return _of_bert(model, inputs)
    if inputs[0].is_text:
        return StringPreprocessor(_shapes(model, inputs))
    return _of_words(model, inputs[0])


@dataclass
class StringPreprocessor:
    """For models that take strings: all are empty but the one that is the text.

    Attributes:
        shapes: of the inputs, each of one string.
        place: of the text among them.
        output: the number of the output that is the embedding.
        kind: texts.
    """

    shapes: Sequence[tuple[int, ...]]
    place: int = 0
    output: int = 0
    kind: Kind = "text"

    def prepare(self, item: Any) -> Sequence[Inputs]:
        """Strings for one run; ``_text`` says of which items."""
        inputs: list[AnyArray] = [np.empty(shape, object) for shape in self.shapes]
        for array in inputs:
            array.fill(b"")  # objects, since NumPy's own strings lose a NUL at their end
        inputs[self.place].fill(_text(item).encode())
        return [inputs]


@dataclass
class RegexPreprocessor:
    """For models that take numbers of words, as many as fit, then padding.

    Attributes:
        tokenizer: gives the numbers.
        shape: of the input, all of it one text.
        output: the first.
        kind: texts.
    """

    tokenizer: RegexTokenizer
    shape: tuple[int, ...]
    output: int = 0
    kind: Kind = "text"

    def __post_init__(self) -> None:
        self._padding = np.full(self.shape, self.tokenizer.padding, _i4)

    def prepare(self, item: Any) -> Sequence[Inputs]:
        """Numbers for one run; ``_text`` says of which items."""
        filled = self._padding.copy()
        numbers = list(islice(self.tokenizer.numbers(_text(item)), filled.size))
        filled[..., : len(numbers)] = numbers
        return [[filled]]


@dataclass
class BertPreprocessor:
    """For models that take pieces of words: ``[CLS]``, pieces, ``[SEP]``, zeros.

    Attributes:
        tokenizer: gives the numbers of pieces.
        ids: the place of those among the inputs.
        mask: the place of what has 1 for each piece and 0 for padding; the rest, at the third
            place, are zeros.
        length: of the inputs; None for that of the text.
        output: the first.
        kind: texts.
    """

    tokenizer: BertTokenizer | SentencePiece
    ids: int
    mask: int
    length: int | None
    output: int = 0
    kind: Kind = "text"

    def prepare(self, item: Any) -> Sequence[Inputs]:
        """Numbers for one run; ``_text`` says of which items."""
        room = None if self.length is None else self.length - 2
        pieces = islice(self.tokenizer.numbers(_text(item)), room)
        numbers = [self.tokenizer.first, *pieces, self.tokenizer.last]
        inputs = np.zeros((3, 1, self.length or len(numbers)), _i4)
        inputs[self.ids, 0, : len(numbers)] = numbers
        inputs[self.mask, 0, : len(numbers)] = 1
        return [list(inputs)]


def _text(item: Any) -> str:
    """A text that UTF-8 can hold.

    Args:
        item: a ``str``, or the bytes of one in UTF-8.

    Raises:
        InvalidInput: half of a surrogate pair, or bytes that are no UTF-8.
        InvalidType: neither.
    """
    try:
        if isinstance(item, str):
            if not item.isascii():
                item.encode()
            return item
        if isinstance(item, (bytes, bytearray)):
            return item.decode()
    except UnicodeError as error:
        raise InvalidInput(f"text must be what UTF-8 can hold, got: {error}.") from error
    raise InvalidType(f"text must be a str, or its bytes in UTF-8, got {type(item).__name__}.")


def _of_words(model: Model, tensor: Tensor) -> RegexPreprocessor:
    options = model.metadata.inputs[0].tokenizer if model.metadata.inputs else None
    if tensor.dtype != _i4 or not isinstance(options, RegexTokenizerOptions):
        allowed = "a string, or int32 with a regex tokenizer in its metadata"
        raise model.wrong("input", allowed, f"{_types([tensor])} with {_named(options)}")
    shape = _of_one(tensor.shape)
    if shape[:-1] not in ((), (1,)) or shape[-1:] < (1,):
        raise model.wrong("input", "shape (n,) or (1, n) for a known n", tensor.shape)
    return RegexPreprocessor(RegexTokenizer(model, options), shape)


def _of_bert(model: Model, inputs: Sequence[Tensor]) -> BertPreprocessor:
    if any(tensor.dtype != _i4 for tensor in inputs):
        raise model.wrong("inputs", "int32", _types(inputs))
    shape, *others = {_of_one(tensor.shape) for tensor in inputs}
    if others or shape[:-1] != (1,) or shape[-1] in (0, 1):
        allowed = "one shape (1, n) for all, with an open n or one above 1"
        raise model.wrong("inputs", allowed, [tensor.shape for tensor in inputs])
    ids, _, mask = _places(_BERT_INPUTS, inputs, model.metadata.inputs)
    length = None if shape[-1] == -1 else shape[-1]
    return BertPreprocessor(_tokenizer_of_pieces(model), ids, mask, length)


def _tokenizer_of_pieces(model: Model) -> BertTokenizer | SentencePiece:
    options = model.metadata.tokenizer
    if isinstance(options, BertTokenizerOptions):
        return BertTokenizer(model, options)
    if isinstance(options, SentencePieceTokenizerOptions):
        return SentencePiece(model, options)
    raise model.wrong("metadata", "a BERT or SentencePiece tokenizer", _named(options))


def _of_encoder(
    model: Model, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> StringPreprocessor:
    if not all(tensor.is_text for tensor in inputs):
        allowed = "strings, or int32 with a tokenizer in the metadata of the model"
        raise model.wrong("inputs", allowed, _types(inputs))
    if len(outputs) < 2:
        raise model.wrong("outputs", "the encodings of a query and of a response", len(outputs))
    _, _, response = _places(_ENCODER_INPUTS, inputs, model.metadata.inputs)
    _, encoding = _places(_ENCODER_OUTPUTS, outputs, model.metadata.outputs)
    return StringPreprocessor(_shapes(model, inputs), response, encoding)


def _places(
    names: Sequence[tuple[str, str | None]],
    tensors: Sequence[Tensor],
    described: Sequence[TensorMetadata],
) -> Sequence[int]:
    """Where the tensors are that have these names in the metadata, or else in the graph.

    If one is missing all are taken to be in their usual order.
    """
    in_metadata = [each.name for each in described] if len(described) == len(tensors) else []
    in_graph = [tensor.name for tensor in tensors]
    places = [
        in_metadata.index(name)
        if name in in_metadata
        else in_graph.index(other)
        if other in in_graph
        else -1
        for name, other in names
    ]
    return range(len(names)) if -1 in places else places


def _shapes(model: Model, inputs: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """Of inputs that hold one string each."""
    shapes = [_closed(tensor.shape) for tensor in inputs]
    if any(math.prod(shape) != 1 for shape in shapes):
        raise model.wrong("input", "one string", [tensor.shape for tensor in inputs])
    return shapes


def _closed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """With room for one where the model leaves it open."""
    return tuple(1 if size == -1 else size for size in shape)


def _of_one(shape: tuple[int, ...]) -> tuple[int, ...]:
    """With room for one text where the model leaves open how many; the last is its length."""
    return _closed(shape[:-1]) + shape[-1:]


def _types(inputs: Sequence[Tensor]) -> str:
    return ", ".join("string" if tensor.is_text else str(tensor.dtype) for tensor in inputs)


def _named(options: object) -> str:
    return "none" if options is None else type(options).__name__
