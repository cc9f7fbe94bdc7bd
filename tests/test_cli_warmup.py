"""``scannlite warmup``: what it compiles, where it keeps that, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import scannlite as sl
from scannlite.engine.warmup import Warmed
from scannlite.kernels import compiled
from tests.test_cli import Run, assert_one_sentence, run

__all__ = ["run"]  # a fixture

if not compiled():
    pytest.skip("nothing compiles here", allow_module_level=True)

X = np.random.default_rng(0).standard_normal((500, 8), dtype=np.float32)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    options = sl.ScaNNOptions("dot_product", sl.Tree(5, 2), score_ah=sl.ScoreAH(2, 0.2))
    sl.Index.build(X, options.for_device()).save(tmp_path / "index.ldb")
    return tmp_path / "index.ldb"


def test_a_folder_is_filled_with_what_an_index_needs_and_nothing_else(
    run: Run, index: Path, tmp_path: Path
) -> None:
    """Compiled and kept there; the second time it was there already."""
    folder = tmp_path / "new" / "kernels"
    code, out, _ = run("warmup", "--cache", folder, index)
    [path] = folder.iterdir()
    assert code == 0
    assert out.startswith("search_on_device: compiled in ")
    assert out.endswith(f" s, {path}\n")
    _, out, _ = run("warmup", "--cache", folder, index, index)
    assert out == f"search_on_device: was compiled already, {path}\n"


def test_json_says_the_same(run: Run, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Warmed("search_on_device", compiled=True, seconds=1.5, path=Path("folder", "file"))
    monkeypatch.setattr("scannlite.cli.warming.warm_kernel", lambda *_: found)
    _, out, _ = run("warmup", index, "--json")
    facts = {"kernel": "search_on_device", "compiled": True, "seconds": 1.5}
    assert json.loads(out) == {**facts, "path": str(Path("folder", "file"))}


def test_where_nothing_can_be_written_one_sentence_says_so(
    run: Run, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Warmed("search_on_device", compiled=True, seconds=1.5, path=None)
    monkeypatch.setattr("scannlite.cli.warming.warm_kernel", lambda *_: found)
    code, out, _ = run("warmup", index)
    assert code == 0
    assert out == (
        "search_on_device: compiled in 1.5 s, no folder can be written to, so that every process "
        "compiles anew: name one in SCANNLITE_CACHE_DIR, or give --cache\n"
    )


def test_without_an_index_every_kernel_of_searching_is_compiled(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "scannlite.cli.warming.warm_kernel",
        lambda room, name, folder: (
            asked.append((room, name, folder)) or Warmed(name, False, 0, Path("there"))
        ),
    )
    _, out, _ = run("warmup")
    assert asked == [
        ("search", "search_by_codes", None),
        ("search", "search_by_scores", None),
        ("device", "search_on_device", None),
    ]
    assert out.count("was compiled already") == 3


def test_what_a_build_needs_is_compiled_where_that_is_asked_for(run: Run, index: Path) -> None:
    _, out, _ = run("warmup", index, "--build", "--json")
    kernel, building = map(json.loads, out.splitlines())
    assert (kernel["kernel"], building["kernel"]) == ("search_on_device", "building")
    assert building["path"] is None or Path(building["path"]).is_dir()


def test_build_and_cache_do_not_go_together(run: Run, tmp_path: Path) -> None:
    came = run("warmup", "--build", "--cache", tmp_path)
    assert_one_sentence(came, "--build must be given without --cache")


def test_a_folder_that_cannot_be_filled_is_one_sentence(
    run: Run, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who makes an image must see that nothing was kept in it."""
    found = Warmed("search_on_device", compiled=True, seconds=1.5, path=None)
    monkeypatch.setattr("scannlite.cli.warming.warm_kernel", lambda *_: found)
    came = run("warmup", "--cache", tmp_path / "shut", index)
    assert_one_sentence(came, "--cache must be a folder that can be written to, got")


def test_a_file_that_is_no_index_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "index.npz").write_bytes(b"nothing")
    assert_one_sentence(run("warmup", tmp_path / "index.npz"), "index.npz")
