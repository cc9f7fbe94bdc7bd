"""``Searcher``: an index for phones, made from a loader and exported."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

from scannlite.engine.door import as_bytes
from scannlite.engine.index import Index
from scannlite.engine.storage import Kind, check_embedder, mapped
from scannlite.errors import InvalidInput, InvalidType
from scannlite.files.model_file import INDEX_NAME
from scannlite.progress import Wanted, reported
from scannlite.searcher.data_loader import DataLoader
from scannlite.searcher.options import ScaNNOptions

__all__ = ["ExportFormat", "Searcher"]


class ExportFormat(Enum):
    """What ``Searcher.export`` writes.

    ``TFLITE``: the embedder with the index inside.
    ``SCANN_INDEX_FILE``: the index alone, ``.ldb``.
    """

    TFLITE = 1
    SCANN_INDEX_FILE = 2


_KINDS: dict[ExportFormat, Kind] = {
    ExportFormat.TFLITE: "tflite",
    ExportFormat.SCANN_INDEX_FILE: "ldb",
}


class Searcher:
    """An index as phones read it, and the model that makes their queries.

    Args:
        index: built for devices; ``create_from_data`` does.
        embedder_path: of the ``.tflite`` model, or None.

    Attributes:
        index: to search at once, before any export.
        embedder_path: of the model, or None.
    """

    def __init__(self, index: Index, embedder_path: str | os.PathLike[str] | None = None) -> None:
        self.index = index
        self.embedder_path = embedder_path

    def __repr__(self) -> str:
        return f"<scannlite.searcher.Searcher {self.index!r}, {self.embedder_path}>"

    @classmethod
    def create_from_data(
        cls,
        data: DataLoader,
        scann_options: ScaNNOptions,
        cache_dir: str | os.PathLike[str] | None = None,
        *,
        seed: int = 0,
        progress: Wanted = "auto",
    ) -> Searcher:
        """Index the rows of a loader.

        Args:
            data: what to index.
            scann_options: how.
            cache_dir: a folder, made where there is none, that keeps the index as
                ``on_device_scann_index.ldb``, which ``scannlite.Index.load`` opens.
            seed: of every random choice. Same rows, options and seed: the same bytes.
            progress: called as ``progress(stage, done, total)``. ``"auto"`` shows a bar on a
                terminal, None nothing.

        Raises:
            InvalidInput: there are no rows, or not one item of metadata for each; options ask for
                more leaves than rows; or the embedder gives rows of other dimensions.
            InvalidType: data or scann_options are something else.
            IndexFileError: the embedder is no model.
            OSError: the embedder cannot be read, or the cache not be written.
        """
        if not isinstance(data, DataLoader):
            raise InvalidType(f"data must be a DataLoader, got {data!r}.")
        if not isinstance(scann_options, ScaNNOptions):
            raise InvalidType(
                f"scann_options must be searcher.ScaNNOptions, got {scann_options!r}."
            )
        if len(data) == 0:
            raise InvalidInput("data must hold at least one row, got none.")
        if data.embedder_path is not None:
            check_embedder(mapped(data.embedder_path), data.dataset.shape[1])
        if cache_dir is not None:
            Path(cache_dir).mkdir(parents=True, exist_ok=True)
        with reported(progress) as shown:
            index = Index.build(
                data.dataset,
                scann_options.for_engine(),
                metadata=data.metadata,
                seed=seed,
                progress=shown,
            )
        if cache_dir is not None:
            index.save(Path(cache_dir, INDEX_NAME))
        return cls(index, data.embedder_path)

    def export(
        self,
        export_format: ExportFormat,
        export_filename: str | os.PathLike[str],
        userinfo: str | bytes,
        compression: bool = True,
    ) -> None:
        """Write the index to one file, whole or not at all; its folder is made where there is none.

        Args:
            export_format: what to write.
            export_filename: of any ending.
            userinfo: anything for who loads the index.
            compression: whether to compress it.

        Raises:
            InvalidInput: the format is another, or needs an embedder and there is none, or one of
                other dimensions than the index.
            InvalidType: userinfo is neither str nor bytes.
            IndexFileError: the embedder is no model.
            OSError: the embedder cannot be read or the file not be written.
        """
        if not isinstance(export_format, ExportFormat):
            raise InvalidInput(
                f"export_format must be a member of ExportFormat, got {export_format!r}."
            )
        info = as_bytes("userinfo", userinfo)
        embedder = self.embedder_path if export_format is ExportFormat.TFLITE else None
        if export_format is ExportFormat.TFLITE and embedder is None:
            raise InvalidInput(
                "export_format must be ExportFormat.SCANN_INDEX_FILE where the DataLoader has no "
                "embedder_path, got ExportFormat.TFLITE."
            )
        Path(export_filename).parent.mkdir(parents=True, exist_ok=True)
        self.index.save(
            export_filename,
            kind=_KINDS[export_format],
            userinfo=info,
            embedder=embedder,
            compression=compression,
        )
