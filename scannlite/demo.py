"""The demo: handwritten digits, found by a real ScaNN index, measured, and drawn.

The 1,797 digits come inside scikit-learn, so nothing is downloaded.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from scannlite.engine.index import Index
from scannlite.engine.options import Reorder, ScaNNOptions, ScoreAH, Tree
from scannlite.errors import ScannliteError
from scannlite.types import Floats, Ids, Neighbors

__all__ = ["OPTIONS", "Digits", "Report", "load_digits", "run"]

Progress: TypeAlias = Callable[[str, int, int], None]

K = 10
QUERIES = 297
OPTIONS = ScaNNOptions("squared_l2", tree=Tree(39, 8), score_ah=ScoreAH(2), reorder=Reorder(40))

SAME, OTHER, INK = "#0072B2", "#D55E00", "#222222"  # told apart by the colour-blind, too


class Digits(NamedTuple):
    """Rows to index and queries that were held out, each with the digit its writer meant.

    ``rows`` of shape (1500, 64), ``queries`` of shape (297, 64), one grey of 0 to 16 a dimension.
    """

    rows: Floats
    row_digits: Ids
    queries: Floats
    query_digits: Ids


@dataclass(frozen=True)
class Report:
    """What the demo measured, and where its picture is."""

    rows: int
    queries: int
    recall: float
    same_digit: float
    query_seconds: float
    first_use_seconds: float
    build_seconds: float
    index: str
    picture: Path

    def lines(self) -> list[str]:
        """The report as a person reads it."""
        facts = {
            "digits": f"{self.rows:,} indexed, {self.queries} held out as queries",
            "index": self.index,
            f"recall@{K}": f"{self.recall:.4f} of the true neighbours, by exact search",
            "same digit": f"{self.same_digit:.1%} of nearest neighbours are their query's digit",
            "one query": f"{self.query_seconds * 1e6:,.1f} µs: median of {self.queries} different "
            "queries, one call of index.search each, one thread, after a warm call",
            "build": f"{self.build_seconds:.3f} s",
            "first use": f"{self.first_use_seconds:.2f} s: the first build and searches of this "
            "process, which compiled the kernels or loaded them",
            "picture": str(self.picture),
        }
        return [f"{name:12} {words}" for name, words in facts.items()]


def run(folder: Path, *, seed: int = 0, progress: Progress | None = None) -> Report:
    """Index, search, measure and draw.

    Args:
        folder: where the picture goes; made if missing.
        seed: which digits are held out, and the seed of the index.
        progress: called as ``Index.build`` does while kernels may be compiled.

    Raises:
        ScannliteError: scikit-learn or Matplotlib is not installed.
    """
    digits = load_digits(seed)
    figure = _figure()  # a missing package is better told before the work than after
    first_use_seconds = _timed_first_use(digits, seed, progress or _no_progress)
    build_seconds, index = _timed_build(digits, seed)
    found = index.search(digits.queries, K)
    truth = exact_search(digits.rows, digits.queries, K)
    folder.mkdir(parents=True, exist_ok=True)
    return Report(
        rows=len(index),
        queries=len(digits.queries),
        recall=recall(found.ids, truth),
        same_digit=float(np.mean(digits.row_digits[found.ids[:, 0]] == digits.query_digits)),
        query_seconds=_median_query_seconds(index, digits.queries),
        first_use_seconds=first_use_seconds,
        build_seconds=build_seconds,
        index=repr(index),
        picture=draw(figure, digits, found, folder / "digits.png"),
    )


def load_digits(seed: int) -> Digits:
    """The digits of scikit-learn, shuffled and split by ``seed``."""
    try:
        from sklearn.datasets import load_digits as load  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _missing("scikit-learn") from error
    pixels, digits = load(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(pixels))
    rows, queries = order[QUERIES:], order[:QUERIES]
    pixels, digits = pixels.astype(np.float32), digits.astype(np.int64)
    return Digits(pixels[rows], digits[rows], pixels[queries], digits[queries])


def exact_search(rows: Floats, queries: Floats, k: int) -> Ids:
    """Ids of the k nearest rows by squared L2, in plain NumPy: the truth to compare with."""
    distances = ((queries[:, None, :] - rows[None, :, :]) ** 2).sum(axis=2)
    return np.argsort(distances, axis=1, kind="stable")[:, :k].astype(np.int64)


def recall(found: Ids, truth: Ids) -> float:
    """Which share of the true neighbours was found."""
    hits = [np.intersect1d(ours, theirs).size for ours, theirs in zip(found, truth, strict=True)]
    return float(np.sum(hits) / truth.size)


def _timed_first_use(digits: Digits, seed: int, progress: Progress) -> float:
    started = time.perf_counter()
    index = Index.build(digits.rows, OPTIONS, seed=seed, progress=progress)
    progress("search", 0, 2)
    index.search(digits.queries[0], K)
    progress("search", 1, 2)
    index.search(digits.queries, K)
    progress("search", 2, 2)
    return time.perf_counter() - started


def _no_progress(stage: str, done: int, total: int) -> None:
    """Said to nobody."""


def _timed_build(digits: Digits, seed: int) -> tuple[float, Index]:
    started = time.perf_counter()
    index = Index.build(digits.rows, OPTIONS, seed=seed)
    return time.perf_counter() - started, index


def _median_query_seconds(index: Index, queries: Floats) -> float:
    """Each query is asked once, in turn: the last answer does not warm the next."""
    index.search(queries[0], K)
    seconds = []
    for query in queries:
        started = time.perf_counter()
        index.search(query, K)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


# --------------------------------------------------------------------------------- the picture


def draw(figure: Any, digits: Digits, found: Neighbors, path: Path) -> Path:
    """One row a digit: the first held-out query of it, framed, then its K nearest."""
    queries = [int(np.argmax(digits.query_digits == digit)) for digit in range(10)]
    spaces = {"hspace": 0.42, "wspace": 0.16}
    axes = figure.subplots(len(queries), K + 1, gridspec_kw=spaces)
    for row, query in zip(axes, queries, strict=True):
        _draw_row(row, digits, found, query)
    _draw_words(figure, axes[0])
    figure.savefig(path, dpi=100, facecolor="white", pil_kwargs={"optimize": True})
    return path


def _draw_row(axes: Any, digits: Digits, found: Neighbors, query: int) -> None:
    _draw_digit(axes[0], digits.queries[query], INK, 2.6)
    axes[0].set_xlabel(f"a {digits.query_digits[query]}", fontsize=8, color=INK, labelpad=2.5)
    for place, axis in enumerate(axes[1:]):
        row = found.ids[query, place]
        same = digits.row_digits[row] == digits.query_digits[query]
        _draw_digit(axis, digits.rows[row], SAME if same else OTHER, 1.2 if same else 2.6)
        words = f"{found.distances[query, place]:.0f}"
        if not same:
            words += f"  is a {digits.row_digits[row]}"
        axis.set_xlabel(words, fontsize=8, color=INK if same else OTHER, labelpad=2.5)


def _draw_digit(axis: Any, pixels: Floats, colour: str, width: float) -> None:
    smooth = {"interpolation": "bicubic", "interpolation_stage": "data"}
    image = axis.imshow(pixels.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16, **smooth)
    image.set_cmap(image.get_cmap().resampled(17))  # few greys, so that the file stays small
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(color=colour, linewidth=width)


def _draw_words(figure: Any, top: Any) -> None:
    figure.subplots_adjust(left=0.03, right=0.97, top=0.895, bottom=0.035)
    left = top[0].get_position().x0
    figure.text(left, 0.965, "Handwritten digits and their ten nearest", fontsize=17, color=INK)
    figure.text(
        left,
        0.942,
        "The queries were held out of the 1,500 digits that scannlite searched. "
        "Below each neighbour: its squared distance.",
        fontsize=9.5,
        color=INK,
    )
    top[0].set_title("query", fontsize=9.5, color=INK, pad=6)
    top[1].set_title("nearest", fontsize=9.5, color=INK, pad=6)
    top[-1].set_title("tenth", fontsize=9.5, color=INK, pad=6)
    for x, colour, words in ((0.70, SAME, "same digit"), (0.83, OTHER, "another digit")):
        figure.text(x, 0.967, "■", fontsize=12, color=colour)
        figure.text(x + 0.022, 0.968, words, fontsize=9.5, color=INK)


def _figure() -> Any:
    """A figure outside of pyplot, so that no window, backend or global state is touched."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _missing("Matplotlib") from error
    return Figure(figsize=(9.2, 10.4))


def _missing(package: str) -> ScannliteError:
    return ScannliteError(
        f"scannlite demo needs {package}, which is not installed: "
        "pip install 'scannlite[demo]' brings it."
    )
