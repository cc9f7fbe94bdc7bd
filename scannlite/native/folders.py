"""Folders for what can be made again. Nothing here needs a compiler."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["folders", "users_folder"]


def folders() -> list[Path]:
    """Where compiled kernels may be, in the order in which they are looked for."""
    named = (os.environ.get(name) for name in ("SCANNLITE_CACHE_DIR", "NUMBA_CACHE_DIR"))
    chosen = [Path(name) for name in named if name]
    return [*chosen, Path(__file__).with_name("__pycache__"), *users_folder()]


def users_folder() -> list[Path]:
    """The folder for what can be made again, of this user; none for a user without a home."""
    if sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        return [Path(os.environ["LOCALAPPDATA"], "scannlite", "Cache")]
    if sys.platform != "darwin" and os.environ.get("XDG_CACHE_HOME"):
        return [Path(os.environ["XDG_CACHE_HOME"], "scannlite")]
    with suppress(RuntimeError):
        inside = "Library/Caches" if sys.platform == "darwin" else ".cache"
        return [Path.home() / inside / "scannlite"]
    return []
