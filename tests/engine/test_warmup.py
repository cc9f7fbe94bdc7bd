"""Compiled code on disk: found, kept, moved, read-only, damaged; in processes of their own."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scannlite as sl
from scannlite.engine.warmup import all_kernels, kernels_of, warm_kernel
from scannlite.errors import InvalidInput
from scannlite.kernels import compiled

if not compiled():
    pytest.skip("nothing compiles here", allow_module_level=True)

import llvmlite.binding as llvm

from scannlite.kernels.sources import source_digest
from scannlite.native import folders as places
from scannlite.native import linking, target
from scannlite.native.entry import source
from scannlite.native.folders import folders, users_folder
from scannlite.native.kept import Code, keep, kept
from scannlite.native.target import Target

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
HERE = Target("a-triple", "a-processor", "+fast", "1.0", 16, {}, "sources")

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
        code = linking.prepare(room, name).code  # from where it is, or compiled
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
    monkeypatch.setattr(linking, "folders", lambda: [blocked / "below"])
    prepared = linking.prepare("device", "search_on_device")
    assert prepared.compiled
    assert prepared.path is None
    index = sl.Index.load(home / "device.ldb")
    expected = index.search(X[:9], 5)
    index._plan.one, index._plan.many = linking.linked("device", "search_on_device")
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
        {"sources": "edited"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_code_of_another_target_is_not_found(tmp_path: Path, changed: dict[str, object]) -> None:
    keep("kernel", HERE, CODE, [tmp_path])
    other = HERE._replace(**changed)
    assert kept("kernel", other, [tmp_path]) is None


def test_a_file_that_was_given_another_name_is_as_none(tmp_path: Path) -> None:
    """Of another kernel or of another machine: it says itself what it is."""
    path = keep("kernel", HERE, CODE, [tmp_path])
    assert path is not None
    other = HERE._replace(processor="another")
    for name, told in (("another", HERE), ("kernel", other)):
        path.rename(tmp_path / f"{name}-{told.key}.kernel")
        assert kept(name, told, [tmp_path]) is None
        path = keep("kernel", HERE, CODE, [tmp_path])
        assert path is not None


def test_whoever_writes_at_the_same_time_leaves_a_whole_file(tmp_path: Path) -> None:
    def work(_: int) -> bool:
        keep("kernel", HERE, CODE, [tmp_path])
        found = kept("kernel", HERE, [tmp_path])
        return found is not None and found[0] == CODE

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))
    assert len(list(tmp_path.iterdir())) == 1


def test_without_sources_to_tell_releases_apart_nothing_is_kept_or_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an application of one file: what an older one left would be another layout's."""
    none = Target.here()._replace(sources="")
    assert keep("search_by_codes", none, CODE, [tmp_path]) is not None
    monkeypatch.setattr(linking.Target, "here", lambda: none)
    monkeypatch.setattr(linking, "_compile", lambda *_: (CODE, none[:3]))
    prepared = linking.prepare("search", "search_by_codes", tmp_path)
    assert prepared == linking.Prepared(CODE, compiled=True, path=None)
    monkeypatch.setattr("scannlite.kernels.sources._HERE", tmp_path)
    assert source_digest.__wrapped__() == ""


def test_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    """Cut anywhere, or any byte changed; the next folder is looked in."""
    path = keep("kernel", HERE, CODE, [tmp_path])
    assert path is not None
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert kept("kernel", HERE, [tmp_path]) is None
    for place in range(len(whole)):
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
    monkeypatch.setattr(linking, "_compile", lambda *_: (CODE, elsewhere))
    prepared = linking.prepare("search", "search_by_codes", tmp_path)
    assert prepared == linking.Prepared(CODE, compiled=True, path=None)
    assert list(tmp_path.iterdir()) == []


def test_the_target_names_the_numba_that_compiles() -> None:
    import numba  # noqa: PLC0415 - not where it is missing

    assert Target.here().compiler.startswith(f"numba {numba.__version__}, llvmlite ")


@pytest.mark.parametrize(
    ("processor", "features", "taken"),
    [
        ("a-processor", "+avx,+avx2,+sse2", True),
        ("a-processor", "-avx,-avx2,+sse2", True),
        ("a-processor", "+avx,+avx2,-sse2", False),
        ("a-processor", "", False),
        ("another", "+avx,+avx2,+sse2", False),
    ],
)
def test_code_without_avx_is_kept_for_a_processor_with_it(
    processor: str, features: str, taken: bool
) -> None:
    """Numba leaves it out where it makes code slower; anything else is another target."""
    here = HERE._replace(features="+avx,+avx2,+sse2")
    assert here.takes((here.triple, processor, features)) == taken


