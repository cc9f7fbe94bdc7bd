"""Questions to click before one has any of one's own, drawn from metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["examples_in"]

_MOST = 6
_LONGEST = 60  # characters: what is longer is no question
_SUFFIX = re.compile(r"\.\w{1,5}$")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")  # letters, as in "day's"


def examples_in(metadata: Iterable[str]) -> list[str]:
    r"""Up to six different questions from all over; none where names differ by their numbers only.

    Args:
        metadata: of rows whose names may be words, with or without folders and suffixes.

    >>> examples_in(["cats/white_cat-07.jpg", "a boat at sea", "white_cat-08.jpg", "0031.png"])
    ['white cat', 'a boat at sea']
    >>> examples_in(["IMG_0001.jpg", "IMG_0002.jpg"])
    []
    """
    found = dict.fromkeys(_question(text) for text in metadata)
    questions = [text for text in found if text]
    if len(questions) < 2:
        return []
    count = min(len(questions), _MOST)
    return [questions[len(questions) * place // count] for place in range(count)]


def _question(text: str) -> str:
    """A sentence as it is, of a path the words in its last part."""
    if " " in text and not _SUFFIX.search(text):
        words = text.strip()
    else:
        name = _SUFFIX.sub("", re.split(r"[/\\]", text)[-1])
        words = " ".join(_WORD.findall(name))
    return words if len(words) <= _LONGEST else ""
