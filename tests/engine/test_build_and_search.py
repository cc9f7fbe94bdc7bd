"""What goes in at the front door, and what comes out, held against exact search in NumPy."""

from __future__ import annotations

import dataclasses
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scannlite import (
    Index,
    InvalidInput,
    InvalidType,
    Reorder,
    ScannliteWarning,
    ScaNNOptions,
    ScoreAH,
    ScoreBruteForce,
    Tree,
)
from tests.strategies import LAYOUTS, clustered, exact_distances, matrices, same_bits, seeds

MEASURES = ["dot_product", "squared_l2", "cosine"]
modest = settings(deadline=None, max_examples=30)

FLOAT, BYTES = ScoreBruteForce(), ScoreBruteForce(quantize=True)
KINDS = {
    "float": {"score_brute_force": FLOAT},
    "bytes": {"score_brute_force": BYTES},
    "tree-float": {"tree": Tree(5, 5), "score_brute_force": FLOAT},
    "lut16": {"score_ah": ScoreAH(2)},
    "lut16-reorder": {"tree": Tree(5, 5), "score_ah": ScoreAH(2), "reorder": Reorder(400)},
    "projected-reorder": {
        "tree": Tree(5, 5),
        "score_ah": ScoreAH(4, projection=5),
        "reorder": Reorder(400),
    },
    "projected": {"score_ah": ScoreAH(3, hash_type="lut256", projection=4)},
    "lut256": {"tree": Tree(5, 5), "score_ah": ScoreAH(2, hash_type="lut256")},
    "bytes-reorder": {"score_ah": ScoreAH(3), "reorder": Reorder(400, quantize=True)},
}
kinds = pytest.mark.parametrize("kind", sorted(KINDS))
measures = pytest.mark.parametrize("measure", MEASURES)

X, Q = clustered(300, 12, seed=1), clustered(20, 12, seed=2)


def options_of(measure, kind):
    return ScaNNOptions(measure, **KINDS[kind])


def contents(index):
    return {f.name: getattr(index._arrays, f.name) for f in dataclasses.fields(index._arrays)}


def assert_same_index(a, b):
    for (name, one), other in zip(contents(a).items(), contents(b).values(), strict=True):
        assert same_bits(one, other), name


def assert_same(a, b):
    assert same_bits(a.distances, b.distances)
    assert same_bits(a.ids, b.ids)


def assert_exact(found, rows, queries, measure, k):
    """Distances as exact search has them, and ids that really are that far away."""
    truth = exact_distances(queries, rows, measure)
    scale = 1 + np.abs(truth).max(initial=0)
    if measure == "squared_l2":
        scale += (np.float64(rows) ** 2).sum(axis=1).max(initial=0)
    filled = min(k, len(rows))
    best = np.sort(truth, axis=1)[:, :filled]
    assert np.allclose(found.distances[:, :filled], best, rtol=1e-5, atol=3e-6 * scale)
    assert np.isposinf(found.distances[:, filled:]).all()
    assert (found.ids[:, filled:] == -1).all()
    for distances, ids, row in zip(found.distances, found.ids, truth, strict=True):
        assert len(set(ids[:filled].tolist())) == filled
        assert np.allclose(row[ids[:filled]], distances[:filled], rtol=1e-5, atol=3e-6 * scale)


# ---- exact search --------------------------------------------------------------------------------


@modest
@given(
    matrices(n=st.integers(1, 150)),
    matrices(n=st.integers(1, 5)),
    st.sampled_from(MEASURES),
    st.integers(1, 50),
    st.integers(0, 6),
)
def test_all_leaves_with_float_rows_are_exact_search(rows, queries, measure, k, L):
    d = min(rows.shape[1], queries.shape[1])
    rows, queries = np.ascontiguousarray(rows[:, :d]), np.ascontiguousarray(queries[:, :d])
    tree = Tree(min(L, len(rows)), 1) if L else None
    index = Index.build(rows, ScaNNOptions(measure, tree, score_brute_force=FLOAT))
    found = index.search(queries, k, leaves_to_search=tree and tree.num_leaves)
    assert_exact(found, rows, queries, measure, k)


