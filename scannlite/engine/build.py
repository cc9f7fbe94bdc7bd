"""From rows to the arrays of an index, in bounded memory: train, assign, encode.

Rows are read by chunks, in order, and each is read twice: once for its leaf, once for its codes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from scannlite.engine.arrays import IndexArrays, allocate, blocks_of, code_lines
from scannlite.engine.door import finite_floats
from scannlite.engine.options import Reorder, ScaNNOptions, ScoreAH, Tree
from scannlite.errors import InvalidInput, ScannliteWarning
from scannlite.learning.anisotropy import eta_asymptotic, eta_exact
from scannlite.learning.codebooks import train_codebooks
from scannlite.learning.encode import encode, encode_anisotropic
from scannlite.learning.kmeans import assign, train_centroids
from scannlite.learning.partition import group_by_leaf
from scannlite.learning.projection import balanced_rotation
from scannlite.learning.rows import in_pieces, norms, unit
from scannlite.learning.scalar import quantize_rows, shape_noise
from scannlite.types import AnyArray, Codes, Distance, Floats, Ids, Leaves, Signed

__all__ = ["Progress", "build_arrays"]

Progress = Callable[[str, int, int], None]

_CHUNK_BYTES = 4 << 20
_SAME_NORM = 0.01  # of their mean: rows whose norms deviate less count as of one norm
_REACH = 0.5  # standard deviations of its rows' scores that a leaf's rank gains
_SHARES = -1.0, 0.5  # of a row that its code may be thought to miss or to have too much


@dataclass(frozen=True)
class _Source:
    """Rows as they came, read by chunks in the form in which they are indexed."""

    X: AnyArray
    normalised: bool
    mean: Floats

    def read(self, chunk: slice) -> Floats:
        return self._ready(finite_floats("X", self.X[chunk], chunk.start))

    def sample(self, size: int, rng: np.random.Generator) -> Floats:
        n, d = self.X.shape
        picked = np.arange(n) if size >= n else np.sort(rng.choice(n, size, replace=False))
        rows = np.empty((len(picked), d), np.float32)

        def read(part: slice) -> None:
            numbers = picked[part]
            rows[part] = self._ready(finite_floats("X", self.X[numbers], picked=numbers))

        in_pieces(read, len(picked))
        return rows

    def chunks(self) -> Iterator[slice]:
        n, d = self.X.shape
        step = max(1024, _CHUNK_BYTES // (4 * d))
        for first in range(0, n, step):
            yield slice(first, min(first + step, n))

    def _ready(self, rows: Floats) -> Floats:
        return unit(rows) if self.normalised else rows - self.mean


def _grid_mean(sample: Floats) -> Floats:
    """The mean of a sample, on a grid so coarse that taking it off whole numbers is exact."""
    mean = sample.mean(axis=0, dtype=np.float64)
    largest = float(max(sample.max(initial=0), -sample.min(initial=0)))
    if largest == 0:
        return np.zeros(sample.shape[1], np.float32)
    step = 2.0 ** (np.ceil(np.log2(largest)) - 7)
    return np.asarray(np.rint(mean / step) * step, np.float32)


def build_arrays(
    X: AnyArray, options: ScaNNOptions, seed: int, threads: int, progress: Progress
) -> IndexArrays:
    """Learn from rows and encode them.

    Args:
        X: (n, d), n > 0.
        options: what to build.
        seed: of every random choice.
        threads: workers of the encoding; the arrays do not depend on it.
        progress: called with a stage, and how much of it is done of how much.

    Raises:
        InvalidInput: a number is not finite, or options ask for more leaves than rows.
    """
    n, d = X.shape
    if options.tree is not None and options.tree.num_leaves > n:
        raise InvalidInput(
            f"Tree.num_leaves must be from 1 to the number of rows ({n}), "
            f"got {options.tree.num_leaves}."
        )
    ah = options.score_ah
    if ah is not None and ah.projection is not None and ah.projection > d:
        raise InvalidInput(
            f"ScoreAH.projection must be from 1 to the number of dimensions ({d}), "
            f"got {ah.projection}."
        )
    rng = np.random.default_rng(seed)
    raw = _Source(X, options.distance_measure == "cosine", np.zeros(d, np.float32))
    progress("train", 0, 1)
    source, writer = _learn(raw, options, rng, threads)
    progress("train", 1, 1)
    leaf = _assign_rows(source, writer.centroids, progress)
    return writer.encode_rows(source, leaf, threads, progress)


def _learn(
    raw: _Source, options: ScaNNOptions, rng: np.random.Generator, threads: int
) -> tuple[_Source, _Writer]:
    """Everything that a sample teaches; the sample is let go."""
    size = max(
        options.tree.training_sample_size if options.tree else 1,
        options.score_ah.training_sample_size if options.score_ah else 1,
    )
    sample = raw.sample(size, rng)
    mean = raw.mean
    if options.distance_measure == "squared_l2":
        mean = _grid_mean(sample)
        sample -= mean
    centroids = _train_tree(sample, options.tree, rng)
    writer = _Writer.learn(sample, centroids, options, rng, threads)
    return _Source(raw.X, raw.normalised, mean), writer


def _train_tree(sample: Floats, tree: Tree | None, rng: np.random.Generator) -> Floats:
    if tree is None:
        return np.zeros((1, sample.shape[1]), np.float32)
    size = max(tree.training_sample_size, tree.num_leaves)
    return train_centroids(
        sample[:: max(1, len(sample) // size)][:size],
        tree.num_leaves,
        iterations=tree.training_iterations,
        min_size=tree.min_partition_size,
        spherical=tree.spherical,
        random_init=tree.random_init,
        rng=rng,
    )


def _assign_rows(source: _Source, centroids: Floats, progress: Progress) -> Leaves:
    n = len(source.X)
    leaf = np.zeros(n, np.int32)
    for chunk in source.chunks():
        rows = source.read(chunk)
        if len(centroids) > 1:
            leaf[chunk] = assign(rows, centroids)
        progress("assign", chunk.stop, n)
    return leaf


def _weights(threshold: float, lengths: Floats, d: int, score_ah: ScoreAH | None) -> Floats:
    asymptotic = score_ah is not None and score_ah.eta_formula == "asymptotic"
    return (eta_asymptotic if asymptotic else eta_exact)(threshold, lengths, d)


def _take_off(centroids: Floats, rows: Floats) -> None:
    """Take each row's nearest centroid off it, in place: a sample may be most of the memory."""

    def take_off(part: slice) -> None:
        rows[part] -= centroids[assign(rows[part], centroids)]

    in_pieces(take_off, len(rows))


