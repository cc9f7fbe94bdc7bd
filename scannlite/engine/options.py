"""The choices of a build, as small frozen dataclasses under ScaNN's and Model Maker's names.

Each checks itself when made. ``None`` means off. Whatever can differ from search to search
(``leaves_to_search``, ``pre_reorder_num_neighbors``) has its default here and is an argument of
``Index.search``.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from scannlite.errors import InvalidInput
from scannlite.types import Distance

__all__ = ["Device", "LookupType", "Reorder", "ScaNNOptions", "ScoreAH", "ScoreBruteForce", "Tree"]

HashType = Literal["lut16", "lut256"]
EtaFormula = Literal["exact", "asymptotic"]
LookupType = Literal["float", "int16", "int8"]


def _whole(owner: str, name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise InvalidInput(f"{owner}.{name} must be a whole number from {least}, got {value!r}.")


def _flag(owner: str, name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidInput(f"{owner}.{name} must be True or False, got {value!r}.")


def _choice(owner: str, name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        names = ", ".join(repr(choice) for choice in allowed)
        raise InvalidInput(f"{owner}.{name} must be one of {names}, got {value!r}.")


def _plain(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dictionary in which NumPy's whole numbers, which JSON does not know, are Python's."""
    return {
        name: operator.index(value) if isinstance(value, np.integer) else value
        for name, value in fields
    }


def _threshold(owner: str, value: object) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is not None and not (number and math.isfinite(value) and value > 0):  # type: ignore[operator, arg-type]
        raise InvalidInput(
            f"{owner}.anisotropic_quantization_threshold must be a positive number, or None for "
            f"off, got {value!r}."
        )


@dataclass(frozen=True)
class Tree:
    """How rows are parted into leaves by k-means, and how many leaves a query looks into.

    Attributes:
        num_leaves: L, the number of k-means partitions; about the square root of n is right.
        num_leaves_to_search: p, the default number of leaves a query scans.
        training_sample_size: rows drawn at random for k-means.
        min_partition_size: while training, leaves smaller than this are started anew.
        training_iterations: the most Lloyd steps.
        spherical: keep centroids at unit length.
        quantize_centroids: here for compatibility and always so: queries meet int8 centroids.
        random_init: start from random rows; False starts with k-means++.
    """

    num_leaves: int
    num_leaves_to_search: int
    training_sample_size: int = 100_000
    min_partition_size: int = 50
    training_iterations: int = 12
    spherical: bool = False
    quantize_centroids: bool = False
    random_init: bool = True

    def __post_init__(self) -> None:
        for name in ("num_leaves", "num_leaves_to_search", "training_sample_size"):
            _whole("Tree", name, getattr(self, name), 1)
        for name in ("min_partition_size", "training_iterations"):
            _whole("Tree", name, getattr(self, name), 0)
        for name in ("spherical", "quantize_centroids", "random_init"):
            _flag("Tree", name, getattr(self, name))
        if self.num_leaves_to_search > self.num_leaves:
            raise InvalidInput(
                f"Tree.num_leaves_to_search must be from 1 to num_leaves ({self.num_leaves}), "
                f"got {self.num_leaves_to_search}."
            )


@dataclass(frozen=True)
class ScoreAH:
    """Asymmetric hashing: short codes for the rows, lookup tables for the query.

    Attributes:
        dimensions_per_block: b; where it does not divide d the last block is shorter.
        anisotropic_quantization_threshold: T of the score-aware loss: errors along the row count
            more for the rows that score above T. None for plain nearest codewords.
        training_sample_size: rows drawn at random for the codebooks.
        training_iterations: the most Lloyd steps for the codebooks.
        hash_type: ``"lut16"``, 16 centers and 4 bits a block, scanned in SIMD registers, or
            ``"lut256"``, 256 centers and 8 bits a block, as the device files hold.
        residual_quantization: encode what the leaf's centroid leaves over. None: with a tree, yes.
        projection: dimensions kept of what is encoded, after a rotation that gives every block its
            fair share of the variance; up to d. None encodes the dimensions as they are.
        eta_formula: how T becomes the weight of the error along the row. ``"exact"`` holds for
            any d; ``"asymptotic"`` is ScaNN's, which for small d or long rows does nothing.
    """

    dimensions_per_block: int
    anisotropic_quantization_threshold: float | None = None
    training_sample_size: int = 100_000
    training_iterations: int = 10
    hash_type: HashType = "lut16"
    residual_quantization: bool | None = None
    projection: int | None = None
    eta_formula: EtaFormula = "exact"

    def __post_init__(self) -> None:
        _whole("ScoreAH", "dimensions_per_block", self.dimensions_per_block, 1)
        _threshold("ScoreAH", self.anisotropic_quantization_threshold)
        _whole("ScoreAH", "training_sample_size", self.training_sample_size, 1)
        _whole("ScoreAH", "training_iterations", self.training_iterations, 0)
        _choice("ScoreAH", "hash_type", self.hash_type, get_args(HashType))
        _choice("ScoreAH", "eta_formula", self.eta_formula, get_args(EtaFormula))
        if self.projection is not None:
            _whole("ScoreAH", "projection", self.projection, 1)
        if self.residual_quantization is not None:
            _flag("ScoreAH", "residual_quantization", self.residual_quantization)

    @property
    def centers(self) -> int:
        """c, the centers a block."""
        return 16 if self.hash_type == "lut16" else 256