@measures
@kinds
def test_shapes_and_types(measure, kind):
    index = Index.build(X, options_of(measure, kind))
    assert (len(index), index.dimensions) == X.shape
    one, many, none = index.search(Q[0], 7), index.search(Q, 7), index.search(Q[:0], 7)
    assert (one.distances.shape, one.ids.shape) == ((7,), (7,))
    assert (many.distances.shape, many.ids.shape) == ((20, 7), (20, 7))
    assert (none.distances.shape, none.ids.shape) == ((0, 7), (0, 7))
    for found in (one, many, none):
        assert (found.distances.dtype, found.ids.dtype) == (np.float32, np.int64)
    assert (np.diff(many.distances, axis=1) >= 0).all()


@measures
@kinds
def test_a_batch_is_its_queries_whatever_the_threads(measure, kind):
    index = Index.build(X, options_of(measure, kind))
    singles = [index.search(q, 9) for q in Q]
    for threads in (1, 2, 3, 50):
        found = index.search(Q, 9, threads=threads)
        assert same_bits(found.distances, np.stack([one.distances for one in singles]))
        assert same_bits(found.ids, np.stack([one.ids for one in singles]))


@kinds
def test_many_threads_search_one_index(kind):
    index = Index.build(X, options_of("squared_l2", kind))
    alone = [index.search(q, 9) for q in Q]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: index.search(Q[i % 20], 9), range(400)))
    for i, found in enumerate(together):
        assert_same(found, alone[i % 20])


@measures
@kinds
def test_more_neighbours_than_rows(measure, kind):
    index = Index.build(X, options_of(measure, kind))
    for found in (index.search(Q[0], 400), index.search(Q[:2], 400)):
        ids, distances = np.atleast_2d(found.ids), np.atleast_2d(found.distances)
        assert (np.sort(ids[:, :300], axis=1) == np.arange(300)).all()
        assert np.isfinite(distances[:, :300]).all()
        assert (ids[:, 300:] == -1).all()
        assert np.isposinf(distances[:, 300:]).all()


@measures
@pytest.mark.parametrize("n", [1, 2, 9, 15, 16, 63, 64, 65])
@pytest.mark.parametrize("kind", ["lut16", "lut256", "bytes", "bytes-reorder"])
def test_few_rows(measure, n, kind):
    chosen = options_of(measure, kind)
    found = Index.build(X[:n], dataclasses.replace(chosen, tree=None)).search(Q, 70)
    assert (np.sort(found.ids[:, :n], axis=1) == np.arange(n)).all()
    assert (found.ids[:, n:] == -1).all()


@measures
@pytest.mark.parametrize("d", [1, 2, 3, 5, 17, 33])
@pytest.mark.parametrize("b", [1, 2, 3, 40])
def test_blocks_that_do_not_divide_d(measure, d, b):
    rows, queries = clustered(200, d, seed=3), clustered(5, d, seed=4)
    tree = Tree(3, 3)
    for reorder in (None, Reorder(200)):
        index = Index.build(rows, ScaNNOptions(measure, tree, ScoreAH(b), reorder=reorder))
        found = index.search(queries, 10)
        assert ((found.ids >= 0) & (found.ids < 200)).all()
    assert_exact(found, rows, queries, measure, 10)


# ---- awkward rows --------------------------------------------------------------------------------


@kinds
def test_zero_vectors_have_cosine_distance_one(kind):
    rows = X.copy()
    rows[::2] = 0
    found = Index.build(rows, options_of("cosine", kind)).search(Q, 300)
    assert (np.sort(found.ids, axis=1) == np.arange(300)).all()
    if kind not in ("lut16", "lut256"):
        zeros = found.distances[found.ids % 2 == 0]
        assert np.allclose(zeros, 1, atol=1e-6)
    nothing = Index.build(rows, options_of("cosine", kind)).search(np.zeros(12), 5)
    assert np.allclose(nothing.distances, 1, atol=1e-6)
    assert len(set(nothing.ids.tolist())) == 5


