"""Where a model is, and how it is run."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["BaseOptions"]


@dataclass(slots=True)
class BaseOptions:
    """Options of every task; they are looked at when a searcher or embedder is created.

    Attributes:
        file_name: path of the model.
        file_content: the model itself; if it is given, the path is not looked at.
        num_threads: of the runtime, for one item; -1 or None for its own choice.
        use_coral: an Edge TPU; there is none here, so True is refused.
    """

    file_name: str | os.PathLike[str] | None = None
    file_content: bytes | None = None
    num_threads: int | None = -1
    use_coral: bool | None = None
