"""What the shell sees: answers on standard output, progress and complaints on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO, TypeAlias

import numpy as np

from scannlite.engine.trials import Trial
from scannlite.progress import Progress
from scannlite.types import Neighbors

Metadata: TypeAlias = Sequence[str | bytes]

__all__ = [
    "Progress",
    "complain",
    "human",
    "neighbours_as_json",
    "neighbours_as_table",
    "say",
    "say_json",
    "trials_as_table",
    "warn_in_one_line",
    "words_of",
]

# Metadata may hold anything: an end of line, which is no end of ours, or a terminal's commands.
_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}


def say(line: str) -> None:
    """One line of the answer; what the terminal cannot show, or would obey, is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    shown = line.translate(_CONTROLS).encode(encoding, "backslashreplace").decode(encoding)
    sys.stdout.write(shown + "\n")


def say_json(facts: dict[str, Any]) -> None:
    """One JSON object on one line."""
    say(json.dumps(facts, allow_nan=False))


def complain(error: Exception) -> None:
    """One sentence for what went wrong, no traceback."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        sys.stderr.write(f"scannlite: {error.filename}: {error.strerror}.\n")
    else:
        sys.stderr.write(f"scannlite: {error}\n")


def warn_in_one_line(  # noqa: PLR0913, PLR0917 - the signature of `warnings.showwarning`
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Stand in for ``warnings.showwarning``: the sentence alone, not where it came from."""
    sys.stderr.write(f"scannlite: warning: {message}\n")


def human(size: int) -> str:
    """Bytes as people read them.

    >>> human(999), human(1500), human(2_340_000)
    ('999 B', '1.5 kB', '2.3 MB')
    """
    number, units = float(size), ["B", "kB", "MB", "GB"]
    while number >= 1000 and len(units) > 1:
        number, units = number / 1000, units[1:]
    return f"{number:.1f} {units[0]}" if number != size else f"{size} B"


def neighbours_as_json(
    found: Neighbors, metadata: Metadata | None, queries: Sequence[str] | None = None
) -> Iterator[str]:
    """One JSON object a query, by name or number; places that could not be filled are left out."""
    for query, (distances, ids) in enumerate(zip(*found, strict=True)):
        places = ids[ids >= 0].tolist()
        name = query if queries is None else queries[query]
        facts: dict[str, Any] = {"query": name, "ids": places}
        facts["distances"] = [float(str(distance)) for distance in distances[ids >= 0]]
        if metadata is not None:
            facts["metadata"] = [words_of(metadata[place]) for place in places]
        yield json.dumps(facts, allow_nan=False)


def neighbours_as_table(found: Neighbors, metadata: Metadata | None) -> Iterator[str]:
    """A heading, then one line a neighbour; places that could not be filled are left out."""
    heading = f"{'query':>7} {'rank':>5} {'id':>10} {'distance':>13}"
    yield heading if metadata is None else f"{heading}  metadata"
    for (query, rank), row in np.ndenumerate(found.ids):
        if row >= 0:
            line = f"{query:7} {rank + 1:5} {row:10} {found.distances[query, rank]:13.6g}"
            yield line if metadata is None else f"{line}  {words_of(metadata[int(row)])}"


def trials_as_table(front: Sequence[Trial], chosen: Trial) -> Iterator[str]:
    """A heading, then one line a setting, with an arrow where it is the one chosen."""
    yield f"{'leaves':>8} {'reorder':>8} {'recall':>8} {'model µs':>9}"
    best = chosen.leaves_to_search, chosen.pre_reorder_num_neighbors
    for trial in front:
        p, R = trial.leaves_to_search, trial.pre_reorder_num_neighbors
        line = f"{p or '-':>8} {R or '-':>8} {trial.recall:8.4f} {trial.cost:9.2f}"
        yield f"{line}  <- chosen" if (p, R) == best else line


def words_of(item: str | bytes) -> str:
    r"""Metadata as text.

    >>> words_of("naïve"), words_of(b"na\xc3\xafve"), words_of(b"\xff")
    ('naïve', 'naïve', '\\xff')
    """
    return item if isinstance(item, str) else item.decode("utf-8", "backslashreplace")