@measures
@kinds
def test_identical_rows_are_all_found(measure, kind):
    rows = np.repeat(X[:1], 100, axis=0)
    index = Index.build(rows, options_of(measure, kind))
    found = index.search(X[0], 100)
    assert np.sort(found.ids).tolist() == list(range(100))
    if kind not in ("lut16", "lut256"):
        assert index.search(X[0], 8).ids.tolist() == list(range(8))


@pytest.mark.parametrize("n", [0, 3])
def test_an_empty_index_and_an_empty_batch(n):
    index = Index.build(X[:n])
    for shape in ((0, 12), (2, 12), (12,)):
        found = index.search(np.ones(shape), 5)
        assert found.ids.shape == (*shape[:-1], 5)
        assert (found.ids == -1).sum() == found.ids.size * (5 - n) // 5
    with pytest.raises(InvalidInput, match=r"row 0, column 0"):
        index.search(np.full(12, np.nan))


@kinds
def test_options_for_many_rows_do_not_stop_an_empty_index(kind):
    index = Index.build(X[:0], options_of("cosine", kind))
    assert len(index) == 0
    assert index.search(Q, 3).ids.tolist() == [[-1] * 3] * 20


# ---- every layout and type -----------------------------------------------------------------------

WHOLE = np.rint(clustered(200, 7, seed=5)).astype(np.float32) + np.float32(0)  # no -0


@measures
@pytest.mark.parametrize("kind", ["float", "lut16-reorder", "lut256"])
@pytest.mark.parametrize("layout", [*sorted(LAYOUTS), "list", "uint8", "bool"])
def test_layouts_and_types_answer_alike(measure, kind, layout):
    rows = {"uint8": np.abs(WHOLE), "bool": np.float32(WHOLE > 0)}.get(layout, WHOLE)
    change = {
        **LAYOUTS,
        "list": np.ndarray.tolist,
        "uint8": lambda A: A.astype(np.uint8),
        "bool": lambda A: A.astype(bool),
    }[layout]
    plain, other = (Index.build(A, options_of(measure, kind)) for A in (rows, change(rows)))
    assert_same_index(plain, other)
    expected = plain.search(rows[:9], 5)
    assert_same(other.search(change(rows[:9]), 5), expected)
    for i in (0, 8):
        one = other.search(change(rows[i : i + 1])[0], 5)
        assert same_bits(one.ids, expected.ids[i])
        assert same_bits(one.distances, expected.distances[i])


def test_nothing_given_is_changed():
    rows, queries = X.copy(), Q.copy()
    index = Index.build(rows, options_of("cosine", "lut16-reorder"))
    index.search(queries, 5)
    index.search(queries[0], 5)
    assert same_bits(rows, X)
    assert same_bits(queries, Q)


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
@measures
@kinds
def test_a_number_that_is_not_finite_is_named(bad, measure, kind):
    rows = X.copy()
    rows[123, 4] = bad
    with pytest.raises(InvalidInput, match=r"^X must .* at row 123, column 4\.$"):
        Index.build(rows, options_of(measure, kind))
    index, queries = Index.build(X, options_of(measure, kind)), Q.copy()
    queries[17, 11] = bad
    with pytest.raises(InvalidInput, match=r"^q must .* at row 17, column 11\.$"):
        index.search(queries)
    with pytest.raises(InvalidInput, match=r"^q must .* at row 0, column 11\.$"):
        index.search(queries[17])
    assert_same(index.search(queries[:17]), index.search(Q[:17]))


def test_a_row_that_no_sample_holds_is_named_by_its_number():
    rows = np.ones((40_000, 1), np.float32)
    rows[33_333] = np.nan
    sampled = ScoreAH(1, training_sample_size=100)
    with pytest.raises(InvalidInput, match=r"at row 33333, column 0\.$"):
        Index.build(rows, ScaNNOptions("dot_product", score_ah=sampled))


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_row_within_a_sample_is_named_by_its_number(seed):
    rows = X.copy()
    rows[210:, 3] = np.nan
    sampled = ScoreAH(1, training_sample_size=200)
    with pytest.raises(InvalidInput, match=r"at row 2[1-9]\d, column 3\.$"):
        Index.build(rows, ScaNNOptions("dot_product", score_ah=sampled), seed=seed)


