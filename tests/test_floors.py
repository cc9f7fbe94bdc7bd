"""The house holds: imports go down, Numba stays in its room, and some things are nowhere at all."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "scannlite"

FLOORS = {
    "errors": 0,
    "types": 0,
    "extras": 1,
    "progress": 1,
    "kernels": 1,
    "native": 2,
    "learning": 2,
    "files": 3,
    "engine": 4,
    "embedders": 5,
    "scannlite": 5,  # the front door, `scannlite/__init__.py`: faces may knock, nobody else
    "faces": 6,
}
FACES = {
    "__main__",
    "cli",
    "demo",
    "estimator",
    "scann_ops_pybind",
    "scenes",
    "searcher",
    "task",
    "web",
}
COMPILERS = {"numba", "llvmlite"}
OPTIONAL = {"tqdm"}  # others go through `extras.imported`
UNPICKLERS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
SEEDED = {"default_rng", "Generator", "SeedSequence", "PCG64", "Philox", "BitGenerator"}


class Import(NamedTuple):
    """What is imported, where, and whether that happens when the module is loaded."""

    target: str
    line: int
    at_load: bool


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    top = [*module.split("."), ""][1]
    return "scannlite" if not top else "faces" if top in FACES else top


def imports(tree: ast.AST, *, at_load: bool = True) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: say where from, not how many floors up"
            assert node.module is not None
            for alias in node.names:
                inside = room_of(f"{node.module}.{alias.name}") in FLOORS
                whole = node.module == "scannlite" and inside
                target = f"{node.module}.{alias.name}" if whole else node.module
                yield Import(target, node.lineno, at_load)
        else:
            function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from imports(node, at_load=at_load and not function)


def climbing(module: str, tree: ast.AST) -> list[str]:
    """Imports of ``module`` that go up, or sideways into another room."""
    room = room_of(module)
    wrong = []
    for found in imports(tree):
        other = room_of(found.target)
        if found.target.split(".")[0] != "scannlite" or other == room:
            continue
        if FLOORS[other] >= FLOORS[room] or {room, other} == {"learning", "files"}:
            wrong.append(f"line {found.line}: {room} imports {found.target}")
    return wrong


every_module = pytest.mark.parametrize("path", sources(), ids=name_of)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@every_module
def test_every_module_has_a_room(path: Path) -> None:
    assert room_of(name_of(path)) in FLOORS


@every_module
def test_imports_go_down_or_stay_in_the_room(path: Path) -> None:
    assert not climbing(name_of(path), parse(path))


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("scannlite.errors", "import scannlite.types"),
        ("scannlite.kernels.scan", "from scannlite.engine.options import Tree"),
        ("scannlite.kernels.scan", "from scannlite import Index"),
        ("scannlite.kernels.scan", "from scannlite import learning"),
        ("scannlite.kernels.jit", "from scannlite.native import kept"),
        ("scannlite.learning.kmeans", "from scannlite.native import searchers"),
        ("scannlite.learning.kmeans", "from scannlite.files import container"),
        ("scannlite.files.container", "from scannlite.learning import kmeans"),
        ("scannlite.files.container", "def lazily():\n    import scannlite.engine.index"),
        ("scannlite.engine.index", "from scannlite.cli import main"),
    ],
)
def test_a_climbing_import_is_seen(module: str, line: str) -> None:
    assert climbing(module, ast.parse(line))


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("scannlite.cli.commands", "from scannlite import demo"),
        ("scannlite.cli", "from scannlite import __version__"),
        ("scannlite.engine.index", "from scannlite.files import container"),
        ("scannlite.engine.index", "from scannlite.engine.options import Tree"),
        ("scannlite.kernels.scan", "from scannlite.types import Codes"),
        ("scannlite", "from scannlite.engine.index import Index"),
    ],
)
def test_a_descending_import_is_free(module: str, line: str) -> None:
    assert not climbing(module, ast.parse(line))


@every_module
def test_the_runtime_needs_numpy_and_numba_only(path: Path) -> None:
    known = {"scannlite", "numpy", *COMPILERS, *OPTIONAL, *sys.stdlib_module_names}
    assert {found.target.split(".")[0] for found in imports(parse(path))} <= known


@every_module
def test_the_compiler_is_imported_in_two_rooms_only(path: Path) -> None:
    """Neither in the twins nor at the rooms' doors: they serve where Numba is missing."""
    module = name_of(path)
    allowed = module.startswith(("scannlite.kernels.", "scannlite.native."))
    allowed = allowed and ".reference" not in module
    found = {found.target.split(".")[0] for found in imports(parse(path))}
    assert allowed or not found & COMPILERS


@every_module
def test_optional_packages_are_imported_where_they_are_used(path: Path) -> None:
    for found in imports(parse(path)):
        assert not found.at_load or found.target.split(".")[0] not in OPTIONAL


@every_module
def test_no_assert_no_pickle_no_global_randomness(path: Path) -> None:
    tree = parse(path)
    assert not {found.target.split(".")[0] for found in imports(tree)} & UNPICKLERS
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: raise instead"
        if isinstance(node, ast.keyword):
            wanted = isinstance(node.value, ast.Constant) and node.value.value is False
            assert node.arg != "allow_pickle" or wanted
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in (
            "np.random",
            "numpy.random",
        ):
            assert node.attr in SEEDED, f"line {node.lineno}: a generator with a seed instead"


@every_module
def test_jit_flags_are_spelled_in_one_module(path: Path) -> None:
    """Neither parallel=True nor fastmath, and no ``njit`` beside the one policy."""
    if name_of(path) == "scannlite.kernels.jit":
        return
    for node in ast.walk(parse(path)):
        if isinstance(node, (ast.Name, ast.Attribute)):
            spelled = node.id if isinstance(node, ast.Name) else node.attr
            assert spelled not in {"njit", "jit", "vectorize", "guvectorize", "prange"}
        if isinstance(node, ast.keyword):
            assert node.arg not in {"parallel", "fastmath", "nogil"}
