"""From rows, their leaves and what was learned to the arrays of an index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scannlite.engine.arrays import IndexArrays, allocate, blocks_of, code_lines, lookup_of
from scannlite.engine.learned import Learned, rotate, weights
from scannlite.engine.options import ScaNNOptions
from scannlite.engine.source import Source
from scannlite.kernels.layout import LOOKUP_16, LOOKUP_256
from scannlite.learning.encode import encode, encode_anisotropic
from scannlite.learning.partition import group_by_leaf
from scannlite.learning.rows import norms
from scannlite.learning.scalar import quantize_rows, shape_noise
from scannlite.types import AnyArray, Codes, Floats, Ids, Leaves, Progress, Signed

__all__ = ["write_rows"]

_REACH = 0.5  # standard deviations of its rows' scores that a leaf's rank gains
_SHARES = -1.0, 0.5  # of a row that its code may be thought to miss, or to have too much of


def write_rows(  # noqa: PLR0913
    source: Source,
    leaf: Leaves,
    learned: Learned,
    options: ScaNNOptions,
    *,
    threads: int,
    progress: Progress,
) -> IndexArrays:
    """Encode rows by chunks, each into its place.

    Args:
        source: the rows.
        leaf: (n,) int32, the leaf of each.
        learned: what encodes them.
        options: what to build.
        threads: workers; the arrays do not depend on it.
        progress: told of "encode".

    Raises:
        InvalidInput: a number is not finite.
    """
    return _Writer(learned, options, threads).write(source, leaf, progress)


@dataclass(frozen=True)
class _Writer:
    learned: Learned
    options: ScaNNOptions
    threads: int

    def write(self, source: Source, leaf: Leaves, progress: Progress) -> IndexArrays:
        order, start = group_by_leaf(leaf, len(self.learned.centroids))
        arrays = self._empty_arrays(len(leaf), np.diff(start).astype(np.int32))
        arrays.ids[...] = order
        place = np.empty(len(leaf), np.int64)
        place[order] = np.arange(len(leaf))
        lanes = _Lanes.of(arrays.leaf_size, leaf, place)
        constants = np.zeros(len(leaf) if self._has_constants else 0, np.float32)
        spread = np.zeros(len(self.learned.centroids))
        for chunk in source.chunks():
            rows = source.read(chunk)
            if self.options.score_ah is not None:
                codes = self._encode(rows, leaf[chunk])
                lanes.write(arrays.codes, codes, chunk, lookup_of(self.options))
                if self._has_constants:
                    constants[place[chunk]] = self._constants(rows, codes, leaf[chunk])
            if self.options.distance_measure == "dot_product":
                spread += self._spread(rows, leaf[chunk])
            self._write_rows(arrays, rows, place[chunk])
            progress("encode", chunk.stop, len(leaf))
        if self._has_constants:
            self._write_constants(arrays, constants, lanes, place)
        arrays.leaf_bias[...] = self._leaf_bias(arrays.leaf_size, spread)
        return arrays

    @property
    def _squares(self) -> bool:
        """Whether half a row's square is part of its score."""
        ah, measure = self.options.score_ah, self.options.distance_measure
        return ah is not None and measure == "squared_l2" and self.options.device is None

    @property
    def _has_constants(self) -> bool:
        """Whether a row's score has a constant of its own."""
        return self._squares or self.options.corrected

    def _spread(self, rows: Floats, leaf: Leaves) -> AnyArray:
        """The squared distances (L,) of rows from their centroids, summed."""
        residuals = rows - self.learned.centroids[leaf]
        squares = np.einsum("ij,ij->i", residuals, residuals, dtype=np.float64)
        return np.bincount(leaf, squares, len(self.learned.centroids))

    def _leaf_bias(self, leaf_size: Leaves, spread: AnyArray) -> Floats:
        """What is added to q·c, in units of the query's norm, to rank the leaves (L,).

        Among rows of one norm s the nearest leaf is the best: q·c - |c|²/2s. Where norms vary
        a leaf is worth what its rows can reach beyond their mean: half a standard deviation.
        """
        L, d = self.learned.centroids.shape
        if self.options.distance_measure == "squared_l2" or self.options.device is not None:
            return np.zeros(L, np.float32)
        if self.learned.norm is None:
            deviation = np.sqrt(spread / np.maximum(leaf_size, 1) / d)
            return np.asarray(_REACH * deviation, np.float32)
        half = np.square(self.learned.centroids, dtype=np.float64).sum(axis=1) / 2
        return np.asarray(-half / self.learned.norm, np.float32)

    def _empty_arrays(self, n: int, leaf_size: Leaves) -> IndexArrays:
        options, d = self.options, self.learned.centroids.shape[1]
        ah, exact, reorder = options.score_ah, options.score_brute_force, options.reorder
        m, lookup = len(self.learned.codebooks), lookup_of(options)
        lines = code_lines(m, lookup, constants=self._has_constants)
        blocks = int(blocks_of(leaf_size)[0][-1]) if ah else 0
        keeps_constants = self._squares and (reorder is None or lookup == LOOKUP_256)
        high = n if reorder is not None or (exact is not None and exact.quantize) else 0
        low = n if reorder is not None and not reorder.quantize else 0
        floats = n if exact is not None and not exact.quantize else 0
        return IndexArrays(
            mean=self.learned.mean,
            centroids=self.learned.centroids,
            leaf_size=leaf_size,
            leaf_bias=np.zeros(len(leaf_size), np.float32),
            rotation=self.learned.rotation,
            codebooks=self.learned.codebooks,
            variance=self.learned.variance,
            constant_unit=np.zeros(1, np.float32),
            codes=allocate((blocks, lines, 64), np.uint8),
            constants=allocate((n if keeps_constants else 0,), np.float32),
            row_high=allocate((high, d), np.int8),
            row_low=allocate((low, d), np.int16),
            row_terms=allocate((high, 2), np.float32),
            rows=allocate((floats, d), np.float32),
            ids=allocate((n,), np.int32),
        )

    def _encode(self, rows: Floats, leaf: Leaves) -> Codes:
        ah = self.options.score_ah
        residuals = rows - self.learned.centroids[leaf] if self.options.residual else rows
        residuals = rotate(residuals, self.learned.rotation)
        if ah is None or ah.anisotropic_quantization_threshold is None:
            return encode(residuals, self.learned.codebooks, threads=self.threads)
        eta = weights(ah.anisotropic_quantization_threshold, norms(rows), rows.shape[1], ah)
        directions = rotate(rows, self.learned.rotation)
        return encode_anisotropic(
            residuals, directions, self.learned.codebooks, eta, threads=self.threads
        )

    def _constants(self, rows: Floats, codes: Codes, leaf: Leaves) -> Floats:
        """What is taken off q·c + q·r̃, the score of a row that is coded as c + r̃.

        For squared_l2 c·r̃ + |r̃|²/2, which makes q·c - |c|²/2 + q·r̃ half the squared distance, but
        for q. For dot_product -x·(x - c - r̃)/|x|², times the score t of a neighbour: the share of
        the row that is missing along itself, of which a query that scores t misses as much. A short
        row cannot score t, only a part of it as it is a part of a long row.
        """
        blocks = np.arange(len(self.learned.codebooks))
        decoded = self.learned.codebooks[blocks, codes].reshape(len(codes), -1)
        decoded = decoded[:, : len(self.learned.variance)]
        if not self._squares:
            return self._missing(rows, decoded, leaf)
        total = np.einsum("ij,ij->i", decoded, decoded, dtype=np.float64) / 2
        if self.options.residual:
            centroids = rotate(self.learned.centroids, self.learned.rotation)
            total += np.einsum("ij,ij->i", decoded, centroids[leaf], dtype=np.float64)
        return np.asarray(total, np.float32)

    def _missing(self, rows: Floats, decoded: Floats, leaf: Leaves) -> Floats:
        squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
        known = np.einsum(
            "ij,ij->i", rotate(rows, self.learned.rotation), decoded, dtype=np.float64
        )
        if self.options.residual:
            known += np.einsum("ij,ij->i", rows, self.learned.centroids[leaf], dtype=np.float64)
        share = np.clip(known / np.where(squares > 0, squares, 1) - 1, *_SHARES)
        part = np.sqrt(squares) / max(self.learned.long, np.finfo(np.float32).tiny)
        return np.asarray(share * np.minimum(part, 1), np.float32)

    def _write_constants(
        self, arrays: IndexArrays, constants: Floats, lanes: _Lanes, place: Ids
    ) -> None:
        if len(arrays.constants):
            arrays.constants[...] = constants
        if self.learned.codebooks.shape[1] != 16:
            return
        least = constants.min(initial=np.inf)
        unit_ = (constants.max(initial=-np.inf) - least) / np.float32(255)
        arrays.constant_unit[0] = max(unit_, np.float32(1e-30))
        steps = np.rint((constants[place] - least) / arrays.constant_unit[0])
        arrays.codes[lanes.block, -1, lanes.lane] = np.clip(steps, 0, 255)

    def _write_rows(self, arrays: IndexArrays, rows: Floats, place: Ids) -> None:
        if len(arrays.rows):
            arrays.rows[place] = rows
        if not len(arrays.row_high):
            return
        high, low, scale = quantize_rows(rows, threads=self.threads)
        arrays.row_high[place] = self._shaped(rows, high, scale)
        if len(arrays.row_low):
            arrays.row_low[place] = low
        arrays.row_terms[place, 0] = scale
        if self.options.distance_measure == "squared_l2":
            squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
            arrays.row_terms[place, 1] = squares / 2

    def _shaped(self, rows: Floats, high: Signed, scale: Floats) -> Signed:
        reorder = self.options.reorder
        if reorder is None or reorder.anisotropic_quantization_threshold is None:
            return high
        threshold = reorder.anisotropic_quantization_threshold
        eta = weights(threshold, norms(rows), rows.shape[1], None)
        return shape_noise(rows, high, scale, eta, threads=self.threads)


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

    def write(self, out: Codes, codes: Codes, rows: slice, lookup: int) -> None:
        """Put the codes (n, m) of some rows into their lanes."""
        if lookup == LOOKUP_16:
            pairs = np.zeros((len(codes), -(-codes.shape[1] // 2) * 2), np.uint8)
            pairs[:, : codes.shape[1]] = codes
            codes = pairs[:, ::2] | pairs[:, 1::2] << 4
        out[self.block[rows], : codes.shape[1], self.lane[rows]] = codes
