"""``AudioDataLoader``: sounds of a folder. Model Maker has none."""

from __future__ import annotations

import os
from functools import partial

from scannlite.embedders.audio import audio_embedder
from scannlite.embedders.sounds import decode_sound
from scannlite.searcher.embedding_loader import absolute
from scannlite.searcher.folder import FolderDataLoader, MetadataType

__all__ = ["AudioDataLoader"]


class AudioDataLoader(FolderDataLoader):
    """Rows made of sounds; see ``create``."""

    @classmethod
    def create(
        cls,
        audio_embedder_path: str | os.PathLike[str],
        metadata_type: MetadataType = MetadataType.FROM_FILE_NAME,
        l2_normalize: bool = False,
    ) -> AudioDataLoader:
        """A loader without rows yet.

        Args:
            audio_embedder_path: of a ``.tflite`` model.
            metadata_type: where the metadata of a sound come from.
            l2_normalize: whether embeddings are scaled to length 1.

        Raises:
            InvalidInput: metadata_type is something else.
            ModelError: the model is damaged, no embedder of sounds, or beyond the runtime.
            MissingExtra: no runtime is installed.
            OSError: the file cannot be read.
        """
        path = absolute("audio_embedder_path", audio_embedder_path)
        embedder = audio_embedder(path, l2_normalize=l2_normalize, num_threads=1)
        sample_rate = getattr(embedder.preprocessor, "sample_rate", None)
        return cls(embedder, metadata_type, partial(decode_sound, sample_rate=sample_rate))
