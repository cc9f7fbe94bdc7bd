"""Model Maker's options, which become those of the engine for the files of phones."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

from scannlite.engine import options as engine
from scannlite.engine.options import DEVICE_DISTANCES, Tree
from scannlite.errors import InvalidInput

__all__ = ["ScaNNOptions", "ScoreAH", "ScoreBruteForce", "Tree"]


@dataclass(frozen=True)
class ScoreAH:
    """Codes of one byte a block, 256 centers each, scored by tables of 8-bit numbers.

    Attributes:
        dimensions_per_block: b; where it does not divide d the last block is shorter.
        anisotropic_quantization_threshold: T: errors along a row count more for rows that score
            above it. None or NaN for off.
        training_sample_size: rows drawn at random for the codebooks.
        training_iterations: the most Lloyd steps for the codebooks.
    """

    dimensions_per_block: int
    anisotropic_quantization_threshold: float | None = None
    training_sample_size: int = 100_000
    training_iterations: int = 10

    def __post_init__(self) -> None:
        threshold = self.anisotropic_quantization_threshold
        if isinstance(threshold, float) and math.isnan(threshold):
            object.__setattr__(self, "anisotropic_quantization_threshold", None)
        self.for_engine()

    def for_engine(self) -> engine.ScoreAH:
        """The same for the engine, which checks it."""
        return engine.ScoreAH(**asdict(self), hash_type="lut256", residual_quantization=False)


@dataclass(frozen=True)
class ScoreBruteForce:
    """The rows themselves, as float32."""


@dataclass(frozen=True)
class ScaNNOptions:
    """What ``Searcher.create_from_data`` builds.

    Attributes:
        distance_measure: ``"dot_product"`` or ``"squared_l2"``.
        tree: partitions, or None to look at every row.
        score_ah: codes; exactly one of ``score_ah`` and ``score_brute_force`` is given.
        score_brute_force: no codes.
    """

    distance_measure: Literal["dot_product", "squared_l2"]
    tree: Tree | None = None
    score_ah: ScoreAH | None = None
    score_brute_force: ScoreBruteForce | None = None

    def __post_init__(self) -> None:
        if self.distance_measure not in DEVICE_DISTANCES:
            raise InvalidInput(
                "ScaNNOptions.distance_measure must be 'dot_product' or 'squared_l2', got "
                f"{self.distance_measure!r}."
            )
        for name, kind in (("score_ah", ScoreAH), ("score_brute_force", ScoreBruteForce)):
            part = getattr(self, name)
            if part is not None and not isinstance(part, kind):
                raise InvalidInput(
                    f"ScaNNOptions.{name} must be a searcher.{kind.__name__} or None, got {part!r}."
                )
        self.for_engine()

    def for_engine(self) -> engine.ScaNNOptions:
        """The same for the engine, which checks it."""
        return engine.ScaNNOptions(
            self.distance_measure,
            self.tree,
            score_ah=self.score_ah.for_engine() if self.score_ah else None,
            score_brute_force=engine.ScoreBruteForce() if self.score_brute_force else None,
            device=engine.Device(),
        )
