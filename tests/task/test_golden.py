"""What Task Library itself answered, kept in files beside the project."""

from __future__ import annotations

import functools
import json
from itertools import product

import numpy as np
import pytest

from scannlite.task import core, processor, text, vision
from tests.embedders.runtimes import needs_runtime
from tests.task.searchers import GOLDEN, UPSTREAM, neighbors

pytestmark = [
    needs_runtime,
    pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"NO GOLDEN FILES in {GOLDEN}"),
]

EMBEDDER = UPSTREAM / "regex_one_embedding_with_metadata.tflite"
SEARCHER = UPSTREAM / "regex_searcher.tflite"
INDEX = UPSTREAM / "regex_index.ldb"
MODES = [
    "embedded_default",
    "embedded_l2",
    "external_default",
    "embedded_max2",
    "embedded_l2_max100",
]
OTHER_INDEXES = ["01_float", "03_ah256", "05_ah16", "07_ah256", "13_float"]
SENTENCES = {
    b"weather": b"The weather was excellent.",
    b"sun": b"The sun was shining on that day.",
    b"sunny": b"It was a sunny day.",
    b"cat": b"The cat is chasing after the mouse.",
    b"car": b"He was very happy with his newly bought car.",
}
MOBILENET = UPSTREAM / "mobilenet_v2_035_96_embedder_with_metadata.tflite"


@functools.cache
def golden(name):
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def text_searcher(model, *, l2_normalize=None, **search):
    """Given by its path."""
    return text.TextSearcher.create_from_options(
        text.TextSearcherOptions(
            core.BaseOptions(model),
            processor.EmbeddingOptions(l2_normalize=l2_normalize),
            processor.SearchOptions(**search),
        )
    )


def expected_of(query):
    """(metadata, distance) of each neighbour, the distance as the float32 it was."""
    for result in query["results"]:
        packed = result.get("metadata_hex")
        metadata = result["metadata"].encode() if packed is None else bytes.fromhex(packed)
        yield metadata, np.frombuffer(bytes.fromhex(result["distance_f32_hex"]), "<f4")[0]


@pytest.fixture(scope="module")
def squared_length_of():
    """Of a sentence's embedding."""
    embedder = text.TextEmbedder.create_from_file(EMBEDDER)

    def of(sentence):
        value = embedder.embed(sentence).embeddings[0].feature_vector.value
        return float(value @ value)

    return of


@pytest.mark.parametrize("mode", MODES)
def test_sentences_are_found_as_the_original_found_them(mode, squared_length_of):
    """Twelve of them in five ways, in the same order."""
    cases = golden("searcher_models/regex_searcher.json")["cases"]
    case = next(case for case in cases if case["mode"] == mode)
    external = {"index_file_name": INDEX} if mode == "external_default" else {}
    searcher = text_searcher(
        EMBEDDER if external else SEARCHER,
        l2_normalize=case["l2_normalize"],
        max_results=case["max_results"],
        **external,
    )
    assert searcher.get_user_info() == case["user_info"]
    assert len(case["queries"]) == 12
    for query in case["queries"]:
        squared = 1 if case["l2_normalize"] else squared_length_of(query["text"])
        found, expected = searcher.search(query["text"]), list(expected_of(query))
        check(found, expected, squared)
        assert [name for name, _ in neighbors(found)] == [name for name, _ in expected]


def check(result, expected, squared):
    """Distances as near, and the same metadata, in any order within the tolerance.

    Args:
        squared: the squared length of the query. Sums of float32 differ by their order, in shares
            of it and of the rows' squared lengths, which the distances tell.
    """
    found = neighbors(result)
    tolerance = 1e-6 * (1 + squared + max(0, expected[-1][1]))
    distances = [distance for _, distance in found]
    np.testing.assert_allclose(distances, [x for _, x in expected], rtol=0, atol=tolerance)
    last = expected[-1][1]
    for metadata, distance in found:
        there = [x for name, x in expected if name == metadata]
        if there or distance < last - tolerance:  # ties with the last may be others
            np.testing.assert_allclose(distance, there, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("name", "l2_normalize"), list(product(OTHER_INDEXES, [False, True])))
