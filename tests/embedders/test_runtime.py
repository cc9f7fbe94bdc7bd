"""Whichever runtime is installed is found, and what it cannot do is said in a sentence."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from scannlite.embedders import runtime
from scannlite.embedders.model import Model
from scannlite.embedders.runtime import Session
from scannlite.errors import InvalidType, MissingExtra, ModelError
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime

ROWS = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)


def pretend(monkeypatch, installed, *, numpy="2.1.0"):
    """Let just these packages be found; what is imported is a class of that package's name."""
    tops = {name.split(".", maxsplit=1)[0] for name in installed}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: SimpleNamespace() if name in tops else None
    )
    monkeypatch.setattr(
        importlib, "import_module", lambda name: SimpleNamespace(Interpreter=installed[name])
    )
    monkeypatch.setattr(runtime.np, "__version__", numpy)


@pytest.mark.parametrize(
    ("installed", "numpy", "chosen"),
    [
        (("ai_edge_litert.interpreter", "tensorflow.lite"), "2.1.0", "ai-edge-litert"),
        (("tflite_runtime.interpreter", "tensorflow.lite"), "1.26.4", "tflite-runtime"),
        (("tflite_runtime.interpreter", "tensorflow.lite"), "2.1.0", "tensorflow"),
        (("tensorflow.lite",), "2.1.0", "tensorflow"),
    ],
)
def test_the_first_runtime_that_can_work_is_taken(monkeypatch, installed, numpy, chosen):
    pretend(monkeypatch, {name: name for name in installed}, numpy=numpy)
    assert runtime._runtime()[0] == chosen


def test_without_a_runtime_the_extra_is_named(monkeypatch):
    pretend(monkeypatch, {})
    with pytest.raises(MissingExtra, match=r'needs the extra .tflite., which .*"scannlite\[tflite'):
        runtime._runtime()


def test_a_runtime_too_old_for_this_numpy_is_not_even_imported(monkeypatch):
    """It would print a screen of warnings and die of a bare SystemError."""
    pretend(monkeypatch, {"tflite_runtime.interpreter": None})
    monkeypatch.setattr(runtime, "version", lambda _: "2.14.0")
    with pytest.raises(MissingExtra, match=r"tflite-runtime 2\.14\.0 needs NumPy below 2, got 2\."):
        runtime._runtime()


def test_a_bare_system_error_is_explained(monkeypatch, tmp_path):
    def dies(**_):
        raise SystemError("returned a result with an exception set")

    pretend(monkeypatch, {"tflite_runtime.interpreter": dies}, numpy="1.26.4")
    path = tmp_path / "model.tflite"
    path.write_bytes(models.regex_model(ROWS))
    with pytest.raises(MissingExtra, match="needs NumPy below 2"):
        Session(Model.read(path), 1)


@needs_runtime
def test_a_model_runs_the_same_from_a_path_and_from_its_content(tmp_path):
    content = models.regex_model(ROWS)
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    inputs = [np.array([[7]], np.int32)]
    for source in (path, str(path), content, bytearray(content), memoryview(content)):
        session = Session(Model.read(source), 1)
        assert session.run(inputs, 0).tobytes() == ROWS[7].tobytes()
        (tensor,) = session.inputs
        assert (tensor.shape, tensor.dtype, tensor.is_text) == ((1, 1), np.int32, False)


@needs_runtime
def test_an_input_of_another_size_is_given_room():
    session = Session(Model.read(models.bert_model(1, dynamic=True)), 1)
    for length in (5, 2, 2, 9):
        inputs = [np.full((1, length), place, np.int32) for place in range(3)]
        expected = np.repeat(np.arange(3, dtype=np.float32), length)
        assert session.run(inputs, 0).reshape(-1).tolist() == expected.tolist()


@needs_runtime
def test_an_operator_that_the_runtime_lacks_is_named():
    model = Model.read(models.custom_op_model(name="TFSentencepieceTokenizeOp"))
    with pytest.raises(ModelError, match=r"needs the operator TFSentencepieceTokenizeOp, which \w"):
        Session(model, 1)


@needs_runtime
def test_inputs_that_do_not_fit_are_an_error_of_ours():
    session = Session(Model.read(models.regex_model(ROWS)), 1)
    with pytest.raises(ModelError, match=r"<bytes>: \S+ cannot run this model: "):
        session.run([np.zeros((1, 1), np.float64)], 0)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04" * 9, b"\0\0\0\0TFL3", b"\x08\0\0\0TFL3" + bytes(40)]
)
def test_what_is_no_model_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.tflite: ") as refused:
        Model.read(path)
    assert "written by scannlite" not in str(refused.value)
    with pytest.raises(ModelError, match="<bytes>: "):
        Model.read(content)


def test_a_missing_model_and_other_things_are_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError):
        Model.read(tmp_path / "none.tflite")
    with pytest.raises(IsADirectoryError):
        Model.read(tmp_path)
    with pytest.raises(InvalidType, match=r"model must be the path of a \.tflite file or"):
        Model.read(7)


@pytest.mark.skipif(
    importlib.util.find_spec("tflite_runtime") is None
    or importlib.util.find_spec("ai_edge_litert") is not None
    or np.__version__.startswith("1."),
    reason="NOT SEEN HERE: tflite-runtime beside NumPy 2, which .ci/runtimes puts together",
)
def test_the_old_runtime_beside_a_new_numpy_says_what_it_needs():
    with pytest.raises(MissingExtra, match=r"tflite-runtime 2\.\S+ needs NumPy below 2, got 2\."):
        Session(Model.read(models.regex_model(ROWS)), 1)
