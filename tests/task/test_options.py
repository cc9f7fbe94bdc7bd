"""Options and results: other people's names, and what is refused at the door."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest

from scannlite import InvalidInput, InvalidType
from scannlite.task import audio, core, processor, text, vision
from scannlite.task.opening import as_max_results, open_model
from tests.task.searchers import SEARCHERS

BASE = core.BaseOptions("model.tflite")
SIGNATURES = {
    core.BaseOptions: "(file_name=None, file_content=None, num_threads=-1, use_coral=None)",
    processor.EmbeddingOptions: "(l2_normalize=None, quantize=None)",
    processor.SearchOptions: "(index_file_name=None, index_file_content=None, max_results=5)",
    processor.BoundingBox: "(origin_x, origin_y, width, height)",
    processor.NearestNeighbor: "(metadata, distance)",
    processor.SearchResult: "(nearest_neighbors)",
    processor.FeatureVector: "(value)",
    processor.Embedding: "(feature_vector, output_index)",
    processor.EmbeddingResult: "(embeddings)",
    text.TextSearcher.create_from_file: "(model_file_path, index_file_path=None)",
    text.TextSearcher.create_from_options: "(options)",
    text.TextSearcher.search: "(self, text)",
    text.TextSearcher.get_user_info: "(self)",
    text.TextEmbedder.create_from_file: "(file_path)",
    text.TextEmbedder.create_from_options: "(options)",
    text.TextEmbedder.embed: "(self, text)",
    text.TextEmbedder.cosine_similarity: "(self, u, v)",
    text.TextEmbedder.get_embedding_dimension: "(self, output_index)",
    vision.ImageSearcher.search: "(self, image, bounding_box=None)",
    vision.ImageEmbedder.embed: "(self, image, bounding_box=None)",
    vision.ImageEmbedder.get_embedding_by_index: "(self, result, output_index)",
    vision.TensorImage.create_from_file: "(file_name)",
    vision.TensorImage.create_from_array: "(array)",
    vision.TensorImage.create_from_buffer: "(buffer)",
    audio.AudioEmbedder.embed: "(self, audio)",
    audio.AudioSearcher.search: "(self, audio)",
    audio.TensorAudio: "(audio_format, buffer_size)",
    audio.TensorAudio.create_from_wav_file: "(file_name, sample_count, offset=0)",
    audio.TensorAudio.load_from_array: "(self, src, offset=0, size=-1)",
}


def plain(signature: inspect.Signature) -> str:
    """Without types."""
    parameters = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return str(inspect.Signature(parameters))


@pytest.mark.parametrize("named", SIGNATURES, ids=lambda named: named.__qualname__)
def test_arguments_have_the_original_names_order_and_defaults(named) -> None:
    """As Task Library 0.4.4 has them; tests/reference asks the original itself."""
    assert plain(inspect.signature(named)) == SIGNATURES[named]


@pytest.mark.parametrize(
    "kind",
    [
        text.TextSearcherOptions,
        vision.ImageSearcherOptions,
        audio.AudioSearcherOptions,
        text.TextEmbedderOptions,
        vision.ImageEmbedderOptions,
        audio.AudioEmbedderOptions,
    ],
)
def test_only_the_model_must_be_named(kind) -> None:
    options = kind(BASE)
    assert options.embedding_options == processor.EmbeddingOptions()
    assert options.embedding_options is not kind(BASE).embedding_options
    if "Searcher" in kind.__name__:
        assert options.search_options == processor.SearchOptions()
        assert list(inspect.signature(kind).parameters)[2] == "search_options"


def test_options_can_be_changed_but_not_misspelt() -> None:
    options = text.TextSearcherOptions(BASE)
    options.search_options.max_results = 6
    options.embedding_options.l2_normalize = True
    assert options.search_options.max_results == 6
    with pytest.raises(AttributeError):
        options.search_options.max_result = 7


def test_what_is_equal_is_equal_by_value() -> None:
    """Also after a copy or a pickle, and with metadata as bytes."""
    one = processor.SearchResult([processor.NearestNeighbor(bytearray(b"a"), 0.5)])
    assert one == processor.SearchResult([processor.NearestNeighbor(b"a", 0.5)])
    assert one != processor.SearchResult([processor.NearestNeighbor(bytearray(b"b"), 0.5)])
    vector = processor.FeatureVector(np.float32([1, 2]))
    result = processor.EmbeddingResult([processor.Embedding(vector, 0)])
    for each in (one, result, text.TextSearcherOptions(BASE)):
        assert copy.deepcopy(each) == each
        assert pickle.loads(pickle.dumps(each)) == each  # noqa: S301
    assert vector != processor.FeatureVector(np.float32([1, 3]))
    assert vector != processor.FeatureVector(np.float32([1, 2, 3]))
    assert vector != [1, 2]


def opened(**options):
    """The model that options ask for, and how."""

    def embedder_of(source, *, l2_normalize, num_threads):
        return source, l2_normalize, num_threads

    embedding = processor.EmbeddingOptions(l2_normalize=options.pop("l2_normalize", None))
    return open_model(embedder_of, core.BaseOptions(**options), embedding)


def test_content_goes_before_a_name_and_what_is_empty_is_not_there() -> None:
    assert opened(file_name="a") == ("a", False, None)
    assert opened(file_name="a", file_content=b"b") == (b"b", False, None)
    assert opened(file_content=bytearray(b"b")) == (b"b", False, None)
    assert opened(file_name="a", file_content=b"") == ("a", False, None)


def test_threads_and_length_are_passed_on() -> None:
    assert opened(file_name="a", num_threads=-1)[2] is None
    assert opened(file_name="a", num_threads=None)[2] is None
    assert opened(file_name="a", num_threads=3)[2] == 3
    assert opened(file_name="a", l2_normalize=True)[1] is True


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "file_name or base_options.file_content must specify an external file, got neither"),
        ({"file_name": "", "file_content": b""}, "must specify an external file"),
        ({"file_name": "a", "num_threads": 0}, "num_threads must be -1 or from 1, got 0"),
        ({"file_name": "a", "num_threads": -2}, "num_threads must be from -1, got -2"),
        ({"file_name": "a", "use_coral": True}, "use_coral must be None or False, got True"),
    ],
)
def test_a_model_that_cannot_be_meant_is_refused(options, words) -> None:
    with pytest.raises(InvalidInput, match=words):
        opened(**options)


def test_names_and_content_are_not_mistaken_for_each_other() -> None:
    with pytest.raises(InvalidType, match="file_content must be bytes, got str"):
        opened(file_content="model.tflite")
    with pytest.raises(InvalidType, match="file_name must be a path, got bytes"):
        opened(file_name=b"TFL3")


def test_five_results_are_wanted_by_default() -> None:
    assert as_max_results(processor.SearchOptions()) == 5
    assert as_max_results(processor.SearchOptions(max_results=None)) == 5
    assert as_max_results(processor.SearchOptions(max_results=1)) == 1


@pytest.mark.parametrize("searcher", SEARCHERS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("search_options", "max_results", -1), "max_results must be from 1 to .*, got -1"),
        (("search_options", "max_results", 0), "got 0"),
        (("search_options", "max_results", 2**31), "got 2147483648"),
        (("embedding_options", "quantize", True), "quantize must be off for a searcher"),
    ],
)
def test_a_searcher_looks_at_options_before_it_opens_a_file(searcher, change, words) -> None:
    part, name, value = change
    options = searcher.options(core.BaseOptions("no such file"))
    setattr(getattr(options, part), name, value)
    with pytest.raises(InvalidInput, match=words):
        searcher.kind.create_from_options(options)


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_options_of_another_kind_are_refused(searcher) -> None:
    create = searcher.kind.create_from_options
    with pytest.raises(InvalidType, match=f"options must be {searcher.options.__name__}"):
        create(BASE)
    with pytest.raises(InvalidType, match="base_options must be BaseOptions, got 'model"):
        create(searcher.options("model.tflite"))
    with pytest.raises(InvalidType, match="embedding_options must be EmbeddingOptions"):
        create(searcher.options(BASE, processor.SearchOptions()))
    with pytest.raises(InvalidType, match="search_options must be SearchOptions, got None"):
        create(searcher.options(BASE, search_options=None))


def test_errors_are_value_errors_as_in_the_original() -> None:
    assert issubclass(InvalidInput, ValueError)
    assert issubclass(InvalidType, TypeError)


@pytest.mark.parametrize("module", ["text", "vision", "audio"])
def test_importing_a_task_loads_no_runtime_and_no_extra(module) -> None:
    code = f"import sys, scannlite.task.{module}; print(*sys.modules)"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "scannlite" in loaded
    runtimes = {"ai_edge_litert", "tflite_runtime", "tensorflow"}
    extras = {"PIL", "soundfile", "soxr", "re2", "sentencepiece", "google", "cramjam", "tqdm"}
    assert not loaded & (runtimes | extras | {"numba", "llvmlite"})
