"""Pictures drawn, embedded, and indexed inside a model of sentences; kept from run to run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from scannlite import __version__
from scannlite.embedders.checkpoint import fingerprint_of
from scannlite.embedders.embedder import Embedder
from scannlite.embedders.image import image_embedder
from scannlite.embedders.loading import Item, embed_all
from scannlite.embedders.text import text_embedder
from scannlite.engine.index import Index
from scannlite.engine.options import ScaNNOptions, ScoreAH, Tree
from scannlite.errors import IndexFileError, InvalidInput
from scannlite.scenes.describe import Scene, scene_of
from scannlite.scenes.draw import draw
from scannlite.scenes.models import IMAGE_TOWER, TEXT_TOWER
from scannlite.types import Floats, Ids, Progress

__all__ = ["FULL_ROWS", "Collection", "collect", "name_of", "options_of"]

SEED = 1  # of the scenes: the towers were trained on those of seed 0
LEAST_ROWS, FULL_ROWS = 1_000, 123_287
_FULL_TREE = Tree(351, 4)  # the article's
# Of the leaves of a smaller collection. Of 20,000 pictures these are 16 of 141, which lose up to
# 0.004 of partial sentences and 0.012 of full ones; half as many lose 0.04 of full ones.
_SHARE_SEARCHED = 0.11
_BYTES_A_ROW = 1_024  # of embeddings and searcher, with room to spare
_SPARE_BYTES = 32 << 20


@dataclass(frozen=True)
class Collection:
    """Pictures that can be asked for.

    Attributes:
        scenes: n of them; a picture is known by its row in here.
        rows: (n, d), an embedding each.
        text: embeds sentences in the same space; from the searcher's own file.
        index: of the pictures; likewise.
        row_of: (n,), the row of each of the index's ids.
        searcher: the ``.tflite`` file that holds both.
        embed_seconds: how long drawing and embedding took, next to nothing where all was kept.
        build_seconds: how long building and exporting took; None where the searcher was kept.
    """

    scenes: Sequence[Scene]
    rows: Floats
    text: Embedder
    index: Index
    row_of: Ids
    searcher: Path
    embed_seconds: float
    build_seconds: float | None


def collect(n: int, folder: Path, progress: Progress) -> Collection:
    """Draw and embed the first n scenes, and export a searcher of them.

    What the folder holds of an earlier run is used again, also where that run was stopped.

    Args:
        n: pictures, at least 1,000.
        folder: where embeddings and searcher are kept; made if missing.
        progress: told what is done, and how far.

    Raises:
        InvalidInput: n is too small, or another demo is at work in the folder.
        MissingExtra: no runtime for models is installed.
        OSError: the folder cannot be written to, or has no room.
    """
    if n < LEAST_ROWS:
        raise InvalidInput(f"rows must be a whole number from {LEAST_ROWS:,}, got {n}.")
    image = image_embedder(IMAGE_TOWER, num_threads=1)
    folder.mkdir(parents=True, exist_ok=True)
    _check_room(folder, n)
    scenes = [scene_of(SEED, number) for number in range(n)]
    started = time.perf_counter()
    rows = _embedded(scenes, image, folder, progress)
    embed_seconds = time.perf_counter() - started
    searcher = folder / "searcher.tflite"
    index, build_seconds = _indexed(rows, searcher, progress)
    return Collection(
        scenes=scenes,
        rows=rows,
        text=text_embedder(searcher, num_threads=1),
        index=index,
        row_of=np.array([_number_in(name) for name in index.metadata or ()], np.int64),
        searcher=searcher,
        embed_seconds=embed_seconds,
        build_seconds=build_seconds,
    )


def options_of(n: int) -> ScaNNOptions:
    """As in the article: 351 leaves of which 4 are searched, a code for each dimension.

    Fewer pictures have leaves about their square root, and more of them are searched: so many that
    the picture which a full sentence was written for is hardly ever in another.
    """
    leaves = round(n**0.5)
    tree = _FULL_TREE if n == FULL_ROWS else Tree(leaves, round(_SHARE_SEARCHED * leaves))
    return ScaNNOptions("dot_product", tree=tree, score_ah=ScoreAH(1, 0.2)).for_device()


def name_of(row: int) -> str:
    """What the index knows a picture by."""
    return f"{row:06}.jpg"


def _number_in(name: Any) -> int:
    return int(bytes(name).partition(b".")[0])


def _check_room(folder: Path, n: int) -> None:
    """Better told before the work than after a minute of it."""
    needed, free = n * _BYTES_A_ROW + _SPARE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise InvalidInput(
            f"output must be a folder on a disk with {needed / 1e6:,.0f} MB free, "
            f"got {str(folder)!r} with {free / 1e6:,.0f} MB."
        )


def _embedded(scenes: Sequence[Scene], image: Embedder, folder: Path, progress: Progress) -> Floats:
    """An embedding of each scene's picture, (n, d)."""

    def told(_: str, done: int, total: int) -> None:
        progress("draw and embed", done, total)

    items = [_item(row, scene) for row, scene in enumerate(scenes)]
    checkpoint = folder / f"embeddings-{fingerprint_of(image).hex()[:8]}.bin"
    return embed_all(image, items, checkpoint=checkpoint, progress=told).rows


def _item(row: int, scene: Scene) -> Item:
    """A picture, its embedding kept by what it is drawn from: that is quicker than its pixels."""
    description = f"{__version__} {scene!r}"
    return Item(name_of(row), description.encode, lambda _: draw(scene))


def _indexed(rows: Floats, searcher: Path, progress: Progress) -> tuple[Index, float | None]:
    """The index in a searcher's file, and the seconds that making it took, if it was made."""
    options = options_of(len(rows))
    info = _info(rows, options)
    try:
        index = Index.load(searcher)
        if index.userinfo == info:
            return index, None
    except (IndexFileError, FileNotFoundError):
        pass  # damaged, or not there: it is made
    started = time.perf_counter()
    names = [name_of(row) for row in range(len(rows))]
    made = Index.build(rows, options, metadata=names, seed=0, progress=progress)
    made.save(searcher, userinfo=info, embedder=TEXT_TOWER)
    return Index.load(searcher), time.perf_counter() - started


def _info(rows: Floats, options: ScaNNOptions) -> bytes:
    """What a searcher was made of: another is made where any of it has changed."""
    digest = blake2b(rows.data, digest_size=16)
    digest.update(repr(options).encode() + TEXT_TOWER.read_bytes())
    return f"scannlite {__version__} demo {digest.hexdigest()}".encode()
