"""Files of a folder, and what comes with each."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from scannlite.embedders.embedder import Embedder
from scannlite.embedders.loading import Item, Skipped
from scannlite.errors import InvalidInput
from scannlite.progress import Wanted
from scannlite.searcher.embedding_loader import EmbeddingLoader, Found, Work

__all__ = ["FolderDataLoader", "MetadataType"]

_METADATA_SUFFIX = ".dat"


class MetadataType(Enum):
    """Where the metadata of a file come from.

    ``FROM_FILE_NAME``: its name without folder and last extension.
    ``FROM_DAT_FILE``: the content of the file beside it that ends in ``.dat`` instead.
    """

    FROM_FILE_NAME = 1
    FROM_DAT_FILE = 2


class FolderDataLoader(EmbeddingLoader):
    """Rows made of the files of a folder.

    Args:
        embedder: of these files.
        metadata_type: where metadata come from.
        decode: makes of a file's content what the embedder takes.

    Raises:
        InvalidInput: metadata_type is something else.
    """

    def __init__(
        self, embedder: Embedder, metadata_type: MetadataType, decode: Callable[[bytes], Any]
    ) -> None:
        if not isinstance(metadata_type, MetadataType):
            raise InvalidInput(
                f"metadata_type must be a member of MetadataType, got {metadata_type!r}."
            )
        super().__init__(embedder)
        self._metadata_type = metadata_type
        self._decode = decode

    def load_from_folder(
        self,
        path: str | os.PathLike[str],
        mode: str = "r",
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        threads: int | None = None,
        progress: Wanted = "auto",
    ) -> None:
        """Add a row for each file in a folder and the folders in it.

        In each folder files come first, by name, then folders, by name. Names that end in ``.dat``
        are passed over. What cannot be read, decoded or embedded is left out: see ``skipped``, and
        one ``ScannliteWarning`` says how much that was.

        Args:
            path: of the folder.
            mode: what ``.dat`` files become, ``"r"`` for ``str``, which must be UTF-8, and ``"rb"``
                for ``bytes``.
            checkpoint: a file that keeps embeddings as they are made: another load with it embeds
                only what is not in there yet.
            threads: workers; None for one a processor. The rows do not depend on it.
            progress: called as ``progress(stage, done, total)``. ``"auto"`` shows a bar on a
                terminal, None nothing.

        Raises:
            InvalidInput: mode is another, or not one file can be embedded; nothing is added then.
            MissingExtra: a library that decodes is not installed.
            OSError: the folder cannot be read, or the checkpoint not read and written.
        """
        if mode not in ("r", "rb"):
            raise InvalidInput(f"mode must be 'r' or 'rb', got {mode!r}.")
        found = self._look_into(path, mode)
        self._embed(path, found, Work(checkpoint, threads, progress))

    def _look_into(self, folder: str | os.PathLike[str], mode: str) -> Found:
        found = Found()
        for file in _files(folder, found.skipped):
            try:
                metadata = self._metadata_of(file, mode)
            except (OSError, UnicodeDecodeError) as error:
                found.skipped.append(Skipped(str(file), f"its metadata cannot be read: {error}."))
                continue
            found.items.append(Item(str(file), file.read_bytes, self._decode))
            found.metadata.append(metadata)
        return found

    def _metadata_of(self, file: Path, mode: str) -> str | bytes:
        if self._metadata_type is MetadataType.FROM_FILE_NAME:
            return file.stem
        content = file.with_suffix(_METADATA_SUFFIX).read_bytes()
        return content if mode == "rb" else content.decode("utf-8")


def _files(folder: str | os.PathLike[str], skipped: list[Skipped]) -> list[Path]:
    """All files but those of metadata; folders that cannot be read join what was skipped."""
    top = Path(folder)
    if not top.is_dir():
        number = errno.ENOTDIR if top.exists() else errno.ENOENT
        raise OSError(number, os.strerror(number), str(top))

    def skip(error: OSError) -> None:
        skipped.append(Skipped(str(error.filename), str(error)))

    files = []
    for inside, folders, names in os.walk(top, onerror=skip):
        folders.sort()  # in place: that is also the order they are walked in
        kept = (name for name in sorted(names) if not name.lower().endswith(_METADATA_SUFFIX))
        files += [Path(inside, name) for name in kept]
    return files
