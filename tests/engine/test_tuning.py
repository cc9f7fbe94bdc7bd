"""Tuning: the recall is real, the settings are the cheapest, and they stay."""

from __future__ import annotations

import numpy as np
import pytest

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
from scannlite.engine.cost import WorkModel
from scannlite.engine.truth import Truth
from tests.strategies import clustered, exact_distances

MEASURES = ["dot_product", "squared_l2", "cosine"]
measures = pytest.mark.parametrize("measure", MEASURES)

POINTS = clustered(1700, 12, seed=1)
X, Q, MANY, OTHERS = np.split(POINTS, [1000, 1060, 1380])

CODES = {"tree": Tree(12, 1), "score_ah": ScoreAH(3), "reorder": Reorder(12)}
KINDS = {
    "codes": CODES,
    "wide codes": {**CODES, "score_ah": ScoreAH(3, hash_type="lut256")},
    "no tree": {**CODES, "tree": None},
    "byte rows for codes": {**CODES, "reorder": Reorder(12, quantize=True)},
    "float rows": {"tree": Tree(12, 1), "score_brute_force": ScoreBruteForce()},
    "byte rows": {"tree": Tree(12, 1), "score_brute_force": ScoreBruteForce(quantize=True)},
}
kinds = pytest.mark.parametrize("kind", sorted(KINDS))


def index_of(kind="codes", measure="squared_l2", rows=X):
    return Index.build(rows, ScaNNOptions(measure, **KINDS[kind]))


def recall_of(index, queries, measure, k=5, rows=X):
    """Of the index's defaults, against exact search in NumPy."""
    truth = exact_distances(queries, rows, measure)
    farthest = np.sort(truth, axis=1)[:, k - 1 : k]
    found = np.take_along_axis(truth, index.search(queries, k).ids, axis=1)
    return (found <= farthest + 1e-4 * np.abs(farthest) + 1e-6).mean()


# ---- what is found -------------------------------------------------------------------------------


@measures
@pytest.mark.parametrize("kind", ["codes", "wide codes", "no tree", "float rows"])
def test_defaults_reach_the_recall(measure, kind):
    index = index_of(kind, measure)
    tuned = index.tune(Q, 0.9, k=5)
    assert 0.9 <= tuned.recall <= 1
    assert recall_of(index, Q, measure) == pytest.approx(tuned.recall, abs=0.004)


@measures
def test_other_queries_get_it_too(measure):
    index = index_of("codes", measure)
    index.tune(MANY, 0.9, k=5)
    assert recall_of(index, OTHERS, measure) >= 0.9 - 0.02


@kinds
def test_what_there_is_to_turn(kind):
    index = index_of(kind)
    tuned = index.tune(Q, 0.8, k=5)
    assert (tuned.leaves_to_search is None) == (index.options.tree is None)
    assert (tuned.pre_reorder_num_neighbors is None) == (index.options.reorder is None)
    assert tuned.recall >= 0.8
    assert (tuned.target, tuned.k, tuned.queries) == (0.8, 5, 60)
    if index.options.tree:
        assert index.options.tree.num_leaves_to_search == tuned.leaves_to_search
    if index.options.reorder:
        assert index.options.reorder.reordering_num_neighbors == tuned.pre_reorder_num_neighbors


def test_search_uses_what_was_found():
    index = index_of()
    tuned = index.tune(Q, 0.9, k=5)
    plain, told = (
        index.search(Q, 5),
        index.search(
            Q,
            5,
            leaves_to_search=tuned.leaves_to_search,
            pre_reorder_num_neighbors=tuned.pre_reorder_num_neighbors,
        ),
    )
    assert np.array_equal(plain.ids, told.ids)
    assert f"{tuned.leaves_to_search} of 12 leaves searched" in repr(index)


def test_a_higher_recall_never_costs_less():
    costs = [index_of().tune(Q, target, k=5).cost for target in (0.5, 0.8, 0.9, 0.95)]
    assert costs == sorted(costs)


def test_nothing_cheaper_on_a_full_grid_reaches_it():
    index = index_of()
    tuned = index.tune(Q, 0.9, k=5)
    model = WorkModel.of(index._arrays, index.options, Q)
    judge = Truth(index._arrays, "squared_l2", 1, lambda *_: None).of_queries(Q, 5, None)
    for p in range(1, 13):
        for R in range(5, 80, 3):
            if model.microseconds(p, R) < 0.97 * tuned.cost:
                found = index.search(Q, 5, leaves_to_search=p, pre_reorder_num_neighbors=R)
                assert judge.recall(found) < 0.9, (p, R)


def test_the_front_rises_and_holds_the_choice():
    tuned = index_of().tune(Q, 0.9, k=5)
    costs, recalls = zip(*((trial.cost, trial.recall) for trial in tuned.front), strict=True)
    assert list(costs) == sorted(set(costs))
    assert list(recalls) == sorted(set(recalls))
    chosen = next(trial for trial in tuned.front if trial.recall >= 0.9)
    assert (chosen.leaves_to_search, chosen.pre_reorder_num_neighbors, chosen.recall) == (
        tuned.leaves_to_search,
        tuned.pre_reorder_num_neighbors,
        tuned.recall,
    )


