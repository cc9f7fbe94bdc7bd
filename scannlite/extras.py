"""Libraries that only some commands and files need: imported when used, or named when missing."""

from __future__ import annotations

import importlib
from typing import Any

from scannlite.errors import MissingExtra

__all__ = ["imported"]


def imported(module: str, extra: str, purpose: str) -> Any:
    """A module of an optional library.

    Args:
        module: its full name.
        extra: the extra of this package that installs it.
        purpose: what needs it, for the message.

    Raises:
        MissingExtra: it is not installed, or not whole.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: its shared library is not there
        raise MissingExtra(
            f"{purpose} needs the extra {extra!r}, which 'pip install \"scannlite[{extra}]\"' "
            f"installs: {error}."
        ) from error
