"""``TextSearcher`` and ``TextEmbedder`` with models small enough to check by eye."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from scannlite import IndexFileError, InvalidInput, InvalidType, ModelError
from scannlite.task import core, processor, text
from tests.embedders.runtimes import needs_runtime
from tests.embedders.tiny_models import image_model, regex_model, use_model
from tests.task.searchers import index_file, neighbors

pytestmark = needs_runtime

ROWS = np.float32([[0, 0], [3, 4], [6, 8], [-3, 4]])  # of the texts p0, p1, p2 and p3
NAMES = ["origin", "near", "far", "left"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An embedder, three indexes that differ in metadata alone, and one inside the embedder."""
    folder = tmp_path_factory.mktemp("text")
    embedder = folder / "embedder.tflite"
    embedder.write_bytes(regex_model(ROWS))
    index_file(folder / "other.ldb", ROWS, [f"other {name}" for name in NAMES])
    index_file(folder / "third.ldb", ROWS, [f"third {name}" for name in NAMES])
    index_file(folder / "searcher.tflite", ROWS, NAMES, embedder=embedder, userinfo="é\0 whole")
    return folder


def create(files, model="searcher.tflite", *, embedding=None, **search):
    return text.TextSearcher.create_from_options(
        text.TextSearcherOptions(
            core.BaseOptions(files / model, num_threads=1),
            embedding or processor.EmbeddingOptions(),
            processor.SearchOptions(**search),
        )
    )


def test_the_nearest_of_four_by_hand(files):
    """(3, 4) is 25 from (0, 0) and (6, 8), and 36 from (-3, 4); among equals the first goes first.

    And the article's way to say it.
    """
    found = text.TextSearcher.create_from_file(files / "searcher.tflite").search("p1")
    expected = [(b"near", 0.0), (b"origin", 25.0), (b"far", 25.0), (b"left", 36.0)]
    assert neighbors(found) == expected
    first = found.nearest_neighbors[0]
    assert isinstance(first.metadata, bytearray)
    assert isinstance(first.distance, float)
    assert found == processor.SearchResult(
        [processor.NearestNeighbor(bytearray(name), distance) for name, distance in expected]
    )


def test_a_query_of_length_one_by_hand(files):
    """(3, 4) becomes (0.6, 0.8), and (0, 0) stays."""
    searcher = create(files, embedding=processor.EmbeddingOptions(l2_normalize=True))
    found = dict(neighbors(searcher.search("p1")))
    assert found == pytest.approx(
        {b"origin": 1, b"near": 16, b"left": 3.6**2 + 3.2**2, b"far": 81}, rel=1e-6
    )
    assert neighbors(searcher.search("p0"))[0] == (b"origin", 0.0)


@pytest.mark.parametrize(("wanted", "found"), [(1, 1), (3, 3), (4, 4), (5, 4), (10_000_000, 4)])
def test_as_many_as_are_wanted_and_there(files, wanted, found):
    assert len(create(files, max_results=wanted).search("p0").nearest_neighbors) == found


def test_an_index_of_nothing_finds_nothing(files, tmp_path):
    empty = index_file(tmp_path / "empty.npz", np.zeros((0, 2), np.float32))
    assert create(files, index_file_name=empty).search("p0").nearest_neighbors == []


def test_an_index_by_content_goes_before_one_by_name_before_the_one_inside(files):
    name, content = files / "other.ldb", (files / "third.ldb").read_bytes()
    both = {"index_file_name": name, "index_file_content": content}
    chosen = [
        create(files),
        create(files, index_file_name=name),
        create(files, **both),
        create(files, "embedder.tflite", index_file_content=content),
        create(files, index_file_name=name, index_file_content=b""),
        create(files, "embedder.tflite", index_file_name=files / "searcher.tflite"),
        text.TextSearcher.create_from_file(files / "embedder.tflite", name),
    ]
    first = [neighbors(each.search("p2"))[0][0] for each in chosen]
    expected = "far|other far|third far|third far|other far|far|other far"
    assert b"|".join(first).decode() == expected


def test_a_model_by_content_has_its_index_inside(files):
    content = (files / "searcher.tflite").read_bytes()
    options = text.TextSearcherOptions(core.BaseOptions(file_content=content))
    searcher = text.TextSearcher.create_from_options(options)
    assert neighbors(searcher.search("p2"))[0] == (b"far", 0.0)
    assert searcher.get_user_info() == "é\0 whole"


def test_our_own_index_files_serve_as_well(files, tmp_path):
    """Their metadata may be text, or none: then rows are called by their numbers."""
    named = index_file(tmp_path / "named.npz", ROWS, ["", "é", "far", "left"])
    plain = index_file(tmp_path / "plain.npz", ROWS)
    found = neighbors(create(files, index_file_name=named).search("p1"))
    assert [name for name, _ in found] == ["é".encode(), b"", b"far", b"left"]
    found = neighbors(create(files, index_file_name=plain).search("p1"))
    assert [name for name, _ in found] == [b"1", b"0", b"2", b"3"]


def test_several_texts_have_several_results(files):
    searcher = create(files)
    asked = ["p3", "p0", "p3"]
    assert searcher.search(asked) == [searcher.search(one) for one in asked]
    assert searcher.search(tuple(asked)) == searcher.search(asked)
    assert searcher.search([]) == []


def test_many_threads_find_what_one_does(files):
    """Every thread looks at metadata for the first time, and the model is one."""
    rows = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    names = [f"row {row}" for row in range(500)]
    embedder = files / "wide.tflite"
    embedder.write_bytes(regex_model(rows))
    model = index_file(files / "wide_searcher.tflite", rows, names, embedder=embedder)
    asked = [f"p{row}" for row in range(500)]
    alone = [text.TextSearcher.create_from_file(model).search(one) for one in asked]
    searcher = text.TextSearcher.create_from_file(model)
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(searcher.search, asked))
    finally:
        sys.setswitchinterval(switching)
    assert together == alone
    assert [result.nearest_neighbors[0].metadata.decode() for result in together] == names


