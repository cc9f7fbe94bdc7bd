"""The example that trains two towers: both cases from pictures to an answer, very small."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest

from examples.dual_encoder.search import build_searcher
from examples.dual_encoder.validation import recall_at
from examples.dual_encoder.vocabulary import Vocabulary
from scannlite.embedders import image_embedder, text_embedder
from scannlite.task import text
from tests.examples.trainers import needs_tensorflow

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's own, of which it has many
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (20, 40, 220)}
WORDS = ("a", "red", "green", "blue", "picture")


def test_words_have_numbers_and_unknown_ones_have_one():
    vocabulary = Vocabulary(["a", "star", "a"])
    assert len(vocabulary) == 4
    assert vocabulary.numbers("A star, a comet!", 6) == [2, 3, 2, 1, 0, 0]
    assert vocabulary.numbers("a star a star", 2) == [2, 3]


def test_capitals_have_the_number_of_small_letters():
    lines = Vocabulary(["a", "star"]).file().decode().splitlines()
    assert lines == ["<PAD> 0", "<UNKNOWN> 1", "a 2", "A 2", "star 3", "Star 3", "STAR 3"]


def test_recall_by_hand():
    """The first sentence's own picture is nearest, the second's is third of three."""
    pictures = np.float32([[1, 0], [0, 1], [0.8, 0.6]])
    sentences = np.float32([[1, 0], [1, 0]])
    assert recall_at(sentences, pictures, np.array([0, 1])) == {
        "recall@1": 0.5,
        "recall@5": 1.0,
        "recall@10": 1.0,
    }


@needs_tensorflow
def test_one_true_picture_a_sentence_gives_the_usual_cross_entropy():
    tf = pytest.importorskip("tensorflow")
    loss = importlib.import_module("examples.dual_encoder.loss").contrastive_loss
    scores = np.random.default_rng(0).normal(size=(5, 5)).astype(np.float32)
    usual = [
        -np.mean(np.diag(square) - np.log(np.exp(square).sum(axis=1)))
        for square in (scores, scores.T)
    ]
    found = loss(tf.constant(scores), tf.eye(5) > 0).numpy()
    assert found == pytest.approx(np.mean(usual), rel=1e-5)


@needs_tensorflow
def test_a_pair_that_is_true_as_well_is_no_negative():
    """Both pictures satisfy both sentences: there is nothing to tell apart."""
    tf = pytest.importorskip("tensorflow")
    loss = importlib.import_module("examples.dual_encoder.loss").contrastive_loss
    scores = tf.constant(np.float32([[1, 9], [9, 1]]))
    assert loss(scores, tf.ones((2, 2)) > 0).numpy() == 0


@needs_tensorflow
def test_what_comes_first_must_be_true_but_not_all_that_is_true_must_come_first():
    """The second of two true pictures may score below the false one, the first may not."""
    tf = pytest.importorskip("tensorflow")
    loss = importlib.import_module("examples.dual_encoder.loss").contrastive_loss
    truth = tf.constant([[True, True, False]])
    found, missed = (
        loss(tf.constant(np.float32([row])), truth, back=0).numpy()
        for row in ([20, -20, 0], [-20, -20, 0])
    )
    assert found == pytest.approx(0, abs=1e-6)
    assert missed == pytest.approx(20 - np.log(2), rel=1e-5)


@needs_tensorflow
def test_the_way_back_counts_as_much_as_it_is_told_to():
    """Of scores that are not symmetric, each direction has another loss."""
    tf = pytest.importorskip("tensorflow")
    loss = importlib.import_module("examples.dual_encoder.loss").contrastive_loss
    scores = tf.constant(np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32))
    truth = tf.eye(4) > 0
    there = loss(scores, truth, back=0).numpy()
    back = loss(tf.transpose(scores), truth, back=0).numpy()
    assert there != pytest.approx(back, rel=1e-3)
    assert loss(scores, truth, back=0.5).numpy() == pytest.approx(
        (there + 0.5 * back) / 1.5, rel=1e-5
    )


def coco_folder(folder, pillow):
    """Twelve pictures of one colour each, with two captions, as COCO has them."""
    images, annotations = [], []
    (folder / "train2017").mkdir(parents=True)
    dice = np.random.default_rng(0)
    for number in range(12):
        name = list(COLOURS)[number % 3]
        noise = dice.integers(-20, 20, (48, 40, 3))
        pixels = np.clip(np.array(COLOURS[name]) + noise, 0, 255).astype(np.uint8)
        file = f"{number:012}.png"
        pillow.fromarray(pixels).save(folder / "train2017" / file)
        images.append({"id": 100 + number, "file_name": file})
        captions = (f"A {name} picture.", name)
        annotations += [{"image_id": 100 + number, "caption": caption} for caption in captions]
    (folder / "annotations").mkdir()
    content = {"images": images, "annotations": annotations}
    (folder / "annotations" / "captions_train2017.json").write_text(json.dumps(content))
    return folder


@needs_tensorflow
def test_the_large_case_from_captions_to_an_answer(tmp_path):
    """A training step, export, embedding of a folder, index, export and query."""
    pillow = pytest.importorskip("PIL.Image")
    coco = importlib.import_module("examples.dual_encoder.coco")
    large = importlib.import_module("examples.dual_encoder.train_coco")
    folder = coco_folder(tmp_path / "coco", pillow)
    captions = folder / "annotations" / "captions_train2017.json"
    pictures = coco.read_coco(captions, folder / "train2017")
    assert len(pictures) == 12
    assert pictures[1].captions == ("A green picture.", "green")
    assert set(coco.vocabulary_of(pictures).words) == set(WORDS)

    plan = large.Plan(epochs=1, batch=6, side=32, weights=None, width=8)
    said = []
    trained = large.train(plan, pictures, pictures[:6], said.append)
    assert said
    assert set(trained.figures) == {"recall@1", "recall@5", "recall@10"}
    trained.write(tmp_path)

    searcher = build_searcher(tmp_path, folder / "train2017", tmp_path / "searcher.tflite")
    answer = text.TextSearcher.create_from_file(str(searcher)).search("a red picture")
    assert len(answer.nearest_neighbors) == 5


@needs_tensorflow
def test_the_small_case_trains_and_exports():
    """What is exported embeds pictures and sentences, and vectors have length 1."""
    small = importlib.import_module("examples.dual_encoder.train")
    plan = small.Plan(scenes=256, epochs=1, steps=2, batch=32, held_out=16)
    trained = small.train(plan, lambda _: None)
    picture = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    for row in (
        image_embedder(trained.image).embed(picture),
        text_embedder(trained.text).embed("A small red star on sand"),
    ):
        assert row.shape == (128,)
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-4)
