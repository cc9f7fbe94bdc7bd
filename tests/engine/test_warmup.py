"""Compiled code on disk: found, kept, moved, read-only, damaged; in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import scannlite as sl
from scannlite.engine.warmup import all_kernels, kernels_of, warm_kernel
from scannlite.errors import InvalidInput
from scannlite.kernels import compiled

if not compiled():
    pytest.skip("nothing compiles here", allow_module_level=True)

from scannlite.kernels import folders as places
from scannlite.kernels import native
from scannlite.kernels.folders import folders, users_folder
from scannlite.kernels.kept import Code, keep, kept
from scannlite.kernels.target import Target

ROOT = Path(__file__).resolve().parents[2]
X = np.random.default_rng(0).standard_normal((2_500, 8), dtype=np.float32)
DEVICE = sl.ScaNNOptions("dot_product", sl.Tree(20, 3), score_ah=sl.ScoreAH(2, 0.2)).for_device()
FAST = sl.ScaNNOptions("cosine", sl.Tree(20, 3), score_ah=sl.ScoreAH(2), reorder=sl.Reorder(50))
KINDS = {
    "codes.npz": (FAST, "search_by_codes"),
    "rows.npz": (sl.ScaNNOptions("dot_product", score_brute_force=sl.ScoreBruteForce()), None),
    "device.npz": (DEVICE, "search_on_device"),
    "device.ldb": (DEVICE, "search_on_device"),
}
CODE = Code(b"a kernel", b"what calls it")
HERE = Target("a-triple", "a-processor", "+fast", "1.0", 16, {})

# What a first search loads and answers, as JSON; plan.one and plan.many are asked.
SEARCH = """
import json, sys
import numpy as np
import scannlite as sl
index = sl.Index.load(sys.argv[1])
Q = np.load(sys.argv[2])
one, many = index.search(Q[0], 5), index.search(Q, 5, threads=2)
same = bool((one.ids == many.ids[0]).all() and (one.distances == many.distances[0]).all())
loaded = sorted({"numba", "llvmlite", "scannlite.engine.build"} & set(sys.modules))
from scannlite.engine.warmup import kernels_of, warm_kernel
[kernel] = kernels_of(sys.argv[1])
path = str(warm_kernel(*kernel).path)
print(json.dumps({"ids": many.ids.tolist(), "same": same, "loaded": loaded, "path": path}))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Indexes of every kind, queries, and a folder that was filled with all kernels."""
    folder = tmp_path_factory.mktemp("application")
    np.save(folder / "queries.npy", X[:9])
    for name, (options, _) in KINDS.items():
        sl.Index.build(X, options, metadata=[str(row) for row in range(len(X))]).save(folder / name)
    for room, name in all_kernels():
        code = native.prepare(room, name).code  # from where it is, or compiled
        assert keep(name, Target.here(), code, [folder / "kernels"]) is not None
    return folder


@pytest.fixture
def shut(home: Path, tmp_path: Path) -> Iterator[Path]:
    """The filled folder, moved elsewhere and closed to writing."""
    moved = tmp_path / "elsewhere"
    shutil.copytree(home / "kernels", moved)
    modes = {path: path.stat().st_mode for path in (moved, *moved.iterdir())}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    yield moved
    for path, mode in modes.items():
        path.chmod(mode)


def fresh(code: str, *words: object, **environment: str) -> str:
    """What a new process prints."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


# ---- what an index needs -----------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_an_index_file_tells_which_kernel_searches_it(home: Path, name: str) -> None:
    _, kernel = KINDS[name]
    assert [found for _, found in kernels_of(home / name)] == [kernel or "search_by_scores"]


def test_every_kernel_is_one_of_all() -> None:
    assert sorted(name for _, name in all_kernels()) == [
        "search_by_codes",
        "search_by_scores",
        "search_on_device",
    ]


def test_twins_cannot_be_warmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scannlite.engine.warmup.compiled", lambda: False)
    with pytest.raises(InvalidInput, match="got NumPy twins"):
        warm_kernel("search", "search_by_codes")


# ---- a folder that an application brings -------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_folder_that_was_moved_and_shut_is_all_that_a_search_needs(
    home: Path, shut: Path, tmp_path: Path, name: str
) -> None:
    """Neither the compiler nor a folder to write to; one query and a batch; the same answers."""
    before = sorted(path.name for path in shut.iterdir())
    nowhere = str(tmp_path / "no" / "home")
    told = json.loads(
        fresh(
            SEARCH,
            home / name,
            home / "queries.npy",
            SCANNLITE_CACHE_DIR=str(shut),
            NUMBA_CACHE_DIR=nowhere,
            XDG_CACHE_HOME=nowhere,
        )
    )
    assert told["loaded"] == ["llvmlite"]  # so nothing can have been compiled, or built
    assert Path(told["path"]).parent == shut
    assert told["same"]
    assert told["ids"] == sl.Index.load(home / name).search(X[:9], 5).ids.tolist()
    assert sorted(path.name for path in shut.iterdir()) == before
    assert not (tmp_path / "no").exists()


