"""An index as a file: the project's own, the one phones read, or the latter inside a model.

What is read is told from the first bytes of a file, what is written from its name.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import numpy as np

from scannlite.engine.arrays import IndexArrays, check_arrays
from scannlite.engine.metadata import Metadata
from scannlite.engine.options import ScaNNOptions
from scannlite.errors import IndexFileError, InvalidInput
from scannlite.files import container, model_file, sstable
from scannlite.files.atomic import replacing
from scannlite.files.row_metadata import RowMetadata
from scannlite.files.span import Span
from scannlite.files.stored_zip import map_file
from scannlite.types import AnyArray

__all__ = [
    "Kind",
    "Source",
    "Stored",
    "check_arguments",
    "check_embedder",
    "device_table",
    "kind_named",
    "kind_of",
    "load",
    "mapped",
    "save",
]

Kind = Literal["npz", "ldb", "tflite"]
Source = str | os.PathLike[str] | bytes
"""The path of a file, or its content."""

_ZIP = b"PK\x03\x04"
_USERINFO = "userinfo"
_SUFFIXES: dict[str, Kind] = {".ldb": "ldb", ".tflite": "tflite"}


@dataclass(frozen=True)
class Stored:
    """All that a file keeps of an index.

    Attributes:
        options: what was built.
        arrays: the index.
        metadata: of each row, or None.
        userinfo: whatever its maker wrote for who loads it.
    """

    options: ScaNNOptions
    arrays: IndexArrays
    metadata: Metadata | RowMetadata | None = None
    userinfo: bytes = b""


def kind_of(source: Source) -> Kind:
    """What kind of file there is, by its first and last bytes; damaged ones go by their name."""
    head, tail = _ends(source)
    if head[:4] == _ZIP:
        return "npz"
    if model_file.is_model(head):
        return "tflite"
    if tail == sstable.MAGIC or isinstance(source, bytes):
        return "ldb"
    return kind_named(source)


def _ends(source: Source) -> tuple[bytes, bytes]:
    """The first and the last eight bytes."""
    if isinstance(source, bytes):
        return source[:8], source[-8:]
    with Path(source).open("rb") as file:
        head = file.read(8)
        file.seek(max(0, file.seek(0, os.SEEK_END) - 8))
        return head, file.read(8)


def kind_named(path: str | os.PathLike[str]) -> Kind:
    """What kind of file a name asks for."""
    return _SUFFIXES.get(Path(path).suffix.lower(), "npz")


def mapped(source: Source) -> Span:
    """All bytes of a file, memory-mapped, or those that were given."""
    if isinstance(source, bytes):
        return Span("<bytes>", memoryview(source))
    file = map_file(os.fspath(source))
    return Span(file.path, memoryview(file.data))


# ---- reading -----------------------------------------------------------------------------------


def load(source: Source, *, verify: bool = True) -> Stored:
    """Read an index file of any kind.

    Raises:
        InvalidInput: source is the content of a ``.npz`` file, which is read from its path.
        IndexFileError: the file is damaged, truncated, foreign, of a newer format, or holds no
            index that can be searched.
        MissingExtra: a library that this kind needs is not installed.
        OSError: it cannot be read.
    """
    if kind_of(source) == "npz":
        if isinstance(source, bytes):
            raise InvalidInput("source must be a path for a .npz file, got its content.")
        return _load_container(source, verify=verify)
    from scannlite.engine import device  # noqa: PLC0415 - other files need none of it
    from scannlite.files import index_file  # noqa: PLC0415

    file = index_file.read(device_table(source))
    options, arrays = device.from_file(file)
    return Stored(options, arrays, file.metadata, file.userinfo)


def device_table(source: Source) -> Span:
    """The table of an ``.ldb`` file, or of the index inside a ``.tflite`` model."""
    span = mapped(source)
    head = bytes(span.data[:8])
    if not model_file.is_model(head):
        if kind_named(span.path) == "tflite" and bytes(span.data[-8:]) != sstable.MAGIC:
            raise span.wrong(0, "head", "a TensorFlow Lite model, with 'TFL3' at byte 4", head)
        return span
    index = model_file.find_index(span)
    if index is None:
        raise IndexFileError(
            f"{span.path}: output_tensor_metadata: expected an associated file of type "
            "SCANN_INDEX_FILE, found none: this model is an embedder without an index."
        )
    return index


def _load_container(path: str | os.PathLike[str], *, verify: bool) -> Stored:
    arrays, header = container.read(path, verify=verify)
    name = os.fspath(path)
    try:
        options = ScaNNOptions.from_dict(header["options"])
    except (InvalidInput, KeyError, TypeError, AttributeError) as error:
        raise IndexFileError(f"{name}: header: options cannot be read: {error}") from error
    checked = check_arrays(arrays, options, name)
    metadata = Metadata.from_arrays(arrays, len(checked.ids), name)
    userinfo = arrays.get(_USERINFO, np.zeros(0, np.uint8))
    if userinfo.dtype != np.uint8:
        raise IndexFileError(f"{name}: {_USERINFO}: expected uint8, found {userinfo.dtype}.")
    return Stored(options, checked, metadata, userinfo.tobytes())


# ---- writing -----------------------------------------------------------------------------------


def save(
    path: str | os.PathLike[str],
    stored: Stored,
    *,
    kind: Kind | None = None,
    embedder: str | os.PathLike[str] | None = None,
    compression: bool = False,
) -> None:
    """Write an index as a kind of file, None for what its name asks for, whole or not at all.

    Raises:
        InvalidInput: that kind of file cannot hold this index, or embedder and compression do not
            go with it.
        IndexFileError: the embedder is no model.
        MissingExtra: a library that this kind needs is not installed.
        OSError: the file cannot be written; a file of that name stays as it was.
    """
    kind = kind or kind_named(path)
    check_arguments(kind, embedder, compression=compression)
    if kind == "npz":
        _save_container(path, stored)
        return
    _check_options(path, stored.options)
    if embedder is None:
        with replacing(path) as out:
            _write_table(out, stored, compression=compression)
        return
    model, table = _model(embedder, path), io.BytesIO()
    check_embedder(model, stored.arrays.centroids.shape[1])
    _write_table(table, stored, compression=compression)
    with replacing(path) as out:
        model_file.attach_index(model, table.getbuffer(), out)


def _model(path: str | os.PathLike[str], target: str | os.PathLike[str]) -> Span:
    """All bytes of a model; read where it will be replaced, for Windows keeps what is mapped."""
    if Path(target).exists() and Path(path).samefile(target):
        return Span(os.fspath(path), memoryview(Path(path).read_bytes()))
    return mapped(path)


def check_arguments(
    kind: Kind,
    embedder: str | os.PathLike[str] | None,
    *,
    compression: bool = False,
) -> None:
    """Refuse what ``save`` would, before there is anything to save.

    Raises:
        InvalidInput: there is no such kind, or embedder or compression do not go with it.
    """
    if kind not in get_args(Kind):
        raise InvalidInput(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}.")
    if kind == "tflite" and embedder is None:
        raise InvalidInput("embedder must be the path of a model for a .tflite file, got None.")
    if kind != "tflite" and embedder is not None:
        raise InvalidInput(f"embedder must be None but for a .tflite file, got {embedder!r}.")
    if kind == "npz" and compression:
        raise InvalidInput("compression must be False but for .ldb and .tflite files, got True.")


def check_embedder(model: Span, dimensions: int) -> None:
    """Refuse a model whose embeddings are not of an index's dimensions.

    Raises:
        InvalidInput: they are not; where only running the model would tell, nothing is raised.
        IndexFileError: it is no model.
    """
    found = model_file.embedding_dimensions(model)
    if found not in (None, dimensions):
        raise InvalidInput(
            f"embedder must give embeddings of the index's {dimensions} dimensions, got "
            f"{model.path}, which gives {found}."
        )


def _check_options(path: str | os.PathLike[str], options: ScaNNOptions) -> None:
    if options.device is not None:
        return
    beyond = options.beyond_devices or ["what was not built for devices"]
    raise InvalidInput(
        f"{os.fspath(path)} cannot hold {', '.join(beyond)}: build with options.for_device(), "
        "or save as .npz."
    )


def _write_table(out: BinaryIO, stored: Stored, *, compression: bool) -> None:
    from scannlite.engine import device  # noqa: PLC0415 - other files need none of it

    parts = stored.options, stored.arrays, stored.metadata, stored.userinfo
    device.to_file(out, *parts, compression=compression)


def _save_container(path: str | os.PathLike[str], stored: Stored) -> None:
    arrays: dict[str, AnyArray] = {
        name: getattr(stored.arrays, name) for name in IndexArrays.__dataclass_fields__
    }
    if stored.metadata is not None:
        items = stored.metadata
        packed = items if isinstance(items, Metadata) else Metadata.of(list(items), len(items))
        arrays |= packed.arrays()
    if stored.userinfo:
        arrays[_USERINFO] = np.frombuffer(stored.userinfo, np.uint8)
    container.write(path, arrays, {"options": stored.options.to_dict()})
