"""What a sentence says, and whether it is true of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scannlite.scenes.describe import BACKGROUNDS, COLOURS, SHAPES, SIZES, TEXTURES, Scene, Thing

__all__ = ["Facts", "Meaning", "Mention", "Relation", "satisfies"]

Truths = NDArray[np.bool_]


@dataclass(frozen=True)
class Mention:
    """What a sentence says of one thing; None where it does not say.

    The attributes are those of ``Thing``.
    """

    shape: str | None = None
    colour: str | None = None
    size: str | None = None
    texture: str | None = None
    row: int | None = None
    column: int | None = None

    def said(self) -> dict[str, Any]:
        """What is not None, by the name of the attribute."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}


@dataclass(frozen=True)
class Relation:
    """That one mentioned thing lies, as seen from another, in some direction.

    Attributes:
        direction: ``"left"``, ``"right"``, ``"above"`` or ``"below"``: in a column further left
            or right, or in a row further up or down, whatever the other of the two is.
        one: the number of the mention that lies there.
        other: the number of the mention it is seen from.
    """

    direction: str
    one: int
    other: int


@dataclass(frozen=True)
class Meaning:
    """What a sentence says: that there are these things, each another one, perhaps among more.

    Attributes:
        mentions: at most four.
        relations: between them.
        background: None where it does not say.
    """

    mentions: tuple[Mention, ...] = ()
    relations: tuple[Relation, ...] = ()
    background: str | None = None


def satisfies(scene: Scene, meaning: Meaning) -> bool:
    """Whether what a sentence says is true of a scene."""
    if meaning.background not in (None, scene.background):
        return False
    return any(
        all(map(_is_like, chosen, meaning.mentions))
        and all(_lies(chosen[r.one], r.direction, chosen[r.other]) for r in meaning.relations)
        for chosen in permutations(scene.things, len(meaning.mentions))
    )


def _is_like(thing: Thing, mention: Mention) -> bool:
    return all(getattr(thing, name) == value for name, value in mention.said().items())


def _lies(one: Thing, direction: str, other: Thing) -> bool:
    axis, sign = _DIRECTIONS[direction]
    return bool(sign * (getattr(one, axis) - getattr(other, axis)) > 0)


_DIRECTIONS = {
    "left": ("column", -1),
    "right": ("column", 1),
    "above": ("row", -1),
    "below": ("row", 1),
}


class Facts:
    """The truth of many scenes at once: what ``satisfies`` says of each, much faster.

    Args:
        scenes: n of them.
    """

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self._backgrounds = np.array([BACKGROUNDS.index(scene.background) for scene in scenes])
        most = max((len(scene.things) for scene in scenes), default=0)
        self._columns = {name: np.full((most, len(scenes)), _NOTHING, np.int8) for name in _VALUES}
        for name, column in self._columns.items():
            values = _VALUES[name]
            for row, scene in enumerate(scenes):
                for at, thing in enumerate(scene.things):
                    column[at, row] = values.index(getattr(thing, name))

    def __len__(self) -> int:
        return len(self._backgrounds)

    def satisfying(self, meaning: Meaning) -> Truths:
        """Of which scenes a sentence is true, (n,) bool."""
        true: Truths = np.ones(len(self), np.bool_)
        if meaning.background is not None:
            true &= self._backgrounds == BACKGROUNDS.index(meaning.background)
        if not meaning.mentions:
            return true
        alike = [self._alike(mention) for mention in meaning.mentions]
        if len(alike) == 1:
            there: Truths = true & alike[0].any(axis=0)
            return there
        somewhere = [set(np.flatnonzero(things.any(axis=1)).tolist()) for things in alike]
        found = np.zeros(len(self), np.bool_)
        for chosen in permutations(range(len(alike[0])), len(alike)):
            if not all(at in places for places, at in zip(somewhere, chosen, strict=True)):
                continue
            here = true.copy()
            for things, at in zip(alike, chosen, strict=True):
                here &= things[at]
            for relation in meaning.relations:
                here &= self._lies(chosen[relation.one], relation.direction, chosen[relation.other])
            found |= here
        return found

    def _alike(self, mention: Mention) -> Truths:
        """Which things are as a mention says, (4, n)."""
        alike: Truths = np.not_equal(self._columns["shape"], _NOTHING)
        for name, value in mention.said().items():
            alike &= self._columns[name] == _VALUES[name].index(value)
        return alike

    def _lies(self, one: int, direction: str, other: int) -> Truths:
        axis, sign = _DIRECTIONS[direction]
        places = self._columns[axis]
        lies: Truths = places[one] < places[other] if sign < 0 else places[one] > places[other]
        return lies


_NOTHING = -1
_VALUES: dict[str, tuple[Any, ...]] = {
    "shape": SHAPES,
    "colour": COLOURS,
    "size": SIZES,
    "texture": TEXTURES,
    "row": (0, 1, 2),
    "column": (0, 1, 2),
}
