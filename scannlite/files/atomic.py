"""Replace a file as a whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from scannlite.errors import InvalidInput

__all__ = ["replacing"]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a new binary file that becomes ``path`` when the block ends well.

    The bytes go to ``.scannlite-*.tmp`` in the same folder, reach the disk, and take the name in
    one step: who opens ``path`` sees the old file or the new one, never a part. When anything
    fails, the temporary is removed and the old file is as it was. A symbolic link is followed, and
    a replaced file keeps its permissions.

    Args:
        path: where the file shall be.

    Yields:
        A seekable file, open for writing.

    Raises:
        InvalidInput: ``path`` is something other than a file, such as a device.
        IsADirectoryError: ``path`` is a folder.
        FileNotFoundError: the folder of ``path`` does not exist.
        PermissionError: ``path`` may not be replaced; on Windows, also while it is mapped.
        OSError: whatever else the disk refuses.
    """
    target = Path(path).resolve()
    _check(target)
    temporary = target.with_name(f".scannlite-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _rename(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _check(target: Path) -> None:
    """Refuse now what would fail, or do harm, after minutes of writing."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if target.exists() and not target.is_file():
        raise InvalidInput(f"path must be a file or a new name, got the device or pipe '{target}'.")
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target))


def _rename(temporary: Path, target: Path) -> None:
    if target.exists():
        shutil.copymode(target, temporary)
    try:
        temporary.replace(target)
    except PermissionError as error:
        raise PermissionError(
            error.errno or errno.EACCES,
            "the file may not be replaced and was left as it was; an index loaded from it holds it "
            "open on Windows, so drop that index or save under another name",
            str(target),
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system can (Windows cannot)."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
