"""``ImageDataLoader``: pictures of a folder."""

from __future__ import annotations

import os

from scannlite.embedders.image import image_embedder
from scannlite.embedders.pictures import decode_image
from scannlite.searcher.embedding_loader import absolute
from scannlite.searcher.folder import FolderDataLoader, MetadataType

__all__ = ["ImageDataLoader"]


class ImageDataLoader(FolderDataLoader):
    """Rows made of pictures; see ``create``."""

    @classmethod
    def create(
        cls,
        image_embedder_path: str | os.PathLike[str],
        metadata_type: MetadataType = MetadataType.FROM_FILE_NAME,
        l2_normalize: bool = False,
    ) -> ImageDataLoader:
        """A loader without rows yet.

        Args:
            image_embedder_path: of a ``.tflite`` model.
            metadata_type: where the metadata of a picture come from.
            l2_normalize: whether embeddings are scaled to length 1.

        Raises:
            InvalidInput: metadata_type is something else.
            ModelError: the model is damaged, no embedder of images, or beyond the runtime.
            MissingExtra: no runtime is installed.
            OSError: the file cannot be read.
        """
        path = absolute("image_embedder_path", image_embedder_path)
        embedder = image_embedder(path, l2_normalize=l2_normalize, num_threads=1)
        return cls(embedder, metadata_type, decode_image)
