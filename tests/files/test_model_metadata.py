"""What a model's metadata say is read, and damage ends in our own error."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scannlite.errors import IndexFileError
from scannlite.files.model_file import embedding_dimensions
from scannlite.files.model_metadata import (
    BertTokenizerOptions,
    ModelMetadata,
    RegexTokenizerOptions,
    SentencePieceTokenizerOptions,
    output_shapes,
    read_metadata,
)
from scannlite.files.model_parts import read_model
from scannlite.files.span import Span
from tests.embedders import tiny_models as models

ROWS = np.ones((3, 4), np.float32)


def span(content: bytes) -> Span:
    return Span("m.tflite", memoryview(content))


def read(content: bytes) -> ModelMetadata:
    return read_metadata(read_model(span(content)))


def test_a_regex_tokenizer_and_its_vocabulary():
    (tensor,) = read(models.regex_model(ROWS, pattern=r"[^\w]+")).inputs
    assert isinstance(tensor.tokenizer, RegexTokenizerOptions)
    assert tensor.tokenizer.pattern == r"[^\w]+"
    assert bytes(tensor.tokenizer.vocabulary.data).startswith(b"<PAD> 0\n")
    assert tensor.name == "ids"


def test_the_tokenizer_of_a_whole_model():
    found = read(models.bert_model(8, vocabulary=b"[PAD]\n[UNK]\n"))
    assert isinstance(found.tokenizer, BertTokenizerOptions)
    assert bytes(found.tokenizer.vocabulary.data) == b"[PAD]\n[UNK]\n"
    assert found.has_process_units
    assert [tensor.name for tensor in found.inputs] == ["ids", "segment_ids", "mask"]
    pieces = read(models.bert_model(8, tokenizer="sentencepiece", sentencepiece_model=b"spm"))
    assert isinstance(pieces.tokenizer, SentencePieceTokenizerOptions)
    assert bytes(pieces.tokenizer.model.data) == b"spm"


def test_pictures_and_sounds():
    (image,) = read(models.image_model(2, 3, mean=[1, 2, 3], std=[4, 5, 6])).inputs
    assert image.color_space == "rgb"
    assert image.normalization.mean.tolist() == [1, 2, 3]
    assert image.normalization.std.tolist() == [4, 5, 6]
    (sound,) = read(models.audio_model(9, sample_rate=8000, channels=2)).inputs
    assert (sound.sample_rate, sound.channels, sound.color_space) == (8000, 2, None)


def test_a_model_without_metadata_says_nothing():
    assert read(models.regex_model(ROWS, metadata=False)) == ModelMetadata()


def test_the_shape_of_the_embedding_is_known_without_running():
    content = models.image_model(2, 3, four_d=True)
    assert output_shapes(read_model(span(content))) == [(1, 1, 1, 18)]
    assert embedding_dimensions(span(content)) == 18
    assert embedding_dimensions(span(models.use_model(5))) == 5
    assert embedding_dimensions(span(models.bert_model(1, dynamic=True))) is None


@pytest.mark.parametrize(
    "content",
    [
        models.regex_model(ROWS),
        models.bert_model(4, vocabulary=b"[PAD]\n"),
        models.image_model(2, 3, mean=[1], std=[2]),
        models.audio_model(9),
    ],
    ids=["regex", "bert", "image", "audio"],
)
@settings(max_examples=300)
@given(data=st.data())
def test_damage_ends_in_an_error_of_ours_or_in_other_metadata(content, data):
    """Any four bytes may be anything, and the file may end anywhere."""
    at = data.draw(st.integers(0, len(content) - 4))
    bad = bytearray(content)
    bad[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    bad = bad[: data.draw(st.integers(at, len(bad)) | st.just(len(bad)))]
    with suppress(IndexFileError):
        read(bytes(bad))
        embedding_dimensions(span(bytes(bad)))