@dataclass(frozen=True)
class ScoreBruteForce:
    """Score every row of the leaves searched, without codes.

    Attributes:
        quantize: keep one signed byte a dimension instead of float32.
    """

    quantize: bool = False

    def __post_init__(self) -> None:
        _flag("ScoreBruteForce", "quantize", self.quantize)


@dataclass(frozen=True)
class Reorder:
    """Score the best candidates again, closer to the truth.

    Attributes:
        reordering_num_neighbors: R, the default number of candidates scored again.
        quantize: keep rows in one signed byte a dimension, instead of the 24 bits that are as
            good as float32.
        anisotropic_quantization_threshold: T for the rounding of those bytes; None rounds to the
            nearest.
    """

    reordering_num_neighbors: int
    quantize: bool = False
    anisotropic_quantization_threshold: float | None = None

    def __post_init__(self) -> None:
        _whole("Reorder", "reordering_num_neighbors", self.reordering_num_neighbors, 1)
        _flag("Reorder", "quantize", self.quantize)
        _threshold("Reorder", self.anisotropic_quantization_threshold)
        if self.anisotropic_quantization_threshold is not None and not self.quantize:
            raise InvalidInput(
                "Reorder.anisotropic_quantization_threshold must be None unless quantize is True, "
                f"got {self.anisotropic_quantization_threshold!r}."
            )


@dataclass(frozen=True)
class Device:
    """Keep and score rows as the searcher on phones does, so that its files can hold the index.

    ``ScaNNOptions.for_device`` gives it. The fields beyond the first are what a file may say that
    was not made here.

    Attributes:
        lookup_type: numbers of the lookup tables: ``"int8"``, as Model Maker has it, ``"int16"`` or
            ``"float"``.
        num_centers: c, centers a block, where they are not as many as the hash type has.
        block_dims: dimensions of each block, where they are not all alike but for the last.
        partition_distance: what ranks leaves, where it is not the distance measure.
        search_fraction: of the leaves, as a file says it; None writes what gives exactly
            ``num_leaves_to_search``.
    """

    lookup_type: LookupType = "int8"
    num_centers: int | None = None
    block_dims: tuple[int, ...] | None = None
    partition_distance: Distance | None = None
    search_fraction: float | None = None

    def __post_init__(self) -> None:
        _choice("Device", "lookup_type", self.lookup_type, get_args(LookupType))
        if self.num_centers is not None:
            _whole("Device", "num_centers", self.num_centers, 1)
            if self.num_centers > 256:
                raise InvalidInput(
                    f"Device.num_centers must be from 1 to 256, got {self.num_centers}."
                )
        if self.block_dims is not None:
            object.__setattr__(self, "block_dims", tuple(self.block_dims))
            for dims in self.block_dims:
                _whole("Device", "block_dims", dims, 1)
        if self.partition_distance is not None:
            _choice("Device", "partition_distance", self.partition_distance, DEVICE_DISTANCES)
        fraction = self.search_fraction
        if fraction is not None and not (isinstance(fraction, (int, float)) and fraction > 0):
            raise InvalidInput(
                f"Device.search_fraction must be a number above 0 or None, got {fraction!r}."
            )


DEVICE_DISTANCES = ("dot_product", "squared_l2")


