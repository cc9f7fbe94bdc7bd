"""SIMD values inside jitted code: the one place that knows processors.

A value here is a Numba type whose data model *is* an LLVM vector of 64 bytes, whatever the host:
LLVM splits it over the registers there are (one with AVX-512, two with AVX2, four with SSE or
NEON), and loops over such values in plain Python stay in registers. Nearly everything is generic
LLVM. Only a table lookup, a dot product of bytes and a compress have instructions that LLVM must
be told of; where the host has none of them, plain loops over lanes stand in.

Memory is reached through integer addresses; the callers' arrays were validated once, and are
followed by 64 readable bytes. No operation here contracts or reassociates: the NumPy twins give
the same bits.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

__all__ = [
    "add_f32",
    "add_high_half",
    "add_i32",
    "add_low_half",
    "add_saturating",
    "add_u16",
    "address_of",
    "at_least",
    "at_most",
    "average",
    "bounds_pay",
    "broadcast_dword",
    "broadcast_table",
    "compress",
    "count_trailing_zeros",
    "divide_f32",
    "dot4",
    "dot_excess",
    "equal_f32",
    "fours",
    "gather_f32",
    "has_compress",
    "has_wide_registers",
    "high_words",
    "keep_f32",
    "lane_numbers",
    "load_f32",
    "load_f32x16",
    "load_i32",
    "load_i32x16",
    "load_i64",
    "load_u8",
    "load_u8x64",
    "lookup_64",
    "lookup_256",
    "lookup_high",
    "lookup_low",
    "low_byte",
    "low_words",
    "magnitude",
    "max_f32",
    "max_lane",
    "merge",
    "min_f32",
    "min_i32",
    "min_lane",
    "min_u8",
    "multiply_f32",
    "odd_bytes",
    "pack4",
    "population",
    "prefetch",
    "quarter_0",
    "quarter_1",
    "quarter_2",
    "quarter_3",
    "raise_bytes",
    "round_away",
    "round_to_i32",
    "shift_down",
    "splat_f32",
    "splat_i32",
    "splat_u8",
    "store",
    "store_bytes",
    "store_f32",
    "store_i32",
    "store_i64",
    "store_tables",
    "store_u8",
    "subtract_f32",
    "sum_lanes",
    "sum_lanes_i32",
    "to_f32",
    "truncate_to_i32",
    "wide_sums_0",
    "wide_sums_1",
    "wide_sums_2",
    "wide_sums_3",
    "widen_i8",
    "widen_i16",
    "widen_u8",
]

I1, I8, I16, I32, I64 = (ir.IntType(width) for width in (1, 8, 16, 32, 64))
F32 = ir.FloatType()


class Vector(types.Type):
    """A Numba type that is an LLVM vector of ``count`` elements."""

    def __init__(self, name: str, element: ir.Type, count: int) -> None:
        self.llvm_type = ir.VectorType(element, count)
        super().__init__(name=name)


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """Vectors are held as they are."""

    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, vector.llvm_type)  # type: ignore[no-untyped-call]


u8x64 = Vector("u8x64", I8, 64)
i32x16 = Vector("i32x16", I32, 16)
f32x16 = Vector("f32x16", F32, 16)

address = types.int64
mask = types.uint64

_B, _H, _W, _F = u8x64.llvm_type, ir.VectorType(I16, 32), i32x16.llvm_type, f32x16.llvm_type

Lowering = Callable[..., Any]


def _emits(result: types.Type, *arguments: types.Type) -> Callable[[Lowering], Any]:
    """Make ``lower(context, builder, *values)`` a function of jitted code."""

    def decorate(lower: Lowering) -> Any:
        def typed(typing_context: Any, *given: types.Type) -> Any:  # noqa: ARG001
            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001
                value = lower(context, builder, *values)
                return context.get_dummy_value() if value is None else value

            return result(*arguments), generate

        # Numba matches arguments by name and number: those of `lower`, after the context.
        names = ["typing_context", *list(inspect.signature(lower).parameters)[2:]]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, kind) for name in names]
        typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        typed.__name__ = lower.__name__
        typed.__doc__ = lower.__doc__
        return intrinsic(typed)

    return decorate


# --- what the host can do ------------------------------------------------------------------------

_FAMILIES = {"x86_64": "x86", "amd64": "x86", "aarch64": "arm", "arm64": "arm"}
_PROBES = {
    # A shuffle within each 16 bytes: one instruction where there is a byte shuffle that wide.
    "x86": {
        "pshufb16": ("pshufb", 16, "shuffle"),
        "pshufb32": ("ymm", 32, "shuffle"),
        "pshufb64": ("zmm", 64, "shuffle"),
        "vpermb": ("vpermb", 64, "reversal"),
        "vbmi2": ("vpshldw", 32, "funnel"),
        "vpdpbusd32": ("vpdpbusd", 32, "mixed dot"),
        "vpdpbusd64": (r"vpdpbusd.*zmm", 64, "mixed dot"),
    },
    # Linux tells of sdot by another name than LLVM's, so that no feature is found in its list.
    "arm": {"neon": ("tbl", 16, "shuffle"), "sdot": ("sdot", 16, "signed dot")},
}


def _probe_source(width: int, kind: str) -> str:
    if kind.endswith("dot"):
        extended = "zext" if kind == "mixed dot" else "sext"
        return (
            f"declare i32 @llvm.vector.reduce.add.v{width}i32(<{width} x i32>)\n"
            f"define i32 @f(<{width} x i8> %a, <{width} x i8> %b) {{\n"
            f" %x = {extended} <{width} x i8> %a to <{width} x i32>\n"
            f" %y = sext <{width} x i8> %b to <{width} x i32>\n"
            f" %p = mul <{width} x i32> %x, %y\n"
            f" %r = call i32 @llvm.vector.reduce.add.v{width}i32(<{width} x i32> %p)\n"
            f" ret i32 %r\n}}\n"
        )
    if kind == "funnel":
        return (
            f"declare <{width} x i16> @llvm.fshl.v{width}i16"
            f"(<{width} x i16>, <{width} x i16>, <{width} x i16>)\n"
            f"define <{width} x i16> @f(<{width} x i16> %a, <{width} x i16> %b) {{\n"
            f" %r = call <{width} x i16> @llvm.fshl.v{width}i16(<{width} x i16> %a, "
            f"<{width} x i16> %b, <{width} x i16> splat (i16 3))\n ret <{width} x i16> %r\n}}\n"
        )
    scrambled = [(lane * 7 + 3) % 16 + lane // 16 * 16 for lane in range(width)]
    order = scrambled if kind == "shuffle" else [(lane * 37 + 11) % width for lane in range(width)]
    lanes = ", ".join(f"i32 {lane}" for lane in order)
    return (
        f"define <{width} x i8> @f(<{width} x i8> %a) {{\n"
        f" %r = shufflevector <{width} x i8> %a, <{width} x i8> %a, <{width} x i32> <{lanes}>\n"
        f" ret <{width} x i8> %r\n}}\n"
    )


@functools.cache
def _abilities(target: tuple[str, str, str]) -> frozenset[str]:
    """What LLVM itself selects for (triple, processor, features): never an illegal instruction."""
    triple, processor, features = target
    family = _FAMILIES.get(triple.partition("-")[0])
    if family is None:
        return frozenset()
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=processor, features=features, opt=2
    )
    found = set()
    for ability, (selected, width, kind) in _PROBES[family].items():
        module = llvm.parse_assembly(f'target triple = "{triple}"\n' + _probe_source(width, kind))
        if re.search(selected, machine.emit_assembly(module)):
            found.add(ability)
    return frozenset(found)


def _can(context: Any, *abilities: str) -> bool:
    return bool(_abilities(tuple(context.codegen().magic_tuple())).intersection(abilities))


# --- pieces of LLVM ------------------------------------------------------------------------------


def _constant(kind: ir.VectorType, value: float) -> ir.Constant:
    return ir.Constant(kind, [value] * kind.count)


def _call(builder: Any, name: str, result: ir.Type, *values: Any) -> Any:
    function = builder.module.globals.get(name)
    if function is None:
        signature = ir.FunctionType(result, [value.type for value in values])
        function = ir.Function(builder.module, signature, name)
    return builder.call(function, values)


def _shuffle(builder: Any, x: Any, y: Any, lanes: Sequence[int]) -> Any:
    order = ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes))
    return builder.shuffle_vector(x, y, order)


def _splat(builder: Any, kind: ir.VectorType, value: Any) -> Any:
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, I32(0))
    return _shuffle(builder, first, first, [0] * kind.count)


def _pieces(builder: Any, x: Any, lanes: int) -> list[Any]:
    if lanes == x.type.count:
        return [x]
    starts = range(0, x.type.count, lanes)
    return [_shuffle(builder, x, x, range(start, start + lanes)) for start in starts]


def _joined(builder: Any, parts: list[Any]) -> Any:
    while len(parts) > 1:
        lanes = range(2 * parts[0].type.count)
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [_shuffle(builder, low, high, lanes) for low, high in pairs]
    return parts[0]


def _load(builder: Any, where: Any, kind: ir.Type) -> Any:
    return builder.load(builder.inttoptr(where, kind.as_pointer()), align=1)


def _store(builder: Any, where: Any, value: Any) -> None:
    builder.store(value, builder.inttoptr(where, value.type.as_pointer()), align=1)


# --- memory --------------------------------------------------------------------------------------


def _loader(result: types.Type, kind: ir.Type) -> Any:
    @_emits(result, address)
    def load(context: Any, builder: Any, where: Any) -> Any:  # noqa: ARG001
        return _load(builder, where, kind)

    return load


load_u8x64 = _loader(u8x64, _B)
load_i32x16 = _loader(i32x16, _W)
load_f32x16 = _loader(f32x16, _F)
load_i64 = _loader(types.int64, I64)
load_i32 = _loader(types.int32, I32)
load_f32 = _loader(types.float32, F32)
load_u8 = _loader(types.uint8, I8)


def _storer(value: types.Type) -> Any:
    @_emits(types.void, address, value)
    def store_scalar(context: Any, builder: Any, where: Any, given: Any) -> None:  # noqa: ARG001
        _store(builder, where, given)

    return store_scalar


store_i64 = _storer(types.int64)
store_i32 = _storer(types.int32)
store_f32 = _storer(types.float32)
store_u8 = _storer(types.uint8)


def _store_vector(typing_context: Any, where: types.Type, value: types.Type) -> Any:  # noqa: ARG001
    """Write a whole vector at an address."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001
        _store(builder, values[0], values[1])
        return context.get_dummy_value()

    return types.void(address, value), generate


