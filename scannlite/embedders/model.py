"""The bytes of a ``.tflite`` model, and what its metadata say."""

from __future__ import annotations

import os
from dataclasses import dataclass

from scannlite.errors import IndexFileError, InvalidType, ModelError
from scannlite.files.model_metadata import ModelMetadata, read_metadata
from scannlite.files.model_parts import read_model
from scannlite.files.span import Span
from scannlite.files.stored_zip import map_file

__all__ = ["Model", "Source"]

Source = str | os.PathLike[str] | bytes


@dataclass(frozen=True)
class Model:
    """A model, read but not yet run.

    Attributes:
        path: of the file; None where the bytes were given.
        span: all bytes, of a file memory-mapped.
        metadata: what they say of the inputs and outputs.
    """

    path: str | None
    span: Span
    metadata: ModelMetadata

    @classmethod
    def read(cls, source: Source) -> Model:
        """Read the head of a model.

        Args:
            source: the path of a file, or its content.

        Raises:
            ModelError: it is no TensorFlow Lite model, or a damaged one.
            InvalidType: source is neither a path nor bytes.
            OSError: the file cannot be read.
        """
        if isinstance(source, (bytes, bytearray, memoryview)):
            path, span = None, Span("<bytes>", memoryview(source).toreadonly().cast("B"))
        elif isinstance(source, (str, os.PathLike)):
            path = os.fspath(source)
            span = _mapped(path)
        else:
            raise InvalidType(
                f"model must be the path of a .tflite file or its bytes, got {source!r}."
            )
        try:
            return cls(path, span, read_metadata(read_model(span)))
        except IndexFileError as error:
            raise ModelError(str(error)) from error

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.span.path

    def wrong(self, what: str, expected: str, found: object) -> ModelError:
        """The error for a model that does not fit its use."""
        return ModelError(f"{self.name}: {what}: expected {expected}, found {found}.")


def _mapped(path: str) -> Span:
    try:
        return Span(path, memoryview(map_file(path).data))
    except IndexFileError as error:
        raise ModelError(
            str(error).replace("a file written by scannlite", "a TensorFlow Lite model")
        ) from error
