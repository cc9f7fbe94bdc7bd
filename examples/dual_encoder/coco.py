"""The large case: pictures with captions in the layout of COCO.

``annotations/captions_train2017.json`` names the pictures of the folder ``train2017`` and has about
five captions for each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.dual_encoder.training import Captions
from examples.dual_encoder.vocabulary import Vocabulary
from scannlite.embedders.pictures import decode_image
from scannlite.embedders.resize import resize
from scannlite.scenes.dice import Dice
from scannlite.scenes.words import words_of

__all__ = ["LENGTH", "Captioned", "captions_of", "chunks_of", "read_coco", "vocabulary_of"]

LENGTH = 32  # words of a caption at most
_CHUNK = 64  # pictures in memory at once
_GREY = 2  # dimensions of a picture without colours


@dataclass(frozen=True)
class Captioned:
    """A picture and what people said of it."""

    path: Path
    captions: tuple[str, ...]


def read_coco(annotations: Path, folder: Path) -> list[Captioned]:
    """The pictures that have captions, in the order of the file.

    Args:
        annotations: a ``captions_*.json``.
        folder: of the pictures.
    """
    content = json.loads(annotations.read_text(encoding="utf-8"))
    captions: dict[int, list[str]] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        captions[annotation["image_id"]].append(annotation["caption"])
    return [
        Captioned(folder / image["file_name"], tuple(captions[image["id"]]))
        for image in content["images"]
        if captions[image["id"]]
    ]


def vocabulary_of(pictures: Sequence[Captioned], most: int = 10_000) -> Vocabulary:
    """The words that captions use most."""
    counts = Counter(
        word for picture in pictures for caption in picture.captions for word in words_of(caption)
    )
    return Vocabulary(word for word, _ in counts.most_common(most))


def chunks_of(pictures: Sequence[Captioned], side: int) -> Iterator[NDArray[np.uint8]]:
    """(n, side, side, 3), some at a time, resized as the Task Library does."""
    for at in range(0, len(pictures), _CHUNK):
        yield np.stack([_pixels(one.path, side) for one in pictures[at : at + _CHUNK]])


def _pixels(path: Path, side: int) -> NDArray[np.uint8]:
    pixels = decode_image(path)
    if pixels.ndim == _GREY:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return resize(pixels, side, side)


def captions_of(pictures: Sequence[Captioned], vocabulary: Vocabulary, dice: Dice) -> Captions:
    """One caption for each picture, true of that picture alone."""
    texts = [dice.of(picture.captions) for picture in pictures]
    words = vocabulary.encoded(texts, LENGTH)
    return Captions((words,), np.eye(len(pictures), dtype=np.bool_))
