"""``Searcher``: made, searched, exported; beside what Model Maker makes of the same rows."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import scannlite as sl
from scannlite import IndexFileError, InvalidInput, InvalidType, searcher
from scannlite.engine.storage import device_table
from scannlite.files import index_file
from scannlite.searcher import DataLoader, ExportFormat, ScaNNOptions, ScoreAH, Searcher, Tree
from tests.embedders import tiny_models as models

for library in ("google.protobuf", "google_crc32c", "cramjam", "flatbuffers"):
    pytest.importorskip(library, reason="needs the extra 'device'")

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "index_files"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no golden files in {GOLDEN}")

X = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
NAMES = [f"row {row}" for row in range(len(X))]
OPTIONS = ScaNNOptions("dot_product", Tree(7, 7), ScoreAH(1))
EXACT = ScaNNOptions("squared_l2", score_brute_force=searcher.ScoreBruteForce())


@pytest.fixture
def embedder(tmp_path):
    """A model of 8 dimensions."""
    path = tmp_path / "embedder.tflite"
    path.write_bytes(models.string_model(8))
    return str(path)


@pytest.fixture(scope="module")
def made():
    return Searcher.create_from_data(DataLoader(None, X, NAMES), OPTIONS)


def read(path):
    return index_file.read(device_table(str(path)))


def test_names_order_and_defaults_are_model_makers():
    create = inspect.signature(Searcher.create_from_data).parameters
    assert list(create)[:3] == ["data", "scann_options", "cache_dir"]
    assert create["cache_dir"].default is None
    export = inspect.signature(Searcher.export).parameters
    assert list(export)[1:] == ["export_format", "export_filename", "userinfo", "compression"]
    assert export["compression"].default is True
    formats = [(kind.name, kind.value) for kind in ExportFormat]
    assert formats == [("TFLITE", 1), ("SCANN_INDEX_FILE", 2)]


def test_the_snippet_of_the_article_runs_but_for_its_import(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("embedder.tflite").write_bytes(models.image_model(2, 2))
    tflite_embedder_path = "embedder.tflite"
    image_embeddings = np.random.default_rng(0).normal(size=(500, 12))
    image_embeddings /= np.linalg.norm(image_embeddings, axis=1, keepdims=True)
    metadata = [f"{row}.jpg" for row in range(500)]

    options = searcher.ScaNNOptions(
        distance_measure="dot_product",
        tree=searcher.Tree(num_leaves=351, num_leaves_to_search=4),
        score_ah=searcher.ScoreAH(1, anisotropic_quantization_threshold=0.2),
    )
    data = searcher.DataLoader(tflite_embedder_path, image_embeddings, metadata)
    model = searcher.Searcher.create_from_data(data, options)
    model.export(
        export_filename="searcher.tflite",
        userinfo="",
        export_format=searcher.ExportFormat.TFLITE,
    )

    index = sl.Index.load("searcher.tflite")
    assert (len(index), index.dimensions, index.userinfo) == (500, 12, b"")
    assert sorted(index.metadata) == sorted(name.encode() for name in metadata)
    _, ids = index.search(image_embeddings[42], leaves_to_search=351)
    assert b"42.jpg" in [index.metadata[row] for row in ids[:3]]


def test_a_searcher_can_be_searched_at_once(made):
    _, ids = made.index.search(X[5] * 10, k=3)
    assert "row 5" in [made.index.metadata[row] for row in ids]
    assert repr(made).startswith("<scannlite.searcher.Searcher <scannlite.Index 400 x 8, dot")
    assert "\n" not in repr(made)


@pytest.mark.parametrize("compression", [True, False])
def test_an_index_file_answers_as_the_searcher_did(made, tmp_path, compression):
    path = tmp_path / "new" / "folder" / "index.ldb"
    made.export(ExportFormat.SCANN_INDEX_FILE, path, "hello", compression)
    index = sl.Index.load(path)
    assert index.userinfo == b"hello"
    for q in X[:20]:
        ours, theirs = made.index.search(q), index.search(q)
        assert ours.distances.tobytes() == theirs.distances.tobytes()
        names = [made.index.metadata[row].encode() for row in ours.ids]
        assert sorted(names) == sorted(index.metadata[row] for row in theirs.ids)


def test_an_index_needs_no_tree(tmp_path):
    """In the original, export fails."""
    for options in (EXACT, ScaNNOptions("dot_product", score_ah=ScoreAH(2))):
        made = Searcher.create_from_data(DataLoader(None, X, NAMES), options)
        made.export(ExportFormat.SCANN_INDEX_FILE, tmp_path / "index.ldb", "")
        index = sl.Index.load(tmp_path / "index.ldb")
        assert index.options.tree is None
        assert index.metadata[0] == b"row 0"


def test_codes_of_fewer_rows_than_centers_are_exact():
    """The original asks for 256 rows."""
    made = Searcher.create_from_data(
        DataLoader(None, X[:40]), ScaNNOptions("squared_l2", None, ScoreAH(1))
    )
    assert made.index.search(X[:40], 1).ids.ravel().tolist() == list(range(40))


def test_rows_without_metadata_get_their_numbers(tmp_path):
    made = Searcher.create_from_data(DataLoader(None, X), OPTIONS)
    made.export(ExportFormat.SCANN_INDEX_FILE, tmp_path / "index.ldb", "")
    metadata = list(sl.Index.load(tmp_path / "index.ldb").metadata)
    assert sorted(metadata, key=int) == [str(row).encode() for row in range(len(X))]


def test_the_same_seed_gives_the_same_bytes(made, tmp_path):
    again = Searcher.create_from_data(DataLoader(None, X.astype(float), NAMES), OPTIONS, seed=0)
    other = Searcher.create_from_data(DataLoader(None, X, NAMES), OPTIONS, seed=1)
    paths = [tmp_path / f"{number}.ldb" for number in range(3)]
    for path, each in zip(paths, (made, again, other), strict=True):
        each.export(ExportFormat.SCANN_INDEX_FILE, path, "")
    ours, same, different = (path.read_bytes() for path in paths)
    assert ours == same != different


def test_the_cache_keeps_the_index(tmp_path):
    cache = tmp_path / "new" / "cache"
    made = Searcher.create_from_data(DataLoader(None, X, NAMES), EXACT, cache)
    assert [path.name for path in cache.iterdir()] == ["on_device_scann_index.ldb"]
    index = sl.Index.load(cache / "on_device_scann_index.ldb")
    assert index.search(X[3]).ids.tolist() == made.index.search(X[3]).ids.tolist()


def test_progress_is_told_and_silent_without_a_terminal(capsys):
    told = set()
    data = DataLoader(None, X, NAMES)
    Searcher.create_from_data(data, OPTIONS, progress=lambda stage, *_: told.add(stage))
    assert {"train", "assign"} <= told
    Searcher.create_from_data(data, OPTIONS)
    assert capsys.readouterr() == ("", "")


# ---- models ------------------------------------------------------------------------------------


def test_an_index_in_a_model_is_replaced(embedder, tmp_path):
    """In the original the second export over the first fails."""
    path = tmp_path / "searcher.tflite"
    first = Searcher.create_from_data(DataLoader(embedder, X, NAMES), OPTIONS)
    first.export(ExportFormat.TFLITE, path, "first")
    second = Searcher.create_from_data(DataLoader(path, X[:50], NAMES[:50]), EXACT)
    second.export(ExportFormat.TFLITE, path, "second")
    index = sl.Index.load(path)
    assert (len(index), index.userinfo) == (50, b"second")
    assert path.read_bytes().count(b"first") == 0


def test_an_embedder_of_other_dimensions_is_refused_before_training(embedder, monkeypatch):
    monkeypatch.setattr(sl.Index, "build", None)
    data = DataLoader(embedder, X[:, :7])
    with pytest.raises(InvalidInput, match=r"embedder must give .* 7 dimensions, got .* gives 8"):
        Searcher.create_from_data(data, EXACT)


def test_an_embedder_of_unknown_dimensions_is_taken(tmp_path):
    path = tmp_path / "embedder.tflite"
    path.write_bytes(models.image_model(1, 1, dynamic=True))
    made = Searcher.create_from_data(DataLoader(path, X), EXACT)
    made.export(ExportFormat.TFLITE, tmp_path / "searcher.tflite", "")
    assert len(sl.Index.load(tmp_path / "searcher.tflite")) == len(X)


def test_an_embedder_that_changed_since_is_refused_at_export(embedder, tmp_path):
    made = Searcher.create_from_data(DataLoader(embedder, X), EXACT)
    Path(embedder).write_bytes(models.string_model(9))
    with pytest.raises(InvalidInput, match="dimensions, got"):
        made.export(ExportFormat.TFLITE, tmp_path / "searcher.tflite", "")
    assert not (tmp_path / "searcher.tflite").exists()


def test_a_missing_or_foreign_embedder_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(sl.Index, "build", None)
    with pytest.raises(FileNotFoundError):
        Searcher.create_from_data(DataLoader(tmp_path / "missing.tflite", X), EXACT)
    (tmp_path / "foreign").write_bytes(b"something else altogether")
    with pytest.raises(IndexFileError, match="foreign"):
        Searcher.create_from_data(DataLoader(tmp_path / "foreign", X), EXACT)


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (DataLoader(), EXACT, InvalidInput, "data must hold at least one row, got none."),
        (X, EXACT, InvalidType, "data must be a DataLoader, got"),
        (
            DataLoader(None, X),
            "dot_product",
            InvalidType,
            "must be searcher.ScaNNOptions, got 'dot",
        ),
        (
            DataLoader(None, X[:6]),
            OPTIONS,
            InvalidInput,
            r"from 1 to the number of rows \(6\), got",
        ),
    ],
)
def test_what_cannot_be_indexed_is_one_sentence(data, options, error, message):
    with pytest.raises(error, match=message):
        Searcher.create_from_data(data, options)


def test_metadata_that_were_changed_since_are_counted_again():
    data = DataLoader(None, X, NAMES)
    data.metadata.pop()
    with pytest.raises(InvalidInput, match=r"metadata must have one item a row \(400\), got 399."):
        Searcher.create_from_data(data, EXACT)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1, "a.ldb", ""), InvalidInput, "export_format must be a member of ExportFormat, got 1."),
        (
            (ExportFormat.SCANN_INDEX_FILE, "a.ldb", None),
            InvalidType,
            "userinfo must be str or byt",
        ),
        ((ExportFormat.TFLITE, "a.tflite", ""), InvalidInput, "has no embedder_path, got"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_nothing_is_written(
    made, tmp_path, arguments, error, message
):
    export_format, name, userinfo = arguments
    with pytest.raises(error, match=message):
        made.export(export_format, tmp_path / name, userinfo)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["index.ldb", "index", "index.tflite", "index.npz"])
def test_the_format_says_what_is_written_whatever_the_name(made, tmp_path, name):
    made.export(ExportFormat.SCANN_INDEX_FILE, tmp_path / name, "for you")
    made.export(ExportFormat.SCANN_INDEX_FILE, tmp_path / "plain.ldb", "for you")
    assert (tmp_path / name).read_bytes() == (tmp_path / "plain.ldb").read_bytes()
    assert sl.Index.load(tmp_path / name).userinfo == b"for you"


def test_an_old_export_stays_when_the_new_one_fails(made, tmp_path, monkeypatch):
    path = tmp_path / "index.ldb"
    made.export(ExportFormat.SCANN_INDEX_FILE, path, "old")
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        made.export(ExportFormat.SCANN_INDEX_FILE, path, "new")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# ---- beside Model Maker ------------------------------------------------------------------------


@needs_golden
@pytest.mark.parametrize(
    ("name", "measure", "part"),
    [
        ("mm_tree_ah_dot", "dot_product", {"score_ah": ScoreAH(2)}),
        ("mm_tree_ah_l2", "squared_l2", {"score_ah": ScoreAH(2)}),
        ("mm_tree_bf_dot", "dot_product", {"score_brute_force": searcher.ScoreBruteForce()}),
    ],
)
def test_the_same_rows_and_options_give_an_index_like_model_makers(tmp_path, name, measure, part):
    """The same configuration but for what chance decides; the same recall but for chance."""
    rows = np.load(GOLDEN / "mm_dataset.npz")["dataset"]
    names = [f"id{row}" for row in range(len(rows))]
    options = ScaNNOptions(measure, Tree(10, 2), **part)
    made = Searcher.create_from_data(DataLoader(None, rows, names), options)
    made.export(ExportFormat.SCANN_INDEX_FILE, tmp_path / "index.ldb", "ui")

    ours, theirs = read(tmp_path / "index.ldb"), read(GOLDEN / f"{name}.ldb")
    assert shape_of(ours) == shape_of(theirs)
    for file in (ours, theirs):
        sizes = file.partition_sizes
        assert file.config.partition_offsets.tolist() == [0, *np.cumsum(sizes)[:-1]]
        assert sorted(file.metadata) == sorted(name.encode() for name in names)

    rng = np.random.default_rng(1)
    queries = (rows[rng.permutation(len(rows))[:200]] + rng.normal(size=(200, 16))).astype("f4")
    if measure == "dot_product":
        distances = -queries @ rows.T
    else:
        distances = ((queries[:, None] - rows) ** 2).sum(axis=2)
    nearest = np.argsort(distances, axis=1)[:, :10]
    recall = [
        recall_of(sl.Index.load(path), queries, nearest)
        for path in (tmp_path / "index.ldb", GOLDEN / f"{name}.ldb")
    ]
    assert recall[0] > recall[1] - 0.03


def shape_of(file):
    """All of a file that chance has no part in."""
    config, partitioner, indexer = file.config, file.config.partitioner, file.config.indexer
    codebooks = [codebook.shape for codebook in indexer.codebooks] if indexer else None
    return {
        "distance": config.query_distance,
        "leaves": partitioner.leaves.shape,
        "leaves distance": partitioner.query_distance,
        "fraction": partitioner.search_fraction,
        "codebooks": codebooks,
        "lookup": indexer and (indexer.query_distance, indexer.lookup_type),
        "rows": (config.embedding_type, config.embedding_dim, file.row_bytes),
        "count": len(file.metadata),
        "userinfo": file.userinfo,
    }


def recall_of(index, queries, nearest):
    found = index.search(queries, 10).ids
    names = [[int(re.sub(rb"\D", b"", index.metadata[row])) for row in ids] for ids in found]
    hits = [len(set(ours) & set(true)) for ours, true in zip(names, nearest.tolist(), strict=True)]
    return np.mean(hits) / 10
