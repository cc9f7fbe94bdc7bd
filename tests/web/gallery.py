"""A small gallery: pictures of one coloured shape each, and searchers that know their words.

A picture's embedding is its pixels at 4 × 4, and a word's is the mean of the pictures that have it
in their name, so that "red circle" finds red circles, and a picture its likes. Rows without a
picture are found as "odd".
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scannlite import Index, ScaNNOptions, ScoreAH, Tree
from scannlite.embedders.image import image_embedder
from scannlite.embedders.pictures import decode_image
from scannlite.types import AnyArray
from tests.embedders import tiny_models as models

__all__ = ["HOSTILE", "Gallery", "draw", "make_gallery"]

COLOURS = {
    "red": (205, 60, 50),
    "orange": (233, 141, 52),
    "yellow": (240, 203, 72),
    "green": (66, 145, 88),
    "blue": (52, 106, 184),
    "violet": (126, 84, 166),
}
SHAPES = ("circle", "square", "triangle", "ring", "cross")
GROUNDS = ((240, 236, 226), (34, 40, 49), (198, 216, 224))
SIDE, WORDS = 160, 4
FAR = np.float32(2)  # pixels are from -1 to 1
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}${7*7}",
    "\u202egnp.exe",
]


@dataclass(frozen=True)
class Gallery:
    """Files of one gallery.

    Attributes:
        folder: of pictures.
        names: of its pictures, by row.
        searcher: of texts, with the index inside.
        image_searcher: of pictures, with the same index inside.
        image_embedder: of pictures, without.
    """

    folder: Path
    searcher: Path
    image_searcher: Path
    image_embedder: Path
    names: list[str] = field(default_factory=list)


def make_gallery(home: Path, *, copies: int = 3, extra: tuple[str, ...] = ()) -> Gallery:
    """Draw, embed, index and save.

    Args:
        home: an empty folder.
        copies: pictures of each colour and shape.
        extra: metadata of more rows, which have no picture.
    """
    folder = home / "pictures"
    folder.mkdir()
    image_model = home / "image.tflite"
    pixels = models.image_model(4, 4, dtype="float32", mean=127.5, std=127.5)
    image_model.write_bytes(pixels)
    names = []
    for colour, shape, copy in itertools.product(COLOURS, SHAPES, range(copies)):
        names.append(f"{colour}_{shape}_{copy:02}.png")
        draw(colour, shape, copy).save(folder / names[-1])
    embedder = image_embedder(image_model, num_threads=1)
    rows = np.stack([embedder.embed(decode_image(folder / name)) for name in names])
    text_model = home / "text.tflite"
    text_model.write_bytes(text_tower(rows, names))
    rows = np.concatenate([rows, np.full((len(extra), rows.shape[1]), FAR, np.float32)])
    options = ScaNNOptions("squared_l2", tree=Tree(9, 3), score_ah=ScoreAH(2)).for_device()
    index = Index.build(rows, options, metadata=[*names, *extra], seed=0)
    gallery = Gallery(
        folder, home / "searcher.tflite", home / "image_searcher.tflite", image_model, names
    )
    index.save(gallery.searcher, embedder=text_model)
    index.save(gallery.image_searcher, embedder=image_model)
    return gallery


def text_tower(rows: AnyArray, names: list[str]) -> bytes:
    """A model that adds up what the words of a text mean, and what is common to all pictures."""
    common, words = rows.mean(0), [*COLOURS, *SHAPES, "odd"]
    meanings = [rows[[word in name for name in names]].mean(0) - common for word in words[:-1]]
    table = np.stack([np.zeros_like(common), *meanings, FAR - common]) + common / WORDS
    lines = ["<PAD> 0", "<UNKNOWN> 0", *(f"{word} {row}" for row, word in enumerate(words, 1))]
    return models.regex_model(table, length=WORDS, vocabulary=("\n".join(lines) + "\n").encode())


def draw(colour: str, shape: str, seed: int) -> Any:
    """A picture of one shape somewhere."""
    image_module = pytest.importorskip("PIL.Image", reason="pictures are drawn with Pillow")
    drawing = pytest.importorskip("PIL.ImageDraw")
    rng = np.random.default_rng([seed, SHAPES.index(shape), list(COLOURS).index(colour)])
    ground = GROUNDS[seed % len(GROUNDS)]
    image = image_module.new("RGB", (4 * SIDE, 4 * SIDE), ground)
    pen, ink = drawing.Draw(image), COLOURS[colour]
    x, y = (rng.uniform(-0.1, 0.1, 2) + 0.5) * 4 * SIDE
    size = rng.uniform(0.26, 0.36) * 4 * SIDE
    around = [x - size, y - size, x + size, y + size]
    if shape == "circle":
        pen.ellipse(around, fill=ink)
    elif shape == "ring":
        pen.ellipse(around, outline=ink, width=int(size / 2.4))
    elif shape == "square":
        pen.regular_polygon((x, y, size * 1.2), 4, rotation=int(rng.integers(0, 30)), fill=ink)
    elif shape == "triangle":
        pen.regular_polygon((x, y, size * 1.2), 3, rotation=int(rng.integers(-15, 15)), fill=ink)
    else:
        pen.line([x - size, y, x + size, y], fill=ink, width=int(size / 1.6))
        pen.line([x, y - size, x, y + size], fill=ink, width=int(size / 1.6))
    return image.resize((SIDE, SIDE), image_module.Resampling.LANCZOS)
