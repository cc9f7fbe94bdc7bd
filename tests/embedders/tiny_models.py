"""Embedders of a few operators, whose embedding shows what the model was given.

They are written by slot numbers, after ``schema.fbs`` and ``metadata_schema.fbs``: no runtime is
needed to make them. In metadata the tensors have the names that are asked for, in the graph they
are ``input_0``, ``output_0`` and so on, so that the two are not mistaken for each other.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from scannlite.files.associated import write_archive

flatbuffers = pytest.importorskip("flatbuffers", reason="models are built with flatbuffers")

__all__ = [
    "audio_model",
    "bert_model",
    "custom_op_model",
    "ids_model",
    "image_model",
    "no_inputs_model",
    "regex_model",
    "string_model",
    "two_inputs_model",
    "use_model",
    "vocabulary_of",
    "word_list",
]

_TYPES = {"float32": 0, "int32": 2, "uint8": 3, "string": 5, "bool": 6, "int8": 9}
# Of each operator its number and that of its options.
_OPERATORS = {
    "ADD": (0, 11),
    "CONCATENATION": (2, 10),
    "RESHAPE": (22, 17),
    "CUSTOM": (32, 0),
    "GATHER": (36, 23),
    "SUB": (41, 28),
    "CAST": (53, 37),
    "EQUAL": (71, 53),
    "SUM": (74, 27),
    "QUANTIZE": (114, 89),
}
_COLOR_SPACES = {"unknown": 0, "rgb": 1, "grayscale": 2}
_SENTENCEPIECE, _VOCABULARY = "spm.model", "vocab.txt"
_VOCABULARY_FILE = 5


# ---- flatbuffers -------------------------------------------------------------------------------


def _flatbuffer(root: Mapping[int, Any], identifier: bytes) -> bytes:
    builder = flatbuffers.Builder(0)
    builder.Finish(_written(builder, root), identifier)
    return bytes(builder.Output())


def _written(builder: Any, value: Any) -> int:
    """Write anything but a scalar, what it holds before it.

    A mapping is a table of slots, a list a vector of tables, an array a vector of numbers, and
    bytes are a buffer at a multiple of 16. A slot of None is left out.
    """
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, bytes):
        builder.Prep(16, len(value))
        return builder.CreateByteVector(value)
    if isinstance(value, np.ndarray):
        return builder.CreateNumpyVector(value)
    if isinstance(value, list):
        children = [_written(builder, child) for child in value]
        builder.StartVector(4, len(children), 4)
        for child in reversed(children):
            builder.PrependUOffsetTRelative(child)
        return builder.EndVector()
    slots = {slot: field for slot, field in value.items() if field is not None}
    fields = {
        slot: field if isinstance(field, np.generic) else _written(builder, field)
        for slot, field in slots.items()
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, field in fields.items():
        if isinstance(field, np.generic):
            prepend = getattr(builder, f"Prepend{field.dtype.name.capitalize()}Slot")
            prepend(slot, field.item(), 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, field, 0)
    return builder.EndObject()


# ---- models ------------------------------------------------------------------------------------


class _Graph:
    """A model in the making: tensors are known by their numbers."""

    def __init__(self) -> None:
        self.tensors: list[dict[int, Any]] = []
        self.buffers: list[dict[int, Any]] = [{}]
        self.codes: list[dict[int, Any]] = []
        self.steps: list[dict[int, Any]] = []

    def tensor(
        self,
        name: str,
        dtype: str,
        shape: Sequence[int],
        *,
        data: bytes | None = None,
        quantized: tuple[float, int] | None = None,
    ) -> int:
        """A size of -1 is open."""
        buffer = 0
        if data is not None:
            buffer = len(self.buffers)
            self.buffers.append({0: data})
        scale_and_zero = quantized and {
            2: np.float32([quantized[0]]),
            3: np.int64([quantized[1]]),
        }
        self.tensors.append(
            {
                0: np.abs(_ints(shape)),
                1: np.int8(_TYPES[dtype]),
                2: np.uint32(buffer),
                3: name,
                4: scale_and_zero,
                7: _ints(shape) if -1 in shape else None,
            }
        )
        return len(self.tensors) - 1

    def numbers(self, values: Sequence[int]) -> int:
        """Constants."""
        return self.tensor("numbers", "int32", [len(values)], data=_ints(values).tobytes())

    def step(
        self,
        operator: str,
        inputs: Sequence[int],
        output: int,
        options: Mapping[int, Any] | None = None,
        custom: str | None = None,
    ) -> int:
        number, kind = _OPERATORS[operator]
        code = {0: np.int8(number), 1: custom, 2: np.int32(1), 3: np.int32(number)}
        place = len(self.codes)
        self.codes.append(code)
        step = {0: np.uint32(place), 1: _ints(inputs), 2: _ints([output])}
        if kind:
            step |= {3: np.uint8(kind), 4: options or {}}
        self.steps.append(step)
        return output

    def cast(self, source: int, shape: Sequence[int]) -> int:
        """To float32; what is float32 already stays as it is."""
        dtype = self.tensors[source][1]
        if dtype == _TYPES["float32"]:
            return source
        to = self.tensor("cast", "float32", shape)
        return self.step("CAST", [source], to, {0: dtype, 1: np.int8(0)})

    def reshape(self, source: int, shape: Sequence[int]) -> int:
        to = self.tensor("reshaped", "float32", shape)
        return self.step("RESHAPE", [source, self.numbers(shape)], to, {0: _ints(shape)})

    def one_hot(self, text: int, words: Sequence[str]) -> int:
        """(1, d): 1 at the word that the text is, 0 at the others."""
        d = len(words)
        known = self.tensor("words", "string", [d], data=_strings(words))
        equal = self.step("EQUAL", [text, known], self.tensor("equal", "bool", [d]))
        return self.reshape(self.cast(equal, [d]), [1, d])

    def quantize(
        self, source: int, shape: Sequence[int], dtype: str, scale: float, zero_point: int
    ) -> int:
        """What is wanted as float32 stays as it is."""
        if dtype == "float32":
            return source
        to = self.tensor("quantized", dtype, shape, quantized=(scale, zero_point))
        return self.step("QUANTIZE", [source], to)

    def model(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        metadata: Mapping[int, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> bytes:
        for place, number in enumerate(outputs):
            self.tensors[number][3] = f"output_{place}"
        entries = None
        if metadata is not None:
            entries = [{0: "TFLITE_METADATA", 1: np.uint32(len(self.buffers))}]
            self.buffers.append({0: _flatbuffer(metadata, b"M001")})
        graph = {
            0: self.tensors,
            1: _ints(inputs),
            2: _ints(outputs),
            3: self.steps,
            4: "main",
        }
        root = {
            0: np.uint32(3),
            1: self.codes,
            2: [graph],
            3: "a model of the tests",
            4: self.buffers,
            6: entries,
        }
        out = io.BytesIO()
        out.write(_flatbuffer(root, b"TFL3"))
        if metadata is not None and files:
            parts = [(name, memoryview(content)) for name, content in files.items()]
            write_archive(out, out.tell(), parts)
        return out.getvalue()


def _ints(values: Sequence[int]) -> np.ndarray:
    return np.array(values, np.int32)


def _strings(words: Sequence[str]) -> bytes:
    """A string tensor: how many, where each starts and the last ends, and all of them."""
    encoded = [word.encode() for word in words]
    starts = 4 * (len(words) + 2) + np.cumsum([0, *map(len, encoded)])
    return _ints([len(words), *starts]).tobytes() + b"".join(encoded)


# ---- metadata ----------------------------------------------------------------------------------


def _metadata(
    inputs: list[dict[int, Any]], outputs: Sequence[str], units: list[Any] | None = None
) -> dict[int, Any]:
    graph = {0: "main", 2: inputs, 3: [_named(name) for name in outputs], 5: units}
    return {0: "a model of the tests", 3: [graph], 7: "1.0.0"}


def _named(name: str, content: Any = None, units: list[Any] | None = None) -> dict[int, Any]:
    return {0: name, 3: content, 4: units}


def _union(kind: int, member: dict[int, Any]) -> dict[int, Any]:
    return {0: np.uint8(kind), 1: member}


def _file(name: str, kind: int) -> list[Any]:
    return [{0: name, 2: np.int8(kind)}]


def _regex(pattern: str) -> list[Any]:
    return [_union(6, {0: pattern, 1: _file(_VOCABULARY, _VOCABULARY_FILE)})]


def word_list(q: int) -> list[str]:
    """``p0``, ``p1`` and so on, as many as ``q``."""
    return [f"p{row}" for row in range(q)]


def vocabulary_of(words: Sequence[str]) -> bytes:
    """Of a regex tokenizer: words by their place; padding and unknown words are number 0."""
    lines = ["<PAD> 0", "<UNKNOWN> 0", *(f"{word} {row}" for row, word in enumerate(words))]
    return "".join(f"{line}\n" for line in lines).encode()


# ---- texts -------------------------------------------------------------------------------------


def regex_model(
    rows: np.ndarray,
    *,
    words: Sequence[str] | None = None,
    pattern: str = r"\s+",
    length: int = 1,
    vocabulary: bytes | None = None,
    output: str = "float32",
    scale: float = 1 / 128,
    zero_point: int = 0,
    metadata: bool = True,
) -> bytes:
    """A model that answers the text ``p7`` with row 7 of ``rows`` (q, d), to the last bit.

    Longer texts, up to ``length`` tokens, are answered with the sum of their rows; each token that
    pads them is a row too, by default row 0.
    """
    rows = np.ascontiguousarray(rows, np.float32)
    q, d = rows.shape
    graph = _Graph()
    ids = graph.tensor("input_0", "int32", [1, length])
    table = graph.tensor("rows", "float32", [q, d], data=rows.tobytes())
    found = graph.tensor("found", "float32", [1, length, d])
    graph.step("GATHER", [table, ids], found)
    if length == 1:
        out = graph.reshape(found, [1, d])
    else:
        total = graph.tensor("sum", "float32", [1, d])
        out = graph.step("SUM", [found, graph.numbers([1])], total)
    out = graph.quantize(out, [1, d], output, scale, zero_point)
    described = _metadata([_named("ids", units=_regex(pattern))], ["embedding"])
    content = vocabulary_of(words or word_list(q)) if vocabulary is None else vocabulary
    return graph.model([ids], [out], described if metadata else None, {_VOCABULARY: content})


def ids_model(length: int, *, vocabulary: bytes, pattern: str = r"\s+") -> bytes:
    """A model with a regex tokenizer whose embedding, (1, length), are the tokens themselves."""
    graph = _Graph()
    ids = graph.tensor("input_0", "int32", [1, length])
    out = graph.cast(ids, [1, length])
    described = _metadata([_named("ids", units=_regex(pattern))], ["embedding"])
    return graph.model([ids], [out], described, {_VOCABULARY: vocabulary})


def bert_model(
    length: int,
    *,
    vocabulary: bytes | None = None,
    names: Sequence[str] = ("ids", "segment_ids", "mask"),
    dynamic: bool = False,
    tokenizer: str | None = "bert",
    sentencepiece_model: bytes | None = None,
    metadata: bool = True,
) -> bytes:
    """A model whose embedding, (1, 3 length), are its three inputs in the order of ``names``.

    A dynamic one is made for a length of 1, and grows with its inputs.
    """
    size = -1 if dynamic else length
    graph = _Graph()
    inputs = [graph.tensor(f"input_{i}", "int32", [1, size]) for i in range(len(names))]
    parts = [graph.cast(number, [1, size]) for number in inputs]
    out = graph.tensor("out", "float32", [1, -1 if dynamic else len(names) * length])
    graph.step("CONCATENATION", parts, out, {0: np.int32(1)})
    files, vocabulary_file = {}, None
    if vocabulary is not None:
        files[_VOCABULARY] = vocabulary
        vocabulary_file = _file(_VOCABULARY, _VOCABULARY_FILE)
    units = None
    if tokenizer == "bert":
        units = [_union(4, {0: vocabulary_file})]
    elif tokenizer == "sentencepiece":
        trained = None
        if sentencepiece_model is not None:
            files[_SENTENCEPIECE] = sentencepiece_model
            trained = _file(_SENTENCEPIECE, 0)
        units = [_union(5, {0: trained, 1: vocabulary_file})]
    described = _metadata([_named(name) for name in names], ["embedding"], units)
    return graph.model(inputs, [out], described if metadata else None, files)


def string_model(d: int, *, words: Sequence[str] | None = None) -> bytes:
    """A model that takes a string: 1 at the word that it is, 0 elsewhere, (1, d)."""
    graph = _Graph()
    text = graph.tensor("input_0", "string", [1])
    return graph.model([text], [graph.one_hot(text, words or word_list(d))])


def use_model(
    d: int,
    *,
    words: Sequence[str] | None = None,
    names: Sequence[str] = ("inp_text", "res_context", "res_text"),
    outputs: Sequence[str] = ("query_encoding", "response_encoding"),
    metadata: bool = True,
) -> bytes:
    """A model with the inputs and outputs of a Universal Sentence Encoder, in the order given.

    The query encoding is 1 at the word in ``inp_text``. The response encoding is 2 at the word in
    ``res_text``, less 1 at that in ``res_context``. Where other names are given, places count.
    """
    graph = _Graph()
    inputs = [graph.tensor(f"input_{i}", "string", [1]) for i in range(len(names))]
    query, context, text = (
        graph.one_hot(inputs[_place(name, names, usual)], words or word_list(d))
        for usual, name in enumerate(("inp_text", "res_context", "res_text"))
    )
    twice = graph.step("ADD", [text, text], graph.tensor("twice", "float32", [1, d]))
    less = graph.step("SUB", [twice, context], graph.tensor("less", "float32", [1, d]))
    given = [query, query]
    given[_place("response_encoding", outputs, 1)] = less
    described = _metadata([_named(name) for name in names], outputs)
    return graph.model(inputs, given, described if metadata else None)


def _place(name: str, names: Sequence[str], usual: int) -> int:
    return names.index(name) if name in names else usual


# ---- images and sounds -------------------------------------------------------------------------


def image_model(
    height: int,
    width: int,
    *,
    dtype: str = "uint8",
    output: str = "float32",
    scale: float = 1.0,
    zero_point: int = 0,
    mean: Any = None,
    std: Any = None,
    color_space: str = "rgb",
    channels: int = 3,
    four_d: bool = False,
    dynamic: bool = False,
    metadata: bool = True,
) -> bytes:
    """A model whose embedding are its pixels, (1, d) or with ``four_d`` (1, 1, 1, d).

    A dynamic one is made for images of one pixel, and grows with them.
    """
    size = [1, -1, -1, channels] if dynamic else [1, height, width, channels]
    d = -1 if dynamic else height * width * channels
    graph = _Graph()
    image = graph.tensor("input_0", dtype, size)
    shape = [1, 1, 1, d] if four_d else [1, d]
    out = graph.reshape(graph.cast(image, size), shape)
    out = graph.quantize(out, shape, output, scale, zero_point)
    units = None
    if mean is not None:
        numbers = {slot: np.atleast_1d(np.float32(x)) for slot, x in enumerate((mean, std))}
        units = [_union(1, numbers)]
    content = _union(2, {0: np.int8(_COLOR_SPACES[color_space])})
    described = _metadata([_named("image", content, units)], ["embedding"])
    return graph.model([image], [out], described if metadata else None)


def audio_model(
    samples: int, *, sample_rate: int | None = 16000, channels: int = 1, two_d: bool = False
) -> bytes:
    """A model whose embedding, (1, samples), are its samples, those of all channels together.

    Without a sample rate there are no metadata.
    """
    graph = _Graph()
    sound = graph.tensor("input_0", "float32", [1, samples] if two_d else [samples])
    out = graph.reshape(sound, [1, samples])
    if sample_rate is None:
        return graph.model([sound], [out])
    content = _union(4, {0: np.uint32(sample_rate), 1: np.uint32(channels)})
    return graph.model([sound], [out], _metadata([_named("sound", content)], ["embedding"]))


# ---- models that are no embedders --------------------------------------------------------------


def custom_op_model(*, name: str = "TFSentencepieceTokenizeOp") -> bytes:
    """A model with an operator that no runtime has."""
    graph = _Graph()
    text = graph.tensor("input_0", "string", [1])
    out = graph.step("CUSTOM", [text], graph.tensor("out", "float32", [1, 4]), custom=name)
    return graph.model([text], [out])


def two_inputs_model(d: int, *, dtype: str = "float32") -> bytes:
    """A model whose embedding, (1, d), is the sum of two inputs."""
    graph = _Graph()
    inputs = [graph.tensor(f"input_{i}", dtype, [1, d]) for i in range(2)]
    parts = [graph.cast(number, [1, d]) for number in inputs]
    out = graph.step("ADD", parts, graph.tensor("out", "float32", [1, d]))
    return graph.model(inputs, [out])


def no_inputs_model(d: int) -> bytes:
    """A model that always answers with ones, (1, d)."""
    graph = _Graph()
    ones = graph.tensor("ones", "float32", [d], data=np.ones(d, np.float32).tobytes())
    return graph.model([], [graph.reshape(ones, [1, d])])
