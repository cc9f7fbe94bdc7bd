"""Texts of a JSON file: a list of objects, or in a ``.jsonl`` file an object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from scannlite.embedders.loading import Item, Skipped
from scannlite.errors import InvalidInput
from scannlite.searcher.embedding_loader import EmbeddingLoader, Found, Work

__all__ = ["JsonDataLoader"]


class JsonDataLoader(EmbeddingLoader):
    """Rows made of texts, as those of ``TextDataLoader`` from a CSV file."""

    def load_from_json(self, path: Path, columns: tuple[str, str], work: Work) -> None:
        """Add a row for each object.

        What is no object, lacks a column or has no text in it, or cannot be embedded is left out:
        see ``skipped``, and one ``ScannliteWarning`` says how much that was.

        Args:
            path: of the file; empty lines of a ``.jsonl`` file are passed over.
            columns: the names under which objects have the text to embed, and what is kept with
                each row; of the latter, what is no text is kept as JSON.
            work: how to embed.

        Raises:
            InvalidInput: the file is no JSON, or not one object can be embedded; nothing is added
                then.
            OSError: a file cannot be read or written.
        """
        found = Found()
        for where, value in _values(path):
            wrong = _complaint(value, *columns)
            if wrong is not None:
                found.skipped.append(Skipped(where, wrong))
                continue
            text, metadata = (value[column] for column in columns)
            found.items.append(Item(where, partial(text.encode, "utf-8"), _decode))
            found.metadata.append(_as_text(metadata))
        self._embed(path, found, work)


def _values(path: Path) -> Iterator[tuple[str, Any]]:
    """What a file lists, and where.

    Raises:
        InvalidInput: it is no JSON, or no list.
    """
    content = path.read_bytes()
    if path.suffix.lower() == ".jsonl":
        for number, line in enumerate(content.split(b"\n"), 1):
            where = f"{path}, line {number}"
            if line.strip():
                yield where, _parsed(where, line)
        return
    values = _parsed(str(path), content)
    if not isinstance(values, list):
        raise InvalidInput(f"{path} must hold a list of objects, got {type(values).__name__}.")
    yield from ((f"{path}, object {number}", value) for number, value in enumerate(values, 1))


def _parsed(where: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{where} must be JSON, got {error}.") from error


def _complaint(value: Any, text_column: str, metadata_column: str) -> str | None:
    """Why there is nothing to embed in what should be an object; None if there is."""
    if not isinstance(value, dict):
        return f"it must be an object, got {type(value).__name__}."
    for column in (text_column, metadata_column):
        if column not in value:
            return f"it must have {column!r}, got only {', '.join(map(repr, value)) or 'nothing'}."
    text = value[text_column]
    if not isinstance(text, str):
        return f"its {text_column!r} must be text, got {type(text).__name__}."
    try:
        (text + _as_text(value[metadata_column])).encode("utf-8")
    except UnicodeEncodeError:
        return "it must hold whole characters, got half of a surrogate pair."
    return None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _decode(content: bytes) -> str:
    return content.decode("utf-8")
