"""What the page asks: the rows nearest to a text or a picture, and what there is to search."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scannlite.embedders.embedder import Embedder
from scannlite.embedders.pictures import decode_image
from scannlite.engine.index import Index
from scannlite.errors import InvalidInput
from scannlite.types import Codes
from scannlite.web.pictures import Pictures

__all__ = ["Found", "Result", "Search", "Wanted"]

_BLACK = np.zeros((8, 8, 3), np.uint8)
_TRIALS, _QUICK_MS = 5, 2


@dataclass(frozen=True)
class Wanted:
    """How much of an answer is wanted.

    Attributes:
        k: neighbours.
        leaves: p, the leaves to search; None for as many as the index says.
    """

    k: int
    leaves: int | None = None


@dataclass(frozen=True)
class Result:
    """A row.

    Attributes:
        row: its number.
        metadata: what came with it, as text.
        picture: whether that names a picture.
        distance: from what was asked, None where nothing was.
    """

    row: int
    metadata: str
    picture: bool
    distance: float | None = None


@dataclass(frozen=True)
class Found:
    """An answer.

    Attributes:
        results: nearest first.
        ms: what each stage took.
    """

    results: list[Result]
    ms: dict[str, float]


class Search:
    """A searcher, and the pictures that its metadata name; asked from any number of threads.

    Args:
        index: what is searched.
        pictures: of the rows.
        of_text: turns texts into queries; None where there are no texts to ask with.
        of_image: turns pictures into queries; None likewise.
    """

    def __init__(
        self,
        index: Index,
        pictures: Pictures,
        *,
        of_text: Embedder | None = None,
        of_image: Embedder | None = None,
    ) -> None:
        self.index = index
        self._metadata = index.metadata
        self._pictures = pictures
        self._of_text, self._of_image = of_text, of_image
        rows = range(len(index))
        self._picture_of = [pictures.find(self._text_of(row)) for row in rows]
        self._pictured = [row for row in rows if self._picture_of[row] is not None]
        self.quick = False
        """Whether texts are answered so fast that a thread would only be in the way."""

    def warm_up(self) -> None:
        """Load models and kernels, and see whether an answer is quick.

        Raises:
            ModelError: a model fails.
        """
        if self._of_image is not None:
            self.index.search(self._of_image.embed(_BLACK), 1)
        if self._of_text is not None:
            took = [sum(self.by_text("a", Wanted(1)).ms.values()) for _ in range(_TRIALS)]
            self.quick = min(took) < _QUICK_MS

    @property
    def kinds(self) -> list[str]:
        """What it can be asked with."""
        embedders = (self._of_text, self._of_image)
        return [embedder.kind for embedder in embedders if embedder is not None]

    @property
    def pictures(self) -> int:
        """How many rows have one."""
        return len(self._pictured)

    def by_text(self, text: str, wanted: Wanted) -> Found:
        """The rows nearest to a text.

        Raises:
            InvalidInput: there is no text, it or what is wanted cannot be used, or nothing here
                takes texts.
            ModelError: the model fails.
        """
        if self._of_text is None:
            raise InvalidInput("this searcher must be asked with a picture, got a text.")
        if not text.strip():
            raise InvalidInput(f"q must be a text to search for, got {text!r}.")
        return self._nearest(self._of_text, str, text, wanted)

    def by_picture(self, content: bytes, wanted: Wanted) -> Found:
        """The rows nearest to a picture.

        Args:
            content: of its file.
            wanted: how much of the answer.

        Raises:
            InvalidInput: it is no picture, what is wanted cannot be used, or nothing here takes
                pictures.
            ModelError: the model fails.
        """
        if self._of_image is None:
            raise InvalidInput("this searcher must be asked with a text, got a picture.")
        return self._nearest(self._of_image, _pixels, content, wanted)

    def some(self, count: int) -> list[Result]:
        """Up to that many rows from all over, those with a picture if any has one."""
        rows: Sequence[int] = self._pictured or range(len(self.index))
        places = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int).tolist()
        return [self._result(rows[place]) for place in places]

    def picture(self, row: int) -> tuple[bytes, str] | None:
        """The content and the media type of a row's picture, or None where there is none.

        Raises:
            OSError: it cannot be read any more.
        """
        found = self._picture_of[row] if 0 <= row < len(self._picture_of) else None
        return None if found is None else self._pictures.read(found)

    def _nearest(
        self,
        embedder: Embedder,
        item_of: Callable[[Any], Any],
        asked: Any,
        wanted: Wanted,
    ) -> Found:
        clock = time.perf_counter_ns
        began = clock()
        runs = embedder.prepare(item_of(asked))
        prepared = clock()
        query = embedder.run(runs)
        embedded = clock()
        found = self.index.search(query, wanted.k, leaves_to_search=wanted.leaves)
        # The shortest digits that mean the same float32.
        distances = map(float, map(str, found.distances))
        results = [
            self._result(row, distance)
            for row, distance in zip(found.ids.tolist(), distances, strict=True)
            if row >= 0
        ]
        stages = (prepared - began, embedded - prepared, clock() - embedded)
        names = ("prepare", "model", "search")
        return Found(results, {name: ns / 1e6 for name, ns in zip(names, stages, strict=True)})

    def _result(self, row: int, distance: float | None = None) -> Result:
        return Result(row, self._text_of(row), self._picture_of[row] is not None, distance)

    def _text_of(self, row: int) -> str:
        """A row's metadata, or its number in decimal digits in an index that has none."""
        if self._metadata is None:
            return str(row)
        found = self._metadata[row]
        return found if isinstance(found, str) else found.decode("utf-8", "backslashreplace")


def _pixels(content: bytes) -> Codes:
    """Pixels in colour: people may drop a grey picture, though phones would refuse it."""
    try:
        pixels = decode_image(content)
    except InvalidInput as error:
        raise InvalidInput(str(error).replace("<bytes>", "what was sent")) from error
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels
