"""What searchers of every kind of item share."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from scannlite.embedders.embedder import Embedder
from scannlite.engine.door import as_bytes
from scannlite.engine.index import Index
from scannlite.errors import IndexFileError, InvalidInput
from scannlite.task.core import BaseOptions
from scannlite.task.opening import EmbedderOf, as_max_results, check_kinds, open_index, open_model
from scannlite.task.processor import EmbeddingOptions, NearestNeighbor, SearchOptions, SearchResult

__all__ = ["Searcher", "SearcherOptions"]

S = TypeVar("S", bound="Searcher")


@dataclass(slots=True)
class SearcherOptions:
    """Options of a searcher; they are looked at when it is created, and not again.

    Attributes:
        base_options: the model.
        embedding_options: what is done to its embeddings.
        search_options: the index, and how much is wanted of it.
    """

    base_options: BaseOptions
    embedding_options: EmbeddingOptions = field(default_factory=EmbeddingOptions)
    search_options: SearchOptions = field(default_factory=SearchOptions)


class Searcher:
    """An embedder and an index of embeddings; searched from any number of threads.

    Made by ``create_from_file`` or ``create_from_options``.
    """

    _options_of: ClassVar[type[SearcherOptions]]
    _embedder_of: ClassVar[EmbedderOf]

    def __init__(
        self, options: SearcherOptions, embedder: Embedder, index: Index, max_results: int
    ) -> None:
        """For ``create_from_options``: all are taken as sound and as fitting each other."""
        self._options = options
        self._embedder, self._index = embedder, index
        self._metadata = index.metadata
        # More than there are would be found as -1.
        self._k = min(max_results, max(len(index), 1))

    @classmethod
    def create_from_file(  # noqa: PYI019 - Self needs Python 3.11
        cls: type[S],
        model_file_path: str | os.PathLike[str],
        index_file_path: str | os.PathLike[str] | None = None,
    ) -> S:
        """Open a searcher.

        Args:
            model_file_path: of a ``.tflite`` file.
            index_file_path: of an index; None for the one inside the model.

        Raises:
            InvalidInput: an argument is empty, or index and model have different dimensions.
            IndexFileError: the index is damaged, or there is none.
            ModelError: the model is damaged, of another kind, or beyond the runtime.
            MissingExtra: no runtime is installed, or no library that reads index files.
            OSError: a file cannot be read.
        """
        base, search = BaseOptions(model_file_path), SearchOptions(index_file_path)
        return cls.create_from_options(cls._options_of(base, search_options=search))

    @classmethod
    def create_from_options(cls: type[S], options: SearcherOptions) -> S:  # noqa: PYI019
        """Open a searcher.

        Args:
            options: of this kind of searcher.

        Raises:
            InvalidInput: an option cannot be used, or index and model have different dimensions.
            InvalidType: options are of another kind.
            IndexFileError: the index is damaged, or there is none.
            ModelError: the model is damaged, of another kind, or beyond the runtime.
            MissingExtra: no runtime is installed, or no library that reads index files.
            OSError: a file cannot be read.
        """
        check_kinds(options, cls._options_of)
        if options.embedding_options.quantize:
            raise InvalidInput("embedding_options.quantize must be off for a searcher, got True.")
        max_results = as_max_results(options.search_options)
        embedder = open_model(cls._embedder_of, options.base_options, options.embedding_options)
        index = open_index(options.search_options, embedder)
        return cls(options, embedder, index, max_results)

    @property
    def options(self) -> SearcherOptions:
        """What it was created from."""
        return self._options

    def get_user_info(self) -> str:
        """What the maker of the index wrote for who loads it; "" if that is nothing.

        Raises:
            IndexFileError: it is no text in UTF-8: ``get_user_info_bytes`` has it.
        """
        try:
            return self._index.userinfo.decode("utf-8")
        except UnicodeDecodeError as error:
            raise IndexFileError(
                f"user info must be text in UTF-8, got the byte {error.object[error.start]:#04x} "
                f"at {error.start}: get_user_info_bytes() returns it as it is."
            ) from error

    def get_user_info_bytes(self) -> bytes:
        """The same, whatever it is."""
        return self._index.userinfo

    def _nearest(self, item: Any) -> SearchResult:
        """The neighbours of one item."""
        distances, rows = self._index.search(self._embedder.embed(item), self._k)
        metadata_of = self._metadata_of
        return SearchResult(
            [
                NearestNeighbor(metadata_of(row), distance)
                for row, distance in zip(rows.tolist(), distances.tolist(), strict=True)
                if row >= 0
            ]
        )

    def _metadata_of(self, row: int) -> bytearray:
        """A row's metadata, or its number in decimal digits in an index that has none."""
        if self._metadata is None:
            return bytearray(b"%d" % row)
        return bytearray(as_bytes("metadata", self._metadata[row]))
