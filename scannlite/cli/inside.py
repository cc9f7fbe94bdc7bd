"""What ``scannlite info`` says of a file: facts as plain values, and lines made of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scannlite.cli.output import human, words_of
from scannlite.engine import device
from scannlite.engine.storage import Stored, device_table, kind_of, load, mapped
from scannlite.errors import IndexFileError
from scannlite.files import container, index_file, model_file
from scannlite.files.index_file import IndexFile
from scannlite.types import AnyArray

__all__ = ["facts_inside", "lines_of"]


def facts_inside(path: Path) -> dict[str, Any]:
    """All that ``--json`` says of an index file of any kind.

    Raises:
        IndexFileError: the file is damaged or foreign.
    """
    kind = kind_of(path)
    if kind == "npz":
        stored = load(path)
        arrays, _ = container.read(path, verify=False)
        parts = {name: _part_facts(array) for name, array in arrays.items()}
        return _facts(path, kind, stored) | {"parts": parts}
    file = index_file.read(device_table(path))
    facts = _device_facts(file)
    if kind == "tflite":
        span = mapped(path)
        facts["files"] = {n: len(data) for n, data in model_file.associated_files(span).items()}
    try:
        options, arrays_of = device.from_file(file)
    except IndexFileError as error:
        rows, d = int(file.partition_sizes.sum()), None
        return _common(path, kind, rows, d) | {"unusable": str(error)} | facts
    stored = Stored(options, arrays_of, file.metadata, file.userinfo)
    return _facts(path, kind, stored) | facts


def _common(path: Path, kind: str, rows: int, dimensions: int | None) -> dict[str, Any]:
    return {
        "path": str(path),
        "kind": kind,
        "bytes": path.stat().st_size,
        "rows": rows,
        "dimensions": dimensions,
    }


def _facts(path: Path, kind: str, stored: Stored) -> dict[str, Any]:
    facts = _common(path, kind, len(stored.arrays.ids), stored.arrays.centroids.shape[1])
    return facts | {
        "metadata": stored.metadata is not None,
        "userinfo": words_of(stored.userinfo),
        "options": stored.options.to_dict(),
    }


def _part_facts(part: AnyArray) -> dict[str, Any]:
    return {"dtype": str(part.dtype), "shape": part.shape, "bytes": part.nbytes}


def _device_facts(file: IndexFile) -> dict[str, Any]:
    """What an index file says itself, whether or not it can be searched."""
    config = file.config
    partitioner, indexer = config.partitioner, config.indexer
    sizes = file.partition_sizes
    facts: dict[str, Any] = {
        "config": {
            "query_distance": config.query_distance,
            "embedding_type": config.embedding_type,
            "embedding_dim": config.embedding_dim,
            "partitions": len(sizes),
            "rows_of_partitions": [int(sizes.min()), int(sizes.max())] if len(sizes) else [],
        },
        "userinfo": words_of(file.userinfo),
        "first_metadata": words_of(file.metadata[0]) if len(file.metadata) else None,
    }
    if partitioner is not None:
        facts["partitioner"] = {
            "leaves": len(partitioner.leaves),
            "search_fraction": partitioner.search_fraction,
            "query_distance": partitioner.query_distance,
        }
    if indexer is not None:
        shapes = sorted({codebook.shape for codebook in indexer.codebooks})
        facts["indexer"] = {
            "subspaces": len(indexer.codebooks),
            "codebooks": [f"{c} x {b}" for c, b in shapes],
            "query_distance": indexer.query_distance,
            "lookup_type": indexer.lookup_type,
        }
    return facts


def lines_of(facts: dict[str, Any]) -> Iterator[str]:
    """The same for people: a sentence, then a line a group of facts."""
    rows, size = facts["rows"], human(facts["bytes"])
    d = facts["dimensions"]
    width = "" if d is None else f" of {d} dimensions"
    with_metadata = "with" if facts.get("metadata", True) else "without"
    yield f"{facts['path']}: {rows:,} rows{width}, {with_metadata} metadata, {size}"
    yield ""
    if "unusable" in facts:
        yield f"  cannot be searched: {facts['unusable']}"
    for name, value in facts.get("options", {}).items():
        yield f"  {name:18} {_words(value)}"
    if "parts" in facts:
        yield ""
    for name, part in facts.get("parts", {}).items():
        line = f"{part['dtype']:8} {part['shape']!s:16} {human(part['bytes']):>9}"
        yield f"  {name:18} {line}"
    yield from _device_lines(facts)


def _device_lines(facts: dict[str, Any]) -> Iterator[str]:
    if facts["kind"] == "npz":
        return
    yield ""
    for name in ("config", "partitioner", "indexer"):
        if name in facts:
            yield f"  {name:18} {_words(facts[name])}"
    yield f"  {'userinfo':18} {facts['userinfo']!r}"
    yield f"  {'first metadata':18} {facts['first_metadata']!r}"
    for name, size in facts.get("files", {}).items():
        yield f"  {'file':18} {name}, {human(size)}"


def _words(value: Any) -> str:
    """One group of facts on one line; what is None is off."""
    if isinstance(value, dict):
        there = {name: field for name, field in value.items() if field is not None}
        return ", ".join(f"{name}={field!r}" for name, field in there.items())
    return "off" if value is None else str(value)