def test_other_indexes_beside_the_model(name, l2_normalize, squared_length_of):
    """Trees, codes and all: also from the searcher that the original's tools assembled."""
    cases = golden("searcher_models/regex_plus_index.json")
    (case,) = (
        case
        for case in cases
        if case["index"].startswith(name) and case["l2_normalize"] == l2_normalize
    )
    results = len(case["queries"][0]["results"])
    options = {"l2_normalize": l2_normalize, "max_results": results}
    file = GOLDEN / "index_files" / case["index"]
    searchers = [text_searcher(EMBEDDER, index_file_name=file, **options)]
    if case["saved"]:
        searchers.append(text_searcher(GOLDEN / case["saved"], **options))
    for searcher in searchers:
        assert searcher.get_user_info() == case["user_info"]
        for query in case["queries"]:
            squared = 1 if l2_normalize else squared_length_of(query["text"])
            check(searcher.search(query["text"]), list(expected_of(query)), squared)


@pytest.mark.parametrize(
    ("l2_normalize", "order", "distances"),
    [
        (None, "weather sun cat sunny car", [0.889665, 0.889668, 0.88967, 0.889671, 0.889672]),
        (True, "weather sun cat sunny car", [0.0, 5.7e-5, 8.9e-5, 1.13e-4, 1.19e-4]),
    ],
)
def test_the_originals_own_tests(l2_normalize, order, distances):
    """The index inside, by name and by content; the model by name and by content."""
    model = EMBEDDER.read_bytes()
    ways = [
        {"model": {"file_name": SEARCHER}, "index": {}},
        {"model": {"file_content": SEARCHER.read_bytes()}, "index": {}},
        {"model": {"file_name": EMBEDDER}, "index": {"index_file_name": INDEX}},
        {"model": {"file_content": model}, "index": {"index_file_content": INDEX.read_bytes()}},
        {"model": {"file_name": SEARCHER}, "index": {"index_file_name": INDEX}},
    ]
    for way in ways:
        searcher = text.TextSearcher.create_from_options(
            text.TextSearcherOptions(
                core.BaseOptions(**way["model"]),
                processor.EmbeddingOptions(l2_normalize=l2_normalize),
                processor.SearchOptions(**way["index"]),
            )
        )
        found = neighbors(searcher.search("The weather was excellent."))
        assert [name for name, _ in found] == [SENTENCES[each.encode()] for each in order.split()]
        assert [distance for _, distance in found] == pytest.approx(distances, abs=2e-6)
        assert searcher.get_user_info() == "userinfo"


def test_embeddings_of_the_original():
    for l2_normalize in (False, True):
        options = text.TextEmbedderOptions(
            core.BaseOptions(EMBEDDER), processor.EmbeddingOptions(l2_normalize=l2_normalize)
        )
        embedder = text.TextEmbedder.create_from_options(options)
        for each in golden("searcher_models/regex_searcher.json")[f"embeddings_l2_{l2_normalize}"]:
            (found,) = embedder.embed(each["text"]).embeddings
            np.testing.assert_allclose(found.feature_vector.value, each["values"], atol=1e-6)


@pytest.mark.parametrize("l2_normalize", [False, True])
@pytest.mark.parametrize("part", ["", " bbox(0,0,400,325)"])
def test_images_are_found_in_the_same_order(l2_normalize, part):
    """Decoders differ by a step of a pixel, so distances are only near."""
    pytest.importorskip("PIL", reason="NO IMAGE WAS DECODED: needs the extra 'vision'")
    index = GOLDEN / "image" / f"mobilenet_v2_035_96_l2{int(l2_normalize)}.ldb"
    searcher = vision.ImageSearcher.create_from_options(
        vision.ImageSearcherOptions(
            core.BaseOptions(MOBILENET),
            processor.EmbeddingOptions(l2_normalize=l2_normalize),
            processor.SearchOptions(index_file_name=index),
        )
    )
    image = vision.TensorImage.create_from_file(UPSTREAM / "burger.jpg")
    box = processor.BoundingBox(0, 0, 400, 325) if part else None
    found = neighbors(searcher.search(image, box))
    expected = golden("image/golden_image_search.json")["results"]
    expected = expected[f"burger.jpg{part} l2={l2_normalize}"]
    assert [name.decode() for name, _ in found] == [name for name, _ in expected]
    scale = expected[-1][1]
    for (_, ours), (_, theirs) in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=0.02, abs=0.01 * scale)
