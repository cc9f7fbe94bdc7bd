"""From texts to the numbers that models know words by, the same as on phones.

Each tokenizer is made from what a model's metadata say, with the vocabulary that is packed in the
model. ``numbers`` gives them one by one, so that a long text costs no more than a model's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, groupby

import numpy as np

from scannlite.embedders.delimiters import splitter
from scannlite.embedders.model import Model
from scannlite.embedders.punctuation import PUNCTUATION
from scannlite.extras import imported
from scannlite.files.model_metadata import (
    BertTokenizerOptions,
    RegexTokenizerOptions,
    SentencePieceTokenizerOptions,
)
from scannlite.files.span import Span

__all__ = ["BertTokenizer", "RegexTokenizer", "SentencePiece"]

_EXTRA = "text"
_START, _PADDING, _UNKNOWN = "<START>", "<PAD>", "<UNKNOWN>"
_FIRST, _LAST, _UNKNOWN_PIECE = "[CLS]", "[SEP]", "[UNK]"
_INT32 = np.iinfo(np.int32)

# A word up to the first space, then what C reads as a whole number.
_NUMBERED_WORD = re.compile(r"([^ ]*) [\t\v\f\r]*([+-]?[0-9]{1,99})", re.DOTALL)
_BLANKS = r"\t\n\f\r "
_BERT_WORD = rf"[^{_BLANKS}{PUNCTUATION}]+|[{PUNCTUATION}]"
_MOST_BYTES = 100  # a longer word is unknown to BERT
_SURELY_FEWER = _MOST_BYTES // 4  # characters
_BYTE_PIECE = re.compile("<0x[0-9A-F]{2}>")


class RegexTokenizer:
    """Words between delimiters, each with a number of its own.

    A vocabulary has a line ``word number`` for each, in any order; what follows the number does
    not count, of two lines with the same word the later one does. If ``<START>`` is among them,
    it goes before every text.

    Args:
        model: whose tokenizer it is, for messages.
        options: the pattern of delimiters, and the vocabulary.

    Attributes:
        padding: the number of ``<PAD>``.

    Raises:
        ModelError: there is no vocabulary, it is damaged, or without ``<PAD>`` or ``<UNKNOWN>``;
            or the pattern is none.
        MissingExtra: the pattern needs google-re2, which is not installed.
    """

    def __init__(self, model: Model, options: RegexTokenizerOptions) -> None:
        self._numbers = _numbered_words(model, options.vocabulary)
        for word in (_PADDING, _UNKNOWN):
            _check_word(model, self._numbers, word)
        self._start = (self._numbers[_START],) if _START in self._numbers else ()
        self.padding, self._unknown = self._numbers[_PADDING], self._numbers[_UNKNOWN]
        self._split = splitter(model, options.pattern)

    def numbers(self, text: str) -> Iterator[int]:
        """That of ``<START>``, then those of the words in their order."""
        number_of, unknown = self._numbers.get, self._unknown
        words = (number_of(word, unknown) for word in self._split(text))
        return chain(self._start, words)


class BertTokenizer:
    """Words and marks of punctuation, each cut into the longest pieces that are known.

    A vocabulary has a piece a line, whose number is that of the line; pieces that go on with a
    word begin with ``##``. Capital letters of ASCII are made small, no others. A text ends where a
    character NUL is.

    Args:
        model: whose tokenizer it is, for messages.
        options: the vocabulary.

    Attributes:
        first: the number of ``[CLS]``, which goes before a text.
        last: the number of ``[SEP]``, which goes after it.

    Raises:
        ModelError: there is no vocabulary, or without ``[CLS]``, ``[SEP]`` or ``[UNK]``.
    """

    def __init__(self, model: Model, options: BertTokenizerOptions) -> None:
        self._words = re.compile(_BERT_WORD)
        lines = filter(None, _lines(model, options.vocabulary))
        self._numbers = {piece: number for number, piece in enumerate(lines)}
        for piece in (_FIRST, _LAST, _UNKNOWN_PIECE):
            _check_word(model, self._numbers, piece)
        self.first, self.last = self._numbers[_FIRST], self._numbers[_LAST]
        self._unknown = self._numbers[_UNKNOWN_PIECE]

    def numbers(self, text: str) -> Iterator[int]:
        """Those of the pieces, in their order, without ``first`` and ``last``."""
        for word in self._words.finditer(_lowered(text).partition("\0")[0]):
            yield from self._pieces(word[0])

    def _pieces(self, word: str) -> list[int]:
        if len(word) > _SURELY_FEWER and len(word.encode()) > _MOST_BYTES:
            return [self._unknown]
        found, begin, end, prefix = [], 0, len(word), ""
        while begin < len(word):
            number = self._numbers.get(prefix + word[begin:end])
            if number is not None:
                found.append(number)
                begin, end, prefix = end, len(word), "##"
            elif end - begin > 1:
                end -= 1
            else:
                return [self._unknown]
        return found


class SentencePiece:
    """Pieces of a text as the library of that name cuts it, in place of those of BERT.

    Args:
        model: whose tokenizer it is, for messages.
        options: what was trained.

    Attributes:
        first: the number of ``[CLS]``, which goes before a text; of unknown pieces if it is one.
        last: the number of ``[SEP]``, which goes after it, likewise.

    Raises:
        ModelError: nothing that was trained is there, or it is damaged.
        MissingExtra: sentencepiece is not installed.
    """

    def __init__(self, model: Model, options: SentencePieceTokenizerOptions) -> None:
        library = imported("sentencepiece", _EXTRA, "a SentencePiece tokenizer")
        if options.model is None:
            raise model.wrong("SentencePiece tokenizer", "a trained model of its own", "none")
        self._trained = library.SentencePieceProcessor()
        try:
            self._trained.LoadFromSerializedProto(bytes(options.model.data))
        except RuntimeError as error:
            raise model.wrong("SentencePiece tokenizer", "a trained model", error) from error
        self.first, self.last, zero = self._trained.piece_to_id([_FIRST, _LAST, "<0x00>"])
        self._cuts_to_bytes = self._trained.is_byte(zero)

    def numbers(self, text: str) -> Iterator[int]:
        """Those of the pieces, in their order, without ``first`` and ``last``."""
        # By way of their letters, as phones do: what is unknown may spell a piece that is known.
        pieces = self._trained.encode(_lowered(text), out_type=str)
        if self._cuts_to_bytes:
            pieces = _without_bytes(pieces)
        return iter(self._trained.piece_to_id(pieces))


def _without_bytes(pieces: list[str]) -> list[str]:
    """With the bytes of what is unknown put together again: the library of phones cuts none."""
    whole: list[str] = []
    for of_bytes, run in groupby(pieces, lambda piece: _BYTE_PIECE.fullmatch(piece) is not None):
        parts = list(run)
        whole += [bytes(int(part[3:5], 16) for part in parts).decode()] if of_bytes else parts
    return whole


def _lowered(text: str) -> str:
    """With small letters for the capitals of ASCII, and of nothing else."""
    return text.lower() if text.isascii() else text.encode().lower().decode()


def _numbered_words(model: Model, vocabulary: Span | None) -> dict[str, int]:
    numbers = {}
    for place, line in enumerate(_lines(model, vocabulary), 1):
        found = _NUMBERED_WORD.match(line)
        if found:
            numbers[found[1]] = int(found[2])
        elif line:
            raise model.wrong(f"line {place} of the vocabulary", "'word number'", repr(line))
    least, most = min(numbers.values(), default=0), max(numbers.values(), default=0)
    if least < _INT32.min or most > _INT32.max:
        raise model.wrong("vocabulary", "numbers of 32 bits", f"{least} to {most}")
    return numbers


def _lines(model: Model, vocabulary: Span | None) -> list[str]:
    """As they are; bytes that are no UTF-8 become what no text has."""
    if vocabulary is None:
        raise model.wrong("tokenizer", "a vocabulary", "none")
    return bytes(vocabulary.data).decode(errors="surrogateescape").split("\n")


def _check_word(model: Model, numbers: dict[str, int], word: str) -> None:
    if word not in numbers:
        raise model.wrong("vocabulary", f"the word {word}", f"none among {len(numbers)} words")
