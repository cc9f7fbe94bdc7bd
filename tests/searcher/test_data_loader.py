"""``DataLoader``: what goes in, and what is appended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scannlite import InvalidInput, InvalidType
from scannlite.searcher import DataLoader

X = np.arange(12).reshape(3, 4)
NAMES = ["a", b"\xff", "c"]


def test_arguments_may_be_given_in_order():
    loader = DataLoader("model.tflite", X, NAMES)
    assert loader.dataset.dtype == np.float32
    assert loader.dataset.tolist() == X.tolist()
    assert loader.metadata == NAMES
    assert loader.embedder_path == "model.tflite"
    assert len(loader) == 3
    assert repr(loader) == "<scannlite.searcher.DataLoader 3 x 4, model.tflite>"


@pytest.mark.parametrize(
    "dataset", [X.tolist(), X.astype(float), X.astype(np.uint8), X[::-1, ::-1]]
)
def test_any_numbers_become_float32(dataset):
    loader = DataLoader(dataset=dataset)
    assert loader.dataset.dtype == np.float32
    assert loader.dataset.tolist() == np.asarray(dataset).tolist()
    assert loader.metadata is None


def test_rows_that_fit_already_are_not_copied():
    rows = X.astype(np.float32)
    assert np.shares_memory(DataLoader(dataset=rows).dataset, rows)


@pytest.mark.parametrize("loader", [DataLoader(), DataLoader(dataset=[], metadata=[])])
def test_one_may_begin_with_nothing(loader):
    assert (len(loader), loader.dataset.shape, loader.metadata) == (0, (0, 0), [])
    assert loader.embedder_path is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, X, ["a"]), InvalidInput, r"metadata must have one item a row \(3\), got 1."),
        ((None, None, ["a"]), InvalidInput, r"metadata must have one item a row \(0\), got 1."),
        ((None, X, "abc"), InvalidType, "metadata must be a sequence of str or bytes, got 'abc'"),
        ((None, X, ["a", 1, "c"]), InvalidType, "must be str or bytes, got int at item 1."),
        ((None, X, 3), InvalidType, "metadata must be a sequence of str or bytes, got 3."),
        ((None, X[0]), InvalidInput, r"must be two-dimensional, .*, got shape \(4,\)."),
        ((None, [[1.0], [1.0, 2.0]]), InvalidType, "dataset must be an array of numbers, got"),
        ((None, [["a"]]), InvalidType, "dataset must be an array of real numbers, got dtype"),
        ((None, [[1, 2], [3, np.nan]]), InvalidInput, "dataset .* got nan at row 1, column 1."),
        ((X, "model.tflite"), InvalidType, "embedder_path must be the path of a file or None"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(arguments, error, message):
    with pytest.raises(error, match=message):
        DataLoader(*arguments)


# ---- append ------------------------------------------------------------------------------------


def test_rows_and_metadata_are_appended():
    loader = DataLoader("m", X, NAMES)
    loader.append(DataLoader("m", X[:1] + 100, ["d"]))
    assert len(loader) == 4
    assert loader.dataset.tolist() == [*X.tolist(), [100, 101, 102, 103]]
    assert loader.metadata == [*NAMES, "d"]


def test_an_empty_loader_takes_all_and_gives_nothing():
    """The original raises IndexError."""
    loader, other = DataLoader(), DataLoader("m", X, NAMES)
    loader.append(other)
    assert loader.dataset.tolist() == X.tolist()
    assert loader.metadata == NAMES
    assert loader.embedder_path == "m"
    loader.append(DataLoader())
    assert len(loader) == 3
    loader.append(other)
    assert (len(loader), loader.metadata) == (6, [*NAMES, *NAMES])
    assert (len(other), other.metadata) == (3, NAMES)


def test_a_loader_may_be_appended_to_itself():
    loader = DataLoader(None, X, NAMES)
    loader.append(loader)
    assert loader.dataset.tolist() == [*X.tolist(), *X.tolist()]
    assert loader.metadata == [*NAMES, *NAMES]


def test_rows_without_metadata_join_others_without():
    loader = DataLoader()
    loader.append(DataLoader(None, X))
    loader.append(DataLoader(None, X))
    assert (len(loader), loader.metadata) == (6, None)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (DataLoader("m", X[:, :3], NAMES), "rows to append must have 4 dimensions, got 3."),
        (DataLoader("n", X, NAMES), "must be of the embedder 'm', got one of 'n'"),
        (DataLoader("m", X), "must have some metadata, as the rows before, got none."),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_added(other, message):
    loader = DataLoader("m", X, NAMES)
    with pytest.raises(InvalidInput, match=message):
        loader.append(other)
    assert loader.dataset.tolist() == X.tolist()
    assert loader.metadata == NAMES


def test_metadata_are_not_for_rows_that_have_none():
    with pytest.raises(InvalidInput, match="must have no metadata, as the rows before"):
        DataLoader(None, X).append(DataLoader(None, X, NAMES))


def test_one_embedder_may_be_spelled_in_two_ways(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    loader = DataLoader("m", X, NAMES)
    loader.append(DataLoader(Path(tmp_path, "x", "..", "m"), X, NAMES))
    assert (len(loader), loader.embedder_path) == (6, "m")


def test_only_loaders_are_appended():
    with pytest.raises(InvalidType, match="data_loader must be a DataLoader, got None"):
        DataLoader().append(None)