def test_without_any_folder_a_kernel_is_compiled_and_answers(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_bytes(b"")
    monkeypatch.setattr(native, "folders", lambda: [blocked / "below"])
    prepared = native.prepare("device", "search_on_device")
    assert prepared.compiled
    assert prepared.path is None
    index = sl.Index.load(home / "device.ldb")
    expected = index.search(X[:9], 5)
    index._plan.one, index._plan.many = native.searchers("device", "search_on_device")
    np.testing.assert_array_equal(index.search(X[:9], 5).ids, expected.ids)


def test_a_kernel_is_compiled_once(home: Path) -> None:
    again = warm_kernel("search", "search_by_codes", home / "kernels")
    assert not again.compiled
    assert again.path is not None
    assert again.path.parent == home / "kernels"


# ---- where ------------------------------------------------------------------------------------


def test_folders_are_asked_in_the_order_of_who_named_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SCANNLITE_CACHE_DIR", str(tmp_path / "ours"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    named, numbas, *others = folders()
    assert (named, numbas) == (tmp_path / "ours", tmp_path / "numba")
    assert others[0].name == "__pycache__"
    monkeypatch.delenv("SCANNLITE_CACHE_DIR")
    assert folders()[0] == tmp_path / "numba"


@pytest.mark.parametrize(
    ("platform", "variable", "folder"),
    [
        ("linux", "XDG_CACHE_HOME", "caches/scannlite"),
        ("win32", "LOCALAPPDATA", "caches/scannlite/Cache"),
        ("linux", "HOME", "caches/.cache/scannlite"),
        ("darwin", "HOME", "caches/Library/Caches/scannlite"),
    ],
)
def test_the_users_folder_is_where_the_system_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, variable: str, folder: str
) -> None:
    if variable == "HOME" and sys.platform == "win32":
        pytest.skip("a home is told in another way here")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(places.sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path / "caches"))
    assert users_folder() == [tmp_path / folder]


def test_code_is_written_to_the_first_folder_that_takes_it_and_found_there(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_bytes(b"")
    among = [blocked, tmp_path / "new" / "folder", tmp_path]
    path = keep("kernel", HERE, CODE, among)
    assert path is not None
    assert path.parent == tmp_path / "new" / "folder"
    assert list(path.parent.iterdir()) == [path]  # no temporary is left
    assert kept("kernel", HERE, among) == (CODE, path)
    assert kept("another", HERE, among) is None
    assert keep("kernel", HERE, CODE, [blocked]) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"triple": "another"},
        {"processor": "another"},
        {"features": "+slow"},
        {"compiler": "2.0"},
        {"header": 32},
        {"settings": {"NUMBA_OPT": "0"}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_code_of_another_target_is_not_found(tmp_path: Path, changed: dict[str, object]) -> None:
    keep("kernel", HERE, CODE, [tmp_path])
    assert kept("kernel", HERE._replace(**changed), [tmp_path]) is None


def test_code_of_other_sources_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("kernel", HERE, CODE, [tmp_path])
    monkeypatch.setattr("scannlite.kernels.target.source_digest", lambda: "edited")
    assert kept("kernel", HERE, [tmp_path]) is None


def test_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    """Cut anywhere, or any byte of the code changed; the next folder is looked in."""
    path = keep("kernel", HERE, CODE, [tmp_path])
    assert path is not None
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert kept("kernel", HERE, [tmp_path]) is None
    for place in range(len(whole) - sum(map(len, CODE)), len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert kept("kernel", HERE, [tmp_path]) is None


# ---- for what ----------------------------------------------------------------------------------


def test_the_processor_is_the_one_that_numba_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        monkeypatch.delenv(name, raising=False)
    host = Target.here()
    monkeypatch.setenv("NUMBA_CPU_NAME", "x86-64-v3")
    assert Target.here()[:3] == (host.triple, "x86-64-v3", host.features)
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+avx2")
    assert Target.here()[:3] == (host.triple, "x86-64-v3", "+avx2")
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    monkeypatch.delenv("NUMBA_CPU_FEATURES")
    assert Target.here()[:3] == (host.triple, "generic", "")


def test_the_target_is_what_numba_compiles_for() -> None:
    from numba.core.registry import cpu_target  # noqa: PLC0415 - not where Numba is missing

    assert Target.here()[:3] == tuple(cpu_target.target_context.codegen().magic_tuple())


def test_what_was_compiled_for_another_processor_is_used_but_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where Numba was told by its configuration file."""
    elsewhere = ("a-triple", "a-processor", "")
    monkeypatch.setattr(native, "_compile", lambda *_: (CODE, elsewhere))
    prepared = native.prepare("search", "search_by_codes", tmp_path)
    assert prepared == native.Prepared(CODE, compiled=True, path=None)
    assert list(tmp_path.iterdir()) == []
