"""Fields of a block and regions of a workspace by name, resolved when a kernel is compiled."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from scannlite.kernels.layout import SLOTS

__all__ = ["number", "real", "region"]

_I64 = ir.IntType(64)


def _load(builder: Any, block: Any, name: Any, kind: ir.Type) -> Any:
    place = builder.add(block, _I64(8 * SLOTS[name.literal_value]))
    return builder.load(builder.inttoptr(place, kind.as_pointer()), align=8)


def _number(typing_context: Any, block: Any, name: Any) -> Any:  # noqa: ARG001
    """A whole number, or an array's address, of the block at an address."""
    if not isinstance(name, types.StringLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001
        return _load(builder, values[0], name, _I64)

    return types.int64(types.int64, name), generate


def _real(typing_context: Any, block: Any, name: Any) -> Any:  # noqa: ARG001
    """A float of the block at an address, as float32."""
    if not isinstance(name, types.StringLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001
        return builder.fptrunc(_load(builder, values[0], name, ir.DoubleType()), ir.FloatType())

    return types.float32(types.int64, name), generate


def _region(typing_context: Any, block: Any, workspace: Any, name: Any) -> Any:  # noqa: ARG001
    """The address of a region of the workspace at an address."""
    if not isinstance(name, types.StringLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001
        return builder.add(values[1], _load(builder, values[0], name, _I64))

    return types.int64(types.int64, types.int64, name), generate


number: Any = intrinsic(_number)
real: Any = intrinsic(_real)
region: Any = intrinsic(_region)