def test_the_same_again_whatever_the_threads_and_the_defaults_before():
    first = index_of().tune(Q, 0.9, k=5, threads=1)
    index = index_of()
    for _ in range(2):
        assert index.tune(Q, 0.9, k=5, threads=3) == first
    few = [index_of(rows=X[:200]).tune(k=5, threads=threads) for threads in (1, 3)]
    assert few[0] == few[1]


def test_saved_defaults_survive(tmp_path):
    index = index_of()
    index.tune(Q, 0.9, k=5)
    index.save(tmp_path / "index.npz")
    loaded = Index.load(tmp_path / "index.npz")
    assert loaded.options == index.options
    assert np.array_equal(loaded.search(Q, 5).ids, index.search(Q, 5).ids)
    loaded.tune(Q, 0.5, k=5)
    loaded.save(tmp_path / "other.npz")
    assert Index.load(tmp_path / "other.npz").options == loaded.options != index.options


def test_one_query_and_progress():
    told = []
    tuned = index_of().tune(Q[0], 0.9, k=5, progress=lambda *facts: told.append(facts))
    assert tuned.queries == 1
    assert [stage for stage, done, total in told if done == total] == ["truth", "tune", "refine"]


# ---- rows for queries ----------------------------------------------------------------------------


def test_rows_stand_in_and_do_not_find_themselves():
    """Pairs of rows far from all others: each row's one neighbour is the other of its pair."""
    centers = np.arange(20, dtype=np.float32)[:, None] * np.array([[10, 0]], np.float32)
    pairs = np.concatenate([centers, centers + np.array([[0, 1]], np.float32)])
    index = Index.build(pairs, ScaNNOptions("squared_l2", score_brute_force=ScoreBruteForce()))
    judge = Truth(index._arrays, "squared_l2", 1, lambda *_: None).of_own_rows(1)
    assert np.allclose(judge.farthest, 1, rtol=1e-4)
    found = index.search(judge.queries, judge.wanted)
    assert judge.recall(found) == 1
    assert judge.recall(found._replace(ids=found.ids[:, :1], distances=found.distances[:, :1])) == 0
    assert index.tune(k=1).recall == 1


@measures
@kinds
def test_rows_find_what_their_truth_says(measure, kind):
    """All leaves and all candidates: what is missing then is the truth's fault."""
    index = index_of(kind, measure, X[:300])
    judge = Truth(index._arrays, measure, 1, lambda *_: None).of_own_rows(5)
    leaves = 12 if index.options.tree else None
    candidates = 300 if index.options.reorder else None
    found = index.search(
        judge.queries,
        judge.wanted,
        leaves_to_search=leaves,
        pre_reorder_num_neighbors=candidates,
    )
    assert judge.recall(found) >= 0.999


def test_equal_rows_are_right_for_each_other():
    same = np.ones((50, 4), np.float32)
    for measure in MEASURES:
        index = Index.build(same, ScaNNOptions(measure, score_brute_force=ScoreBruteForce()))
        assert index.tune(k=10).recall == 1
        assert index.tune(same[:3], k=10).recall == 1


@measures
def test_rows_as_queries_serve_queries_like_rows(measure):
    index = index_of("codes", measure)
    tuned = index.tune(recall=0.9, k=5)
    assert tuned.queries == 1000
    assert recall_of(index, np.concatenate([MANY, OTHERS]), measure) >= 0.9 - 0.03


# ---- the truth -----------------------------------------------------------------------------------


@measures
@kinds
def test_the_truth_is_exact_search(measure, kind):
    index = index_of(kind, measure)
    truth = np.sort(exact_distances(Q, X, measure), axis=1)[:, 4]
    judge = Truth(index._arrays, measure, 2, lambda *_: None).of_queries(Q, 5, None)
    loose = 0.03 if "byte" in kind else 1e-4
    assert np.allclose(judge.farthest, truth, rtol=loose, atol=loose * np.abs(truth).max())


def test_the_truth_by_chunks_is_the_truth(monkeypatch):
    index = index_of()
    whole = Truth(index._arrays, "squared_l2", 1, lambda *_: None).of_own_rows(5)
    monkeypatch.setattr("scannlite.engine.truth._CHUNK_BYTES", 0)
    monkeypatch.setattr("scannlite.engine.truth._LEAST_CHUNK", 3)
    pieces = Truth(index._arrays, "squared_l2", 2, lambda *_: None).of_own_rows(5)
    assert np.array_equal(whole.farthest, pieces.farthest)


def test_given_truth_is_taken():
    index = index_of()
    truth = np.argsort(exact_distances(Q, X, "squared_l2"), axis=1)[:, :8]
    assert index.tune(Q, 0.9, k=5, truth=truth) == index_of().tune(Q, 0.9, k=5)
    far = np.argsort(-exact_distances(Q, X, "squared_l2"), axis=1)[:, :5]
    lenient = index.tune(Q, 1.0, k=5, truth=far)
    assert (lenient.leaves_to_search, lenient.pre_reorder_num_neighbors) == (1, 5)


