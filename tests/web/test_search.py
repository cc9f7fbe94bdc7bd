"""What a search answers, and how it is opened."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scannlite import Index, InvalidInput, ModelError, ScaNNOptions, ScoreBruteForce
from scannlite.embedders import open_embedder
from scannlite.embedders.pictures import decode_image
from scannlite.web.opening import Sources, open_search
from scannlite.web.pictures import Pictures
from scannlite.web.search import Search, Wanted
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime
from tests.web.gallery import HOSTILE, Gallery, draw

pytestmark = needs_runtime
ALL = Wanted(1_000, 9)


@pytest.fixture(scope="module")
def search(gallery: Gallery) -> Search:
    """A dual encoder: texts inside, pictures beside."""
    images, beside = gallery.folder, gallery.image_embedder
    return open_search(Sources(gallery.searcher, images=images, image_embedder=beside))


def png(picture: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()


def test_a_text_finds_what_the_index_finds(gallery: Gallery, search: Search) -> None:
    """The same rows and distances as embedder and index give by hand."""
    index = Index.load(gallery.searcher)
    query = open_embedder(gallery.searcher).embed("red circle")
    expected = index.search(query, 7, leaves_to_search=5)
    found = search.by_text("red circle", Wanted(7, 5))
    assert [each.row for each in found.results] == expected.ids.tolist()
    assert np.float32([each.distance for each in found.results]).tolist() == (
        expected.distances.tolist()
    )
    assert [each.metadata.encode() for each in found.results] == (
        [index.metadata[row] for row in expected.ids]
    )
    assert all(each.picture for each in found.results)


def test_a_picture_finds_itself_and_the_time_goes_to_three_stages(
    gallery: Gallery, search: Search
) -> None:
    name = "blue_ring_01.png"
    found = search.by_picture((gallery.folder / name).read_bytes(), ALL)
    nearest = found.results[0].distance
    assert name in [each.metadata for each in found.results if each.distance == nearest]
    assert list(found.ms) == ["prepare", "model", "search"]
    assert min(found.ms.values()) > 0


def test_a_picture_finds_what_its_pixels_find(gallery: Gallery, search: Search) -> None:
    picture = png(draw("green", "cross", 99))
    query = open_embedder(gallery.image_embedder).embed(decode_image(picture))
    expected = Index.load(gallery.searcher).search(query, 5)
    assert [each.row for each in search.by_picture(picture, Wanted(5)).results] == (
        expected.ids.tolist()
    )


def test_a_grey_picture_is_taken_in_colour(search: Search) -> None:
    grey = draw("red", "circle", 0).convert("L")
    found = [
        search.by_picture(png(each), Wanted(5)).results for each in (grey, grey.convert("RGB"))
    ]
    assert found[0] == found[1]


def test_rows_without_a_picture_have_their_metadata_as_text(search: Search) -> None:
    found = [each for each in search.by_text("odd", ALL).results if not each.picture]
    assert sorted(each.metadata for each in found) == sorted(HOSTILE)


def test_an_index_of_few_rows_gives_what_it_has(search: Search) -> None:
    results = search.by_text("red", ALL).results
    assert sorted(each.row for each in results) == list(range(len(search.index)))


def test_rows_to_begin_with_are_from_all_over_and_have_pictures(search: Search) -> None:
    some = search.some(12)
    assert len(some) == 12
    assert all(each.picture and each.distance is None for each in some)
    rows = np.array([each.row for each in some])
    assert np.diff(rows).min() > 0
    assert np.diff(rows).max() <= len(search.index) / 12 + len(HOSTILE)


def test_without_a_folder_rows_are_text(gallery: Gallery) -> None:
    search = open_search(Sources(gallery.searcher))
    assert search.pictures == 0
    assert len(search.some(5)) == 5
    assert not any(each.picture for each in search.by_text("red", Wanted(9)).results)


def test_an_index_without_metadata_has_row_numbers(tmp_path: Path, gallery: Gallery) -> None:
    rows = np.eye(48, dtype=np.float32)[:4]
    Index.build(rows, "squared_l2").save(tmp_path / "bare.npz")
    sources = Sources(gallery.searcher, index=tmp_path / "bare.npz", images=gallery.folder)
    found = open_search(sources).by_text("red", Wanted(4)).results
    assert sorted(each.metadata for each in found) == ["0", "1", "2", "3"]


def test_an_empty_index_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "text.tflite").write_bytes(models.regex_model(np.eye(4, dtype=np.float32)))
    index = Index.build(np.empty((0, 4), np.float32), "dot_product")
    search = Search(index, Pictures(None), of_text=open_embedder(tmp_path / "text.tflite"))
    assert search.by_text("p1", Wanted(3)).results == []
    assert search.some(5) == []


def test_l2_normalize_is_for_both_halves(gallery: Gallery) -> None:
    given = {"images": gallery.folder, "image_embedder": gallery.image_embedder}
    scaled = open_search(Sources(gallery.searcher, **given, l2_normalize=True))
    by_hand = open_embedder(gallery.image_embedder, l2_normalize=True)
    picture = (gallery.folder / "red_ring_00.png").read_bytes()
    expected = scaled.index.search(by_hand.embed(decode_image(picture)), 3).ids.tolist()
    assert [each.row for each in scaled.by_picture(picture, Wanted(3)).results] == expected


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_nothing_is_no_question(search: Search, text: str) -> None:
    with pytest.raises(InvalidInput, match="q must be a text to search for"):
        search.by_text(text, ALL)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\nand no more"])
def test_what_is_no_picture_is_refused_by_name(search: Search, content: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"^what was sent must be"):
        search.by_picture(content, ALL)


def test_a_searcher_is_asked_with_what_it_takes(gallery: Gallery) -> None:
    texts, pictures = (
        open_search(Sources(path)) for path in (gallery.searcher, gallery.image_searcher)
    )
    assert [texts.kinds, pictures.kinds] == [["text"], ["image"]]
    with pytest.raises(InvalidInput, match="must be asked with a text, got a picture"):
        texts.by_picture((gallery.folder / gallery.names[0]).read_bytes(), ALL)
    with pytest.raises(InvalidInput, match="must be asked with a picture, got a text"):
        pictures.by_text("red", ALL)


def test_one_model_of_pictures_is_enough(gallery: Gallery) -> None:
    with pytest.raises(InvalidInput, match="image_embedder must be left out"):
        open_search(Sources(gallery.image_searcher, image_embedder=gallery.image_embedder))


def test_the_other_half_must_take_pictures(gallery: Gallery) -> None:
    with pytest.raises(ModelError, match=r"text\.tflite: "):
        open_search(Sources(gallery.searcher, image_embedder=gallery.folder.parent / "text.tflite"))


def test_halves_and_index_must_have_the_same_dimensions(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "large.tflite").write_bytes(models.image_model(5, 5))
    with pytest.raises(InvalidInput, match=r"got 75 of .*large\.tflite and 48 of the index"):
        open_search(Sources(gallery.searcher, image_embedder=tmp_path / "large.tflite"))


def test_sounds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sounds.tflite").write_bytes(models.audio_model(8))
    options = ScaNNOptions("squared_l2", score_brute_force=ScoreBruteForce()).for_device()
    index = Index.build(np.zeros((3, 8), np.float32), options)
    index.save(tmp_path / "searcher.tflite", embedder=tmp_path / "sounds.tflite")
    with pytest.raises(ModelError, match="expected texts or pictures, found audio"):
        open_search(Sources(tmp_path / "searcher.tflite"))


def test_a_missing_folder_is_the_systems_own_error(gallery: Gallery) -> None:
    with pytest.raises(FileNotFoundError):
        open_search(Sources(gallery.searcher, images=gallery.folder / "nothing"))
