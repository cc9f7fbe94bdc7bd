"""How good the dual encoder of scenes is: ``python -m bench.text_to_image``.

Draws scenes that were held out of its training, embeds them, and asks sentences by exact search and
by a ScaNN index. With ``--check`` it exits 1 where a bar is missed. It needs a runtime for .tflite
models, and no TensorFlow.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import scannlite as sl
from scannlite.demo.collection import options_of
from scannlite.embedders import Embedder, image_embedder, text_embedder
from scannlite.scenes.describe import Scene, scene_of
from scannlite.scenes.draw import draw
from scannlite.scenes.evaluate import Found, K, Score, questions_of, scores_of, summary_of
from scannlite.scenes.models import IMAGE_TOWER, TEXT_TOWER
from scannlite.types import Floats, Ids

SEED, QUESTIONS_SEED = 1, 2  # the towers were trained on scenes of seed 0
LEAST_PARTIAL, LEAST_FULL, MOST_LOST = 0.90, 0.60, 0.02  # of 20,000 rows and seen pairs

Ways = dict[str, list[Score]]
"""The scores of each way of searching, "exact" and "index"."""


def main() -> None:
    """Read the command line, measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--questions", type=int, default=100, help="of each kind")
    parser.add_argument("--image", type=Path, default=IMAGE_TOWER)
    parser.add_argument("--text", type=Path, default=TEXT_TOWER)
    parser.add_argument("--leaves-to-search", type=int, help="instead of the index's own")
    parser.add_argument("--check", action="store_true", help="exit 1 where a bar is missed")
    arguments = parser.parse_args()

    scenes = [scene_of(SEED, number) for number in range(arguments.rows)]
    started = time.perf_counter()
    rows = embedded(scenes, image_embedder(arguments.image, num_threads=1))
    print(f"{len(rows)} pictures drawn and embedded in {time.perf_counter() - started:.1f} s")
    asked = questions_of(scenes, QUESTIONS_SEED, arguments.questions)
    text = text_embedder(arguments.text, num_threads=1)
    index = sl.Index.build(rows, options_of(len(rows)), seed=0)
    print(repr(index))
    leaves = arguments.leaves_to_search
    ways = {
        "exact": scores_of(scenes, asked, exactly(rows, text)),
        "index": scores_of(scenes, asked, by_index(index, text, leaves)),
    }
    print_table(ways)
    if arguments.check and (missed := missed_bars(ways)):
        sys.exit("\n".join(missed))


def embedded(scenes: Sequence[Scene], tower: Embedder) -> Floats:
    """Each scene drawn and embedded, (n, d)."""
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda scene: tower.embed(draw(scene)), scenes)))


def exactly(rows: Floats, text: Embedder) -> Found:
    """Every picture is compared with the sentence."""

    def found(sentences: Sequence[str]) -> Ids:
        scores = text.embed_batch(sentences) @ rows.T
        return np.argsort(-scores, axis=1, kind="stable")[:, :K]

    return found


def by_index(index: sl.Index, text: Embedder, leaves: int | None) -> Found:
    """The index looks into a few leaves and compares codes."""

    def found(sentences: Sequence[str]) -> Ids:
        return index.search(text.embed_batch(sentences), k=K, leaves_to_search=leaves).ids

    return found


def print_table(ways: Ways) -> None:
    """A line a kind of sentence, those of seen pairs first."""
    print(f"{'sentences':12}{'pairs':>8}{'asked':>8}{'chance':>9}", *(f"{way:>8}" for way in ways))
    for unseen, pairs in ((False, "seen"), (True, "unseen")):
        columns = [[one for one in way if one.unseen == unseen] for way in ways.values()]
        for line in zip(*columns, strict=True):
            one = line[0]
            found = (f"{score.score:8.4f}" for score in line)
            print(f"{one.kind:12}{pairs:>8}{one.questions:>8}{one.chance:>9.4f}", *found)
        means = (f"{summary_of(way, unseen=unseen).partial:8.4f}" for way in ways.values())
        print(f"{'all partial':12}{pairs:>8}{'':17}", *means)


def missed_bars(ways: Ways) -> list[str]:
    """A sentence for each bar that sentences of seen pairs miss."""
    exact, index = (summary_of(ways[way], unseen=False) for way in ("exact", "index"))
    missed = []
    for name, least in (("partial", LEAST_PARTIAL), ("full", LEAST_FULL)):
        found, lost = getattr(index, name), getattr(exact, name) - getattr(index, name)
        if found < least:
            missed.append(f"{name}: the index scores {found:.4f}, the bar is {least}")
        if lost > MOST_LOST:
            missed.append(f"{name}: the index loses {lost:.4f}, the bar is {MOST_LOST}")
    return missed


if __name__ == "__main__":
    main()
