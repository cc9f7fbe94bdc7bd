"""``Embedder``: an item in, a vector out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, Protocol

import numpy as np

from scannlite.embedders.model import Model
from scannlite.embedders.runtime import Inputs, Session, Tensor
from scannlite.types import AnyArray, Floats

__all__ = ["Embedder", "Kind", "Preprocessor", "PreprocessorOf", "l2_normalized"]

Kind = Literal["text", "image", "audio"]

_f4 = np.float32
_ONE = _f4(1)


class Preprocessor(Protocol):
    """What must be done to an item before a model can take it.

    Attributes:
        kind: of the items that ``prepare`` takes.
        output: the number of the output that is the embedding.
    """

    kind: Kind
    output: int

    def prepare(self, item: Any) -> Sequence[Inputs]:
        """What the model is run on: once for most items, several times for a long sound.

        Raises:
            InvalidInput: the item cannot be used.
            InvalidType: it is something else altogether.
        """


PreprocessorOf = Callable[[Model, Sequence[Tensor], Sequence[Tensor]], Preprocessor]
"""Makes the preprocessor for a model with these inputs and outputs; raises ModelError."""


class Embedder:
    """A model and what must be done to an item before and after it; usable from many threads.

    Args:
        model: what to run.
        preprocessor_of: makes the preprocessor for a model with these inputs and outputs.
        l2_normalize: whether embeddings are scaled to length 1.
        num_threads: of the runtime, for one item; None for its own choice.

    Raises:
        ModelError: the model is no embedder, or the runtime cannot run it.
        MissingExtra: no runtime is installed.
    """

    def __init__(
        self,
        model: Model,
        preprocessor_of: PreprocessorOf,
        *,
        l2_normalize: bool = False,
        num_threads: int | None = None,
    ) -> None:
        self.model = model
        self.l2_normalize = l2_normalize
        self._num_threads = num_threads
        session = Session(model, num_threads)
        self.preprocessor = preprocessor_of(model, session.inputs, session.outputs)
        self._output = _output(model, session.outputs, self.preprocessor.output)
        self.dimensions = _dimensions(model, self._output)
        self._free = [session]

    @property
    def kind(self) -> Kind:
        """What it embeds."""
        return self.preprocessor.kind

    def prepare(self, item: Any) -> Sequence[Inputs]:
        """An item as the model takes it: the first part of ``embed``."""
        return self.preprocessor.prepare(item)

    def run(self, runs: Sequence[Inputs]) -> Floats:
        """The embedding of what was prepared: the second part of ``embed``."""
        try:
            session = self._free.pop()
        except IndexError:
            session = Session(self.model, self._num_threads)
        output = self.preprocessor.output
        try:
            found = self._to_floats(session.run(runs[0], output))
            if len(runs) > 1:
                total = found.astype(np.float64)
                for inputs in runs[1:]:
                    total += self._to_floats(session.run(inputs, output))
                found = (total / len(runs)).astype(_f4)
        finally:
            self._free.append(session)
        return l2_normalized(found) if self.l2_normalize else found

    def embed(self, item: Any) -> Floats:
        """The embedding of one item.

        Args:
            item: a ``str`` for a text model, an (H, W, 3) uint8 array for an image model, an (n,)
                float array for a sound model.

        Returns:
            (d,) float32.

        Raises:
            InvalidInput: the item cannot be used.
            InvalidType: it is of another kind than the model takes.
            ModelError: the model fails.
        """
        return self.run(self.prepare(item))

    def embed_batch(self, items: Sequence[Any], *, threads: int | None = 1) -> Floats:
        """The embeddings of many items.

        Args:
            items: q of what ``embed`` takes.
            threads: workers, each with a copy of the model's state; None for one a processor.

        Returns:
            (q, d) float32, the same bits for any number of threads.

        Raises:
            InvalidInput: an item cannot be used.
            InvalidType: an item is of another kind than the model takes.
            ModelError: the model fails.
        """
        found = np.empty((len(items), self.dimensions), _f4)
        workers = min(threads or os.cpu_count() or 1, max(len(items), 1))
        if workers == 1:
            for row, item in enumerate(items):
                found[row] = self.embed(item)
            return found
        with ThreadPoolExecutor(workers) as pool:
            for row, embedding in enumerate(pool.map(self.embed, items)):
                found[row] = embedding
        return found

    def _to_floats(self, output: AnyArray) -> Floats:
        """(d,) float32 of what the model gave; quantised numbers as scale (v - zero_point)."""
        numbers = output.reshape(-1)
        if len(numbers) != self.dimensions:
            raise self.model.wrong("output", f"{self.dimensions} numbers", len(numbers))
        if numbers.dtype == _f4:
            return numbers
        shifted = numbers.astype(np.int32) - self._output.zero_point
        floats: Floats = _f4(self._output.scale) * shifted.astype(_f4)
        return floats


def l2_normalized(x: Floats) -> Floats:
    """X (d,) float32 scaled to length 1, with the bits that phones get; zeros stay zeros.

    They add the squares one after another in float32 and multiply by one over the root.
    """
    squared = np.add.accumulate(x * x)[-1]
    return x * (_ONE / np.sqrt(squared)) if squared > 0 else x


def _output(model: Model, outputs: Sequence[Tensor], number: int) -> Tensor:
    """The output that is the embedding."""
    if number >= len(outputs):
        raise model.wrong("outputs", f"at least {number + 1}", len(outputs))
    return outputs[number]


def _dimensions(model: Model, output: Tensor) -> int:
    """The length of an embedding: the last of two or four dimensions, the others being 1."""
    shape = output.shape
    ones = all(size in (1, -1) for size in shape[:-1])
    if len(shape) not in (2, 4) or not ones or shape[-1] < 1:
        raise model.wrong("output", "an embedding of shape (1, d) or (1, 1, 1, d)", shape)
    quantised = output.dtype in (np.uint8, np.int8)
    if not (output.dtype == _f4 or quantised):
        raise model.wrong("output", "float32, uint8 or int8 numbers", output.dtype)
    if quantised and not output.scale > 0:
        raise model.wrong("output", "a scale for its quantised numbers", "none")
    return shape[-1]