store: Any = intrinsic(_store_vector)


@_emits(types.void, address)
def prefetch(context: Any, builder: Any, where: Any) -> None:  # noqa: ARG001
    """Ask for the cache line at an address; any address is allowed."""
    pointer = builder.inttoptr(where, I8.as_pointer())
    name = "llvm.prefetch.p0"
    function = builder.module.globals.get(name)
    if function is None:
        signature = ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
        function = ir.Function(builder.module, signature, name)
    builder.call(function, [pointer, I32(0), I32(3), I32(1)])


def _address_of(typing_context: Any, array: types.Type) -> Any:  # noqa: ARG001
    """Where an array's first element lies."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, values[0])
        return builder.ptrtoint(view.data, I64)

    return address(array), generate


address_of: Any = intrinsic(_address_of)


@_emits(types.void, address, i32x16)
def store_bytes(context: Any, builder: Any, where: Any, x: Any) -> None:  # noqa: ARG001
    """Write the low bytes of 16 lanes."""
    _store(builder, where, builder.trunc(x, ir.VectorType(I8, 16)))


@_emits(types.void, address, i32x16, i32x16, i32x16, i32x16)
def store_tables(
    context: Any,  # noqa: ARG001
    builder: Any,
    where: Any,
    w0: Any,
    w1: Any,
    w2: Any,
    w3: Any,
) -> None:
    """Write 16 tables of 16 bytes: table j is lane j of the four, a 4 x 4 transposition."""
    zipped = [lane for i in range(16) for lane in (i, 16 + i)]
    low, high = _shuffle(builder, w0, w1, zipped), _shuffle(builder, w2, w3, zipped)
    for group in range(4):
        lanes: list[int] = []
        for i in range(4 * group, 4 * group + 4):
            lanes += [2 * i, 2 * i + 1, 32 + 2 * i, 32 + 2 * i + 1]
        place = builder.add(where, I64(64 * group))
        _store(builder, place, _shuffle(builder, low, high, lanes))


# --- making values -------------------------------------------------------------------------------


def _splatter(result: Vector, scalar: types.Type) -> Any:
    @_emits(result, scalar)
    def splat(context: Any, builder: Any, value: Any) -> Any:  # noqa: ARG001
        return _splat(builder, result.llvm_type, value)

    return splat


splat_u8 = _splatter(u8x64, types.uint8)
splat_i32 = _splatter(i32x16, types.int32)
splat_f32 = _splatter(f32x16, types.float32)


@_emits(u8x64, address)
def broadcast_dword(context: Any, builder: Any, where: Any) -> Any:  # noqa: ARG001
    """The 4 bytes at an address, 16 times."""
    return builder.bitcast(_splat(builder, _W, _load(builder, where, I32)), _B)


@_emits(u8x64, address)
def broadcast_table(context: Any, builder: Any, where: Any) -> Any:  # noqa: ARG001
    """The 16 bytes at an address, 4 times."""
    table = _load(builder, where, ir.VectorType(I8, 16))
    return _shuffle(builder, table, table, list(range(16)) * 4)


@_emits(u8x64)
def lane_numbers(context: Any, builder: Any) -> Any:  # noqa: ARG001
    """0, 1, ... 63."""
    return ir.Constant(_B, list(range(64)))


def _widener(result: Vector, element: ir.Type, extend: str) -> Any:
    @_emits(result, address)
    def widen(context: Any, builder: Any, where: Any) -> Any:  # noqa: ARG001
        return getattr(builder, extend)(_load(builder, where, ir.VectorType(element, 16)), _W)

    return widen


widen_u8 = _widener(i32x16, I8, "zext")
widen_i8 = _widener(i32x16, I8, "sext")
widen_i16 = _widener(i32x16, I16, "sext")


# --- bytes ---------------------------------------------------------------------------------------


def _lookup(context: Any, builder: Any, table: Any, codes: Any) -> Any:
    """Table entries by codes below 16. The table stands in the vector four times."""
    if _can(context, "neon"):
        name, width = "llvm.aarch64.neon.tbl1.v16i8", 16
    elif _can(context, "pshufb64"):
        name, width = "llvm.x86.avx512.pshuf.b.512", 64
    elif _can(context, "pshufb32"):
        name, width = "llvm.x86.avx2.pshuf.b", 32
    elif _can(context, "pshufb16"):
        name, width = "llvm.x86.ssse3.pshuf.b.128", 16
    else:
        return _lookup_by_lane(builder, table, codes)
    kind = ir.VectorType(I8, width)
    tables, parts = _pieces(builder, table, width), _pieces(builder, codes, width)
    found = [_call(builder, name, kind, t, part) for t, part in zip(tables, parts, strict=True)]
    return _joined(builder, found)


def _lookup_by_lane(builder: Any, table: Any, codes: Any) -> Any:
    found = ir.Constant(_B, ir.Undefined)
    for lane in range(64):
        code = builder.zext(builder.extract_element(codes, I32(lane)), I32)
        found = builder.insert_element(found, builder.extract_element(table, code), I32(lane))
    return found


def _permute(builder: Any, table: Any, codes: Any) -> Any:
    # Looks at the low 6 bits of a code alone; the table repeats every 16, so none is masked off.
    return _call(builder, "llvm.x86.avx512.permvar.qi.512", _B, table, codes)


@_emits(u8x64, u8x64, u8x64)
def lookup_low(context: Any, builder: Any, table: Any, codes: Any) -> Any:
    """Entries of a 16-byte table (as ``broadcast_table`` gives it) by each byte's low nibble."""
    if _can(context, "vpermb"):
        return _permute(builder, table, codes)
    return _lookup(context, builder, table, builder.and_(codes, _constant(_B, 15)))


