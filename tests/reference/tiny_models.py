"""Embedders of two operators, whose embedding is whatever is wanted. Runs beside tflite-support."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from tensorflow_lite_support.metadata import metadata_schema_py_generated as metadata
from tensorflow_lite_support.metadata import schema_py_generated as schema
from tensorflow_lite_support.metadata.python.metadata import MetadataPopulator

__all__ = ["image_model", "text_model"]

_VOCABULARY, _INDEX = "vocab.txt", "index.ldb"
_INT32, _FLOAT32 = schema.TensorType.INT32, schema.TensorType.FLOAT32


def text_model(rows: np.ndarray, index: bytes | None = None) -> bytes:
    """A model that answers the text ``p7`` with row 7 of ``rows`` (q, d), to the last bit.

    With an index, Task Library's own tools put it in.
    """
    rows = np.ascontiguousarray(rows, np.float32)
    q, d = rows.shape
    model = _model(
        [
            _tensor("ids", [1, 1], _INT32),
            _tensor("rows", [q, d], _FLOAT32, buffer=1),
            _tensor("row", [1, 1, d], _FLOAT32),
            _tensor("shape", [2], _INT32, buffer=2),
            _tensor("out", [1, d], _FLOAT32),
        ],
        [rows, np.array([1, d], np.int32)],
        [
            ("GATHER", "GatherOptions", {"axis": 0}, [1, 0], [2]),
            ("RESHAPE", "ReshapeOptions", {"newShape": [1, d]}, [2, 3], [4]),
        ],
    )
    words = [b"<PAD> 0", b"<UNKNOWN> 0", *(b"p%d %d" % (i, i) for i in range(q))]
    files = {_VOCABULARY: b"\n".join(words) + b"\n"}
    tokenizer = _made(
        metadata.RegexTokenizerOptionsT,
        delimRegexPattern=r"\s+",
        vocabFile=[_file(_VOCABULARY, "VOCABULARY")],
    )
    unit = _made(
        metadata.ProcessUnitT,
        optionsType=metadata.ProcessUnitOptions.RegexTokenizerOptions,
        options=tokenizer,
    )
    ids = _made(metadata.TensorMetadataT, name="ids", processUnits=[unit])
    out = _made(metadata.TensorMetadataT, name="out")
    if index is not None:
        files[_INDEX] = index
        out.associatedFiles = [_file(_INDEX, "SCANN_INDEX_FILE")]
    return _populated(model, ids, out, files)


def image_model(height: int, width: int) -> bytes:
    """A model whose embedding are the pixels of an image of this size; without any metadata."""
    d = height * width * 3
    cast = {"inDataType": schema.TensorType.UINT8, "outDataType": _FLOAT32}
    return _model(
        [
            _tensor("image", [1, height, width, 3], schema.TensorType.UINT8),
            _tensor("pixels", [1, height, width, 3], _FLOAT32),
            _tensor("shape", [2], _INT32, buffer=1),
            _tensor("out", [1, d], _FLOAT32),
        ],
        [np.array([1, d], np.int32)],
        [
            ("CAST", "CastOptions", cast, [0], [1]),
            ("RESHAPE", "ReshapeOptions", {"newShape": [1, d]}, [1, 2], [3]),
        ],
    )


def _made(kind: type, **values: object) -> Any:
    made = kind()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _packed(root: Any, identifier: bytes) -> bytes:
    builder = flatbuffers.Builder(0)
    builder.Finish(root.Pack(builder), identifier)
    return bytes(builder.Output())


def _tensor(name: str, shape: list[int], kind: int, buffer: int = 0) -> Any:
    return _made(schema.TensorT, name=name, shape=shape, type=kind, buffer=buffer)


def _model(tensors: list[Any], constants: list[np.ndarray], operators: list[Any]) -> bytes:
    """From the first tensor to the last, through operators in turn."""
    codes, steps = [], []
    for place, (name, options, values, inputs, outputs) in enumerate(operators):
        code = getattr(schema.BuiltinOperator, name)
        codes.append(
            _made(schema.OperatorCodeT, builtinCode=code, deprecatedBuiltinCode=code, version=1)
        )
        steps.append(
            _made(
                schema.OperatorT,
                opcodeIndex=place,
                inputs=inputs,
                outputs=outputs,
                builtinOptionsType=getattr(schema.BuiltinOptions, options),
                builtinOptions=_made(getattr(schema, f"{options}T"), **values),
            )
        )
    graph = _made(
        schema.SubGraphT,
        name="main",
        tensors=tensors,
        inputs=[0],
        outputs=[len(tensors) - 1],
        operators=steps,
    )
    data = [np.frombuffer(constant.tobytes(), np.uint8) for constant in constants]
    model = _made(
        schema.ModelT,
        version=3,
        description="test",
        operatorCodes=codes,
        subgraphs=[graph],
        buffers=[schema.BufferT(), *(_made(schema.BufferT, data=part) for part in data)],
    )
    return _packed(model, b"TFL3")


def _file(name: str, kind: str) -> Any:
    number = getattr(metadata.AssociatedFileType, kind)
    return _made(metadata.AssociatedFileT, name=name, type=number)


def _populated(model: bytes, tensor_in: Any, tensor_out: Any, files: dict[str, bytes]) -> bytes:
    graph = _made(
        metadata.SubGraphMetadataT,
        inputTensorMetadata=[tensor_in],
        outputTensorMetadata=[tensor_out],
    )
    root = _made(metadata.ModelMetadataT, name="test", subgraphMetadata=[graph])
    populator = MetadataPopulator.with_model_buffer(model)
    populator.load_metadata_buffer(_packed(root, b"M001"))
    populator.load_associated_file_buffers(files)
    populator.populate()
    return bytes(populator.get_model_buffer())
