"""The commands, one small function each, and the table of them all."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scannlite.cli.flags import declare_options, options_for_device, options_from
from scannlite.cli.inside import facts_inside, lines_of
from scannlite.cli.output import (
    Progress,
    human,
    neighbours_as_json,
    neighbours_as_table,
    say,
    say_json,
    trials_as_table,
)
from scannlite.cli.paths import check_folder, open_array, read_lines
from scannlite.engine.storage import (
    check_arguments,
    check_embedder,
    kind_named,
    kind_of,
    load,
    mapped,
    save,
)
from scannlite.errors import InvalidInput
from scannlite.types import AnyArray, Neighbors

__all__ = ["COMMANDS", "Command"]


OUTPUT_HELP = "file to write: .ldb and .tflite as phones read it, else .npz"


class Command(NamedTuple):
    """What runs, and may give an exit code; what ``--help`` says of it; the words it takes."""

    run: Callable[[argparse.Namespace], int | None]
    help: str
    declare: Callable[[argparse.ArgumentParser], None]


def build(arguments: argparse.Namespace) -> None:
    """``scannlite build``: rows of a .npy file in, an index file out."""
    vectors = open_array(arguments.vectors, (2,))
    metadata = read_lines(arguments.metadata) if arguments.metadata else None
    check_arguments(kind_named(arguments.output), arguments.embedder)
    if arguments.embedder is not None:
        check_embedder(mapped(arguments.embedder), vectors.shape[1])
    check_folder(arguments.output)
    with Progress() as progress:
        written = write_index(arguments, vectors, metadata, arguments.embedder, progress)
    if arguments.json:
        say_json(facts_inside(arguments.output))
    else:
        say(written)


def write_index(
    arguments: argparse.Namespace,
    rows: AnyArray,
    metadata: Sequence[str | bytes] | None,
    embedder: Path | None,
    progress: Progress,
) -> str:
    """Index rows (n, d) as the flags say, save that, and say in one line what there is now."""
    from scannlite.engine.index import Index  # noqa: PLC0415 - may load a compiler

    options = options_from(arguments, rows)
    if kind_named(arguments.output) != "npz":
        options = options_for_device(arguments, options)
    index = Index.build(
        rows,
        options,
        metadata=metadata,
        seed=arguments.seed,
        threads=arguments.threads,
        progress=progress,
    )
    index.save(arguments.output, userinfo=arguments.userinfo, embedder=embedder)
    return f"{arguments.output}: {index!r}, {human(arguments.output.stat().st_size)}"


def search(arguments: argparse.Namespace) -> None:
    """``scannlite search``: the nearest rows for each row of a .npy file."""
    from scannlite.engine.index import Index  # noqa: PLC0415 - may load a compiler

    queries = open_array(arguments.queries, (1, 2))
    index = Index.load(arguments.index)
    found = index.search(
        np.atleast_2d(queries),
        arguments.k,
        leaves_to_search=arguments.leaves_to_search,
        pre_reorder_num_neighbors=arguments.reorder,
        threads=arguments.threads,
    )
    if arguments.output:
        check_folder(arguments.output)
        with arguments.output.open("wb") as file:
            np.savez(file, distances=found.distances, ids=found.ids)
    show(arguments, found, index.metadata)


def show(arguments: argparse.Namespace, found: Neighbors, metadata: Any) -> None:
    """Neighbours as a table or as JSON Lines; with a file written, only where JSON is wanted."""
    if arguments.json:
        lines = neighbours_as_json(found, metadata)
    elif arguments.output:
        lines = iter([f"{arguments.output}: {arguments.k} neighbours of {len(found.ids)} queries"])
    else:
        lines = neighbours_as_table(found, metadata)
    for line in lines:
        say(line)


def tune(arguments: argparse.Namespace) -> None:
    """``scannlite tune``: the cheapest settings that reach a recall, kept in the index file."""
    from scannlite.engine.index import Index  # noqa: PLC0415 - may load a compiler

    queries = open_array(arguments.queries, (1, 2)) if arguments.queries else None
    truth = open_array(arguments.truth, (2,)) if arguments.truth else None
    path = arguments.output or arguments.index
    check_folder(path)
    if sys.platform == "win32" and path == arguments.index:
        raise InvalidInput("--output must be another file on Windows, where a loaded one is held.")
    index = Index.load(arguments.index)
    with Progress() as progress:
        found = index.tune(
            queries,
            arguments.recall,
            k=arguments.k,
            truth=truth,
            threads=arguments.threads,
            progress=progress,
        )
    index.save(path)
    if arguments.json:
        say_json({"path": str(path), **asdict(found)})
        return
    for line in trials_as_table(found.front, found):
        say(line)
    say(f"{path}: {index!r}")


def info(arguments: argparse.Namespace) -> None:
    """``scannlite info``: what is inside an index file. No search, so nothing is compiled."""
    facts = facts_inside(arguments.index)
    if arguments.json:
        say_json(facts)
        return
    for line in lines_of(facts):
        say(line)


def convert(arguments: argparse.Namespace) -> None:
    """``scannlite convert``: the same index as a file of another kind."""
    source, target = arguments.source, arguments.target
    check_folder(target)
    embedder = arguments.embedder
    if embedder is None and kind_named(target) == kind_of(source) == "tflite":
        embedder = source
    stored = load(source)
    if arguments.userinfo is not None:
        stored = replace(stored, userinfo=arguments.userinfo.encode("utf-8", "surrogateescape"))
    save(target, stored, embedder=embedder, compression=arguments.compression)
    if arguments.json:
        say_json(facts_inside(target))
    else:
        rows, size = len(stored.arrays.ids), human(target.stat().st_size)
        say(f"{target}: {rows:,} rows from {source}, {size}")


# ------------------------------------------------------------------------- words of the commands


def declare_build(parser: argparse.ArgumentParser) -> None:
    """Words of ``build``."""
    add = parser.add_argument
    add("vectors", type=Path, metavar="VECTORS.npy", help="an array of shape (n, d)")
    add("-o", "--output", type=Path, required=True, metavar="INDEX", help=OUTPUT_HELP)
    add("--metadata", type=Path, metavar="LINES.txt", help="UTF-8 text, one line for each row")
    add("--threads", type=int, metavar="N", help="default: one a processor")
    declare_common(parser, "seed", "json", "userinfo", "embedder")
    declare_options(parser)


def declare_search(parser: argparse.ArgumentParser) -> None:
    """Words of ``search``."""
    add = parser.add_argument
    add("index", type=Path, metavar="INDEX.npz")
    add("queries", type=Path, metavar="QUERIES.npy", help="an array of shape (q, d) or (d,)")
    add("-k", type=int, default=10, help="neighbours a query (default: %(default)s)")
    add("--leaves-to-search", type=int, metavar="P", help="default: as at build")
    add("--reorder", type=int, metavar="R", help="candidates scored again; default: as at build")
    add("-o", "--output", type=Path, metavar="OUT.npz", help="write `distances` and `ids` there")
    add("--threads", type=int, default=1, metavar="N", help="default: %(default)s")
    declare_common(parser, "json")


def declare_tune(parser: argparse.ArgumentParser) -> None:
    """Words of ``tune``."""
    add = parser.add_argument
    add("index", type=Path, metavar="INDEX.npz")
    add("--queries", type=Path, metavar="Q.npy", help="like those to come; default: some rows")
    add(
        "--truth", type=Path, metavar="IDS.npy", help="their true neighbours, (q, k); else searched"
    )
    add("--recall", type=float, default=0.95, help="share to be found (default: %(default)s)")
    add("-k", "--k", type=int, default=10, help="neighbours that count (default: %(default)s)")
    add("-o", "--output", type=Path, metavar="OUT.npz", help="default: the index itself")
    add("--threads", type=int, metavar="N", help="default: one a processor")
    declare_common(parser, "json")


def declare_info(parser: argparse.ArgumentParser) -> None:
    """Words of ``info``."""
    parser.add_argument("index", type=Path, metavar="INDEX", help="a .npz, .ldb or .tflite file")
    declare_common(parser, "json")


def declare_convert(parser: argparse.ArgumentParser) -> None:
    """Words of ``convert``."""
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="a .npz, .ldb or .tflite file")
    add("target", type=Path, metavar="TARGET", help=OUTPUT_HELP)
    add("--compression", action="store_true", help="compress a .ldb or .tflite index with Snappy")
    declare_common(parser, "json", "userinfo", "embedder")


def declare_common(parser: argparse.ArgumentParser, *names: str) -> None:
    """Words that mean the same in every command that has them."""
    if "seed" in names:
        parser.add_argument("--seed", type=int, default=0, help="the same seed, the same result")
    if "userinfo" in names:
        parser.add_argument("--userinfo", metavar="TEXT", help="kept with the index")
    if "embedder" in names:
        parser.add_argument(
            "--embedder", type=Path, metavar="MODEL.tflite", help="what a .tflite index goes into"
        )
    if "json" in names:
        parser.add_argument("--json", action="store_true", help="one JSON object a line")


COMMANDS = {
    "build": Command(build, "make an index of the rows of a .npy file", declare_build),
    "search": Command(search, "find the nearest rows for each query", declare_search),
    "tune": Command(tune, "find the cheapest settings that reach a recall", declare_tune),
    "convert": Command(convert, "write an index as .npz, .ldb or .tflite", declare_convert),
    "info": Command(info, "say what is inside an index file", declare_info),
}
