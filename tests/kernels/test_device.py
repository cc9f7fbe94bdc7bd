"""Answers as on phones: by hand, by a slow model of what phones do, by the twin: the same bits."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import scannlite as sl
from scannlite.engine import device
from scannlite.files.index_config import AsymmetricHashing, IndexConfig, Partitioner
from scannlite.files.index_file import IndexFile
from scannlite.files.span import Span
from scannlite.kernels import compiled
from scannlite.kernels.reference.device import search_on_device as twin
from tests.strategies import LAYOUTS, examples, same_bits, seeds

needs_numba = pytest.mark.skipif(not compiled(), reason="kernels are not compiled here")
modest = examples(150)

f4 = np.float32
MEASURES = ("dot_product", "squared_l2")
LOOKUPS = ("int8", "int16", "float")
EMPTY = np.zeros(0, np.uint8)


# ---- a slow model of the searcher on phones ----------------------------------------------------
#
# Every operation is one rounding to float32, in an order that was found by experiment with the
# TensorFlow Lite Task Library 0.4.4: over 2.3 million distances agree with it bit for bit. Nothing
# here is shared with the package.


def in_order(terms):
    """((t0 + t1) + t2) + ... along the last axis: each partial sum is rounded."""
    return np.add.accumulate(terms, axis=-1, dtype=np.float32)[..., -1]


def products(centers, q, column):
    """q·c of centers (c, b): dimensions in order, or columns of them in order, then the columns."""
    terms = centers * q
    columns = [in_order(terms[:, j : j + column]) for j in range(0, len(q), column)]
    return in_order(np.stack(columns, axis=-1))


def norm_of_query(q):
    """|q|² of (b,): chunks of four lanes, even and odd ones apart; halves of a chunk, the tail."""
    squares = q * q
    whole = len(q) // 4
    if whole == 0:
        return in_order(squares)
    chunks = squares[: 4 * whole].reshape(whole, 4)
    paired = whole if whole == 1 else whole // 2 * 2
    lanes = in_order(chunks[0:paired:2].T)
    if whole > 1:
        lanes = lanes + in_order(chunks[1:paired:2].T)
        if paired < whole:
            lanes = lanes + chunks[-1]
    halves = lanes[:2] + lanes[2:]
    return in_order(np.concatenate([[halves[0] + halves[1]], squares[4 * whole :]]))


def norms_of_centers(centers):
    """|c|² (c,): the first square, then fours as two pairs, then the rest; the last c % 4 plain."""
    squares = centers * centers
    count, b = squares.shape
    terms, fours = [squares[:, 0]], (b - 1) // 4
    for j in range(1, 1 + 4 * fours, 4):
        left, right = squares[:, j] + squares[:, j + 1], squares[:, j + 2] + squares[:, j + 3]
        terms.append(left + right)
    terms += [squares[:, j] for j in range(1 + 4 * fours, b)]
    norms = in_order(np.stack(terms, axis=-1))
    plain = count - count % 4
    return np.concatenate([norms[:plain], in_order(squares[plain:])])


def entries_of(q, codebooks, measure):
    """Distances (m, c) of each part of the query from the centers of its block."""
    table, first = [], 0
    for centers in codebooks:
        part = q[first : first + centers.shape[1]]
        first += len(part)
        columns = len(part) >= 128 and len(centers) > 1
        dots = products(centers, part, 16 if columns else len(part))
        if measure == "dot_product":
            table.append(-dots)
        else:
            table.append((norm_of_query(part) + norms_of_centers(centers)) - f4(2) * dots)
    return np.stack(table)


def distances_of(q, codebooks, codes, measure, lookup):
    """Distances (n,) of rows of codes (n, m)."""
    entries = entries_of(q, codebooks, measure)
    m, c = entries.shape
    total = np.zeros(len(codes), np.float32)
    group = 256 if lookup == "int8" and c == 16 else 32
    blocks = [range(first, min(first + group, m)) for first in range(0, m, group)]
    if lookup == "float":
        for some in blocks:
            terms = np.stack([entries[j][codes[:, j]] for j in some], axis=-1)
            total = total + in_order(terms)
        return total
    steps = f4(255 if lookup == "int8" else 2047)
    least, most = entries.min(), entries.max()
    table = ((entries - least) * (steps / max(most - least, f4(2.0**-23)))).astype(np.int64)
    worth = (most - least) / steps
    half = least + worth / f4(2)
    for some in blocks:
        sums = sum(table[j][codes[:, j]] for j in some)
        total = total + (worth * sums.astype(np.float32) + f4(len(some)) * half)
    return total


def leaves_of(q, leaves, measure, p):
    """The p nearest leaves, lower numbers first among equals."""
    if p >= len(leaves):
        return np.arange(len(leaves))
    column = d = len(q)
    if d >= 128 and len(leaves) > 1:
        column = 4 if len(leaves) >= 8000 else 16
    dots = products(leaves, q, column)
    ranks = -dots if measure == "dot_product" else norms_of_centers(leaves) - f4(2) * dots
    return np.sort(np.argsort(ranks, kind="stable")[:p])


# ---- indexes -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Phone:
    """What an index file says, before it is one.

    Attributes:
        measure: what rows are scored by.
        parts: rows of each partition: codes (n, m) uint8, or floats (n, d).
        codebooks: (c, b) of each block; none with float rows.
        lookup: numbers of the lookup tables.
        leaves: (L, d), or None without a tree.
        ranked_by: what leaves are ranked by.
        fraction: of the leaves, searched; None: not said.
    """

    measure: str
    parts: list[Any]
    codebooks: list[Any] = field(default_factory=list)
    lookup: str = "int8"
    leaves: Any = None
    ranked_by: str = "squared_l2"
    fraction: float | None = None

    @property
    def d(self):
        if self.codebooks:
            return sum(centers.shape[1] for centers in self.codebooks)
        return self.parts[0].shape[1]

    @property
    def n(self):
        return sum(map(len, self.parts))

    @property
    def config(self):
        partitioner = indexer = None
        if self.leaves is not None:
            partitioner = Partitioner(self.leaves, self.fraction, self.ranked_by)
        if self.codebooks:
            indexer = AsymmetricHashing(self.codebooks, self.measure, self.lookup)
        return IndexConfig(
            query_distance=self.measure,
            partitioner=partitioner,
            indexer=indexer,
            embedding_type="uint8" if self.codebooks else "float",
            embedding_dim=len(self.codebooks) or self.d,
            partition_offsets=np.cumsum([0, *map(len, self.parts)])[:-1].astype(np.int64),
        )

    def file(self):
        config = self.config
        data = [Span("phone", memoryview(part.tobytes())) for part in self.parts]
        row_bytes = config.embedding_dim * (1 if self.codebooks else 4)
        nowhere = Span("phone", memoryview(b""))
        return IndexFile(config, data, row_bytes, [str(i) for i in range(self.n)], b"", nowhere)

    def index(self):
        return sl.Index(*device.from_file(self.file()))

    def search(self, q, k, p=1):
        """The model's answer for an index of codes: distances (k,) and ids (k,)."""
        distances = np.full(k, np.inf, np.float32)
        ids = np.full(k, -1, np.int64)
        chosen = [0] if self.leaves is None else leaves_of(q, self.leaves, self.ranked_by, p)
        offsets = self.config.partition_offsets
        numbers = [np.arange(len(self.parts[leaf])) + offsets[leaf] for leaf in chosen]
        numbers = np.concatenate(numbers).astype(np.int64)
        codes = np.concatenate([self.parts[leaf] for leaf in chosen])
        if len(codes):
            found = distances_of(q, self.codebooks, codes, self.measure, self.lookup)
            order = np.lexsort((numbers, found))[:k]
            distances[: len(order)], ids[: len(order)] = found[order], numbers[order]
        return sl.Neighbors(distances, ids)


