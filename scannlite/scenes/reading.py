"""What a sentence that somebody typed says, as far as its words are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from scannlite.scenes import words
from scannlite.scenes.meaning import Meaning, Mention, Relation

__all__ = ["meaning_of"]


def meaning_of(text: str) -> Meaning:
    """What a text says, None for what it does not; words that are not known say nothing.

    What stands before a shape belongs to it, and so does a place or "with stripes" behind it.
    """
    mentions: list[Mention] = []
    relations: list[Relation] = []
    background = direction = None
    waiting: dict[str, Any] = {}  # attributes of the next thing
    is_open = False  # behind "something", attributes belong to it
    spoken = [words.OTHER_SPELLINGS.get(word, word) for word in words.words_of(text)]
    for kind, value in _known(spoken):
        if kind == "background":
            background = value
        elif kind == "direction":
            direction, is_open = value, False
        elif kind == "joint":
            is_open = False
        elif kind == "thing":
            mentions.append(Mention(**waiting, **value))
            if direction is not None and len(mentions) > 1:
                relations.append(Relation(direction, len(mentions) - 2, len(mentions) - 1))
            is_open = not waiting and not value
            waiting, direction = {}, None
        elif kind == "before" and not (is_open and mentions):
            waiting |= value
        elif mentions:
            mentions[-1] = replace(mentions[-1], **value)
    if waiting:
        mentions.append(Mention(**waiting))
    return Meaning(tuple(mentions), tuple(relations), background)


_Known = tuple[str, Any]  # what kind of words these are, and what they say


def _known(spoken: list[str]) -> Iterator[_Known]:
    """The known phrases of a sentence, the longest that starts at each word."""
    at = 0
    while at < len(spoken):
        for length in range(_LONGEST, 0, -1):
            found = _PHRASES.get(tuple(spoken[at : at + length]))
            if found is not None and at + length <= len(spoken):
                yield found
                at += length - 1
                break
        at += 1


def _phrases() -> Iterator[tuple[tuple[str, ...], _Known]]:
    tables: tuple[tuple[str, str, Mapping[str, tuple[str, ...]]], ...] = (
        ("thing", "shape", words.SHAPE_WORDS),
        ("before", "colour", words.COLOUR_WORDS),
        ("before", "size", words.SIZE_WORDS),
        ("before", "texture", words.TEXTURE_WORDS),
        ("behind", "texture", words.WITH_TEXTURE_WORDS),
    )
    for kind, name, table in tables:
        for value, texts in table.items():
            for text in texts:
                yield _key(text), (kind, {name: value})
    for (row, column), texts in words.PLACE_WORDS.items():
        for text in texts:
            yield _key(text), ("behind", {"row": row, "column": column})
    for kind, said in (
        ("direction", words.DIRECTION_WORDS),
        ("background", words.BACKGROUND_WORDS),
    ):
        for value, texts in said.items():
            for text in texts:
                yield _key(text), (kind, value)
    for text in ("something", *words.SOMETHING_WORDS):
        yield _key(text), ("thing", {})
    for text in ("and", "with"):
        yield _key(text), ("joint", None)


def _key(text: str) -> tuple[str, ...]:
    return tuple(words.words_of(text))


_PHRASES: dict[tuple[str, ...], _Known] = dict(_phrases())
_LONGEST = max(map(len, _PHRASES))
