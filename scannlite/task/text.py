"""Texts: ``TextSearcher`` and ``TextEmbedder``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

from scannlite.embedders.text import text_embedder
from scannlite.task.embedding import EmbedderOptions, TaskEmbedder
from scannlite.task.processor import EmbeddingResult, SearchResult
from scannlite.task.searching import Searcher, SearcherOptions

__all__ = ["TextEmbedder", "TextEmbedderOptions", "TextSearcher", "TextSearcherOptions"]


@dataclass(slots=True)
class TextSearcherOptions(SearcherOptions):
    """Options of a ``TextSearcher``."""


@dataclass(slots=True)
class TextEmbedderOptions(EmbedderOptions):
    """Options of a ``TextEmbedder``."""


class TextSearcher(Searcher):
    """Finds what is nearest to a text, from any number of threads."""

    _options_of = TextSearcherOptions
    _embedder_of = staticmethod(text_embedder)

    @overload
    def search(self, text: str) -> SearchResult: ...
    @overload
    def search(self, text: list[str] | tuple[str, ...]) -> list[SearchResult]: ...
    def search(self, text: Any) -> Any:
        """Find the nearest neighbours of a text.

        Args:
            text: a ``str``, or several in a list or tuple.

        Returns:
            A ``SearchResult``, or one for each text.

        Raises:
            InvalidType: not a text.
            ModelError: the model fails.
        """
        if isinstance(text, (list, tuple)):
            return [self._nearest(one) for one in text]
        return self._nearest(text)


class TextEmbedder(TaskEmbedder):
    """Turns texts into vectors, from any number of threads."""

    _options_of = TextEmbedderOptions
    _embedder_of = staticmethod(text_embedder)

    @overload
    def embed(self, text: str) -> EmbeddingResult: ...
    @overload
    def embed(self, text: list[str] | tuple[str, ...]) -> list[EmbeddingResult]: ...
    def embed(self, text: Any) -> Any:
        """Embed a text.

        Args:
            text: a ``str``, or several in a list or tuple.

        Returns:
            An ``EmbeddingResult``, or one for each text.

        Raises:
            InvalidType: not a text.
            ModelError: the model fails.
        """
        if isinstance(text, (list, tuple)):
            return [self._embedding_of(one) for one in text]
        return self._embedding_of(text)
