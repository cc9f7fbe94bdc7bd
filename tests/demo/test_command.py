"""``scannlite demo`` as somebody types it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from scannlite.cli import main
from scannlite.demo import Collection
from tests.demo.conftest import ROWS
from tests.embedders.runtimes import needs_runtime

pytest.importorskip("PIL", reason="NO DEMO WAS RUN: Pillow is not installed")
pytestmark = needs_runtime
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(collection: Collection, tmp_path: Path) -> Path:
    """What an earlier run left."""
    return shutil.copytree(collection.searcher.parent, tmp_path / "demo")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(folder: Path, *words: str) -> tuple[int, str, str]:
        code = main(["demo", "--rows", str(ROWS), "--output", str(folder), *words])
        return (code, *capsys.readouterr())

    return run


def test_it_tells_what_was_found_and_where_to_look(run: Run, folder: Path):
    code, out, err = run(folder, "a red star", "<b>qwerty</b>")
    assert code == 0
    for words in ("1,000", "recall@10", "exact", "unseen", "tokenise", "the budget is 6 ms"):
        assert words in out
    assert "\na red star: " in out
    assert "<b>qwerty</b>: " in out
    page = (folder / "results.html").read_text(encoding="utf-8")
    assert page.index("qwerty") < page.index("a golden star")
    assert str(folder / "searcher.tflite") in out
    assert "draw and embed" in err


def test_who_sits_at_a_terminal_is_asked(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    typed = iter(["a blue heart", "  ", "never read"])
    monkeypatch.setattr("builtins.input", lambda _: next(typed))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, _ = run(folder)
    assert code == 0
    assert "Now you" in out
    assert "a blue heart" in (folder / "results.html").read_text(encoding="utf-8")
    assert next(typed) == "never read"


def test_pictures_for_the_search_page(run: Run, folder: Path):
    code, out, _ = run(folder, "--pictures")
    assert code == 0
    assert len(list((folder / "pictures").iterdir())) == ROWS
    assert f"--images {folder / 'pictures'}" in out


def test_no_runtime_is_one_sentence_and_leaves_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import importlib.util  # noqa: PLC0415 - patched here alone

    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    code, _, err = run(tmp_path / "none")
    assert code == 2
    assert "tflite" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_no_pillow_is_one_sentence_and_leaves_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    code, _, err = run(tmp_path / "none")
    assert code == 2
    assert "scannlite[vision]" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_no_room_is_one_sentence(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    code, _, err = run(tmp_path / "full")
    assert code == 2
    assert "MB free" in err
    assert "with 1 MB" in err
    assert err.count("\n") == 1


def test_a_folder_that_cannot_be_is_one_sentence(run: Run, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = run(tmp_path / "file" / "demo")
    assert code == 2
    assert err.count("\n") == 1
