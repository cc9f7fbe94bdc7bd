"""Train the large case: ``python -m examples.dual_encoder.train_coco --help``.

EfficientNet stays as it is; what it sees in each picture is computed once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from examples.dual_encoder import coco
from examples.dual_encoder.export import exported_image_tower, exported_text_tower
from examples.dual_encoder.towers import efficientnet_trunk, head_of, joined, text_tower
from examples.dual_encoder.training import Batch, Schedule, Trained, chunked, fit, seen_by
from examples.dual_encoder.validation import recall_at
from scannlite.scenes.dice import Dice

__all__ = ["Plan", "train"]


@dataclass(frozen=True)
class Plan:
    """How much is learned, and from what.

    Attributes:
        seed: of weights and order.
        epochs: how often each picture is looked at.
        batch: pictures of one.
        side: of the pictures, in pixels.
        weights: of EfficientNet, ``"imagenet"`` or None for random ones.
        width: of a word in the tower of sentences.
    """

    seed: int = 0
    epochs: int = 20
    batch: int = 256
    side: int = 224
    weights: str | None = "imagenet"
    width: int = 256


def train(
    plan: Plan,
    pictures: Sequence[coco.Captioned],
    held_out: Sequence[coco.Captioned],
    say: Callable[[str], None],
) -> Trained:
    """Learn from captions, validate on held-out ones, and export.

    Args:
        plan: how much.
        pictures: to learn from, at least as many as a batch has.
        held_out: to validate on.
        say: told how far it is.
    """
    keras.utils.set_random_seed(plan.seed)
    trunk = efficientnet_trunk(plan.side, plan.weights)
    seen = seen_by(trunk, coco.chunks_of(pictures, plan.side))
    say(f"{len(seen)} pictures seen")
    vocabulary = coco.vocabulary_of(pictures)
    head = head_of(trunk)
    tower = text_tower(len(vocabulary), width=plan.width)
    each = len(pictures) // plan.batch
    dice = np.random.default_rng(plan.seed)
    order = [dice.permutation(len(pictures)) for _ in range(plan.epochs)]

    def batch_of(step: int) -> Batch:
        epoch, number = divmod(step, each)
        rows = order[epoch][number * plan.batch : (number + 1) * plan.batch]
        chosen = [pictures[row] for row in rows]
        return Batch(seen[rows], coco.captions_of(chosen, vocabulary, Dice(plan.seed, step)))

    def report(step: int, loss: float, scale: float) -> None:
        if step % each == 0:
            say(f"epoch {step // each}: loss {loss:.3f}, scale {scale:.1f}")

    fit(head, tower, batch_of, Schedule(plan.epochs * each, rate=1e-3), report)
    asked = coco.captions_of(held_out, vocabulary, Dice(plan.seed, 0))
    found = head.predict(seen_by(trunk, coco.chunks_of(held_out, plan.side)), verbose=0)
    figures = recall_at(seen_by(tower, chunked(asked.words[0])), found, np.arange(len(held_out)))
    about = "Photographs with captions, in the layout of COCO."
    return Trained(
        exported_image_tower(joined(trunk, head), about),
        exported_text_tower(tower, vocabulary, coco.LENGTH, about),
        figures,
    )


def main() -> None:
    """Read the command line, train, and write both towers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coco", type=Path, required=True, help="folder of annotations, train2017")
    parser.add_argument("--out", type=Path, required=True, help="folder of what is made")
    parser.add_argument("--epochs", type=int, default=Plan.epochs)
    parser.add_argument("--batch", type=int, default=Plan.batch)
    parser.add_argument("--held-out", type=int, default=5_000)
    parser.add_argument("--random-weights", action="store_true", help="where there is no network")
    asked = parser.parse_args()
    annotations = asked.coco / "annotations" / "captions_train2017.json"
    pictures = coco.read_coco(annotations, asked.coco / "train2017")
    weights = None if asked.random_weights else "imagenet"
    plan = Plan(epochs=asked.epochs, batch=asked.batch, weights=weights)
    rest, held_out = pictures[asked.held_out :], pictures[: asked.held_out]
    trained = train(plan, rest, held_out, lambda words: print(words, flush=True))
    trained.write(asked.out)
    print(trained.figures)


if __name__ == "__main__":
    main()