def _variance(rows: Floats) -> Floats:
    """Of each column, (d,)."""
    s = max(1, len(rows))
    mean = rows.sum(axis=0, dtype=np.float64) / s
    squares = np.einsum("ij,ij->j", rows, rows, dtype=np.float64) / s
    return np.asarray(np.maximum(squares - mean * mean, 0), np.float32)


def _rotate(rows: Floats, rotation: Floats) -> Floats:
    """Rows (n, d) as (n, e); as they are where nothing is rotated."""
    return np.ascontiguousarray(rows @ rotation.T) if len(rotation) else rows


def _rotate_in_place(rows: Floats, rotation: Floats) -> Floats:
    """Rows (s, d) as (s, e), in memory of theirs that was read by then."""
    if not len(rotation):
        return rows
    rows = np.ascontiguousarray(rows)
    rotated = rows.reshape(-1)[: len(rows) * len(rotation)].reshape(len(rows), -1)

    def rotate(part: slice) -> None:
        rotated[part] = rows[part] @ rotation.T

    in_pieces(rotate, len(rows))
    return rotated


def _shared_norm(lengths: Floats, distance: Distance) -> float | None:
    """The norm that all rows have, or nearly; None where they differ."""
    if distance == "cosine":
        return 1.0
    mean = float(lengths.mean(dtype=np.float64)) if len(lengths) else 0.0
    same = mean > 0 and lengths.std(dtype=np.float64) <= _SAME_NORM * mean
    return mean if same else None


