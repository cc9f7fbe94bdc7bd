"""The small case: drawn scenes, their pictures and their sentences."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial as filled

import numpy as np
from numpy.typing import NDArray

from examples.dual_encoder.training import Captions
from examples.dual_encoder.vocabulary import Vocabulary
from scannlite.embedders.resize import resize
from scannlite.scenes import words
from scannlite.scenes.describe import Scene, changed, scene_of
from scannlite.scenes.dice import Dice
from scannlite.scenes.draw import draw
from scannlite.scenes.meaning import Facts
from scannlite.scenes.sentences import KINDS, Sentence, full, partial

__all__ = ["LENGTH", "captions_of", "pictures_of", "training_scenes", "vocabulary"]

LENGTH = 48  # words of a sentence at most
_WHOLE = 16  # scenes for one of which a sentence tells all
# The harder a kind of sentence is to learn, the more often it is heard.
_KINDS = (*KINDS, "detail", "detail", "place", "pair", "relation")
_UNHEARD = "qwerty"


def training_scenes(seed: int, count: int) -> list[Scene]:
    """Scenes in pairs that differ in one attribute, without pairs of ``describe.UNSEEN``."""
    scenes = []
    for number in range(count // 2):
        scene = scene_of(seed, number, unseen=False)
        scenes += [scene, changed(scene, Dice(seed, number, 1))]
    return scenes


def pictures_of(scenes: Sequence[Scene], side: int) -> NDArray[np.uint8]:
    """(n, side, side, 3), resized as the Task Library does."""
    with ProcessPoolExecutor() as pool:
        return np.stack(list(pool.map(filled(_picture, side), scenes, chunksize=100)))


def _picture(side: int, scene: Scene) -> NDArray[np.uint8]:
    return resize(draw(scene), side, side)


def captions_of(scenes: Sequence[Scene], vocabulary: Vocabulary, dice: Dice) -> Captions:
    """A new sentence about each scene, and which of all these scenes each is true of."""
    whole = [full(scene, dice) for scene in scenes[::_WHOLE]]
    parts = [partial(dice.of(_KINDS), scene, dice) for scene in scenes]
    parts.sort(key=lambda sentence: len(words.words_of(sentence.text)))
    half = len(parts) // 2
    groups = [group for group in (whole, parts[:half], parts[half:]) if group]
    facts = Facts(scenes)
    truth = [facts.satisfying(sentence.meaning) for group in groups for sentence in group]
    encoded = tuple(_encoded(group, vocabulary, dice) for group in groups)
    return Captions(encoded, np.stack(truth))


def _encoded(
    sentences: Sequence[Sentence], vocabulary: Vocabulary, dice: Dice
) -> NDArray[np.int32]:
    """(q, L) int32, no longer than the longest of them."""
    texts = [_interrupted(sentence.text, dice) for sentence in sentences]
    longest = max(len(words.words_of(text)) for text in texts)
    return vocabulary.encoded(texts, min(longest, LENGTH))


def _interrupted(text: str, dice: Dice) -> str:
    """One sentence in eight with a word that is not known, which is not to matter."""
    if dice.below(8):
        return text
    spoken = text.split()
    spoken.insert(dice.below(len(spoken) + 1), _UNHEARD)
    return " ".join(spoken)


def vocabulary() -> Vocabulary:
    """Every word that sentences about scenes are made of."""
    return Vocabulary(words.every_word(), words.OTHER_SPELLINGS)
