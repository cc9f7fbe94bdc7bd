"""The outlines of things: which pixels a shape covers, and how much of each.

All numbers are sums, products and comparisons of float64, so that every machine gets the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["TILTS", "Stamp", "pattern", "stamp"]

Numbers = NDArray[np.float64]
Bits = NDArray[np.bool_]
Shares = NDArray[np.int32]  # of 256

_FINE = 4  # points across a pixel
_MARGIN = 4  # pixels around a shape, for its rim and shadow
_RIM = 5  # points
# Cosine and sine of a few small angles, as ratios that are exact: 5² + 12² = 13² and the like.
_TURNS = (
    (1.0, 0.0),
    (143 / 145, 24 / 145),
    (143 / 145, -24 / 145),
    (63 / 65, 16 / 65),
    (63 / 65, -16 / 65),
)
TILTS = len(_TURNS)


class Stamp(NamedTuple):
    """A shape in a square of side 2 (radius + 4), each (side, side) int32.

    ``fill`` and ``rim`` are shares of 256 that the shape, and the shape with a dark rim, cover;
    ``shadow`` is the rim's, blurred. ``light`` is to be added to colours, brighter at the top left.
    """

    fill: Shares
    rim: Shares
    shadow: Shares
    light: Shares


@cache
def stamp(shape: str, radius: int, tilt: int) -> Stamp:
    """How a shape covers pixels.

    Args:
        shape: one of ``describe.SHAPES``.
        radius: in pixels, of what it fits in.
        tilt: below ``TILTS``, 0 upright.
    """
    points = 2 * (radius + _MARGIN) * _FINE
    centred = (np.arange(points) - (points - 1) / 2) / (radius * _FINE)
    x, y = centred[None, :], centred[:, None]
    cosine, sine = _TURNS[tilt]
    inside = _SHAPES[shape](cosine * x + sine * y, cosine * y - sine * x)
    rim = _shares(_grown(inside, _RIM))
    side = 2 * (radius + _MARGIN)
    steps = np.arange(side, dtype=np.int32)
    light = (side - 1 - steps[None, :] - steps[:, None]) * 26 // side
    return Stamp(_shares(inside), rim, _blurred(rim), light[..., None])


@cache
def pattern(texture: str, radius: int, phase: int) -> Shares:
    """Which share of 256 of each pixel of a stamp has the second colour, (side, side, 1) int32.

    Args:
        texture: one of ``describe.TEXTURES``.
        radius: of the stamp: small things have finer patterns.
        phase: from 0 to 3; stripes have another direction for each.
    """
    side = 2 * (radius + _MARGIN) * _FINE
    x, y = np.arange(side)[None, :], np.arange(side)[:, None]
    period = _FINE * (7 if radius < 16 else 9)
    return _shares(np.broadcast_to(_TEXTURES[texture](x, y, period, phase), (side, side)))


# ---- shapes: x to the right, y down, from -1 to 1 ----------------------------------------------


def _circle(x: Numbers, y: Numbers) -> Bits:
    return x * x + y * y < 0.9


def _square(x: Numbers, y: Numbers) -> Bits:
    return np.maximum(abs(x), abs(y)) < 0.8


def _triangle(x: Numbers, y: Numbers) -> Bits:
    return (y < 0.78) & (1.8 * abs(x) < y + 0.98)


def _star(x: Numbers, y: Numbers) -> Bits:
    """Five points: what lies within at least four of the five lines through them."""
    within = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.int64)
    for across, down in _FIVE:
        within += across * x + down * y < 0.33
    return within >= 4


def _heart(x: Numbers, y: Numbers) -> Bits:
    x, y = 1.12 * abs(x), 1.12 * (y - 0.04)
    lobe = (x - 0.48) * (x - 0.48) + (y + 0.38) * (y + 0.38) < 0.27
    return lobe | ((y > -0.32) & (x + 0.93 * y < 0.94) & (x < 0.98)) & (x + y < 0.98)


def _cross(x: Numbers, y: Numbers) -> Bits:
    x, y = abs(x), abs(y)
    return (np.maximum(x, y) < 0.92) & (np.minimum(x, y) < 0.34)


_FIVE = (
    (0.0, 1.0),
    (0.9510565162951535, 0.3090169943749474),
    (-0.9510565162951535, 0.3090169943749474),
    (0.5877852522924731, -0.8090169943749475),
    (-0.5877852522924731, -0.8090169943749475),
)
_SHAPES: dict[str, Callable[[Numbers, Numbers], Bits]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "heart": _heart,
    "cross": _cross,
}


# ---- textures: x and y in points ---------------------------------------------------------------


def _plain(x: Any, y: Any, period: int, phase: int) -> Any:
    return (x + y + period + phase) < 0


def _striped(x: Any, y: Any, period: int, phase: int) -> Any:
    along = (x, y, (x + y) * 3 // 4, (x - y) * 3 // 4)[phase]
    return along % period < period // 2


def _dotted(x: Any, y: Any, period: int, phase: int) -> Any:
    """Dots in rows, every second row shifted by half."""
    x, y = x + phase * period // 4, y + phase * period // 4
    row = y // period
    across, down = (x + row % 2 * (period // 2)) % period, y % period
    half = period // 2
    return 8 * ((across - half) ** 2 + (down - half) ** 2) < period * period


def _checkered(x: Any, y: Any, period: int, phase: int) -> Any:
    edge = period * 2 // 3
    return ((x + phase * 5) // edge + (y + phase * 3) // edge) % 2 == 0


_TEXTURES: dict[str, Callable[[Any, Any, int, int], Any]] = {
    "plain": _plain,
    "striped": _striped,
    "dotted": _dotted,
    "checkered": _checkered,
}


# ---- points to pixels --------------------------------------------------------------------------


def _shares(points: Bits) -> Shares:
    """The share of 256 of each pixel's points, (side, side, 1)."""
    side = len(points) // _FINE
    counts = points.reshape(side, _FINE, side, _FINE).sum(axis=(1, 3), dtype=np.int32)
    shares: Shares = counts[..., None] * np.int32(256 // (_FINE * _FINE))
    return shares


def _grown(points: Bits, by: int) -> Bits:
    """Wider by some points on all sides, corners a little less."""
    for step in range(by):
        wide = points.copy()
        wide[1:] |= points[:-1]
        wide[:-1] |= points[1:]
        tall = wide if step % 2 else points
        wide[:, 1:] |= tall[:, :-1]
        wide[:, :-1] |= tall[:, 1:]
        points = wide
    return points


def _blurred(shares: Shares) -> Shares:
    """The mean of five by five pixels; there are none beyond the margin."""
    for axis in (0, 1):
        total = np.zeros_like(shares)
        for shift in range(-2, 3):
            total += np.roll(shares, shift, axis)
        shares = total // 5
    return shares
