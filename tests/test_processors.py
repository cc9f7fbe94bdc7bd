"""The same index answers with the same bits on every processor Numba can be told to compile for."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

import scannlite as sl
from scannlite.kernels import compiled

PROGRAM = """
import sys
import numpy as np
import scannlite as sl

queries = np.load(sys.argv[1])
found = [sl.Index.load(path).search(queries, 12) for path in sys.argv[3:]]
np.savez(sys.argv[2], *[array for pair in found for array in pair])
"""

TREE = sl.Tree(20, 5)
WAYS = {
    "codes": {"tree": TREE, "score_ah": sl.ScoreAH(2), "reorder": sl.Reorder(50)},
    "codes alone": {"tree": TREE, "score_ah": sl.ScoreAH(3)},
    "wide codes": {
        "tree": TREE,
        "score_ah": sl.ScoreAH(5, hash_type="lut256"),
        "reorder": sl.Reorder(40, quantize=True),
    },
    "float rows": {"score_brute_force": sl.ScoreBruteForce()},
    "byte rows": {"tree": TREE, "score_brute_force": sl.ScoreBruteForce(quantize=True)},
}
PHONES = {
    "bytes": (1, sl.Device()),
    "16 centers": (3, sl.Device(num_centers=16)),
    "16 bits": (4, sl.Device("int16")),
    "floats": (7, sl.Device("float")),
}


def options():
    """Every way with every measure, and those of phones, by name."""
    for measure in ("dot_product", "squared_l2", "cosine"):
        for name, parts in WAYS.items():
            yield f"{measure} {name}", sl.ScaNNOptions(measure, **parts)
    for measure in ("dot_product", "squared_l2"):
        for name, (b, device) in PHONES.items():
            codes = sl.ScoreAH(b, residual_quantization=False, training_iterations=2)
            chosen = sl.ScaNNOptions(measure, TREE, score_ah=codes, device=device).for_device()
            yield f"{measure} on phones {name}", chosen


@pytest.fixture(scope="module")
def indexes(tmp_path_factory):
    """Indexes of every way, some queries, and what they answer here."""
    folder = tmp_path_factory.mktemp("indexes")
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(20, 50))
    X = (centers[rng.integers(0, 20, 1500)] + 0.5 * rng.normal(size=(1500, 50))).astype(np.float32)
    np.save(folder / "queries.npy", X[:20] + np.float32(0.1))
    paths = []
    for name, chosen in options():
        paths.append(folder / f"{name}.npz")
        sl.Index.build(X, chosen).save(paths[-1])
    return folder, paths


def answers(folder, paths, **environment):
    out = folder / "found.npz"
    command = [sys.executable, "-c", PROGRAM, folder / "queries.npy", out, *paths]
    subprocess.run(command, check=True, env={**os.environ, **environment})  # noqa: S603
    with np.load(out) as found:
        return [found[name] for name in found.files]


@pytest.fixture(scope="module")
def here(indexes):
    return answers(*indexes)


def equal(some, others):
    return all(np.array_equal(x, y) for x, y in zip(some, others, strict=True))


def test_numpy_alone_answers_the_same_bits(indexes, here):
    assert equal(here, answers(*indexes, SCANNLITE_NUMBA="0"))


@pytest.mark.skipif(not compiled(), reason="nothing is compiled here")
@pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"}, reason="processors of x86-64 alone"
)
@pytest.mark.parametrize("processor", ["x86-64", "haswell"])
def test_other_processors_answer_the_same_bits(indexes, here, processor):
    environment = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
    assert equal(here, answers(*indexes, **environment))