@pytest.mark.parametrize(
    "rows", [[1.0, 2.0], np.zeros((2, 3, 4)), np.zeros((3, 0)), 5.0, [[1, 2], [3]], [["a"]], [[1j]]]
)
def test_rows_of_another_kind(rows):
    with pytest.raises((InvalidInput, InvalidType), match=r"^X must"):
        Index.build(rows)


@pytest.mark.parametrize("shape", [(11,), (13,), (2, 11), (1, 2, 12), (), (0,), (12, 1)])
@pytest.mark.parametrize("n", [0, 300])
def test_queries_of_another_shape(shape, n):
    with pytest.raises(InvalidInput, match=r"^q must have shape \(12,\) for one query or"):
        Index.build(X[:n]).search(np.zeros(shape))


@pytest.mark.parametrize("queries", ["abc", None, np.zeros(12, complex), [["a"] * 12]])
def test_queries_of_another_kind(queries):
    with pytest.raises(InvalidType, match=r"^q must be an array of real numbers"):
        Index.build(X).search(queries)


@pytest.mark.parametrize("n", [0, 300])
@pytest.mark.parametrize("q", [Q, Q[0], Q[:0]])
def test_k_and_threads_out_of_bounds(q, n):
    index = Index.build(X[:n])
    for k in (0, -1):
        with pytest.raises(InvalidInput, match=rf"^k must be from 1 to .*, got {k}"):
            index.search(q, k)
    for k in (1.5, "3", None, True):
        with pytest.raises(InvalidType, match=r"^k must be a whole number"):
            index.search(q, k)
    with pytest.raises(InvalidInput, match=r"^threads must be from 1, got 0"):
        index.search(np.atleast_2d(q), threads=0)
    assert_same(index.search(q, np.int64(3)), index.search(q, 3))


@pytest.mark.parametrize("q", [Q, Q[0]])
def test_leaves_and_candidates_out_of_bounds(q):
    index = Index.build(X, options_of("cosine", "lut16-reorder"))
    for leaves in (0, -1, 6):
        with pytest.raises(InvalidInput, match=rf"^leaves_to_search .* 1 to 5, got {leaves}"):
            index.search(q, leaves_to_search=leaves)
    for R in (0, -1, 2**31):
        with pytest.raises(InvalidInput, match=rf"^pre_reorder_num_neighbors .*, got {R}"):
            index.search(q, pre_reorder_num_neighbors=R)
    index.search(q, 10, leaves_to_search=1, pre_reorder_num_neighbors=1)
    index.search(q, 10, leaves_to_search=5, pre_reorder_num_neighbors=2**31 - 1)
    flat = Index.build(X)
    with pytest.raises(InvalidInput, match=r"^leaves_to_search must be None"):
        flat.search(q, leaves_to_search=1)
    with pytest.raises(InvalidInput, match=r"^pre_reorder_num_neighbors must be None"):
        flat.search(q, pre_reorder_num_neighbors=5)


def test_a_wrong_metric_and_wrong_options():
    with pytest.raises(InvalidInput, match=r"must be one of 'dot_product', .*, got 'l2'"):
        Index.build(X, "l2")
    with pytest.raises(InvalidType, match=r"^options must be ScaNNOptions"):
        Index.build(X, 3)
    with pytest.raises(InvalidInput, match=r"num_leaves must be .* \(300\), got 301"):
        Index.build(X, ScaNNOptions("cosine", Tree(301, 1), score_brute_force=FLOAT))
    with pytest.raises(InvalidInput, match=r"^seed must be from 0"):
        Index.build(X, seed=-1)
    with pytest.raises(InvalidInput, match=r"^threads must be from 1"):
        Index.build(X, threads=0)


# ---- the same again ------------------------------------------------------------------------------


@measures
@kinds
def test_same_seed_same_bytes_whatever_the_threads(measure, kind):
    rows = clustered(9000, 5, seed=6)
    first = Index.build(rows, options_of(measure, kind), seed=3, threads=1)
    for threads in (2, 3):
        assert_same_index(
            first, Index.build(rows, options_of(measure, kind), seed=3, threads=threads)
        )


