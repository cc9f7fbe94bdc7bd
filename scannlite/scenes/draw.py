"""A scene's picture: the same bytes on every machine, in well under a millisecond."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scannlite.scenes.backgrounds import ROOM, background
from scannlite.scenes.describe import Scene, Thing
from scannlite.scenes.dice import Dice
from scannlite.scenes.shapes import TILTS, pattern, stamp
from scannlite.types import Codes

__all__ = ["PAINTS", "SIDE", "draw"]

Ints = NDArray[np.int32]

SIDE = 128  # pixels
_EDGE = 8  # pixels around the picture, for the shadows of what stands at its edge
_CENTRES = (22 + _EDGE, 64 + _EDGE, 106 + _EDGE)  # of the cells
_CELL = 21  # half of one
_RADII = {"small": (12, 13), "large": (17, 19)}
PAINTS = {
    "red": (214, 40, 44),
    "orange": (244, 134, 32),
    "yellow": (248, 214, 44),
    "green": (44, 152, 64),
    "blue": (38, 92, 212),
    "purple": (124, 58, 172),
    "pink": (246, 140, 190),
    "white": (246, 246, 244),
}
_TINT = 9  # how far shades differ, up and down


def draw(scene: Scene) -> Codes:
    """The picture of a scene, (128, 128, 3) uint8."""
    dice = Dice(scene.grain)
    side = SIDE + 2 * _EDGE
    top, left = dice.below(ROOM), dice.below(ROOM)
    canvas = background(scene.background, side)[top : top + side, left : left + side] + _tint(dice)
    for thing in scene.things:
        _draw_thing(canvas, thing, dice)
    picture: Codes = canvas[_EDGE:-_EDGE, _EDGE:-_EDGE].clip(0, 255).astype(np.uint8)
    return picture


def _draw_thing(canvas: Ints, thing: Thing, dice: Dice) -> None:
    radius = dice.between(*_RADII[thing.size])
    slack = max(_CELL - radius - 3, 1)
    shape = stamp(thing.shape, radius, dice.below(TILTS))
    half = len(shape.fill) // 2
    top = _CENTRES[thing.row] + dice.between(-slack, slack) - half
    left = _CENTRES[thing.column] + dice.between(-slack, slack) - half
    paint = np.array(PAINTS[thing.colour], np.int32) + _tint(dice)
    marks = pattern(thing.texture, radius, dice.below(4))

    below = canvas[top + 3 : top + 3 + 2 * half, left + 2 : left + 2 + 2 * half]
    below -= below * shape.shadow * 3 >> 11
    place = canvas[top : top + 2 * half, left : left + 2 * half]
    _cover(place, paint * 2 // 5, shape.rim)
    light = paint + shape.light
    _cover(place, light + ((_second(paint) - paint) * marks >> 8), shape.fill)


def _cover(place: Ints, paint: Ints, shares: Ints) -> None:
    """Paint over what is there, where and as far as shares of 256 say."""
    place += (paint - place) * shares >> 8


def _second(paint: Ints) -> Ints:
    """The other colour of a pattern: nearly white, on bright things a dark shade of their own."""
    if int(paint.min()) > 200:
        return paint // 2
    return paint + (np.int32(255) - paint) * 7 // 8


def _tint(dice: Dice) -> Ints:
    return np.array([dice.between(-_TINT, _TINT) for _ in range(3)], np.int32)