@_emits(u8x64, u8x64, u8x64)
def lookup_high(context: Any, builder: Any, table: Any, codes: Any) -> Any:
    """Entries of a 16-byte table (as ``broadcast_table`` gives it) by each byte's high nibble."""
    if _can(context, "vpermb"):
        pairs = builder.lshr(builder.bitcast(codes, _H), _constant(_H, 4))
        return _permute(builder, table, builder.bitcast(pairs, _B))
    return _lookup(context, builder, table, builder.lshr(codes, _constant(_B, 4)))


@_emits(u8x64, address, u8x64)
def lookup_256(context: Any, builder: Any, where: Any, codes: Any) -> Any:
    """Entries of the 256-byte table at an address."""
    if _can(context, "vpermb"):
        t = [_load(builder, builder.add(where, I64(64 * i)), _B) for i in range(4)]
        name = "llvm.x86.avx512.vpermi2var.qi.512"
        low = _call(builder, name, _B, t[0], codes, t[1])
        high = _call(builder, name, _B, t[2], codes, t[3])
        return builder.select(builder.icmp_signed("<", codes, _constant(_B, 0)), high, low)
    return _lookup_far(context, builder, where, codes, 256)


@_emits(u8x64, address, u8x64)
def lookup_64(context: Any, builder: Any, where: Any, codes: Any) -> Any:
    """Entries of the 64-byte table at an address, by codes below 64."""
    if _can(context, "vpermb"):
        return _permute(builder, _load(builder, where, _B), codes)
    return _lookup_far(context, builder, where, codes, 64)


