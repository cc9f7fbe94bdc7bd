"""Train the small case: ``python -m examples.dual_encoder.train --out DIR``."""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from examples.dual_encoder import scenes as small
from examples.dual_encoder.export import exported_image_tower, exported_text_tower
from examples.dual_encoder.naming import CHOICES, learn_to_name, names_of
from examples.dual_encoder.towers import cells_trunk, head_of, joined, text_tower
from examples.dual_encoder.training import Batch, Schedule, Trained, chunked, fit, seen_by
from examples.dual_encoder.validation import recall_at
from scannlite.scenes.describe import scene_of
from scannlite.scenes.dice import Dice
from scannlite.scenes.sentences import full

__all__ = ["Plan", "train"]

_HELD_OUT = 1 << 20  # added to the seed: scenes that are validated on are never trained on
# Only sentences ask here. To rank all sentences for a picture as well takes room from what they
# find, in a space of so few dimensions.
_BACK = 0.1


@dataclass(frozen=True)
class Plan:
    """How much is learned from.

    Attributes:
        seed: of scenes, sentences, weights and order.
        scenes: drawn for training.
        epochs: how often each is looked at while the trunk learns to see.
        steps: batches while sentences are learned.
        batch: scenes of one.
        held_out: scenes to validate on.
        threads: of TensorFlow.
    """

    seed: int = 0
    scenes: int = 100_000
    epochs: int = 1
    steps: int = 2_000
    batch: int = 2_048
    held_out: int = 2_000
    threads: int = 2


def train(plan: Plan, say: Callable[[str], None]) -> Trained:
    """Draw, learn to see, learn the sentences, validate and export.

    Args:
        plan: how much of each.
        say: told how far it is.
    """
    keras.utils.set_random_seed(plan.seed)
    scenes = small.training_scenes(plan.seed, plan.scenes)
    trunk = cells_trunk(CHOICES)
    pictures = small.pictures_of(scenes, trunk.input_shape[1])
    say(f"{len(scenes)} scenes drawn")
    learn_to_name(trunk, pictures, names_of(scenes), plan.epochs, _every(100, say, "naming"))
    seen = seen_by(trunk, chunked(pictures)).astype(np.float16)

    vocabulary = small.vocabulary()
    head, tower = head_of(trunk), text_tower(len(vocabulary))
    order = _order(plan)

    def batch_of(step: int) -> Batch:
        rows = order[step]
        dice = Dice(plan.seed, step, 2)
        captions = small.captions_of([scenes[row] for row in rows], vocabulary, dice)
        return Batch(seen[rows], captions)

    schedule = Schedule(plan.steps, rate=3e-3, back=_BACK)
    fit(head, tower, batch_of, schedule, _every(100, say, "sentences"))
    image_tower = joined(trunk, head)
    figures = _validated(plan, image_tower, tower)
    about = f"Scenes of scannlite, seed {plan.seed}."
    return Trained(
        exported_image_tower(image_tower, about),
        exported_text_tower(tower, vocabulary, small.LENGTH, about),
        figures,
    )


def _order(plan: Plan) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Which scenes are in each batch, (steps, batch): pairs stay together, as hard negatives."""
    dice = np.random.default_rng(plan.seed)
    pairs = plan.scenes // 2
    rounds = -(-plan.steps * plan.batch // plan.scenes) + 1
    shuffled = np.concatenate([dice.permutation(pairs) for _ in range(rounds)])
    rows = np.stack([2 * shuffled, 2 * shuffled + 1], axis=1).reshape(-1)
    return rows[: plan.steps * plan.batch].reshape(plan.steps, plan.batch)


def _validated(plan: Plan, image: keras.Model, text: keras.Model) -> dict[str, float]:
    """Recall of the picture that a full sentence was made of, among held-out scenes."""
    scenes = [scene_of(plan.seed + _HELD_OUT, number) for number in range(plan.held_out)]
    pictures = small.pictures_of(scenes, image.input_shape[1])
    sentences = [full(scene, Dice(plan.seed, number, 3)) for number, scene in enumerate(scenes)]
    words = small.vocabulary().encoded([sentence.text for sentence in sentences], small.LENGTH)
    return recall_at(
        seen_by(text, chunked(words)), seen_by(image, chunked(pictures)), np.arange(len(scenes))
    )


def _every(count: int, say: Callable[[str], None], stage: str) -> Callable[..., None]:
    """A report that speaks once in so many steps."""
    started = time.perf_counter()

    def report(step: int, loss: float, *more: float) -> None:
        if step % count == 0:
            seconds = time.perf_counter() - started
            numbers = " ".join(f"{number:.3f}" for number in (loss, *more))
            say(f"{stage}, step {step}: {numbers} after {seconds:.0f} s")

    return report


def main() -> None:
    """Read the command line, train, and write what was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of what is made")
    for name, value in asdict(Plan()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    arguments = vars(parser.parse_args())
    out = arguments.pop("out")
    plan = Plan(**arguments)
    tf.config.threading.set_intra_op_parallelism_threads(plan.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    started = time.perf_counter()
    trained = train(plan, lambda words: print(words, flush=True))
    made = {
        "command": "python -m examples.dual_encoder.train --out DIR",
        "plan": asdict(plan),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        "seconds": round(time.perf_counter() - started),
        "validation": trained.figures,
    }
    trained.write(out)
    (out / "made.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(made, indent=2))


if __name__ == "__main__":
    main()
