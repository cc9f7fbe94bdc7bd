"""ScaNN itself as the oracle: the same codes from its codebooks, the same table scores."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from scannlite.learning.anisotropy import eta_asymptotic
from scannlite.learning.encode import encode, encode_anisotropic
from scannlite.learning.kmeans import assign
from scannlite.learning.rows import norms
from scannlite.learning.scalar import quantize_table, table_scores
from tests.strategies import same_bits

scann = pytest.importorskip(
    "scann", reason="ScaNN is not installed: codes and scores compared with nothing"
)

N, D, THRESHOLD = 3000, 63, 0.2  # 63: the last block is shorter


class Built(NamedTuple):
    """A ScaNN searcher and what it wrote down."""

    searcher: Any
    X: np.ndarray
    codebooks: np.ndarray  # (m, c, b), the last block ending in zeros
    codes: np.ndarray  # (n, m)
    centroids: np.ndarray  # (L, d), one zero centroid without a tree
    leaf: np.ndarray  # (n,)


def message(path, module, name):
    found = getattr(pytest.importorskip(f"scann.{module}"), name)()
    found.ParseFromString(path.read_bytes())
    return found


def read_codebooks(path):
    blocks = message(path, "proto.centers_pb2", "CentersForAllSubspaces").subspace_centers
    b = len(blocks[0].center[0].feature_value_float)
    centers = [[center.feature_value_float for center in block.center] for block in blocks]
    padded = [[[*one, *[0.0] * (b - len(one))] for one in block] for block in centers]
    return np.array(padded, np.float32)


def read_centroids(path):
    partitioner = message(path, "partitioning.partitioner_pb2", "SerializedPartitioner")
    centers = partitioner.kmeans.kmeans_tree.root.centers
    return np.array([center.dimension for center in centers], np.float32)


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    def built(distance, *, tree=False, hash_type="lut16", threshold=THRESHOLD):
        X = np.random.default_rng(7).standard_normal((N, D)).astype(np.float32)
        X /= np.linalg.norm(X, axis=1, keepdims=True)
        builder = scann.scann_ops_pybind.builder(X, N, distance).set_n_training_threads(1)
        builder = builder.tree(12, 12) if tree else builder
        builder = builder.score_ah(2, threshold or float("nan"), hash_type=hash_type)
        folder = tmp_path_factory.mktemp("scann")
        searcher = builder.build()
        searcher.serialize(str(folder))
        centroids, leaf = np.zeros((1, D), np.float32), np.zeros(N, np.int32)
        if tree:
            centroids = read_centroids(folder / "serialized_partitioner.pb")
            leaf = np.load(folder / "datapoint_to_token.npy")
        codes = np.load(folder / "hashed_dataset.npy")
        books = read_codebooks(folder / "ah_codebook.pb")
        return Built(searcher, X, books, codes, centroids, leaf)

    return built


def residuals(built):
    return built.X - built.centroids[built.leaf]


@pytest.mark.parametrize("hash_type", ["lut16", "lut256"])
@pytest.mark.parametrize("tree", [False, True])
def test_anisotropic_codes_are_scanns(build, tree, hash_type):
    built = build("dot_product", tree=tree, hash_type=hash_type)
    eta = eta_asymptotic(THRESHOLD, norms(built.X), D)
    codes = encode_anisotropic(residuals(built), built.X, built.codebooks, eta)
    assert same_bits(codes, built.codes)
    nearest = encode(residuals(built), built.codebooks)
    assert (codes != nearest).mean() > 0.02


def test_nearest_codes_and_leaves_are_scanns(build):
    built = build("dot_product", tree=True, threshold=None)
    assert np.array_equal(assign(built.X, built.centroids), built.leaf)
    assert same_bits(encode(residuals(built), built.codebooks), built.codes)


def table_of(built, query, distance):
    m, _, b = built.codebooks.shape
    blocks = np.pad(query, (0, m * b - D)).reshape(m, 1, b)
    if distance == "dot_product":
        return -(blocks * built.codebooks).sum(axis=2)
    return np.square(blocks - built.codebooks).sum(axis=2)


@pytest.mark.parametrize("hash_type", ["lut16", "lut256"])
@pytest.mark.parametrize(
    ("distance", "tree"), [("dot_product", False), ("dot_product", True), ("squared_l2", False)]
)
def test_table_scores_are_scanns(build, distance, tree, hash_type):
    built = build(distance, tree=tree, hash_type=hash_type)
    for query in built.X[:5] * np.float32([[1], [1], [0.3], [7], [7]]):
        table, multiplier = quantize_table(table_of(built, query, distance))
        ours = table_scores(table, multiplier, built.codes)
        ours = ours - (built.centroids @ query)[built.leaf]
        ids, theirs = built.searcher.search(query, final_num_neighbors=N)
        sign = -1 if distance == "dot_product" else 1
        assert len(ids) == N
        scale = max(1.0, float(np.abs(theirs).max()))
        np.testing.assert_allclose(ours[ids] / scale, sign * theirs / scale, rtol=0, atol=1e-6)
