"""Files and folders that the words of a command name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scannlite.errors import InvalidInput
from scannlite.types import AnyArray

__all__ = ["check_folder", "open_array", "read_lines"]


def open_array(path: Path, dimensions: tuple[int, ...]) -> AnyArray:
    """Map a .npy file; no row is read yet."""
    try:
        array: AnyArray = np.lib.format.open_memmap(path, mode="r")
    except ValueError as error:
        raise InvalidInput(f"{path} must be a .npy file that holds an array: {error}.") from error
    if array.ndim not in dimensions:
        wanted = " or ".join({1: "(d,)", 2: "(n, d)"}[count] for count in dimensions)
        raise InvalidInput(f"{path} must hold an array of shape {wanted}, got {array.shape}.")
    return array


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, for metadata."""
    try:
        with path.open(encoding="utf-8") as file:
            return [line.rstrip("\n") for line in file]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} must be UTF-8 text, got {error}.") from error


def check_folder(path: Path) -> None:
    """Refuse to start long work whose result could not be written."""
    if not path.parent.is_dir():
        raise InvalidInput(f"the folder of {path} must exist, got {str(path.parent)!r}.")
