"""The TFLite Searcher in a process and an environment of its own: ``runtime.py`` is its end."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scannlite.types import AnyArray

__all__ = ["Found", "Reference", "ReferenceMissing"]

_RUNTIME = Path(__file__).with_name("runtime.py")


class ReferenceMissing(Exception):
    """The interpreter cannot run the reference."""


class Found(NamedTuple):
    """For one question: distances (k,) float32, nearest first, and the metadata of each."""

    distances: AnyArray
    metadata: list[bytes]


class Reference:
    """The other process, until it is closed."""

    def __init__(self, python: str) -> None:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the interpreter that was asked for
                [python, str(_RUNTIME)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
            )
        except OSError as error:
            self._said.close()
            raise ReferenceMissing(f"{python}: {error}") from error
        try:
            self._answer()
        except RuntimeError as error:
            self.close()
            raise ReferenceMissing(f"{python}: {error}") from error

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._said.close()

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Have a request of ``runtime.py`` done.

        Raises:
            RuntimeError: the reference raised an error, whose words these are, or died.
        """
        stdin = self._process.stdin
        if stdin is None:
            raise ValueError("stdin must be a pipe.")
        stdin.write(json.dumps({"do": do, **arguments}, default=str) + "\n")
        stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        stdout = self._process.stdout
        line = stdout.readline() if stdout else ""
        if not line:
            code = self._process.wait()
            self._said.seek(0)
            last = ["no words", *self._said.read().split("\n")][-2:]
            raise RuntimeError(f"the reference ended with code {code}: {' '.join(last).strip()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def search(self, name: str) -> list[Found]:
        """What a searcher that was opened finds for each of its questions."""
        answer = self.ask("search", name=name)
        return [
            Found(np.array(distances, np.float32), [item.encode("latin-1") for item in metadata])
            for distances, metadata in zip(answer["distances"], answer["metadata"], strict=True)
        ]

    def clock(self, name: str, chunk: int) -> list[float]:
        """Seconds a question, the mean of each chunk, as ``bench.timing`` has them."""
        seconds: list[float] = self.ask("clock", name=name, chunk=chunk)["seconds"]
        return seconds
