"""``ImageSearcher``, ``ImageEmbedder`` and ``TensorImage``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from scannlite import InvalidInput, InvalidType, ModelError
from scannlite.task import core, processor, vision
from scannlite.task.vision import ColorSpaceType, TensorImage
from tests.embedders.runtimes import needs_runtime
from tests.embedders.tiny_models import image_model, regex_model
from tests.task.searchers import index_file, neighbors

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 4, 5, 3), np.uint8)
NAMES = [f"{number}.png" for number in range(20)]


@pytest.fixture(scope="module")
def searcher(tmp_path_factory):
    """Of images of 4 x 5 pixels, by their pixels."""
    folder = tmp_path_factory.mktemp("images")
    embedder = folder / "embedder.tflite"
    embedder.write_bytes(image_model(4, 5))
    rows = IMAGES.reshape(20, -1).astype(np.float32)
    model = index_file(folder / "searcher.tflite", rows, NAMES, embedder=embedder, userinfo="i")
    return vision.ImageSearcher.create_from_file(model)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory):
    model = tmp_path_factory.mktemp("embedder") / "embedder.tflite"
    model.write_bytes(image_model(4, 5))
    return vision.ImageEmbedder.create_from_file(model)


@needs_runtime
def test_an_image_finds_itself(searcher):
    """As a TensorImage or as an array; one number that differs by 2 is a distance of 4."""
    found = neighbors(searcher.search(TensorImage.create_from_array(IMAGES[7])))
    assert found[0] == (b"7.png", 0.0)
    assert len(found) == 5
    assert neighbors(searcher.search(IMAGES[7])) == found
    near = IMAGES[7].copy()
    near[0, 0, 0] ^= 2
    assert neighbors(searcher.search(near))[0] == (b"7.png", 4.0)
    assert searcher.get_user_info() == "i"


@needs_runtime
def test_only_the_box_counts(searcher):
    """The image lies at row 3, column 2 of a larger one."""
    large = np.zeros((9, 9, 3), np.uint8)
    large[3:7, 2:7] = IMAGES[3]
    image = TensorImage.create_from_array(large)
    box = processor.BoundingBox(origin_x=2, origin_y=3, width=5, height=4)
    assert neighbors(searcher.search(image, box))[0] == (b"3.png", 0.0)
    assert searcher.search(large, box) == searcher.search(image, bounding_box=box)
    assert searcher.search([image, large], box) == 2 * [searcher.search(image, box)]
    assert neighbors(searcher.search(image))[0][1] > 0


@needs_runtime
@pytest.mark.parametrize("box", [(0, 0, 6, 4), (-1, 0, 3, 3), (0, 0, 0, 3), (5, 0, 1, 1)])
def test_a_box_outside_the_image_is_refused(searcher, box):
    with pytest.raises(InvalidInput):
        searcher.search(IMAGES[0], processor.BoundingBox(*box))


@needs_runtime
def test_a_box_of_another_kind_is_refused(searcher):
    with pytest.raises(InvalidType, match="bounding_box must be BoundingBox, got"):
        searcher.search(IMAGES[0], (0, 0, 1, 1))


@needs_runtime
def test_several_images_have_several_results_also_from_threads(searcher):
    alone = [searcher.search(image) for image in IMAGES]
    assert searcher.search(list(IMAGES)) == alone
    assert searcher.search(tuple(IMAGES[:2])) == alone[:2]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(searcher.search, IMAGES)) == alone


@needs_runtime
def test_an_alpha_channel_is_dropped_and_gray_is_refused(searcher):
    opaque = np.concatenate([IMAGES[5], np.full((4, 5, 1), 9, np.uint8)], axis=2)
    image = TensorImage.create_from_array(opaque)
    assert image.color_space_type is ColorSpaceType.RGBA
    assert neighbors(searcher.search(image))[0] == (b"5.png", 0.0)
    with pytest.raises(InvalidInput):
        searcher.search(TensorImage.create_from_array(IMAGES[5, :, :, 0]))


@needs_runtime
@pytest.mark.parametrize("item", ["picture.png", None, 3, b"\x89PNG"])
def test_what_is_no_image_is_refused(searcher, item):
    for box in (None, processor.BoundingBox(0, 0, 1, 1)):
        with pytest.raises(InvalidType):
            searcher.search(item, box)


@needs_runtime
def test_a_text_model_is_no_image_searcher(tmp_path):
    model = tmp_path / "text.tflite"
    model.write_bytes(regex_model(np.eye(3, dtype=np.float32)))
    with pytest.raises(ModelError, match=r"text\.tflite"):
        vision.ImageEmbedder.create_from_file(model)


@needs_runtime
def test_an_image_is_embedded_as_its_pixels(embedder):
    result = embedder.embed(TensorImage.create_from_array(IMAGES[0]))
    vector = embedder.get_embedding_by_index(result, 0).feature_vector
    assert vector.value.tolist() == IMAGES[0].ravel().tolist()
    assert embedder.get_embedding_dimension(0) == 60
    assert embedder.number_of_output_layers == 1
    assert embedder.cosine_similarity(vector, vector) == 1.0
    assert embedder.embed([IMAGES[0], IMAGES[1]])[0] == result
    for place in (-1, 1):
        with pytest.raises(InvalidInput, match="output_index must be from 0 to 0, got"):
            embedder.get_embedding_by_index(result, place)


@needs_runtime
def test_options_reach_the_image_embedder():
    """White pixels, scaled, are 1 / √60 = 0.129 each, and 17 steps of 1 / 128."""
    content = image_model(4, 5)
    options = vision.ImageEmbedderOptions(
        core.BaseOptions(file_content=content),
        processor.EmbeddingOptions(l2_normalize=True, quantize=True),
    )
    result = vision.ImageEmbedder.create_from_options(options).embed(
        np.full((4, 5, 3), 255, np.uint8)
    )
    assert set(result.embeddings[0].feature_vector.value.tolist()) == {17}


# ---- TensorImage -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "kept", "color_space"),
    [
        ((4, 5, 3), (4, 5, 3), "RGB"),
        ((1, 4, 5, 3), (4, 5, 3), "RGB"),
        ((4, 5, 4), (4, 5, 4), "RGBA"),
        ((1, 4, 5, 4), (4, 5, 4), "RGBA"),
        ((4, 5), (4, 5, 1), "GRAYSCALE"),
        ((4, 5, 1), (4, 5, 1), "GRAYSCALE"),
        ((1, 4, 5), (4, 5, 1), "GRAYSCALE"),
        ((1, 5, 3), (1, 5, 3), "RGB"),
        ((1, 1, 1, 3), (1, 1, 3), "RGB"),
    ],
)
def test_arrays_of_all_color_spaces(shape, kept, color_space):
    image = TensorImage.create_from_array(np.zeros(shape, np.uint8))
    assert image.buffer.shape == kept
    assert (image.height, image.width) == kept[:2]
    assert image.color_space_type is ColorSpaceType(color_space)


@pytest.mark.parametrize("shape", [(4,), (4, 5, 2), (4, 5, 5), (2, 4, 5, 3), (0, 5, 3), (4, 0), ()])
def test_arrays_of_other_shapes_are_refused(shape):
    with pytest.raises(InvalidInput, match="array must have shape"):
        TensorImage.create_from_array(np.zeros(shape, np.uint8))


def test_other_numbers_and_no_arrays_are_refused():
    with pytest.raises(InvalidInput, match="array must have dtype uint8, got float64"):
        TensorImage.create_from_array(np.zeros((2, 2, 3)))
    with pytest.raises(InvalidType, match="array must be a NumPy array, got list"):
        TensorImage.create_from_array([[[1, 2, 3]]])
    with pytest.raises(InvalidType, match="buffer must be bytes, got str"):
        TensorImage.create_from_buffer("picture.png")


def test_pixels_are_not_copied_but_for_their_order():
    pixels = np.zeros((4, 5, 3), np.uint8)
    assert np.shares_memory(TensorImage.create_from_array(pixels).buffer, pixels)
    assert TensorImage.create_from_array(pixels[:, ::-1]).buffer.flags.c_contiguous


def test_files_and_their_content_are_decoded(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="NO IMAGE WAS DECODED: needs 'vision'")
    for pixels in (IMAGES[0], IMAGES[0, :, :, 0]):
        path = tmp_path / "picture.png"
        image.fromarray(pixels).save(path)
        for decoded in (
            TensorImage.create_from_file(path),
            TensorImage.create_from_buffer(path.read_bytes()),
        ):
            assert decoded.buffer.squeeze().tolist() == pixels.tolist()


def test_files_that_cannot_be_decoded_are_refused(tmp_path):
    pytest.importorskip("PIL", reason="NO IMAGE WAS DECODED: needs the extra 'vision'")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG and no more")
    with pytest.raises(InvalidInput, match=r"broken\.png"):
        TensorImage.create_from_file(broken)
    with pytest.raises(InvalidInput):
        TensorImage.create_from_buffer(b"no image")
    with pytest.raises(FileNotFoundError):
        TensorImage.create_from_file(tmp_path / "none.png")
