"""What a sample of rows teaches: leaves, a rotation, codebooks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from scannlite.engine.options import ScaNNOptions, ScoreAH, Tree
from scannlite.engine.source import Source
from scannlite.errors import ScannliteWarning
from scannlite.learning.anisotropy import eta_asymptotic, eta_exact
from scannlite.learning.codebooks import train_codebooks
from scannlite.learning.kmeans import assign, train_centroids
from scannlite.learning.projection import balanced_rotation
from scannlite.learning.rows import in_pieces, norms
from scannlite.types import Distance, Floats

__all__ = ["Learned", "learn", "rotate", "take_off", "weights"]

_LONG = 0.99  # of the rows are shorter than what counts as long
_SAME_NORM = 0.01  # of their mean: rows whose norms deviate less count as of one norm


@dataclass(frozen=True)
class Learned:
    """Everything that encodes a row.

    Attributes:
        mean: (d,) float32, taken off rows of squared_l2, else zeros.
        centroids: (L, d) float32.
        norm: what all rows' norms are, or nearly; None where they differ.
        long: the norm that all rows but one in a hundred stay below.
        rotation: (e, d) float32, or (0, d).
        codebooks: (m, c, b) float32, or (0, 0, 1).
        variance: (e,) float32, of what the codebooks encode; (d,) without codebooks.
    """

    mean: Floats
    centroids: Floats
    norm: float | None
    long: float
    rotation: Floats
    codebooks: Floats
    variance: Floats


def learn(raw: Source, options: ScaNNOptions, rng: np.random.Generator, threads: int) -> Learned:
    """Draw a sample, learn from it, let it go.

    Args:
        raw: the rows; its mean is zeros.
        options: what to build.
        rng: the only source of chance.
        threads: the result does not depend on it.

    Raises:
        InvalidInput: a number drawn is not finite.
    """
    tree, ah = options.tree, options.score_ah
    sizes = [part.training_sample_size for part in (tree, ah) if part]
    sample = raw.sample(max(sizes, default=1), rng)
    mean = raw.mean
    if options.distance_measure == "squared_l2" and options.device is None:
        mean = _grid_mean(sample)
        sample -= mean
    lengths = norms(sample)
    _warn_of_idle_thresholds(options, lengths, sample.shape[1])
    d = sample.shape[1]
    learned = Learned(
        mean=mean,
        centroids=_train_tree(sample, tree, rng),
        norm=_shared_norm(lengths, options.distance_measure),
        long=float(np.quantile(lengths, _LONG)) if len(lengths) else 0.0,
        rotation=np.zeros((0, d), np.float32),
        codebooks=np.zeros((0, 0, 1), np.float32),
        variance=np.zeros(d, np.float32),
    )
    if ah is None:
        return learned
    rows = sample[:: max(1, len(sample) // ah.training_sample_size)][: ah.training_sample_size]
    if options.residual:
        take_off(learned.centroids, rows)
    return _with_codebooks(learned, rows, options, rng, threads)


def _with_codebooks(
    learned: Learned, rows: Floats, options: ScaNNOptions, rng: np.random.Generator, threads: int
) -> Learned:
    """With what codes are made by, from rows that are used up."""
    ah = options.score_ah
    if ah is None:
        return learned
    b = min(ah.dimensions_per_block, ah.projection or rows.shape[1])
    rotation = learned.rotation
    if ah.projection is not None:
        rotation = balanced_rotation(rows, ah.projection, b)
        rows = _rotate_in_place(rows, rotation)
    codebooks = train_codebooks(
        rows, b, options.centers, iterations=ah.training_iterations, rng=rng, threads=threads
    )
    return replace(learned, rotation=rotation, codebooks=codebooks, variance=_variance(rows))


def rotate(rows: Floats, rotation: Floats) -> Floats:
    """Rows (n, d) as (n, e); as they are where nothing is rotated."""
    return np.ascontiguousarray(rows @ rotation.T) if len(rotation) else rows


def weights(threshold: float, lengths: Floats, d: int, score_ah: ScoreAH | None) -> Floats:
    """Of errors along rows of these lengths (n,): (n,) float32."""
    asymptotic = score_ah is not None and score_ah.eta_formula == "asymptotic"
    return (eta_asymptotic if asymptotic else eta_exact)(threshold, lengths, d)


def _grid_mean(sample: Floats) -> Floats:
    """The mean of a sample, on a grid so coarse that taking it off whole numbers is exact."""
    mean = sample.mean(axis=0, dtype=np.float64)
    largest = float(max(sample.max(initial=0), -sample.min(initial=0)))
    if largest == 0:
        return np.zeros(sample.shape[1], np.float32)
    step = 2.0 ** (np.ceil(np.log2(largest)) - 7)
    return np.asarray(np.rint(mean / step) * step, np.float32)


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


def take_off(centroids: Floats, rows: Floats) -> None:
    """Take each row's nearest centroid off it, in place: a sample may be most of the memory."""

    def less(part: slice) -> None:
        rows[part] -= centroids[assign(rows[part], centroids)]

    in_pieces(less, len(rows))


def _variance(rows: Floats) -> Floats:
    """Of each column, (d,)."""
    s = max(1, len(rows))
    mean = rows.sum(axis=0, dtype=np.float64) / s
    squares = np.einsum("ij,ij->j", rows, rows, dtype=np.float64) / s
    return np.asarray(np.maximum(squares - mean * mean, 0), np.float32)


def _rotate_in_place(rows: Floats, rotation: Floats) -> Floats:
    """Rows (s, d) as (s, e), in memory of theirs that was read by then."""
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


def _warn_of_idle_thresholds(options: ScaNNOptions, lengths: Floats, d: int) -> None:
    ah = options.score_ah
    for part in (ah, options.reorder):
        threshold = part.anisotropic_quantization_threshold if part else None
        if not part or not threshold or not len(lengths):
            continue
        if float(weights(threshold, lengths, d, ah if part is ah else None).max()) <= 1:
            warnings.warn(
                f"{type(part).__name__}.anisotropic_quantization_threshold {threshold:g} has no "
                "effect: no row of these data is long enough to score above it, or, by the "
                "asymptotic formula, all are too long or d is too small for it.",
                ScannliteWarning,
                stacklevel=5,
            )