@modest
@given(seeds, st.sampled_from(MEASURES), st.booleans())
def test_permuted_rows_permute_ids(seed, measure, tree):
    order = np.random.default_rng(seed).permutation(300)
    chosen = ScaNNOptions(measure, Tree(5, 5) if tree else None, score_brute_force=FLOAT)
    plain, moved = Index.build(X, chosen), Index.build(X[order], chosen)
    a, b = plain.search(Q, 10), moved.search(Q, 10)
    assert np.allclose(a.distances, b.distances, rtol=1e-5, atol=1e-3)
    near_tie = np.diff(plain.search(Q, 11).distances, axis=1) < 2e-3
    clear = ~(near_tie | np.pad(near_tie, ((0, 0), (1, 0)))[:, :-1])
    assert clear.any()
    assert (order[b.ids] == a.ids)[clear].all()


# ---- recall, and what each option does -----------------------------------------------------------

BIG, ASKED = clustered(5000, 32, seed=7), clustered(100, 32, seed=8)


def recall(measure, k=10, **parts):
    truth = np.argsort(exact_distances(ASKED, BIG, measure), axis=1, kind="stable")[:, :k]
    found = Index.build(BIG, ScaNNOptions(measure, **parts)).search(ASKED, k).ids
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(truth, found, strict=True)])


@measures
def test_recall(measure):
    tree = Tree(50, 50)
    assert recall(measure, tree=tree, score_ah=ScoreAH(2), reorder=Reorder(100)) >= 0.97
    assert recall(measure, score_ah=ScoreAH(2), reorder=Reorder(200, quantize=True)) >= 0.9
    assert recall(measure, tree=tree, score_ah=ScoreAH(2, hash_type="lut256")) >= 0.72
    assert recall(measure, score_brute_force=BYTES) >= 0.92


def same_arrays(a, b):
    pairs = zip(contents(a).values(), contents(b).values(), strict=True)
    return all(same_bits(one, other) for one, other in pairs)


BASE = (Tree(6, 2), ScoreAH(2), Reorder(30, quantize=True))
CHANGES = [
    *[(0, name, value, True) for name, value in [
        ("num_leaves", 7), ("training_sample_size", 100), ("training_iterations", 1),
        ("spherical", True), ("random_init", False),
        ("quantize_centroids", False), ("num_leaves_to_search", 3),
    ]],
    *[(1, name, value, True) for name, value in [
        ("dimensions_per_block", 3), ("anisotropic_quantization_threshold", 0.2),
        ("training_sample_size", 100), ("training_iterations", 1), ("hash_type", "lut256"),
        ("residual_quantization", False), ("eta_formula", "asymptotic"),
    ]],
    *[(2, name, value, True) for name, value in [
        ("quantize", False), ("anisotropic_quantization_threshold", 0.3),
        ("reordering_num_neighbors", 40),
    ]],
]  # fmt: skip
SEARCHED_ONLY = {"num_leaves_to_search", "reordering_num_neighbors"}
NOTHING = {"quantize_centroids", "eta_formula"}  # the latter without a threshold


@pytest.mark.parametrize(("part", "name", "value", "_"), CHANGES)
def test_every_option_changes_the_index_or_is_documented_not_to(part, name, value, _):
    rows = clustered(600, 12, seed=9, groups=7)
    rows[:8] *= -9
    changed = list(BASE)
    changed[part] = dataclasses.replace(BASE[part], **{name: value})
    a, b = (
        Index.build(rows, ScaNNOptions("cosine", tree, ah, reorder=reorder))
        for tree, ah, reorder in (BASE, changed)
    )
    assert same_arrays(a, b) == (name in SEARCHED_ONLY | NOTHING)
    if name == "num_leaves_to_search":
        assert (a.search(Q, 600).ids >= 0).sum() < (b.search(Q, 600).ids >= 0).sum()


