"""The words for what is in a scene; the first of each is the plainest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = [
    "BACKGROUND_WORDS",
    "COLOUR_WORDS",
    "DIRECTION_WORDS",
    "JOINTS",
    "OPENINGS",
    "OTHER_SPELLINGS",
    "PATTERN",
    "PLACE_WORDS",
    "SHAPE_WORDS",
    "SIZE_WORDS",
    "SOMETHING_WORDS",
    "TEXTURE_WORDS",
    "WITH_TEXTURE_WORDS",
    "every_word",
    "words_of",
]

PATTERN = r"[^\w']+"
"""What separates words."""

SHAPE_WORDS = {
    "circle": ("circle", "disc", "ball"),
    "square": ("square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "heart": ("heart",),
    "cross": ("cross", "plus"),
}
SOMETHING_WORDS = ("thing", "shape", "object")
COLOUR_WORDS = {
    "red": ("red", "crimson"),
    "orange": ("orange",),
    "yellow": ("yellow", "golden"),
    "green": ("green",),
    "blue": ("blue",),
    "purple": ("purple", "violet"),
    "pink": ("pink", "rosy"),
    "white": ("white",),
}
SIZE_WORDS = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
TEXTURE_WORDS = {
    "plain": ("plain", "solid"),
    "striped": ("striped", "stripy"),
    "dotted": ("dotted", "spotted"),
    "checkered": ("checkered", "chequered"),
}
WITH_TEXTURE_WORDS = {  # behind the shape
    "plain": ("without a pattern",),
    "striped": ("with stripes",),
    "dotted": ("with dots", "with spots"),
    "checkered": ("with checks", "with a checkerboard pattern"),
}
PLACE_WORDS = {
    (0, 0): ("at the top left", "in the upper left corner", "top left"),
    (0, 1): ("at the top centre", "top centre"),
    (0, 2): ("at the top right", "in the upper right corner", "top right"),
    (1, 0): ("at the centre left", "middle left"),
    (1, 1): ("in the centre", "in the middle", "in the very middle"),
    (1, 2): ("at the centre right", "middle right"),
    (2, 0): ("at the bottom left", "in the lower left corner", "bottom left"),
    (2, 1): ("at the bottom centre", "bottom centre"),
    (2, 2): ("at the bottom right", "in the lower right corner", "bottom right"),
    (0, None): ("at the top", "up top"),
    (2, None): ("at the bottom", "down low"),
    (None, 0): ("on the left", "on the left side"),
    (None, 2): ("on the right", "on the right side"),
}
DIRECTION_WORDS = {
    "left": ("left of", "to the left of", "is left of"),
    "right": ("right of", "to the right of", "is right of"),
    "above": ("above", "over", "is higher than"),
    "below": ("below", "under", "beneath", "is lower than"),
}
BACKGROUND_WORDS = {
    "grass": ("on grass", "on the grass", "in a meadow", "on a green lawn"),
    "sand": ("on sand", "on the sand", "on a sandy beach", "in the desert"),
    "sky": ("in the sky", "against a blue sky", "among clouds"),
    "night": ("at night", "in the night sky", "in the dark"),
    "bricks": ("on a brick wall", "on bricks", "in front of a wall"),
    "snow": ("on snow", "in the snow", "on white snow"),
    "paper": ("on paper", "on graph paper", "on a sheet of squared paper"),
    "wood": ("on wood", "on a wooden table", "on wooden boards"),
}
JOINTS = ("a", "an", "something", "and", "with")
OPENINGS = ("", "", "", "a picture of", "there is", "show me", "an image with", "find")


def _plural(word: str) -> str:
    return f"{word}es" if word.endswith(("s", "x")) else f"{word}s"


OTHER_SPELLINGS = {
    **{_plural(word): word for texts in SHAPE_WORDS.values() for word in texts},
    **{_plural(word): word for word in SOMETHING_WORDS},
    "center": "centre",
    "checked": "checkered",
    "stripey": "stripy",
}
"""Words that no sentence here uses but people do, each with the word that it is taken for."""


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [word for word in re.split(PATTERN, text.lower()) if word]


def every_word() -> Iterator[str]:
    """All that sentences are made of, some of them more than once."""
    for table in _TABLES:
        for texts in table.values():
            for text in texts:
                yield from words_of(text)
    for text in (*SOMETHING_WORDS, *OPENINGS, *JOINTS):
        yield from words_of(text)


_TABLES: tuple[Mapping[Any, tuple[str, ...]], ...] = (
    SHAPE_WORDS,
    COLOUR_WORDS,
    SIZE_WORDS,
    TEXTURE_WORDS,
    WITH_TEXTURE_WORDS,
    PLACE_WORDS,
    DIRECTION_WORDS,
    BACKGROUND_WORDS,
)
