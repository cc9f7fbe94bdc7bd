"""Pictures embedded and indexed, once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from scannlite import InvalidInput, Tree
from scannlite.demo import FULL_ROWS, Collection, collect
from scannlite.demo.collection import options_of
from scannlite.embedders import image_embedder
from scannlite.scenes.draw import draw
from scannlite.scenes.models import IMAGE_TOWER
from scannlite.task import text
from tests.demo.conftest import ROWS, silent
from tests.embedders.runtimes import needs_runtime


def test_the_options_are_the_articles():
    full, usual = options_of(FULL_ROWS), options_of(20_000)
    assert full.tree == Tree(351, 4)
    assert usual.tree == Tree(141, 16)
    for options in (full, usual):
        assert options.distance_measure == "dot_product"
        assert options.score_ah is not None
        assert options.score_ah.dimensions_per_block == 1
        assert options.score_ah.anisotropic_quantization_threshold == 0.2


@needs_runtime
def test_a_row_is_the_embedding_of_its_picture(collection: Collection):
    tower = image_embedder(IMAGE_TOWER)
    for row in (0, 17, ROWS - 1):
        np.testing.assert_array_equal(
            collection.rows[row], tower.embed(draw(collection.scenes[row]))
        )


@needs_runtime
def test_each_picture_is_in_the_index_once(collection: Collection):
    assert sorted(collection.row_of.tolist()) == list(range(ROWS))


@needs_runtime
def test_the_searcher_is_one_that_task_library_code_opens(collection: Collection):
    """The same pictures through the front door of another API, from the file alone."""
    searcher = text.TextSearcher.create_from_file(str(collection.searcher))
    found = searcher.search("a red star").nearest_neighbors
    ids = collection.index.search(collection.text.embed("a red star"), k=len(found)).ids
    names = [f"{row:06}.jpg".encode() for row in collection.row_of[ids].tolist()]
    assert [bytes(each.metadata) for each in found] == names


@needs_runtime
def test_what_is_there_is_used_again(collection: Collection, tmp_path: Path):
    folder = shutil.copytree(collection.searcher.parent, tmp_path / "again")
    again = collect(ROWS, folder, silent)
    assert again.build_seconds is None
    np.testing.assert_array_equal(again.rows, collection.rows)


@needs_runtime
def test_a_damaged_searcher_is_made_anew(collection: Collection, tmp_path: Path):
    folder = shutil.copytree(collection.searcher.parent, tmp_path / "damaged")
    searcher = folder / "searcher.tflite"
    whole = searcher.read_bytes()
    searcher.write_bytes(whole[:-1000])
    again = collect(ROWS, folder, silent)
    assert again.build_seconds is not None
    assert searcher.read_bytes() == whole


@needs_runtime
def test_another_number_of_pictures_is_another_searcher(collection: Collection, tmp_path: Path):
    """The embeddings that are there are used again, those that are missing are made."""
    folder = shutil.copytree(collection.searcher.parent, tmp_path / "more")
    more = collect(ROWS + 20, folder, silent)
    assert len(more.index) == ROWS + 20
    np.testing.assert_array_equal(more.rows[:ROWS], collection.rows)


@needs_runtime
def test_too_few_pictures_are_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match="rows must be a whole number from 1,000, got 999"):
        collect(999, tmp_path / "none", silent)
    assert not (tmp_path / "none").exists()
