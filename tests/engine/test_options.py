"""Options: every bad value is refused in one sentence, every good one survives JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scannlite import InvalidInput, Reorder, ScaNNOptions, ScoreAH, ScoreBruteForce, Tree

WHOLE = (0, -1, 1.5, True, "3", None, float("nan"))
FLAG = (0, 1, None, "yes")
THRESHOLD = (0, -0.1, float("nan"), float("inf"), "0.2", True)

BAD = [
    *[(Tree, {"num_leaves_to_search": 1}, "num_leaves", v) for v in WHOLE],
    *[(Tree, {"num_leaves": 4}, "num_leaves_to_search", v) for v in (*WHOLE, 5)],
    *[
        (Tree, {"num_leaves": 4, "num_leaves_to_search": 1}, name, v)
        for name, values in {
            "training_sample_size": WHOLE,
            "min_partition_size": WHOLE[1:],
            "training_iterations": WHOLE[1:],
            "spherical": FLAG,
            "quantize_centroids": FLAG,
            "random_init": FLAG,
        }.items()
        for v in values
    ],
    *[(ScoreAH, {}, "dimensions_per_block", v) for v in WHOLE],
    *[(ScoreAH, {"dimensions_per_block": 2}, "projection", v) for v in WHOLE if v is not None],
    *[
        (ScoreAH, {"dimensions_per_block": 2}, name, v)
        for name, values in {
            "anisotropic_quantization_threshold": THRESHOLD,
            "training_sample_size": WHOLE,
            "training_iterations": WHOLE[1:],
            "hash_type": ("lut", None, 16, ["lut16"]),
            "residual_quantization": (0, "no"),
            "eta_formula": ("", None, "EXACT"),
        }.items()
        for v in values
    ],
    *[(ScoreBruteForce, {}, "quantize", v) for v in FLAG],
    *[(Reorder, {}, "reordering_num_neighbors", v) for v in WHOLE],
    *[(Reorder, {"reordering_num_neighbors": 9}, "quantize", v) for v in FLAG],
    *[
        (
            Reorder,
            {"reordering_num_neighbors": 9, "quantize": True},
            "anisotropic_quantization_threshold",
            v,
        )
        for v in THRESHOLD
    ],
    (Reorder, {"reordering_num_neighbors": 9}, "anisotropic_quantization_threshold", 0.2),
    *[
        (ScaNNOptions, {"score_brute_force": ScoreBruteForce()}, "distance_measure", v)
        for v in ("l2", "", None, 3)
    ],
    *[
        (ScaNNOptions, {"distance_measure": "cosine", **others}, name, v)
        for name, others in {
            "tree": {"score_ah": ScoreAH(2)},
            "score_ah": {},
            "score_brute_force": {},
            "reorder": {"score_ah": ScoreAH(2)},
        }.items()
        for v in ({}, 3, "x")
    ],
]


@pytest.mark.parametrize(("kind", "others", "name", "value"), BAD)
def test_a_bad_value_is_one_sentence(kind, others, name, value):
    with pytest.raises(InvalidInput) as caught:
        kind(**{**others, name: value})
    message = str(caught.value)
    assert message.startswith(f"{kind.__name__}.{name} must be ")
    assert message.endswith(f", got {value!r}.")
    assert "\n" not in message
    assert ". " not in message


def test_exactly_one_way_to_score():
    with pytest.raises(InvalidInput, match=r"exactly one of score_ah and .* got neither"):
        ScaNNOptions("cosine")
    with pytest.raises(InvalidInput, match=r"exactly one of score_ah and .* got both"):
        ScaNNOptions("cosine", score_ah=ScoreAH(2), score_brute_force=ScoreBruteForce())
    with pytest.raises(InvalidInput, match=r"ScaNNOptions\.reorder must be None with"):
        ScaNNOptions("cosine", score_brute_force=ScoreBruteForce(), reorder=Reorder(9))


def test_numpy_numbers_are_numbers():
    assert Tree(np.int64(4), np.int32(2)) == Tree(4, 2)
    assert Reorder(np.uint8(9)) == Reorder(9)
    assert ScoreAH(2, np.float64(0.2)) == ScoreAH(2, 0.2)


EXAMPLES = [
    ScaNNOptions("cosine", score_brute_force=ScoreBruteForce()),
    ScaNNOptions("squared_l2", Tree(9, 3), score_brute_force=ScoreBruteForce(quantize=True)),
    ScaNNOptions("dot_product", score_ah=ScoreAH(3, 0.2, hash_type="lut256")),
    ScaNNOptions(
        "cosine",
        Tree(9, 3, 50, 7, 2, spherical=True, quantize_centroids=True, random_init=False),
        ScoreAH(2, 0.1, 40, 3, "lut16", residual_quantization=False, eta_formula="asymptotic"),
        reorder=Reorder(20, quantize=True, anisotropic_quantization_threshold=0.3),
    ),
]


@pytest.mark.parametrize("options", EXAMPLES)
def test_round_trip(options):
    assert ScaNNOptions.from_dict(options.to_dict()) == options
    assert ScaNNOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


def test_numpy_numbers_survive_json():
    options = ScaNNOptions("cosine", Tree(np.int64(4), 2), score_ah=ScoreAH(np.int32(2)))
    assert ScaNNOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"distance_measure": "cosine"},
        {"distance_measure": "cosine", "score_ah": {}},
        {"distance_measure": "cosine", "score_ah": []},
        {"distance_measure": "cosine", "score_ah": {"dimensions_per_block": 2}, "extra": 1},
        {"distance_measure": "cosine", "score_ah": {"dimensions_per_block": 2, "extra": 1}},
        {"distance_measure": ["cosine"], "score_brute_force": {}},
        {"distance_measure": "cosine", "score_brute_force": 7},
    ],
)
def test_foreign_fields_are_refused(fields):
    with pytest.raises(InvalidInput):
        ScaNNOptions.from_dict(fields)


def test_options_are_frozen_and_hashable():
    options = EXAMPLES[-1]
    with pytest.raises(AttributeError):
        options.tree.num_leaves = 3
    assert len({options, ScaNNOptions.from_dict(options.to_dict())}) == 1