def kernel(index, q, k, p):
    """What the kernel says of one query, even of an index without rows."""
    plan = index._plan
    q = np.ascontiguousarray(q, np.float32)
    distances, ids = np.empty(k, np.float32), np.empty(k, np.int64)
    assert plan.one(plan.address, plan.workspace(), q, distances, ids, p, 0) == 0
    return distances, ids


def answers(index, q, k, p):
    """What runs here, compiled or not."""
    if compiled():
        return kernel(index, q, k, p)
    return twin(index._plan.layout, q, k, p, 0)


def assert_same(found, expected):
    assert same_bits(found[0], expected[0])
    assert same_bits(found[1], expected[1])


def _values(rng, kind, shape):
    if kind == "ties":
        return rng.integers(-2, 3, shape).astype(np.float32)
    if kind == "zeros":
        return np.zeros(shape, np.float32)
    x = rng.standard_normal(shape)
    if kind == "mixed":
        x *= 10.0 ** rng.integers(-3, 4, (*shape[:-1], 1))
    if kind == "far":
        x += 1000
    if kind == "repeated":
        x = x[rng.integers(0, min(3, shape[0]), shape[0])] if shape[0] else x
    return x.astype(np.float32)


def phone(
    *,
    seed=0,
    measure="dot_product",
    lookup="int8",
    dims=(2, 2),
    c=16,
    sizes=(100,),
    ranked_by=None,
    kind="normal",
    fraction=None,
):
    """An index of codes (of float rows, for ``lookup=None``); with a tree where ranked_by says."""
    rng = np.random.default_rng(seed)
    d, m = sum(dims), len(dims)
    leaves = None if ranked_by is None else _values(rng, kind, (len(sizes), d))
    said = {"leaves": leaves, "ranked_by": ranked_by or measure, "fraction": fraction}
    if lookup is None:
        return Phone(measure, [_values(rng, kind, (size, d)) for size in sizes], **said)
    few = c if kind != "repeated" else min(c, 2)
    parts = [rng.integers(0, few, (size, m)).astype(np.uint8) for size in sizes]
    codebooks = [_values(rng, kind, (c, b)) for b in dims]
    return Phone(measure, parts, codebooks, lookup, **said)


