"""The pictures of a folder, by the names that metadata give them."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Callable, Iterator
from os.path import islink, splitext
from pathlib import Path

__all__ = ["Pictures"]

# What browsers show and what cannot hold a script, as SVG can.
_TYPES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
# Paths are plain strings here, since `Path` takes ten times as long and there may be many.
# From the most to the least exact: where two pictures could be meant, the more exact name wins.
_NAMES: tuple[Callable[[str], str], ...] = (
    lambda inside: inside,
    lambda inside: _cut(inside)[0],
    lambda inside: inside.rpartition("/")[2],
    lambda inside: _cut(inside.rpartition("/")[2])[0],
)


class Pictures:
    """The pictures of a folder and of the folders in it, as they are when this is made.

    A name is looked up, never followed: only what was found inside the folder can be read.

    Args:
        folder: where they are; None for no pictures at all.

    Raises:
        OSError: there is no such folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self._named: dict[str, str] = {}
        if folder is None:
            return
        self._root = folder.resolve(strict=True)
        if not self._root.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        found = sorted(self._inside())
        for name_of in _NAMES:
            for inside in found:
                self._named.setdefault(_as_key(name_of(inside)), inside)

    def find(self, name: str) -> str | None:
        r"""The picture that a name means, or None.

        Names are the path inside the folder or the file's name, with or without suffix. Of several
        that could be meant it is the one whose path sorts first.

        Args:
            name: as metadata give it, ``\`` as good as ``/``.

        Returns:
            Its path inside the folder, with ``/``.
        """
        key = _as_key(name)
        return self._named.get(key) or self._named.get(key.replace("\\", "/"))

    def read(self, inside: str) -> tuple[bytes, str]:
        """The content of a picture that ``find`` gave, and its media type.

        Raises:
            OSError: it is gone, or has become a link to what is no picture of the folder.
        """
        real = self._real(inside)
        if real is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), inside)
        return real.read_bytes(), _TYPES[real.suffix.lower()]

    def _inside(self) -> Iterator[str]:
        """Paths of all pictures; links count where they lead to a picture of the folder."""
        for folder, _, names in os.walk(self._root):
            within = os.path.relpath(folder, self._root).replace(os.sep, "/")
            start = "" if within == "." else f"{within}/"
            for name in names:
                inside = start + name
                if _cut(name)[1].lower() in _TYPES and (
                    not islink(f"{folder}/{name}")  # noqa: PTH114
                    or self._real(inside)
                ):
                    yield inside

    def _real(self, inside: str) -> Path | None:
        """Where a picture really is, or None if that is not in the folder."""
        try:
            real = (self._root / inside).resolve(strict=True)
        except (OSError, RuntimeError):  # a loop of links is a RuntimeError before Python 3.13
            return None
        kept = real.is_relative_to(self._root) and real.is_file()
        return real if kept and real.suffix.lower() in _TYPES else None


def _cut(path: str) -> tuple[str, str]:
    """A path without its suffix, and that."""
    return splitext(path)  # noqa: PTH122


def _as_key(name: str) -> str:
    """The same letters as the same characters: file systems differ in how they write accents."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
