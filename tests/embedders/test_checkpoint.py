"""``Checkpoint``: what it keeps, and what damage costs."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite.embedders.checkpoint import Checkpoint, fingerprint_of, key_of
from scannlite.errors import InvalidInput, ScannliteWarning

HEADER, RECORD = 52, 16 + 3 * 4 + 4
ROWS = np.float32([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
CONTENTS = [b"one", b"two", b"three"]


def embedder(content=b"model", *, kind="text", l2_normalize=False, dimensions=3):
    """As much of an embedder as there is to keep apart."""
    model = SimpleNamespace(span=SimpleNamespace(data=content))
    return SimpleNamespace(model=model, kind=kind, l2_normalize=l2_normalize, dimensions=dimensions)


def write(path, count=3):
    with Checkpoint(path, embedder()) as checkpoint:
        for content, row in zip(CONTENTS[:count], ROWS, strict=False):
            checkpoint.add(key_of(content), row)


def read(path):
    """What is kept of the three, by number."""
    with Checkpoint(path, embedder()) as checkpoint:
        found = [checkpoint.get(key_of(content)) for content in CONTENTS]
    kept = [place for place, row in enumerate(found) if row is not None]
    for place in kept:
        assert found[place].tobytes() == ROWS[place].tobytes()
    return kept


@pytest.fixture
def path(tmp_path):
    return tmp_path / "embeddings"


def test_what_is_added_is_there_when_it_is_opened_again(path):
    write(path)
    assert read(path) == [0, 1, 2]
    with Checkpoint(path, embedder()) as checkpoint:
        assert len(checkpoint) == 3
        assert checkpoint.get(key_of(b"four")) is None


def test_its_bytes_are_as_written_down(path):
    write(path, 1)
    head = b"scannemb" + struct.pack("<II", 1, 3) + fingerprint_of(embedder())
    body = key_of(b"one") + ROWS[0].tobytes()
    crcs = [struct.pack("<I", zlib.crc32(part)) for part in (head, body)]
    assert path.read_bytes() == head + crcs[0] + body + crcs[1]


def test_what_is_known_is_not_written_again(path):
    write(path)
    before = path.read_bytes()
    write(path)
    with Checkpoint(path, embedder()) as checkpoint:
        for _ in range(2):
            checkpoint.add(key_of(b"four"), ROWS[0])
    assert path.read_bytes()[: len(before)] == before
    assert path.stat().st_size == HEADER + 4 * RECORD


def test_a_writer_killed_at_any_byte_loses_the_last_embedding_only(path):
    """And what is added then lies where the next reader looks for it."""
    write(path)
    whole = path.read_bytes()
    assert len(whole) == HEADER + 3 * RECORD
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        kept = max(0, size - HEADER) // RECORD
        assert read(path) == list(range(kept))
        write(path)
        assert read(path) == [0, 1, 2]
        assert path.read_bytes() == whole


@given(st.integers(0, RECORD * 3 - 1), st.integers(0, 7))
def test_a_flipped_bit_costs_one_embedding_which_is_made_anew(tmp_path_factory, byte, bit):
    path = tmp_path_factory.mktemp("flipped") / "embeddings"
    write(path)
    damaged = bytearray(path.read_bytes())
    damaged[HEADER + byte] ^= 1 << bit
    path.write_bytes(damaged)
    with pytest.warns(ScannliteWarning, match="of 3 embeddings 1 are damaged and are made anew"):
        kept = read(path)
    assert kept == [place for place in range(3) if place != byte // RECORD]
    with pytest.warns(ScannliteWarning):
        write(path)
    with pytest.warns(ScannliteWarning):
        assert read(path) == [0, 1, 2]


@pytest.mark.parametrize("byte", range(HEADER))
def test_a_damaged_header_is_refused_and_left_alone(path, byte):
    write(path)
    damaged = bytearray(path.read_bytes())
    damaged[byte] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InvalidInput, match="checkpoint must be a new name, or a file of embed"):
        read(path)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("content", [b"x", b"scannemc", b"text\n" * 100])
def test_another_file_is_refused_and_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="checkpoint must be a new name"):
        read(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "other",
    [
        embedder(b"other"),
        embedder(l2_normalize=True),
        embedder(kind="image"),
        embedder(dimensions=4),
    ],
)
def test_another_embedder_is_refused(path, other):
    write(path)
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match="must hold embeddings of the same model, normalised"):
        Checkpoint(path, other)
    assert path.read_bytes() == before


def test_a_later_version_is_refused(path):
    head = struct.pack("<8sII32s", b"scannemb", 2, 3, fingerprint_of(embedder()))
    path.write_bytes(head + struct.pack("<I", zlib.crc32(head)))
    with pytest.raises(InvalidInput, match="must be of version 1, got"):
        read(path)


def test_a_folder_that_is_missing_is_the_systems_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Checkpoint(tmp_path / "missing" / "embeddings", embedder())
    with pytest.raises(OSError, match=str(tmp_path.name)):
        Checkpoint(tmp_path, embedder())


def test_it_is_for_one_at_a_time(path):
    in_use = pytest.raises(InvalidInput, match="checkpoint must not be in use by another")
    with Checkpoint(path, embedder()), in_use:
        Checkpoint(path, embedder())
    assert read(path) == []


ADD_AND_DIE = """
import os, sys
from tests.embedders.test_checkpoint import *
checkpoint = Checkpoint(sys.argv[1], embedder())
for content, row in zip(CONTENTS, ROWS):
    checkpoint.add(key_of(content), row)
os._exit(1)
"""


def test_who_is_killed_leaves_all_that_was_added_and_no_lock(path):
    command = [sys.executable, "-c", ADD_AND_DIE, str(path)]
    assert subprocess.run(command, check=False).returncode == 1  # noqa: S603
    assert read(path) == [0, 1, 2]