def test_a_threshold_without_effect_warns():
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    idle = ScaNNOptions("dot_product", score_ah=ScoreAH(2, 0.2, eta_formula="asymptotic"))
    with pytest.warns(ScannliteWarning, match=r"ScoreAH\.anisotropic.* 0\.2 has no effect"):
        a = Index.build(rows, idle)
    b = Index.build(rows, ScaNNOptions("dot_product", score_ah=ScoreAH(2)))
    assert_same_index(a, b)
    shaped = Reorder(9, quantize=True, anisotropic_quantization_threshold=50.0)
    with pytest.warns(ScannliteWarning, match=r"Reorder\.anisotropic.* 50 has no effect"):
        Index.build(rows, ScaNNOptions("dot_product", score_ah=ScoreAH(2), reorder=shaped))


def test_leaves_of_rows_of_one_norm_rank_by_distance_and_others_by_reach():
    """Two leaves, {0, 2} and {10, 20} on a line: means 1 and 15, deviations 1 and 5."""
    tree = Tree(2, 1, min_partition_size=0)
    options = ScaNNOptions("dot_product", tree=tree, score_brute_force=FLOAT)
    index = Index.build(np.float32([[0], [2], [10], [20]]), options)
    order = np.argsort(index._arrays.centroids[:, 0])
    assert index._arrays.centroids[order, 0].tolist() == [1, 15]
    assert index._arrays.leaf_bias[order].tolist() == [0.5, 2.5]
    rows = np.float32([[2, 0], [2, 0], [0, 2], [0, 2]])
    for measure, norm in (("dot_product", 2), ("cosine", 1)):
        index = Index.build(rows, ScaNNOptions(measure, tree=tree, score_brute_force=FLOAT))
        assert index._arrays.leaf_bias.tolist() == [-norm / 2, -norm / 2]
    index = Index.build(rows, ScaNNOptions("squared_l2", tree=tree, score_brute_force=FLOAT))
    assert index._arrays.leaf_bias.tolist() == [0, 0]


def test_products_with_rows_of_varying_norms_need_few_candidates():
    """The share of a row that its code misses is made up for: 12 candidates do for ten."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((4000, 16)) * rng.lognormal(0, 0.6, (4000, 1))
    q = clustered(50, 16, seed=3)
    found = {}
    for threshold in (None, 1e-3):  # with a threshold, however low, no share is kept
        codes = ScoreAH(2, threshold, residual_quantization=False)
        options = ScaNNOptions("dot_product", score_ah=codes, reorder=Reorder(12))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ScannliteWarning)
            ids = Index.build(rows, options).search(q).ids
        true = np.argsort(exact_distances(q, rows, "dot_product"), axis=1)[:, :10]
        found[threshold] = np.mean([len({*a} & {*b}) for a, b in zip(ids, true, strict=True)])
    assert found[None] > found[1e-3] + 0.5


def test_rows_of_zeros_do_not_crowd_out_neighbours():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((4000, 32)) * rng.lognormal(0, 0.5, (4000, 1))
    rows[rng.random(4000) < 0.2] = 0
    rows[rng.random(4000) < 0.2] *= 0.03
    q = rng.standard_normal((50, 32))
    options = ScaNNOptions("dot_product", score_ah=ScoreAH(2), reorder=Reorder(100))
    ids = Index.build(rows, options).search(q).ids
    true = np.argsort(exact_distances(q, rows, "dot_product"), axis=1)[:, :10]
    assert np.mean([len({*a} & {*b}) for a, b in zip(ids, true, strict=True)]) > 9.5


@pytest.mark.parametrize("measure", MEASURES)
def test_a_build_from_a_mapped_file_takes_little_more_than_the_index(measure, tmp_path):
    """Below twice the index and a chunk of 4 MB, although the sample is all of the rows."""
    np.save(tmp_path / "rows.npy", clustered(40_000, 64, seed=4) * np.geomspace(1, 0.1, 64))
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    tree = Tree(40, 4, training_iterations=2)
    codes = ScoreAH(3, projection=48, training_iterations=2)
    options = ScaNNOptions(measure, tree=tree, score_ah=codes, reorder=Reorder(100))
    Index.build(rows[:500], options)  # compiles
    tracemalloc.start()
    try:
        index = Index.build(rows, options, threads=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * (index.nbytes + (4 << 20))