def _warn_if_idle(owner: str, threshold: float, eta: Floats) -> None:
    if len(eta) and float(eta.max()) <= 1:
        warnings.warn(
            f"{owner}.anisotropic_quantization_threshold {threshold:g} has no effect: no row of "
            "these data is long enough to score above it, or, by the asymptotic formula, all are "
            "too long or d is too small for it.",
            ScannliteWarning,
            stacklevel=5,
        )


@dataclass(frozen=True)
class _Writer:
    """What was learned, and how rows become arrays by it."""

    options: ScaNNOptions
    centroids: Floats
    rotation: Floats
    codebooks: Floats
    variance: Floats
    norm: float | None

    @classmethod
    def learn(
        cls,
        sample: Floats,
        centroids: Floats,
        options: ScaNNOptions,
        rng: np.random.Generator,
        threads: int,
    ) -> _Writer:
        """From a sample, which is used up."""
        d = sample.shape[1]
        none = np.zeros((0, d), np.float32)
        lengths = norms(sample)
        norm = _shared_norm(lengths, options.distance_measure)
        learned = partial(cls, options, centroids, norm=norm)
        if options.reorder is not None and options.reorder.anisotropic_quantization_threshold:
            threshold = options.reorder.anisotropic_quantization_threshold
            _warn_if_idle("Reorder", threshold, _weights(threshold, lengths, d, None))
        ah = options.score_ah
        if ah is None:
            empty = np.zeros((0, 0, 1), np.float32)
            return learned(none, empty, np.zeros(d, np.float32))
        if ah.anisotropic_quantization_threshold:
            threshold = ah.anisotropic_quantization_threshold
            _warn_if_idle("ScoreAH", threshold, _weights(threshold, lengths, d, ah))
        rows = sample[:: max(1, len(sample) // ah.training_sample_size)]
        rows = rows[: ah.training_sample_size]
        if options.residual:
            _take_off(centroids, rows)
        b = min(ah.dimensions_per_block, ah.projection or d)
        rotation = none if ah.projection is None else balanced_rotation(rows, ah.projection, b)
        rows = _rotate_in_place(rows, rotation)
        codebooks = train_codebooks(
            rows,
            b,
            ah.centers,
            iterations=ah.training_iterations,
            rng=rng,
            threads=threads,
        )
        return learned(rotation, codebooks, _variance(rows))

    def encode_rows(
        self, source: _Source, leaf: Leaves, threads: int, progress: Progress
    ) -> IndexArrays:
        order, start = group_by_leaf(leaf, len(self.centroids))
        arrays = self._empty_arrays(len(leaf), np.diff(start).astype(np.int32), source.mean)
        arrays.ids[...] = order
        place = np.empty(len(leaf), np.int64)
        place[order] = np.arange(len(leaf))
        lanes = _Lanes.of(arrays.leaf_size, leaf, place)
        constants = np.zeros(len(leaf) if self._has_constants else 0, np.float32)
        spread = np.zeros(len(self.centroids))
        for chunk in source.chunks():
            rows = source.read(chunk)
            if self.options.score_ah is not None:
                codes = self._encode(rows, leaf[chunk], threads)
                lanes.write(arrays.codes, codes, chunk, self.options.score_ah.centers)
                if self._has_constants:
                    constants[place[chunk]] = self._constants(rows, codes, leaf[chunk])
            if self.options.distance_measure == "dot_product":
                spread += self._spread(rows, leaf[chunk])
            self._write_rows(arrays, rows, place[chunk], threads)
            progress("encode", chunk.stop, len(leaf))
        if self._has_constants:
            self._write_constants(arrays, constants, lanes, place)
        arrays.leaf_bias[...] = self._leaf_bias(arrays.leaf_size, spread)
        return arrays

    @property
    def _squares(self) -> bool:
        """Whether half a row's square is part of its score."""
        ah, measure = self.options.score_ah, self.options.distance_measure
        return ah is not None and measure == "squared_l2"

    @property
    def _has_constants(self) -> bool:
        """Whether a row's score has a constant of its own."""
        return self._squares or self.options.corrected

    def _spread(self, rows: Floats, leaf: Leaves) -> AnyArray:
        """The squared distances (L,) of rows from their centroids, summed."""
        residuals = rows - self.centroids[leaf]
        squares = np.einsum("ij,ij->i", residuals, residuals, dtype=np.float64)
        return np.bincount(leaf, squares, len(self.centroids))

    def _leaf_bias(self, leaf_size: Leaves, spread: AnyArray) -> Floats:
        """What is added to q·c, in units of the query's norm, to rank the leaves (L,).

        Among rows of one norm s the nearest leaf is the best: q·c - |c|²/2s. Where norms vary
        a leaf is worth what its rows can reach beyond their mean: half a standard deviation.
        """
        L, d = self.centroids.shape
        if self.options.distance_measure == "squared_l2":
            return np.zeros(L, np.float32)
        if self.norm is None:
            deviation = np.sqrt(spread / np.maximum(leaf_size, 1) / d)
            return np.asarray(_REACH * deviation, np.float32)
        half = np.square(self.centroids, dtype=np.float64).sum(axis=1) / 2
        return np.asarray(-half / self.norm, np.float32)

    def _empty_arrays(self, n: int, leaf_size: Leaves, mean: Floats) -> IndexArrays:
        options, d = self.options, self.centroids.shape[1]
        ah, exact, reorder = options.score_ah, options.score_brute_force, options.reorder
        m, centers = len(self.codebooks), ah.centers if ah else 0
        lines = code_lines(m, centers, constants=self._has_constants)
        blocks = int(blocks_of(leaf_size)[0][-1]) if ah else 0
        keeps_constants = self._squares and (reorder is None or centers == 256)
        high = n if reorder is not None or (exact is not None and exact.quantize) else 0
        low = n if reorder is not None and not reorder.quantize else 0
        floats = n if exact is not None and not exact.quantize else 0
        return IndexArrays(
            mean=mean,
            centroids=self.centroids,
            leaf_size=leaf_size,
            leaf_bias=np.zeros(len(leaf_size), np.float32),
            rotation=self.rotation,
            codebooks=self.codebooks,
            variance=self.variance,
            constant_unit=np.zeros(1, np.float32),
            codes=allocate((blocks, lines, 64), np.uint8),
            constants=allocate((n if keeps_constants else 0,), np.float32),
            row_high=allocate((high, d), np.int8),
            row_low=allocate((low, d), np.int16),
            row_terms=allocate((high, 2), np.float32),
            rows=allocate((floats, d), np.float32),
            ids=allocate((n,), np.int32),
        )

    def _encode(self, rows: Floats, leaf: Leaves, threads: int) -> Codes:
        ah = self.options.score_ah
        residuals = rows - self.centroids[leaf] if self.options.residual else rows
        residuals = _rotate(residuals, self.rotation)
        if ah is None or ah.anisotropic_quantization_threshold is None:
            return encode(residuals, self.codebooks, threads=threads)
        eta = _weights(ah.anisotropic_quantization_threshold, norms(rows), rows.shape[1], ah)
        directions = _rotate(rows, self.rotation)
        return encode_anisotropic(residuals, directions, self.codebooks, eta, threads=threads)

    def _constants(self, rows: Floats, codes: Codes, leaf: Leaves) -> Floats:
        """What is taken off q·c + q·r̃, the score of a row that is coded as c + r̃.

        For squared_l2 c·r̃ + |r̃|²/2, which makes q·c - |c|²/2 + q·r̃ half the squared distance, but
        for q. For dot_product -x·(x - c - r̃)/|x|², times the score t of a neighbour: the share of
        the row that is missing along itself, of which a query that scores t misses as much.
        """
        blocks = np.arange(len(self.codebooks))
        decoded = self.codebooks[blocks, codes].reshape(len(codes), -1)
        decoded = decoded[:, : len(self.variance)]
        if not self._squares:
            return self._missing(rows, decoded, leaf)
        total = np.einsum("ij,ij->i", decoded, decoded, dtype=np.float64) / 2
        if self.options.residual:
            centroids = _rotate(self.centroids, self.rotation)
            total += np.einsum("ij,ij->i", decoded, centroids[leaf], dtype=np.float64)
        return np.asarray(total, np.float32)

    def _missing(self, rows: Floats, decoded: Floats, leaf: Leaves) -> Floats:
        squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
        known = np.einsum("ij,ij->i", _rotate(rows, self.rotation), decoded, dtype=np.float64)
        if self.options.residual:
            known += np.einsum("ij,ij->i", rows, self.centroids[leaf], dtype=np.float64)
        share = known / np.where(squares > 0, squares, 1) - 1
        return np.asarray(np.clip(share, *_SHARES), np.float32)

    def _write_constants(
        self, arrays: IndexArrays, constants: Floats, lanes: _Lanes, place: Ids
    ) -> None:
        if len(arrays.constants):
            arrays.constants[...] = constants
        if self.codebooks.shape[1] != 16:
            return
        least = constants.min(initial=np.inf)
        unit_ = (constants.max(initial=-np.inf) - least) / np.float32(255)
        arrays.constant_unit[0] = max(unit_, np.float32(1e-30))
        steps = np.rint((constants[place] - least) / arrays.constant_unit[0])
        arrays.codes[lanes.block, -1, lanes.lane] = np.clip(steps, 0, 255)

    def _write_rows(self, arrays: IndexArrays, rows: Floats, place: Ids, threads: int) -> None:
        if len(arrays.rows):
            arrays.rows[place] = rows
        if not len(arrays.row_high):
            return
        high, low, scale = quantize_rows(rows, threads=threads)
        arrays.row_high[place] = self._shaped(rows, high, scale, threads)
        if len(arrays.row_low):
            arrays.row_low[place] = low
        arrays.row_terms[place, 0] = scale
        if self.options.distance_measure == "squared_l2":
            squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
            arrays.row_terms[place, 1] = squares / 2

    def _shaped(self, rows: Floats, high: Signed, scale: Floats, threads: int) -> Signed:
        reorder: Reorder | None = self.options.reorder
        if reorder is None or reorder.anisotropic_quantization_threshold is None:
            return high
        threshold = reorder.anisotropic_quantization_threshold
        eta = _weights(threshold, norms(rows), rows.shape[1], None)
        return shape_noise(rows, high, scale, eta, threads=threads)


@dataclass(frozen=True)
class _Lanes:
    """Where each row's codes go: its block, and its lane in it."""

    block: Ids
    lane: Ids

    @classmethod
    def of(cls, leaf_size: Leaves, leaf: Leaves, place: Ids) -> _Lanes:
        leaf_block, _ = blocks_of(leaf_size)
        first = np.concatenate([[0], np.cumsum(leaf_size, dtype=np.int64)])
        within = place - first[leaf]
        return cls(leaf_block[leaf] + (within >> 6), within & 63)

    def write(self, out: Codes, codes: Codes, rows: slice, centers: int) -> None:
        """Put the codes (n, m) of some rows into their lanes."""
        if centers == 16:
            pairs = np.zeros((len(codes), -(-codes.shape[1] // 2) * 2), np.uint8)
            pairs[:, : codes.shape[1]] = codes
            codes = pairs[:, ::2] | pairs[:, 1::2] << 4
        out[self.block[rows], : codes.shape[1], self.lane[rows]] = codes
