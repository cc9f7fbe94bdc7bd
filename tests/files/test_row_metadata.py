"""Metadata of rows: the same one by one and all at once, whatever is odd about the table."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scannlite.errors import IndexFileError
from scannlite.files import row_metadata, sstable
from scannlite.files.row_metadata import RowMetadata
from scannlite.files.span import Span

modest = settings(deadline=None, max_examples=40)


def table(entries: dict[bytes, bytes], *, compression: bool = False) -> tuple[sstable.Table, Span]:
    file = io.BytesIO()
    sstable.write(file, sorted(entries.items()), compression=compression)
    span = Span("some.ldb", memoryview(file.getvalue()))
    return sstable.Table.open(span), span


def entries_of(items: list[bytes]) -> dict[bytes, bytes]:
    metadata = {b"M_%d" % row: item for row, item in enumerate(items)}
    return {b"E_0": b"rows", b"INDEX_CONFIG": b"config", **metadata, b"USER_INFO": b""}


def found_at_once(entries: dict[bytes, bytes], n: int) -> int:
    """How many rows need no look-up."""
    found = row_metadata._find_all(table(entries)[0], n)
    return sum(start >= 0 for start in found.starts)


@modest
@given(
    n=st.integers(0, 1500),
    sizes=st.lists(st.sampled_from([0, 1, 20, 127, 128, 300, 5000, 20000]), min_size=1, max_size=7),
    compression=st.booleans(),
    first=st.integers(0, 1499),
)
def test_all_at_once_is_one_by_one(n, sizes, compression, first):
    """Values of one and more bytes of length, in blocks of one entry and of hundreds."""
    items = [(b"%d." % row * 20000)[: sizes[row % len(sizes)]] for row in range(n)]
    found = RowMetadata(*table(entries_of(items), compression=compression), n)
    assert found[first : first + 100] == items[first : first + 100]  # some looked up, some found
    assert list(found) == items
    assert found[::-7] == items[::-7]
    assert len(found) == n
    if n:
        assert (found[-1], found[0]) == (items[-1], items[0])


def test_nearly_all_are_found_at_once():
    """But for the first block, which has other keys too, and the last."""
    items = [b"item %d" % row for row in range(5000)]
    assert found_at_once(entries_of(items), 5000) > 4500


@pytest.mark.parametrize("key", [b"M_", b"M_01", b"M_1x", b"M_12345678901", b"M_10\xff", b"M_-1"])
def test_a_table_with_an_odd_key_is_looked_up(key):
    """Whether or not it lies in a block of the others: all that is asked for is right."""
    items = [b"item %d" % row for row in range(2000)]
    found = RowMetadata(*table({**entries_of(items), key: b"odd"}), 2000)
    assert list(found) == items


def test_more_metadata_than_rows_is_left_alone():
    items = [b"item %d" % row for row in range(2000)]
    found = RowMetadata(*table(entries_of(items)), 700)
    assert list(found) == items[:700]
    with pytest.raises(IndexError):
        found[700]


def test_what_is_missing_is_named():
    """Before all are found, and after."""
    entries = entries_of([b"item %d" % row for row in range(2000)])
    del entries[b"M_777"]
    found = RowMetadata(*table(entries), 2000)
    for _ in range(2):
        with pytest.raises(IndexFileError, match="metadata under the key M_777, found no such key"):
            found[777]
        with pytest.raises(IndexFileError, match="M_777"):
            list(found)
        assert found[778] == b"item 778"


def test_a_block_of_very_many_entries_is_looked_up(monkeypatch):
    """A block that no writer makes cannot keep NumPy busy: it is left to the careful way."""
    entries = entries_of([b"item %d" % row for row in range(2000)])
    assert found_at_once(entries, 2000) > 1500
    monkeypatch.setattr(row_metadata, "_MOST_STEPS", 20)
    assert found_at_once(entries, 2000) == 0
    assert RowMetadata(*table(entries), 2000)[1234] == b"item 1234"
