"""Scenes: what a number makes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite.scenes.describe import (
    BACKGROUNDS,
    COLOURS,
    SHAPES,
    UNSEEN,
    Scene,
    Thing,
    changed,
    has_unseen,
    scene_of,
)
from scannlite.scenes.dice import Dice

numbers = st.integers(0, 1 << 40)
FIRST = Scene(
    "paper",
    (
        Thing("cross", "green", "large", "dotted", 0, 2),
        Thing("star", "yellow", "large", "checkered", 0, 0),
        Thing("circle", "red", "large", "plain", 0, 1),
    ),
    grain=1566923139,
)


def test_a_scene_that_was_written_down():
    """The choices come from raw bits, which no version of NumPy changes."""
    assert scene_of(0, 0) == FIRST


def test_dice_that_were_written_down():
    assert [Dice(1, 2).below(1000)] == [448]


@given(numbers, numbers)
def test_things_are_in_cells_of_their_own(seed, number):
    scene = scene_of(seed, number)
    cells = [(thing.row, thing.column) for thing in scene.things]
    assert 2 <= len(cells) <= 4
    assert len(set(cells)) == len(cells)
    assert scene.background in BACKGROUNDS


@given(numbers, numbers)
def test_scenes_for_training_show_no_unseen_pair(seed, number):
    scene = scene_of(seed, number, unseen=False)
    assert not has_unseen(scene)
    assert not has_unseen(changed(scene, Dice(seed, number)))


@given(numbers, numbers)
def test_a_changed_scene_differs_in_one_attribute_or_two_places(seed, number):
    scene = scene_of(seed, number, unseen=False)
    other = changed(scene, Dice(number, seed))
    pairs = list(zip(scene.things, other.things, strict=True))
    moved = [one for one, two in pairs if (one.row, one.column) != (two.row, two.column)]
    turned = [
        name
        for one, two in pairs
        for name in ("shape", "colour", "size", "texture")
        if getattr(one, name) != getattr(two, name)
    ]
    background = scene.background != other.background
    assert (len(moved), len(turned), background) in {(2, 0, False), (0, 1, False), (0, 0, True)}


def test_unseen_pairs_are_one_of_each_shape_and_of_as_many_colours():
    assert {shape for shape, _ in UNSEEN} == set(SHAPES)
    assert len({colour for _, colour in UNSEEN} & set(COLOURS)) == len(UNSEEN) == len(SHAPES)


def test_an_unseen_pair_is_seen_in_a_scene():
    shape, colour = sorted(UNSEEN)[0]
    thing = Thing(shape, colour, "small", "plain", 0, 0)
    assert has_unseen(Scene("sand", (thing,), 0))
    other = next(name for name in COLOURS if (shape, name) not in UNSEEN)
    assert not has_unseen(Scene("sand", (replace(thing, colour=other),), 0))


def test_every_number_gives_another_scene():
    assert len({scene_of(3, number) for number in range(2000)}) == 2000


@pytest.mark.parametrize("limit", [1, 2, 7, 1 << 31])
def test_dice_stay_below_the_limit(limit):
    dice = Dice(limit)
    assert all(0 <= dice.below(limit) < limit for _ in range(200))
