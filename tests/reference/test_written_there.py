"""What Model Maker's own index builder writes is read here, answers the same, and is kept."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from scannlite import Index
from scannlite.engine.device import leaves_searched
from tests.reference.answers import assert_same_answers
from tests.strategies import clustered

K = 10


class Case(NamedTuple):
    """Of codes where there are centers, else of floats; blocks are the dimensions of each."""

    distance: str
    blocks: tuple[int, ...]
    centers: int = 0
    lookup_type: str = "INT8"
    leaves: int = 8
    fraction: float = 3 / 8
    leaf_distance: str = ""
    n: int = 500


DOT, L2 = "DOT_PRODUCT", "SQUARED_L2_DISTANCE"
CASES = {
    "as_model_maker": Case(DOT, (2,) * 8, 256),
    "one_dimension_a_block": Case(DOT, (1,) * 70, 256),
    "16_centers": Case(DOT, (2,) * 16, 16),
    "16_centers_float": Case(L2, (1,) * 33, 16, "FLOAT"),
    "16_centers_300_blocks": Case(DOT, (1,) * 300, 16),
    "100_centers_int16": Case(L2, (3,) * 40, 100, "INT16"),
    "100_centers_int8": Case(DOT, (2,) * 100, 100),
    "300_blocks": Case(L2, (1,) * 300, 256),
    "300_blocks_int16": Case(DOT, (1,) * 300, 256, "INT16"),
    "300_blocks_float": Case(DOT, (1,) * 300, 256, "FLOAT"),
    "last_block_shorter": Case(L2, (2,) * 6 + (1,), 256),
    "last_block_shorter_int16": Case(DOT, (5,) * 4 + (3,), 256, "INT16"),
    "ragged_blocks": Case(L2, (3, 1, 4, 2, 7), 256),
    "130_dimensions_a_block": Case(DOT, (130, 130, 4), 256),
    "130_dimensions_a_block_float": Case(L2, (130, 130), 256, "FLOAT"),
    "7_centers": Case(DOT, (4,) * 9, 7),
    "2_centers_in_2_dimensions": Case(DOT, (1, 1), 2),  # all products of one sign
    "one_center": Case(L2, (2, 1), 1),
    "4_leaves_where_3_were_meant": Case(DOT, (2,) * 8, 256, leaves=21, fraction=3 / 21),
    "8_leaves_where_7_were_meant": Case(L2, (7,), leaves=13, fraction=7 / 13),
    "leaves_by_dots": Case(L2, (2,) * 8, 256, leaf_distance=DOT),
    "leaves_by_l2": Case(DOT, (2,) * 8, 256, "INT16", leaf_distance=L2),
    "leaves_by_no_distance": Case(DOT, (2,) * 8, 256, leaf_distance="UNSPECIFIED"),
    "floats_leaves_by_dots": Case(L2, (30,), leaf_distance=DOT),
    "floats_leaves_by_l2": Case(DOT, (30,), leaf_distance=L2),
    "floats": Case(DOT, (64,), leaves=30, fraction=4 / 30, n=2_000),
    "floats_l2": Case(L2, (13,), leaves=30, fraction=4 / 30, n=2_000),
    "one_leaf": Case(L2, (2,) * 8, 256, leaves=1, fraction=1.0),
    "more_than_all_leaves": Case(DOT, (2,) * 8, 256, fraction=2.0),
    "hardly_a_leaf": Case(DOT, (9,), fraction=1e-6),
    "fewer_rows_than_asked_for": Case(L2, (2, 2), 256, n=7),
}


def arrays_of(case, d):
    """Leaves of which the last two stay empty, and codebooks that fit rows like any."""
    X = clustered(case.n, d, seed=case.n)
    rng = np.random.default_rng(d)
    used = max(1, case.leaves - 2)
    arrays = {
        "centroids": rng.permutation(clustered(case.leaves, d, seed=1)),
        "leaf": rng.integers(used, size=case.n).astype(np.uint32),
    }
    if not case.centers:
        return {**arrays, "rows": X}
    arrays["codes"] = rng.integers(case.centers, size=(case.n, len(case.blocks)), dtype=np.uint8)
    entries = clustered(case.centers, d, seed=2)
    parts = np.split(entries, np.cumsum(case.blocks)[:-1], axis=1)
    return arrays | {f"codebook_{block}": part for block, part in enumerate(parts)}


@pytest.mark.parametrize("name", CASES)
def test_files_of_the_builder_are_read_and_written_the_same(
    name, reference, asked, found_by_text, tmp_path
):
    case = CASES[name]
    d = sum(case.blocks)
    Q, embedder = asked(d)
    arrays, file = arrays_of(case, d), tmp_path / "arrays.npz"
    np.savez(file, **arrays)
    items = [b"\0%d\xff" % i for i in range(case.n)]
    config = {
        "distance": case.distance,
        "leaf_distance": case.leaf_distance or case.distance,
        "lookup_type": case.lookup_type,
        "search_fraction": case.fraction,
        "metadata": [item.decode("latin-1") for item in items],
        "userinfo": "built\0there",
    }
    plain, packed = tmp_path / "plain.ldb", tmp_path / "packed.ldb"
    model, again = tmp_path / "model.tflite", tmp_path / "again.tflite"
    for to, compression in ((plain, False), (packed, True)):
        reference.ask("build", arrays=file, to=to, config=config, compression=compression)
    reference.ask("text_model", queries=embedder.with_suffix(".npy"), to=model, index=packed)

    grouped = [items[i] for i in np.argsort(arrays["leaf"], kind="stable")]
    told, found = found_by_text(model, Q, K)
    assert told == "built"
    for source in (plain, packed, model):
        index = Index.load(source)
        assert index.userinfo == b"built\0there"
        assert list(index.metadata) == grouped
        assert index.options.tree.num_leaves_to_search == leaves_searched(
            case.leaves, case.fraction
        )
        assert_same_answers(index, Q, K, found, grouped)
        index.save(tmp_path / "again.ldb")
        if case.leaf_distance != "UNSPECIFIED":  # which is written as the dot product it means
            assert (tmp_path / "again.ldb").read_bytes() == plain.read_bytes()
    index.save(again, embedder=model, compression=True)
    told, found = found_by_text(again, Q, K)
    assert told == "built"
    assert_same_answers(index, Q, K, found, grouped)
