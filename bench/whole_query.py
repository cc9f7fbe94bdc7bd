"""Whole queries, model and all, here and by Task Library: the same files, one thread each.

``python -m bench.whole_query --reference .venv-reference/bin/python``; ``make reference`` makes
that interpreter. The two live in processes of their own and take turns, never at once.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import about
from bench.timing import CHUNK, interleaved, seconds_a_query
from bench.versus_task_library import made
from scannlite.task import core, processor, text, vision
from tests.reference.client import Reference

SHARED = Path(__file__).resolve().parents[2] / "shared"
SENTENCES = [
    "The weather was excellent.",
    "a cat",
    "He was very happy with his newly bought car.",
    "A man riding a wave on top of a surfboard.",
    "",
    "Two women waiting at a bench next to a street, one of them with a red umbrella in her hand.",
]
PICTURES = 100
K = 5


@dataclass(frozen=True)
class Case:
    """One searcher and what it is asked.

    Attributes:
        name: for the table.
        opening: the request that opens it there.
        asked: what goes with that.
        search: ours.
        questions: for ours.
    """

    name: str
    opening: str
    asked: dict[str, Any]
    search: Callable[..., object]
    questions: Sequence[Any]


def _texts(name: str, model: Path, questions: Sequence[str]) -> Case:
    base = core.BaseOptions(model, num_threads=1)
    searcher = text.TextSearcher.create_from_options(text.TextSearcherOptions(base))
    asked = {"model": model, "questions": questions, "k": K}
    return Case(name, "open_texts", asked, searcher.search, questions)


def _sentences(model: Path) -> Case:
    """The article's model: an embedder of 16 numbers and five rows."""
    return _texts("text: regex_searcher.tflite", model, SENTENCES * 100)


def _many_rows(reference: Reference, folder: Path, rows: int) -> Case:
    """An embedder that is a table, and an index as Model Maker makes it."""
    files = made(reference, folder, rows)
    questions = [f"p{i}" for i in range(len(files.Q))]
    return _texts(f"text: {rows:,} rows", files.searcher, questions)


def _pictures(model: Path, index: Path, folder: Path, height: int, width: int) -> Case:
    """A network, and five rows."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (PICTURES, height, width, 3), np.uint8)
    file = folder / f"{height}x{width}.npy"
    np.save(file, pixels)
    options = vision.ImageSearcherOptions(
        core.BaseOptions(model, num_threads=1),
        search_options=processor.SearchOptions(index_file_name=index),
    )
    searcher = vision.ImageSearcher.create_from_options(options)
    asked = {"model": model, "questions": file, "k": K, "index": index}
    images = [vision.TensorImage.create_from_array(picture) for picture in pixels]
    name = f"image: mobilenet_v2_035_96, picture of {height} x {width}"
    return Case(name, "open_images", asked, searcher.search, images)


def _cases(reference: Reference, folder: Path, arguments: argparse.Namespace) -> Iterator[Case]:
    golden = arguments.shared / "golden"
    upstream = golden / "upstream"
    if upstream.is_dir():
        yield _sentences(upstream / "regex_searcher.tflite")
    else:
        print(f"LEFT OUT: no models in {upstream}", file=sys.stderr)
    yield _many_rows(reference, folder, arguments.rows)
    if upstream.is_dir():
        model = upstream / "mobilenet_v2_035_96_embedder_with_metadata.tflite"
        index = golden / "image" / "mobilenet_v2_035_96_l20.ldb"
        yield _pictures(model, index, folder, 96, 96)
        yield _pictures(model, index, folder, 325, 480)


def _times(reference: Reference, cases: Sequence[Case], rounds: int) -> list[tuple[float, float]]:
    """Microseconds a query of theirs and of ours; the first round only warms up."""
    clocks: list[Callable[[], list[float]]] = []
    for case in cases:
        reference.ask(case.opening, name=case.name, **case.asked)
        clocks.append(partial(reference.clock, case.name, CHUNK))
        clocks.append(partial(seconds_a_query, case.search, case.questions))
    interleaved(clocks, 1)
    us = [1e6 * seconds for seconds in interleaved(clocks, rounds)]
    return list(zip(us[::2], us[1::2], strict=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.whole_query", description=__doc__)
    parser.add_argument("--reference", required=True, help="a Python that has tflite-support")
    parser.add_argument("--shared", type=Path, default=SHARED, help="where golden/ is")
    parser.add_argument("--rows", type=int, default=123_287, help="of the large text searcher")
    parser.add_argument("--rounds", type=int, default=9, help="of each, in turn")
    parser.add_argument("--check", action="store_true", help="exit with 1 if texts take longer")
    return parser


def main() -> int:
    """Measure, print, and with ``--check`` name the text searchers that take longer here."""
    arguments = _parser().parse_args()
    print(about(("numpy", "numba", "ai-edge-litert")), flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Reference(arguments.reference)) as reference,
    ):
        cases = list(_cases(reference, Path(folder), arguments))
        times = _times(reference, cases, arguments.rounds)
    print("\n| µs a query | Task Library | scannlite | ratio |\n|---|---|---|---|")
    slower = []
    for case, (theirs, ours) in zip(cases, times, strict=True):
        print(f"| {case.name} | {theirs:.1f} | {ours:.1f} | {ours / theirs:.2f} |")
        if ours > theirs and case.name.startswith("text"):
            slower.append(f"{case.name}: {ours / theirs:.2f} of Task Library's time, not below 1")
    for words in slower:
        print(words, file=sys.stderr)
    return 1 if arguments.check and slower else 0


if __name__ == "__main__":
    sys.exit(main())
