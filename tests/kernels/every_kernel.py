"""What each kernel can be given, for tests that must leave none out: on any processor, any way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import scannlite as sl
from scannlite.learning.rows import unit
from tests.strategies import clustered

__all__ = ["LEARNING", "SEARCHING", "kernels"]

KERNELS = Path(sl.__file__).with_name("kernels")


def kernels() -> Iterator[str]:
    """``room.name`` of all functions that are compiled to be called, not into their callers."""
    for path in KERNELS.glob("*.py"):
        room = ast.parse(path.read_text(encoding="utf-8"))
        imported = [node for node in room.body if isinstance(node, ast.ImportFrom)]
        ways = {
            alias.name
            for node in imported
            if node.module == "scannlite.kernels.jit"
            for alias in node.names
        }
        for node in room.body:
            if isinstance(node, ast.FunctionDef):
                decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
                if decorators & (ways - {"inlined"}):
                    yield f"{path.stem}.{node.name}"


def _learning() -> dict[str, list[NDArray[np.generic]]]:
    """The arguments of kernels that learn, arrays all; what comes last is written to."""
    n, d, b, c = 300, 29, 3, 16
    m = -(-d // b)
    rng = np.random.default_rng(0)
    R = clustered(n, d, seed=1)
    V = R * np.float32(127 / np.abs(R).max())
    centers = rng.standard_normal((m * b, c)).astype(np.float32)
    centers[d:] = 0
    centers = centers.reshape(m, b, c)
    eta = rng.choice(np.float32([1, 1.5, 4, 50]), n)
    codes = rng.integers(0, c, (n, m)).astype(np.uint8)
    return {
        "encode.nearest": [R, centers, np.empty((n, m), np.uint8)],
        "encode.anisotropic": [R, unit(R), centers, eta, codes],
        "encode.shape_noise": [V, unit(R), eta, np.rint(V).astype(np.int8)],
        "lloyd.accumulate": [R, codes, np.empty((m, c, b)), np.empty((m, c), np.int64)],
    }


LEARNING = _learning()

_tree = sl.Tree(20, 5)
_phone = sl.ScoreAH(1, residual_quantization=False)
SEARCHING = {
    "search.search_by_codes": sl.ScaNNOptions(
        "squared_l2", tree=_tree, score_ah=sl.ScoreAH(2), reorder=sl.Reorder(50)
    ),
    "search.search_by_scores": sl.ScaNNOptions(
        "cosine", tree=_tree, score_brute_force=sl.ScoreBruteForce(quantize=True)
    ),
    "device.search_on_device": sl.ScaNNOptions(
        "dot_product", tree=_tree, score_ah=_phone, device=sl.Device()
    ).for_device(),
}
"""Options of indexes that are searched by each of the other kernels."""
