"""Many items embedded: on all cores, in order, with what fails kept apart."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from scannlite.embedders.checkpoint import Checkpoint, key_of
from scannlite.embedders.embedder import Embedder
from scannlite.engine.door import as_whole
from scannlite.errors import InvalidInput, ModelError
from scannlite.types import Floats, Ids, Progress

__all__ = ["Item", "Loaded", "Skipped", "embed_all"]

_AHEAD = 16  # items a worker may be ahead of the slowest; only their embeddings wait


@dataclass(frozen=True)
class Item:
    """Something to embed, read by the worker that embeds it.

    Attributes:
        name: what messages call it.
        read: gives its content, which is also what a checkpoint knows it by.
        decode: makes of the content what the embedder takes.
    """

    name: str
    read: Callable[[], bytes]
    decode: Callable[[bytes], Any]


@dataclass(frozen=True)
class Skipped:
    """An item that could not be embedded.

    Attributes:
        name: of the item.
        reason: one sentence.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Loaded:
    """What became of many items.

    Attributes:
        rows: (k, d) float32, the embeddings of those that could be embedded.
        kept: (k,) int64, which these are, ascending.
        skipped: the others.
    """

    rows: Floats
    kept: Ids
    skipped: tuple[Skipped, ...]


class _Embedded(NamedTuple):
    """An embedding (d,) and the key of what was embedded; no key without a checkpoint."""

    row: Floats
    key: bytes | None


_Outcome: TypeAlias = _Embedded | Skipped


def embed_all(
    embedder: Embedder,
    items: Sequence[Item],
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Loaded:
    """Embed many items. The embeddings and their order do not depend on the number of threads.

    Items that cannot be read, decoded or embedded are left out and told of.

    Args:
        embedder: of these items; with ``num_threads=1``, since the workers use all cores.
        items: what to embed.
        threads: workers; None for one a processor.
        progress: called as ``progress("embed", done, total)``.
        checkpoint: a file that keeps embeddings as they are made: what it holds is not embedded
            again, though items were renamed, added or removed since. Made where there is none.

    Raises:
        InvalidInput: no item of one or more could be embedded, or the checkpoint is something
            else, belongs to another embedder, or is in use.
        MissingExtra: a library that decodes is not installed.
        OSError: the checkpoint cannot be read or written.
    """
    workers = os.cpu_count() or 1 if threads is None else as_whole("threads", threads, 1)
    rows = np.empty((len(items), embedder.dimensions), np.float32)
    kept: list[int] = []
    skipped: list[Skipped] = []
    with nullcontext() if checkpoint is None else Checkpoint(checkpoint, embedder) as known:

        def outcome_of(item: Item) -> _Outcome:
            return _outcome(embedder, known, item)

        with closing(_in_order(outcome_of, items, workers)) as outcomes:
            for place, outcome in enumerate(outcomes):
                if isinstance(outcome, Skipped):
                    skipped.append(outcome)
                else:
                    rows[len(kept)] = outcome.row
                    kept.append(place)
                    if known is not None and outcome.key is not None:
                        known.add(outcome.key, outcome.row)
                if progress is not None:
                    progress("embed", place + 1, len(items))
    if skipped and not kept:
        raise InvalidInput(
            f"items must hold at least one that can be embedded, got {len(items)} that cannot, "
            f"the first of them {skipped[0].name}: {skipped[0].reason}"
        )
    return Loaded(rows[: len(kept)], np.array(kept, np.int64), tuple(skipped))


def _outcome(embedder: Embedder, known: Checkpoint | None, item: Item) -> _Outcome:
    """Read, decode and embed one item, in a worker."""
    try:
        content = item.read()
        key = None if known is None else key_of(content)
        row = None if known is None or key is None else known.get(key)
        if row is None:
            row = embedder.embed(item.decode(content))
    except (InvalidInput, ModelError, OSError) as error:
        # Who decodes was given bytes, and does not know what they are called.
        return Skipped(item.name, str(error).replace("<bytes>", item.name))
    if not np.isfinite(row).all():
        return Skipped(item.name, "the model gives an embedding that is not finite.")
    return _Embedded(row, key)


def _in_order(
    outcome_of: Callable[[Item], _Outcome], items: Sequence[Item], workers: int
) -> Generator[_Outcome, None, None]:
    """The outcome of each item, computed a little ahead; when closed, what has not begun is not."""
    waiting: deque[Future[_Outcome]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(outcome_of, item))
            if len(waiting) > workers * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
