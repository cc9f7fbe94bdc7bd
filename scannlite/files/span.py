"""A run of bytes and where it lies: what readers of a file are given, and say in their errors."""

from __future__ import annotations

from dataclasses import dataclass

from scannlite.errors import IndexFileError

__all__ = ["Span"]


@dataclass(frozen=True)
class Span:
    """Part of a file, or all of it.

    Attributes:
        path: of the file, for messages; or what else the bytes came from.
        data: the bytes, read-only, one byte an element.
        start: the byte of the file at which they start.
    """

    path: str
    data: memoryview
    start: int = 0

    def __len__(self) -> int:
        return len(self.data)

    def part(self, offset: int, size: int) -> Span:
        """``size`` bytes from ``offset``; the caller has checked that there are so many."""
        return Span(self.path, self.data[offset : offset + size], self.start + offset)

    def wrong(self, offset: int, what: str, expected: str, found: object) -> IndexFileError:
        """The error for something at an offset within these bytes."""
        place = f"{what} at byte {self.start + offset}"
        return IndexFileError(f"{self.path}: {place}: expected {expected}, found {found}.")
