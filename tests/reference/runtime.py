"""The TFLite Searcher itself, asked by lines of JSON. Runs where tflite-support is, and only there.

``python runtime.py`` reads one request a line from stdin and writes one answer a line to stdout.
Files go by their paths, metadata as latin-1 so that all bytes fit, float32 as the float64 that it
equals. ``client.py`` is the other end.
"""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tiny_models
from tensorflow_lite_support.python.task.vision.core.pybinds import image_utils
from tensorflow_lite_support.scann_ondevice.cc.core import serialized_searcher_pb2 as proto
from tensorflow_lite_support.scann_ondevice.cc.python import index_builder
from tflite_support.task import audio, core, processor, text, vision

Answer = dict[str, Any]
Asked = tuple[Callable[[Any], Any], list[Any]]  # what answers a question, and the questions

_opened: dict[str, Asked] = {}
_held: dict[str, np.ndarray] = {}  # pixels, of which a TensorImage knows the address alone


# ---- making ------------------------------------------------------------------------------------


def text_model(queries: str, to: str, index: str | None = None) -> Answer:
    """An embedder of the texts ``p0``, ``p1`` and so on: one for each query (q, d)."""
    inside = None if index is None else Path(index).read_bytes()
    Path(to).write_bytes(tiny_models.text_model(np.load(queries), inside))
    return {}


def image_model(height: int, width: int, to: str) -> Answer:
    """An embedder of images of one size."""
    Path(to).write_bytes(tiny_models.image_model(height, width))
    return {}


def build(arrays: str, to: str, *, config: dict[str, Any], compression: bool) -> Answer:
    """An index file by the builder that Model Maker uses.

    Args:
        arrays: a ``.npz`` file of centroids (L, d), leaf (n,), and rows (n, d), or codes (n, m) and
            codebook_0 to codebook_{m-1}, each (c, b).
        to: where it goes.
        config: distance, leaf_distance, lookup_type and search_fraction, as the file names them;
            metadata and userinfo in latin-1.
        compression: of the blocks.
    """
    with np.load(arrays) as file:
        parts = dict(file)
    database = parts.get("codes", parts.get("rows"))
    flat = {"hashed_database" if "codes" in parts else "float_database": database.ravel()}
    made = index_builder.create_serialized_index_file(
        database.shape[1],
        _config(parts, config).SerializeToString(),
        config["userinfo"].encode("latin-1"),
        parts["leaf"],
        [item.encode("latin-1") for item in config["metadata"]],
        compression=compression,
        **flat,
    )
    Path(to).write_bytes(made)
    return {}


def _config(parts: dict[str, np.ndarray], said: dict[str, Any]) -> proto.ScannOnDeviceConfig:
    config = proto.ScannOnDeviceConfig()
    distance = proto.DistanceMeasure.Value(said["distance"])
    config.query_distance = distance
    config.partitioner.query_distance = proto.DistanceMeasure.Value(said["leaf_distance"])
    config.partitioner.search_fraction = said["search_fraction"]
    for centroid in parts["centroids"]:
        config.partitioner.leaf.add().dimension.extend(centroid.tolist())
    if "codes" not in parts:
        return config
    ah = config.indexer.asymmetric_hashing
    ah.query_distance = distance
    ah.lookup_type = getattr(proto.AsymmetricHashingProto, said["lookup_type"])
    for block in range(parts["codes"].shape[1]):
        subspace = ah.subspace.add()
        for entry in parts[f"codebook_{block}"]:
            subspace.entry.add().dimension.extend(entry.tolist())
    return config


# ---- asking ------------------------------------------------------------------------------------


def open_texts(
    name: str,
    model: str,
    questions: int | list[str],
    k: int,
    index: str | None = None,
    *,
    content: bool = False,
    l2_normalize: bool = False,
) -> Answer:
    """A TextSearcher with the index of its model or another one, given by its name or content."""
    start = time.perf_counter()
    embedding = processor.EmbeddingOptions(l2_normalize=l2_normalize)
    searcher = text.TextSearcher.create_from_options(
        text.TextSearcherOptions(_base(model), embedding, _search(k, index, content=content))
    )
    seconds = time.perf_counter() - start
    _opened[name] = searcher.search, _texts(questions)
    return {"userinfo": searcher.get_user_info(), "seconds": seconds}


def open_embedder(
    name: str, model: str, questions: int | list[str], *, quantize: bool = False
) -> Answer:
    """A TextEmbedder, to be timed or asked."""
    options = text.TextEmbedderOptions(_base(model), processor.EmbeddingOptions(quantize=quantize))
    embedder = text.TextEmbedder.create_from_options(options)
    _opened[name] = embedder.embed, _texts(questions)
    return {}


def open_images(
    name: str,
    model: str,
    questions: str,
    k: int,
    index: str | None = None,
    *,
    l2_normalize: bool = False,
) -> Answer:
    """An ImageSearcher, to be asked with images (q, height, width, 3) uint8."""
    embedding = processor.EmbeddingOptions(l2_normalize=l2_normalize)
    options = vision.ImageSearcherOptions(_base(model), embedding, _search(k, index, content=False))
    searcher = vision.ImageSearcher.create_from_options(options)
    pixels = np.load(questions)
    images = [vision.TensorImage.create_from_array(image) for image in pixels]
    _opened[name], _held[name] = (searcher.search, images), pixels
    return {"userinfo": searcher.get_user_info()}


