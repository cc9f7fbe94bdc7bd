"""The TFLite Searcher itself reads what is written here, and answers the same."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from scannlite import Index, ScaNNOptions, ScoreAH, ScoreBruteForce, Tree
from scannlite.engine.options import Device
from tests.reference.answers import assert_same_answers
from tests.strategies import clustered

K = 10
FLOATS = ScoreBruteForce()
USERINFO = ["", "made for a test: é", b"up to here\0and no further"]
CODES = [
    (ScoreAH(b, threshold, hash_type="lut256", residual_quantization=False), Device(lookup))
    for (b, threshold), lookup in product(
        [(1, 0.2), (2, None), (5, 0.2), (8, None)], ["int8", "int16", "float"]
    )
]
GRID = [
    ScaNNOptions(distance, tree, **scoring)
    for distance, tree, scoring in product(
        ["dot_product", "squared_l2"],
        [None, Tree(9, 3)],
        [
            {"score_brute_force": FLOATS, "device": Device()},
            *({"score_ah": ah, "device": device} for ah, device in CODES),
        ],
    )
]


def name_of(options):
    ah = options.score_ah
    scored = f"b{ah.dimensions_per_block}-{options.device.lookup_type}" if ah else "floats"
    return f"{options.distance_measure}-{'tree' if options.tree else 'no_tree'}-{scored}"


def metadata_of(kind, n):
    """Of n rows, no two alike; rows without any are given their numbers."""
    if kind == 0:
        return None, [b"%d" % i for i in range(n)]
    if kind == 1:
        texts = [f"é😀 {i}" for i in range(n)]
        return texts, [text.encode() for text in texts]
    items = [b"\0\xff%d\0" % i for i in range(n)]
    return items, items


@pytest.mark.parametrize("seed", range(len(GRID)), ids=map(name_of, GRID))
def test_text_searchers_answer_as_the_index_does(seed, asked, found_by_text, tmp_path):
    """From a bare file by name and by content, inside a model, and in place of an older index."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(300, 2001)), int(rng.choice([21, 70]))
    Q, embedder = asked(d)
    metadata, items = metadata_of(seed % 3, n)
    userinfo = USERINFO[seed // 3 % 3]
    index = Index.build(clustered(n, d, seed=seed), GRID[seed], metadata=metadata, seed=seed)
    plain, packed = tmp_path / "plain.ldb", tmp_path / "packed.ldb"
    fresh, again = tmp_path / "fresh.tflite", tmp_path / "again.tflite"
    index.save(plain, userinfo=userinfo)
    index.save(packed, userinfo=userinfo, compression=True)
    index.save(fresh, userinfo=userinfo, embedder=embedder, compression=bool(seed % 2))
    Index.build(Q, ScaNNOptions("dot_product", score_brute_force=FLOATS).for_device()).save(
        again, embedder=embedder
    )
    index.save(again, userinfo=userinfo, embedder=again, compression=not seed % 2)

    told = userinfo if isinstance(userinfo, str) else userinfo.partition(b"\0")[0].decode()
    for model, chosen in (
        (embedder, {"index": plain}),
        (embedder, {"index": packed, "content": True}),
        (fresh, {}),
        (again, {}),
        (again, {"index": packed}),
    ):
        heard, found = found_by_text(model, Q, K, **chosen)
        assert heard == told
        assert_same_answers(index, Q, K, found, items)


@pytest.mark.parametrize("distance", ["dot_product", "squared_l2"])
@pytest.mark.parametrize("scoring", [{"score_brute_force": FLOATS}, {"score_ah": ScoreAH(2)}])
def test_image_searchers_answer_as_the_index_does(reference, tmp_path, distance, scoring):
    """Also from a model that had no metadata at all, by its pixels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (600, 4, 5, 3), np.uint8)
    X, asked = images.reshape(600, -1).astype(np.float32), tmp_path / "images.npy"
    np.save(asked, images[::50] ^ 3)
    Q = np.load(asked).reshape(12, -1).astype(np.float32)
    items = [b"%d.jpg" % i for i in range(600)]
    options = ScaNNOptions(distance, Tree(8, 3), **scoring).for_device()
    index = Index.build(X, options, metadata=items)
    bare, model = tmp_path / "bare.tflite", tmp_path / "model.tflite"
    reference.ask("image_model", height=4, width=5, to=bare)
    for embedder in (bare, model):
        index.save(model, userinfo="pictures", embedder=embedder)
        opened = reference.ask("open_images", name="images", model=model, questions=asked, k=K)
        assert opened["userinfo"] == "pictures"
        assert_same_answers(index, Q, K, reference.search("images"), items)


@pytest.mark.parametrize(
    ("num_leaves", "to_search"),
    [(1, 1), (7, 1), (13, 7), (20, 20), (21, 3), (100, 7), (151, 53), (351, 4)],
)
def test_exactly_as_many_leaves_are_searched(num_leaves, to_search, asked, found_by_text, tmp_path):
    """Every row of p leaves comes out and no other; j / L itself would give some of these p + 1."""
    Q, embedder = asked(21)
    X = clustered(20 * num_leaves, 21, seed=num_leaves)
    tree = Tree(num_leaves, to_search, min_partition_size=1)
    options = ScaNNOptions("squared_l2", tree, score_brute_force=FLOATS).for_device()
    file = tmp_path / "index.ldb"
    Index.build(X, options).save(file)
    index = Index.load(file)
    sizes = index._arrays.leaf_size
    assert sizes.min() > 0
    items = list(index.metadata)
    leaf_of = dict(zip(items, np.repeat(np.arange(num_leaves), sizes), strict=True))
    _, found = found_by_text(embedder, Q, len(X), index=file)
    for answer in found:
        leaves = {leaf_of[item] for item in answer.metadata}
        assert len(leaves) == to_search
        assert len(answer.metadata) == sizes[list(leaves)].sum()
    assert_same_answers(index, Q, len(X), found, items)
