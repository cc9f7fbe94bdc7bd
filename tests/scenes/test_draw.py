"""Pictures: the same bytes everywhere, and what was described where it was described."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from scannlite.scenes.describe import (
    BACKGROUNDS,
    COLOURS,
    SHAPES,
    SIZES,
    TEXTURES,
    Scene,
    Thing,
    scene_of,
)
from scannlite.scenes.draw import PAINTS, SIDE, draw

CENTRES = (22, 64, 106)
KEPT = "813a09dc3c2829d8da4cb0c09374c60d8d58f14c150cd926c51fb3362fb9452d"


def pictured(background="paper", grain=0, **attributes):
    described = {
        "shape": "circle",
        "colour": "red",
        "size": "large",
        "texture": "plain",
        "row": 1,
        "column": 1,
    }
    return draw(Scene(background, (Thing(**{**described, **attributes}),), grain))


def around(picture, row, column, reach=3):
    """The mean colour of a few pixels in the middle of a cell."""
    y, x = CENTRES[row], CENTRES[column]
    return picture[y - reach : y + reach, x - reach : x + reach].mean(axis=(0, 1))


def nearest_paint(colour):
    return min(PAINTS, key=lambda name: float(((colour - np.array(PAINTS[name])) ** 2).sum()))


def test_pictures_that_were_kept():
    """The bytes of a hundred pictures, by their hash: whole numbers give the same everywhere."""
    digest = hashlib.sha256()
    for number in range(100):
        digest.update(draw(scene_of(0, number)).tobytes())
    assert digest.hexdigest() == KEPT


def test_a_picture_is_square_and_has_colours():
    picture = draw(scene_of(1, 1))
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture.dtype == np.uint8
    assert (picture == draw(scene_of(1, 1))).all()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 2), (1, 1), (2, 0), (2, 2)])
def test_a_thing_has_its_colour_where_it_is_said_to_be(colour, row, column):
    picture = pictured(colour=colour, row=row, column=column)
    assert nearest_paint(around(picture, row, column)) == colour


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("grain", range(3))
def test_other_cells_stay_as_they_were(shape, grain):
    """A thing and its shadow stay within their third of the picture, a few pixels around it."""
    with_thing = pictured(shape=shape, grain=grain, row=0, column=0).astype(int)
    without = draw(Scene("paper", (), grain)).astype(int)
    changed = np.argwhere(abs(with_thing - without).max(axis=2) > 0)
    assert changed.size
    assert changed.max() < 50


@pytest.mark.parametrize("shape", SHAPES)
def test_large_things_cover_more(shape):
    """Nearly twice the pixels of small ones, or more."""

    def covered(size):
        without = draw(Scene("paper", (), 0)).astype(int)
        return (abs(pictured(shape=shape, size=size).astype(int) - without).max(axis=2) > 60).sum()

    small, large = map(covered, SIZES)
    assert large > 1.8 * small > 0


@pytest.mark.parametrize("texture", TEXTURES)
def test_patterns_have_two_colours_and_plain_things_one(texture):
    middle = pictured(shape="square", colour="blue", texture=texture)[56:72, 56:72].astype(int)
    spread = middle[..., 0].std()
    assert (spread < 15) == (texture == "plain")


def test_backgrounds_differ():
    """By more than their shades do: the mean colours of any two, or how much they vary."""
    looks = {}
    for name in BACKGROUNDS:
        pixels = draw(Scene(name, (), 0)).reshape(-1, 3).astype(float)
        looks[name] = np.concatenate([pixels.mean(axis=0), pixels.std(axis=0)])
    for one in BACKGROUNDS:
        for other in BACKGROUNDS:
            assert one == other or abs(looks[one] - looks[other]).max() > 5
