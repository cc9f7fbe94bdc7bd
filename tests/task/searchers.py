"""Searchers of all kinds, and tiny files for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from scannlite import Index, ScaNNOptions, ScoreBruteForce
from scannlite.task import audio, text, vision
from scannlite.types import AnyArray

__all__ = ["GOLDEN", "SEARCHERS", "UPSTREAM", "SearcherKind", "index_file", "neighbors"]

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
UPSTREAM = GOLDEN / "upstream"


class SearcherKind(NamedTuple):
    """A searcher, and the class of its options."""

    kind: type[Any]
    options: type[Any]


SEARCHERS = [
    SearcherKind(text.TextSearcher, text.TextSearcherOptions),
    SearcherKind(vision.ImageSearcher, vision.ImageSearcherOptions),
    SearcherKind(audio.AudioSearcher, audio.AudioSearcherOptions),
]


def index_file(
    path: Path,
    rows: AnyArray,
    metadata: list[str] | None = None,
    *,
    embedder: Path | None = None,
    userinfo: str | bytes | None = None,
) -> Path:
    """Rows as they are, by squared distances, in a file of whatever kind its name asks for."""
    options = ScaNNOptions("squared_l2", score_brute_force=ScoreBruteForce()).for_device()
    index = Index.build(rows, options, metadata=metadata)
    index.save(path, embedder=embedder, userinfo=userinfo)
    return path


def neighbors(result: Any) -> list[tuple[bytes, float]]:
    """Metadata and distance of each neighbour."""
    return [(bytes(each.metadata), each.distance) for each in result.nearest_neighbors]
