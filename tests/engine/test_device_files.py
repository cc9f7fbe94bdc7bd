"""Index files of phones: the reference's own, ours there and back, and wrong ones refused."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from scannlite import (
    Index,
    IndexFileError,
    InvalidInput,
    InvalidType,
    Reorder,
    ScaNNOptions,
    ScoreAH,
    ScoreBruteForce,
    Tree,
)
from scannlite.engine.arrays import IndexArrays
from scannlite.engine.device import leaves_searched, search_fraction
from scannlite.engine.options import Device
from scannlite.engine.storage import device_table
from scannlite.files import container, index_file, sstable
from scannlite.files.index_config import to_wire
from tests.engine.test_build_and_search import Q, X, assert_same
from tests.kernels.test_device import EMPTY, LOOKUPS, MEASURES, phone
from tests.strategies import clustered, same_bits

for library in ("google.protobuf", "google_crc32c", "cramjam", "flatbuffers"):
    pytest.importorskip(library, reason="needs the extra 'device'")

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT.parent / "shared" / "golden"
UPSTREAM = GOLDEN / "upstream"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no golden files in {GOLDEN}")
measures = pytest.mark.parametrize("measure", MEASURES)

f4 = np.float32


# ---- the reference's answers -------------------------------------------------------------------


def _json(name):
    path = GOLDEN / name
    return json.loads(path.read_text()) if path.exists() else None


@functools.cache
def _golden(name):
    cases = _json("index_files/golden.json")["cases"]
    return next(case for case in cases if case["name"] == name)


def _names(keep=lambda case: True):  # noqa: ARG005
    cases = _json("index_files/golden.json") or {"cases": []}
    names = [case["name"] for case in cases["cases"] if keep(case)]
    return names or [pytest.param("none", marks=needs_golden)]


def _refused(case):
    return case["name"].startswith("17")


NAMES = _names(lambda case: not _refused(case))
MODELS = sorted((GOLDEN / "searcher_models").glob("*.tflite"))
FILES = [path for path in sorted(GOLDEN.rglob("*.ldb")) if path.name[:2] not in ("17", "du")]
FILES += [*MODELS, *UPSTREAM.glob("regex_searcher.tflite")]


def to_length_1(q):
    """As the embedder of the reference does, in float32."""
    total = np.add.accumulate(q * q, dtype=np.float32)[-1]
    return q * (f4(1) / np.sqrt(total)) if total > 0 else q


def _pairs(results):
    """(distance, metadata) of each result, the distance as the float32 it was."""
    for result in results:
        metadata = result.get("metadata")
        text = bytes.fromhex(result["metadata_hex"]) if metadata is None else metadata.encode()
        yield np.frombuffer(bytes.fromhex(result["distance_f32_hex"]), "<f4")[0], text


def assert_agrees(index, q, results, tolerance):
    """Sorted distances within the tolerance, and among equal distances the same metadata.

    Ties are unordered, so the last of them, where the results end, may be others.
    """
    expected = sorted(_pairs(results))
    distances, ids = index.search(q, len(expected))
    np.testing.assert_allclose(distances, [x for x, _ in expected], rtol=0, atol=tolerance)
    at, groups = 0, [[expected[0]]]
    for pair in expected[1:]:
        if pair[0] - groups[-1][-1][0] <= 2 * tolerance:
            groups[-1].append(pair)
        else:
            groups.append([pair])
    last = groups if len(expected) == len(index) else groups[:-1]
    for group in last:
        found = [index.metadata[i] for i in ids[at : at + len(group)].tolist()]
        assert sorted(found) == sorted(text for _, text in group)
        at += len(group)


def _queries(name):
    return np.load(
        GOLDEN / "index_files" / f"{'mm_' if name[:2] == 'mm' else f'{name}.'}queries.npy"
    )


def _tolerance(q):
    return 1e-6 * (1 + float(q @ q))


def _assert_golden(index, name):
    case = _golden(name)
    coded = index.options.score_ah is not None
    for mode, queries in case["results"].items():
        for q, results in zip(_queries(name), queries, strict=True):
            if mode == "default":
                assert_agrees(index, q, results, 0 if coded else _tolerance(q))
            else:
                assert_agrees(index, to_length_1(q), results, 2e-6)


@needs_golden
@pytest.mark.parametrize("name", NAMES)
def test_indexes_answer_as_the_reference_does(name):
    """Codes of raw queries to the bit; all else within a millionth of 1 + |q|²."""
    index, case = Index.load(GOLDEN / "index_files" / f"{name}.ldb"), _golden(name)
    assert (len(index), index.dimensions) == (case["n"], case["dim"])
    said = case["userinfo"]
    assert index.userinfo in (said.encode(), bytes.fromhex(said) if name[:2] == "02" else b"")
    assert index._arrays.leaf_size.tolist() == case["partition_sizes"]
    if case.get("search_fraction"):
        tree = index.options.tree
        assert tree.num_leaves == case["num_leaves"]
        assert tree.num_leaves_to_search == case["search_fraction"] * case["num_leaves"]
        assert index.options.device.search_fraction == f4(case["search_fraction"])
    _assert_golden(index, name)


@needs_golden
@pytest.mark.parametrize("path", [path for path in MODELS if path.name[0].isdigit()] or [None])
def test_indexes_inside_models_answer_the_same(path):
    name = path.stem.removesuffix("_searcher")
    assert device_table(path).data == (GOLDEN / "index_files" / f"{name}.ldb").read_bytes()
    index = Index.load(path)
    _assert_golden(index, name)


@needs_golden
def test_regex_searchers_answer_as_the_reference_does():
    """What the embedder makes of 12 sentences is known, so that no model need run."""
    golden = _json("searcher_models/regex_searcher.json")
    index = Index.load(UPSTREAM / "regex_searcher.tflite")
    assert (
        device_table(UPSTREAM / "regex_searcher.tflite").data
        == (UPSTREAM / "regex_index.ldb").read_bytes()
    )
    assert index.userinfo == b"userinfo"
    vectors = {
        (normal, entry["text"]): np.array(entry["values"], np.float32)
        for normal in (False, True)
        for entry in golden[f"embeddings_l2_{normal}"]
    }
    for case in golden["cases"]:
        for query in case["queries"]:
            q = vectors[case["l2_normalize"], query["text"]]
            assert len(query["results"]) == min(case["max_results"], 5)
            assert_agrees(index, q, query["results"], _tolerance(q))
    for case in _json("searcher_models/regex_plus_index.json"):
        indexes = [Index.load(GOLDEN / "index_files" / case["index"])]
        if case["saved"]:
            indexes.append(Index.load(GOLDEN / case["saved"]))
        for index in indexes:
            assert index.userinfo == case["user_info"].encode()
            coded = index.options.score_ah is not None
            for query in case["queries"]:
                q = vectors[case["l2_normalize"], query["text"]]
                # rows are far longer than these queries: what a float32 of them can be off
                most = max(abs(result["distance"]) for result in query["results"])
                tolerance = 0 if coded else _tolerance(q) + 3e-7 * most
                assert_agrees(index, q, query["results"], tolerance)


@needs_golden
def test_the_burger_is_found():
    """The test of the Task Library that needs no model."""
    text = (UPSTREAM / "burger_jpg_embedding.pbtxt").read_text()
    q = np.array(re.findall(r"value_float: (\S+)", text), np.float32)
    assert q.shape == (1024,)
    index = Index.load(UPSTREAM / "searcher_index.ldb")
    found = index.search(q, 5)
    expected = [0, 1.82244, 1.93094, 2.04736, 2.07587]
    np.testing.assert_allclose(found.distances, expected, rtol=0, atol=6e-6)
    names = [index.metadata[i] for i in found.ids.tolist()]
    assert names == [b"burger", b"car", b"bird", b"dog", b"cat"]


@needs_golden
@pytest.mark.parametrize(
    ("name", "d", "first"),
    [
        ("regex_index", 16, b"It was a sunny day."),
        ("mobilebert_index", 512, b"It was a sunny day."),
        ("universal_sentence_encoder_index", 100, b"It was a sunny day."),
        ("searcher_index", 1024, b"bird"),
    ],
)
def test_real_files_say_what_they_are(name, d, first):
    index = Index.load(UPSTREAM / f"{name}.ldb")
    assert (len(index), index.dimensions) == (5, d)
    options = ScaNNOptions("squared_l2", score_brute_force=ScoreBruteForce(), device=Device())
    assert index.options == options
    assert index.userinfo == b"userinfo"
    assert index.metadata[0] == first
    np.testing.assert_allclose(np.linalg.norm(index._arrays.rows, axis=1), 1, rtol=1e-5)
    for row, q in enumerate(index._arrays.rows):
        assert index.search(q, 1).ids == row


@needs_golden
def test_the_dummy_is_a_file_but_no_index():
    """Its partitioner has no leaves and its codes no codebooks: read, and refused."""
    path = UPSTREAM / "dummy_index.ldb"
    file = index_file.read(device_table(path))
    assert [bytes(part.data) for part in file.partitions] == [bytes(range(8)), bytes(range(8, 12))]
    assert (file.row_bytes, file.partition_sizes.tolist()) == (4, [2, 1])
    assert list(file.metadata) == [b"metadata_0", b"metadata_1", b"metadata_2"]
    assert file.userinfo == b"user info"
    assert file.config.partitioner.leaves.shape == (0, 0)
    assert file.config.partitioner.search_fraction == 0.5
    expected = "INDEX_CONFIG at byte 37: expected codebooks for UINT8 rows, found none."
    with pytest.raises(IndexFileError, match=re.escape(f"{path}: {expected}")):
        Index.load(path)


@needs_golden
@pytest.mark.parametrize("name", _names(_refused))
def test_tables_that_phones_do_not_make_are_refused(name):
    with pytest.raises(IndexFileError, match="expected lookup_type FLOAT, INT16 or INT8, found"):
        Index.load(GOLDEN / "index_files" / f"{name}.ldb")


def content(span):
    return [(key, bytes(value.data)) for key, value in sstable.Table.open(span)]


@needs_golden
@pytest.mark.parametrize("path", FILES or [None], ids=lambda path: path and path.stem)
def test_files_of_the_reference_are_saved_as_they_were(path, tmp_path):
    """The same keys and values; the same bytes where the reference did not compress."""
    original, index = device_table(path), Index.load(path)
    index.save(tmp_path / "again.ldb")
    again = device_table(tmp_path / "again.ldb")
    assert content(again) == content(original)
    plain = io.BytesIO()
    sstable.write(plain, ((key, value) for key, value in content(original)))
    assert again.data == plain.getvalue()
    case = next((case for case in _cases() if case["name"] in path.stem), {"compression": False})
    assert (again.data == original.data) == (not case["compression"])
    index.save(tmp_path / "packed.ldb", compression=True)
    assert content(device_table(tmp_path / "packed.ldb")) == content(original)


def _cases():
    return _json("index_files/golden.json")["cases"]


# ---- there and back ----------------------------------------------------------------------------


AH = ScoreAH(3, training_iterations=3)
WAYS = {
    "float": ({"score_brute_force": ScoreBruteForce()}, {}),
    "float tree": ({"tree": Tree(7, 3), "score_brute_force": ScoreBruteForce()}, {}),
    "codes": ({"score_ah": AH}, {}),
    "codes tree": ({"tree": Tree(7, 3), "score_ah": AH}, {}),
    "uneven": ({"tree": Tree(7, 7), "score_ah": ScoreAH(5, training_iterations=3)}, {}),
    "single": ({"tree": Tree(3, 1), "score_ah": ScoreAH(1, training_iterations=3)}, {}),
    "one block": ({"score_ah": ScoreAH(99, training_iterations=3)}, {}),
    "shaped": (
        {
            "tree": Tree(5, 2),
            "score_ah": dataclasses.replace(AH, anisotropic_quantization_threshold=0.5),
        },
        {},
    ),
    "int16": ({"tree": Tree(7, 3), "score_ah": AH}, {"lookup_type": "int16"}),
    "lookup of floats": ({"tree": Tree(7, 3), "score_ah": AH}, {"lookup_type": "float"}),
    "few centers": ({"tree": Tree(7, 3), "score_ah": AH}, {"num_centers": 9}),
}
ways = pytest.mark.parametrize("way", WAYS)

METADATA = [*["é😀", "", b"", b"\xff\x00", "\ud800", "a\x00b"], *(f"row {i}" for i in range(294))]


def options_of(measure, way):
    parts, said = WAYS[way]
    options = ScaNNOptions(measure, **parts).for_device()
    return dataclasses.replace(options, device=Device(**said))


@functools.cache
def built(measure, way, plain=False):
    metadata = None if plain else METADATA
    return Index.build(X, options_of(measure, way), metadata=metadata)


def as_bytes(item):
    return item if isinstance(item, bytes) else item.encode("utf-8", "surrogatepass")


def told(index, found):
    """(distance, metadata) of every place, among equal distances in the order of metadata."""
    items = [b"-" if i < 0 else as_bytes(index.metadata[i]) for i in found.ids.tolist()]
    return sorted(zip(found.distances.tolist(), items, strict=True))


@ways
@measures
def test_a_saved_index_answers_the_same(measure, way, tmp_path):
    """The same distances to the bit, and the same rows, numbered in the order of the leaves."""
    index, path = built(measure, way), tmp_path / "index.ldb"
    index.save(path, userinfo="for you")
    loaded = Index.load(path)
    assert (len(loaded), loaded.dimensions, loaded.userinfo) == (300, 12, b"for you")
    assert loaded.options.distance_measure == measure
    assert loaded._p == index._p
    assert list(loaded.metadata) == [as_bytes(METADATA[i]) for i in index._arrays.ids]
    assert loaded.metadata[-1] == loaded.metadata[299] == list(loaded.metadata)[-1]
    assert loaded.metadata[3:9] == list(loaded.metadata)[3:9]
    for array in ("centroids", "leaf_size", "codebooks", "codes", "rows"):
        if array != "centroids" or index.options.tree:
            assert same_bits(getattr(loaded._arrays, array), getattr(index._arrays, array))
    for q in Q:
        found, again = index.search(q, 20), loaded.search(q, 20)
        assert same_bits(found.distances, again.distances)
        assert told(index, index.search(q, 300)) == told(loaded, loaded.search(q, 300))
        sure = int((found.distances < found.distances[-1]).sum())
        assert told(index, found)[:sure] == told(loaded, again)[:sure]
    batch = loaded.search(Q, 20, threads=2)
    assert same_bits(batch.distances, index.search(Q, 20).distances)


@ways
@measures
def test_all_kinds_of_file_keep_all_there_is(measure, way, tmp_path):
    """.npz and .ldb, there and back, packed or not: the same bytes."""
    index = built(measure, way)
    first, second, third = (tmp_path / f"{name}.ldb" for name in ("first", "second", "third"))
    index.save(first, userinfo=b"\x00\xffinfo\x00")
    loaded = Index.load(first)
    loaded.save(second)
    assert first.read_bytes() == second.read_bytes()

    loaded.save(tmp_path / "loaded.npz")
    middle = Index.load(tmp_path / "loaded.npz")
    assert middle.options == loaded.options
    assert (list(middle.metadata), middle.userinfo) == (list(loaded.metadata), b"\x00\xffinfo\x00")
    for leaves in {None, loaded.options.tree and loaded.options.tree.num_leaves}:
        a = middle.search(Q, 30, leaves_to_search=leaves)
        assert_same(a, loaded.search(Q, 30, leaves_to_search=leaves))
    middle.save(third)
    assert first.read_bytes() == third.read_bytes()

    index.save(tmp_path / "built.npz", userinfo=b"\x00\xffinfo\x00")
    Index.load(tmp_path / "built.npz").save(third)
    assert first.read_bytes() == third.read_bytes()

    middle.save(second, compression=True)
    packed = Index.load(second)
    assert packed.options == loaded.options
    assert_same(packed.search(Q, 30), loaded.search(Q, 30))
    packed.save(third)
    assert first.read_bytes() == third.read_bytes()


@measures
def test_the_same_seed_gives_the_same_bytes(measure, tmp_path):
    for way in ("codes tree", "float tree"):
        files = []
        for threads, compression in ((1, False), (3, False), (1, True), (2, True)):
            index = Index.build(X, options_of(measure, way), seed=5, threads=threads)
            index.save(tmp_path / "index.ldb", compression=compression)
            files.append((tmp_path / "index.ldb").read_bytes())
        assert files[0] == files[1]
        assert files[2] == files[3]
        assert len(files[2]) <= len(files[0])
        Index.build(X, options_of(measure, way), seed=6).save(tmp_path / "index.ldb")
        assert (tmp_path / "index.ldb").read_bytes() != files[0]


@ways
def test_rows_without_metadata_are_given_their_numbers(way, tmp_path):
    """As they came, not as they lie in the leaves: what a phone answers can be looked up."""
    index, path = built("squared_l2", way, plain=True), tmp_path / "index.ldb"
    assert index.metadata is None
    index.save(path)
    loaded = Index.load(path)
    assert list(loaded.metadata) == [b"%d" % i for i in index._arrays.ids]
    found = loaded.search(X[17], 1)
    assert found.distances == index.search(X[17], 1).distances


def test_userinfo_is_kept_everywhere(tmp_path):
    index = built("dot_product", "codes tree")
    assert index.userinfo == b""
    for info, kept in (("é\x00\ud800", b"\xc3\xa9\x00\xed\xa0\x80"), (b"\x00\xff", b"\x00\xff")):
        index.save(tmp_path / "0.ldb", userinfo=info)
        for number, suffix in enumerate(["npz", "ldb", "ldb", "npz", "npz"], 1):
            before = Index.load(next(tmp_path.glob(f"{number - 1}.*")))
            assert before.userinfo == kept
            before.save(tmp_path / f"{number}.{suffix}", compression=number == 3)
        last = Index.load(tmp_path / "5.npz")
        assert last.userinfo == kept
        last.save(tmp_path / "none.ldb", userinfo="")
        assert Index.load(tmp_path / "none.ldb").userinfo == b""
        last.save(tmp_path / "none.npz", userinfo=b"")
        assert Index.load(tmp_path / "none.npz").userinfo == b""
    for path in ("x.ldb", "x.npz"):
        for wrong, kind in ((3, "int"), (bytearray(b"x"), "bytearray"), (["x"], "list")):
            with pytest.raises(InvalidType, match=f"userinfo must be str or bytes, got {kind}"):
                index.save(tmp_path / path, userinfo=wrong)
        assert not (tmp_path / path).exists()


@pytest.mark.parametrize("way", ["float", "codes tree"])
@measures
def test_an_index_without_rows(measure, way, tmp_path):
    index = Index.build(X[:0], options_of(measure, way), metadata=[])
    index.save(tmp_path / "first.ldb")
    loaded = Index.load(tmp_path / "first.ldb")
    assert (len(loaded), loaded.dimensions, list(loaded.metadata)) == (0, 12, [])
    for q in (Q, Q[0]):
        distances, ids = loaded.search(q, 3)
        assert np.isposinf(distances).all()
        assert (ids == -1).all()
    loaded.save(tmp_path / "second.ldb")
    assert (tmp_path / "first.ldb").read_bytes() == (tmp_path / "second.ldb").read_bytes()
    loaded.save(tmp_path / "index.npz")
    assert_same(Index.load(tmp_path / "index.npz").search(Q, 3), loaded.search(Q, 3))


def test_leaves_without_rows_are_kept(tmp_path):
    for lookup in ("int8", None):
        made = phone(lookup=lookup, sizes=(0, 5, 0, 70, 0), ranked_by="dot_product", fraction=0.4)
        path, again = tmp_path / "empty.ldb", tmp_path / "again.ldb"
        write(path, made)
        index = Index.load(path)
        assert index._arrays.leaf_size.tolist() == [0, 5, 0, 70, 0]
        assert index._p == 2
        index.save(again)
        assert path.read_bytes() == again.read_bytes()


@needs_golden
def test_a_model_carries_an_index(tmp_path):
    embedder = UPSTREAM / "regex_one_embedding_with_metadata.tflite"
    wide = np.pad(X, [(0, 0), (0, 4)])  # 16 dimensions, as the embedder's
    for way in ("float tree", "codes tree"):
        index = Index.build(wide, options_of("dot_product", way), metadata=METADATA)
        index.save(tmp_path / "index.tflite", embedder=embedder, userinfo="hi", compression=True)
        index.save(tmp_path / "index.ldb", userinfo="hi", compression=True)
        inside = device_table(tmp_path / "index.tflite")
        assert inside.data == (tmp_path / "index.ldb").read_bytes()
        loaded = Index.load(tmp_path / "index.tflite")
        assert loaded.userinfo == b"hi"
        queries = np.pad(Q, [(0, 0), (0, 4)])
        alone = Index.load(tmp_path / "index.ldb")
        assert_same(loaded.search(queries, 9), alone.search(queries, 9))
        loaded.save(tmp_path / "again.tflite", embedder=embedder, compression=True)
        again, first = tmp_path / "again.tflite", tmp_path / "index.tflite"
        assert again.read_bytes() == first.read_bytes()


@needs_golden
def test_an_embedder_of_other_dimensions_is_refused_and_nothing_written(tmp_path):
    embedder = UPSTREAM / "regex_one_embedding_with_metadata.tflite"
    with pytest.raises(InvalidInput, match=r"index's 12 dimensions, got .*, which gives 16"):
        built("dot_product", "float").save(tmp_path / "index.tflite", embedder=embedder)
    assert list(tmp_path.iterdir()) == []


def test_the_content_of_a_file_loads_like_the_file(tmp_path):
    index = built("dot_product", "codes tree")
    index.save(tmp_path / "index.ldb", userinfo="hi")
    loaded = Index.load((tmp_path / "index.ldb").read_bytes())
    assert loaded.userinfo == b"hi"
    assert_same(loaded.search(Q, 9), Index.load(tmp_path / "index.ldb").search(Q, 9))
    with pytest.raises(IndexFileError, match="<bytes>"):
        Index.load(b"neither an index nor a model")
    index.save(tmp_path / "index.npz")
    with pytest.raises(InvalidInput, match=r"source must be a path for a \.npz file"):
        Index.load((tmp_path / "index.npz").read_bytes())


# ---- the share of leaves -----------------------------------------------------------------------


def _product(L, fraction):
    """As a phone computes it."""
    return min(int(np.ceil(f4(L) * f4(fraction))), L)


def test_fractions_search_just_the_leaves_asked_for():
    """The quotient in float32, or where that gives a leaf more, the next below that does not."""
    lowered = 0
    for L in range(1, 301):
        for j in range(1, L + 1):
            fraction, quotient = f4(search_fraction(L, j)), f4(j / L)
            assert leaves_searched(L, fraction) == _product(L, fraction) == j
            assert fraction <= quotient
            if fraction < quotient:
                lowered += 1
                assert _product(L, np.nextafter(fraction, f4(1))) == j + 1
    assert lowered > 986  # of L up to 200 alone


def test_fractions_by_hand():
    """3/21 and 7/13 as float32 give 4 and 8 leaves on phones."""
    for L, j, quotient in ((21, 3, 4), (13, 7, 8)):
        assert leaves_searched(L, j / L) == quotient
        assert leaves_searched(L, search_fraction(L, j)) == j
    assert leaves_searched(8, 0.25) == 2
    assert leaves_searched(8, 0.2500001) == 3
    assert leaves_searched(8, 1e-30) == 1
    assert leaves_searched(8, 2.0) == leaves_searched(8, 3e38) == leaves_searched(8, np.inf) == 8
    assert search_fraction(8, 2) == 0.25
    assert search_fraction(10, 2) == float(f4(0.2))


@pytest.mark.parametrize(
    ("fraction", "p"), [(None, 5), (0.4, 2), (0.39, 2), (0.21, 2), (2.0, 5), (1e-9, 1), (1.0, 5)]
)
def test_a_fraction_that_still_holds_is_kept(fraction, p, tmp_path):
    """What a file says stays as it is, until another number of leaves is to be searched."""
    made = phone(sizes=(9,) * 5, ranked_by="squared_l2", fraction=fraction)
    path, again = tmp_path / "index.ldb", tmp_path / "again.ldb"
    write(path, made)
    index = Index.load(path)
    assert index._p == p
    index.save(tmp_path / "index.npz")
    for kept in (index, Index.load(tmp_path / "index.npz")):
        kept.save(again)
        found = index_file.read(device_table(again)).config.partitioner.search_fraction
        assert found == (1.0 if fraction is None else f4(fraction))
        assert (path.read_bytes() == again.read_bytes()) == (fraction is not None)
    for other in {1, 3, 5} - {p}:
        tree = dataclasses.replace(index.options.tree, num_leaves_to_search=other)
        options = dataclasses.replace(index.options, tree=tree)
        Index(options, index._arrays, index.metadata).save(again)
        found = index_file.read(device_table(again)).config.partitioner.search_fraction
        assert found == search_fraction(5, other)
        assert Index.load(again)._p == other


def test_tuned_leaves_are_saved(tmp_path):
    rows = clustered(600, 12, seed=3)
    options = ScaNNOptions("squared_l2", Tree(20, 1), score_brute_force=ScoreBruteForce())
    index = Index.build(rows, options.for_device())
    index.tune(recall=0.95)
    p = index.options.tree.num_leaves_to_search
    assert p > 1
    index.save(tmp_path / "index.ldb")
    assert Index.load(tmp_path / "index.ldb").options.tree.num_leaves_to_search == p


# ---- files made by hand ------------------------------------------------------------------------


def write(path, made, *, userinfo=b"", compression=False):
    items = [f"row {i}".encode() for i in range(made.n)]
    parts = [part.reshape(-1).view(np.uint8) if part.size else EMPTY for part in made.parts]
    with path.open("wb") as file:
        index_file.write(
            file, made.config, parts.__getitem__, items, userinfo, compression=compression
        )


RAGGED = [(1, 2, 3), (5, 1), (1, 1, 2), (3, 1, 3), (130, 2, 131), (2, 3), (4, 4, 2), (4, 2, 4)]


@pytest.mark.parametrize("lookup", LOOKUPS)
@pytest.mark.parametrize("dims", RAGGED, ids=str)
@measures
def test_blocks_of_any_widths(measure, dims, lookup, tmp_path):
    """Searched as the model says, saved as they were, and kept in .npz."""
    for c, ranked_by in ((16, "dot_product"), (5, None), (256, "squared_l2")):
        sizes = (40, 0, 100) if ranked_by else (140,)
        made = phone(
            measure=measure,
            lookup=lookup,
            dims=dims,
            c=c,
            sizes=sizes,
            ranked_by=ranked_by,
            fraction=f4(1 / 3) if ranked_by else None,
        )
        path, again = tmp_path / "ragged.ldb", tmp_path / "again.ldb"
        write(path, made)
        index = Index.load(path)
        regular = all(b == dims[0] for b in dims[:-1]) and dims[-1] <= dims[0]
        assert index.options.device.block_dims == (None if regular else dims)
        assert index.dimensions == sum(dims)
        index.save(tmp_path / "ragged.npz")
        index.save(again)
        assert path.read_bytes() == again.read_bytes()
        for found in (index, Index.load(tmp_path / "ragged.npz"), Index.load(again)):
            for seed in range(3):
                q = np.random.default_rng(seed).standard_normal(sum(dims)).astype(np.float32)
                assert_same(found.search(q, 15), made.search(q, 15, index._p))
        Index.load(tmp_path / "ragged.npz").save(again)
        assert path.read_bytes() == again.read_bytes()


def test_leaves_may_be_ranked_by_another_distance(tmp_path):
    for measure, ranked_by in zip(MEASURES, reversed(MEASURES), strict=True):
        made = phone(measure=measure, sizes=(9, 9, 9), ranked_by=ranked_by, fraction=0.4)
        path, again = tmp_path / "index.ldb", tmp_path / "again.ldb"
        write(path, made)
        index = Index.load(path)
        assert index.options.device.partition_distance == ranked_by
        for seed in range(9):
            q = np.random.default_rng(seed).standard_normal(4).astype(np.float32)
            assert_same(index.search(q, 9), made.search(q, 9, 2))
        index.save(again)
        assert path.read_bytes() == again.read_bytes()


# ---- what cannot be saved ----------------------------------------------------------------------


SMALL = ScoreAH(3, training_iterations=1)
BEYOND = {
    "residual codes": ScaNNOptions("dot_product", Tree(5, 2), score_ah=SMALL),
    "rescoring": ScaNNOptions("squared_l2", score_ah=SMALL, reorder=Reorder(20)),
    "int8 vectors": ScaNNOptions("dot_product", score_brute_force=ScoreBruteForce(quantize=True)),
    "rotated codes": ScaNNOptions(
        "dot_product", score_ah=ScoreAH(3, projection=5, training_iterations=1)
    ),
    "cosine distances": ScaNNOptions("cosine", score_brute_force=ScoreBruteForce()),
    "residual codes, rotated codes, rescoring": ScaNNOptions(
        "dot_product",
        Tree(5, 2),
        score_ah=ScoreAH(3, projection=5, training_iterations=1),
        reorder=Reorder(20),
    ),
    "cosine distances, rescoring": ScaNNOptions(
        "cosine", score_ah=SMALL, reorder=Reorder(20, quantize=True)
    ),
}


@pytest.mark.parametrize("what", BEYOND)
def test_what_phones_cannot_hold_is_named(what, tmp_path):
    index, path = Index.build(X, BEYOND[what]), tmp_path / "index.ldb"
    expected = re.escape(f"{path} cannot hold {what}: ") + r".*for_device\(\)"
    with pytest.raises(InvalidInput, match=expected):
        index.save(path)
    assert not path.exists()
    if not what.startswith("cosine"):
        Index.build(X, BEYOND[what].for_device()).save(path)
        assert len(Index.load(path)) == 300


@pytest.mark.parametrize("what", BEYOND)
def test_options_for_devices_hold_nothing_beyond(what):
    options = BEYOND[what]
    with pytest.raises(InvalidInput, match=re.escape(f"got {what}: for_device() leaves it out")):
        dataclasses.replace(options, device=Device())
    if options.distance_measure == "cosine":
        with pytest.raises(InvalidInput, match="'squared_l2' for devices, got 'cosine': bring"):
            options.for_device()
        return
    kept = options.for_device()
    assert kept.beyond_devices == []
    assert kept == kept.for_device()
    assert (kept.distance_measure, kept.tree) == (options.distance_measure, options.tree)
    assert ScaNNOptions.from_dict(kept.to_dict()) == kept


def test_an_index_not_built_for_devices_is_refused_even_where_it_could_be(tmp_path):
    """Plain floats: it might be written, but would answer here otherwise than there."""
    index = Index.build(X, ScaNNOptions("dot_product", score_brute_force=ScoreBruteForce()))
    with pytest.raises(InvalidInput, match="cannot hold what was not built for devices: "):
        index.save(tmp_path / "index.ldb")


def test_arguments_go_with_the_kind_of_file(tmp_path):
    index = built("dot_product", "float")
    for name, arguments, message in (
        ("x.tflite", {}, r"embedder must be the path of a model for a \.tflite file, got None"),
        ("x.ldb", {"embedder": "m.tflite"}, r"embedder must be None but for a \.tflite file, got "),
        ("x.npz", {"embedder": "m.tflite"}, r"embedder must be None but for a \.tflite file, got "),
        ("x.npz", {"compression": True}, r"compression must be False but for \.ldb and \.tflite"),
    ):
        with pytest.raises(InvalidInput, match=message):
            index.save(tmp_path / name, **arguments)
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        index.save(tmp_path / "x.tflite", embedder=tmp_path / "none.tflite")
    (tmp_path / "m.tflite").write_bytes(b"not a model")
    with pytest.raises(IndexFileError, match=re.escape(str(tmp_path / "m.tflite"))):
        index.save(tmp_path / "x.tflite", embedder=tmp_path / "m.tflite")
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]


# ---- what the original answers with garbage or a crash -----------------------------------------


CODED = phone(dims=(2, 2, 1), c=7, sizes=(4, 3), ranked_by="dot_product", fraction=0.5)
FLOATS = phone(lookup=None, dims=(3,), sizes=(4, 3), ranked_by="dot_product", measure="squared_l2")
ALONE = phone(dims=(2, 2), c=7, sizes=(5,))


def table_of(made, config=None, **items):
    """The bytes of a file with a configuration or with items of its own; None leaves one out."""
    values = {f"E_{i}": part.tobytes() for i, part in enumerate(made.parts)}
    values |= {f"M_{i}": b"row %d" % i for i in range(made.n)}
    values |= {"INDEX_CONFIG": to_wire(config or made.config), "USER_INFO": b"info"}
    values |= items
    file = io.BytesIO()
    known = [(key.encode(), value) for key, value in values.items() if value is not None]
    sstable.write(file, sorted(known))
    return file.getvalue()


def changed(made, **fields):
    """The configuration of an index with some fields of its parts replaced, by their names."""
    config = made.config
    for name, value in fields.items():
        part, _, of_part = name.partition("__")
        if of_part:
            value = dataclasses.replace(getattr(config, part), **{of_part: value})  # noqa: PLW2901
        config = dataclasses.replace(config, **{part: value})
    return config


def refusal(tmp_path, raw):
    """What ``Index.load`` says of a file: one sentence, of the file, a byte of it, and why."""
    path = tmp_path / "wrong.ldb"
    path.write_bytes(raw)
    with pytest.raises(IndexFileError) as caught:
        Index.load(path)
    said = re.fullmatch(
        rf"{re.escape(str(path))}: (.+) at byte (\d+): expected (.+), found (.+)\.",
        str(caught.value),
    )
    assert said, caught.value
    return said[1], int(said[2]), said[3], said[4]


def spoiled(array, place, value):
    array = np.array(array)
    array[place] = value
    return array


BOOKS = CODED.codebooks
WRONG_CONFIGS = {
    "tables of 16": (
        CODED,
        {"indexer__lookup_type": "int8_lut16"},
        "FLOAT, INT16 or INT8",
        "LUT16",
    ),
    "ragged codebooks": (
        CODED,
        {"indexer__codebooks": [BOOKS[0], BOOKS[1][:5], BOOKS[2]]},
        "codebooks of one size, 1 to 256 entries",
        "5 and 7",
    ),
    "257 centers": (
        CODED,
        {"indexer__codebooks": [np.zeros((257, b), np.float32) for b in (2, 2, 1)]},
        "codebooks of one size, 1 to 256 entries",
        "257",
    ),
    "no centers": (
        CODED,
        {"indexer__codebooks": [BOOKS[0], BOOKS[1][:0], BOOKS[2]]},
        "codebook entries in subspace 1",
        "none",
    ),
    "no codebooks": (CODED, {"indexer__codebooks": []}, "codebooks for UINT8 rows", "none"),
    "a codebook less": (CODED, {"indexer__codebooks": BOOKS[:2]}, "each of 3 bytes of a row", "2"),
    "a block without dimensions": (
        CODED,
        {"indexer__codebooks": [*BOOKS[:2], np.zeros((7, 0), np.float32)]},
        "dimensions in subspace 2",
        "none",
    ),
    "a center that is no number": (
        CODED,
        {"indexer__codebooks": [BOOKS[0], spoiled(BOOKS[1], (3, 1), np.nan), BOOKS[2]]},
        "finite numbers .* as entries of subspace 1",
        "others",
    ),
    "a center that is infinite": (
        CODED,
        {"indexer__codebooks": [*BOOKS[:2], spoiled(BOOKS[2], (0, 0), -np.inf)]},
        "finite numbers .* as entries of subspace 2",
        "others",
    ),
    "a center too large": (
        CODED,
        {"indexer__codebooks": [*BOOKS[:2], spoiled(BOOKS[2], (0, 0), 1e18)]},
        r"finite numbers of at most 4e\+17 as entries of subspace 2",
        "others",
    ),
    "too many dimensions": (
        ALONE,
        {"indexer__codebooks": [np.zeros((1, 32_768), np.float32), np.zeros((1, 1), np.float32)]},
        "rows of at most 32768 dimensions",
        "32769",
    ),
    "leaves of other dimensions": (
        CODED,
        {"partitioner__leaves": CODED.leaves[:, :4]},
        "leaves of 5 dimensions",
        "4",
    ),
    "float leaves of other dimensions": (
        FLOATS,
        {"partitioner__leaves": np.zeros((2, 4), np.float32)},
        "leaves of 3 dimensions",
        "4",
    ),
    "a leaf more": (
        CODED,
        {"partitioner__leaves": np.zeros((3, 5), np.float32)},
        "a leaf for each of 2 partitions",
        "3",
    ),
    "no leaves": (
        FLOATS,
        {"partitioner__leaves": np.zeros((0, 0), np.float32)},
        "a leaf for each of 2 partitions",
        "0",
    ),
    "no tree": (FLOATS, {"partitioner": None}, "leaves for 2 partitions", "no partitioner"),
    "a leaf that is no number": (
        FLOATS,
        {"partitioner__leaves": spoiled(FLOATS.leaves, (1, 2), np.nan)},
        "finite numbers .* as leaves",
        "others",
    ),
    "an infinite leaf": (
        CODED,
        {"partitioner__leaves": spoiled(CODED.leaves, (0, 0), np.inf)},
        "finite numbers .* as leaves",
        "others",
    ),
    "no dimensions": (FLOATS, {"embedding_dim": 0}, "a number from 1", "0"),
    "dimensions not said": (FLOATS, {"embedding_dim": None}, "a number from 1", "0"),
    "no bytes of codes": (CODED, {"embedding_dim": 0}, "a number from 1", "0"),
    "more bytes of codes": (
        CODED,
        {"embedding_dim": 1, "partition_offsets": np.array([0, 12])},
        "each of 1 bytes of a row",
        "3",
    ),
    "rows of a kind not said": (FLOATS, {"embedding_type": None}, "FLOAT or UINT8", "none"),
    "rows of no kind": (FLOATS, {"embedding_type": "unspecified"}, "FLOAT or UINT8", "unspecified"),
    "floats and codebooks": (
        dataclasses.replace(CODED, parts=[np.zeros((3, 3), np.float32)] * 2),
        {"embedding_type": "float", "embedding_dim": 3},
        "no codebooks beside FLOAT rows",
        "some",
    ),
    "codes and no codebooks": (CODED, {"indexer": None}, "codebooks for UINT8 rows", "none"),
    "no distance": (
        phone(lookup=None, sizes=(3,)),
        {"query_distance": None},
        "a query_distance",
        "none",
    ),
    "a distance unspecified": (
        FLOATS,
        {"query_distance": "unspecified", "partitioner__query_distance": "unspecified"},
        "a query_distance",
        "none",
    ),
    "two distances": (
        CODED,
        {"query_distance": None, "partitioner__query_distance": "squared_l2"},
        "one query_distance",
        "dot_product and squared_l2",
    ),
    "codes of an unspecified distance": (
        CODED,
        {"indexer__query_distance": "unspecified"},
        "a query_distance of the indexer",
        "UNSPECIFIED",
    ),
    "a share of 0": (
        CODED,
        {"partitioner__search_fraction": 0.0},
        "a search_fraction above 0",
        "0",
    ),
    "a negative share": (
        CODED,
        {"partitioner__search_fraction": -0.5},
        "a search_fraction above 0",
        "-0.5",
    ),
    "a share that is no number": (
        CODED,
        {"partitioner__search_fraction": float("nan")},
        "a search_fraction above 0",
        "nan",
    ),
    "no offsets": (
        CODED,
        {"partition_offsets": np.zeros(0, np.int64)},
        "before each of 2",
        "other",
    ),
    "an offset less": (FLOATS, {"partition_offsets": np.array([0])}, "before each of 2", "other"),
    "an offset more": (FLOATS, {"partition_offsets": np.array([0, 4, 7])}, "before each", "other"),
    "other offsets": (FLOATS, {"partition_offsets": np.array([0, 3])}, "before each", "other"),
    "offsets that fall": (FLOATS, {"partition_offsets": np.array([4, 0])}, "before each", "other"),
}


@pytest.mark.parametrize("name", WRONG_CONFIGS)
def test_wrong_configurations_are_refused(name, tmp_path):
    made, fields, expected, found = WRONG_CONFIGS[name]
    config = changed(made, **fields)
    raw = table_of(made, config)
    _, at, said, what = refusal(tmp_path, raw)
    assert at == raw.index(to_wire(config))
    assert re.search(expected, said)
    assert found in what


def test_the_files_these_are_made_of_are_sound(tmp_path):
    for made in (CODED, FLOATS, ALONE):
        (tmp_path / "sound.ldb").write_bytes(table_of(made))
        index = Index.load(tmp_path / "sound.ldb")
        assert index.userinfo == b"info"
        assert list(index.metadata) == [b"row %d" % i for i in range(made.n)]
        q = np.arange(made.d, dtype=np.float32)
        if made.codebooks:
            assert_same(index.search(q, 9), made.search(q, 9, index._p))


def test_codes_beyond_the_codebook_are_refused(tmp_path):
    """The place of the code in the file is named; the table would be read past its end."""
    for leaf, row, block, code in ((0, 0, 0, 7), (0, 3, 2, 255), (1, 2, 1, 8), (1, 1, 2, 7)):
        parts = [part.copy() for part in CODED.parts]
        parts[leaf][row, block] = code
        raw = table_of(dataclasses.replace(CODED, parts=parts))
        what, at, expected, found = refusal(tmp_path, raw)
        assert at == raw.index(parts[leaf].tobytes()) + 3 * row + block
        assert raw[at] == code
        assert (what, expected, found) == (
            f"code in partition {leaf}",
            "a number below 7",
            str(code),
        )


def test_rows_that_are_no_numbers_are_refused(tmp_path):
    """Or that are too large, as for a build. The reference drops such rows without a word."""
    for leaf, row, dimension, value in (
        (0, 0, 0, np.nan),
        (0, 3, 2, np.inf),
        (1, 2, 1, -np.inf),
        (1, 0, 0, 1.1e17),
        (1, 0, 1, -3e38),
    ):
        parts = [part.copy() for part in FLOATS.parts]
        parts[leaf][row, dimension] = value
        raw = table_of(dataclasses.replace(FLOATS, parts=parts))
        what, at, expected, found = refusal(tmp_path, raw)
        assert at == raw.index(parts[leaf].tobytes()) + 4 * (3 * row + dimension)
        assert (what, expected) == (f"number in partition {leaf}", "one from -1e+17 to 1e+17")
        assert found == f"{f4(value)}"


def test_partitions_are_whole_rows_under_whole_numbers(tmp_path):
    floats, codes = FLOATS.parts[1].tobytes(), CODED.parts[1].tobytes()
    raw = table_of(FLOATS, E_1=floats[:-4])
    found = refusal(tmp_path, raw)
    assert found == ("partition 1", raw.index(floats[:-4]), "whole rows of 12 bytes", "32 bytes")
    raw = table_of(CODED, E_1=codes + b"\0")
    found = refusal(tmp_path, raw)
    assert found == ("partition 1", raw.index(codes), "whole rows of 3 bytes", "10 bytes")
    for items in ({"E_1": None, "E_2": floats}, {"E_0": None}):
        what, _, expected, _ = refusal(tmp_path, table_of(FLOATS, **items))
        number = 1 if "E_2" in items else 0
        assert (what, expected) == ("table", f"the key E_{number}")
    for key in ("E_", "E_x", "E_01", "E_-1", "E_1 ", "E_99999999999"):
        raw = table_of(FLOATS, **{key: b"", "E_1": None})
        assert refusal(tmp_path, raw)[2:] == ("E_ and a number", repr(key.encode()))
    # nothing says how many partitions there are but their offsets and leaves
    what, _, expected, _ = refusal(tmp_path, table_of(FLOATS, E_1=None))
    assert (what, expected[-12:]) == ("global_partition_offsets", "1 partitions")
    none = {"E_0": None, "E_1": None}
    config = changed(FLOATS, partition_offsets=np.zeros(0, np.int64))
    assert refusal(tmp_path, table_of(FLOATS, config, **none))[2].startswith("a leaf for each of 0")
    config = dataclasses.replace(config, partitioner=None)
    assert refusal(tmp_path, table_of(FLOATS, config, **none))[2] == "leaves for 0 partitions"


def test_what_a_table_must_have(tmp_path):
    assert refusal(tmp_path, table_of(FLOATS, INDEX_CONFIG=None))[2] == "the key INDEX_CONFIG"
    assert refusal(tmp_path, table_of(FLOATS, INDEX_CONFIG=b""))[2] == "FLOAT or UINT8"
    assert refusal(tmp_path, table_of(FLOATS, INDEX_CONFIG=b"\xff"))[2] == "a protobuf message"
    (tmp_path / "index.ldb").write_bytes(table_of(FLOATS, USER_INFO=None, other=b"?"))
    assert Index.load(tmp_path / "index.ldb").userinfo == b""


def test_missing_metadata_is_noticed_when_it_is_asked_for(tmp_path):
    path = tmp_path / "index.ldb"
    path.write_bytes(table_of(FLOATS, M_3=None, M_03=b"no", M_=b"no", M_x=b"no", M_7=b"beyond"))
    index = Index.load(path)
    assert len(index.metadata) == 7
    assert index.metadata[2] == b"row 2"
    assert index.metadata[4:] == [b"row 4", b"row 5", b"row 6"]
    assert 3 in index.search(FLOATS.parts[0][3], 7, leaves_to_search=2).ids
    expected = re.escape(f"{path}: table at byte 0: expected metadata under the key M_3, found no")
    for ask in (
        lambda: index.metadata[3],
        lambda: index.metadata[-4],
        lambda: index.metadata[2:5],
        lambda: list(index.metadata),
        lambda: index.save(tmp_path / "again.ldb"),
        lambda: index.save(tmp_path / "again.npz"),
    ):
        with pytest.raises(IndexFileError, match=expected):
            ask()
    assert [path.name for path in tmp_path.iterdir()] == ["index.ldb"]
    with pytest.raises(IndexError):
        index.metadata[7]


def test_queries_of_other_dimensions_are_refused(tmp_path):
    """Where the reference reads past the vector."""
    for made in (CODED, FLOATS, ALONE):
        (tmp_path / "index.ldb").write_bytes(table_of(made))
        index = Index.load(tmp_path / "index.ldb")
        for d in (made.d - 1, made.d + 1, 1, 100):
            with pytest.raises(InvalidInput, match=rf"q must have shape \({made.d},\)"):
                index.search(np.zeros(d, np.float32))


def test_distances_not_said_are_found_where_the_reference_looks(tmp_path):
    """Of the whole, else of the codes, else of the tree, where squared_l2 need not be said."""
    for made, fields, measure in (
        (CODED, {"query_distance": None}, "dot_product"),
        (CODED, {"query_distance": "unspecified"}, "dot_product"),
        (CODED, {"query_distance": "squared_l2"}, "dot_product"),
        (
            CODED,
            {
                "query_distance": None,
                "indexer__query_distance": None,
                "partitioner__query_distance": None,
            },
            "squared_l2",
        ),
        (FLOATS, {"query_distance": None}, "dot_product"),
        (FLOATS, {"query_distance": None, "partitioner__query_distance": None}, "squared_l2"),
        (FLOATS, {"query_distance": "dot_product"}, "dot_product"),
    ):
        config = changed(made, **fields)
        (tmp_path / "index.ldb").write_bytes(table_of(made, config))
        index = Index.load(tmp_path / "index.ldb")
        assert index.options.distance_measure == measure
        ranked = index.options.device.partition_distance or measure
        assert ranked == (config.partitioner.query_distance or "squared_l2")
    # a tree ranks by products where its distance is unspecified, as the reference does
    config = changed(FLOATS, partitioner__query_distance="unspecified")
    (tmp_path / "index.ldb").write_bytes(table_of(FLOATS, config))
    assert Index.load(tmp_path / "index.ldb").options.device.partition_distance == "dot_product"


@pytest.mark.parametrize(
    ("device", "message"),
    [
        (Device(block_dims=(3, 3, 2)), r"expected block_dims that sum to 9, found 8"),
        (Device(num_centers=5), r"codes: expected numbers below 5, found others"),
    ],
)
def test_a_container_whose_options_do_not_fit_its_codes_is_refused(device, message, tmp_path):
    """What kernels take for granted is checked in the project's own files too."""
    X = np.random.default_rng(0).standard_normal((300, 9), dtype=np.float32)
    ah = ScoreAH(3, hash_type="lut256", residual_quantization=False)
    index = Index.build(X, ScaNNOptions("dot_product", score_ah=ah, device=Device()))
    arrays = {name: getattr(index._arrays, name) for name in IndexArrays.__dataclass_fields__}
    if device.num_centers:
        arrays["codebooks"] = index._arrays.codebooks[:, : device.num_centers]
    options = dataclasses.replace(index.options, device=device)
    container.write(tmp_path / "index.npz", arrays, {"options": options.to_dict()})
    with pytest.raises(IndexFileError, match=message):
        Index.load(tmp_path / "index.npz")
