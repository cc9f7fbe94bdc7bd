"""The files of phones from the shell: built, converted, shown, refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import scannlite as sl
from tests.strategies import clustered
from tests.test_cli import Run, assert_one_sentence, run

__all__ = ["run"]  # a fixture

pytest.importorskip("google_crc32c", reason="needs the extra 'device'")
pytest.importorskip("google.protobuf", reason="needs the extra 'device'")

ROWS = clustered(2_500, 8, seed=1)
SHARED = Path(__file__).resolve().parents[2] / "shared" / "golden" / "upstream"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason=f"NO REFERENCE FILES AT {SHARED}")


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    np.save(tmp_path / "vectors.npy", ROWS)
    return tmp_path / "vectors.npy"


def test_build_writes_what_phones_read(run: Run, vectors: Path, tmp_path: Path) -> None:
    """One dimension a block, unless told otherwise."""
    path = tmp_path / "index.ldb"
    code, out, _ = run("build", vectors, "-o", path, "--userinfo", "mine", "--json")
    facts = json.loads(out)
    assert (code, facts["kind"], facts["rows"], facts["userinfo"]) == (0, "ldb", 2_500, "mine")
    assert facts["indexer"]["subspaces"] == 8
    assert sl.Index.load(path).options.device is not None
    run("build", vectors, "-o", path, "--dimensions-per-block", 2)
    assert json.loads(run("info", path, "--json")[1])["indexer"]["subspaces"] == 4


def test_convert_there_and_back(run: Run, vectors: Path, tmp_path: Path) -> None:
    """.ldb to .npz to .ldb: the same bytes; user info can be given anew."""
    first, middle, last = (tmp_path / name for name in ("first.ldb", "middle.npz", "last.ldb"))
    run("build", vectors, "-o", first, "--distance", "squared_l2")
    assert run("convert", first, middle)[0] == 0
    assert run("convert", middle, last)[0] == 0
    assert first.read_bytes() == last.read_bytes()
    code, out, _ = run("convert", first, last, "--userinfo", "new", "--compression", "--json")
    assert (code, json.loads(out)["userinfo"]) == (0, "new")
    assert sl.Index.load(last).userinfo == b"new"


@pytest.mark.parametrize(
    "flags", [["--reorder", 50], ["--projection", 4], ["--hash-type", "lut16"]], ids=str
)
def test_what_phones_cannot_hold_is_refused(
    run: Run, vectors: Path, tmp_path: Path, flags: list[object]
) -> None:
    found = run("build", vectors, "-o", tmp_path / "index.ldb", *flags)
    assert_one_sentence(found, "what phones read cannot hold it")
    assert not (tmp_path / "index.ldb").exists()


@pytest.mark.parametrize(
    ("name", "flags"),
    [("index.tflite", []), ("index.ldb", ["--embedder", "some.tflite"])],
)
def test_a_wrong_embedder_is_refused_before_the_work(
    run: Run, vectors: Path, tmp_path: Path, name: str, flags: list[str]
) -> None:
    """No stage of a build was begun."""
    found = run("build", vectors, "-o", tmp_path / name, *flags)
    assert_one_sentence(found, "embedder must be")
    assert "train" not in found[2]


@needs_shared
def test_a_searcher_is_made_and_shown(run: Run, tmp_path: Path) -> None:
    """An index goes into an embedder, and comes out again."""
    embedder, table = (
        SHARED / "regex_one_embedding_with_metadata.tflite",
        SHARED / "regex_index.ldb",
    )
    searcher, back = tmp_path / "searcher.tflite", tmp_path / "back.ldb"
    assert run("convert", table, searcher, "--embedder", embedder)[0] == 0
    code, out, _ = run("info", searcher)
    assert code == 0
    assert "vocab.txt" in out
    assert "5 rows of 16 dimensions, with metadata" in out
    assert "'userinfo'" in out
    assert run("convert", searcher, back)[0] == 0
    assert back.read_bytes() == table.read_bytes()


@needs_shared
def test_what_cannot_be_searched_is_shown_all_the_same(run: Run) -> None:
    code, out, err = run("info", SHARED / "dummy_index.ldb")
    assert (code, err) == (0, "")
    assert "cannot be searched: " in out
    assert "rows_of_partitions=[1, 2]" in out
