"""The runtime of TensorFlow Lite, whichever is installed."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

import numpy as np

from scannlite.embedders.model import Model
from scannlite.errors import MissingExtra, ModelError
from scannlite.types import AnyArray

__all__ = ["Inputs", "Session", "Tensor"]

Inputs: TypeAlias = Sequence[AnyArray]
"""An array for each input of a model, in the model's order, of its type and shape."""

# Each is the same interpreter under another name; the first is the one that is still made.
_RUNTIMES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter"),
    ("tensorflow", "tensorflow.lite"),
)
_WITHOUT_NUMPY_2 = "tflite-runtime"  # of its releases none was built for NumPy 2
# How the runtime says which operator it has not got.
_MISSING_OPERATOR = re.compile(
    r"unresolved custom op: ([^\s.]+)|builtin opcode '([^']+)'|Node number \d+ \((Flex\w+)\)"
)


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model.

    Attributes:
        name: in the graph, not in the metadata.
        index: the runtime's number of it.
        dtype: ``str`` for texts, else the type of its numbers.
        shape: with -1 where the model leaves it open.
        scale: of quantised numbers, 0 for others.
        zero_point: of quantised numbers.
    """

    name: str
    index: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    @property
    def is_text(self) -> bool:
        """Whether it holds strings."""
        return self.dtype.kind in "SUO"


class Session:
    """A model that is ready to run, in one thread at a time.

    Args:
        model: what to run.
        num_threads: of the runtime; None for its own choice.

    Raises:
        ModelError: the runtime cannot run the model; an operator that it lacks is named.
        MissingExtra: no runtime is installed that works with this NumPy.
    """

    def __init__(self, model: Model, num_threads: int | None) -> None:
        self._model = model
        self._package, interpreter = _runtime()
        source: dict[str, Any] = (
            {"model_content": bytes(model.span.data)}
            if model.path is None
            else {"model_path": model.path}
        )
        try:
            self._interpreter = interpreter(num_threads=num_threads, **source)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise self._refused(error) from error
        except SystemError as error:
            raise _needs_older_numpy(self._package) from error
        self._shapes = [tuple(detail["shape"]) for detail in self._interpreter.get_input_details()]

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """In the model's order."""
        return tuple(map(_tensor, self._interpreter.get_input_details()))

    @cached_property
    def outputs(self) -> tuple[Tensor, ...]:
        """In the model's order."""
        return tuple(map(_tensor, self._interpreter.get_output_details()))

    def run(self, inputs: Inputs, output: int) -> AnyArray:
        """The numbers of one output, as the model gives them.

        Raises:
            ModelError: the model failed.
        """
        interpreter = self._interpreter
        try:
            for place, array in enumerate(inputs):
                if array.shape != self._shapes[place]:
                    self._resize(place, array.shape)
            for tensor, array in zip(self.inputs, inputs, strict=True):
                interpreter.set_tensor(tensor.index, array)
            interpreter.invoke()
            found: AnyArray = interpreter.get_tensor(self.outputs[output].index)
        except (ValueError, RuntimeError) as error:
            raise self._refused(error) from error
        return found

    def _resize(self, place: int, shape: tuple[int, ...]) -> None:
        self._interpreter.resize_tensor_input(self.inputs[place].index, shape)
        self._interpreter.allocate_tensors()
        self._shapes[place] = shape

    def _refused(self, error: Exception) -> ModelError:
        said = " ".join(str(error).split())
        operator = _MISSING_OPERATOR.search(said)
        if operator:
            name = next(filter(None, operator.groups()))
            return ModelError(
                f"{self._model.name}: the model needs the operator {name}, which {self._package} "
                f"{_version(self._package)} does not have."
            )
        return ModelError(f"{self._model.name}: {self._package} cannot run this model: {said}.")


def _tensor(detail: dict[str, Any]) -> Tensor:
    scale, zero_point = detail["quantization"]
    signature = detail.get("shape_signature", detail["shape"])
    shape = tuple(int(size) for size in (signature if len(signature) else detail["shape"]))
    dtype = np.dtype(detail["dtype"])
    return Tensor(detail["name"], int(detail["index"]), dtype, shape, float(scale), int(zero_point))


def _runtime() -> tuple[str, Any]:
    """The first runtime that is installed: its package and its interpreter."""
    unusable = None
    for package, module in _RUNTIMES:
        if importlib.util.find_spec(module.split(".", maxsplit=1)[0]) is None:
            continue
        if package == _WITHOUT_NUMPY_2 and int(np.__version__.split(".", maxsplit=1)[0]) >= 2:
            unusable = _needs_older_numpy(package)
            continue
        try:
            return package, importlib.import_module(module).Interpreter
        except ImportError as error:
            unusable = MissingExtra(f"{package} is installed but cannot be imported: {error}.")
    raise unusable or MissingExtra(
        "running a .tflite model needs the extra 'tflite', which "
        "'pip install \"scannlite[tflite]\"' installs, or tflite-runtime or tensorflow, got none."
    )


def _needs_older_numpy(package: str) -> MissingExtra:
    return MissingExtra(
        f"{package} {_version(package)} needs NumPy below 2, got {np.__version__}: "
        "'pip install \"numpy<2\"', or install ai-edge-litert, the extra 'tflite'."
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(of unknown version)"
