"""Task Library and its names here: the same arguments, and the same answers from the same files."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

from scannlite import Index, ScaNNOptions, ScoreAH, ScoreBruteForce, Tree
from scannlite.engine.options import Device
from scannlite.task import audio, core, processor, text, vision
from tests.embedders.runtimes import needs_runtime

SHARED = Path(__file__).parents[3] / "shared"
UPSTREAM = SHARED / "golden" / "upstream"
CAPTIONS = SHARED / "data" / "coco-captions.json"
TEXTS = UPSTREAM / "regex_one_embedding_with_metadata.tflite"
# Of each the share of a distance that another release of the runtime may add to it. The last keeps
# its weights alone in int8 and rounds the rest at each step, every release in another way.
PICTURES = {
    SHARED / "models" / "mobilenet_v1_0.25_224_embedder256_metadata.tflite": 1e-6,
    SHARED / "models" / "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite": 1e-6,
    UPSTREAM / "mobilenet_v2_035_96_embedder_with_metadata.tflite": 0.05,
}
needs_models = pytest.mark.skipif(
    not UPSTREAM.is_dir(), reason=f"NOTHING WAS COMPARED: no models in {UPSTREAM}"
)

MODULES = {"core": core, "processor": processor, "text": text, "vision": vision, "audio": audio}
# What no searcher or embedder needs, and what goes into C++ there.
TASKS = "Classif|Detect|Segment|Categor|Colored|Mask|OutputType|Answer|Pos|Clu|Mention|Record"
INTERNAL = {"create_from_pb2", "to_pb2", "create_audio_record", "load_from_audio_record"}
K = 10


def arguments(named) -> str | None:
    try:
        parameters = inspect.signature(named).parameters.values()
    except (TypeError, ValueError):
        return None
    return str(inspect.Signature([each.replace(annotation=each.empty) for each in parameters]))


def test_every_name_takes_what_the_original_takes(reference):
    """Of all classes that searchers and embedders have to do with, made by whom it may be."""
    seen = 0
    for path, members in reference.ask("signatures").items():
        module, name = path.split(".")
        if any(task in name for task in TASKS.split("|")):
            continue
        ours = getattr(MODULES[module], name)
        for member, signature in members.items():
            if member == "()":
                if "cpp_" in str(signature) or "image_data" in str(signature) or not signature:
                    continue
                assert arguments(ours) == signature, path
            elif member not in INTERNAL:
                if "(" in str(signature):
                    assert arguments(getattr(ours, member)) == signature, (path, member)
                else:
                    assert hasattr(ours, member) or member in ours.__dataclass_fields__
                seen += 1
    assert seen >= 40


# ---- answers -----------------------------------------------------------------------------------


def options_of(name):
    """Rows as they are, or codes in a tree.

    Tables are of float32: those of int8 cut what they hold, and may fall by a step where a query
    differs by its last bit. ``test_written_here.py`` compares them, with queries that do not.
    """
    if name == "rows":
        return ScaNNOptions("squared_l2", score_brute_force=ScoreBruteForce()).for_device()
    ah = ScoreAH(2, None, hash_type="lut256", residual_quantization=False)
    return ScaNNOptions("dot_product", Tree(20, 6), score_ah=ah, device=Device("float"))


def assert_same(ours, theirs, tolerance):
    """As many, as far, and the same metadata but for ties."""
    for result, found in zip(ours, theirs, strict=True):
        near = result.nearest_neighbors
        distances = np.array([each.distance for each in near])
        np.testing.assert_allclose(distances, found.distances, rtol=0, atol=tolerance)
        where = {bytes(each.metadata): each.distance for each in near}
        for metadata, distance in zip(found.metadata, found.distances, strict=True):
            there = where.get(metadata)
            if there is None:
                assert distance >= distances[-1] - tolerance
            else:
                assert abs(there - distance) <= tolerance


@needs_models
@needs_runtime
@pytest.mark.parametrize("l2_normalize", [False, True])
@pytest.mark.parametrize("scoring", ["rows", "codes"])
def test_captions_are_found_as_in_the_original(reference, tmp_path, l2_normalize, scoring):
    """The searcher is made here of real captions, and asked with others."""
    captions = list(dict.fromkeys(each["caption"] for each in json.loads(CAPTIONS.read_bytes())))
    rows, asked = captions[:3000], captions[3000:3200]
    embedding = processor.EmbeddingOptions(l2_normalize=l2_normalize)
    base = core.BaseOptions(TEXTS, num_threads=1)
    embedder = text.TextEmbedder.create_from_options(text.TextEmbedderOptions(base, embedding))
    X = np.array([each.embeddings[0].feature_vector.value for each in embedder.embed(rows)])
    model = tmp_path / "captions.tflite"
    index = Index.build(X, options_of(scoring), metadata=rows)
    index.save(model, embedder=TEXTS, userinfo="captions")
    told = reference.ask(
        "open_texts", name="texts", model=model, questions=asked, k=K, l2_normalize=l2_normalize
    )
    base.file_name = model
    searcher = text.TextSearcher.create_from_options(
        text.TextSearcherOptions(base, embedding, processor.SearchOptions(max_results=K))
    )
    assert searcher.get_user_info() == told["userinfo"] == "captions"
    squared = float(np.square(X).sum(axis=1).max())
    assert_same(searcher.search(asked), reference.search("texts"), 1e-6 * (1 + squared))


@needs_models
@needs_runtime
@pytest.mark.parametrize("l2_normalize", [False, True])
@pytest.mark.parametrize("scoring", ["rows", "codes"])
@pytest.mark.parametrize("made_for", PICTURES, ids=lambda path: path.name[:17])
def test_pictures_are_found_as_in_the_original(
    reference, tmp_path, l2_normalize, scoring, made_for
):
    """Pictures come as arrays, of another size than the model's, lest decoders matter."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (340, 6, 8, 3), np.uint8)
    pictures = np.kron(coarse, np.ones((1, 20, 15, 1), np.uint8))  # of 120 x 120, in patches
    np.save(tmp_path / "asked.npy", pictures[320:])
    embedding = processor.EmbeddingOptions(l2_normalize=l2_normalize)
    base = core.BaseOptions(made_for, num_threads=1)
    embedder = vision.ImageEmbedder.create_from_options(
        vision.ImageEmbedderOptions(base, embedding)
    )
    results = embedder.embed(list(pictures[:320]))
    X = np.array([each.embeddings[0].feature_vector.value for each in results])
    model = tmp_path / "pictures.tflite"
    names = [f"{number}.png" for number in range(320)]
    index = Index.build(X, options_of(scoring), metadata=names)
    index.save(model, embedder=made_for, userinfo="pictures")
    reference.ask(
        "open_images",
        name="images",
        model=model,
        questions=tmp_path / "asked.npy",
        k=K,
        l2_normalize=l2_normalize,
    )
    base.file_name = model
    searcher = vision.ImageSearcher.create_from_options(
        vision.ImageSearcherOptions(base, embedding, processor.SearchOptions(max_results=K))
    )
    ours = searcher.search([vision.TensorImage.create_from_array(each) for each in pictures[320:]])
    squared = float(np.square(X).sum(axis=1).max())
    assert_same(ours, reference.search("images"), PICTURES[made_for] * (1 + squared))


@needs_runtime
@pytest.mark.parametrize("quantize", [False, True])
def test_embeddings_have_the_same_numbers(reference, tmp_path, quantize):
    """To the last bit, with halves of a byte's step among them."""
    halves = np.arange(-300, 301, dtype=np.float32) / 256
    rows = np.concatenate([halves, np.nextafter(halves, np.float32(9))]).reshape(2, -1)
    np.save(tmp_path / "rows.npy", rows)
    model = tmp_path / "model.tflite"
    reference.ask("text_model", queries=tmp_path / "rows.npy", to=model)
    reference.ask("open_embedder", name="embedder", model=model, questions=2, quantize=quantize)
    theirs = reference.ask("embed", name="embedder")
    embedder = text.TextEmbedder.create_from_options(
        text.TextEmbedderOptions(
            core.BaseOptions(model), processor.EmbeddingOptions(quantize=quantize)
        )
    )
    ours = [each.embeddings[0].feature_vector.value for each in embedder.embed(["p0", "p1"])]
    assert [value.tolist() for value in ours] == theirs["embeddings"]
    assert theirs["dtype"] == ("uint8" if quantize else "float64")
    assert ours[0].dtype == ("uint8" if quantize else "float32")
