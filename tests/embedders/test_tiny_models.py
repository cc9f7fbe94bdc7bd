"""The models of the tests themselves: each runs, and its embedding shows what went in."""

from __future__ import annotations

import numpy as np
import pytest

from scannlite.files.model_metadata import read_metadata
from scannlite.files.model_parts import read_model
from scannlite.files.span import Span
from tests.embedders import tiny_models as models

interpreter = pytest.importorskip(
    "ai_edge_litert.interpreter", reason="NO TINY MODEL WAS RUN: ai-edge-litert is not installed"
)

ROWS = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
TEXTS = ("inp_text", "res_context", "res_text")


def ran(model, *inputs):
    """The outputs of a model, resized where its inputs are open."""
    runner = interpreter.Interpreter(model_content=model, num_threads=1)
    for detail, value in zip(runner.get_input_details(), inputs, strict=True):
        if -1 in detail["shape_signature"]:
            runner.resize_tensor_input(detail["index"], value.shape)
    runner.allocate_tensors()
    for detail, value in zip(runner.get_input_details(), inputs, strict=True):
        assert value.dtype.kind == "S" or value.dtype == detail["dtype"]
        runner.set_tensor(detail["index"], value)
    runner.invoke()
    return [runner.get_tensor(detail["index"]) for detail in runner.get_output_details()]


def described(model):
    return read_metadata(read_model(Span("tiny.tflite", memoryview(model))))


def ids(*values):
    return np.array([values], np.int32)


def text(value):
    return np.array([value])


def test_words_become_rows():
    """To the last bit; several are added up."""
    (out,) = ran(models.regex_model(ROWS), ids(7))
    assert out.tobytes() == ROWS[7].tobytes()
    assert out.shape == (1, 4)
    (out,) = ran(models.regex_model(ROWS, length=3), ids(1, 2, 3))
    np.testing.assert_allclose(out, ROWS[1:4].sum(axis=0)[None], rtol=1e-5)
    tokenizer = described(models.regex_model(ROWS, pattern=" ")).inputs[0].tokenizer
    assert tokenizer.pattern == " "
    assert bytes(tokenizer.vocabulary.data).endswith(b"p8 8\n")
    assert described(models.regex_model(ROWS, metadata=False)).inputs == ()


@pytest.mark.parametrize(("output", "zero_point"), [("uint8", 100), ("int8", -3)])
def test_quantised_rows(output, zero_point):
    """Each number is scale times what lies above the zero point, to half a step."""
    model = models.regex_model(ROWS / 10, output=output, scale=0.01, zero_point=zero_point)
    (out,) = ran(model, ids(7))
    assert out.dtype == output
    np.testing.assert_allclose((out[0].astype(float) - zero_point) * 0.01, ROWS[7] / 10, atol=0.006)


def test_ids_come_back():
    """As numbers of floating point."""
    (out,) = ran(models.ids_model(3, vocabulary=b"a 1\n"), ids(5, 6, 7))
    assert out.tolist() == [[5, 6, 7]]
    assert out.dtype == np.float32


@pytest.mark.parametrize("dynamic", [False, True])
def test_bert(dynamic):
    """Three inputs, one behind the other; the tokenizer is that of the whole model."""
    model = models.bert_model(2, vocabulary=b"[CLS]\n", dynamic=dynamic)
    (out,) = ran(model, ids(1, 2), ids(3, 4), ids(5, 6))
    assert out.tolist() == [[1, 2, 3, 4, 5, 6]]
    found = described(model)
    assert [tensor.name for tensor in found.inputs] == ["ids", "segment_ids", "mask"]
    assert bytes(found.tokenizer.vocabulary.data) == b"[CLS]\n"


def test_sentencepiece():
    """The trained model lies behind the flatbuffer."""
    made = models.bert_model(2, tokenizer="sentencepiece", sentencepiece_model=b"trained")
    assert bytes(described(made).tokenizer.model.data) == b"trained"
    assert len(ran(made, ids(1, 2), ids(3, 4), ids(5, 6))) == 1
    bare = described(models.bert_model(2, tokenizer=None))
    assert bare.tokenizer is None
    assert not bare.has_process_units


def test_a_string():
    """Its place among the words."""
    model = models.string_model(3)
    assert [ran(model, text(t))[0].tolist() for t in (b"p1", b"p9")] == [[[0, 1, 0]], [[0, 0, 0]]]


@pytest.mark.parametrize("names", [TEXTS, TEXTS[::-1], ("a", "b", "c")])
def test_three_strings(names):
    """Each input shows in its own way, wherever it stands."""
    given = dict(zip(names if "a" in names else TEXTS, (b"p0", b"p1", b"p2"), strict=True))
    model = models.use_model(3, names=names, outputs=("response_encoding", "query_encoding"))
    response, query = ran(model, *(text(given[name]) for name in names))
    assert (query.tolist(), response.tolist()) == ([[1, 0, 0]], [[0, -1, 2]])
    assert [tensor.name for tensor in described(model).inputs] == list(names)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("output", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("dynamic", [False, True])
def test_images(dtype, output, dynamic):
    """The pixels themselves."""
    pixels = np.arange(18).astype(dtype).reshape(1, 2, 3, 3)
    (out,) = ran(models.image_model(2, 3, dtype=dtype, output=output, dynamic=dynamic), pixels)
    assert out.dtype == output
    assert out.tolist() == [list(range(18))]


def test_descriptions_of_images():
    """What pixels are divided by, and what they are."""
    made = models.image_model(1, 1, mean=[1, 2, 3], std=4, color_space="grayscale", four_d=True)
    (image,) = described(made).inputs
    assert image.normalization.mean.tolist() == [1, 2, 3]
    assert image.normalization.std.tolist() == [4]
    assert image.color_space == "grayscale"
    assert ran(made, np.ones((1, 1, 1, 3), np.uint8))[0].shape == (1, 1, 1, 3)
    assert described(models.image_model(1, 1)).inputs[0].normalization is None


@pytest.mark.parametrize("two_d", [False, True])
def test_sounds(two_d):
    """The samples themselves."""
    made = models.audio_model(5, sample_rate=8000, channels=2, two_d=two_d)
    sound = np.arange(5, dtype=np.float32)
    assert ran(made, sound[None] if two_d else sound)[0].tolist() == [sound.tolist()]
    (found,) = described(made).inputs
    assert (found.sample_rate, found.channels) == (8000, 2)
    assert described(models.audio_model(5, sample_rate=None)).inputs == ()


def test_models_that_are_no_embedders():
    """The runtime loads two of three, and names the operator that it lacks."""
    ones = np.ones((1, 2), np.float32)
    assert ran(models.two_inputs_model(2), ones, ones)[0].tolist() == [[2, 2]]
    assert ran(models.no_inputs_model(2))[0].tolist() == [[1, 1]]
    with pytest.raises((RuntimeError, ValueError), match="TFSentencepieceTokenizeOp"):
        ran(models.custom_op_model(), text(b"a"))
