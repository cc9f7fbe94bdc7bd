"""The pictures of a folder, by the names that metadata give them."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Callable, Iterator
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
# From the most to the least exact: where two pictures could be meant, the more exact name wins.
_NAMES: tuple[Callable[[Path], str], ...] = (
    lambda inside: inside.as_posix(),
    lambda inside: inside.with_suffix("").as_posix(),
    lambda inside: inside.name,
    lambda inside: inside.stem,
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
        self._named: dict[str, Path] = {}
        if folder is None:
            return
        self._root = folder.resolve(strict=True)
        if not self._root.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        found = sorted(self._inside())
        for name_of in _NAMES:
            for inside in found:
                self._named.setdefault(_as_key(name_of(inside)), inside)

    def find(self, name: str) -> Path | None:
        r"""The picture that a name means, or None.

        Names are the path inside the folder or the file's name, with or without suffix. Of several
        that could be meant it is the one whose path sorts first.

        Args:
            name: as metadata give it, ``\`` as good as ``/``.

        Returns:
            Its path inside the folder.
        """
        key = _as_key(name)
        return self._named.get(key) or self._named.get(key.replace("\\", "/"))

    def read(self, inside: Path) -> tuple[bytes, str]:
        """The content of a picture that ``find`` gave, and its media type.

        Raises:
            OSError: it is gone, or has become a link to what is no picture of the folder.
        """
        real = self._real(inside)
        if real is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(inside))
        return real.read_bytes(), _TYPES[real.suffix.lower()]

    def _inside(self) -> Iterator[Path]:
        """Paths of all pictures; links count where they lead to a picture of the folder."""
        for folder, _, names in os.walk(self._root):
            within = Path(folder).relative_to(self._root)
            for name in names:
                inside = within / name
                if inside.suffix.lower() in _TYPES and (
                    not (self._root / inside).is_symlink() or self._real(inside)
                ):
                    yield inside

    def _real(self, inside: Path) -> Path | None:
        """Where a picture really is, or None if that is not in the folder."""
        try:
            real = (self._root / inside).resolve(strict=True)
        except (OSError, RuntimeError):  # a loop of links is a RuntimeError before Python 3.13
            return None
        kept = real.is_relative_to(self._root) and real.is_file()
        return real if kept and real.suffix.lower() in _TYPES else None


def _as_key(name: str) -> str:
    """The same letters as the same characters: file systems differ in how they write accents."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