def embed_sounds(model: str, paths: list[str], *, l2_normalize: bool) -> Answer:
    """The embeddings of the first window of WAV files by an AudioEmbedder."""
    options = processor.EmbeddingOptions(l2_normalize=l2_normalize)
    embedder = audio.AudioEmbedder.create_from_options(
        audio.AudioEmbedderOptions(_base(model), options)
    )
    size = embedder.required_input_buffer_size
    sounds = [audio.TensorAudio.create_from_wav_file(path, size) for path in paths]
    found = [embedder.embed(sound).embeddings[0].feature_vector.value for sound in sounds]
    return {"embeddings": np.array(found, np.float64).tolist()}


def embed_images(
    model: str, images: str, to: str, *, boxes: list[list[int] | None], l2_normalize: bool
) -> Answer:
    """The embeddings (q, d) of images (height, width, 3 or 4) uint8, each whole or of a box.

    Args:
        model: an embedder.
        images: a ``.npz`` file of them, in the order of the boxes.
        to: a ``.npy`` file.
        boxes: origin_x, origin_y, width and height of each.
        l2_normalize: whether embeddings are scaled to length 1.
    """
    embedding = processor.EmbeddingOptions(l2_normalize=l2_normalize)
    embedder = vision.ImageEmbedder.create_from_options(
        vision.ImageEmbedderOptions(_base(model), embedding)
    )
    with np.load(images) as file:
        pixels = [file[name] for name in file.files]
    found = []
    for image, box in zip(pixels, boxes, strict=True):
        whole = vision.TensorImage(image_utils.ImageData(image))  # an array loses sides of 1
        answer = embedder.embed(whole, box and processor.BoundingBox(*box))
        found.append(answer.embeddings[0].feature_vector.value)
    np.save(to, np.array(found, np.float32))
    return {}


def decode_image(path: str, to: str) -> Answer:
    """The pixels of a file, to a ``.npy`` file."""
    image = vision.TensorImage.create_from_file(path)  # which its pixels do not hold
    np.save(to, image.buffer)
    return {}


def _texts(questions: int | list[str]) -> list[str]:
    """``p0``, ``p1`` and so on where only their number is said."""
    return [f"p{i}" for i in range(questions)] if isinstance(questions, int) else questions


def _base(model: str) -> core.BaseOptions:
    return core.BaseOptions(file_name=model, num_threads=1)


def _search(k: int, index: str | None, *, content: bool) -> processor.SearchOptions:
    if index is None:
        return processor.SearchOptions(max_results=k)
    if content:
        return processor.SearchOptions(index_file_content=Path(index).read_bytes(), max_results=k)
    return processor.SearchOptions(index_file_name=index, max_results=k)


def search(name: str) -> Answer:
    """What is found for every question."""
    find, questions = _opened[name]
    found = [find(question).nearest_neighbors for question in questions]
    return {
        "distances": [[one.distance for one in near] for near in found],
        "metadata": [[bytes(one.metadata).decode("latin-1") for one in near] for near in found],
    }


def embed(name: str) -> Answer:
    """The embedding of every question, and the type of its numbers."""
    find, questions = _opened[name]
    found = [find(question).embeddings[0].feature_vector.value for question in questions]
    return {"dtype": str(found[0].dtype), "embeddings": [value.tolist() for value in found]}


def signatures() -> Answer:
    """The public classes by module, and the arguments of all that they have."""
    modules = {"core": core, "processor": processor, "text": text, "vision": vision, "audio": audio}
    return {
        f"{module}.{name}": {
            "()": _arguments(kind),
            **{each: _arguments(getattr(kind, each)) for each in dir(kind) if each[0] != "_"},
        }
        for module, holder in modules.items()
        for name, kind in vars(holder).items()
        if inspect.isclass(kind)
    }


def _arguments(named: object) -> str | None:
    """Without types; None for what cannot be called, or does not say."""
    try:
        parameters = inspect.signature(named).parameters.values()
    except (TypeError, ValueError):
        return None
    return str(inspect.Signature([each.replace(annotation=each.empty) for each in parameters]))


def clock(name: str, chunk: int) -> Answer:
    """Seconds a question: the mean of each chunk of all questions."""
    find, questions = _opened[name]
    samples = []
    for first in range(0, len(questions), chunk):
        part = questions[first : first + chunk]
        start = time.perf_counter()
        for question in part:
            find(question)
        samples.append((time.perf_counter() - start) / len(part))
    return {"seconds": samples}


REQUESTS: dict[str, Callable[..., Answer]] = {
    made.__name__: made
    for made in (
        text_model,
        image_model,
        build,
        open_texts,
        open_embedder,
        open_images,
        embed_sounds,
        embed_images,
        decode_image,
        search,
        embed,
        signatures,
        clock,
    )
}


def main() -> None:
    """Say that all is there, then answer until there is nothing more to read."""
    print(json.dumps({"python": sys.version.split()[0]}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = REQUESTS[request.pop("do")](**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
