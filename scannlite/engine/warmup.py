"""Compile before the first query waits for it: on purpose, and where the result shall be kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scannlite.engine.arrays import lookup_of
from scannlite.engine.options import Reorder, ScaNNOptions, ScoreAH, Tree
from scannlite.engine.plan import kernel_for
from scannlite.engine.storage import Source, load
from scannlite.errors import InvalidInput
from scannlite.kernels import compiled, implementation
from scannlite.types import Floats

__all__ = ["Warmed", "all_kernels", "kernels_of", "warm_building", "warm_kernel"]

_FEW, _DIMENSIONS = 2_000, 8  # rows enough for options of every kind, and short


@dataclass(frozen=True)
class Warmed:
    """What became of one kernel.

    Attributes:
        kernel: its name.
        compiled: whether it had to be compiled; else it was there.
        seconds: it took.
        path: the file that keeps it, or None where no folder can be written to.
    """

    kernel: str
    compiled: bool
    seconds: float
    path: Path | None


def kernels_of(source: Source) -> list[tuple[str, str]]:
    """The (room, name) of the kernels that search an index file.

    Raises:
        IndexFileError: it cannot be searched.
        MissingExtra: a library that this kind of file needs is not installed.
        OSError: it cannot be read.
    """
    options = load(source, verify=False).options
    return [kernel_for(lookup_of(options), device=options.device is not None)]


def all_kernels() -> list[tuple[str, str]]:
    """The (room, name) of all kernels that search."""
    return [kernel_for(16, device=False), kernel_for(0, device=False), kernel_for(0, device=True)]


def warm_kernel(room: str, name: str, folder: Path | None = None) -> Warmed:
    """Compile a kernel, unless that was done before, and keep it on disk.

    Args:
        room: the module of the kernel.
        name: of the kernel.
        folder: where to look and to write; None for where a search looks.

    Raises:
        InvalidInput: nothing compiles here.
    """
    _check_compiled()
    from scannlite.native import linking  # noqa: PLC0415 - needs a compiler

    began = time.perf_counter()
    prepared = linking.prepare(room, name, folder)
    return Warmed(name, prepared.compiled, time.perf_counter() - began, prepared.path)


def warm_building(build: Callable[[Floats, ScaNNOptions], object]) -> Warmed:
    """Build small indexes, so that Numba compiles what a build needs and keeps it by itself.

    Args:
        build: what builds, ``Index.build``.

    Raises:
        InvalidInput: nothing compiles here.
    """
    _check_compiled()
    began = time.perf_counter()
    X = np.random.default_rng(0).standard_normal((_FEW, _DIMENSIONS), dtype=np.float32)
    codes = ScaNNOptions("cosine", Tree(16, 2), score_ah=ScoreAH(2, 0.2), reorder=Reorder(10))
    rotated = ScoreAH(3, projection=6)
    build(X, codes)
    build(X, replace(codes, distance_measure="squared_l2", score_ah=rotated))
    build(X, replace(codes, distance_measure="dot_product", reorder=None).for_device())
    stats = [kernel.stats for kernel in _kernels_of_building()]
    misses, path = sum(sum(stat.cache_misses.values()) for stat in stats), stats[0].cache_path
    seconds = time.perf_counter() - began
    return Warmed("building", bool(misses), seconds, Path(path) if path else None)


def _kernels_of_building() -> list[Any]:
    encode, lloyd = implementation("encode"), implementation("lloyd")
    return [encode.nearest, encode.anisotropic, encode.shape_noise, lloyd.accumulate]


def _check_compiled() -> None:
    if not compiled():
        raise InvalidInput("warmup must run where Numba compiles kernels, got NumPy twins.")
