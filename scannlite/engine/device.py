"""Between the index files of phones and the arrays of an index.

What the searcher on phones answers with garbage or a crash ends here in one sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import BinaryIO

import numpy as np

from scannlite.engine.arrays import IndexArrays, allocate, blocks_of
from scannlite.engine.door import as_bytes
from scannlite.engine.layout import block_dims
from scannlite.engine.options import (
    Device,
    LookupType,
    ScaNNOptions,
    ScoreAH,
    ScoreBruteForce,
    Tree,
)
from scannlite.files import index_file
from scannlite.files.index_config import AsymmetricHashing, IndexConfig, Measure, Partitioner
from scannlite.files.index_file import IndexFile
from scannlite.files.span import Span
from scannlite.kernels.layout import LARGEST
from scannlite.types import AnyArray, Codes, Distance, Floats

__all__ = ["from_file", "leaves_searched", "search_fraction", "to_file"]

_f4 = np.float32
_MOST_DIMENSIONS = 32_768
_MOST_CENTERS = 256
_CONFIG = "INDEX_CONFIG"
_DISTANCES: dict[str | None, Distance] = {
    "squared_l2": "squared_l2",
    "dot_product": "dot_product",
    None: "squared_l2",  # the default of a field that is not written
}


def leaves_searched(num_leaves: int, fraction: float) -> int:
    """How many leaves a device looks into: a float32 product, rounded up, at most all."""
    with np.errstate(over="ignore"):
        share = float(_f4(num_leaves) * _f4(fraction))
    return num_leaves if share >= num_leaves else math.ceil(share)


def search_fraction(num_leaves: int, to_search: int) -> float:
    """To_search / num_leaves as float32, or the next below with which no leaf more is searched.

    The quotient itself may give one more, as its float32 product may lie above to_search.
    """
    fraction = _f4(to_search / num_leaves)
    while leaves_searched(num_leaves, float(fraction)) > to_search:
        fraction = np.nextafter(fraction, _f4(0))
    return float(fraction)


# ---- reading -----------------------------------------------------------------------------------


def from_file(file: IndexFile) -> tuple[ScaNNOptions, IndexArrays]:
    """The options and arrays of an index file; rows are numbered in the order of its partitions.

    Raises:
        IndexFileError: the file says what the searcher on phones refuses, or would answer with
            garbage or a crash.
    """
    config, place = file.config, file.place
    codebooks = _read_codebooks(config, place)
    d = sum(codebook.shape[1] for codebook in codebooks) or config.embedding_dim or 0
    if d > _MOST_DIMENSIONS:
        raise place.wrong(0, _CONFIG, f"rows of at most {_MOST_DIMENSIONS} dimensions", d)
    centroids = _read_centroids(file, d)
    options = _options(config, place, codebooks)
    leaf_size = file.partition_sizes.astype(np.int32)
    n = int(leaf_size.sum())
    arrays = IndexArrays(
        mean=allocate((d,), np.float32),
        centroids=centroids,
        leaf_size=leaf_size,
        leaf_bias=allocate((len(leaf_size),), np.float32),
        rotation=allocate((0, d), np.float32),
        codebooks=_side_by_side(codebooks),
        variance=allocate((d,), np.float32),
        constant_unit=allocate((1,), np.float32),
        codes=_read_codes(file, codebooks),
        constants=allocate((0,), np.float32),
        row_high=allocate((0, d), np.int8),
        row_low=allocate((0, d), np.int16),
        row_terms=allocate((0, 2), np.float32),
        rows=_read_rows(file, 0 if codebooks else n, d),
        ids=allocate((n,), np.int32),
    )
    arrays.ids[...] = np.arange(n)
    return options, arrays


def _read_codebooks(config: IndexConfig, place: Span) -> Sequence[Floats]:
    """The entries (c, b) of every block; none where rows are floats."""
    indexer = config.indexer
    if config.embedding_type == "float":
        if indexer is not None:
            raise place.wrong(0, _CONFIG, "no codebooks beside FLOAT rows", "some")
        return []
    if indexer is None or not indexer.codebooks:
        raise place.wrong(0, _CONFIG, "codebooks for UINT8 rows", "none")
    codebooks = indexer.codebooks
    if len(codebooks) != config.embedding_dim:
        expected = f"a codebook for each of {config.embedding_dim} bytes of a row"
        raise place.wrong(0, _CONFIG, expected, f"{len(codebooks)}")
    sizes = sorted({len(codebook) for codebook in codebooks})
    if len(sizes) > 1 or not 1 <= sizes[0] <= _MOST_CENTERS:
        expected = f"codebooks of one size, 1 to {_MOST_CENTERS} entries"
        raise place.wrong(0, _CONFIG, expected, " and ".join(map(str, sizes)))
    for block, codebook in enumerate(codebooks):
        if not codebook.shape[1]:
            raise place.wrong(0, _CONFIG, f"dimensions in subspace {block}", "none")
        _check_floats(place, codebook, f"entries of subspace {block}")
    return codebooks


def _check_floats(place: Span, values: Floats, what: str) -> None:
    most = 4 * LARGEST
    if not np.abs(values).max(initial=0) <= most:
        expected = f"finite numbers of at most {most:g} as {what}"
        raise place.wrong(0, _CONFIG, expected, "others")


def _read_centroids(file: IndexFile, d: int) -> Floats:
    """(L, d) float32; zeros for the one leaf without a tree."""
    partitioner, place, partitions = file.config.partitioner, file.place, len(file.partitions)
    if partitioner is None:
        if partitions != 1:
            raise place.wrong(0, _CONFIG, f"leaves for {partitions} partitions", "no partitioner")
        return allocate((1, d), np.float32)
    leaves = partitioner.leaves
    if len(leaves) != partitions or not partitions:
        expected = f"a leaf for each of {partitions} partitions, at least one"
        raise place.wrong(0, _CONFIG, expected, f"{len(leaves)}")
    if leaves.shape[1] != d:
        raise place.wrong(0, _CONFIG, f"leaves of {d} dimensions", f"{leaves.shape[1]}")
    _check_floats(place, leaves, "leaves")
    return leaves


def _options(config: IndexConfig, place: Span, codebooks: Sequence[Floats]) -> ScaNNOptions:
    """Options that would have built this index, but for how it was trained."""
    measure = _measure(config, place)
    tree, partitioner = None, config.partitioner
    fraction, partition_distance = None, None
    if partitioner is not None:
        fraction = 1.0 if partitioner.search_fraction is None else partitioner.search_fraction
        if not fraction > 0:
            raise place.wrong(0, _CONFIG, "a search_fraction above 0", f"{fraction:g}")
        L = len(partitioner.leaves)
        tree = Tree(L, leaves_searched(L, fraction))
        ranked_by = _DISTANCES.get(partitioner.query_distance, "dot_product")
        partition_distance = None if ranked_by == measure else ranked_by
    device = Device(partition_distance=partition_distance, search_fraction=fraction)
    if config.indexer is None:
        exact = ScoreBruteForce()
        return ScaNNOptions(measure, tree, score_brute_force=exact, device=device)
    c, dims = len(codebooks[0]), [codebook.shape[1] for codebook in codebooks]
    alike = set(dims[:-1]) <= {dims[0]} and dims[-1] <= dims[0]
    ah = ScoreAH(
        dims[0] if alike else max(dims),
        hash_type="lut16" if c == 16 else "lut256",
        residual_quantization=False,
    )
    device = Device(
        lookup_type=_lookup_type(config.indexer, place),
        num_centers=None if c == ah.centers else c,
        block_dims=None if alike else tuple(dims),
        partition_distance=partition_distance,
        search_fraction=fraction,
    )
    return ScaNNOptions(measure, tree, score_ah=ah, device=device)


def _lookup_type(indexer: AsymmetricHashing, place: Span) -> LookupType:
    lookup = indexer.lookup_type or "float"
    if lookup == "int8_lut16":
        expected = "lookup_type FLOAT, INT16 or INT8"
        raise place.wrong(0, _CONFIG, expected, "INT8_LUT16, for which devices have no tables")
    return lookup


def _measure(config: IndexConfig, place: Span) -> Distance:
    """What rows are scored by.

    Codes go by the indexer's distance, floats by the whole index's. Where that is not set it is
    taken from the first part that there is, and then the parts must agree.
    """
    parts = [part for part in (config.indexer, config.partitioner) if part is not None]
    of_parts = [part.query_distance or "squared_l2" for part in parts]
    whole = config.query_distance
    if whole is None or whole == "unspecified":
        if not parts or of_parts[0] == "unspecified":
            raise place.wrong(0, _CONFIG, "a query_distance", "none")
        if len(set(of_parts)) > 1:
            raise place.wrong(0, _CONFIG, "one query_distance", " and ".join(of_parts))
        whole = of_parts[0]
    measure = of_parts[0] if config.indexer is not None else whole
    if measure == "unspecified":
        raise place.wrong(0, _CONFIG, "a query_distance of the indexer", "UNSPECIFIED")
    return _DISTANCES[measure]


def _side_by_side(codebooks: Sequence[Floats]) -> Floats:
    """(m, c, b) float32: blocks of fewer dimensions end in zeros."""
    if not codebooks:
        return allocate((0, 0, 1), np.float32)
    widest = max(codebook.shape[1] for codebook in codebooks)
    together = allocate((len(codebooks), len(codebooks[0]), widest), np.float32)
    for block, codebook in enumerate(codebooks):
        together[block, :, : codebook.shape[1]] = codebook
    return together


def _read_codes(file: IndexFile, codebooks: Sequence[Floats]) -> Codes:
    """(N, m, 64) uint8: the codes of 64 rows of a leaf side by side."""
    if not codebooks:
        return allocate((0, 0, 64), np.uint8)
    m, c = len(codebooks), len(codebooks[0])
    leaf_block, _ = blocks_of(file.partition_sizes.astype(np.int32))
    codes = allocate((int(leaf_block[-1]), m, 64), np.uint8)
    for number, partition in enumerate(file.partitions):
        rows = np.frombuffer(partition.data, np.uint8).reshape(-1, m)
        if c < _MOST_CENTERS and rows.max(initial=0) >= c:
            at = int(np.argmax(rows.reshape(-1) >= c))
            found = rows.reshape(-1)[at]
            raise partition.wrong(at, f"code in partition {number}", f"a number below {c}", found)
        first, whole, rest = leaf_block[number], len(rows) // 64, len(rows) % 64
        blocks = rows[: 64 * whole].reshape(whole, 64, m)
        codes[first : first + whole] = blocks.swapaxes(1, 2)
        if rest:
            codes[first + whole, :, :rest] = rows[64 * whole :].T
    return codes


def _read_rows(file: IndexFile, n: int, d: int) -> Floats:
    """(n, d) float32; no row where the file has codes."""
    rows = allocate((n, d), np.float32)
    if n == 0:
        return rows
    first = 0
    for number, partition in enumerate(file.partitions):
        part = np.frombuffer(partition.data, "<f4").reshape(-1, d)
        last = first + len(part)
        rows[first:last] = part
        numbers = rows[first:last].reshape(-1)
        with np.errstate(invalid="ignore"):
            least, most = numbers.min(initial=0), numbers.max(initial=0)
        if not (least >= -LARGEST and most <= LARGEST):
            at = int(np.argmin(np.abs(numbers) <= LARGEST))
            expected = f"one from -{LARGEST:g} to {LARGEST:g}"
            raise partition.wrong(4 * at, f"number in partition {number}", expected, numbers[at])
        first = last
    return rows


# ---- writing -----------------------------------------------------------------------------------


def to_file(  # noqa: PLR0913 - the parts of an index
    file: BinaryIO,
    options: ScaNNOptions,
    arrays: IndexArrays,
    metadata: Sequence[str | bytes] | None,
    userinfo: bytes,
    *,
    compression: bool,
) -> None:
    """Write an index that was built for devices as they read it.

    Rows without metadata are given their number, in decimal digits: a device numbers rows in the
    order of the leaves, and answers with nothing but metadata.
    """
    device = options.device or Device()
    items = [str(row) for row in range(len(arrays.ids))] if metadata is None else list(metadata)
    index_file.write(
        file,
        _config(options, arrays, device),
        _partition(arrays),
        [as_bytes("metadata", items[row]) for row in arrays.ids.tolist()],
        userinfo,
        compression=compression,
    )


def _config(options: ScaNNOptions, arrays: IndexArrays, device: Device) -> IndexConfig:
    measure, d = options.distance_measure, arrays.centroids.shape[1]
    known = _measure_name(measure)
    partitioner = indexer = None
    if options.tree is not None:
        ranked_by = device.partition_distance or measure
        partitioner = Partitioner(
            leaves=arrays.centroids,
            search_fraction=_fraction(options.tree, device),
            query_distance=_measure_name(ranked_by),
        )
    if options.score_ah is not None:
        dims = block_dims(arrays.codebooks, d, device)
        books = [book[:, :b] for book, b in zip(arrays.codebooks, dims, strict=True)]
        indexer = AsymmetricHashing(books, query_distance=known, lookup_type=device.lookup_type)
    return IndexConfig(
        query_distance=known,
        partitioner=partitioner,
        indexer=indexer,
        embedding_type="float" if indexer is None else "uint8",
        embedding_dim=d if indexer is None else len(arrays.codebooks),
        partition_offsets=np.cumsum(arrays.leaf_size, dtype=np.int64) - arrays.leaf_size,
    )


def _measure_name(distance: Distance) -> Measure:
    return "squared_l2" if distance == "squared_l2" else "dot_product"


def _fraction(tree: Tree, device: Device) -> float:
    """As the file said it, if it still says how many leaves are searched."""
    L, p, said = tree.num_leaves, tree.num_leaves_to_search, device.search_fraction
    if said is not None and leaves_searched(L, said) == p:
        return said
    return search_fraction(L, p)


def _partition(arrays: IndexArrays) -> Callable[[int], AnyArray]:
    """What gives the bytes of a leaf by its number, row after row."""
    leaf_block, _ = blocks_of(arrays.leaf_size)
    ends = np.cumsum(arrays.leaf_size, dtype=np.int64)

    def of_leaf(leaf: int) -> AnyArray:
        size, end = int(arrays.leaf_size[leaf]), int(ends[leaf])
        if arrays.codes.shape[1] == 0:
            return np.ascontiguousarray(arrays.rows[end - size : end], "<f4").view(np.uint8).ravel()
        blocks = arrays.codes[leaf_block[leaf] : leaf_block[leaf + 1]]
        m = blocks.shape[1]
        return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(-1, m)[:size].ravel()

    return of_leaf
