"""Embeddings kept on disk as they are made, so that long work can stop and go on.

A file of these is a header and records of one size, each appended in one go::

    header  magic 8 | version u4 | dimensions u4 | fingerprint 32 | crc32 u4
    record  key 16 | embedding, dimensions x f4 | crc32 u4

Numbers are little-endian, a crc32 is of all before it in its header or record. The fingerprint is
that of the embedder, a key that of what was embedded, so names may change and items may come and
go. What a killed process left of a last record is cut off, a damaged record is made anew.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
import warnings
import zlib
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from scannlite.embedders.embedder import Embedder
from scannlite.errors import InvalidInput, ScannliteWarning
from scannlite.types import AnyArray, Floats

__all__ = ["Checkpoint", "fingerprint_of", "key_of"]

_MAGIC = b"scannemb"
_VERSION = 1
_HEAD = struct.Struct("<8sII32s")
_CRC = struct.Struct("<I")
_HEADER_SIZE = _HEAD.size + _CRC.size
_KEY_SIZE = 16


def key_of(content: bytes) -> bytes:
    """The 16 bytes that stand for what was embedded."""
    return blake2b(content, digest_size=_KEY_SIZE).digest()


def fingerprint_of(embedder: Embedder) -> bytes:
    """The 32 bytes that stand for all that an embedding depends on beside the item."""
    digest = blake2b(embedder.model.span.data, digest_size=32)
    digest.update(f"{embedder.kind} {embedder.l2_normalize}".encode())
    return digest.digest()


class Checkpoint:
    """Embeddings by the key of what was embedded; for one process at a time.

    Args:
        path: of the file, which is made where there is none.
        embedder: whose embeddings they are.

    Raises:
        InvalidInput: the file is something else, was written by another embedder or a newer
            version, or is in use by another process.
        OSError: it cannot be read and written.
    """

    def __init__(self, path: str | os.PathLike[str], embedder: Embedder) -> None:
        self._path = os.fspath(path)
        self._record = np.dtype(
            [("key", f"V{_KEY_SIZE}"), ("row", "<f4", (embedder.dimensions,)), ("crc", "<u4")]
        )
        self._file: BinaryIO = Path(path).open("a+b")  # noqa: SIM115 - closed by `close`
        try:
            self._lock()
            self._check_header(fingerprint_of(embedder), embedder.dimensions)
            self._records = self._read_records()
            self._places = self._find_places()
        except BaseException:
            self._file.close()
            raise
        self._added: set[bytes] = set()

    def __enter__(self) -> Checkpoint:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._places) + len(self._added)

    def get(self, key: bytes) -> Floats | None:
        """The embedding (d,) that was in the file when it was opened, or None."""
        place = self._places.get(key)
        return None if place is None else np.array(self._records["row"][place], np.float32)

    def add(self, key: bytes, row: Floats) -> None:
        """Append an embedding (d,), unless it is known already; it is safe from then on.

        Raises:
            OSError: the disk refuses.
        """
        if key in self._places or key in self._added:
            return
        body = key + row.astype("<f4").tobytes()
        self._file.write(body + _CRC.pack(zlib.crc32(body)))
        self._file.flush()
        self._added.add(key)

    def close(self) -> None:
        """Let the file go; what was added survives a power cut from here on."""
        try:
            os.fsync(self._file.fileno())
        finally:
            self._records = self._records[:0].copy()  # lets the mapping go, too
            self._file.close()

    # ---- opening -------------------------------------------------------------------------------

    def _lock(self) -> None:
        """Keep other processes out until the file is closed, where the system can."""
        try:
            _lock_file(self._file)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
                raise InvalidInput(
                    f"checkpoint must not be in use by another process, got {self._path!r}."
                ) from error

    def _check_header(self, fingerprint: bytes, d: int) -> None:
        head = _HEAD.pack(_MAGIC, _VERSION, d, fingerprint)
        wanted = head + _CRC.pack(zlib.crc32(head))
        self._file.seek(0)
        found = self._file.read(_HEADER_SIZE)
        if found == wanted:
            return
        if len(found) < _HEADER_SIZE and wanted.startswith(found):  # new, or killed just then
            self._file.truncate(0)
            self._file.write(wanted)
            self._file.flush()
            return
        raise InvalidInput(f"checkpoint {_complaint(found)}, got {self._path!r}.")

    def _read_records(self) -> AnyArray:
        """All whole records, (count,), mapped; what is behind them is cut off."""
        size = self._record.itemsize
        count = (self._file.seek(0, os.SEEK_END) - _HEADER_SIZE) // size
        self._file.truncate(_HEADER_SIZE + count * size)
        if count == 0:
            return np.empty(0, self._record)
        return np.memmap(self._path, self._record, "r", _HEADER_SIZE, (count,))

    def _find_places(self) -> dict[bytes, int]:
        """The number of the record of each key, all of them checked."""
        places, damaged = {}, 0
        for place, record in enumerate(self._records):
            body = record.tobytes()
            if zlib.crc32(body[: -_CRC.size]) == record["crc"]:
                places[body[:_KEY_SIZE]] = place
            else:
                damaged += 1
        if damaged:
            warnings.warn(
                f"{self._path}: of {len(self._records)} embeddings {damaged} are damaged and are "
                "made anew.",
                ScannliteWarning,
                stacklevel=6,
            )
        return places


def _complaint(found: bytes) -> str:
    """What a file should be whose header is another than the one that is wanted."""
    sound = (
        len(found) == _HEADER_SIZE
        and zlib.crc32(found[: _HEAD.size]) == _CRC.unpack(found[_HEAD.size :])[0]
    )
    if not (sound and found.startswith(_MAGIC)):
        return "must be a new name, or a file of embeddings that was written as one"
    if _HEAD.unpack(found[: _HEAD.size])[1] != _VERSION:
        return f"must be of version {_VERSION}"
    return "must hold embeddings of the same model, normalised or not alike"


def _lock_file(file: BinaryIO) -> None:
    """Lock a file for as long as it is open.

    Raises:
        OSError: another has locked it, or it cannot be locked.
    """
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - only there

        file.seek((1 << 31) - 2)  # behind most files: there a lock keeps readers out, too
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        with suppress(ImportError):  # where there are no processes either
            import fcntl  # noqa: PLC0415 - not there

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
