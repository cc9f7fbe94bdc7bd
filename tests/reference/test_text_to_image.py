"""The demo's searcher in the Task Library: the same pictures for the same sentences."""

from __future__ import annotations

import numpy as np
import pytest

from scannlite.demo import Collection, collect
from scannlite.embedders import image_embedder
from scannlite.scenes.draw import draw
from scannlite.scenes.evaluate import questions_of
from scannlite.scenes.models import IMAGE_TOWER
from tests.demo.conftest import ROWS, silent
from tests.embedders.runtimes import needs_runtime

pytestmark = needs_runtime
K = 10
STEP = 2e-3  # of the tables' whole numbers, which a query that differs in its last bit may miss


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return collect(ROWS, tmp_path_factory.mktemp("demo"), silent)


@pytest.fixture(scope="module")
def sentences(collection: Collection) -> list[str]:
    return [question.sentence.text for question in questions_of(collection.scenes, 2, 10)]


@pytest.fixture(scope="module")
def theirs(reference, collection, sentences):
    """The embeddings (q, d) of the sentences, and what is found for each."""
    asked = {"model": str(collection.searcher), "questions": sentences}
    reference.ask("open_embedder", name="sentences", **asked)
    embeddings = reference.ask("embed", name="sentences")["embeddings"]
    told = reference.ask("open_texts", name="scenes", k=K, **asked)
    assert told["userinfo"].encode() == collection.index.userinfo
    return np.array(embeddings, np.float32), reference.search("scenes")


def named(collection: Collection, ids) -> list[bytes]:
    return [bytes(collection.index.metadata[place]) for place in ids.tolist()]


def test_a_sentence_has_the_same_embedding(collection, sentences, theirs):
    """But for last bits: another release of the runtime sums in another order."""
    ours = collection.text.embed_batch(sentences)
    np.testing.assert_allclose(ours, theirs[0], rtol=0, atol=1e-6)


def test_the_same_pictures_are_found_for_the_same_embedding(collection, theirs):
    """Distances to the last bit; pictures of one distance may change places."""
    embeddings, found = theirs
    distances, ids = collection.index.search(embeddings, K)
    for near, row, place in zip(found, distances, ids, strict=True):
        np.testing.assert_array_equal(near.distances, row)
        ours = zip(row.tolist(), named(collection, place), strict=True)
        others = zip(near.distances.tolist(), near.metadata, strict=True)
        surely = float(row[-1])  # of those at the last distance others may be returned
        assert {one for one in ours if one[0] < surely} == {
            one for one in others if one[0] < surely
        }


def test_the_same_pictures_are_found_for_the_same_sentence(collection, sentences, theirs):
    """From the sentence on: a picture that one of both lacks is hardly nearer than the tenth."""
    distances, ids = collection.index.search(collection.text.embed_batch(sentences), K)
    same = 0
    for near, row, place in zip(theirs[1], distances, ids, strict=True):
        np.testing.assert_allclose(near.distances, row, rtol=0, atol=STEP)
        ours = dict(zip(named(collection, place), row.tolist(), strict=True))
        others = dict(zip(near.metadata, near.distances.tolist(), strict=True))
        for name in ours.keys() ^ others.keys():
            assert (ours | others)[name] > row[-1] - STEP
        same += ours.keys() == others.keys()
    assert same > 0.9 * len(sentences)


def test_a_picture_has_the_same_embedding(reference, collection, tmp_path):
    pictures = [draw(scene) for scene in collection.scenes[:40]]
    np.savez(tmp_path / "pictures.npz", *pictures)
    reference.ask(
        "embed_images",
        model=str(IMAGE_TOWER),
        images=str(tmp_path / "pictures.npz"),
        to=str(tmp_path / "embeddings.npy"),
        boxes=[None] * len(pictures),
        l2_normalize=False,
    )
    ours = image_embedder(IMAGE_TOWER, num_threads=1).embed_batch(pictures)
    np.testing.assert_allclose(ours, np.load(tmp_path / "embeddings.npy"), rtol=0, atol=1e-6)
