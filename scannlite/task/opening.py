"""The door of the tasks: from options to an embedder and an index, or one clear sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from scannlite.embedders.embedder import Embedder
from scannlite.embedders.model import Model, Source
from scannlite.engine.door import as_whole
from scannlite.engine.index import Index
from scannlite.errors import InvalidInput, InvalidType
from scannlite.task.core import BaseOptions
from scannlite.task.processor import EmbeddingOptions, SearchOptions

__all__ = ["EmbedderOf", "as_kind", "as_max_results", "check_kinds", "open_index", "open_model"]

EmbedderOf = Callable[..., Embedder]
"""``text_embedder`` or another of its form."""

T = TypeVar("T")
_KINDS = {
    "base_options": BaseOptions,
    "embedding_options": EmbeddingOptions,
    "search_options": SearchOptions,
}
_MAX_RESULTS = 5
_MOST_RESULTS = 2**31 - 1


def as_kind(name: str, value: Any, kind: type[T]) -> T:
    """An argument that must be of a class.

    Raises:
        InvalidType: it is of another.
    """
    if not isinstance(value, kind):
        raise InvalidType(f"{name} must be {kind.__name__}, got {value!r}.")
    return value


def check_kinds(options: Any, kind: type[Any]) -> None:
    """Refuse options of another class, or with a part of another class.

    Raises:
        InvalidType: they are.
    """
    as_kind("options", options, kind)
    for part in fields(options):
        as_kind(part.name, getattr(options, part.name), _KINDS[part.name])


def open_model(embedder_of: EmbedderOf, base: BaseOptions, embedding: EmbeddingOptions) -> Embedder:
    """The embedder that options ask for.

    Raises:
        InvalidInput: an option has no place here, or there is neither a name nor content.
        InvalidType: an option is of another kind.
        ModelError: the model is damaged, of another kind, or beyond the runtime.
        MissingExtra: no runtime is installed.
        OSError: the file cannot be read.
    """
    source = _source("base_options.file", base.file_name, base.file_content)
    if base.use_coral:
        raise InvalidInput("base_options.use_coral must be None or False, got True.")
    return embedder_of(
        source,
        l2_normalize=bool(embedding.l2_normalize),
        num_threads=_threads(base.num_threads),
    )


def _threads(number: int | None) -> int | None:
    """None for the runtime's own choice."""
    name = "base_options.num_threads"
    if number is None or as_whole(name, number, -1) == -1:
        return None
    if number == 0:
        raise InvalidInput(f"{name} must be -1 or from 1, got 0.")
    return number


def as_max_results(options: SearchOptions) -> int:
    """How many neighbours are wanted.

    Raises:
        InvalidInput: less than one.
        InvalidType: not a whole number.
    """
    if options.max_results is None:
        return _MAX_RESULTS
    return as_whole("search_options.max_results", options.max_results, 1, _MOST_RESULTS)


def open_index(options: SearchOptions, embedder: Embedder) -> Index:
    """The index that options name, or else the one inside the embedder's model.

    Raises:
        InvalidInput: its rows have other dimensions than the embedder's embeddings.
        InvalidType: an option is of another kind.
        IndexFileError: it is damaged, or the model has none inside.
        MissingExtra: a library that reads index files is not installed.
        OSError: the file cannot be read.
    """
    named = options.index_file_name, options.index_file_content
    if named == (None, None):
        source = _source_of(embedder.model)
    else:
        source = _source("search_options.index_file", *named)
    index = Index.load(source)
    if index.dimensions != embedder.dimensions:
        name = "<bytes>" if isinstance(source, bytes) else os.fspath(source)
        raise InvalidInput(
            f"index {name} and model {embedder.model.name} must have the same dimensions, "
            f"got {index.dimensions} and {embedder.dimensions}."
        )
    return index


def _source_of(model: Model) -> Source:
    """Where a model was read from; bytes are copied only if they could change."""
    if model.path is not None:
        return model.path
    given = model.span.data.obj
    return given if isinstance(given, bytes) else bytes(model.span.data)


def _source(option: str, name: Any, content: Any) -> Source:
    """What options name: content goes before a name, and what is empty counts as not there."""
    if not isinstance(content, (bytes, bytearray, memoryview, type(None))):
        raise InvalidType(f"{option}_content must be bytes, got {type(content).__name__}.")
    if content:
        return bytes(content)
    if not isinstance(name, (str, os.PathLike, type(None))):
        raise InvalidType(f"{option}_name must be a path, got {type(name).__name__}.")
    if name:
        return name
    raise InvalidInput(
        f"{option}_name or {option}_content must specify an external file, got neither."
    )
