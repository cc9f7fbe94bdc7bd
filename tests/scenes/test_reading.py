"""Sentences read: what was written is what is understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite.scenes.describe import scene_of
from scannlite.scenes.dice import Dice
from scannlite.scenes.meaning import Meaning, Mention, Relation
from scannlite.scenes.reading import meaning_of
from scannlite.scenes.sentences import KINDS, full, partial


@given(st.integers(0, 9), st.integers(0, 99_999))
def test_every_written_sentence_is_read_as_it_was_meant(seed, number):
    scene, dice = scene_of(seed, number), Dice(seed, number, 1)
    for sentence in (full(scene, dice), *(partial(kind, scene, dice) for kind in KINDS)):
        assert meaning_of(sentence.text) == sentence.meaning, sentence.text


STAR, HEART = Mention("star", "red"), Mention("heart", "blue")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", Meaning()),
        ("qwerty, please!", Meaning()),
        ("Two red stars", Meaning((STAR,))),
        ("RED STAR", Meaning((STAR,))),
        ("red", Meaning((Mention(colour="red"),))),
        ("something red with stripes", Meaning((Mention(colour="red", texture="striped"),))),
        ("a red star left of the blue heart", Meaning((STAR, HEART), (Relation("left", 0, 1),))),
        ("red star, blue heart", Meaning((STAR, HEART))),
        ("a blue heart over", Meaning((HEART,))),
        ("left of a blue heart", Meaning((HEART,))),
        ("in the snow", Meaning(background="snow")),
        ("a red star on a green lawn", Meaning((STAR,), background="grass")),
        ("a star at the top", Meaning((Mention("star", row=0),))),
        ("a star at the top left", Meaning((Mention("star", row=0, column=0),))),
    ],
)
def test_read_by_hand(text, meaning):
    assert meaning_of(text) == meaning