def _lookup_far(context: Any, builder: Any, where: Any, codes: Any, entries: int) -> Any:
    """Entries of a table of 64 or 256 bytes at an address."""
    if _can(context, "neon"):
        parts = _pieces(builder, codes, 16)
        return _joined(builder, [_by_tbl(builder, where, x, entries) for x in parts])
    if _can(context, "pshufb32"):
        parts = _pieces(builder, codes, 32)
        return _joined(builder, [_by_shuffles(builder, where, x, entries) for x in parts])
    found = ir.Constant(_B, ir.Undefined)
    for lane in range(64):
        code = builder.zext(builder.extract_element(codes, I32(lane)), I64)
        entry = _load(builder, builder.add(where, code), I8)
        found = builder.insert_element(found, entry, I32(lane))
    return found


def _by_shuffles(builder: Any, where: Any, codes: Any, count: int) -> Any:
    """Shuffles of 16 entries each; codes of other sixteens find 0, as their top bit is set.

    A code less 16 t is below 16 where the t-th table has it, and only then stays below 128 when
    112 are added.
    """
    kind = codes.type
    found = _constant(kind, 0)
    for t in range(count // 16):
        entries = _load(builder, builder.add(where, I64(16 * t)), ir.VectorType(I8, 16))
        table = _shuffle(builder, entries, entries, list(range(16)) * (kind.count // 16))
        within = builder.sub(codes, _constant(kind, 16 * t))
        index = _call(builder, f"llvm.uadd.sat.v{kind.count}i8", kind, within, _constant(kind, 112))
        found = builder.or_(found, _call(builder, "llvm.x86.avx2.pshuf.b", kind, table, index))
    return found


def _by_tbl(builder: Any, where: Any, codes: Any, count: int) -> Any:
    """Lookups of 64 entries each; a code beyond a table's 64 finds 0 in it."""
    kind = ir.VectorType(I8, 16)
    found = _constant(kind, 0)
    for table in range(count // 64):
        parts = [
            _load(builder, builder.add(where, I64(64 * table + 16 * i)), kind) for i in range(4)
        ]
        within = builder.sub(codes, _constant(kind, 64 * table))
        name = "llvm.aarch64.neon.tbl4.v16i8"
        found = builder.or_(found, _call(builder, name, kind, *parts, within))
    return found


@_emits(types.boolean)
def bounds_pay(context: Any, builder: Any) -> Any:  # noqa: ARG001
    """Whether ``lookup_64`` is done in vectors and ``lookup_256`` takes four times as long."""
    vectors, quick = _can(context, "neon", "pshufb32"), _can(context, "vpermb")
    return I1(int(vectors and not quick))


@_emits(types.boolean)
def has_wide_registers(context: Any, builder: Any) -> Any:  # noqa: ARG001
    """Whether a value is at most two registers, so that several values and their sums fit."""
    return I1(int(_can(context, "pshufb32")))


@_emits(u8x64, u8x64)
def fours(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
    """X // 4: which four of 256 codes a code is among."""
    return builder.lshr(x, _constant(_B, 2))


def _widened_half(first: int) -> Any:
    @_emits(u8x64, u8x64, u8x64)
    def add_half(context: Any, builder: Any, sums: Any, x: Any) -> Any:  # noqa: ARG001
        """32 sums of 16 bits, and half of the bytes of x added to them."""
        half = builder.zext(_shuffle(builder, x, x, range(first, first + 32)), _H)
        return builder.bitcast(builder.add(builder.bitcast(sums, _H), half), _B)

    return add_half


add_low_half, add_high_half = _widened_half(0), _widened_half(32)


def _widened_words(first: int) -> Any:
    @_emits(i32x16, u8x64)
    def words(context: Any, builder: Any, sums: Any) -> Any:  # noqa: ARG001
        """16 of 32 sums of 16 bits."""
        whole = builder.bitcast(sums, _H)
        return builder.zext(_shuffle(builder, whole, whole, range(first, first + 16)), _W)

    return words


low_words, high_words = _widened_words(0), _widened_words(16)


@_emits(u8x64, u8x64, u8x64)
def add_u16(context: Any, builder: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
    """X + y of 32 pairs of bytes, each a 16-bit number."""
    total = builder.add(builder.bitcast(x, _H), builder.bitcast(y, _H))
    return builder.bitcast(total, _B)


@_emits(u8x64, u8x64)
def odd_bytes(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
    """The higher byte of each pair, in the place of the lower."""
    return builder.bitcast(builder.lshr(builder.bitcast(x, _H), _constant(_H, 8)), _B)


@_emits(u8x64, u8x64)
def raise_bytes(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
    """The lower byte of each pair, in the place of the higher."""
    return builder.bitcast(builder.shl(builder.bitcast(x, _H), _constant(_H, 8)), _B)


def _wide_sums(place: int) -> Any:
    @_emits(i32x16, u8x64, u8x64)
    def wide_sums(context: Any, builder: Any, pairs: Any, odd: Any) -> Any:  # noqa: ARG001
        """16 of 64 sums, from sums of pairs as 16-bit numbers and sums of the odd bytes alone."""
        odd = builder.bitcast(odd, _H)
        even = builder.sub(builder.bitcast(pairs, _H), builder.shl(odd, _constant(_H, 8)))
        lanes = [lane for i in range(8 * place, 8 * place + 8) for lane in (i, 32 + i)]
        return builder.zext(_shuffle(builder, even, odd, lanes), _W)

    return wide_sums


wide_sums_0, wide_sums_1, wide_sums_2, wide_sums_3 = (_wide_sums(place) for place in range(4))


def _quarter(place: int) -> Any:
    @_emits(i32x16, u8x64)
    def quarter(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
        return builder.zext(_pieces(builder, x, 16)[place], _W)

    return quarter


quarter_0, quarter_1, quarter_2, quarter_3 = (_quarter(place) for place in range(4))


@_emits(u8x64, u8x64, u8x64)
def add_saturating(context: Any, builder: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
    """X + y, at most 255."""
    return _call(builder, "llvm.uadd.sat.v64i8", _B, x, y)


@_emits(u8x64, u8x64, u8x64)
def average(context: Any, builder: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
    """(x + y + 1) // 2."""
    wide = ir.VectorType(I16, 64)
    total = builder.add(builder.zext(x, wide), builder.zext(y, wide))
    return builder.trunc(
        builder.lshr(builder.add(total, _constant(wide, 1)), _constant(wide, 1)), _B
    )


@_emits(u8x64, u8x64, u8x64)
def min_u8(context: Any, builder: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
    """The lesser of x and y."""
    return builder.select(builder.icmp_unsigned("<", x, y), x, y)


@_emits(u8x64, u8x64, u8x64)
def merge(context: Any, builder: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
    """Bitwise or."""
    return builder.or_(x, y)


@_emits(mask, u8x64, u8x64)
def at_most(context: Any, builder: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
    """Bit i is set where x[i] <= y[i]."""
    return builder.bitcast(builder.icmp_unsigned("<=", x, y), I64)


@_emits(types.boolean)
def has_compress(context: Any, builder: Any) -> Any:  # noqa: ARG001
    """Whether ``compress`` is one instruction; a constant, so that LLVM drops the other branch."""
    return I1(int(_can(context, "vbmi2")))


@_emits(u8x64, mask, u8x64)
def compress(context: Any, builder: Any, chosen: Any, x: Any) -> Any:
    """The bytes whose bit is set, moved to the front. Only where ``has_compress``."""
    if not _can(context, "vbmi2"):
        return x
    lanes = builder.bitcast(chosen, ir.VectorType(I1, 64))
    return _call(builder, "llvm.x86.avx512.mask.compress.v64i8", _B, x, _constant(_B, 0), lanes)


# --- dot products of signed bytes ----------------------------------------------------------------


@_emits(i32x16, i32x16, u8x64, u8x64)
def dot4(context: Any, builder: Any, total: Any, x: Any, y: Any) -> Any:
    """total[i] + the sum over 4 signed bytes of x * y, plus ``dot_excess`` times the sum of y.

    x and y lie in -127 ... 127; what is repeated over the lanes, if any, is y.
    """
    if _can(context, "vpdpbusd32", "vpdpbusd64"):
        return _dot4_vnni(context, builder, total, x, y)
    if _can(context, "sdot"):
        return _dot4_sdot(builder, total, x, y)
    if _can(context, "neon"):
        return _dot4_smull(builder, total, x, y)
    return _dot4_generic(builder, total, x, y)


def _dot4_vnni(context: Any, builder: Any, total: Any, x: Any, y: Any) -> Any:
    lanes = 16 if _can(context, "vpdpbusd64") else 8
    name, kind = f"llvm.x86.avx512.vpdpbusd.{32 * lanes}", ir.VectorType(I32, lanes)
    # LLVM 22 never comes back where x is known to be one word repeated: give that as y.
    flipped = builder.xor(x, _constant(_B, 0x80))
    parts = zip(
        _pieces(builder, total, lanes),
        _pieces(builder, builder.bitcast(flipped, _W), lanes),
        _pieces(builder, builder.bitcast(y, _W), lanes),
        strict=True,
    )
    return _joined(builder, [_call(builder, name, kind, *part) for part in parts])


def _dot4_sdot(builder: Any, total: Any, x: Any, y: Any) -> Any:
    parts = zip(
        _pieces(builder, total, 4), _pieces(builder, x, 16), _pieces(builder, y, 16), strict=True
    )
    name, kind = "llvm.aarch64.neon.sdot.v4i32.v16i8", ir.VectorType(I32, 4)
    return _joined(builder, [_call(builder, name, kind, *part) for part in parts])


def _dot4_smull(builder: Any, total: Any, x: Any, y: Any) -> Any:
    """Products of 16 bits; sums of two, at most 2 * 127 * 127, still fit, sums of four do not."""
    products, fours = ir.VectorType(I16, 8), ir.VectorType(I32, 4)
    found = []
    for sums, *factors in zip(
        _pieces(builder, total, 4), _pieces(builder, x, 16), _pieces(builder, y, 16), strict=True
    ):
        halves = zip(*(_pieces(builder, factor, 8) for factor in factors), strict=True)
        low, high = (
            _call(builder, "llvm.aarch64.neon.smull.v8i16", products, *half) for half in halves
        )
        twos = _call(builder, "llvm.aarch64.neon.addp.v8i16", products, low, high)
        sums_of_four = _call(builder, "llvm.aarch64.neon.saddlp.v4i32.v8i16", fours, twos)
        found.append(builder.add(sums, sums_of_four))
    return _joined(builder, found)


def _dot4_generic(builder: Any, total: Any, x: Any, y: Any) -> Any:
    def halves(value: Any, kind: ir.VectorType, bits: int) -> tuple[Any, Any]:
        whole = builder.bitcast(value, kind)
        shift = _constant(kind, bits)
        return builder.ashr(builder.shl(whole, shift), shift), builder.ashr(whole, shift)

    x_even, x_odd = halves(x, _H, 8)
    y_even, y_odd = halves(y, _H, 8)
    # Two products of at most 127 * 127 fit 16 bits.
    pairs = builder.add(builder.mul(x_even, y_even), builder.mul(x_odd, y_odd))
    even, odd = halves(pairs, _W, 16)
    return builder.add(total, builder.add(even, odd))


@_emits(types.int32)
def dot_excess(context: Any, builder: Any) -> Any:  # noqa: ARG001
    """What ``dot4`` adds for each unit of y: x86 multiplies unsigned by signed bytes only."""
    return I32(128 if _can(context, "vpdpbusd32", "vpdpbusd64") else 0)


# --- 32-bit whole numbers ------------------------------------------------------------------------


@_emits(i32x16, i32x16, i32x16)
def add_i32(context: Any, builder: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
    """X + y."""
    return builder.add(x, y)


def _shifted_in(builder: Any, low: Any, high: Any, place: int) -> Any:
    """High bits over low ones, in one instruction."""
    parts = zip(_pieces(builder, low, 4), _pieces(builder, high, 4), strict=True)
    name, kind = "llvm.aarch64.neon.vsli.v4i32", ir.VectorType(I32, 4)
    return _joined(builder, [_call(builder, name, kind, *part, I32(place)) for part in parts])


@_emits(i32x16, i32x16, i32x16)
def min_i32(context: Any, builder: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
    """The lesser of x and y."""
    return builder.select(builder.icmp_signed("<", x, y), x, y)


@_emits(types.int32, i32x16)
def sum_lanes_i32(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
    """The sum of 16 lanes."""
    return _call(builder, "llvm.vector.reduce.add.v16i32", I32, x)


@_emits(i32x16, i32x16, i32x16, i32x16, i32x16)
def pack4(context: Any, builder: Any, w: Any, x: Any, y: Any, z: Any) -> Any:
    """Four lanes of 0 ... 255 as the four bytes of one, the first lowest."""
    for place, lanes in ((8, x), (16, y), (24, z)):
        if _can(context, "neon"):
            w = _shifted_in(builder, w, lanes, place)
        else:
            w = builder.or_(w, builder.shl(lanes, _constant(_W, place)))
    return w


@_emits(f32x16, i32x16)
def to_f32(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
    """As float32."""
    return builder.sitofp(x, _F)


@_emits(i32x16, f32x16)
def round_away(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
    """To the nearest whole number, halves away from zero."""
    half = _call(builder, "llvm.copysign.v16f32", _F, _constant(_F, 0.5), x)
    return builder.fptosi(builder.fadd(x, half), _W)


@_emits(i32x16, f32x16)
def round_to_i32(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
    """To the nearest whole number, halves to even."""
    return builder.fptosi(_call(builder, "llvm.rint.v16f32", _F, x), _W)


@_emits(i32x16, f32x16)
def truncate_to_i32(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
    """To the next whole number towards zero."""
    return builder.fptosi(x, _W)


@_emits(i32x16, i32x16)
def shift_down(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
    """Without the lowest byte."""
    return builder.lshr(x, _constant(_W, 8))


@_emits(i32x16, i32x16)
def low_byte(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
    """The lowest byte alone."""
    return builder.and_(x, _constant(_W, 255))


# --- float32 -------------------------------------------------------------------------------------


def _arithmetic(name: str) -> Any:
    @_emits(f32x16, f32x16, f32x16)
    def operate(context: Any, builder: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
        return getattr(builder, name)(x, y)

    return operate


add_f32, subtract_f32 = _arithmetic("fadd"), _arithmetic("fsub")
multiply_f32, divide_f32 = _arithmetic("fmul"), _arithmetic("fdiv")


def _chooser(comparison: str) -> Any:
    @_emits(f32x16, f32x16, f32x16)
    def choose(context: Any, builder: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
        return builder.select(builder.fcmp_ordered(comparison, x, y), x, y)

    return choose


max_f32, min_f32 = _chooser(">"), _chooser("<")


@_emits(f32x16, f32x16, i32x16)
def keep_f32(context: Any, builder: Any, x: Any, lanes: Any) -> Any:  # noqa: ARG001
    """X where a lane of ``lanes`` is -1, and 0 where it is 0."""
    return builder.bitcast(builder.and_(builder.bitcast(x, _W), lanes), _F)


@_emits(f32x16, f32x16)
def magnitude(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
    """|x|."""
    bits = builder.and_(builder.bitcast(x, _W), _constant(_W, 0x7FFFFFFF))
    return builder.bitcast(bits, _F)


@_emits(f32x16, address, i32x16)
def gather_f32(context: Any, builder: Any, where: Any, places: Any) -> Any:  # noqa: ARG001
    """The numbers at 16 places of an array at an address."""
    found = ir.Constant(_F, ir.Undefined)
    for lane in range(16):
        place = builder.zext(builder.extract_element(places, I32(lane)), I64)
        number = _load(builder, builder.add(where, builder.shl(place, I64(2))), F32)
        found = builder.insert_element(found, number, I32(lane))
    return found


def _comparison(operator: str) -> Any:
    @_emits(mask, f32x16, f32x16)
    def compare(context: Any, builder: Any, x: Any, y: Any) -> Any:  # noqa: ARG001
        lanes = builder.fcmp_ordered(operator, x, y)
        return builder.zext(builder.bitcast(lanes, I16), I64)

    return compare


at_least, equal_f32 = _comparison(">="), _comparison("==")


def _fold(join: Callable[[Any, Any, Any], Any]) -> Any:
    """Halves onto halves: lane i meets lane i + 8, then i + 4, and so on."""

    @_emits(types.float32, f32x16)
    def fold(context: Any, builder: Any, x: Any) -> Any:  # noqa: ARG001
        for lanes in (8, 4, 2, 1):
            low = _shuffle(builder, x, x, range(lanes))
            high = _shuffle(builder, x, x, range(lanes, 2 * lanes))
            x = join(builder, low, high)
        return builder.extract_element(x, I32(0))

    return fold


sum_lanes = _fold(lambda builder, x, y: builder.fadd(x, y))
max_lane = _fold(lambda builder, x, y: builder.select(builder.fcmp_ordered(">", x, y), x, y))
min_lane = _fold(lambda builder, x, y: builder.select(builder.fcmp_ordered("<", x, y), x, y))


# --- masks ---------------------------------------------------------------------------------------


@_emits(types.int64, mask)
def population(context: Any, builder: Any, bits: Any) -> Any:  # noqa: ARG001
    """How many bits are set."""
    return builder.ctpop(bits)


@_emits(types.int64, mask)
def count_trailing_zeros(context: Any, builder: Any, bits: Any) -> Any:  # noqa: ARG001
    """The place of the lowest set bit; bits is not 0."""
    return builder.cttz(bits, ir.Constant(I1, 1))
