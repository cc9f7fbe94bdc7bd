"""The towers that ship: what they take and give, and how good they are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scannlite.embedders import image_embedder, text_embedder
from scannlite.embedders.model import Model
from scannlite.scenes.describe import scene_of
from scannlite.scenes.draw import draw
from scannlite.scenes.evaluate import questions_of, scores_of
from scannlite.scenes.models import IMAGE_TOWER, TEXT_TOWER
from scannlite.scenes.words import PATTERN, every_word
from tests.embedders.runtimes import needs_runtime

ROWS = 2_000


def test_they_are_small():
    assert IMAGE_TOWER.stat().st_size + TEXT_TOWER.stat().st_size < 3_000_000


def test_how_they_were_made_is_told():
    made = json.loads(IMAGE_TOWER.with_name("made.json").read_text(encoding="utf-8"))
    assert {"command", "plan", "versions", "seconds", "validation"} <= set(made)


def test_every_word_of_sentences_is_in_the_vocabulary():
    """Also with capitals, which the Task Library does not make small."""
    tokenizer = Model.read(TEXT_TOWER).metadata.inputs[0].tokenizer
    assert tokenizer.pattern == PATTERN
    numbers = dict(
        line.rsplit(" ", 1) for line in bytes(tokenizer.vocabulary.data).decode().splitlines()
    )
    assert {"<PAD>", "<UNKNOWN>"} <= set(numbers)
    for word in every_word():
        assert numbers[word] == numbers[word.capitalize()] == numbers[word.upper()]
        assert numbers[word] not in (numbers["<PAD>"], numbers["<UNKNOWN>"])


@needs_runtime
def test_embeddings_have_length_one():
    picture = image_embedder(IMAGE_TOWER).embed(draw(scene_of(1, 0)))
    sentence = text_embedder(TEXT_TOWER).embed("a red star")
    assert picture.shape == sentence.shape == (128,)
    assert np.linalg.norm([picture, sentence], axis=1) == pytest.approx(1, abs=1e-4)


@needs_runtime
def test_capitals_and_unknown_words_change_little():
    text = text_embedder(TEXT_TOWER)
    plain = text.embed("a red star on the left")
    assert (text.embed("A Red STAR, on the left!") == plain).all()


@needs_runtime
def test_sentences_find_pictures_of_scenes_that_were_held_out():
    """By exact search among 2,000; how good it is among 20,000 is in docs."""
    scenes = [scene_of(1, number) for number in range(ROWS)]
    image, text = image_embedder(IMAGE_TOWER, num_threads=1), text_embedder(TEXT_TOWER)
    rows = image.embed_batch([draw(scene) for scene in scenes], threads=2)
    asked = questions_of(scenes, seed=2, count=20)
    scores = scores_of(
        scenes, asked, lambda texts: np.argsort(-text.embed_batch(texts) @ rows.T, axis=1)[:, :10]
    )
    seen = {score.kind: score.score for score in scores if not score.unseen}
    assert seen.pop("full") > 0.99
    assert np.mean(list(seen.values())) > 0.92
