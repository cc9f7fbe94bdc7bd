"""Coverage-guided fuzzing of what reads strangers' files, for longer than CI has time for.

``make fuzz`` runs it for ten minutes, ``python -m tests.fuzz.device_files [libFuzzer options]
[folder of files to start from]`` as long as one likes. It needs Atheris. Whatever the bytes are,
reading ends in the package's own error or in an index that answers; anything else is a finding.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["scannlite.files", "scannlite.engine.device"]):
    from scannlite.engine import device
    from scannlite.files import index_file, model_file, sstable

import numpy as np

from scannlite.engine.index import Index
from scannlite.errors import IndexFileError, InvalidInput
from scannlite.files.span import Span

CONFIG = bytes.fromhex("0a02080010011810220100")  # float rows of 16 dimensions, one partition


def span(data: bytes) -> Span:
    return Span("fuzzed", memoryview(data))


def read_index(data: bytes) -> None:
    """All of a table, and a search."""
    file = index_file.read(span(data))
    index = Index(*device.from_file(file), file.metadata, file.userinfo)
    found = index.search(np.ones(index.dimensions, np.float32), 3)
    for row in found.ids[found.ids >= 0]:
        index.metadata[int(row)]
    again = io.BytesIO()
    device.to_file(
        again, index.options, index._arrays, index.metadata, index.userinfo, compression=False
    )


def read_config(data: bytes) -> None:
    """A configuration and rows within a sound table."""
    size = int.from_bytes(data[:2], "little")
    config, rows = data[2 : 2 + size] or CONFIG, data[2 + size :]
    table = io.BytesIO()
    entries = {b"E_0": rows, b"INDEX_CONFIG": config, b"M_0": b"first", b"USER_INFO": b""}
    sstable.write(table, entries.items())
    read_index(table.getvalue())


def read_model(data: bytes) -> None:
    """The index of a model, and the files beside it."""
    found = model_file.find_index(span(data))
    model_file.associated_files(span(data))
    if found is not None:
        read_index(bytes(found.data))


def attach(data: bytes) -> None:
    """An index into a model; what comes out holds it."""
    out = io.BytesIO()
    model_file.attach_index(span(data), CONFIG, out)
    found = model_file.find_index(span(out.getvalue()))
    if found is None or bytes(found.data) != CONFIG:
        raise RuntimeError("what was attached is not found")


WAYS: tuple[Callable[[bytes], None], ...] = (read_index, read_config, read_model, attach)


def test_one_input(data: bytes) -> None:
    """The first byte chooses what reads the rest; a file begins with none of the four."""
    way = WAYS[data[0]] if data and data[0] < len(WAYS) else None
    for each in WAYS if way is None else (way,):
        with suppress(IndexFileError, InvalidInput):
            each(data if way is None else data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
