"""A file answers as the index did, or says in one sentence what is wrong with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from scannlite import Index, IndexFileError, InvalidInput, InvalidType, ScaNNOptions
from scannlite.files import container
from tests.engine.test_build_and_search import KINDS, MEASURES, Q, X, assert_same, options_of
from tests.strategies import clustered

kinds = pytest.mark.parametrize("kind", sorted(KINDS))


@kinds
@pytest.mark.parametrize("measure", MEASURES)
def test_a_loaded_index_answers_the_same(measure, kind, tmp_path):
    index = Index.build(X, options_of(measure, kind))
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    index.save(first)
    for verify in (True, False):
        loaded = Index.load(first, verify=verify)
        assert loaded.options == index.options
        assert (len(loaded), loaded.dimensions, loaded.nbytes) == (300, 12, index.nbytes)
        assert_same(loaded.search(Q, 20), index.search(Q, 20))
        assert_same(loaded.search(Q[0], 20), index.search(Q[0], 20))
    loaded.save(second)
    assert first.read_bytes() == second.read_bytes()
    Index.build(X, options_of(measure, kind)).save(second)
    assert first.read_bytes() == second.read_bytes()


def test_numpy_opens_the_file(tmp_path):
    index = Index.build(X, options_of("cosine", "lut16-reorder"))
    index.save(tmp_path / "index.npz")
    with np.load(tmp_path / "index.npz", allow_pickle=False) as file:
        assert np.array_equal(file["ids"], index._arrays.ids)
        assert np.array_equal(file["codes"], index._arrays.codes)


def test_an_empty_index_is_kept(tmp_path):
    index = Index.build(X[:0], "cosine", metadata=[])
    index.save(tmp_path / "index.npz")
    loaded = Index.load(tmp_path / "index.npz")
    assert_same(loaded.search(Q, 3), index.search(Q, 3))
    assert list(loaded.metadata) == []


def test_metadata_comes_back(tmp_path):
    items = ["", b"", "é😀", "\ud800", b"\x00\xff", "a\x00b"]
    index = Index.build(X[:6], metadata=items)
    index.save(tmp_path / "index.npz")
    for found in (index.metadata, Index.load(tmp_path / "index.npz").metadata):
        assert list(found) == items
        assert found[1:4] == items[1:4]
        assert (found[-1], len(found)) == (items[-1], 6)
        with pytest.raises(IndexError):
            found[6]
    assert Index.build(X[:6]).metadata is None
    with pytest.raises(InvalidInput, match=r"one item a row \(6\), got 5"):
        Index.build(X[:6], metadata=items[:5])
    with pytest.raises(InvalidType, match=r"got int at item 1"):
        Index.build(X[:2], metadata=["a", 3])


def test_every_truncation_and_many_flips_are_noticed(tmp_path):
    path = tmp_path / "index.npz"
    index = Index.build(X[:40], options_of("squared_l2", "lut16"), metadata=["x"] * 40)
    index.save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in [0, 1, len(whole) - 1, *rng.integers(0, len(whole), 40)]:
        path.write_bytes(whole[:length])
        with pytest.raises(IndexFileError, match=re.escape(str(path))):
            Index.load(path)
    for place in rng.integers(0, len(whole), 200):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            loaded = Index.load(path)
        except IndexFileError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:  # in the few bytes of a zip that mean nothing here, as attributes
            assert_same(loaded.search(Q), index.search(Q))
            assert list(loaded.metadata) == ["x"] * 40
    for foreign in (b"hello", b"PK\x03\x04" * 100, b"\x93NUMPY\x01\x00"):
        path.write_bytes(foreign)
        with pytest.raises(IndexFileError, match=re.escape(str(path))):
            Index.load(path)
    np.savez(path, ids=np.arange(3))
    with pytest.raises(IndexFileError, match=re.escape(str(path))):
        Index.load(path)
    with pytest.raises(FileNotFoundError):
        Index.load(tmp_path / "none.npz")


def _set(name, place, value):
    def change(arrays, header):  # noqa: ARG001
        arrays[name] = arrays[name].copy()
        arrays[name][place] = value

    return change


def _replace(name, make):
    def change(arrays, header):  # noqa: ARG001
        arrays[name] = make(arrays[name])

    return change


def _options(**fields):
    def change(arrays, header):  # noqa: ARG001
        header["options"] = {**header["options"], **fields}

    return change


HOSTILE = {
    "id-negative": _set("ids", 0, -1),
    "id-beyond": _set("ids", 0, 300),
    "id-huge": _set("ids", 0, 2**31 - 1),
    "id-twice": _replace("ids", np.zeros_like),
    "leaf-negative": _set("leaf_size", 0, -1),
    "leaf-too-many": _set("leaf_size", 0, 2**31 - 1),
    "leaves-overflow": _replace("leaf_size", lambda a: np.full_like(a, 2**31 - 1)),
    "leaves-2d": _replace("leaf_size", lambda a: a[None]),
    "no-leaves": _replace("leaf_size", lambda a: a[:0]),
    "centroids-1d": _replace("centroids", np.ravel),
    "centroids-0d": _replace("centroids", lambda a: a[:1, 0].reshape(())),
    "centroids-no-d": _replace("centroids", lambda a: a[:, :0]),
    "centroids-nan": _set("centroids", 0, np.nan),
    "mean-inf": _set("mean", 0, np.inf),
    "terms-nan": _set("row_terms", 0, np.nan),
    "rotation-nan": _set("rotation", 0, np.nan),
    "options-whole": _options(score_ah={"dimensions_per_block": 2}),
    "options-beyond": _options(score_ah={"dimensions_per_block": 2, "projection": 13}),
    "variance-negative": _set("variance", 0, -1),
    "unit-negative": _set("constant_unit", 0, -1),
    "codebooks-huge": _set("codebooks", 0, 3e38),
    "centroids-huge": _set("centroids", 0, 3e38),
    "unit-nan": _set("constant_unit", 0, np.nan),
    "options-number": lambda arrays, header: header.update(options=3),  # noqa: ARG005
    "options-none": lambda arrays, header: header.pop("options"),  # noqa: ARG005
    "options-no-tree": _options(tree=None),
    "options-block": _options(score_ah={"dimensions_per_block": 3}),
    "options-hash": _options(score_ah={"dimensions_per_block": 2, "hash_type": "lut256"}),
    "options-no-reorder": _options(reorder=None),
    "options-int8": _options(reorder={"reordering_num_neighbors": 9, "quantize": True}),
    "options-float": _options(score_ah=None, reorder=None, score_brute_force={}),
    "options-leaves": _options(tree={"num_leaves": 900, "num_leaves_to_search": 900}),
    "ends-back": _set("metadata_ends", 3, 0),
    "ends-beyond": _set("metadata_ends", -1, 10**9),
    "ends-negative": _set("metadata_ends", 0, -5),
    "ends-0d": _replace("metadata_ends", lambda a: a[:1].reshape(())),
    "ends-missing": lambda arrays, header: arrays.pop("metadata_ends"),  # noqa: ARG005
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "index.npz"
    chosen = options_of("squared_l2", "projected-reorder")
    Index.build(X, chosen, metadata=[f"row {i}" for i in range(300)]).save(path)
    return path


def _refused(sound, path, change):
    arrays, header = container.read(sound)
    change(arrays, header)
    container.write(path, arrays, header)
    with pytest.raises(IndexFileError, match=re.escape(str(path))):
        Index.load(path)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_content_with_sound_checksums(name, sound, tmp_path):
    _refused(sound, tmp_path / "hostile.npz", HOSTILE[name])


PARTS = [
    *["mean", "centroids", "leaf_size", "rotation", "codebooks", "variance", "constant_unit"],
    *["codes", "constants", "row_high", "row_low", "row_terms", "rows", "ids"],
]


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_one_type_and_shape(part, sound, tmp_path):
    path = tmp_path / "hostile.npz"
    for make in (
        lambda a: a.astype(np.float64),
        lambda a: a[..., :-1] if a.shape[-1] else np.zeros((*a.shape[:-1], 1), a.dtype),
        lambda a: a[None],
        lambda a: np.concatenate([a, np.zeros((1, *a.shape[1:]), a.dtype)]),
    ):
        _refused(sound, path, _replace(part, make))
    _refused(sound, path, lambda arrays, _: arrays.pop(part))


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps mapped files")
def test_a_mapped_index_outlives_its_file(sound, tmp_path):
    path = tmp_path / "index.npz"
    path.write_bytes(sound.read_bytes())
    loaded = Index.load(path)
    expected = Index.load(sound).search(Q)
    path.unlink()
    assert_same(loaded.search(Q), expected)


def test_an_index_may_replace_the_file_it_is_mapped_from(sound, tmp_path):
    path = tmp_path / "index.npz"
    path.write_bytes(sound.read_bytes())
    loaded = Index.load(path)
    loaded.save(path)
    assert path.read_bytes() == sound.read_bytes()
    assert_same(loaded.search(Q), Index.load(path).search(Q))


def test_rows_may_be_a_mapped_file_of_many_chunks(tmp_path):
    rows = clustered(70_000, 4, seed=10).astype(np.float16)
    rows = np.tile(rows, (17, 1))  # 1.19 million rows: two chunks
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    chosen = ScaNNOptions("squared_l2", **KINDS["float"])
    a, b = Index.build(mapped, chosen), Index.build(rows, chosen)
    assert_same(a.search(mapped[:2]), b.search(rows[:2]))
    assert (a.search(mapped[5], 17).distances < 1e-9).all()


@pytest.mark.parametrize("name", ["index.npz", "index.ldb"])
def test_opening_an_index_imports_no_compiler(name, tmp_path):
    """It is imported by the first search."""
    if name == "index.ldb":
        pytest.importorskip("google_crc32c", reason="needs the extra 'device'")
    Index.build(X, options_of("dot_product", "float").for_device()).save(tmp_path / name)
    code = (
        f"import sys, scannlite\nindex = scannlite.Index.load({str(tmp_path / name)!r})\n"
        "print(len(index), 'numba' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["300", "False"]
