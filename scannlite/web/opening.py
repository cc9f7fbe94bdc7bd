"""From file names to a ``Search`` that is ready, or one clear sentence."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from scannlite.embedders import open_embedder
from scannlite.embedders.embedder import Embedder
from scannlite.embedders.image import image_embedder
from scannlite.engine.index import Index
from scannlite.errors import InvalidInput
from scannlite.extras import imported
from scannlite.web.pictures import Pictures
from scannlite.web.search import Search

__all__ = ["Sources", "open_search"]

_KINDS = ("text", "image")


@dataclass(frozen=True)
class Sources:
    """What a search is made of.

    Attributes:
        searcher: path of a model of texts or pictures.
        index: path of an index; None for the one inside the model.
        images: path of the folder of pictures; None where metadata are all there is to show.
        image_embedder: path of the model whose embeddings of pictures are like those of a
            searcher's texts, the other half of a dual encoder; None for no asking with pictures.
        l2_normalize: whether embeddings are scaled to length 1.
    """

    searcher: str | os.PathLike[str]
    index: str | os.PathLike[str] | None = None
    images: str | os.PathLike[str] | None = None
    image_embedder: str | os.PathLike[str] | None = None
    l2_normalize: bool = False


def open_search(sources: Sources) -> Search:
    """Open all of it, and ask a few times, so that the first question need not wait.

    Raises:
        InvalidInput: models and index have different dimensions, or one model is too many.
        IndexFileError: the index is damaged, or there is none.
        ModelError: a model is damaged, of another kind, or beyond the runtime.
        MissingExtra: there is no runtime, or no library that reads index files or pictures.
        OSError: a file or folder cannot be read.
    """
    pictures = Pictures(None if sources.images is None else Path(sources.images))
    searcher, l2_normalize = sources.searcher, sources.l2_normalize
    embedder = open_embedder(searcher, l2_normalize=l2_normalize)
    if embedder.kind not in _KINDS:
        raise embedder.model.wrong("input", "texts or pictures", embedder.kind)
    index = Index.load(sources.index or searcher)
    of_text, of_image = (embedder if embedder.kind == kind else None for kind in _KINDS)
    if sources.image_embedder is not None:
        if of_image is not None:
            raise InvalidInput(
                f"image_embedder must be left out where the searcher, {searcher}, embeds pictures "
                f"itself, got {sources.image_embedder}."
            )
        of_image = image_embedder(sources.image_embedder, l2_normalize=l2_normalize)
    if of_image is not None:
        pillow = imported("PIL.Image", "vision", "asking with a picture")
        pillow.init()  # loads its decoders, which takes 50 ms
    for each in filter(None, (of_text, of_image)):
        _check_dimensions(each, index)
    search = Search(index, pictures, of_text=of_text, of_image=of_image)
    search.warm_up()
    return search


def _check_dimensions(embedder: Embedder, index: Index) -> None:
    if embedder.dimensions != index.dimensions:
        raise InvalidInput(
            f"model and index must have the same dimensions, got {embedder.dimensions} of "
            f"{embedder.model.name} and {index.dimensions} of the index."
        )