# ---- called ------------------------------------------------------------------------------------


def functions_of(body: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """``one`` and ``many`` around a kernel that does what is said in LLVM's language."""
    machine = target.linker()
    numbers = ", ".join(f"i64 %{name}" for name in "PWQDIkabpR")
    kernel = f'define i32 @"k"(ptr %answer, ptr %error, {numbers}) {{\n{body}\n}}'
    texts = (kernel, source("k", machine, object.__basicsize__))
    loaded = linking._Loaded(Code(*(machine.emit_object(llvm.parse_assembly(t)) for t in texts)))
    return loaded.function("one"), loaded.function("many")


ONE = (1, 2, np.zeros(3, np.float32), np.zeros(4, np.float32), np.zeros(4, np.int64), 5, 6)
MANY = tuple(range(1, 11))


def sum_of(names: str) -> str:
    """A kernel whose answer is a sum of what it was given, so many times as its place says."""
    lines, total = [], "0"
    for place, name in enumerate(names, 1):
        lines.append(f"%t{place} = mul i64 %{name}, {place}")
        lines.append(f"%s{place} = add i64 {total}, %t{place}")
        total = f"%s{place}"
    return "\n".join([*lines, f"store i64 {total}, ptr %answer", "ret i32 0"])


def test_every_argument_has_its_place() -> None:
    """Of one query, whose number of neighbours is the length of ids, and of a batch."""
    one, many = functions_of(sum_of("PWkabpR"))
    assert one(*ONE) == 1 * 1 + 2 * 2 + 3 * 4 + 4 * 0 + 5 * 1 + 6 * 5 + 7 * 6
    P, W, *_, k, first, last, p, R = MANY
    assert many(*MANY) == P + 2 * W + 3 * k + 4 * first + 5 * last + 6 * p + 7 * R
    one, many = functions_of(sum_of("QDI"))
    places = [array.ctypes.data for array in ONE[2:5]]
    assert one(*ONE) == places[0] + 2 * places[1] + 3 * places[2]
    assert many(*MANY) == 3 + 2 * 4 + 3 * 5


def test_what_is_wrong_is_an_exception_and_no_answer() -> None:
    one, many = functions_of("store i64 7, ptr %answer\nret i32 0")
    assert (one(*ONE), many(*MANY)) == (7, 7)
    for function, given in ((one, ONE), (many, MANY)):
        for wrong in (given[:-1], (*given, 0), ()):
            with pytest.raises(SystemError):
                function(*wrong)
        with pytest.raises(TypeError):
            function(*given[:-1], 1.5)
        with pytest.raises(OverflowError):
            function(*given[:-1], 2**63)
    one, many = functions_of("ret i32 1")  # as a kernel that raises
    for function, given in ((one, ONE), (many, MANY)):
        with pytest.raises(SystemError):
            function(*given)


def test_functions_keep_their_code() -> None:
    one, _ = functions_of("store i64 7, ptr %answer\nret i32 0")
    gc.collect()
    assert one(*ONE) == 7


# Eight threads ask for the kernel at the same time, then a forked child asks on.
THREADS_AND_FORK = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import scannlite as sl
index, Q = sl.Index.load(sys.argv[1]), np.load(sys.argv[2])
with ThreadPoolExecutor(8) as pool:
    found = list(pool.map(lambda q: index.search(q, 5).ids.tolist(), Q))
if hasattr(os, "fork") and os.fork() == 0:
    os._exit(int(index.search(Q, 5).ids.tolist() != found))
if hasattr(os, "fork"):
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]) or found != index.search(Q, 5).ids.tolist())
"""


def test_threads_and_forked_processes_share_a_kernel(home: Path) -> None:
    words = home / "codes.npz", home / "queries.npy"
    fresh(THREADS_AND_FORK, *words, SCANNLITE_CACHE_DIR=str(home / "kernels"))


@pytest.mark.parametrize("variable", [{"SCANNLITE_NUMBA": "0"}, {"NUMBA_DISABLE_JIT": "1"}])
def test_twins_need_neither_code_nor_what_links_it(home: Path, variable: dict[str, str]) -> None:
    lines = SEARCH.splitlines()
    until = lines.index("from scannlite.engine.warmup import kernels_of, warm_kernel")
    code = "\n".join([*lines[:until], "print(loaded)"])
    assert fresh(code, home / "codes.npz", home / "queries.npy", **variable).strip() == "[]"
