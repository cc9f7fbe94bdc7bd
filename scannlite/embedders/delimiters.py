"""What cuts a text into words: a pattern of RE2, which ``re`` reads the same, otherwise, or not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from scannlite.embedders.model import Model
from scannlite.extras import imported

__all__ = ["splitter"]

_EXTRA = "text"
_SPACES = r"\t\n\f\r "  # for RE2; for ``re`` there is one more, \v

# What both read the same, once ``\s`` is spelt out and groups are not kept: characters, sets and
# alternatives, the first two perhaps repeated. All else is left to RE2 itself.
_PUNCTUATION = r"\\[!-/:-@\[-`{-~]"
_CHARACTER = rf"[^\\^$|?*+()\[\]{{}}]|{_PUNCTUATION}|\\[dDwWsStnrfv]"
_RANGE = r"[0-9]-[0-9]|[a-z]-[a-z]|[A-Z]-[A-Z]|[^\x00-\x7f]-[^\x00-\x7f]"
_MEMBER = rf"{_RANGE}|[^\\\[\]^&|~-]|{_PUNCTUATION}|\\[dDwWstnrfv]"
_SET = rf"\[\^?-?(?:{_MEMBER})+-?\]"
_ALIKE = re.compile(
    rf"(?:(?:{_CHARACTER}|{_SET})(?:[*+?]\??)?|\((?:\?:)?|\)(?![*+?{{])|\|)*", re.DOTALL
)
_BYTE = re.compile(r"(?<!\\)(?:\\\\)*\\C")
_TO_TRANSLATE = re.compile(rf"{_SET}|\\.|\((?!\?)", re.DOTALL)

Split = Callable[[str], Iterator[str]]
"""Gives the words of a text, none of them empty."""


def splitter(model: Model, pattern: str) -> Split:
    r"""What gives the words between delimiters, with the words that phones find.

    They look for the first delimiter, cut it off with all before it, and look again at what is
    left, where ``^`` matches anew. ``\w``, ``\d`` and ``\s`` know ASCII only.

    Args:
        model: whose pattern it is, for messages.
        pattern: of a delimiter, in the syntax of RE2.

    Raises:
        ModelError: it is no pattern, or matches where there is nothing: on phones without end.
        MissingExtra: google-re2, which this pattern needs, is not installed.
    """
    delimiter = _alike(pattern)
    if delimiter is None:
        delimiter = _by_re2(model, pattern)
        words = _words_by_re2(model, pattern, delimiter)
    else:
        words = _words_by_re(delimiter)
    if delimiter.search("") is not None:
        raise _endless(model, pattern)
    return words


def _alike(pattern: str) -> re.Pattern[str] | None:
    """The same for ``re``; None for a pattern that it might read otherwise."""
    if not _ALIKE.fullmatch(pattern):
        return None
    try:
        return re.compile(_TO_TRANSLATE.sub(_translated, pattern), re.ASCII)
    except (re.error, RecursionError):
        return None


def _translated(found: re.Match[str]) -> str:
    part = found[0]
    if part == "(":
        return "(?:"
    if part[0] == "[":
        return re.sub(r"\\(.)", lambda one: _SPACES if one[1] == "s" else one[0], part)
    return {r"\s": f"[{_SPACES}]", r"\S": f"[^{_SPACES}]"}.get(part, part)


def _words_by_re(delimiter: re.Pattern[str]) -> Split:
    def words(text: str) -> Iterator[str]:
        return filter(None, delimiter.split(text))

    return words


def _by_re2(model: Model, pattern: str) -> Any:
    re2 = imported("re2", _EXTRA, f"the pattern {pattern!r} of a regex tokenizer")
    options = re2.Options()
    options.log_errors = False
    try:
        delimiter = re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0].decode(errors="replace")
        raise model.wrong("regex tokenizer", "a pattern of RE2", f"an error: {said}") from error
    if _BYTE.search(pattern):
        raise model.wrong("regex tokenizer", "a pattern of whole characters", repr(pattern))
    return delimiter


def _words_by_re2(model: Model, pattern: str, delimiter: Any) -> Split:
    def words(text: str) -> Iterator[str]:
        left = text
        while found := delimiter.search(left):
            if found.end() == 0:
                raise _endless(model, pattern)
            if found.start() > 0:
                yield left[: found.start()]
            left = left[found.end() :]
        if left:
            yield left

    return words


def _endless(model: Model, pattern: str) -> Exception:
    expected = "a pattern that matches at least one character"
    return model.wrong("regex tokenizer", expected, repr(pattern))
