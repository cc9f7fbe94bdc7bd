"""What can go wrong, as one small tree.

::

    ScannliteError
    ├── InvalidInput      a value or array that cannot be used     (also a ValueError)
    ├── InvalidType       something that is not an array at all    (also a TypeError)
    ├── IndexFileError    a damaged, truncated or foreign file     (also a ValueError)
    ├── ModelError        a model that cannot be an embedder       (also a ValueError)
    └── MissingExtra      an optional library is not installed     (also an ImportError)

    ScannliteWarning      no effect, or a recall out of reach       (a UserWarning)

Every message is one sentence: the argument, what is allowed, what came.
"""

from __future__ import annotations

__all__ = [
    "IndexFileError",
    "InvalidInput",
    "InvalidType",
    "MissingExtra",
    "ModelError",
    "ScannliteError",
    "ScannliteWarning",
]


class ScannliteError(Exception):
    """The root: catch this to catch everything raised on purpose here."""


class InvalidInput(ScannliteError, ValueError):
    """An argument whose value, shape or content cannot be used."""


class InvalidType(ScannliteError, TypeError):
    """An argument of a kind that cannot be read as what is asked for."""


class IndexFileError(ScannliteError, ValueError):
    """A file that is damaged, truncated, foreign, or of a newer format."""


class ModelError(ScannliteError, ValueError):
    """A sound model that cannot be used as an embedder, or that the runtime cannot run."""


class MissingExtra(ScannliteError, ImportError):
    """What was asked for needs a library that an extra of this package installs."""


class ScannliteWarning(UserWarning):
    """An option was accepted but changes nothing, or a recall asked for is out of reach."""
