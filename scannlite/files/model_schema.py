"""The tables of a ``.tflite`` model and of its metadata, in the order of their slots.

After ``schema.fbs`` of TensorFlow Lite and ``metadata_schema.fbs`` of TensorFlow Lite Support.
Tables that are written anew are complete, of the others only the first fields are here.
"""

from __future__ import annotations

from scannlite.files.flatbuffer import Schema

__all__ = [
    "ASSOCIATED_FILE",
    "AUDIO_PROPERTIES",
    "BERT_TOKENIZER",
    "BUFFER",
    "CONTENT",
    "IMAGE_PROPERTIES",
    "METADATA_ENTRY",
    "MODEL",
    "MODEL_METADATA",
    "NORMALIZATION",
    "OPERATOR",
    "PROCESS_UNIT",
    "REGEX_TOKENIZER",
    "SENTENCEPIECE_TOKENIZER",
    "SUBGRAPH",
    "SUBGRAPH_METADATA",
    "TENSOR",
    "TENSOR_METADATA",
]

MODEL = Schema(
    "model",
    (
        "version",
        "operator_codes",
        "subgraphs",
        "description",
        "buffers",
        "metadata_buffer",
        "metadata",
        "signature_defs",
        "external_buffer_groups",
        "external_buffers",
    ),
    {"version": 4},
)
SUBGRAPH = Schema("subgraph", ("tensors", "inputs", "outputs", "operators", "name"))
TENSOR = Schema(
    "tensor",
    (
        "shape",
        "type",
        "buffer",
        "name",
        "quantization",
        "is_variable",
        "sparsity",
        "shape_signature",
    ),
    {"type": 1, "buffer": 4, "is_variable": 1},
)
OPERATOR = Schema(
    "operator",
    (
        "opcode_index",
        "inputs",
        "outputs",
        "builtin_options_type",
        "builtin_options",
        "custom_options",
        "custom_options_format",
        "mutating_variable_inputs",
        "intermediates",
        "large_custom_options_offset",
    ),
    {"large_custom_options_offset": 8},
)
BUFFER = Schema("buffer", ("data", "offset"), {"offset": 8})
METADATA_ENTRY = Schema("metadata entry", ("name", "buffer"), {"buffer": 4})

MODEL_METADATA = Schema(
    "model metadata",
    (
        "name",
        "description",
        "version",
        "subgraph_metadata",
        "author",
        "license",
        "associated_files",
        "min_parser_version",
    ),
)
SUBGRAPH_METADATA = Schema(
    "subgraph metadata",
    (
        "name",
        "description",
        "input_tensor_metadata",
        "output_tensor_metadata",
        "associated_files",
        "input_process_units",
        "output_process_units",
        "input_tensor_groups",
        "output_tensor_groups",
        "custom_metadata",
    ),
)
TENSOR_METADATA = Schema(
    "tensor metadata",
    (
        "name",
        "description",
        "dimension_names",
        "content",
        "process_units",
        "stats",
        "associated_files",
    ),
)
ASSOCIATED_FILE = Schema(
    "associated file", ("name", "description", "type", "locale", "version"), {"type": 1}
)

# The members of two unions, by the number that stands before each in the file.
CONTENT = Schema("content", ("properties_type", "properties", "range"), {"properties_type": 1})
IMAGE_PROPERTIES = (2, Schema("image properties", ("color_space",), {"color_space": 1}))
AUDIO_PROPERTIES = (
    4,
    Schema("audio properties", ("sample_rate", "channels"), {"sample_rate": 4, "channels": 4}),
)
PROCESS_UNIT = Schema("process unit", ("options_type", "options"), {"options_type": 1})
NORMALIZATION = (1, Schema("normalization options", ("mean", "std")))
BERT_TOKENIZER = (4, Schema("BERT tokenizer options", ("vocab_file",)))
SENTENCEPIECE_TOKENIZER = (
    5,
    Schema("SentencePiece tokenizer options", ("sentencepiece_model", "vocab_file")),
)
REGEX_TOKENIZER = (6, Schema("regex tokenizer options", ("delim_regex_pattern", "vocab_file")))