def test_codes_alone_need_the_truth():
    bare = Index.build(X, ScaNNOptions("squared_l2", Tree(12, 1), ScoreAH(1)))
    truth = np.argsort(exact_distances(Q, X, "squared_l2"), axis=1)[:, :5]
    tuned = bare.tune(Q, 0.6, k=5, truth=truth.astype(np.int32))
    assert tuned.recall >= 0.6
    assert tuned.pre_reorder_num_neighbors is None
    with pytest.raises(InvalidInput, match=r"^truth must be given for an index that keeps no rows"):
        bare.tune(Q)
    with pytest.raises(InvalidInput, match=r"^queries and truth must be given"):
        bare.tune()


# ---- out of reach --------------------------------------------------------------------------------


def test_a_recall_out_of_reach_warns_and_takes_the_best():
    bare = Index.build(X, ScaNNOptions("squared_l2", Tree(12, 1), ScoreAH(6)))
    truth = np.argsort(exact_distances(Q, X, "squared_l2"), axis=1)[:, :5]
    with pytest.warns(ScannliteWarning, match=r"^recall 0.99 is out of reach .* the best is 0\.\d"):
        tuned = bare.tune(Q, 0.99, k=5, truth=truth)
    assert tuned.recall < 0.99
    assert tuned.recall == max(trial.recall for trial in tuned.front)
    assert bare.options.tree.num_leaves_to_search == tuned.leaves_to_search


def test_exact_search_has_nothing_to_turn():
    index = Index.build(X, "squared_l2")
    options = index.options
    tuned = index.tune(Q, 1.0)
    assert (tuned.leaves_to_search, tuned.pre_reorder_num_neighbors, tuned.recall) == (
        None,
        None,
        1,
    )
    assert len(tuned.front) == 1
    assert index.options == options


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("recall", [0, -0.1, 1.01, np.nan, np.inf])
def test_recall_out_of_bounds(recall):
    with pytest.raises(InvalidInput, match=r"^recall must be above 0 and at most 1, got"):
        index_of().tune(Q, recall)


@pytest.mark.parametrize("recall", ["0.9", None, True, [0.9]])
def test_recall_of_another_kind(recall):
    with pytest.raises(InvalidType, match=r"^recall must be a number, got"):
        index_of().tune(Q, recall)


@pytest.mark.parametrize(
    ("queries", "settings", "words"),
    [
        (Q[:, :5], {}, r"queries must have shape \(12,\) for one query or"),
        (Q[:0], {}, r"queries must hold at least one query"),
        (np.where(Q > 2, np.nan, Q), {}, r"queries must hold finite numbers"),
        (Q, {"k": 0}, r"k must be from 1 to 1000, got 0"),
        (Q, {"k": 1001}, r"k must be from 1 to 1000, got 1001"),
        (None, {"k": 1000}, r"k must be from 1 to 999, got 1000"),
        (Q, {"threads": 0}, r"threads must be from 1, got 0"),
        (Q, {"truth": np.zeros((60, 4), int), "k": 5}, r"truth must have shape \(60, 5\) or wider"),
        (Q, {"truth": np.zeros((59, 5), int), "k": 5}, r"truth must have shape"),
        (Q, {"truth": np.zeros(60, int), "k": 5}, r"truth must have shape"),
        (Q, {"truth": np.full((60, 5), 1000), "k": 5}, r"truth must hold ids from 0 to 999"),
        (Q, {"truth": np.full((60, 5), -1), "k": 5}, r"truth must hold ids from 0 to 999"),
        (None, {"truth": np.zeros((60, 5), int), "k": 5}, r"truth must be None unless queries"),
    ],
)
def test_what_does_not_fit_is_one_sentence(queries, settings, words):
    index = index_of()
    options = index.options
    with pytest.raises(InvalidInput, match=rf"^{words}[^\n]*\.$"):
        index.tune(queries, **settings)
    assert index.options == options


def test_what_is_no_number_is_refused():
    index = index_of()
    with pytest.raises(InvalidType, match=r"^queries must be an array of real numbers"):
        index.tune("abc")
    with pytest.raises(InvalidType, match=r"^truth must be an array of whole numbers"):
        index.tune(Q, truth=np.zeros((60, 10)))
    with pytest.raises(InvalidType, match=r"^k must be a whole number"):
        index.tune(Q, k=2.5)


def test_too_few_rows_to_tune_with():
    with pytest.raises(InvalidInput, match=r"^an index must hold at least 1 rows"):
        Index.build(X[:0]).tune(Q)
    with pytest.raises(InvalidInput, match=r"^an index must hold at least 2 rows"):
        Index.build(X[:1]).tune()
    assert Index.build(X[:1]).tune(Q, k=1).recall == 1
