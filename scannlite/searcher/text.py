"""``TextDataLoader``: texts of a CSV file."""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from scannlite.embedders.loading import Item, Skipped
from scannlite.embedders.text import text_embedder
from scannlite.errors import InvalidInput
from scannlite.progress import Wanted
from scannlite.searcher.embedding_loader import EmbeddingLoader, Found, Work, absolute

__all__ = ["TextDataLoader"]

# NUL becomes one of those surrogates which bytes that are no text become when read: some releases
# of Python refuse a NUL in CSV and some do not.
_NUL, _BROKEN = "\0", "\udc00"


class TextDataLoader(EmbeddingLoader):
    """Rows made of texts; see ``create``."""

    @classmethod
    def create(
        cls, text_embedder_path: str | os.PathLike[str], l2_normalize: bool = False
    ) -> TextDataLoader:
        """A loader without rows yet.

        Args:
            text_embedder_path: of a ``.tflite`` model.
            l2_normalize: whether embeddings are scaled to length 1.

        Raises:
            ModelError: the model is damaged, no embedder of texts, or beyond the runtime.
            MissingExtra: no runtime is installed.
            OSError: the file cannot be read.
        """
        path = absolute("text_embedder_path", text_embedder_path)
        return cls(text_embedder(path, l2_normalize=l2_normalize, num_threads=1))

    def load_from_csv(  # noqa: PLR0913 - Model Maker's
        self,
        path: str | os.PathLike[str],
        text_column: str,
        metadata_column: str,
        delimiter: str = ",",
        quotechar: str = '"',
        *,
        encoding: str = "utf-8",
        checkpoint: str | os.PathLike[str] | None = None,
        threads: int | None = None,
        progress: Wanted = "auto",
    ) -> None:
        """Add a row for each row of a CSV file whose first row names the columns.

        What is not text in this encoding, has too few fields or cannot be embedded is left out:
        see ``skipped``, and one ``ScannliteWarning`` says how much that was. Empty lines are passed
        over.

        Args:
            path: of the file.
            text_column: name of the column to embed.
            metadata_column: name of the column that is kept as ``str`` with each row.
            delimiter: between fields, one character.
            quotechar: around fields that hold delimiters or line ends, one character.
            encoding: of the text; a byte order mark is passed over.
            checkpoint: a file that keeps embeddings as they are made: another load with it embeds
                only what is not in there yet.
            threads: workers; None for one a processor. The rows do not depend on it.
            progress: called as ``progress(stage, done, total)``. ``"auto"`` shows a bar on a
                terminal, None nothing.

        Raises:
            InvalidInput: the file is no such CSV file, names no such column or it twice, or not one
                row can be embedded; nothing is added then.
            OSError: a file cannot be read or written.
        """
        columns = text_column, metadata_column
        found = _read_csv(path, columns, encoding, delimiter, quotechar)
        self._embed(path, found, Work(checkpoint, threads, progress))


def _read_csv(
    path: str | os.PathLike[str],
    columns: tuple[str, str],
    encoding: str,
    delimiter: str,
    quotechar: str,
) -> Found:
    """The texts and metadata of a CSV file."""
    name, found = os.fspath(path), Found()
    rows = _rows(path, encoding, delimiter, quotechar)
    header = next(rows, None)
    if header is None:
        raise InvalidInput(f"{name} must be a CSV file with a header, got an empty file.")
    text, metadata = (
        _place(column, argument, header[1])
        for column, argument in zip(columns, ("text_column", "metadata_column"), strict=True)
    )
    for line, row in rows:
        where = f"{name}, line {line}"
        if len(row) <= max(text, metadata):
            reason = f"it has {len(row)} of {len(header[1])} fields."
            found.skipped.append(Skipped(where, reason))
        elif _is_broken(row[text]) or _is_broken(row[metadata]):
            reason = f"it holds bytes that are not {encoding} text, or NUL."
            found.skipped.append(Skipped(where, reason))
        else:
            found.items.append(Item(where, partial(row[text].encode, "utf-8"), _decode))
            found.metadata.append(row[metadata])
    return found


def _rows(
    path: str | os.PathLike[str], encoding: str, delimiter: str, quotechar: str
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file that are not empty, with the number of the line where each ends."""
    try:
        is_utf8 = codecs.lookup(encoding).name == "utf-8"
        spelled = "utf-8-sig" if is_utf8 else encoding
        file = Path(path).open(  # noqa: SIM115 - closed by the `with` below
            encoding=spelled, errors="surrogateescape", newline=""
        )
    except LookupError as error:
        raise InvalidInput(
            f"encoding must be one of text that Python knows, got {encoding!r}."
        ) from error
    with file:
        lines = (line.replace(_NUL, _BROKEN) for line in file)
        try:
            reader = csv.reader(lines, delimiter=delimiter, quotechar=quotechar)
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"delimiter and quotechar must be one character each that can part fields, got "
                f"{delimiter!r} and {quotechar!r}: {error}."
            ) from error
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except (csv.Error, UnicodeError) as error:
            raise InvalidInput(
                f"{os.fspath(path)} must be a CSV file in {encoding}, got in line "
                f"{reader.line_num}: {error}."
            ) from error


def _place(column: str, argument: str, header: list[str]) -> int:
    """Which column has a name."""
    count = header.count(column)
    if count == 1:
        return header.index(column)
    if count:
        raise InvalidInput(f"{argument} must name one column, got {column!r}, which names {count}.")
    names = ", ".join(map(repr, header))
    raise InvalidInput(f"{argument} must be one of the columns {names}, got {column!r}.")


def _is_broken(text: str) -> bool:
    """Whether some bytes of it were no text."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _decode(content: bytes) -> str:
    return content.decode("utf-8")
