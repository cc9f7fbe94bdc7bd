"""What is true of a scene, by hand and all at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite.scenes.describe import Scene, Thing, scene_of
from scannlite.scenes.dice import Dice
from scannlite.scenes.meaning import Facts, Meaning, Mention, Relation, satisfies
from scannlite.scenes.sentences import KINDS, full, partial
from scannlite.scenes.words import every_word, words_of

# A red star at the top left, a blue heart in the centre, a small red star at the bottom left.
SCENE = Scene(
    "sand",
    (
        Thing("star", "red", "large", "plain", 0, 0),
        Thing("heart", "blue", "small", "dotted", 1, 1),
        Thing("star", "red", "small", "striped", 2, 0),
    ),
    grain=0,
)
STAR, HEART = Mention("star", "red"), Mention("heart", "blue")


@pytest.mark.parametrize(
    ("meaning", "true"),
    [
        (Meaning(), True),
        (Meaning(background="sand"), True),
        (Meaning(background="snow"), False),
        (Meaning((STAR,)), True),
        (Meaning((STAR,), background="snow"), False),
        (Meaning((Mention("heart", "red"),)), False),  # red, and a heart, but not one thing
        (Meaning((Mention(size="large", texture="striped"),)), False),
        (Meaning((STAR, STAR)), True),
        (Meaning((STAR, STAR, STAR)), False),  # there are two
        (Meaning((HEART, HEART)), False),
        (Meaning((Mention(colour="red", row=2),)), True),
        (Meaning((Mention(colour="red", row=1),)), False),
        (Meaning((Mention("star", column=0),)), True),
        (Meaning((STAR, HEART), (Relation("left", 0, 1),)), True),
        (Meaning((STAR, HEART), (Relation("right", 0, 1),)), False),
        (Meaning((STAR, HEART), (Relation("above", 0, 1),)), True),  # the large one
        (Meaning((STAR, HEART), (Relation("below", 0, 1),)), True),  # the small one
        (Meaning((HEART, STAR), (Relation("right", 0, 1),)), True),
        (Meaning((STAR, STAR), (Relation("left", 0, 1),)), False),  # in one column
        (Meaning((Mention(), Mention(), Mention(), Mention())), False),  # there are three
    ],
)
def test_truth_by_hand(meaning, true):
    assert satisfies(SCENE, meaning) is true
    assert Facts([SCENE]).satisfying(meaning).tolist() == [true]


def sentences(seed, number):
    scene, dice = scene_of(seed, number), Dice(seed, number, 1)
    return scene, [full(scene, dice), *(partial(kind, scene, dice) for kind in KINDS)]


@given(st.integers(0, 99), st.integers(0, 9999))
def test_every_sentence_is_true_of_its_scene(seed, number):
    scene, made = sentences(seed, number)
    assert all(satisfies(scene, sentence.meaning) for sentence in made)


@given(st.integers(0, 99), st.integers(0, 9999))
def test_all_at_once_is_one_by_one(seed, number):
    scenes = [scene_of(seed, number + other) for other in range(40)]
    facts = Facts(scenes)
    for sentence in sentences(seed, number)[1]:
        one_by_one = [satisfies(scene, sentence.meaning) for scene in scenes]
        assert facts.satisfying(sentence.meaning).tolist() == one_by_one


@given(st.integers(0, 99), st.integers(0, 9999))
def test_every_word_is_known(seed, number):
    known = set(every_word())
    for sentence in sentences(seed, number)[1]:
        assert set(words_of(sentence.text)) <= known
        assert len(words_of(sentence.text)) <= 50


def test_no_scenes_have_no_truths():
    assert Facts([]).satisfying(Meaning((STAR,))).shape == (0,)


def test_full_sentences_single_out_their_scene():
    scenes = [scene_of(0, number) for number in range(2000)]
    facts = Facts(scenes)
    for number in range(0, 2000, 20):
        meaning = full(scenes[number], Dice(1, number)).meaning
        assert facts.satisfying(meaning).nonzero()[0].tolist() == [number]


def test_the_same_dice_say_the_same():
    scene = scene_of(5, 5)
    assert full(scene, Dice(1)) == full(scene, Dice(1))
    assert len({full(scene, Dice(number)).text for number in range(50)}) > 45
