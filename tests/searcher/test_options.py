"""Model Maker's options: checked when made, and what they become."""

from __future__ import annotations

import inspect
import math

import pytest

import scannlite as sl
from scannlite import InvalidInput, searcher
from scannlite.searcher import ScaNNOptions, ScoreAH, ScoreBruteForce, Tree
from tests.test_exports import loaded_after


def arguments(function):
    """As they may be written, in order, with defaults."""
    found = inspect.signature(function).parameters.values()
    return [(p.name, None if p.default is p.empty else p.default) for p in found]


def test_names_order_and_defaults_are_model_makers():
    assert arguments(Tree) == [
        ("num_leaves", None),
        ("num_leaves_to_search", None),
        ("training_sample_size", 100000),
        ("min_partition_size", 50),
        ("training_iterations", 12),
        ("spherical", False),
        ("quantize_centroids", False),
        ("random_init", True),
    ]
    assert arguments(ScoreAH) == [
        ("dimensions_per_block", None),
        ("anisotropic_quantization_threshold", None),
        ("training_sample_size", 100000),
        ("training_iterations", 10),
    ]
    assert arguments(ScoreBruteForce) == []
    assert arguments(ScaNNOptions) == [
        ("distance_measure", None),
        ("tree", None),
        ("score_ah", None),
        ("score_brute_force", None),
    ]


def test_codes_are_of_256_centers_8_bit_tables_and_no_residuals():
    options = ScaNNOptions("dot_product", Tree(351, 4), ScoreAH(1, 0.2)).for_engine()
    codes = sl.ScoreAH(1, 0.2, hash_type="lut256", residual_quantization=False)
    assert options == sl.ScaNNOptions(
        "dot_product", Tree(351, 4), score_ah=codes, device=sl.Device()
    )
    assert (options.centers, options.residual, options.device.lookup_type) == (256, False, "int8")


def test_brute_force_keeps_floats_and_needs_no_tree():
    options = ScaNNOptions("squared_l2", score_brute_force=ScoreBruteForce()).for_engine()
    assert options == sl.ScaNNOptions(
        "squared_l2", score_brute_force=sl.ScoreBruteForce(), device=sl.Device()
    )


def test_nan_is_off_as_in_the_original():
    assert ScoreAH(1, math.nan) == ScoreAH(1) == ScoreAH(1, None)
    assert ScoreAH(1, math.nan).for_engine().anisotropic_quantization_threshold is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tree(0, 1), "Tree.num_leaves must be a whole number from 1, got 0."),
        (lambda: Tree(5, 0), "Tree.num_leaves_to_search must be a whole number from 1, got 0."),
        (lambda: Tree(5, 6), r"num_leaves_to_search must be from 1 to num_leaves \(5\), got 6."),
        (lambda: ScoreAH(0), "ScoreAH.dimensions_per_block must be a whole number from 1, got 0."),
        (lambda: ScoreAH(1, -0.2), "threshold must be a positive number, or None for off, got -0"),
        (lambda: ScaNNOptions("cosine", score_ah=ScoreAH(1)), "must be 'dot_product' or 'squared"),
        (lambda: ScaNNOptions("dot_product"), "exactly one of score_ah and score_brute_force, got"),
        (
            lambda: ScaNNOptions("dot_product", None, ScoreAH(1), ScoreBruteForce()),
            "exactly one of score_ah and score_brute_force, got both.",
        ),
        (
            lambda: ScaNNOptions("dot_product", score_ah=sl.ScoreAH(1)),
            "ScaNNOptions.score_ah must be a searcher.ScoreAH or None, got ScoreAH",
        ),
        (
            lambda: ScaNNOptions("dot_product", score_brute_force=True),
            "score_brute_force must be a searcher.ScoreBruteForce or None, got True.",
        ),
        (lambda: ScaNNOptions("dot_product", 5, ScoreAH(1)), "tree must be a Tree or None, got 5"),
    ],
)
def test_what_cannot_be_is_one_sentence_when_it_is_made(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()


def test_every_name_of_model_maker_is_there():
    names = "DataLoader TextDataLoader ImageDataLoader MetadataType Tree ScoreAH ScoreBruteForce"
    for name in [*names.split(), "ScaNNOptions", "Searcher", "ExportFormat"]:
        assert name in searcher.__all__


def test_importing_it_loads_no_compiler_no_runtime_and_no_optional_library():
    loaded = {name.split(".")[0] for name in loaded_after("import scannlite.searcher")}
    heavy = "numba llvmlite ai_edge_litert tflite_runtime tensorflow PIL soundfile soxr re2 tqdm"
    assert "scannlite" in loaded
    assert not loaded & {*heavy.split(), "sentencepiece", "google", "flatbuffers", "cramjam"}