def test_options_are_kept_and_not_looked_at_again(files):
    searcher = create(files, max_results=2)
    searcher.options.search_options.max_results = 1
    assert len(searcher.search("p0").nearest_neighbors) == 2
    assert searcher.options.search_options.max_results == 1


def test_user_info_is_whole_and_may_be_bytes(files, tmp_path):
    assert create(files).get_user_info() == "é\0 whole"
    assert create(files).get_user_info_bytes() == "é\0 whole".encode()
    assert create(files, index_file_name=files / "other.ldb").get_user_info() == ""
    binary = index_file(tmp_path / "binary.ldb", ROWS, NAMES, userinfo=b"ab\xff")
    searcher = create(files, index_file_name=binary)
    assert searcher.get_user_info_bytes() == b"ab\xff"
    with pytest.raises(IndexFileError, match=r"0xff at 2: get_user_info_bytes\(\) returns it"):
        searcher.get_user_info()


# ---- what is refused ---------------------------------------------------------------------------


def test_a_model_without_an_index_is_refused(files):
    with pytest.raises(ValueError, match="SCANN_INDEX_FILE, found none"):
        create(files, "embedder.tflite")


def test_an_empty_index_name_is_refused(files):
    with pytest.raises(InvalidInput, match="index_file_content must specify an external file"):
        create(files, index_file_name="")


def test_dimensions_that_differ_are_told_when_it_is_created(files, tmp_path):
    wide = index_file(tmp_path / "wide.ldb", np.zeros((1, 3), np.float32))
    words = r"index .*wide.ldb and model .*searcher.tflite must .* got 3 and 2"
    with pytest.raises(InvalidInput, match=words):
        create(files, index_file_name=wide)
    with pytest.raises(InvalidInput, match="index <bytes> and model"):
        create(files, index_file_content=wide.read_bytes())


def test_missing_files_are_the_systems_own_error(files):
    with pytest.raises(FileNotFoundError, match=r"no such\.tflite"):
        create(files, "no such.tflite")
    with pytest.raises(FileNotFoundError, match=r"no such\.ldb"):
        create(files, index_file_name=files / "no such.ldb")


def test_files_of_other_kinds_are_refused(files, tmp_path):
    with pytest.raises(ModelError, match=r"other\.ldb"):
        create(files, "other.ldb")
    with pytest.raises(IndexFileError):
        create(files, index_file_content=b"no index at all")
    image = tmp_path / "image.tflite"
    image.write_bytes(image_model(4, 4))
    with pytest.raises(ModelError, match=r"image\.tflite"):
        create(tmp_path, "image.tflite", index_file_name=files / "other.ldb")


@pytest.mark.parametrize("item", [3, None, ["p1", 3], np.zeros(2)])
def test_what_is_no_text_is_refused(files, item):
    with pytest.raises(InvalidType):
        create(files).search(item)


# ---- embedder ----------------------------------------------------------------------------------


def embedder(files, **embedding):
    return text.TextEmbedder.create_from_options(
        text.TextEmbedderOptions(
            core.BaseOptions(files / "embedder.tflite"), processor.EmbeddingOptions(**embedding)
        )
    )


def value_of(result):
    (embedding,) = result.embeddings
    return embedding.feature_vector.value


def test_a_text_is_embedded_as_it_was_made(files):
    """(3, 4); or scaled, (0.6, 0.8); or as bytes, 128 times that, rounded."""
    result = text.TextEmbedder.create_from_file(files / "embedder.tflite").embed("p1")
    assert result.embeddings[0].output_index == 0
    assert value_of(result).dtype == np.float32
    assert value_of(result).tolist() == [3, 4]
    scaled = value_of(embedder(files, l2_normalize=True).embed("p1"))
    assert scaled.tolist() == np.float32([0.6, 0.8]).tolist()
    quantized = value_of(embedder(files, l2_normalize=True, quantize=True).embed("p3"))
    assert quantized.dtype == np.uint8
    assert quantized.view(np.int8).tolist() == [-77, 102]


def test_an_embedder_tells_of_its_one_output(files):
    found = embedder(files)
    assert found.number_of_output_layers == 1
    assert [found.get_embedding_dimension(place) for place in (-1, 0, 1)] == [-1, 2, -1]
    assert isinstance(found.options, text.TextEmbedderOptions)


def test_a_sentence_encoder_answers_with_its_second_output(tmp_path):
    """The output keeps its number in the model, as in the original."""
    model = tmp_path / "use.tflite"
    model.write_bytes(use_model(4))
    result = text.TextEmbedder.create_from_file(model).embed("p1")
    assert value_of(result).tolist() == [0, 2, 0, 0]
    assert result.embeddings[0].output_index == 1


def test_several_texts_have_several_embeddings(files):
    found = embedder(files)
    assert found.embed(["p1", "p2"]) == [found.embed("p1"), found.embed("p2")]


def test_similar_texts_are_told_by_the_embedder(files):
    """(3, 4) and (6, 8) point the same way; (3, 4) and (-3, 4) have the cosine 7 / 25."""
    found = embedder(files)
    near, far, left = (found.embed(one).embeddings[0].feature_vector for one in ("p1", "p2", "p3"))
    assert found.cosine_similarity(near, far) == 1.0
    assert found.cosine_similarity(near, left) == pytest.approx(7 / 25, rel=1e-15)