SIZES = st.sampled_from([0, 0, 1, 2, 5, 40, 63, 64, 65, 130])
DIMS = st.one_of(
    st.builds(
        lambda b, d: (b,) * (d // b) + (() if d % b == 0 else (d % b,)),
        st.integers(1, 20),
        st.integers(1, 70),
    ),
    st.lists(st.integers(1, 20), min_size=1, max_size=6).map(tuple),
    st.sampled_from([(130,), (130, 10), (3, 130), (128, 127), (144, 1), (1,) * 33, (2,) * 65]),
)


@st.composite
def phones(draw, lookups=(*LOOKUPS, None)):
    tree = draw(st.booleans())
    sizes = draw(st.lists(SIZES, min_size=1, max_size=9 if tree else 1))
    many = draw(st.sampled_from([0, 0, 0, 0, 70])) if tree else 0
    return phone(
        seed=draw(seeds),
        measure=draw(st.sampled_from(MEASURES)),
        lookup=draw(st.sampled_from(lookups)),
        dims=draw(DIMS),
        c=draw(st.sampled_from([1, 2, 7, 16, 100, 256])),
        sizes=[*sizes, *[2] * many],
        ranked_by=draw(st.sampled_from(MEASURES)) if tree else None,
        kind=draw(st.sampled_from(["normal", "ties", "repeated", "zeros", "mixed", "far"])),
    )


@st.composite
def searches(draw, lookups=(*LOOKUPS, None)):
    """An index and a query: (phone, q, k, p)."""
    found = draw(phones(lookups))
    rng = np.random.default_rng(draw(seeds))
    kind = draw(st.sampled_from(["normal", "ties", "zeros", "mixed", "large"]))
    q = _values(rng, kind, (1, found.d))[0]
    if kind == "large":
        q *= f4(1e6)
    k = draw(st.sampled_from([1, 2, 10, found.n or 1, found.n + 3]))
    return found, q, k, draw(st.integers(1, len(found.parts)))


# ---- by hand -----------------------------------------------------------------------------------


def by_hand(measure, lookup, codebooks, q, expected):
    """Distances of the four rows of codes (0, 0), (0, 1), (1, 0) and (1, 1)."""
    codes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.uint8)
    codebooks = [np.array(centers, np.float32) for centers in codebooks]
    small = Phone(measure, [codes], codebooks, lookup)
    order = np.argsort(expected)
    found = small.index().search(np.array(q, np.float32), 4)
    assert found.ids.tolist() == order.tolist()
    assert found.distances.tolist() == np.float32(expected)[order].tolist()
    model = small.search(np.array(q, np.float32), 4)
    assert_same(found, model)


