"""The demo finds what exact search finds, says so, and draws it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the demo's digits come inside scikit-learn")
pytest.importorskip("matplotlib", reason="the demo draws with Matplotlib")

from scannlite import demo
from scannlite.cli import main


def test_the_demo_measures_and_draws(tmp_path: Path) -> None:
    report = demo.run(tmp_path / "new" / "folder")
    assert report.picture == tmp_path / "new" / "folder" / "digits.png"
    assert report.picture.read_bytes().startswith(b"\x89PNG")
    assert report.picture.stat().st_size < 200_000
    assert (report.rows, report.queries) == (1500, 297)
    assert report.recall >= 0.97
    assert report.same_digit >= 0.97
    assert report.query_seconds > 0
    assert report.build_seconds > 0


def test_the_command_prints_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--output", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for words in ("recall@10", "same digit", "one query", "build", str(tmp_path / "digits.png")):
        assert words in out


def test_the_seed_decides_which_digits_are_held_out() -> None:
    first, again, other = demo.load_digits(0), demo.load_digits(0), demo.load_digits(1)
    for ours, theirs in zip(first, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(first.queries, other.queries)
    assert len(first.rows) + len(first.queries) == 1797


def test_exact_search_by_hand() -> None:
    rows = np.array([[0, 0], [3, 4], [1, 0], [1, 0]], np.float32)
    queries = np.array([[0, 0], [3, 3]], np.float32)
    assert demo.exact_search(rows, queries, 3).tolist() == [[0, 2, 3], [1, 2, 3]]


def test_recall_by_hand() -> None:
    found, truth = np.array([[1, 2], [3, -1]]), np.array([[2, 9], [3, 4]])
    assert demo.recall(found, truth) == 0.5


@pytest.mark.parametrize("package", ["sklearn.datasets", "matplotlib.figure"])
def test_a_missing_extra_is_one_sentence(
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["demo", "--output", str(tmp_path / "none")]) == 2
    err = capsys.readouterr().err
    assert "pip install 'scannlite[demo]'" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "none").exists()
