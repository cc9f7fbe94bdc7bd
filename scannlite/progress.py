"""How far long work is, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, TypeAlias

from scannlite import types

__all__ = ["Progress", "Wanted", "reported"]

Wanted: TypeAlias = types.Progress | Literal["auto"] | None
"""What to call; ``"auto"`` for a bar on a terminal and silence elsewhere, None for silence."""


class Progress:
    """How far long work is: a bar on a terminal where tqdm is installed, else a line a stage.

    Call it with the stage's name, what is done and the total; leave the ``with`` block to close.
    A stage ends when all of it is done or another begins, and lasts from the end of the one before.
    """

    def __init__(self) -> None:
        self._stage: str | None = None
        self._started = time.perf_counter()
        self._bar: Any = None
        self._make_bar = _tqdm() if sys.stderr.isatty() else None

    def __enter__(self) -> Progress:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._end(complete=kind is None)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Tell of progress."""
        if stage != self._stage:
            self._end(complete=True)
            self._begin(stage, total)
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(done - self._bar.n)
        if done >= total:
            self._end(complete=True)

    def _begin(self, stage: str, total: int) -> None:
        self._stage = stage
        if self._make_bar is not None:
            self._bar = self._make_bar(total=total, desc=stage, file=sys.stderr)
        else:
            sys.stderr.write(f"{stage} ... ")
            sys.stderr.flush()

    def _end(self, *, complete: bool) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._stage is not None:
            seconds = f"{time.perf_counter() - self._started:.1f} s"
            sys.stderr.write(f"{seconds if complete else 'stopped'}\n")
        self._stage, self._bar, self._started = None, None, time.perf_counter()


@contextmanager
def reported(progress: Wanted) -> Iterator[types.Progress]:
    """What to call during long work, as ``progress(stage, done, total)``."""
    if progress != "auto":
        yield progress or _silent
    elif sys.stderr is not None and sys.stderr.isatty():
        with Progress() as shown:
            yield shown
    else:
        yield _silent


def _silent(stage: str, done: int, total: int) -> None:
    """Said to nobody."""


def _tqdm() -> Any:
    try:
        from tqdm import tqdm  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return tqdm
