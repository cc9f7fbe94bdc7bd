"""Words and their numbers, as a regex tokenizer of the Task Library has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scannlite.scenes.words import words_of

__all__ = ["Vocabulary"]

PAD, UNKNOWN = 0, 1
_FIRST = 2


class Vocabulary:
    """Words, each with a number from 2; 0 pads a sentence, 1 is any word that is not known.

    Args:
        words: in small letters, their order gives their numbers.
        others: further words, each with the one whose number it gets.
    """

    def __init__(self, words: Iterable[str], others: Mapping[str, str] | None = None) -> None:
        self.words = tuple(dict.fromkeys(words))
        self._numbers = {word: number for number, word in enumerate(self.words, _FIRST)}
        for other, word in (others or {}).items():
            self._numbers.setdefault(other, self._numbers[word])

    def __len__(self) -> int:
        """How many numbers there are, those of padding and of unknown words included."""
        return len(self.words) + _FIRST

    def numbers(self, text: str, length: int) -> list[int]:
        """The numbers of a text's words, cut or padded to a length."""
        found = [self._numbers.get(word, UNKNOWN) for word in words_of(text)[:length]]
        return found + [PAD] * (length - len(found))

    def encoded(self, texts: Sequence[str], length: int) -> NDArray[np.int32]:
        """(q, length) int32."""
        return np.array([self.numbers(text, length) for text in texts], np.int32)

    def file(self) -> bytes:
        """Lines of a word and its number.

        The Task Library does not turn capitals into small letters, so each word is there three
        times, as "word", "Word" and "WORD", with the same number.
        """
        lines = [f"<PAD> {PAD}", f"<UNKNOWN> {UNKNOWN}"]
        for word, number in self._numbers.items():
            spellings = dict.fromkeys((word, word.capitalize(), word.upper()))
            lines += [f"{spelling} {number}" for spelling in spellings]
        return "".join(f"{line}\n" for line in lines).encode()
