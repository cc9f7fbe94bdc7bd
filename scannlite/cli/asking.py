"""``scannlite query`` and ``scannlite bench``: whole queries, from a text, picture or sound."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scannlite.cli.commands import Command, declare_common
from scannlite.cli.output import neighbours_as_json, neighbours_as_table, say, say_json
from scannlite.errors import InvalidInput

if TYPE_CHECKING:
    from scannlite.embedders.embedder import Embedder
    from scannlite.engine.index import Index

__all__ = ["COMMANDS"]

OVER_BUDGET = 1
_ENOUGH = 1_000  # queries: ten of them are beyond the 99th percentile
_COLD = 50  # queries: to empty the caches before each takes far longer than they do


def query(arguments: argparse.Namespace) -> None:
    """``scannlite query``: the nearest rows for each sentence, picture or sound."""
    from scannlite.cli.questions import embedding_of, lines_of_input  # noqa: PLC0415 - embedders

    questions = lines_of_input() if arguments.queries == ["-"] else arguments.queries
    embedder, index = open_searcher(arguments)
    Q = np.stack([embedding_of(embedder, question) for question in questions])
    found = index.search(Q, arguments.k)
    if arguments.json:
        lines = neighbours_as_json(found, index.metadata, questions)
    else:
        lines = neighbours_as_table(found, index.metadata)
    for line in lines:
        say(line)


def bench(arguments: argparse.Namespace) -> int:
    """``scannlite bench``: what each stage of a whole query takes, beside what it may take."""
    from scannlite.cli import machine  # noqa: PLC0415 - for `bench` only, as all here
    from scannlite.cli.budget import Flush, time_cold, time_queries  # noqa: PLC0415
    from scannlite.cli.memory import memory  # noqa: PLC0415
    from scannlite.cli.report import Report, Surroundings  # noqa: PLC0415
    from scannlite.cli.subject import subject_of  # noqa: PLC0415

    check_numbers(arguments)
    subject = subject_of(arguments)
    repeat = arguments.repeat or -(-_ENOUGH // subject.distinct)
    before = machine.state()
    timings = time_queries(
        subject.query,
        subject.items,
        most=math.inf if arguments.seconds else repeat * subject.distinct,
        seconds=arguments.seconds or math.inf,
    )
    held = memory(subject.files)
    flush, count = Flush(machine.cache_bytes()), min(_COLD, len(timings.others))
    cold = time_cold(subject.query, subject.items, flush, count)
    verdict = None
    if arguments.budget_ms is not None:
        verdict = timings.judged(arguments.budget_ms, arguments.percentile)
    what = subject.name, subject.kind, len(subject.index), arguments.k
    around = Surroundings(machine.about(), before, machine.state(), held, repr(subject.index))
    report = Report(*what, timings, verdict, cold, around)
    if arguments.json:
        say_json(report.facts())
    else:
        for line in report.lines():
            say(line)
    return OVER_BUDGET if verdict is not None and not verdict.passed else 0


def open_searcher(
    arguments: argparse.Namespace, num_threads: int | None = None
) -> tuple[Embedder, Index]:
    """The model, and the index that is named or else the one inside the model."""
    from scannlite.embedders import open_embedder  # noqa: PLC0415 - all embedders
    from scannlite.task.opening import open_index  # noqa: PLC0415
    from scannlite.task.processor import SearchOptions  # noqa: PLC0415

    searcher = arguments.searcher
    embedder = open_embedder(searcher, l2_normalize=arguments.l2_normalize, num_threads=num_threads)
    return embedder, open_index(SearchOptions(arguments.index), embedder)


def check_numbers(arguments: argparse.Namespace) -> None:
    """Refuse numbers that would leave nothing to time or to judge."""
    for name in ("budget_ms", "repeat", "seconds"):
        number = getattr(arguments, name)
        if number is not None and not number > 0:
            raise InvalidInput(f"--{name.replace('_', '-')} must be above 0, got {number}.")
    if not 0 <= arguments.percentile <= 100:
        raise InvalidInput(f"--percentile must be from 0 to 100, got {arguments.percentile}.")


# ------------------------------------------------------------------------- words of the commands


def declare_query(parser: argparse.ArgumentParser) -> None:
    """Words of ``query``."""
    parser.add_argument(
        "searcher", type=Path, metavar="SEARCHER.tflite", help="a model with an index inside"
    )
    declare_searcher(parser)
    parser.add_argument(
        "queries",
        nargs="+",
        metavar="QUERY",
        help="a sentence, or the path of a picture or sound; '-' for the lines of standard input",
    )


def declare_bench(parser: argparse.ArgumentParser) -> None:
    """Words of ``bench``."""
    add = parser.add_argument
    add(
        "searcher",
        type=Path,
        nargs="?",
        metavar="SEARCHER.tflite",
        help="a model with an index inside; default: none, and vectors that are generated",
    )
    declare_searcher(parser)
    add(
        "--rows",
        type=int,
        metavar="N",
        help="vectors to generate and index, with options chosen here; default: the 123,287 of "
        "128 dimensions that phones search in 6 ms, as they keep them",
    )
    add("--keep", type=Path, metavar="DIR", help="of that index; default: the user's cache folder")
    add("--budget-ms", type=float, metavar="MS", help="what a query may take: exit code 1 if more")
    add(
        "--percentile",
        type=float,
        default=95,
        metavar="P",
        help="of queries that must be within the budget (default: %(default)s)",
    )
    add(
        "--queries",
        type=Path,
        metavar="FILE|DIR",
        help="a text of sentences, one a line, or a folder of pictures or sounds; default: the "
        "metadata of the index for sentences, else noise",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--repeat",
        type=int,
        metavar="N",
        help=f"how often each is asked; default: until {_ENOUGH:,} are",
    )
    length.add_argument("--seconds", type=float, metavar="S", help="for how long to ask, instead")


def declare_searcher(parser: argparse.ArgumentParser) -> None:
    """Words that both have."""
    add = parser.add_argument
    add("-k", type=int, default=5, help="neighbours a query (default: %(default)s)")
    add("--index", type=Path, metavar="INDEX", help="an index in place of the one inside")
    add("--l2-normalize", action="store_true", help="scale embeddings to length 1")
    declare_common(parser, "json")


COMMANDS = {
    "query": Command(query, "find what is nearest to a text, picture or sound", declare_query),
    "bench": Command(bench, "time queries, stage by stage, against a budget", declare_bench),
}
