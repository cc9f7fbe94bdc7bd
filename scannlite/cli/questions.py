"""What is asked: sentences, what is in the files of pictures and sounds, or what stands in."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scannlite.cli.output import words_of
from scannlite.cli.paths import read_lines
from scannlite.embedders.audio import AudioPreprocessor
from scannlite.embedders.embedder import Embedder
from scannlite.embedders.pictures import decode_image
from scannlite.embedders.sounds import decode_sound
from scannlite.engine.storage import load
from scannlite.errors import InvalidInput
from scannlite.types import AnyArray, Floats

__all__ = ["embedding_of", "item_of", "lines_of_input", "questions_in", "stand_ins"]

Question = str | AnyArray

_MOST_SENTENCES = 1_000
_NOISES = 8
_PICTURE = (480, 640, 3)
_SAMPLES = 16_000  # a second, for most models


def item_of(embedder: Embedder, question: Question) -> Any:
    """What an embedder takes: a sentence itself, of pictures and sounds what is in their file.

    Raises:
        InvalidInput: the file is damaged, or something else.
        MissingExtra: the library that decodes is not installed.
        OSError: it cannot be read.
    """
    if not isinstance(question, str) or embedder.kind == "text":
        return question
    if isinstance(embedder.preprocessor, AudioPreprocessor):
        return decode_sound(question, embedder.preprocessor.sample_rate)
    return decode_image(question)


def embedding_of(embedder: Embedder, question: str) -> Floats:
    """The embedding (d,) of a sentence, or of what is in a file.

    Raises:
        InvalidInput: the file is damaged, something else, or of no use to the model.
        MissingExtra: the library that decodes is not installed.
        ModelError: the model fails.
        OSError: the file cannot be read.
    """
    item = item_of(embedder, question)
    try:
        return embedder.embed(item)
    except InvalidInput as error:
        raise InvalidInput(f"{question}: {error}") from error


def lines_of_input() -> list[str]:
    """Questions on standard input, one a line.

    Raises:
        InvalidInput: there are none, or they are no text in UTF-8.
    """
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"standard input must be UTF-8 text, got {error}.") from error
    return _some(text.splitlines(), "standard input")


def questions_in(path: Path, embedder: Embedder) -> list[str]:
    """Sentences, a line of a file each; or a file, or the files of a folder but metadata's.

    Raises:
        InvalidInput: there are none, or they are no text in UTF-8.
        OSError: the path cannot be read.
    """
    if embedder.kind == "text":
        return _some(read_lines(path), str(path))
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    kept = [file for file in files if not file.is_dir() and file.suffix.lower() != ".dat"]
    return _some([str(file) for file in kept], str(path))


def stand_ins(index: Path, embedder: Embedder) -> Sequence[Question]:
    """Where no queries are given: the metadata of an index for sentences, else noise.

    The index is opened once more for it: to look so much metadata up would speed up later queries.

    Raises:
        InvalidInput: the index has no metadata.
    """
    rng = np.random.default_rng(0)
    if embedder.kind == "image":
        return list(rng.integers(0, 256, (_NOISES, *_PICTURE), np.uint8))
    if embedder.kind == "audio":
        return list(rng.uniform(-1, 1, (_NOISES, _SAMPLES)).astype(np.float32))
    metadata = load(index).metadata or ()
    places = np.linspace(0, len(metadata) - 1, min(len(metadata), _MOST_SENTENCES)).astype(int)
    return _some([words_of(metadata[place]) for place in places.tolist()], f"metadata of {index}")


def _some(lines: list[str], where: str) -> list[str]:
    """Those that are not blank, at least one."""
    kept = [line for line in lines if line.strip()]
    if not kept:
        raise InvalidInput(f"{where} must hold at least one query, got none.")
    return kept
