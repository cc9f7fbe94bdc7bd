"""What things lie on: grass, sand, sky and the rest, in whole numbers throughout."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from scannlite.scenes.dice import Dice

__all__ = ["ROOM", "background"]

Ints = NDArray[np.int32]

ROOM = 32  # a background is this much larger than a picture, which is cut from anywhere in it


@cache
def background(name: str, size: int) -> Ints:
    """A background for pictures of a size, (size + ROOM, size + ROOM, 3) int32 from 0 to 255."""
    side = size + ROOM
    made = _BACKGROUNDS[name](side, Dice(side, len(name), ord(name[0])))
    return np.clip(made, 0, 255)


def _colour(red: int, green: int, blue: int) -> Ints:
    return np.array([red, green, blue], np.int32)


def _noise(side: int, dice: Dice) -> Ints:
    """(side, side, 1) from -128 to 127, each pixel its own."""
    return dice.octets(side, side, 1).astype(np.int32) - 128


def _smeared(noise: Ints, length: int, axis: int) -> Ints:
    """The mean of neighbours along an axis, which goes round."""
    total = sum((np.roll(noise, shift, axis) for shift in range(length)), np.zeros_like(noise))
    return total // length


def _soft(side: int, dice: Dice, length: int) -> Ints:
    """Patches about as large as ``length``, (side, side, 1), mostly from -60 to 60."""
    noise = _noise(side, dice)
    for axis in (0, 1, 0, 1):
        noise = _smeared(noise * 3 // 2 if axis else noise, length, axis)
        noise = noise * 5 // 2 if axis else noise
    patches: Ints = noise * length // 8
    return patches


def _rows(side: int) -> Ints:
    return np.arange(side, dtype=np.int32)[:, None, None]


def _columns(side: int) -> Ints:
    return np.arange(side, dtype=np.int32)[None, :, None]


def _grass(side: int, dice: Dice) -> Ints:
    blades = _smeared(_noise(side, dice), 7, 0)
    return _colour(112, 156, 84) + blades // 3 + _soft(side, dice, 12) // 9


def _sand(side: int, dice: Dice) -> Ints:
    return _colour(226, 204, 160) + _noise(side, dice) // 14 + _soft(side, dice, 10) // 8


def _sky(side: int, dice: Dice) -> Ints:
    clear = _colour(134, 184, 228) + _rows(side) * _colour(50, 34, 14) // side
    cloud: Ints = (_soft(side, dice, 14) * 6).clip(0, 230)
    covered: Ints = clear + (_colour(246, 249, 252) - clear) * cloud // 256
    return covered


def _night(side: int, dice: Dice) -> Ints:
    dark = _colour(22, 26, 58) + _rows(side) * _colour(26, 20, 36) // side
    bright = dice.octets(side, side, 1).astype(np.int32) + dice.octets(side, side, 1) > 494
    return dark + bright * _colour(170, 170, 150)


def _bricks(side: int, dice: Dice) -> Ints:
    y, x = _rows(side), _columns(side)
    course = y // 10
    x = x + course % 2 * 11
    mortar = (y % 10 < 1) | (x % 22 < 1)
    shade = dice.octets(64, 64).astype(np.int32)[course % 64, (x // 22) % 64] // 9 - 14
    brick = _colour(170, 112, 92) + shade + _noise(side, dice) // 24
    return np.where(mortar, _colour(206, 192, 178), brick)


def _snow(side: int, dice: Dice) -> Ints:
    drifts = _soft(side, dice, 12)
    return _colour(232, 238, 246) + drifts * _colour(5, 4, 2) // 30 + _noise(side, dice) // 40


def _paper(side: int, dice: Dice) -> Ints:
    lines = (_rows(side) % 11 == 0) | (_columns(side) % 11 == 0)
    return (
        np.where(lines, _colour(172, 200, 222), _colour(252, 250, 240)) + _noise(side, dice) // 64
    )


def _wood(side: int, dice: Dice) -> Ints:
    plank = _rows(side) // 26
    shade = dice.octets(64).astype(np.int32)[plank % 64] // 9 - 14
    grain = _smeared(_noise(side, dice), 24, 1)
    gap = _rows(side) % 26 == 0
    board = _colour(188, 146, 100) + shade + grain // 2
    return np.where(gap, _colour(122, 88, 58), board)


_BACKGROUNDS: dict[str, Callable[[int, Dice], Ints]] = {
    "grass": _grass,
    "sand": _sand,
    "sky": _sky,
    "night": _night,
    "bricks": _bricks,
    "snow": _snow,
    "paper": _paper,
    "wood": _wood,
}