def test_bytes_and_dot_products_by_hand():
    """Two blocks of one dimension, two centers each.

    Entries -q·c: block 0 has -100 and 27.5, block 1 has -20.8 and 6.6. From the least to the most
    it is 127.5, 255 steps of 0.5. Steps above the least, cut off: 0 and 255, 158 (of 158.4) and
    213 (of 213.2). A row is half a step a block, 2 * (-100 + 0.25), and 0.5 for each of its steps:

        0 + 158:   79.0 - 199.5 = -120.5    (without cutting: -120.8)
        0 + 213:  106.5 - 199.5 =  -93.0    ( -93.4)
        255 + 158: 206.5 - 199.5 =   7.0    (   6.7)
        255 + 213: 234.0 - 199.5 =  34.5    (  34.1)
    """
    codebooks = [[[100.0], [-27.5]], [[10.4], [-3.3]]]
    by_hand("dot_product", "int8", codebooks, [1, 2], [-120.5, -93.0, 7.0, 34.5])


def test_sixteen_bits_and_squared_distances_by_hand():
    """Two blocks of two dimensions.

    Entries |q - c|²: block 0 has 0.5² = 0.25 and 16² + 16² = 512, block 1 has 1.5² = 2.25 and
    1 + 0.3² = 1.09. The range of 511.75 is 2047 steps of 0.25. Steps: 0 and 2047, 8 and 3 (of
    3.36). Half a step a block: 2 * (0.25 + 0.125) = 0.75.

        0 + 8:     2.00 + 0.75 =   2.75    (without cutting: 2.5)
        0 + 3:     0.75 + 0.75 =   1.50    (1.34)
        2047 + 8:  513.75 + 0.75 = 514.5   (514.25)
        2047 + 3:  512.50 + 0.75 = 513.25  (513.09)
    """
    codebooks = [[[3.5, 1], [19, 17]], [[1.5, 2], [1, 2.3]]]
    by_hand("squared_l2", "int16", codebooks, [3, 1, 0, 2], [2.75, 1.5, 514.5, 513.25])


def test_floats_by_hand():
    """Entries are not cut: q·c is 3 and -1, -0.5 and 4; squared distances 0 and 8, 4.25 and 1."""
    codebooks = [[[1, 2], [-1, 0]], [[0.5, -0.5], [0, 2]]]
    by_hand("dot_product", "float", codebooks, [1, 1, 1, 2], [-2.5, -7.0, 1.5, -3.0])
    codebooks = [[[1, 1], [-1, -1]], [[0.5, 0], [1, 1]]]
    by_hand("squared_l2", "float", codebooks, [1, 1, 1, 2], [4.25, 1.0, 12.25, 9.0])


def test_a_table_without_a_range_by_hand():
    """All entries alike, -6: no step is worth anything, and none is taken."""
    by_hand("dot_product", "int8", [[[2], [2]], [[3], [3]]], [3, 2], [-12.0] * 4)


def test_all_steps_of_33_blocks_by_hand():
    """33 blocks whose entries are 510 and 0: 255 steps of 2, half of which is 1.

    A row that takes all steps has 33 * (255 * 2 + 1) = 16863, one without the last block's 16353.
    """
    codebooks = [np.array([[-510.0], *[[0.0]] * 15], np.float32)] * 33
    codes = np.zeros((2, 33), np.uint8)
    codes[0, 32] = 1
    for c in (16, 15):
        small = Phone("dot_product", [codes], [book[:c] for book in codebooks])
        found = small.index().search(np.ones(33, np.float32), 3)
        assert found.distances.tolist() == [16353.0, 16863.0, np.inf]
        assert found.ids.tolist() == [0, 1, -1]


def test_groups_of_32_blocks_by_hand():
    """2**24 and 31 times 1 is 2**24, as each 1 is rounded off; the next 32 are a sum of their own.

    2**24 + 32 = 16777248, where one after the other would leave 2**24.
    """
    codebooks = [np.float32([[-(2.0**24)]]), *[np.float32([[-1.0]])] * 63]
    small = Phone("dot_product", [np.zeros((1, 64), np.uint8)], codebooks, "float")
    assert small.index().search(np.ones(64, np.float32), 1).distances.tolist() == [16777248.0]


