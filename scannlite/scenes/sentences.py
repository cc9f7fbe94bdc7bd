"""Sentences that are true of a scene, in many wordings, each with its meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scannlite.scenes import words
from scannlite.scenes.describe import Scene, Thing
from scannlite.scenes.dice import Dice
from scannlite.scenes.meaning import Meaning, Mention, Relation

__all__ = ["KINDS", "Sentence", "full", "partial"]


@dataclass(frozen=True)
class Sentence:
    """A sentence and what it says."""

    text: str
    meaning: Meaning


def full(scene: Scene, dice: Dice) -> Sentence:
    """A sentence that tells all of a scene: every thing with its attributes and place."""
    things = dice.some(scene.things, len(scene.things))
    mentions = tuple(_mention(thing, *_ATTRIBUTES, "row", "column") for thing in things)
    phrases = [_with_place(mention, dice) for mention in mentions]
    listed = f"{', '.join(phrases[:-1])} and {phrases[-1]}"
    text = _in_background(listed, scene.background, dice)
    return Sentence(text, Meaning(mentions, background=scene.background))


def partial(kind: str, scene: Scene, dice: Dice) -> Sentence:
    """A sentence that tells something of a scene.

    Args:
        kind: one of ``KINDS``.
        scene: of which the sentence is to be true.
        dice: what chooses.
    """
    return KINDS[kind](scene, dice)


# ---- kinds of partial sentences ----------------------------------------------------------------


def _attribute(scene: Scene, dice: Dice) -> Sentence:
    """One or two attributes without a shape, or a shape alone: "something blue", "a star"."""
    said = dice.of((("colour",), ("shape",), ("texture", "colour"), ("size", "shape")))
    return _one(scene, dice, *said)


def _object(scene: Scene, dice: Dice) -> Sentence:
    """Such as "a red star"."""
    return _one(scene, dice, "colour", "shape")


def _detail(scene: Scene, dice: Dice) -> Sentence:
    """Such as "a large red star", "a red star with dots"."""
    said = dice.of((("size",), ("texture",), ("size", "texture")))
    return _one(scene, dice, "colour", "shape", *said)


def _place(scene: Scene, dice: Dice) -> Sentence:
    """Such as "a red star on the left"."""
    place = dice.of((("row", "column"), ("row",), ("column",)))
    thing = dice.of(scene.things)
    if len(place) == 1 and getattr(thing, place[0]) == 1:  # nobody says so
        place = ("row", "column")
    mention = _mention(thing, "colour", "shape", *place)
    return _told(_with_place(mention, dice), Meaning((mention,)), dice)


def _background(scene: Scene, dice: Dice) -> Sentence:
    """Such as "a red star on sand"."""
    mention = _briefly(dice.of(scene.things), dice)
    text = _in_background(_phrase(mention, dice), scene.background, dice)
    return Sentence(text, Meaning((mention,), background=scene.background))


def _pair(scene: Scene, dice: Dice) -> Sentence:
    """Such as "a red star and a blue heart", "a star and something blue"."""
    mentions = tuple(_briefly(thing, dice) for thing in dice.some(scene.things, 2))
    one, other = (_phrase(mention, dice) for mention in mentions)
    return _told(f"{one} {dice.of(('and', 'and', 'with'))} {other}", Meaning(mentions), dice)


def _relation(scene: Scene, dice: Dice) -> Sentence:
    """Such as "a red star left of a blue heart", "a star above a heart"."""
    one, other = dice.some(scene.things, 2)
    directions = []
    if one.column != other.column:
        directions.append("left" if one.column < other.column else "right")
    if one.row != other.row:
        directions.append("above" if one.row < other.row else "below")
    direction = dice.of(directions)
    mentions = (_briefly(one, dice), _briefly(other, dice))
    before, behind = (_phrase(mention, dice) for mention in mentions)
    text = f"{before} {dice.of(words.DIRECTION_WORDS[direction])} {behind}"
    return _told(text, Meaning(mentions, (Relation(direction, 0, 1),)), dice)


KINDS: dict[str, Callable[[Scene, Dice], Sentence]] = {
    "attribute": _attribute,
    "object": _object,
    "detail": _detail,
    "place": _place,
    "background": _background,
    "pair": _pair,
    "relation": _relation,
}
"""Of partial sentences, by name."""


# ---- wording -----------------------------------------------------------------------------------

_ATTRIBUTES = ("shape", "colour", "size", "texture")


def _mention(thing: Thing, *said: str) -> Mention:
    return Mention(**{name: getattr(thing, name) for name in said})


def _briefly(thing: Thing, dice: Dice) -> Mention:
    """By colour and shape, or by one of them."""
    said = dice.of((("colour", "shape"), ("colour", "shape"), ("shape",), ("colour",)))
    return _mention(thing, *said)


def _one(scene: Scene, dice: Dice, *said: str) -> Sentence:
    mention = _mention(dice.of(scene.things), *said)
    return _told(_phrase(mention, dice), Meaning((mention,)), dice)


def _told(text: str, meaning: Meaning, dice: Dice) -> Sentence:
    return Sentence(f"{dice.of(words.OPENINGS)} {text}".strip(), meaning)


def _in_background(text: str, background: str, dice: Dice) -> str:
    where = dice.of(words.BACKGROUND_WORDS[background])
    if dice.below(4) == 0:
        return f"{where}, {text}"
    return f"{dice.of(words.OPENINGS)} {text} {where}".strip()


def _with_place(mention: Mention, dice: Dice) -> str:
    place = dice.of(words.PLACE_WORDS[mention.row, mention.column])
    return f"{_phrase(mention, dice)} {place}"


def _phrase(mention: Mention, dice: Dice) -> str:
    """What a mention says but for the place: "a small striped red star"."""
    behind = ""
    before: list[Any] = [mention.size and dice.of(words.SIZE_WORDS[mention.size])]
    if mention.texture is not None:
        if dice.below(3) == 0:
            behind = dice.of(words.WITH_TEXTURE_WORDS[mention.texture])
        else:
            before.append(dice.of(words.TEXTURE_WORDS[mention.texture]))
    before.append(mention.colour and dice.of(words.COLOUR_WORDS[mention.colour]))
    shapes = words.SHAPE_WORDS[mention.shape] if mention.shape else words.SOMETHING_WORDS
    named = [word for word in (*before, dice.of(shapes)) if word]
    if mention.shape is None and dice.below(2) == 0:
        named = ["something", *named[:-1]]
    elif dice.below(6):
        named.insert(0, "an" if named[0][0] in "aeiou" else "a")
    return " ".join([*named, behind]).strip()
