"""What is in a scene, in words; a number makes a scene."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from scannlite.scenes.dice import Dice

__all__ = [
    "BACKGROUNDS",
    "COLOURS",
    "SHAPES",
    "SIZES",
    "TEXTURES",
    "UNSEEN",
    "Scene",
    "Thing",
    "changed",
    "has_unseen",
    "scene_of",
]

SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
SIZES = ("small", "large")
TEXTURES = ("plain", "striped", "dotted", "checkered")
BACKGROUNDS = ("grass", "sand", "sky", "night", "bricks", "snow", "paper", "wood")

UNSEEN = frozenset(zip(SHAPES, COLOURS[2:], strict=True))
"""Pairs of shape and colour that are never drawn for training, one of each shape."""

_COUNTS = (2, 3, 3, 4)  # of things; three are the most frequent
_CELLS = tuple((row, column) for row in range(3) for column in range(3))
_KINDS = tuple((shape, colour) for shape in SHAPES for colour in COLOURS)
_SEEN_KINDS = tuple(kind for kind in _KINDS if kind not in UNSEEN)
_GRAINS = 1 << 31


@dataclass(frozen=True)
class Thing:
    """One thing of a scene.

    Attributes:
        shape: one of ``SHAPES``.
        colour: one of ``COLOURS``.
        size: one of ``SIZES``.
        texture: one of ``TEXTURES``.
        row: of the cell it is in, 0 at the top to 2.
        column: of the cell, 0 on the left to 2.
    """

    shape: str
    colour: str
    size: str
    texture: str
    row: int
    column: int


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    Attributes:
        background: one of ``BACKGROUNDS``.
        things: two to four, no two in one cell.
        grain: the seed of all that words do not tell, such as shades and small shifts.
    """

    background: str
    things: tuple[Thing, ...]
    grain: int


def scene_of(seed: int, number: int, *, unseen: bool = True) -> Scene:
    """A scene, the same on every machine.

    Args:
        seed: of a collection of scenes, from 0.
        number: of the scene in it, from 0.
        unseen: whether it may show the pairs of ``UNSEEN``.
    """
    dice = Dice(seed, number)
    kinds = _KINDS if unseen else _SEEN_KINDS
    cells = dice.some(_CELLS, dice.of(_COUNTS))
    background = dice.of(BACKGROUNDS)
    things = [
        Thing(*dice.of(kinds), dice.of(SIZES), dice.of(TEXTURES), row, column)
        for row, column in cells
    ]
    return Scene(background, tuple(things), dice.below(_GRAINS))


def changed(scene: Scene, dice: Dice) -> Scene:
    """A scene that differs from this in one attribute, or in which two things changed places.

    It shows no pair of ``UNSEEN``. To be told apart, such two must be looked at closely.
    """
    things = list(scene.things)
    at = dice.below(len(things))
    what = dice.of(("kind", "kind", "size", "texture", "places", "background"))
    background = scene.background
    if what == "background":
        background = _another(BACKGROUNDS, background, dice)
    elif what == "places":
        other = (at + 1) % len(things)
        one, two = things[at], things[other]
        things[at] = replace(one, row=two.row, column=two.column)
        things[other] = replace(two, row=one.row, column=one.column)
    elif what == "kind":
        shape, colour = _near_kind(things[at], dice)
        things[at] = replace(things[at], shape=shape, colour=colour)
    else:
        choices = {"size": SIZES, "texture": TEXTURES}[what]
        value: Any = _another(choices, getattr(things[at], what), dice)
        things[at] = replace(things[at], **{what: value})
    return Scene(background, tuple(things), dice.below(_GRAINS))


def has_unseen(scene: Scene) -> bool:
    """Whether it shows a pair of ``UNSEEN``."""
    return any((thing.shape, thing.colour) in UNSEEN for thing in scene.things)


def _another(choices: tuple[str, ...], than: str, dice: Dice) -> str:
    return dice.of([choice for choice in choices if choice != than])


def _near_kind(thing: Thing, dice: Dice) -> tuple[str, str]:
    """Another colour of the same shape, or another shape of the same colour."""
    near = [
        (shape, colour)
        for shape, colour in _SEEN_KINDS
        if (shape == thing.shape) != (colour == thing.colour)
    ]
    return dice.of(near)