def test_leaves_by_hand():
    """Which of two leaves is nearer depends on what ranks them, not on what rows are scored by.

    q = (2, 1). Leaf 0 at (9, 9): -q·c = -27, |c|² - 2 q·c = 162 - 54 = 108. Leaf 1 at (2, 2): -6,
    and 8 - 12 = -4. So products find leaf 0, squares leaf 1.
    """
    leaves = np.float32([[9, 9], [2, 2]])
    parts = [np.float32([[1, 0]]), np.float32([[0, 3], [1, 1]])]
    for measure, distances in (("dot_product", [-2, -3, -3]), ("squared_l2", [2, 8, 1])):
        for ranked_by, ids in (("dot_product", [0]), ("squared_l2", [1, 2])):
            small = Phone(measure, parts, leaves=leaves, ranked_by=ranked_by, fraction=0.5)
            found = small.index().search(np.float32([2, 1]), 3)
            expected = sorted((distances[i], i) for i in ids)
            assert found.distances.tolist()[: len(ids)] == [x for x, _ in expected]
            assert found.ids.tolist() == [i for _, i in expected] + [-1] * (3 - len(ids))
            every = small.index().search(np.float32([2, 1]), 3, leaves_to_search=2)
            assert sorted(every.ids.tolist()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("L", "d", "sums"),
    [(2, 127, 0), (2, 128, 16), (7999, 128, 16), (8000, 127, 0), (8000, 128, 28)],
)
def test_products_with_leaves_are_summed_by_columns_by_hand(L, d, sums):
    """A product of 2**24, and 31 of 1 that follow it: what float32 keeps of these.

    One after the other all are rounded off, as in the first column; a column of its own is kept.
    That leaves 16 with columns of 16, 28 with columns of 4. Another leaf's one product is 2 more,
    or 2 less: the nearer leaf is found.
    """
    leaves = np.zeros((L, d), np.float32)
    leaves[0, :32] = 1
    leaves[0, 0] = 2.0**24
    for more, nearest in ((2, 1), (-2, 0)):
        leaves[1, 0] = 2.0**24 + sums + more
        parts = [np.zeros((int(leaf < 2), d), np.float32) for leaf in range(L)]
        made = Phone("dot_product", parts, leaves=leaves, ranked_by="dot_product")
        assert made.index().search(np.ones(d), 1, leaves_to_search=1).ids == nearest


def test_equal_distances_come_by_number():
    """40 rows alike: a phone takes any of them, here it is the first."""
    for lookup in LOOKUPS:
        small = phone(lookup=lookup, sizes=(40, 30), ranked_by="dot_product", kind="zeros")
        found = small.index().search(np.ones(4, np.float32), 50)
        assert found.ids.tolist() == list(range(50))
        assert (found.distances == found.distances[0]).all()


# ---- the model ---------------------------------------------------------------------------------


@modest
@given(searches(LOOKUPS))
def test_codes_are_scored_as_on_phones(search):
    """The same bits as the slow model, whatever the shape."""
    given_, q, k, p = search
    assert_same(answers(given_.index(), q, k, p), given_.search(q, k, p))