@dataclass(frozen=True)
class ScaNNOptions:
    """Everything a build decides.

    Attributes:
        distance_measure: ``"dot_product"``, ``"squared_l2"`` or ``"cosine"``.
        tree: partitions, or None to look at every row.
        score_ah: codes; exactly one of ``score_ah`` and ``score_brute_force`` is given.
        score_brute_force: no codes.
        reorder: rescoring of what the codes found, or None.
        device: for the files of phones, or None.
    """

    distance_measure: Distance
    tree: Tree | None = None
    score_ah: ScoreAH | None = None
    score_brute_force: ScoreBruteForce | None = None
    reorder: Reorder | None = None
    device: Device | None = None

    def __post_init__(self) -> None:
        _choice("ScaNNOptions", "distance_measure", self.distance_measure, get_args(Distance))
        for name, kind in _PARTS.items():
            part = getattr(self, name)
            if part is not None and not isinstance(part, kind):
                raise InvalidInput(
                    f"ScaNNOptions.{name} must be a {kind.__name__} or None, got {part!r}."
                )
        if (self.score_ah is None) == (self.score_brute_force is None):
            came = "neither" if self.score_ah is None else "both"
            raise InvalidInput(
                f"ScaNNOptions needs exactly one of score_ah and score_brute_force, got {came}."
            )
        if self.reorder is not None and self.score_brute_force is not None:
            raise InvalidInput(
                "ScaNNOptions.reorder must be None with score_brute_force, which already scores "
                f"the rows themselves, got {self.reorder!r}."
            )

        wants_residual = self.score_ah is not None and self.score_ah.residual_quantization
        if wants_residual and self.tree is None:
            raise InvalidInput(
                "ScoreAH.residual_quantization must be False or None without a tree, got True."
            )
        if self.device is not None and self.beyond_devices:
            raise InvalidInput(
                "ScaNNOptions.device must be None with what device files cannot hold, got "
                f"{', '.join(self.beyond_devices)}: for_device() leaves it out."
            )

    @property
    def beyond_devices(self) -> list[str]:
        """What of these options the files of phones cannot hold, in words."""
        ah, exact = self.score_ah, self.score_brute_force
        found = {
            "cosine distances": self.distance_measure == "cosine",
            "residual codes": self.residual,
            "rotated codes": ah is not None and ah.projection is not None,
            "rescoring": self.reorder is not None,
            "int8 vectors": exact is not None and exact.quantize,
        }
        return [words for words, there in found.items() if there]

    def for_device(self) -> ScaNNOptions:
        """These options less what the files of phones (``.ldb``, ``.tflite``) cannot hold.

        Codes get 8 bits a block and describe the rows themselves; nothing is scored again.

        Raises:
            InvalidInput: the distance measure is ``"cosine"``, which devices do not know.
        """
        if self.distance_measure == "cosine":
            raise InvalidInput(
                "ScaNNOptions.distance_measure must be 'dot_product' or 'squared_l2' for devices, "
                "got 'cosine': bring rows and queries to length 1 and take 'dot_product'."
            )
        ah = self.score_ah
        if ah is not None:
            ah = replace(ah, hash_type="lut256", residual_quantization=False, projection=None)
        exact = self.score_brute_force and ScoreBruteForce()
        return ScaNNOptions(
            self.distance_measure,
            self.tree,
            score_ah=ah,
            score_brute_force=exact,
            device=self.device or Device(),
        )

    @property
    def centers(self) -> int:
        """c, the centers a block; 0 without codes."""
        if self.score_ah is None:
            return 0
        return (self.device and self.device.num_centers) or self.score_ah.centers

    @property
    def residual(self) -> bool:
        """Whether codes describe what the leaf's centroid leaves over."""
        if self.score_ah is None or self.tree is None:
            return False
        return self.score_ah.residual_quantization is not False

    @property
    def corrected(self) -> bool:
        """Whether codes carry a byte that corrects what they say of a row's inner products.

        Rows of varying norms want it; a threshold does the same for rows of one norm.
        """
        ah = self.score_ah
        return (
            self.distance_measure == "dot_product"
            and ah is not None
            and ah.hash_type == "lut16"
            and ah.anisotropic_quantization_threshold is None
            and self.reorder is not None
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionaries, for JSON."""
        return asdict(self, dict_factory=_plain)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ScaNNOptions:
        """What ``to_dict`` gave.

        Raises:
            InvalidInput: a field is unknown, missing or out of range.
        """
        try:
            parts = {
                name: kind(**fields[name]) if fields.get(name) is not None else None
                for name, kind in _PARTS.items()
            }
            return cls(**{**fields, **parts})
        except (TypeError, KeyError) as error:
            raise InvalidInput(f"options must hold the fields of ScaNNOptions: {error}.") from error


_PARTS: dict[str, type[Any]] = {
    "tree": Tree,
    "score_ah": ScoreAH,
    "score_brute_force": ScoreBruteForce,
    "reorder": Reorder,
    "device": Device,
}
