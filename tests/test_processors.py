"""The same bits on every processor: those Numba can be told to compile for, and those of ARM.

Indexes are built and saved here and opened there. ``make test-arm`` makes the folder that
``SCANNLITE_ARM`` names, with Pythons of other processors under emulation.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scannlite as sl
from scannlite.kernels import compiled
from tests.kernels.every_kernel import LEARNING

PROGRAM = """
import sys
import numpy as np
import scannlite as sl
from scannlite.kernels import implementation

given, out, *paths = sys.argv[1:]
arrays = dict(np.load(given))
queries = arrays.pop("queries")
answers = [array for path in paths for array in sl.Index.load(path).search(queries, 12)]
learning = {}
for name, array in arrays.items():
    learning.setdefault(name.split()[0], []).append(array)
for name, arguments in learning.items():
    room, kernel = name.split(".")
    getattr(implementation(room), kernel)(*arguments)
    answers += arguments
np.savez(out, *answers)
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
def given(tmp_path_factory):
    """A file of queries and of what kernels learn from, and indexes of every way."""
    folder = tmp_path_factory.mktemp("indexes")
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(20, 50))
    X = (centers[rng.integers(0, 20, 1500)] + 0.5 * rng.normal(size=(1500, 50))).astype(np.float32)
    arguments = {f"{name} {i}": x for name, case in LEARNING.items() for i, x in enumerate(case)}
    np.savez(folder / "given.npz", queries=X[:20] + np.float32(0.1), **arguments)
    paths = []
    for name, chosen in options():
        paths.append(folder / f"{name}.{'npz' if chosen.device is None else 'ldb'}")
        sl.Index.build(X, chosen).save(paths[-1])
    return folder / "given.npz", paths


def answers(given, python=(sys.executable,), **environment):
    arrays, paths = given
    out = arrays.with_name("found.npz")
    command = [*python, "-c", PROGRAM, arrays, out, *paths]
    subprocess.run(command, check=True, env={**os.environ, **environment})  # noqa: S603
    with np.load(out) as found:
        return [found[name] for name in found.files]


@pytest.fixture(scope="module")
def here(given):
    return answers(given)


def equal(some, others):
    return all(np.array_equal(x, y) for x, y in zip(some, others, strict=True))


def test_numpy_alone_answers_the_same_bits(given, here):
    assert equal(here, answers(given, SCANNLITE_NUMBA="0"))


@pytest.mark.skipif(not compiled(), reason="nothing is compiled here")
@pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"}, reason="processors of x86-64 alone"
)
@pytest.mark.parametrize("processor", ["x86-64", "haswell"])
def test_other_processors_answer_the_same_bits(given, here, processor):
    environment = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
    assert equal(here, answers(given, **environment))


@pytest.mark.skipif("SCANNLITE_ARM" not in os.environ, reason="ARM is emulated by make test-arm")
@pytest.mark.parametrize(
    ("python", "processor"),
    [("arm64", "cortex-a72"), ("arm64", "cortex-a76"), ("armhf", "cortex-a15")],
)
def test_arm_answers_the_same_bits(given, here, python, processor):
    launcher = Path(os.environ["SCANNLITE_ARM"]).resolve() / f"python-{python}"
    assert equal(here, answers(given, (launcher,), ARM_CPU=processor))