@pytest.mark.parametrize("lookup", LOOKUPS)
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("c", [1, 3, 16, 17, 255, 256])
def test_blocks_of_every_width(c, measure, lookup):
    """1 ... 20 dimensions, and around 128, from which on products are summed by columns."""
    for b in (*range(1, 21), 31, 127, 128, 130, 145):
        made = phone(seed=b, measure=measure, lookup=lookup, dims=(b, b, max(1, b // 2)), c=c)
        q = _values(np.random.default_rng(b), "normal", (1, made.d))[0]
        assert_same(answers(made.index(), q, 10, 1), made.search(q, 10))


@pytest.mark.parametrize("lookup", LOOKUPS)
@pytest.mark.parametrize("c", [16, 17])
def test_many_blocks_are_summed_in_groups(c, lookup):
    """31 ... 513 blocks: whole sums never leave 16 bits, and groups of them are rounded."""
    for m in (31, 32, 33, 64, 65, 255, 256, 257, 513):
        for kind in ("normal", "zeros"):
            made = phone(seed=m, lookup=lookup, dims=(1,) * m, c=c, kind=kind)
            most = [centers.argmin(axis=0).astype(np.uint8) for centers in made.codebooks]
            made.parts[0][:2] = np.array(most).T  # the row farthest from a query of ones
            for q in (_values(np.random.default_rng(m), "normal", (1, m))[0], np.ones(m, f4)):
                assert_same(answers(made.index(), q, 100, 1), made.search(q, 100))


@pytest.mark.parametrize("ranked_by", MEASURES)
@pytest.mark.parametrize(("L", "d"), [(1, 130), (5, 127), (70, 128), (7999, 130), (8000, 130)])
def test_leaves_are_ranked_as_on_phones(L, d, ranked_by):
    """By columns of 16 from 128 dimensions on, or of 4 with 8000 leaves: each leaf holds a row."""
    made = phone(lookup="float", dims=(d,), c=1, sizes=(1,) * L, ranked_by=ranked_by)
    index = made.index()
    for seed in range(5):
        q = _values(np.random.default_rng(seed), "normal", (1, d))[0]
        for p in sorted({1, L // 3 or 1, L}):
            found = answers(index, q, p, p)[1]
            assert np.sort(found).tolist() == leaves_of(q, made.leaves, ranked_by, p).tolist()


@modest
@given(searches((None,)))
def test_float_rows_are_scored_in_full(search):
    """Against float64: a phone's own sums run in another order, and are as far from it."""
    given_, q, k, _ = search
    found = given_.index()
    distances, ids = answers(found, q, k, len(given_.parts))
    rows = np.concatenate(given_.parts).astype(np.float64)
    if given_.measure == "dot_product":
        exact = -(rows @ q.astype(np.float64))
    else:
        exact = np.square(rows - q).sum(axis=1)
    size = np.linalg.norm(q) * max(1, np.linalg.norm(rows, axis=1).max(initial=0))
    tolerance = 1e-6 * (1 + np.linalg.norm(q) ** 2 + size)
    some = min(k, given_.n)
    assert np.allclose(distances[:some], np.sort(exact)[:some], rtol=1e-5, atol=tolerance)
    assert np.allclose(exact[ids[:some]], np.sort(exact)[:some], rtol=1e-5, atol=tolerance)
    assert (ids[some:] == -1).all()
    assert np.isposinf(distances[some:]).all()


# ---- kernel and twin ---------------------------------------------------------------------------


@needs_numba
@examples(300)
@given(searches())
@example((phone(sizes=(0,)), np.ones(4, f4), 3, 1))
@example((phone(sizes=(0, 0), ranked_by="squared_l2"), np.ones(4, f4), 3, 1))
@example((phone(lookup=None, sizes=(0,)), np.ones(4, f4), 3, 1))
@example((phone(lookup=None, sizes=(0, 1), ranked_by="dot_product"), np.ones(4, f4), 3, 1))
def test_kernel_equals_twin(search):
    given_, q, k, p = search
    index = given_.index()
    assert_same(kernel(index, q, k, p), twin(index._plan.layout, q, k, p, 0))


@needs_numba
@pytest.mark.parametrize("lookup", [*LOOKUPS, None])
@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e-9, 1e9, 2e16])
def test_kernel_equals_twin_near_the_ends_of_float32(scale, lookup):
    """Products leave float32 here, or are nothing."""
    for measure in MEASURES:
        made = phone(measure=measure, lookup=lookup, sizes=(70, 60), ranked_by=measure)
        for array in (*(made.codebooks or made.parts), made.leaves):
            np.multiply(array, f4(scale), out=array)
        index = made.index()
        for q in (np.ones(4), np.full(4, 1e17), [1e17, -1e17, 1e-30, 0]):
            q = np.array(q, np.float32)  # noqa: PLW2901
            for p in (1, 2):
                assert_same(kernel(index, q, 20, p), twin(index._plan.layout, q, 20, p, 0))


@pytest.mark.parametrize("lookup", LOOKUPS)
@pytest.mark.parametrize("measure", MEASURES)
def test_sums_that_leave_float32(measure, lookup):
    """Rows without a distance vanish, as on phones; leaves without a rank come last."""
    for share in (0.01, 1):
        made = phone(measure=measure, lookup=lookup, dims=(9000, 9000), c=3, sizes=(3,) * 70)
        leaves = np.random.default_rng(0).standard_normal((70, 18_000)).astype(np.float32)
        made = dataclasses.replace(made, leaves=leaves, ranked_by=measure)
        for x in (*made.codebooks, leaves[::3]):
            large = np.random.default_rng(1).random(x.shape) < share
            x[large] = np.where(x[large] > 0, 4e17, -4e17)
        index = made.index()
        for q in (np.full(18_000, 1e17), np.sign(leaves[0]) * 1e17, leaves[1]):
            q = q.astype(np.float32)  # noqa: PLW2901
            for p in (5, 69, 70):
                found = answers(index, q, 30, p)
                assert_same(found, twin(index._plan.layout, q, 30, p, 0))
                assert not np.isnan(found[0]).any()
                ids = found[1][np.isfinite(found[0])].tolist()
                assert len(set(ids)) == len(ids)
                assert all(0 <= i < 210 for i in ids)
                assert (found[1][np.isposinf(found[0])] == -1).all()


@needs_numba
def test_kernel_equals_twin_on_more_rows_than_a_sample():
    """Lists so long that the best are first looked for in a part of them."""
    for lookup in (*LOOKUPS, None):
        for kind in ("normal", "ties"):
            sizes = (3000, 0, 2000, 1000)
            made = phone(lookup=lookup, sizes=sizes, ranked_by="squared_l2", kind=kind)
            index, q = made.index(), _values(np.random.default_rng(1), "normal", (1, 4))[0]
            for k in (1, 10, 500, 6001):
                for p in (1, 3, 4):
                    found = twin(index._plan.layout, q, k, p, 0)
                    assert_same(kernel(index, q, k, p), found)


# ---- the door ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lookup", [*LOOKUPS, None])
def test_a_batch_answers_as_its_queries_do(lookup):
    """From any number of threads, whatever the type and layout of the queries."""
    made = phone(lookup=lookup, dims=(3, 3, 2), sizes=(90, 0, 70), ranked_by="dot_product")
    index, Q = made.index(), _values(np.random.default_rng(3), "normal", (7, 8))
    for name, make in LAYOUTS.items():
        queries = make(Q * 10 if name == "int8" else Q)
        plain = np.ascontiguousarray(queries, np.float32)
        for p in (1, 2, 3):
            single = [answers(index, q, 12, p) for q in plain]
            expected = [np.stack(parts) for parts in zip(*single, strict=True)]
            for threads in (1, 2, 5):
                found = index.search(queries, 12, leaves_to_search=p, threads=threads)
                assert_same(found, expected)
            for i, q in enumerate(queries):
                assert_same(index.search(q, 12, leaves_to_search=p), single[i])
    assert index.search(Q[:0]).ids.shape == (0, 10)


def test_more_leaves_add_rows_and_never_change_distances():
    """p = 1 ... L: what was found stays unless something nearer comes; all leaves give all rows."""
    made = phone(sizes=(30, 64, 0, 1, 65, 17), ranked_by="squared_l2", dims=(2, 3, 1), c=7)
    index, q = made.index(), np.arange(6, dtype=np.float32)
    before = set()
    for p in range(1, 7):
        distances, ids = index.search(q, 177, leaves_to_search=p)
        found = {(i, x) for i, x in zip(ids.tolist(), distances.tolist(), strict=True) if i >= 0}
        assert before <= found
        before = found
    assert len(before) == 177


def test_queries_are_checked():
    index = phone().index()
    for q, message in (
        (np.ones(5), r"q must have shape \(4,\)"),
        (np.full(4, np.nan), "finite"),
        (np.full(4, 1e18), "at most 1e\\+17"),
    ):
        for some in (q, q[None], np.float32(q)):
            with pytest.raises(sl.InvalidInput, match=message):
                index.search(some)
    with pytest.raises(sl.InvalidInput, match="leaves_to_search must be None"):
        index.search(np.ones(4), leaves_to_search=1)
    with pytest.raises(sl.InvalidInput, match="pre_reorder_num_neighbors must be None"):
        index.search(np.ones(4), pre_reorder_num_neighbors=5)
