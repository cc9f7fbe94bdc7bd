"""What ``scannlite bench`` times: a searcher with its model, or an index of generated vectors."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from scannlite.cli.budget import Query, VectorQuery, WholeQuery
from scannlite.cli.cases import case_of
from scannlite.cli.report import Kind
from scannlite.engine.index import Index
from scannlite.errors import InvalidInput

__all__ = ["Subject", "subject_of"]


@dataclass(frozen=True)
class Subject:
    """What is asked, and what it is asked.

    Attributes:
        name: of the searcher.
        kind: of the questions.
        query: that asks.
        items: what it takes, without an end.
        distinct: items, until they come again.
        index: that is searched.
        files: that it is mapped from.
    """

    name: str
    kind: Kind
    query: Query
    items: Iterator[Any]
    distinct: int
    index: Index
    files: list[Path]


def subject_of(arguments: argparse.Namespace) -> Subject:
    """What the words name.

    Raises:
        InvalidInput: words that do not go together.
    """
    if arguments.searcher is None:
        return _generated(arguments)
    for name in ("rows", "keep"):
        if getattr(arguments, name) is not None:
            raise InvalidInput(f"--{name} must be given without a searcher, got both.")
    return _searcher(arguments)


def _generated(arguments: argparse.Namespace) -> Subject:
    for name in ("index", "queries"):
        if getattr(arguments, name) is not None:
            raise InvalidInput(f"--{name} must be given with a searcher, got none.")
    case = case_of(arguments.rows, arguments.keep)
    index = case.index()
    vectors = list(case.queries)
    query = VectorQuery(index, arguments.k)
    items = cycle(vectors)
    return Subject(str(case.path), "vector", query, items, len(vectors), index, [case.path])


def _searcher(arguments: argparse.Namespace) -> Subject:
    from scannlite.cli.asking import open_searcher  # noqa: PLC0415 - all embedders
    from scannlite.cli.questions import item_of, questions_in, stand_ins  # noqa: PLC0415

    embedder, index = open_searcher(arguments, num_threads=1)
    file = arguments.index or arguments.searcher
    if arguments.queries is None:
        questions = stand_ins(file, embedder)
    else:
        questions = questions_in(arguments.queries, embedder)
    query = WholeQuery(embedder, index, arguments.k)
    items = (item_of(embedder, question) for question in cycle(questions))
    name = str(arguments.searcher)
    return Subject(name, embedder.kind, query, items, len(questions), index, [file])
