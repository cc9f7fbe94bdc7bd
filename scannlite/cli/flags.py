"""From flags to ``ScaNNOptions``. A flag that could change nothing is refused, never dropped."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any, get_args

from scannlite.engine.choice import choose_options, options_for
from scannlite.engine.options import (
    Reorder,
    ScaNNOptions,
    ScoreAH,
    ScoreBruteForce,
    Tree,
)
from scannlite.errors import InvalidInput
from scannlite.types import AnyArray, Distance

__all__ = ["check_flags", "declare_options", "options_for_device", "options_from"]

_MANY, _WIDE = 1_000_000, 1_000  # rows and dimensions for which every option is chosen
CODE_FLAGS = ("dimensions_per_block", "projection", "threshold", "hash_type", "reorder")


def declare_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags that describe an index."""
    parser.add_argument("--distance", choices=get_args(Distance), default="dot_product")
    group = parser.add_argument_group("options", "What is not given is chosen from the rows.")
    add = group.add_argument
    add("--leaves", type=int, metavar="L", help="partitions of the tree; 0 for no tree")
    add("--leaves-to-search", type=int, metavar="P", help="partitions that a query looks into")
    add("--dimensions-per-block", type=int, metavar="B", help="dimensions that share one code")
    add("--projection", type=int, metavar="E", help="dimensions rotated codes keep; 0 for off")
    add("--threshold", type=float, metavar="T", help="anisotropic threshold; 0 for off")
    add("--hash-type", choices=("lut16", "lut256"), help="4 or 8 bits a code")
    add("--reorder", type=int, metavar="R", help="candidates that are scored again; 0 for none")
    add("--brute-force", action="store_true", help="keep the rows themselves, no codes")
    add("--quantize", action="store_true", help="keep rows in one signed byte a dimension")


def options_from(arguments: argparse.Namespace, X: AnyArray) -> ScaNNOptions:
    """What is chosen for rows (n, d), changed by the flags given.

    Whoever gives blocks, a projection or brute force needs no look at the rows.
    """
    given = (arguments.dimensions_per_block, arguments.projection)
    if arguments.brute_force or given != (None, None):
        chosen = choose_options(len(X), X.shape[1], arguments.distance)
    else:
        chosen = options_for(X, arguments.distance)
    return _changed(chosen, arguments)


def check_flags(arguments: argparse.Namespace, *, for_device: bool) -> None:
    """Refuse flags that no rows could make right, before there are any.

    Raises:
        InvalidInput: a flag could change nothing, or its value is not allowed.
    """
    options = _changed(choose_options(_MANY, _WIDE, arguments.distance), arguments)
    if for_device:
        options_for_device(arguments, options)


def _changed(chosen: ScaNNOptions, arguments: argparse.Namespace) -> ScaNNOptions:
    """Options with what the flags say in place of what was chosen."""
    tree = _tree(arguments, chosen.tree)
    if _wants_codes(arguments, chosen):
        codes = _codes(arguments, chosen.score_ah or ScoreAH(2))
        reorder = _reorder(arguments, chosen.reorder)
        return ScaNNOptions(arguments.distance, tree, score_ah=codes, reorder=reorder)
    rows = ScoreBruteForce(arguments.quantize)
    return ScaNNOptions(arguments.distance, tree, score_brute_force=rows)


def options_for_device(arguments: argparse.Namespace, options: ScaNNOptions) -> ScaNNOptions:
    """What phones can hold of options; flags for the rest are refused.

    Nothing is scored again there, so codes are as fine as can be where nobody says otherwise.
    """
    given = {
        "--reorder": arguments.reorder,
        "--projection": arguments.projection,
        "--quantize": arguments.quantize,
        "--hash-type lut16": arguments.hash_type == "lut16",
    }
    for flag, value in given.items():
        if value:
            raise InvalidInput(f"{flag} is for .npz files: what phones read cannot hold it.")
    options = options.for_device()
    if options.score_ah is None or arguments.dimensions_per_block is not None:
        return options
    return replace(options, score_ah=replace(options.score_ah, dimensions_per_block=1))


def _tree(arguments: argparse.Namespace, chosen: Tree | None) -> Tree | None:
    leaves, to_search = arguments.leaves, arguments.leaves_to_search
    if leaves is not None:
        chosen = Tree(leaves, max(1, round(leaves / 10))) if leaves else None
    if chosen is None:
        if to_search is not None:
            raise InvalidInput(
                f"--leaves-to-search needs a tree, which --leaves makes, got {to_search}."
            )
        return None
    return chosen if to_search is None else replace(chosen, num_leaves_to_search=to_search)


def _wants_codes(arguments: argparse.Namespace, chosen: ScaNNOptions) -> bool:
    given = [name for name in CODE_FLAGS if getattr(arguments, name) is not None]
    if arguments.brute_force and given:
        flag = "--" + given[0].replace("_", "-")
        raise InvalidInput(
            f"{flag} is about codes and must not be given with --brute-force, which has none."
        )
    return not arguments.brute_force and (bool(given) or chosen.score_ah is not None)


def _codes(arguments: argparse.Namespace, chosen: ScoreAH) -> ScoreAH:
    changes: dict[str, Any] = {
        "dimensions_per_block": arguments.dimensions_per_block,
        "anisotropic_quantization_threshold": arguments.threshold,
        "hash_type": arguments.hash_type,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    if arguments.projection is not None:
        given["projection"] = arguments.projection or None
    if arguments.threshold == 0:
        given["anisotropic_quantization_threshold"] = None
    return replace(chosen, **given)


def _reorder(arguments: argparse.Namespace, chosen: Reorder | None) -> Reorder | None:
    wanted = arguments.reorder
    if wanted is not None:
        chosen = Reorder(wanted) if wanted else None
    if chosen is None:
        if arguments.quantize:
            raise InvalidInput("--quantize needs --reorder or --brute-force: codes keep no rows.")
        return None
    return replace(chosen, quantize=arguments.quantize)
